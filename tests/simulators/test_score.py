"""`foyer simulate score` and the decoders it compares."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from firmware_cfg.errors import ConfigError
from simulators.decoders import REFERENCES, Debounced
from simulators.people import BeamEdge
from simulators.report import in_processes
from simulators.score import DECODERS, SCORED, Outcome, Task, judge, table, tasks_of

MS = 1_000_000
ROOT = Path(__file__).parents[2]

WALK = [(0, 0, 1), (90, 1, 1), (230, 0, 0), (320, 1, 0)]
TURN_BACK = [(0, 0, 1), (90, 1, 1), (500, 1, 0), (590, 0, 0)]
FOLLOWERS = [(0, 0, 1), (90, 1, 1), (230, 0, 0), (300, 0, 1), (320, 1, 0), (390, 1, 1), (530, 0, 0), (620, 1, 0)]
GLITCH = [(0, 0, 1), (5, 0, 0)]


@pytest.mark.parametrize(
    ("name", "steps", "ways"),
    [
        ("first broken", WALK, ["in"]),
        ("first broken", TURN_BACK, ["in"]),
        ("first broken", FOLLOWERS, ["in"]),
        ("path", WALK, ["in"]),
        ("path", TURN_BACK, []),
        ("path", FOLLOWERS, []),
        ("quadrature", WALK, ["in"]),
        ("quadrature", TURN_BACK, []),
        ("quadrature", FOLLOWERS, ["in"]),
        *((name, GLITCH, []) for name in REFERENCES),
    ],
)
def test_references(name: str, steps: list[tuple[int, int, int]], ways: list[str]) -> None:
    """What each of them is known for; with the beams swapped, in is out."""
    for swapped, expected in ((0, ways), (1, ["out" for _ in ways])):
        decoder = Debounced(REFERENCES[name]())
        found = []
        for t_ms, line, level in steps:
            found += decoder.feed(BeamEdge(t_ms * MS, line ^ swapped, level))
        assert [way for _, way in found + decoder.finish()] == expected


def test_errors_cannot_cancel() -> None:
    outcome = Outcome(Task("singles", 0.12, 1, 1.0), 100, {"foyer": 10}, {"foyer": 100})
    assert outcome.score("foyer") == 0.9


def test_outcomes_do_not_depend_on_jobs() -> None:
    tasks = tasks_of(["singles"], [0.12], 3, 0.2, 1)
    assert in_processes(judge, tasks, 1) == in_processes(judge, tasks, 2) == [judge(task) for task in tasks]


def test_table_of_means_and_of_nobody() -> None:
    outcomes = [
        Outcome(Task("singles", 0.12, seed, 1.0), 100, dict.fromkeys(DECODERS, seed), dict.fromkeys(DECODERS, 100))
        for seed in (1, 3)
    ]
    outcomes.append(
        Outcome(Task("glitch-night", 0.12, 1, 1.0), 0, dict.fromkeys(DECODERS, 2), dict.fromkeys(DECODERS, 2))
    )
    head, _, singles, night = table(outcomes)
    assert head == "| scenario | beams apart | foyer | first broken | path | quadrature |"
    assert singles == "| singles | 0.12 m |" + " 0.980 ± 0.014 |" * 4
    assert night == "| glitch-night | 0.12 m |" + " 2 counted |" * 4


def test_faults_of_beams_are_not_scored() -> None:
    with pytest.raises(ConfigError, match="expected one of singles"):
        tasks_of(["stuck-beam"], [], 1, 1.0, 1)
    assert len(tasks_of([], [], 2, 1.0, 1)) == len(SCORED) * 4 * 2


def test_command_line() -> None:
    options = ["--scenario", "singles", "--seeds", "2", "--hours", "0.2", "--separation-m", "0.12", "--jobs", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "foyer", "simulate", "score", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout.splitlines()[2].startswith("| singles | 0.12 m | ")
    assert done.stderr == "1 of 2 doors\n2 of 2 doors\n"
