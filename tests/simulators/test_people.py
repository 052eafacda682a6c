from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.trace import Edge, open_trace
from firmware_cfg.errors import ConfigError
from simulators.people import SCENARIOS, BeamEdge, Body, Crossing, Draw, Waypoint, simulate, walk

ROOT = Path(__file__).parents[2]

every_scenario = pytest.mark.parametrize("scenario", SCENARIOS)
NOBODY = ("glitch-night", "standing")


def simulate_door(*options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "foyer", "simulate", "door", *map(str, options)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@every_scenario
def test_the_same_seed_makes_the_same_people(scenario: str) -> None:
    assert list(simulate(scenario, 7, 0.5)) == list(simulate(scenario, 7, 0.5))
    assert list(simulate(scenario, 7, 0.5)) != list(simulate(scenario, 8, 0.5))


def test_the_same_seed_on_every_machine() -> None:
    """A change of this digest is a change of every simulated recording: say so in its commit."""
    digest = hashlib.sha256()
    for scenario in SCENARIOS:
        for event in simulate(scenario, 1, 1.0):
            digest.update(repr(tuple(event)).encode())
    assert digest.hexdigest() == "8f68aaae2f8487ef1d9b76ac64562651ff9667bf8bc36c48c3b62c7203358f08"


@every_scenario
@pytest.mark.parametrize("separation_m", [0.05, 0.12, 0.6])
def test_edges_are_those_of_two_clear_beams(scenario: str, separation_m: float) -> None:
    events = list(simulate(scenario, 3, 1.0, separation_m))
    edges = [event for event in events if isinstance(event, BeamEdge)]
    assert all(before.t_ns <= after.t_ns for before, after in pairwise(edges))
    for line in (0, 1):
        levels = [edge.level for edge in edges if edge.line == line]
        assert (levels == [1, 0] * (len(levels) // 2)) == (scenario != "lost-edges")
    assert edges[-1].t_ns <= 1.1 * 3600 * 10**9


@pytest.mark.parametrize("scenario", [name for name in SCENARIOS if name not in NOBODY])
def test_people_go_both_ways(scenario: str) -> None:
    persons = {"in": 0, "out": 0}
    for event in simulate(scenario, 5, 8.0):
        if isinstance(event, Crossing):
            persons[event.direction] += event.persons
    assert min(persons.values()) > 0.4 * sum(persons.values())


def test_chatter_is_more_edges_of_the_same_kind_of_people() -> None:
    def edges_per_person(scenario: str) -> float:
        events = list(simulate(scenario, 5, 4.0))
        edges = sum(isinstance(event, BeamEdge) for event in events)
        return edges / (len(events) - edges)

    assert 5.0 < edges_per_person("singles") < 5.4  # three in ten have an arm or a bag apart
    assert edges_per_person("chatter") > 12.0


@pytest.mark.parametrize("scenario", NOBODY)
def test_nobody_passes(scenario: str) -> None:
    events = list(simulate(scenario, 5, 4.0))
    assert len(events) > 100
    assert not any(isinstance(event, Crossing) for event in events)


def test_a_busy_hour() -> None:
    crossings = [event for event in simulate("busy", 5, 1.0) if isinstance(event, Crossing)]
    assert 1400 < sum(event.persons for event in crossings) < 1600


def test_people_abreast_arrive_within_their_stagger() -> None:
    """Half of the parties are pairs; a third of those look like one body."""
    crossings = sorted(event.t_ns for event in simulate("abreast", 5, 8.0) if isinstance(event, Crossing))
    gaps_s = [(after - before) / 1e9 for before, after in pairwise(crossings)]
    together = sum(gap_s < 1.0 for gap_s in gaps_s)
    assert 0.45 < together / (len(crossings) - together) < 0.55
    assert 0.2 < sum(gap_s < 0.07 for gap_s in gaps_s) / together < 0.4


def test_opposite_crossings_overlap() -> None:
    ways = [(event.t_ns, event.direction) for event in simulate("opposite", 5, 4.0) if isinstance(event, Crossing)]
    pairs = list(zip(ways[::2], ways[1::2], strict=True))
    assert all(first[1] != second[1] and abs(first[0] - second[0]) < 700_000_000 for first, second in pairs)


def test_swapped_beams_are_swapped() -> None:
    new, wrong = (
        [event for event in simulate(name, 5, 1.0) if isinstance(event, BeamEdge)]
        for name in ("singles", "swapped-beams")
    )
    assert [edge.line for edge in new] == [1 - edge.line for edge in wrong]


def test_a_stuck_beam_is_blocked_half_the_time() -> None:
    inner = [event for event in simulate("stuck-beam", 5, 1.0) if isinstance(event, BeamEdge) and event.line == 1]
    longest_s = max((fall.t_ns - rise.t_ns) / 1e9 for rise, fall in zip(inner[::2], inner[1::2], strict=True))
    assert longest_s == pytest.approx(1800.0)


def test_half_of_the_turn_backs_cross_nothing() -> None:
    alone = sum(isinstance(event, Crossing) for event in simulate("singles", 5, 4.0))
    turning = sum(isinstance(event, Crossing) for event in simulate("turn-backs", 5, 4.0))
    assert 0.35 * alone < turning < 0.6 * alone


def test_followers_are_close() -> None:
    def close_behind(scenario: str) -> int:
        """How many cross less than 1.5 s after the one before, and the same way."""
        crossings = [event for event in simulate(scenario, 5, 2.0) if isinstance(event, Crossing)]
        return sum(
            after.t_ns - before.t_ns < 1_500_000_000 and after.direction == before.direction
            for before, after in pairwise(crossings)
        )

    assert close_behind("singles") == 0
    assert close_behind("followers") > 100


@given(
    depth_m=st.floats(0.1, 0.6), speed_m_s=st.floats(0.5, 2.5), separation_m=st.floats(0.05, 0.6), inward=st.booleans()
)
def test_a_walkers_pulses(depth_m: float, speed_m_s: float, separation_m: float, inward: bool) -> None:
    """Even speed: both beams are blocked for depth / speed, the second one separation / speed later."""
    far_m = 2.0
    way = (Waypoint(5.0, -far_m), Waypoint(5.0 + (2 * far_m + separation_m) / speed_m_s, far_m + separation_m))
    if not inward:
        way = tuple(Waypoint(t_s, separation_m - x_m) for t_s, x_m in way)  # type: ignore[assignment]  # two of two
    body = Body(way, depth_m)
    (outer,), (inner,) = list(body.blocks(0.0)), list(body.blocks(separation_m))
    for start_s, stop_s in (outer, inner):
        assert stop_s - start_s == pytest.approx(depth_m / speed_m_s)
    lag_s = separation_m / speed_m_s * (1 if inward else -1)
    assert inner[0] - outer[0] == pytest.approx(lag_s)
    crossing = body.crossing(separation_m)
    assert crossing is not None
    assert crossing.direction == ("in" if inward else "out")
    assert crossing.t_ns / 1e9 == pytest.approx((sum(outer) + sum(inner)) / 4)


def test_who_turns_back_crosses_nothing() -> None:
    body = Body((Waypoint(0.0, -1.0), Waypoint(1.0, 0.2), Waypoint(2.0, 0.2), Waypoint(3.0, -1.0)), 0.3)
    assert body.crossing(0.12) is None
    assert len(list(body.blocks(0.0))) == 2
    assert len(list(body.blocks(0.12))) == 1


def test_what_is_nobody_crosses_nothing() -> None:
    way = walk(Draw(1), 0.0, 0.12, 1.3, inward=True)
    assert Body(way, 0.3).crossing(0.12) is not None
    assert Body(way, 0.3, persons=0).crossing(0.12) is None


@pytest.mark.parametrize(
    ("scenario", "hours", "separation_m", "says"),
    [
        ("nobody", 1.0, 0.12, "expected one of singles, chatter, followers, opposite"),
        ("singles", 0.0, 0.12, "expected more than 0"),
        ("singles", -1.0, 0.12, "expected more than 0"),
        ("singles", float("nan"), 0.12, "expected more than 0"),
        ("singles", float("inf"), 0.12, "at most 100000"),
        ("singles", 1.0, 0.0, r"expected 0\.01 to 2\.0 m"),
        ("singles", 1.0, float("nan"), r"expected 0\.01 to 2\.0 m"),
    ],
)
def test_bad_values(scenario: str, hours: float, separation_m: float, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        simulate(scenario, 1, hours, separation_m)


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".csv", ".csv.gz"])
def test_trace_and_truth(tmp_path: Path, suffix: str) -> None:
    trace, truth = tmp_path / f"trace{suffix}", tmp_path / "truth.json"
    options = [
        "--scenario",
        "singles",
        "--seed",
        3,
        "--hours",
        0.2,
        "--separation-m",
        0.1,
        "-o",
        trace,
        "--truth",
        truth,
    ]
    done = simulate_door(*options)
    assert (done.returncode, done.stdout) == (0, "")
    events = list(simulate("singles", 3, 0.2, 0.1))
    with open_trace(trace) as opened:
        assert opened.header.separation_m == 0.1
        assert list(opened) == [Edge(*event) for event in events if isinstance(event, BeamEdge)]
    crossings = [event._asdict() for event in events if isinstance(event, Crossing)]
    told: dict[str, Any] = json.loads(truth.read_text())
    assert told == {
        "scenario": "singles",
        "seed": 3,
        "hours": 0.2,
        "separation_m": 0.1,
        "passages": crossings,
        "totals": {way: sum(c["persons"] for c in crossings if c["direction"] == way) for way in ("in", "out")},
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == [trace.name, truth.name]


def test_trace_alone(tmp_path: Path) -> None:
    done = simulate_door("--scenario", "singles", "--hours", 0.1, "-o", tmp_path / "trace.csv")
    assert done.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["trace.csv"]


def test_list() -> None:
    done = simulate_door("--list")
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(SCENARIOS)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "needs --scenario NAME"),
        (["--scenario", "singles"], "needs --scenario NAME"),
        (["--scenario", "nobody", "-o", "{}/a.jsonl"], "expected one of singles, chatter, followers, opposite"),
        (["--scenario", "singles", "-o", "{}/a.txt"], "ends in one of .jsonl"),
        (["--scenario", "singles", "-o", "{}/a.txt", "--truth", "{}/t.json"], "ends in one of .jsonl"),
        (["--scenario", "singles", "-o", "{}/no/a.csv", "--truth", "{}/t.json"], "cannot be written: no such file"),
        (["--scenario", "singles", "-o", "{}/a.csv", "--truth", "{}/no/t.json"], "cannot be written: no such file"),
        (["--scenario", "singles", "-o", "{}/a.csv", "--truth", "{}/a.csv"], "need two files"),
        (["--scenario", "singles", "-o", "{}/a.csv", "--hours", "nan"], "nan hours: expected more than 0"),
        (["--scenario", "singles", "-o", "{}/a.csv", "--separation-m", "9"], "separation of 9.0 m: expected"),
    ],
)
def test_bad_options_leave_no_files(tmp_path: Path, options: list[str], says: str) -> None:
    done = simulate_door(*(option.format(tmp_path) for option in options))
    assert done.returncode == 2
    assert done.stderr.startswith("foyer: ")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
