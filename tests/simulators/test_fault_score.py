"""`foyer simulate faults`."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from firmware_cfg.errors import ConfigError
from simulators.fault_score import CASES, HEALTHY, Outcome, Task, judge, table, tasks_of
from simulators.people import SCENARIOS, BeamEdge
from simulators.people.hub import DAY_S, Failure, hub_days
from simulators.report import in_processes

ROOT = Path(__file__).parents[2]
S = 1_000_000_000


def test_each_case_is_a_scenario_with_a_fault_of_its_own() -> None:
    failing = [name for name in CASES if name != HEALTHY]
    assert set(failing) <= set(SCENARIOS)
    assert len({CASES[name].kind for name in failing}) == len(failing)


def test_a_stuck_beam_is_told_after_a_minute_and_over_when_it_is_clear() -> None:
    tasks = [Task("stuck-beam", 0.12, seed) for seed in (1, 2)]
    first, second = in_processes(judge, tasks, 2)
    assert first == judge(tasks[0])
    for outcome in (first, second):
        ((after_ns, _),) = outcome.raised[:1]
        assert 60 * S <= after_ns < 61 * S
        assert outcome.over[0][0] < 2 * S
        counted, crossed = outcome.without
        assert 0.8 * crossed < counted < 1.4 * crossed


def test_failures_begin_and_end() -> None:
    case = CASES["dead-beam"]
    inner = [
        event.t_ns / S / DAY_S
        for event in hub_days(4, 1, 0.12, case.failure)
        if isinstance(event, BeamEdge) and event.line == 1
    ]
    from_day, until_day = case.failure.from_s / DAY_S, case.failure.until_s / DAY_S
    assert not [day for day in inner if from_day + 0.001 < day < until_day - 0.02]
    assert any(day < from_day for day in inner)
    assert any(day > until_day for day in inner)
    assert Failure(case.wear, 1.0, 2.0).now(2.0).dead is False


def test_tables() -> None:
    hour = 3600 * S
    outcomes = [
        Outcome(Task("dead-beam", 0.12, 1), raised=[(hour, 20)], over=[(60 * S, 5)], without=(90, 100)),
        Outcome(Task("dead-beam", 0.12, 2), raised=[(48 * hour, 30)]),
        Outcome(Task(HEALTHY, 0.12, 1), others=Counter(beam_blocked=2, beam_dead=1), crossings=1000),
    ]
    lines = list(table(outcomes))
    assert lines[2] == (
        "| dead-beam | 0.12 m | `beam_dead` | 2 of 2 | 1.0 days, 25 crossings (2.0 days, 30) "
        "| 1 of 2: 60 s, 5 crossings (60 s, 5) | 90 counted of 100 |"
    )
    assert lines[-1] == "| 0.12 m | 1 x 30 | 1000 | 1 x `beam_dead` | 2 |"


def test_unknown_cases_are_refused() -> None:
    with pytest.raises(ConfigError, match="expected one of stuck-beam"):
        tasks_of(["flood"], [], 1, 1)
    assert len(tasks_of([], [], 2, 1)) == len(CASES) * 2 * 2


def test_command_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "foyer", "simulate", "faults", "--case", "flood"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("foyer: case 'flood': expected one of stuck-beam, dead-beam")
