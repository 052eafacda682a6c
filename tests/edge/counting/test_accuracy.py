"""How well the core counts simulated people, against the truth and in windows of five minutes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from edge.counting import DoorSettings, Passage
from simulators.people import BeamEdge, Crossing, simulate

if TYPE_CHECKING:
    from types import ModuleType

WINDOW_NS = 300 * 1_000_000_000

HOUR_NS = 3600 * 1_000_000_000

AT_LEAST = {
    "singles": 0.99,
    "chatter": 0.99,
    "followers": 0.97,
    "opposite": 0.92,
    "turn-backs": 0.93,
    "loiterers": 0.97,
    "wheels": 0.93,
    "abreast": 0.88,
    "busy": 0.92,
}
"""For doors of two hours, most of which they learn in."""


def edges_and_truth(scenario: str, seed: int, separation_m: float) -> tuple[list[BeamEdge], list[Crossing]]:
    edges: list[BeamEdge] = []
    truth: list[Crossing] = []
    for event in simulate(scenario, seed, 0.5 if scenario == "busy" else 2.0, separation_m):
        if isinstance(event, BeamEdge):
            edges.append(event)
        else:
            truth.append(event)
    return edges, truth


def score(core: ModuleType, scenario: str, seed: int, separation_m: float, door: Any = None, late_ns: int = 0) -> float:
    """1 - what was miscounted, over windows and directions, as a share of the true crossings.

    By a new door that knows the separation; or by this `door`, to which they come so much later.
    """
    door = door or core.Door(DoorSettings(separation_m))
    edges, truth = edges_and_truth(scenario, seed, separation_m)
    found = [item for edge in edges for item in door.feed(edge.t_ns + late_ns, edge.line, edge.level)]
    difference: Counter[tuple[int, str]] = Counter()
    for crossing in truth:
        difference[crossing.t_ns // WINDOW_NS, crossing.direction] += crossing.persons
    for passage in found + door.finish():
        if isinstance(passage, Passage):
            difference[(passage.t_ns - late_ns) // WINDOW_NS, passage.direction] -= passage.persons
    return 1 - sum(abs(count) for count in difference.values()) / sum(crossing.persons for crossing in truth)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("scenario", AT_LEAST)
def test_score(core: ModuleType, scenario: str, seed: int) -> None:
    assert score(core, scenario, seed, 0.12) >= AT_LEAST[scenario]


@pytest.mark.parametrize("given_m", [None, 0.20])
@pytest.mark.parametrize("scenario", AT_LEAST)
def test_a_missing_or_wrong_separation_costs_nothing_after_some_hundred_crossings(
    core: ModuleType, scenario: str, given_m: float | None
) -> None:
    door = core.Door(DoorSettings(given_m))
    for edge in edges_and_truth("singles", 4, 0.12)[0]:
        door.feed(*edge)
    door.finish()
    assert score(core, scenario, 4, 0.12, door, 3 * HOUR_NS) >= AT_LEAST[scenario] - 0.02


@pytest.mark.parametrize("scenario", ["singles", "chatter", "followers", "turn-backs", "loiterers", "wheels", "busy"])
def test_score_from_the_start_where_nobody_measured_the_separation(core: ModuleType, scenario: str) -> None:
    """Doors where hardly anybody comes alone are missing: they need a separation, or some time."""
    assert score(core, scenario, 4, 0.12, core.Door(DoorSettings(None))) >= AT_LEAST[scenario] - 0.05


@pytest.mark.parametrize("scenario", ["singles", "followers"])
@pytest.mark.parametrize("separation_m", [0.05, 0.3, 0.6])
def test_score_of_other_separations(core: ModuleType, scenario: str, separation_m: float) -> None:
    assert score(core, scenario, 5, separation_m) >= AT_LEAST[scenario] - 0.02


@pytest.mark.parametrize("scenario", ["glitch-night", "standing"])
@pytest.mark.parametrize("separation_m", [0.08, 0.12])
def test_nobody_is_counted_where_nobody_passes(core: ModuleType, scenario: str, separation_m: float) -> None:
    door = core.Door(DoorSettings(separation_m))
    found = [item for event in simulate(scenario, 6, 2.0, separation_m) for item in door.feed(*event)]
    assert [item for item in found + door.finish() if isinstance(item, Passage)] == []


def test_a_door_where_nobody_comes_alone_keeps_its_measured_separation(core: ModuleType) -> None:
    """What looks like somebody alone there is two people's edges: some thirty of them in six hours."""
    door = core.Door(DoorSettings(0.60))
    for event in simulate("opposite", 1, 6.0, 0.60):
        if isinstance(event, BeamEdge):
            door.feed(*event)
    assert door.window.habits.clean > 30
    assert door.window.habits.separation_m == 0.60
