"""What a door says about its beams, on both builds: each fault once when it comes and once when it goes."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.counting import DoorSettings, Fault, Passage, SnapshotError
from simulators.people import BeamEdge, simulate
from simulators.people.hub import DAY_S, Failure, hub_days

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType

MS = 1_000_000
S = 1_000_000_000
HOUR = 3600 * S

Stream = list[tuple[int, int, int]]
Found = list[Passage | Fault]

BOTH, OUTER_ONLY, INNER_ONLY = "both", "outer", "inner"


def walk(t_ns: int, who: str = BOTH, inward: bool = True, width_ns: int = 230 * MS, inner_more_ns: int = 0) -> Stream:
    """Somebody who walks through, as both beams see it, or one of them alone."""
    lag_ns = 90 * MS if inward else -90 * MS
    edges = []
    if who != INNER_ONLY:
        edges += [(t_ns, 0, 1), (t_ns + width_ns, 0, 0)]
    if who != OUTER_ONLY:
        edges += [(t_ns + lag_ns, 1, 1), (t_ns + lag_ns + width_ns + inner_more_ns, 1, 0)]
    return sorted(edges)


def walks(count: int, start_ns: int = 10 * S, **how: object) -> Stream:
    """One each ten seconds, in and out in turn."""
    return [
        edge
        for at in range(count)
        for edge in walk(start_ns + at * 10 * S, inward=at % 2 == 0, **how)  # type: ignore[arg-type]  # as `walk` has them
    ]


def count(core: ModuleType, edges: Iterable[tuple[int, int, int]], levels: tuple[int, int] = (0, 0)) -> Found:
    door = core.Door(DoorSettings(0.12), levels)
    found: Found = []
    for edge in edges:
        found += door.feed(*edge)
    return found + door.finish()


def told(found: Found) -> list[tuple[str, str | None, bool]]:
    return [(item.kind, item.line, item.active) for item in found if isinstance(item, Fault) and lasts(item)]


def lasts(fault: Fault) -> bool:
    return fault.kind != "repeated_level"


def ways(found: Found) -> list[str]:
    return [item.direction for item in found if isinstance(item, Passage)]


@pytest.mark.parametrize("line", [0, 1])
def test_blocked_for_over_a_minute_and_its_end(core: ModuleType, line: int) -> None:
    name = ("outer", "inner")[line]
    found = count(core, [(5 * S, line, 1), (65 * S + 1, line, 0)])
    assert [item for item in found if isinstance(item, Fault)] == [
        Fault(65 * S, "beam_blocked", name, True, "blocked for over 60 s"),
        Fault(65 * S + 1, "beam_blocked", name, False, "clear again after 60 s"),
    ]
    assert count(core, [(5 * S, line, 1), (65 * S - 1, line, 0)]) == []


def test_blocked_is_told_when_the_minute_is_over_and_not_with_the_next_edge(core: ModuleType) -> None:
    door = core.Door()
    door.feed(5 * S, 0, 1)
    assert door.advance(65 * S) == []
    assert told(door.advance(door.wake_ns)) == [("beam_blocked", "outer", True)]
    assert door.advance(10 * HOUR) == []


def test_blocked_from_the_start(core: ModuleType) -> None:
    door = core.Door(DoorSettings(0.12), (0, 1), 7 * S)
    assert door.wake_ns == 67 * S + 8 * MS
    assert told(door.advance(70 * S)) == [("beam_blocked", "inner", True)]
    assert told([*door.feed(100 * S, 1, 0), *door.finish()]) == [("beam_blocked", "inner", False)]


@pytest.mark.parametrize(("dead", "living"), [("inner", OUTER_ONLY), ("outer", INNER_ONLY)])
def test_a_dead_beam_is_told_and_the_other_counts_without_direction(core: ModuleType, dead: str, living: str) -> None:
    well, ill = walks(20), walks(40, 300 * S, who=living)
    mended = walks(10, 800 * S)
    found = count(core, well + ill + mended)
    assert told(found) == [("beam_dead", dead, True), ("beam_dead", dead, False)]
    (begin, end) = (item for item in found if isinstance(item, Fault))
    assert "none of the last 14" in begin.detail
    assert ways(found) == ["in", "out"] * 10 + ["unknown"] * 29 + ["out"] + ["in", "out"] * 3
    unknown = [item for item in found if isinstance(item, Passage) and item.direction == "unknown"]
    assert all(begin.t_ns <= item.t_ns <= end.t_ns for item in unknown)
    assert {(item.persons, item.confidence, item.speed_m_s) for item in unknown} == {(1, 0.5, None)}


@pytest.mark.parametrize(
    ("name", "separation_m"), [("turn-backs", 0.12), ("turn-backs", 0.6), ("glitch-night", 0.12), ("chatter", 0.12)]
)
def test_who_turns_back_and_what_glitches_is_no_fault(core: ModuleType, name: str, separation_m: float) -> None:
    door = core.Door(DoorSettings(separation_m))
    found: Found = []
    for event in simulate(name, 1, 6.0, separation_m):
        if isinstance(event, BeamEdge):
            found += door.feed(*event)
    assert told(found + door.finish()) == []


def test_somebody_who_plays_at_one_beam_does_not_kill_the_other(core: ModuleType) -> None:
    """A hand that is held into one beam for long, again and again, with short touches between."""
    play = [
        edge
        for at in range(200)
        for edge in walk(10 * S + at * 10 * S, OUTER_ONLY, width_ns=(2500 if at % 3 == 0 else 300) * MS)
    ]
    assert told(count(core, play)) == []


def test_a_beam_blocked_for_an_hour_leaves_the_other_to_count_without_direction(core: ModuleType) -> None:
    well, stuck, mended = walks(4), (100 * S, 1, 1), (3 * HOUR, 1, 0)
    early = walks(10, 200 * S, who=OUTER_ONLY)
    late = walks(10, 2 * HOUR, who=OUTER_ONLY)
    found = count(core, [*well, stuck, *early, *late, mended, *walks(4, 3 * HOUR + 20 * S)])
    assert told(found) == [("beam_blocked", "inner", True), ("beam_blocked", "inner", False)]
    assert ways(found) == ["in", "out"] * 2 + ["unknown"] * 10 + ["in", "out"] * 2


@pytest.mark.parametrize(("more_ms", "line"), [(80, "inner"), (-80, "outer")])
def test_a_beam_out_of_line(core: ModuleType, more_ms: int, line: str) -> None:
    well = walks(300, width_ns=300 * MS)
    found = count(
        core, [*well, *walks(60, 4000 * S, width_ns=300 * MS, inner_more_ns=more_ms * MS), *walks(100, HOUR + 2000 * S)]
    )
    assert told(found) == [("beam_misaligned", line, True), ("beam_misaligned", line, False)]
    (begin, _) = (item for item in found if isinstance(item, Fault))
    assert begin.detail.startswith("10 of the last 10 bodies were over 18 % longer in it than usual")


def test_beams_that_always_differed_a_little_are_in_line(core: ModuleType) -> None:
    assert told(count(core, walks(600, inner_more_ns=50 * MS))) == []


def bouncing(edges: Stream, line: int, times: int) -> Stream:
    """Each edge of a line with so many bounces, half a millisecond apart."""
    out = []
    for t_ns, which, level in edges:
        out.append((t_ns, which, level))
        bounces = range(2 * times if which == line else 0)
        out += [(t_ns + (at + 1) * MS // 2, which, level ^ (at % 2 == 0)) for at in bounces]
    return sorted(out)


@pytest.mark.parametrize(("usual", "now", "is_fault"), [(0, 1, True), (1, 2, False), (1, 4, True), (2, 8, True)])
def test_chatter_above_the_doors_own(core: ModuleType, usual: int, now: int, is_fault: bool) -> None:
    before, after = walks(400), walks(300, 5000 * S)
    edges = bouncing(before, 1, usual) + bouncing(after, 1, now) + bouncing(walks(600, 9000 * S), 1, usual)
    expected = [("beam_chatters", "inner", True), ("beam_chatters", "inner", False)] if is_fault else []
    assert told(count(core, edges)) == expected


def test_chatter_above_any_limit_from_the_first_day(core: ModuleType) -> None:
    assert told(count(core, bouncing(walks(200), 0, 7))) == [("beam_chatters", "outer", True)]


def test_losing_edges(core: ModuleType) -> None:
    edges = walks(2600)
    lossy = [edge for at, edge in enumerate(edges) if not (400 < at < 1200 and at % 53 == 0)]
    found = count(core, lossy)
    assert sorted(each for each in told(found) if each[0] == "losing_edges") == [
        ("losing_edges", line, active) for line in ("inner", "outer") for active in (False, True)
    ]
    first = next(item for item in found if isinstance(item, Fault) and item.kind == "losing_edges")
    assert first.count >= 5
    assert first.detail.startswith(f"{first.count} missing among some")


def test_a_few_lost_edges_a_day_are_no_fault(core: ModuleType) -> None:
    found = count(core, [edge for at, edge in enumerate(walks(2000)) if at % 1999])
    assert {kind for kind, _, _ in told(found)} <= {"beam_blocked"}


def a_day(day: int, inward_first: bool, people: int = 40) -> Stream:
    """All come in the morning and leave in the evening, or the other way round."""
    edges: Stream = []
    for half, inward in ((0, inward_first), (1, not inward_first)):
        for at in range(people):
            edges += walk((24 * day + 9 + 3 * half) * HOUR + at * 60 * S, inward=inward)
    return edges


def test_swapped_beams_are_told_on_the_third_morning(core: ModuleType) -> None:
    swapped = [edge for day in range(4) for edge in a_day(day, inward_first=False)]
    found = count(core, swapped)
    assert told(found) == [("beams_swapped", None, True)]
    (fault,) = (item for item in found if isinstance(item, Fault))
    assert fault.t_ns // HOUR == 2 * 24 + 9
    assert fault.detail == "on 2 of the last 2 days people went out before they came in"
    right = [edge for day in range(4, 10) for edge in a_day(day, inward_first=True)]
    assert told(count(core, swapped + right)) == [("beams_swapped", None, True), ("beams_swapped", None, False)]
    assert told(count(core, right)) == []


def test_a_door_that_only_lets_people_out_or_has_no_nights_says_nothing_of_swapped_beams(core: ModuleType) -> None:
    one_way = [edge for at in range(300) for edge in walk(at * 20 * 60 * S + S, inward=False)]
    assert told(count(core, one_way)) == []
    no_nights = [edge for at in range(1500) for edge in walk(at * 600 * S + S, inward=at % 90 >= 45)]
    assert told(count(core, no_nights)) == []


def edges_of(days: int, seed: int, failure: Failure) -> Iterator[tuple[int, int, int]]:
    return (tuple(event) for event in hub_days(days, seed, 0.12, failure) if isinstance(event, BeamEdge))  # type: ignore[misc]  # of three


def test_a_healthy_hub_has_no_fault_but_loiterers(core: ModuleType) -> None:
    from simulators.people.hub import NONE  # noqa: PLC0415 - its name says nothing elsewhere

    assert {kind for kind, _, _ in told(count(core, edges_of(2, 3, NONE)))} <= {"beam_blocked"}


# Any edges at all: a fault comes and goes in turn, and state carried over changes nothing.


@st.composite
def traffic(draw: st.DrawFn) -> Stream:
    """Runs of people past beams in every condition, with some edges missing."""
    edges: Stream = []
    t_ns = 10 * S
    for who, people, gap_ns, more_ms, bounces, lost in draw(
        st.lists(
            st.tuples(
                st.sampled_from([BOTH, OUTER_ONLY, INNER_ONLY]),
                st.integers(1, 60),
                st.sampled_from([300 * MS, 2 * S, 70 * S, 5 * HOUR]),
                st.sampled_from([-80, 0, 80]),
                st.sampled_from([0, 0, 9]),
                st.sampled_from([0, 0, 7]),
            ),
            min_size=1,
            max_size=8,
        )
    ):
        run: Stream = []
        for at in range(people):
            run += walk(t_ns, who, at % 2 == 0, 300 * MS, more_ms * MS)
            t_ns += 500 * MS + gap_ns
        run = bouncing(sorted(run), 1, bounces)
        edges += [edge for at, edge in enumerate(run) if not lost or at % lost]
        t_ns += S
    return edges


@given(traffic(), st.data())
@settings(max_examples=12, deadline=None)
def test_faults_come_and_go_in_turn_and_carry_over(core: ModuleType, edges: Stream, data: st.DataObject) -> None:
    whole = count(core, edges)
    standing: set[tuple[str, str | None]] = set()
    for kind, line, active in told(whole):
        assert ((kind, line) in standing) != active
        standing ^= {(kind, line)}
    cut = data.draw(st.integers(0, len(edges)))
    first = core.Door(DoorSettings(0.12))
    found: Found = []
    for edge in edges[:cut]:
        found += first.feed(*edge)
    second = core.Door.restore(json.loads(json.dumps(first.snapshot())))
    assert len(json.dumps(second.snapshot()["health"])) < 1500
    for edge in edges[cut:]:
        found += second.advance(data.draw(st.sampled_from([0, second.now_ns, edge[0]])))
        found += second.feed(*edge)
    assert found + second.finish() == whole


@given(traffic())
@settings(max_examples=12, deadline=None)
def test_swapping_the_lines_mirrors_the_faults(core: ModuleType, edges: Stream) -> None:
    other = {"outer": "inner", "inner": "outer", None: None}
    mirrored = count(core, sorted((t_ns, 1 - line, level) for t_ns, line, level in edges))
    expected = [
        (kind, other[line], active) for kind, line, active in told(count(core, edges)) if kind != "beams_swapped"
    ]
    assert sorted(map(repr, (each for each in told(mirrored) if each[0] != "beams_swapped"))) == sorted(
        map(repr, expected)
    )


@given(traffic())
@settings(max_examples=8, deadline=None)
def test_both_builds_say_the_same(core: ModuleType, edges: Stream) -> None:
    from edge.counting import load_pure  # noqa: PLC0415 - the other side of the comparison

    assert count(core, edges) == count(load_pure(), edges)


# Another boot: other times, the same door.


def test_another_boot_knows_what_was_learned_and_what_is_wrong(core: ModuleType) -> None:
    door = core.Door(DoorSettings(0.12))
    for edge in walks(60) + walks(20, 900 * S, who=OUTER_ONLY):
        door.feed(*edge)
    after = core.Door.succeed(door.snapshot(), DoorSettings(0.12), (0, 0), 5 * S)
    assert after.advance(0) == []
    learned, before = after.window.habits.snapshot(), door.window.habits.snapshot()
    assert learned.pop("recent_ns") == 5 * S  # who came of late goes by the new clock
    assert before.pop("recent_ns") > 5 * S
    assert learned == before
    assert after.snapshot()["window"]["waiting"] == [0, 0]
    found: Found = []
    for edge in walks(3, 10 * S, who=OUTER_ONLY) + walks(8, 60 * S):
        found += after.feed(*edge)
    found += after.finish()
    assert ways(found)[:3] == ["unknown"] * 3
    assert told(found) == [("beam_dead", "inner", False)]


def test_another_boot_ends_what_is_over_and_keeps_what_is_not(core: ModuleType) -> None:
    door = core.Door(DoorSettings(0.12))
    door.feed(S, 0, 1)
    assert told(door.advance(100 * S)) == [("beam_blocked", "outer", True)]
    clear = core.Door.succeed(door.snapshot(), DoorSettings(0.12), (0, 0), 5 * S)
    assert told(clear.advance(0)) == [("beam_blocked", "outer", False)]
    still = core.Door.succeed(door.snapshot(), DoorSettings(0.12), (1, 0), 5 * S)
    assert still.advance(200 * S) == []
    assert told([*still.feed(300 * S, 0, 0), *still.finish()]) == [("beam_blocked", "outer", False)]


def test_other_settings_forget_the_people_and_keep_the_faults(core: ModuleType) -> None:
    door = core.Door(DoorSettings(0.12))
    for edge in walks(60):
        door.feed(*edge)
    after = core.Door.succeed(door.snapshot(), DoorSettings(0.3), (0, 0), 0)
    assert after.settings == DoorSettings(0.3)
    assert after.window.habits.snapshot() == core.Door(DoorSettings(0.3)).window.habits.snapshot()
    with pytest.raises(SnapshotError):
        core.Door.succeed({"version": 2}, DoorSettings(0.3), (0, 0), 0)


def test_days_go_on_over_restarts(core: ModuleType) -> None:
    """A unit that is restarted at each noon still learns that its beams are swapped."""
    door = core.Door(DoorSettings(0.12))
    found: Found = []
    for day in range(4):
        morning, evening = (a_day(day, inward_first=False)[at : at + 160] for at in (0, 160))
        for edge in morning:
            found += door.feed(*edge)
        door = core.Door.succeed(door.snapshot(), DoorSettings(0.12), (0, 0), evening[0][0] - HOUR)
        for edge in evening:
            found += door.feed(*edge)
    assert told(found) == [("beams_swapped", None, True)]


def test_hub_days_are_in_order_and_in_balance() -> None:
    from simulators.people.hub import NONE  # noqa: PLC0415 - its name says nothing elsewhere

    events = list(hub_days(2, 5, 0.12, NONE))
    edges = [event for event in events if isinstance(event, BeamEdge)]
    assert all(before.t_ns <= after.t_ns for before, after in pairwise(edges))
    crossings = [event for event in events if not isinstance(event, BeamEdge)]
    for day in range(2):
        today = [event for event in crossings if event.t_ns // round(DAY_S * S) == day]
        inside = sum(event.persons if event.direction == "in" else -event.persons for event in today)
        assert 260 < len(today) < 2000
        assert inside == 0
