"""The oracle, and the causes of the core's errors, at doors whose answer is known by hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from simulators.causes import CAUSES, cause
from simulators.causes import judge as judge_causes
from simulators.oracle import BODIES_MAX, Law, Seen, episodes, faces, informed, part
from simulators.people import Body, Waypoint, meetings
from simulators.score import INFORMED, Outcome, Task, judge, table

APART_M = 0.08
WINDOW_NS = 300 * 10**9
ROOT = Path(__file__).parents[2]


def walker(
    at_s: float, speed_m_s: float = 1.0, depth_m: float = 0.30, *, inward: bool = True, persons: int = 1
) -> Body:
    """Evenly past the middle of the door at a time."""
    there = APART_M / 2
    sign = 1.0 if inward else -1.0
    way = (Waypoint(at_s - 1.0, there - sign * speed_m_s), Waypoint(at_s + 1.0, there + sign * speed_m_s))
    return Body(way, depth_m, persons)


def turner(at_s: float) -> Body:
    return Body((Waypoint(at_s - 1.0, -1.0), Waypoint(at_s, 0.0), Waypoint(at_s + 1.0, -1.0)), 0.30)


def together(*bodies: Body) -> list[Seen]:
    (episode,) = episodes(list(bodies), APART_M)
    return episode


def told(law: Law, *doors: list[Body]) -> dict[str, int]:
    """In the first window."""
    return {way: persons for t_ns, way, persons in informed(doors, law, APART_M, WINDOW_NS) if t_ns == 0}


LONG_AND_SLOW = walker(10.0, speed_m_s=0.6, depth_m=0.40)
SHORT_AND_FAST = walker(10.0, speed_m_s=1.6, depth_m=0.25, inward=False)


def test_who_blocks_no_beam_meanwhile_is_of_another_episode() -> None:
    bodies = [walker(12.0), walker(10.0), walker(10.2), Body((Waypoint(0.0, -2.0), Waypoint(9.0, -1.0)), 0.3)]
    assert [len(episode) for episode in episodes(bodies, APART_M)] == [2, 1]


def test_who_moves_no_edge_is_hidden() -> None:
    seen, hidden = part(together(LONG_AND_SLOW, SHORT_AND_FAST))
    assert ([one.body for one in seen], [one.body for one in hidden]) == ([LONG_AND_SLOW], [SHORT_AND_FAST])
    assert part(together(walker(10.0), walker(10.1)))[1] == []


def test_of_two_exactly_abreast_one_is_seen() -> None:
    seen, hidden = part(together(walker(10.0), walker(10.0)))
    assert (len(seen), len(hidden)) == (1, 1)


@pytest.mark.parametrize("inward", [True, False])
def test_who_walks_alone_is_told(inward: bool) -> None:
    assert told(Law(), [walker(10.0, inward=inward)]) == {"in": int(inward), "out": int(not inward)}


def test_two_apart_are_told_and_who_turns_is_not() -> None:
    assert told(Law(), [walker(10.0), walker(12.0, inward=False), turner(20.0)]) == {"in": 1, "out": 1}


def test_two_who_meet_are_told_where_each_has_two_edges_of_a_beam() -> None:
    assert faces(together(walker(10.0), walker(10.25, inward=False))) == {(1, 1)}
    assert faces(together(walker(10.0), walker(10.25))) == {(2, 0)}


def test_the_way_of_who_has_but_one_edge_is_open() -> None:
    """A fast one's last edge is all that is seen of them: as it would be had they gone the other way."""
    open_ways = faces(together(walker(10.0, 0.6, 0.40), walker(10.2, 1.6, 0.25, inward=False)))
    assert open_ways == {(1, 1), (2, 0)}
    law = Law()
    assert law.seen(open_ways) == {(1, 1): 0.5, (2, 0): 0.5}
    for _ in range(8):
        law.learn(together(walker(10.0, 0.6, 0.40, inward=False), walker(10.2, 1.6, 0.25)), [], APART_M)
    assert law.seen(open_ways) == {(1, 1): 0.9, (2, 0): 0.1}


