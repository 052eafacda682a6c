"""A defibrillator's cabinet: each rule at its boundary, scripted days with truth, and a live one on mock pins."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.sensors.cabinet_rules import LEVELS, CabinetRules, CabinetSettings, Part, Status
from edge.sensors.contact import CHATTER_CHANGES, SETTLE_NS, Contact
from firmware_cfg.wire import event_adapter
from simulators.cabinets import DAY_S, SCRIPTS, Script, cabinet_day

if TYPE_CHECKING:
    pass

S = 1_000_000_000
MINUTE = 60 * S
ALL: frozenset[Part] = frozenset({"door", "aed", "mains", "temperature"})
TODAY = date(2026, 3, 2)


def rules(fitted: frozenset[Part] = ALL, *, well: bool = True, **settings: Any) -> CabinetRules:
    """Rules from time 0; with all contacts closed and 12 C where all is `well`."""
    made = CabinetRules(CabinetSettings(fitted, **settings), 0)
    if well:
        for part in ("door", "aed", "mains"):
            made.contact(0, part, closed=True)
        made.temperature(0, 12.0)
    return made


def warm(made: CabinetRules, until_ns: int, celsius: float = 12.0) -> list[Status]:
    """A reading a minute."""
    out: list[Status] = []
    for t_ns in range(MINUTE, until_ns, MINUTE):
        made.temperature(t_ns, celsius)
        out += made.advance(t_ns, TODAY)
    return out


def last(made: CabinetRules, now_ns: int, today: date = TODAY) -> Status:
    """The status then, told or not."""
    made.advance(now_ns, today)
    return made._status()


def changes(statuses: list[Status]) -> list[tuple[int, str]]:
    return [(status.t_ns, status.level) for status in statuses if status.changed]


def test_all_well_is_ok_and_says_so_once_and_then_as_a_sign_of_life() -> None:
    made = rules(heartbeat_ns=5 * MINUTE)
    [first] = made.advance(0, TODAY)
    assert (first.level, first.door, first.aed, first.mains, first.temperature_c) == (
        "ok",
        "closed",
        "present",
        "on",
        12,
    )
    assert (first.reasons, first.changed) == ((), True)
    later = warm(made, 11 * MINUTE)
    assert [(status.t_ns, status.changed) for status in later] == [(5 * MINUTE, False), (10 * MINUTE, False)]
    assert made.due_ns() == 15 * MINUTE


def test_an_open_door_is_told_at_once_and_critical_after_more_than_two_minutes() -> None:
    made = rules()
    made.advance(0, TODAY)
    made.contact(10 * S, "door", closed=False)
    [opened] = made.advance(10 * S, TODAY)
    assert (opened.t_ns, opened.door, opened.level, opened.changed) == (10 * S, "open", "ok", True)
    assert made.advance(10 * S + 2 * MINUTE, TODAY) == []
    assert made.due_ns() == 10 * S + 2 * MINUTE + 1
    [critical] = made.advance(10 * S + 2 * MINUTE + 1, TODAY)
    assert (critical.level, critical.reasons) == ("critical", ("door: open for more than 2 min",))
    made.contact(10 * S + 3 * MINUTE, "door", closed=True)
    assert changes(made.advance(10 * S + 3 * MINUTE, TODAY)) == [(10 * S + 3 * MINUTE, "ok")]


def test_what_time_brings_is_dated_when_it_was_due_however_late_one_looks() -> None:
    made = rules(temperature_silent_ns=60 * MINUTE)
    made.advance(0, TODAY)
    made.contact(10 * S, "door", closed=False)
    made.contact(4 * MINUTE, "door", closed=True)
    assert changes(made.advance(9 * MINUTE, TODAY)) == [
        (10 * S, "ok"),
        (10 * S + 2 * MINUTE + 1, "critical"),
        (4 * MINUTE, "ok"),
    ]


def test_an_aed_that_is_not_there_is_critical_at_once() -> None:
    made = rules()
    made.advance(0, TODAY)
    made.contact(S, "aed", closed=False)
    [gone] = made.advance(S, TODAY)
    assert (gone.aed, gone.level, gone.reasons) == ("absent", "critical", ("aed: not in its place",))


def test_lost_mains_is_a_warning() -> None:
    made = rules()
    made.advance(0, TODAY)
    made.contact(S, "mains", closed=False)
    [lost] = made.advance(S, TODAY)
    assert (lost.mains, lost.level, lost.reasons) == ("off", "warning", ("mains: lost",))


@pytest.mark.parametrize(
    ("celsius", "level"),
    [(-0.0625, "critical"), (0.0, "warning"), (4.9375, "warning"), (5.0, "ok"), (50.0, "ok"), (50.0625, "critical")],
)
def test_the_limits_of_the_temperature(celsius: float, level: str) -> None:
    made = rules()
    warm(made, 30 * MINUTE, celsius)
    assert last(made, 30 * MINUTE).level == level


def test_cold_is_a_warning_after_ten_minutes_without_a_warmer_reading() -> None:
    made = rules(temperature_silent_ns=20 * MINUTE)
    made.advance(0, TODAY)
    made.temperature(MINUTE, 4.0)
    made.temperature(8 * MINUTE, 5.0)
    made.temperature(9 * MINUTE, 4.9)
    told = made.advance(19 * MINUTE - 1, TODAY)
    assert {status.level for status in told} == {"ok"}
    [cold] = made.advance(19 * MINUTE, TODAY)
    assert (cold.t_ns, cold.level, cold.reasons) == (19 * MINUTE, "warning", ("temperature: below 5 C for 10 min",))


def test_frost_is_critical_at_once() -> None:
    made = rules()
    made.advance(0, TODAY)
    made.temperature(S, -0.1)
    assert changes(made.advance(S, TODAY)) == [(S, "critical")]


def test_a_silent_thermometer_makes_the_cabinet_unknown_and_a_reading_mends_it() -> None:
    made = rules()
    made.advance(0, TODAY)
    assert made.advance(5 * MINUTE - 1, TODAY) == []
    [silent] = made.advance(5 * MINUTE, TODAY)
    assert (silent.level, silent.temperature_c) == ("unknown", None)
    assert silent.reasons == ("temperature: the thermometer is silent",)
    made.temperature(6 * MINUTE, 12.0)
    assert changes(made.advance(6 * MINUTE, TODAY)) == [(6 * MINUTE, "ok")]


def test_cold_before_a_silence_is_not_counted_on_after_it() -> None:
    made = rules()
    made.temperature(S, 3.0)
    made.temperature(9 * MINUTE, 3.0)
    made.temperature(13 * MINUTE, 3.0)
    assert last(made, 17 * MINUTE).level == "ok"
    made.temperature(17 * MINUTE, 3.0)
    assert last(made, 19 * MINUTE).level == "warning"


def test_what_was_never_heard_is_unknown() -> None:
    made = rules(well=False)
    [status] = made.advance(0, TODAY)
    assert (status.level, status.door, status.aed, status.mains) == ("unknown",) * 4
    assert [reason.split(":")[0] for reason in status.reasons] == ["door", "aed", "mains", "temperature"]


@pytest.mark.parametrize(
    ("worse", "level"), [("mains", "unknown"), ("aed", "critical")], ids=["not a warning", "but something critical"]
)
def test_unknown_yields_only_to_what_is_worse(worse: Any, level: str) -> None:
    made = rules()
    made.contact(S, worse, closed=False)
    assert last(made, 10 * MINUTE).level == level


def test_without_its_switch_nobody_knows_whether_the_aed_is_there() -> None:
    made = rules(ALL - {"aed"})
    assert last(made, 0).level == "unknown"


def test_other_parts_that_are_not_fitted_are_named_and_left_out() -> None:
    made = rules(frozenset({"aed"}))
    status = last(made, 0)
    assert (status.level, status.door, status.mains, status.temperature_c) == ("ok", "unknown", "unknown", None)
    assert [reason.partition(":")[0] for reason in status.reasons] == ["door", "mains", "temperature"]


@pytest.mark.parametrize(
    ("left", "level", "reason"),
    [
        (91, "ok", None),
        (90, "ok", "less than 91 days left"),
        (31, "ok", "less than 91 days left"),
        (30, "ok", "less than 31 days left"),
        (1, "ok", "less than 31 days left"),
        (0, "warning", "to be replaced"),
        (-400, "warning", "to be replaced"),
    ],
)
@pytest.mark.parametrize("what", ["pads", "battery"])
def test_expiry_is_reminded_of_90_30_and_0_days_ahead(what: str, left: int, level: str, reason: str | None) -> None:
    key = {"pads": "pads_expire", "battery": "battery_expires"}[what]
    status = last(rules(**{key: TODAY + timedelta(days=left)}), 0)
    assert status.level == level
    assert [text.startswith(f"{what}: ") and str(reason) in text for text in status.reasons] == [True] * bool(reason)


def test_expiry_waits_for_the_date_and_then_keeps_it() -> None:
    made = rules(pads_expire=TODAY)
    assert [status.level for status in made.advance(0, None)] == ["ok"]
    assert [status.level for status in made.advance(S, TODAY)] == ["warning"]
    assert made.advance(2 * S, None) == []


def flash(made: CabinetRules, begin_s: float, end_s: float, every_s: float) -> None:
    at_s = begin_s
    while at_s < end_s:
        made.flash(round(at_s * S))
        at_s += every_s


LIT: frozenset[Part] = frozenset({"aed", "light"})


def test_a_light_that_flashes_is_well_and_one_that_stays_on_or_dark_is_not() -> None:
    made = rules(LIT, light_period_ns=5 * S)
    assert last(made, 0).reasons[-1] == "light: not seen yet"
    flash(made, 1, 61, 5)
    assert last(made, 61 * S).level == "ok"
    [dark] = made.advance(56 * S + 15 * S, TODAY)
    assert (dark.level, dark.reasons[-1]) == ("warning", "light: does not flash every 5 s")


def test_a_light_in_another_rhythm_is_not_well() -> None:
    made = rules(LIT, light_period_ns=5 * S)
    flash(made, 1, 61, 1)
    assert last(made, 61 * S).level == "warning"


def test_no_light_is_looked_for_while_the_aed_is_away() -> None:
    made = rules(LIT)
    made.contact(S, "aed", closed=False)
    assert all(not reason.startswith("light") for reason in last(made, MINUTE).reasons)


def test_a_contact_is_believed_at_once_and_its_bouncing_is_not() -> None:
    contact = Contact()
    for t_ns, closed in [(0, True), (S, False), (S + 1, True), (S + 2, False), (S + 3, True)]:
        contact.feed(t_ns, closed)
    assert (contact.closed, contact.since_ns) == (False, S)
    contact.advance(S + SETTLE_NS - 1)
    assert contact.closed is False
    contact.advance(S + SETTLE_NS)
    assert (contact.closed, contact.since_ns) == (True, S + SETTLE_NS)


def test_a_contact_that_chatters_is_unknown_until_it_rests() -> None:
    made = rules(ALL - {"temperature"})
    made.advance(0, TODAY)
    for index in range(1, CHATTER_CHANGES + 1):
        made.contact(index * S, "mains", closed=index % 2 == 0)
    told = made.advance((CHATTER_CHANGES + 1) * S, TODAY)
    assert (told[-1].mains, told[-1].level) == ("unknown", "unknown")
    assert told[-1].reasons[0] == "mains: its contact chatters"
    [rested] = [status for status in made.advance(2 * MINUTE, TODAY) if status.changed]
    assert (rested.t_ns, rested.mains, rested.level) == (S + MINUTE, "on", "ok")


inputs = st.lists(
    st.tuples(
        st.integers(0, 20 * 60),
        st.sampled_from(["door", "aed", "mains", "temperature", "flash", "look"]),
        st.booleans(),
        st.floats(-20, 60),
    ),
    max_size=40,
)


@given(st.sets(st.sampled_from(["door", "aed", "mains", "temperature", "light"]), min_size=1), inputs)
def test_ok_is_only_said_of_what_is_known_and_well(fitted: set[Part], given_: list[tuple[Any, ...]]) -> None:
    made = CabinetRules(CabinetSettings(frozenset(fitted)), 0)
    told = []
    for at_s, what, closed, celsius in sorted(given_):
        match what:
            case "temperature":
                made.temperature(at_s * S, celsius)
            case "flash":
                made.flash(at_s * S)
            case "look":
                told += made.advance(at_s * S, TODAY)
            case _:
                made.contact(at_s * S, what, closed=closed)
    told += made.advance(21 * MINUTE, TODAY)
    assert told
    assert [status.t_ns for status in told] == sorted(status.t_ns for status in told)
    for status in told:
        fields = {"seq": 1, "t_ns": status.t_ns, "clock": "synced", "sensor": "c", "hub": "h", "kind": "cabinet"}
        event_adapter.validate_python({**fields, **status.fields()})
        if status.level == "ok":
            assert status.aed == "present"
            assert status.door != "unknown" or "door" not in fitted
            assert status.mains == ("on" if "mains" in fitted else "unknown")
            assert status.temperature_c is None or 0 <= status.temperature_c <= 50
            assert (status.temperature_c is not None) == ("temperature" in fitted)


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("seed", range(3))
def test_a_scripted_day_has_the_levels_it_should(script: Script, seed: int) -> None:
    day = cabinet_day(script, seed)
    made = CabinetRules(CabinetSettings(ALL), 0)
    told = []
    for given_ in day.inputs:
        t_ns = round(given_.at_s * S)
        if given_.part != "temperature":
            made.contact(t_ns, given_.part, closed=bool(given_.value))
        elif given_.value is not None:
            made.temperature(t_ns, given_.value)
        told += made.advance(t_ns, TODAY)
    told += made.advance(DAY_S * S, TODAY)
    assert max(b.t_ns - a.t_ns for a, b in pairwise(told)) <= 6 * MINUTE
    at = 0
    for second in range(60, DAY_S, 20):
        while at + 1 < len(told) and told[at + 1].t_ns <= second * S:
            at += 1
        assert told[at].level == day.level(second), f"{script} at {second} s: {told[at]}"


def test_levels_rise_from_ok_to_critical() -> None:
    assert LEVELS == ("ok", "warning", "unknown", "critical")


# Live
