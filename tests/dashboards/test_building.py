"""Rooms, cabinets, units and second counts on the live page, over a real collector and a real broker."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from pages import Pages, Unit, open_live

if TYPE_CHECKING:
    from collections.abc import Iterator

    from browser import Chromium
    from servers import Mosquitto

GONE = ["aed: not in its place"]


def cabinet(level: str, **fields: Any) -> dict[str, Any]:
    base = {"kind": "cabinet", "sensor": "cabinet", "door": "closed", "aed": "present", "mains": "on"}
    return base | {"level": level, "temperature_c": 14.5, "reasons": []} | fields


def room(sensor: str, place: str, state: str) -> dict[str, Any]:
    return {"kind": "room", "sensor": sensor, "room": place, "state": state, "probability": 0.9}


def glance(hub: str, name: str) -> str:
    """JavaScript for what a card says under this name, in words."""
    return (
        f"[...document.querySelectorAll('#hub-{hub} .premises > div')]"
        f".filter((each) => each.querySelector('dt').textContent === '{name}')"
        ".map((each) => [...each.querySelectorAll('dd span')].map((part) => part.textContent).join(', ')).join('; ')"
    )


def cell(hub: str, name: str) -> str:
    """JavaScript for the text of a cell in the row of a hub."""
    return (
        "[...document.querySelectorAll('#table tbody tr')].find((row) => row.querySelector('th').textContent === "
        f"document.querySelector('#hub-{hub} h2').textContent).querySelector('[data-cell={name}]').textContent"
    )


def text(of: str) -> str:
    return f"document.querySelector('{of}')?.textContent"


@pytest.fixture
def micklefield(broker: Mosquitto) -> Iterator[Unit]:
    """With a cabinet that is fine at first and at last."""
    with Unit(broker, "micklefield", "micklefield-front") as unit:
        unit.says(cabinet("ok"))
        yield unit
        unit.says(cabinet("ok"))


def test_a_cabinet_that_needs_somebody_shows_within_a_second(live: Chromium, micklefield: Unit) -> None:
    shown = glance("micklefield", "Defibrillator")
    delays = []
    for _ in range(3):  # on a busy machine the whole act may be done again; the second stays a second
        micklefield.says(cabinet("ok"))
        live.wait_for(f"{shown} === 'OK' && {text('#alarms')} === ''")
        live.driver.execute_script(
            """window.alarmed = null;
            new MutationObserver(() => { window.alarmed ??= performance.timeOrigin + performance.now(); })
              .observe(document.getElementById('alarms'), { childList: true });"""
        )
        began = time.time()
        micklefield.says(cabinet("critical", aed="absent", door="open", reasons=GONE))
        live.wait_for("window.alarmed !== null")
        delays.append(live.driver.execute_script("return window.alarmed") / 1000 - began)
        if delays[-1] <= 1:
            break
    assert delays[-1] <= 1, delays
    live.wait_for(f"{shown} === 'Critical, AED not in its place'")
    live.wait_for(f"{cell('micklefield', 'cabinet')}.startsWith('CriticalAED not in its place · Door open')")
    assert live.driver.find_element("id", "alarms").text == (
        "Micklefield Library Defibrillator critical: AED not in its place"
    )
    assert live.driver.execute_script(f"return {text('#total-cabinets .gap')}").startswith(
        "1\N{NO-BREAK SPACE}critical"
    )
    assert live.driver.find_element("id", "hub-micklefield").get_dom_attribute("data-alarm") == "true"
    micklefield.says(cabinet("ok"))
    live.wait_for(f"{shown} === 'OK' && {text('#alarms')} === ''")
    assert live.driver.find_element("id", "hub-micklefield").get_dom_attribute("data-alarm") == "false"
    assert live.console() == []


def test_an_alarm_does_not_end_by_silence(live: Chromium, micklefield: Unit) -> None:
    micklefield.says(cabinet("critical", aed="absent", reasons=GONE))
    live.wait_for(f"{text('#alarms')} !== ''")
    micklefield.goes()
    live.wait_for(f"{glance('micklefield', 'Defibrillator')}.startsWith('Unknown, Its unit is offline')")
    said = "unknown: Its unit is offline; It was critical when last heard; AED not in its place"
    assert live.driver.find_element("id", "alarms").text == f"Micklefield Library Defibrillator {said}"
    assert live.driver.find_element("css selector", "[data-critical=true]").text.startswith("Cabinets OK")


def test_a_door_that_is_open_a_moment_is_no_alarm(live: Chromium, micklefield: Unit) -> None:
    micklefield.says(cabinet("ok", door="open"))
    live.wait_for(f"{glance('micklefield', 'Defibrillator')} === 'OK, Door open'")
    assert live.driver.find_element("id", "alarms").text == ""


def test_a_warning_says_why(live: Chromium, micklefield: Unit) -> None:
    reasons = ["temperature: no thermometer fitted", "mains: lost"]
    micklefield.says(cabinet("warning", mains="off", temperature_c=None, reasons=reasons))
    live.wait_for(f"{glance('micklefield', 'Defibrillator')} === 'Warning, Mains lost'")
    facts = live.driver.find_element("css selector", "#hub-micklefield .facts dd").get_property("textContent")
    assert str(facts).startswith("Mains lostDoor closedAED in its placeMains offTemperature unknownAs of ")


def test_a_room_is_occupied_vacant_or_unknown_and_silence_is_unknown(live: Chromium, broker: Mosquitto) -> None:
    shown = glance("compton-centre", "Community room")
    with Unit(broker, "compton-centre", "compton-front") as unit:
        unit.says(room("community-presence", "community-room", "vacant"), cabinet("ok"))
        live.wait_for(f"/^Vacant, since [0-9:]+$/.test({shown})")
        unit.says(room("community-presence", "community-room", "occupied"))
        live.wait_for(f"/^Occupied, since [0-9:]+$/.test({shown})")
        live.wait_for(f"/^Community room: occupiedsince [0-9:]+$/.test({cell('compton-centre', 'rooms')})")
        marks = (
            "return [...document.querySelectorAll('#hub-compton-centre .premises use')].map((use) => use.href.baseVal)"
        )
        assert live.driver.execute_script(marks) == ["#mark-occupied", "#mark-ok"]
        unit.goes()
        live.wait_for(f"{shown} === 'Unknown, Its unit is offline'")
        live.wait_for(f"{glance('compton-centre', 'Defibrillator')} === 'Unknown, Its unit is offline'")
        assert live.driver.execute_script(marks) == ["#mark-unknown", "#mark-unknown"]
        assert live.console() == []


def test_what_nothing_was_heard_of_is_unknown_and_never_green(live: Chromium) -> None:
    assert live.driver.execute_script(f"return {glance('strood', 'Training room')}") == "Unknown, Nothing heard yet"
    assert live.driver.execute_script(f"return {glance('strood', 'Defibrillator')}") == "Unknown, Nothing heard yet"
    assert live.driver.execute_script(f"return {glance('strood', 'Second count, Front entrance')}") == "Unknown"


def test_a_fault_shows_in_words_and_goes_when_it_is_over(live: Chromium, broker: Mosquitto) -> None:
    trouble, facts = text("#hub-south-ockendon .trouble"), text("#hub-south-ockendon .faults")
    fault = {"kind": "fault", "sensor": "main-radar", "entrance": "main", "fault": "sensor_silent"}
    with Unit(broker, "south-ockendon", "south-ockendon-main", "main") as unit:
        unit.says(fault | {"detail": "port: nothing has come from /dev/ttyAMA3 for 10 s; is it powered?"})
        live.wait_for(f"{trouble} === 'Main entrance radar is silent'")
        details = live.driver.find_element("css selector", "#hub-south-ockendon details")
        assert not live.driver.find_element("css selector", "#hub-south-ockendon .facts").is_displayed()
        details.find_element("css selector", "summary").click()
        shown = live.driver.find_element("css selector", "#hub-south-ockendon .faults").text.splitlines()
        assert shown[0].startswith("Main entrance radar is silent, since ")
        assert shown[1] == "port: nothing has come from /dev/ttyAMA3 for 10 s; is it powered?"
        live.wait_for(f"{cell('south-ockendon', 'units')}.includes('Main entrance radar is silent, since')")
        unit.says(fault | {"active": False})
        live.wait_for(f"{trouble} === '' && !document.querySelector('#hub-south-ockendon .faults')")
        assert details.get_property("open") is True  # who reads it is not disturbed
        unit.says(
            {"kind": "fault", "sensor": "main-beams", "entrance": "main", "fault": "repeated_level", "line": "outer"}
        )
        live.wait_for(f"{facts}?.startsWith('Main entrance beam pair missed a signal, ')")
        assert live.driver.execute_script(f"return {trouble}") == ""


def test_a_unit_that_is_behind_says_so(live: Chromium, broker: Mosquitto) -> None:
    with Unit(broker, "armley", "armley-front") as unit:
        outbox = {"depth": 412, "oldest_age_s": 600.0, "dropped": 3, "trouble": "disk full"}
        unit.reports({"front-beams": {"ok": True}, "cabinet": {"ok": False}}, outbox=outbox, clock="unsynced")
        live.wait_for(f"{text('#hub-armley .trouble')} === 'Cabinet sensor does not work and 2 more'")
        facts = live.driver.find_element("css selector", "#hub-armley .facts").get_property("textContent")
        for said in (
            "412 events waiting, 10 min",
            "Disk takes no events: disk full",
            "3 events given up",
            "Clock not set",
            "Front entrance beam pair works",
        ):
            assert said in str(facts)
        unit.reports({"front-beams": {"ok": True}, "cabinet": {"ok": True}})
        live.wait_for(f"{text('#hub-armley .trouble')} === ''")


def test_what_is_missing_and_what_is_lost_for_good_is_said_of_a_unit(live: Chromium) -> None:
    unit = {"online": True, "last_heard": None, "outbox": None, "clock": None, "temperature_c": None, "version": None}
    told = live.driver.execute_async_script(
        "const [unit, done] = arguments;"
        "import('/words.js').then(({ unitFacts }) => done(unitFacts(unit, new Date(), 'Europe/London')));",
        unit | {"missing": 4, "lost": 1},
    )
    assert told == ["Online, never heard", "4 events missing, asked for again", "1 event lost for good"]


def test_a_unit_whose_disk_refuses_is_in_trouble_while_it_is_heard(live: Chromium) -> None:
    outbox = {"depth": 2, "oldest_age_s": 1.0, "dropped": 0, "trouble": "disk full"}
    told = live.driver.execute_async_script(
        "const [units, done] = arguments;"
        "import('/words.js').then(({ troubles }) => done(units.map((unit) => troubles(unit, {}, new Date(), 'UTC'))));",
        [{"id": "door", "online": online, "outbox": outbox, "faults": [], "sensors": []} for online in (True, False)],
    )
    assert told == [["door cannot write to its disk"], []]


def test_a_second_count_says_how_far_it_differs(live: Chromium, broker: Mosquitto) -> None:
    with Unit(broker, "st-georges-centre", "st-georges-rear", "rear") as unit:
        unit.passes("in", persons=30)
        unit.passes("out", persons=20)
        counter = {"kind": "counter", "sensor": "rear-counter", "entrance": "rear", "role": "reference"}
        unit.says(counter | {"in": 28, "out": 21, "raw_in": 28, "raw_out": 21})
        unit.reports({"rear-beams": {"ok": True}, "rear-counter": {"ok": True}})
        live.wait_for(f"{glance('st-georges-centre', 'Second count, Rear entrance')} === '6.0 % apart'")
        live.wait_for(
            f"{cell('st-georges-centre', 'compared')} === 'Rear entrance: 6.0 % apart"
            "Beam pair 30 in, 20 out · People counter 28 in, 21 out · 2 fewer in, 1 more out'"
        )
        unit.says(counter | {"in": 20, "out": 0, "raw_in": 48, "raw_out": 21})
        live.wait_for(f"{glance('st-georges-centre', 'Second count, Rear entrance')} === '38 % apart'")
        assert live.driver.execute_script(
            "return document.querySelector('#hub-st-georges-centre .compared').dataset.state"
        ) == ("warning")


def test_all_of_it_can_be_read_on_a_phone(chromium: Chromium, pages: Pages, micklefield: Unit) -> None:
    chromium.size(320, 800)
    open_live(chromium, pages)
    micklefield.says(cabinet("critical", aed="absent", reasons=GONE))
    chromium.wait_for(f"{text('#alarms')} !== ''")
    cut = chromium.driver.execute_script(
        """document.querySelectorAll('details').forEach((fold) => { fold.open = true; });
        return [document.documentElement.scrollWidth, [...document.querySelectorAll('.premises *, .facts *, #alarms *')]
          .filter((node) => node.checkVisibility() && node.getBoundingClientRect().right > innerWidth).length];"""
    )
    assert cut == [320, 0]


@pytest.mark.parametrize(
    ("counted", "difference", "apart", "far"),
    [
        ((0, 0), None, "Unknown", False),
        ((0, 0), (0, 0, None), "No difference", False),
        ((80, 70), (0, 0, 0.0), "No difference", False),
        ((80, 70), (-4, 2, 4.0), "4.0 % apart", False),
        ((80, 70), (-14, -2, 10.7), "11 % apart", True),
        ((3, 2), (1, 0, 20.0), "1 person apart", False),
        ((3, 2), (30, 12, 840.0), "840 % apart", True),
        ((0, 0), (2, 1, None), "3 persons apart", False),
        ((0, 0), (40, 35, None), "75 persons apart", True),
        ((40, 35), (-40, -35, 100.0), "100 % apart", True),
    ],
)
def test_a_difference_of_a_few_persons_worries_nobody(
    live: Chromium, counted: tuple[int, int], difference: tuple[int, int, float | None] | None, apart: str, far: bool
) -> None:
    def count(visits: int, exits: int) -> dict[str, Any]:
        return {"kind": "ld2450", "visits": {"value": visits}, "exits": {"value": exits}}

    off = None if difference is None else dict(zip(("visits", "exits", "percent"), difference, strict=True))
    reference = count(counted[0] + off["visits"], counted[1] + off["exits"]) if off else count(0, 0)
    entrance = {"name": "Front", "counting": count(*counted), "references": [reference | {"difference": off}]}
    answer = live.driver.execute_async_script(
        "const [all, done] = arguments; import('/words.js').then(({ comparisons }) => done(comparisons(all)[0]));",
        [entrance],
    )
    assert (answer["apart"], bool(answer["far"])) == (apart, far)


@pytest.mark.parametrize(
    ("fields", "note", "facts"),
    [
        ({}, "", ["Pads until 30 Sept 2027, 300 days left"]),
        ({"pads": {"until": "2027-09-30", "days_left": 30}}, "Pads until 30 Sept 2027, 30 days left", []),
        ({"pads": {"until": "2027-09-30", "days_left": 0}}, "Pads to be replaced, good until 30 Sept 2027", []),
        (
            {
                "level": "unknown",
                "reasons": ["cabinet: nothing heard for 15 min", "cabinet: it was critical when last heard"],
            },
            "Nothing heard for 15 min; It was critical when last heard",
            [],
        ),
        ({"reasons": ["light: not fitted", "pads: good until 2027-09-30, less than 91 days left"]}, "", []),
    ],
)
def test_a_cabinet_says_what_to_do(live: Chromium, fields: dict[str, Any], note: str, facts: list[str]) -> None:
    pads = {"until": "2027-09-30", "days_left": 300}
    found = cabinet("ok") | {"as_of": "2026-03-02T09:00:00Z", "pads": pads, "battery": None} | fields
    answer = live.driver.execute_async_script(
        """const [found, done] = arguments, now = new Date('2026-03-02T09:01:00Z');
        import('/words.js').then(({ cabinet }) => done(cabinet(found, now, 'Europe/London')));""",
        found,
    )
    assert answer["note"] == note
    assert {"Door closed", "AED in its place", "Mains on", "14.5 °C", "As of 09:00", *facts} <= set(answer["facts"])