def test_of_many_together_the_ways_are_told() -> None:
    crowd = [walker(10.0 + 0.1 * number, inward=number % 2 == 0) for number in range(BODIES_MAX + 1)]
    assert faces(together(*crowd)) == {(2, 2)}


@pytest.mark.parametrize(("abreast", "persons"), [(40, 1), (80, 2)])
def test_who_cannot_be_seen_is_told_where_usually_somebody_is_there(abreast: int, persons: int) -> None:
    """The edges are the same, so it is told the same of everyone: whatever it does, some are wrong."""
    law, alone, pair = Law(), [walker(10.0)], [walker(10.0), walker(10.0)]
    for number in range(120):
        law.learn(*part(together(*(pair if number < abreast else alone))), APART_M)
    assert told(law, alone)["in"] == told(law, pair)["in"] == persons


def test_of_a_window_as_many_are_told_as_are_expected() -> None:
    """One in four hides another: of eight, two do, whichever they are."""
    law = Law()
    for number in range(200):
        bodies = [walker(10.0)] * (1 + (number % 4 == 0))
        law.learn(*part(together(*bodies)), APART_M)
    assert told(law, *([walker(10.0 + 5.0 * number)] for number in range(8))) == {"in": 10, "out": 0}


def test_the_oracle_stands_beside_the_core() -> None:
    outcome = judge(Task("followers", 0.12, 1, 0.2, oracle=True))
    assert outcome.errors[INFORMED] <= outcome.errors["foyer"]
    head, _, row = table([outcome])
    assert head.startswith("| scenario | beams apart | foyer | informed | first broken |")
    assert row.count("|") == head.count("|")
    plain = Outcome(outcome.task, 1, {"foyer": 0}, {"foyer": 1})
    assert INFORMED not in next(table([outcome, plain]))


@pytest.mark.parametrize(
    ("bodies", "excess", "name"),
    [
        ([LONG_AND_SLOW, SHORT_AND_FAST], (0, -1), "hidden"),
        ([LONG_AND_SLOW, SHORT_AND_FAST], (-1, 0), "met"),
        ([walker(10.0), turner(10.1)], (-1, 0), "turning"),
        ([walker(10.0)], (-1, 1), "way"),
        ([walker(10.0), walker(10.1)], (-1, 0), "together"),
        ([walker(10.0), walker(10.2, depth_m=0.08, persons=0)], (1, 0), "parts"),
        ([walker(10.0)], (1, 0), "others"),
    ],
)
def test_causes(bodies: list[Body], excess: tuple[int, int], name: str) -> None:
    assert name in CAUSES
    assert cause(together(*bodies), excess) == name


def test_causes_add_up_to_the_errors_of_a_door() -> None:
    """Those of a window cancel, so they are as many at least."""
    task = Task("busy", 0.12, 1, 0.5)
    found, outcome = judge_causes(task), judge(task)
    assert found["crossings"] == outcome.crossings
    assert found.total() - found["crossings"] >= outcome.errors["foyer"] > 0


def test_meetings_are_those_that_are_simulated() -> None:
    crossings = [body.crossing(0.12) for bodies in meetings("busy", 1, 0.2, 0.12) for body in bodies]
    outcome = judge(Task("busy", 0.12, 1, 0.2))
    assert sum(one.persons for one in crossings if one) == outcome.crossings


def test_command_line_of_the_causes() -> None:
    options = ["--causes", "--scenario", "opposite", "--seeds", "1", "--hours", "0.2", "--separation-m", "0.12"]
    done = subprocess.run(
        [sys.executable, "-m", "foyer", "simulate", "score", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == "| scenario | beams apart | " + " | ".join(CAUSES) + " |"
    assert done.stdout.splitlines()[2].startswith("| opposite | 0.12 m | ")
