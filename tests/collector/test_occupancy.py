"""People inside: empty when the building must be, never fewer than none, unknown where a door is not watched."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.occupancy import Hours, Learned, Move, Occupancy
from collector.occupancy import estimate as estimate_module
from collector.occupancy.moves import Moves
from firmware_cfg.schema import WEEKDAYS, Hub

MINUTE = 60 * 10**9
HOUR = 60 * MINUTE
HOURS = {day: ["09:00-18:00"] for day in ("mon", "tue", "wed", "thu", "fri")} | {"sat": ["09:00-12:00"]}


def hub(hours: dict[str, list[str]] | None = None, doors: int = 1) -> Hub:
    names = ["front", "back"][:doors]
    return Hub.model_validate(
        {
            "id": "north",
            "name": "North",
            "type": "local",
            "hours": HOURS if hours is None else hours,
            "entrances": [{"id": name, "name": name.capitalize(), "counting": f"{name}-beams"} for name in names],
        }
    )


def at(text: str) -> int:
    """Nanoseconds of a London time in 2026, as `09-21 15:00`; that 21 September is a Monday."""
    return int(datetime.fromisoformat(f"2026-{text}").replace(tzinfo=hub().zone).timestamp()) * 10**9


def move(t_ns: int, in_: float = 0, out: float = 0, door: int = 0, seq: int = 0) -> Move:
    return Move(t_ns, "e", seq or t_ns // MINUTE, door, in_, out)


def watched(occupancy: Occupancy, since: str, until: str, *doors: int) -> None:
    for door in doors or (0,):
        occupancy.watch(door, at(since), at(until))


def test_a_building_is_known_to_be_empty_well_after_closing_and_well_before_opening() -> None:
    (night, *_) = Hours(hub()).closed(at("09-21 18:30"), at("09-21 23:00"))
    assert (night.start_ns, night.sure_ns, night.end_ns) == (at("09-21 20:00"), at("09-22 01:30"), at("09-22 07:00"))
    last = Hours(hub()).last_closed(at("09-21 10:00"))
    assert last is not None
    assert (last.start_ns, last.sure_ns, last.end_ns) == (at("09-19 14:00"), at("09-19 20:00"), at("09-21 07:00"))


def test_a_lunch_break_does_not_empty_it_and_a_night_with_a_clock_change_does() -> None:
    hours = Hours(hub({day: ["09:00-12:00", "13:00-18:00"] for day in WEEKDAYS}))
    assert hours.closed(at("09-21 08:00"), at("09-21 17:00")) == []
    (night,) = hours.closed(at("10-24 20:30"), at("10-25 06:00"))
    assert (night.end_ns - night.start_ns) == 12 * HOUR  # the clocks go back


def test_opening_past_midnight_is_one_stretch() -> None:
    hours = Hours(hub({day: ["00:00-02:00", "18:00-24:00"] for day in WEEKDAYS}))
    assert hours.closed(at("09-21 19:00"), at("09-22 01:00")) == []
    assert hours.is_open(at("09-21 23:59"))
    assert hours.is_open(at("09-22 00:00"))


@pytest.mark.parametrize("hours", [{day: ["00:00-24:00"] for day in WEEKDAYS}])
def test_a_building_that_never_closes_is_never_known_as_empty(hours: dict[str, list[str]]) -> None:
    occupancy = Occupancy(hub(hours))
    occupancy.take(move(at("09-21 10:00"), in_=1))
    found = occupancy.estimate(at("09-21 10:01"), {})
    assert (found.value, found.reason) == (
        None,
        "the building is never closed for long enough to be known as empty",
    )


def test_who_works_late_is_inside_until_seen_to_leave() -> None:
    occupancy = Occupancy(hub())
    occupancy.take(move(at("09-21 17:00"), in_=2))
    occupancy.take(move(at("09-21 20:10"), out=1))
    watched(occupancy, "09-21 07:00", "09-21 23:59")
    found = occupancy.estimate(at("09-21 19:59"), {})
    assert (found.low, found.high) == (0, 2)
    assert occupancy.estimate(at("09-21 20:39"), {}).value == 1
    found = occupancy.estimate(at("09-21 20:45"), {})
    assert (found.low, found.value, found.high) == (0, 0, 0)


def test_a_party_after_hours_is_not_taken_for_an_empty_house_before_it_must_be() -> None:
    occupancy = Occupancy(hub())
    occupancy.take(move(at("09-21 19:50"), in_=30))
    watched(occupancy, "09-21 07:00", "09-22 09:00")
    found = occupancy.estimate(at("09-21 21:00"), {})
    assert found.value is not None
    assert found.value > 20
    assert occupancy.estimate(at("09-22 01:31"), {}).value == 0


def test_who_comes_before_opening_is_not_taken_away_again() -> None:
    occupancy = Occupancy(hub())
    occupancy.take(move(at("09-22 08:00"), in_=3))
    watched(occupancy, "09-21 07:00", "09-22 09:00")
    assert occupancy.estimate(at("09-22 08:59"), {}).value == 3


@pytest.mark.parametrize("door", [0, 1])
def test_a_dead_sensor_makes_it_unknown_not_zero(door: int) -> None:
    occupancy = Occupancy(hub(doors=2))
    occupancy.take(move(at("09-21 10:00"), in_=5))
    watched(occupancy, "09-21 07:00", "09-21 12:00", 0, 1)
    found = occupancy.estimate(at("09-21 12:01"), {door: "its unit is offline"})
    assert (found.value, found.low, found.high) == (None, None, None)
    assert found.reason == f"{['Front', 'Back'][door]}: its unit is offline"
    assert occupancy.estimate(at("09-21 12:01"), {}).value == 5


def test_a_silent_sensor_makes_it_unknown_and_so_does_a_long_gap_until_the_night() -> None:
    occupancy = Occupancy(hub())
    assert occupancy.estimate(at("09-21 12:00"), {}).reason == "Front: nothing heard yet"
    occupancy.take(move(at("09-21 10:00"), in_=5))
    watched(occupancy, "09-21 07:00", "09-21 11:00")
    assert occupancy.estimate(at("09-21 11:30"), {}).reason == "Front: nothing heard for 30 min"
    watched(occupancy, "09-21 12:00", "09-21 15:00")
    assert occupancy.estimate(at("09-21 15:00"), {}).reason == (
        "Front: not counted for 59 min since the building was empty"
    )
    watched(occupancy, "09-21 15:00", "09-22 10:00")
    assert occupancy.estimate(at("09-22 10:00"), {}).value == 0


def test_a_short_gap_widens_the_interval() -> None:
    spans = []
    for gap in (0, 10):
        occupancy = Occupancy(hub())
        occupancy.take(move(at("09-21 10:00"), in_=20))
        watched(occupancy, "09-21 07:00", "09-21 11:00")
        occupancy.watch(0, at("09-21 11:00") + gap * MINUTE, at("09-21 12:00"))
        found = occupancy.estimate(at("09-21 12:00"), {})
        assert found.low is not None
        assert found.high is not None
        spans.append(found.high - found.low)
    assert spans[0] < spans[1]


MOVES = st.lists(
    st.tuples(st.integers(0, 3 * 24 * 60), st.integers(0, 1), st.integers(0, 3), st.integers(0, 3)),
    min_size=1,
    max_size=40,
    unique_by=lambda each: each[0],
)


def told(moves: Sequence[Move], asked: Sequence[int] = ()) -> list[object]:
    """The estimates of three days, each six hours, after these moves in this order, and questions in between."""
    occupancy = Occupancy(hub(doors=2))
    start = at("09-21 07:00")
    occupancy.estimate(start, {})
    for door in range(2):
        occupancy.watch(door, start, start + 3 * 24 * HOUR)
    for number, each in enumerate(moves):
        occupancy.take(each)
        if number in asked:
            occupancy.estimate(start + 3 * 24 * HOUR, {})
    return [occupancy.estimate(start + 3 * 24 * HOUR + hours * HOUR, dict.fromkeys((), "")) for hours in (0, 2)]


@settings(max_examples=60, deadline=None)
@given(MOVES, st.data())
def test_the_order_of_arrival_repetitions_and_questions_do_not_matter(
    found: list[tuple[int, int, int, int]], data: st.DataObject
) -> None:
    start = at("09-21 07:00")
    moves = [
        move(start + minute * MINUTE, in_, out, door, seq) for seq, (minute, door, in_, out) in enumerate(found, 1)
    ]
    shuffled = data.draw(st.permutations(moves)) + data.draw(st.lists(st.sampled_from(moves), max_size=5))
    asked = data.draw(st.lists(st.integers(0, len(shuffled))))
    expected = told(sorted(moves))
    assert told(shuffled, asked) == expected
    for each in expected:
        assert isinstance(each, estimate_module.Estimate)
        if each.value is not None and each.low is not None and each.high is not None:
            assert 0 <= each.low <= each.value <= each.high


def test_what_each_way_of_a_door_misses_is_learned_from_days_that_must_balance() -> None:
    learned = Learned(1)
    for _ in range(20):
        learned.balance([300.0, -270.0], 0.0)
    entering, leaving = learned.weights
    assert entering / leaving == pytest.approx(0.9, abs=0.015)
    assert abs(learned.inside([300.0, -270.0])) < 3
    assert learned.balances == 20


def test_one_day_that_cannot_be_believed_teaches_nothing() -> None:
    learned = Learned(1)
    for _ in range(20):
        learned.balance([300.0, -295.0], 0.0)
    before = learned.weights[:]
    learned.balance([300.0, -100.0], 0.0)
    assert learned.weights == before


def test_moves_are_bounded_and_the_number_stays_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate_module, "MOVES_MAX", 600)
    occupancy = Occupancy(hub())
    watched(occupancy, "09-21 07:00", "09-21 18:00")
    start = at("09-21 10:00")
    for number in range(4_000):
        occupancy.take(move(start + number * 10**9, in_=number % 2, out=(number + 1) % 2, seq=number + 1))
    assert len(occupancy._moves) < 600 + 2 * 512
    found = occupancy.estimate(start + 4_000 * 10**9, {})
    assert found.low is not None
    assert found.low <= 2


NAMED = st.tuples(st.integers(0, 5), st.sampled_from(("aa", "bb")), st.integers(1, 3))


@given(st.lists(NAMED), st.integers(0, 6), st.integers(0, 20))
def test_moves_are_kept_in_order_and_once(named: list[tuple[int, str, int]], before_ns: int, dropped: int) -> None:
    moves = Moves()
    known: list[Move] = []
    for number, name in enumerate(named):
        each = Move(*name, number % 2, 1.0, number / 3, 0.25)
        at = moves.add(each)
        if any(move[:3] == name for move in known):
            assert at is None
        else:
            known = sorted([*known, each])
            assert at == known.index(each)
    assert list(moves.walk(0, len(moves))) == known
    assert list(moves.walk(1, 3)) == known[1:3]
    assert moves.before(before_ns) == sum(move.t_ns < before_ns for move in known)
    assert moves.last_ns == max((move.t_ns for move in known), default=0)
    moves.drop(dropped)
    assert list(moves.walk(0, len(moves))) == known[dropped:]


def test_what_was_watched_is_bounded_where_nobody_comes() -> None:
    occupancy = Occupancy(hub())
    for day in range(60):
        for hour in range(0, 24, 6):
            until_ns = at("09-21 07:00") + (day * 24 + hour) * HOUR
            occupancy.watch(0, until_ns - 6 * HOUR, until_ns)
    assert len(occupancy._watched._bits[0]) <= 17 * 96
    assert occupancy.estimate(until_ns, {}).value == 0
