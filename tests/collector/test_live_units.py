"""Units now: what they say of themselves and what is wrong; and how far reference sensors differ."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from live_samples import FLEET, MINUTE, NOW_NS, Clock, ago, counter, fault, fed, health, passage, room, state

from collector import unit_now
from collector.answers import EntranceLive, UnitLive
from collector.live import LOOK_EVERY_S, Live
from collector.store import open_store
from firmware_cfg.times import NS_PER_S, to_rfc3339

WELL = {"beams": {"ok": True, "lost_edges": 3}, "radar": {"ok": False}, "aed": {"ok": True}}


def door(live: Live) -> UnitLive:
    return live.snapshot("north").units[0]


def front(live: Live) -> EntranceLive:
    return live.snapshot("north").entrances[0]


def kinds(live: Live) -> list[str]:
    return [found.fault for found in door(live).faults]


def test_nothing_is_said_of_a_unit_that_said_nothing() -> None:
    unit = door(fed())
    assert (unit.online, unit.reported, unit.version, unit.clock, unit.temperature_c, unit.outbox) == (None,) * 6
    assert [(sensor.name, sensor.ok, sensor.lost_edges) for sensor in unit.sensors] == [
        ("beams", None, None),
        ("radar", None, None),
        ("aed", None, None),
    ]
    assert unit.faults == []


def test_a_unit_tells_how_it_is() -> None:
    live = fed()
    outbox = {"depth": 12, "oldest_age_s": 90.5, "dropped": 2, "trouble": "disk full"}
    live.stored([], [health(0.5, sensors=WELL, outbox=outbox, temperature_c=51.5, clock="unsynced")])
    unit = door(live)
    assert unit.online is True
    assert (unit.reported, unit.version, unit.clock, unit.temperature_c) == (
        to_rfc3339(ago(0.5)),
        "1.2",
        "unsynced",
        51.5,
    )
    assert unit.outbox is not None
    assert unit.outbox.model_dump() == outbox
    assert [(sensor.name, sensor.kind, sensor.entrance, sensor.ok, sensor.lost_edges) for sensor in unit.sensors] == [
        ("beams", "beam-pair", "front", True, 3),
        ("radar", "terabee-evo", "front", False, 0),
        ("aed", "cabinet", None, True, 0),
    ]


def test_an_older_report_does_not_replace_a_newer() -> None:
    live = fed()
    live.stored([], [health(1, version="new")])
    live.stored([], [health(2, version="old")])
    assert door(live).version == "new"


def test_sensors_of_a_unit_that_is_offline_are_unknown() -> None:
    live = fed()
    live.stored([], [health(0.5, sensors=WELL)])
    live.stored([], [], [state("door", "offline")])
    assert {sensor.ok for sensor in door(live).sensors} == {None}
    assert door(live).version == "1.2"


def test_a_fault_is_active_until_it_is_taken_back() -> None:
    live = fed(fault(30, detail="port: nothing has come", count=1, line="serial"))
    (found,) = door(live).faults
    assert (found.sensor, found.fault, found.line, found.detail) == (
        "radar",
        "sensor_silent",
        "serial",
        "port: nothing has come",
    )
    assert (found.lasting, found.since, found.last, found.count) == (True, to_rfc3339(ago(30)), to_rfc3339(ago(30)), 1)
    live.stored([fault(20, line="serial")])
    assert (door(live).faults[0].since, door(live).faults[0].last) == (to_rfc3339(ago(30)), to_rfc3339(ago(20)))
    live.stored([fault(10, line="serial", active=False)])
    assert kinds(live) == []
    live.stored([fault(15, line="serial")])  # late
    assert kinds(live) == []
    live.stored([fault(5, line="serial")])
    assert door(live).faults[0].since == to_rfc3339(ago(5))


def test_each_sensor_line_and_kind_has_its_own_fault() -> None:
    live = fed(
        fault(9),
        fault(8, line="a"),
        fault(7, "sensor_unreadable"),
        fault(6, sensor="beams"),
        fault(5, active=False),
    )
    assert [(found.sensor, found.fault, found.line) for found in door(live).faults] == [
        ("beams", "sensor_silent", None),
        ("radar", "sensor_unreadable", None),
        ("radar", "sensor_silent", "a"),
    ]


@pytest.mark.parametrize("happened", ["repeated_level", "disk_slow", "recording_paused"])
def test_what_only_happened_is_forgotten_after_an_hour(happened: str) -> None:
    clock = Clock()
    live = fed(fault(10, happened, sensor="beams", line="outer"), fault(9, "sensor_silent"), clock=clock)
    assert [(found.fault, found.lasting) for found in door(live).faults] == [
        ("sensor_silent", True),
        (happened, False),
    ]
    clock.now_ns += 51 * MINUTE
    assert kinds(live) == ["sensor_silent"]


def test_a_sensor_that_has_worked_since_has_no_fault_although_nobody_took_it_back() -> None:
    live = fed(fault(10), fault(10, "mystery"))
    live.stored([], [health(1, sensors={"radar": {"ok": True, "ok_since_ns": ago(12)}})])
    assert sorted(kinds(live)) == ["mystery", "sensor_silent"]
    live.stored([], [health(0.5, sensors={"radar": {"ok": True, "ok_since_ns": ago(8)}})])
    assert kinds(live) == ["mystery"]


def test_faults_of_sensors_that_are_not_there_are_left_out() -> None:
    assert kinds(fed(fault(1, sensor="gone"), fault(1, "outbox_damaged", sensor="unit"))) == ["outbox_damaged"]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.booleans()), min_size=1, max_size=12), st.data())
def test_faults_do_not_depend_on_the_order(told: list[tuple[str, bool]], data: st.DataObject) -> None:
    parcels = [fault(50 - index, line=line, active=active) for index, (line, active) in enumerate(told)]
    shuffled = data.draw(st.permutations(parcels + parcels[:3]))
    assert door(fed(*shuffled)).faults == door(fed(*parcels)).faults
    latest = dict(told)
    assert {found.line for found in door(fed(*shuffled)).faults} == {line for line, active in latest.items() if active}


def test_what_is_kept_of_faults_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unit_now, "SERIES_MAX", 3)
    live = fed(*(fault(50 - number, line=f"line-{number}") for number in range(10)))
    assert [found.line for found in door(live).faults] == ["line-9", "line-8", "line-7"]


# References


def watching(live: Live, minutes: int = 60, **well: bool) -> None:
    """Health reports of the last so many minutes."""
    sensors = {name: {"ok": ok} for name, ok in ({"beams": True, "radar": True} | well).items()}
    live.stored([], [health(minute, sensors=sensors) for minute in range(minutes)])


def test_a_reference_says_how_far_it_is_off() -> None:
    live = fed(
        *(passage(30 + number / 10) for number in range(40)),
        *(passage(20 + number / 10, direction="out") for number in range(10)),
        counter(31, 20, 1),
        counter(25, 22, 8),
    )
    watching(live)
    entrance = front(live)
    assert (entrance.id, entrance.name) == ("front", "Front")
    assert (entrance.counting.sensor, entrance.counting.kind) == ("beams", "beam-pair")
    assert (entrance.counting.visits.value, entrance.counting.exits.value) == (40, 10)
    (reference,) = entrance.references
    assert (reference.sensor, reference.kind) == ("radar", "terabee-evo")
    assert (reference.visits.value, reference.exits.value) == (42, 9)
    assert reference.difference is not None
    found = reference.difference
    assert (found.visits, found.exits, found.percent) == (2, -1, 6.0)
    assert found.completeness == pytest.approx(60 / 900, abs=0.003)


def test_a_reference_never_counts_as_a_visit() -> None:
    live = fed(passage(5), counter(4, 50, 50))
    live.stored([], [health(0, sensors={"beams": {"ok_since_ns": 0}})])
    answer = live.snapshot("north")
    assert (answer.visits_today.value, answer.occupancy.value, len(answer.last_passages)) == (1, 1, 1)


def test_the_difference_is_unknown_where_one_of_them_is() -> None:
    live = fed(passage(5))
    watching(live, radar=False)
    (reference,) = front(live).references
    assert (reference.visits.value, reference.difference) == (None, None)
    live = fed(counter(5, 3, 3))
    watching(live, beams=False)
    assert front(live).counting.visits.value is None
    assert front(live).references[0].difference is None


def test_only_time_that_both_watched_is_compared() -> None:
    live = fed(*(passage(200 + number) for number in range(30)), passage(25), counter(24, 1, 0))
    live.stored([], [health(minute, sensors={"beams": {"ok": True}}) for minute in range(60, 240)])
    watching(live)
    found = front(live).references[0].difference
    assert found is not None
    assert (found.visits, found.exits, found.percent) == (0, 0, 0.0)


def test_nobody_at_all_is_no_percentage() -> None:
    live = fed()
    watching(live)
    found = front(live).references[0].difference
    assert found is not None
    assert (found.visits, found.exits, found.percent) == (0, 0, None)


def test_counts_are_the_same_from_the_store(tmp_path: Path) -> None:
    store = open_store(f"sqlite:{tmp_path}/store.db")
    parcels = [passage(30), passage(20, direction="out"), counter(15, 2, 1)]
    reports = [health(minute, sensors={"beams": {"ok": True}, "radar": {"ok": True}}) for minute in range(60)]
    store.write(parcels, reports)
    live = Live(FLEET, Clock())
    live.seed(store)
    told = fed(*parcels)
    told.stored([], reports)
    assert front(live) == front(told)
    live.stored(parcels)
    live.seed(store)
    assert front(live) == front(told)
    store.close()


# What time alone changes


def test_silence_alone_is_news() -> None:
    clock = Clock()
    live = fed(room(29, "vacant"), clock=clock)
    assert [answer.rooms[0].state for answer in live.changes()] == ["vacant"]
    assert live.changes() == []
    clock.now_ns += LOOK_EVERY_S * NS_PER_S
    assert live.changes() == []
    clock.now_ns = NOW_NS + 2 * MINUTE
    assert [answer.rooms[0].state for answer in live.changes()] == ["unknown"]
    clock.now_ns = NOW_NS + 6 * MINUTE
    assert [answer.units[1].online for answer in live.changes()] == [False]
    assert live.changes() == []
