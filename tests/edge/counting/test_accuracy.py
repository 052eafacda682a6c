"""How well the core counts simulated people, against the truth and in windows of five minutes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from edge.counting import DoorSettings, Passage
from simulators.people import BeamEdge, simulate

if TYPE_CHECKING:
    from types import ModuleType

WINDOW_NS = 300 * 1_000_000_000

AT_LEAST = {
    "singles": 0.99,
    "chatter": 0.99,
    "followers": 0.97,
    "opposite": 0.9,
    "turn-backs": 0.92,
    "loiterers": 0.95,
    "wheels": 0.85,
    "abreast": 0.87,
    "busy": 0.9,
}
"""For doors of two hours, most of which they learn in."""


def score(core: ModuleType, scenario: str, seed: int, separation_m: float, known: bool = True) -> float:
    """1 - what was miscounted, over windows and directions, as a share of the true crossings."""
    door = core.Door(DoorSettings(separation_m if known else None))
    found: list[Passage] = []
    difference: Counter[tuple[int, str]] = Counter()
    crossings = 0
    for event in simulate(scenario, seed, 0.5 if scenario == "busy" else 2.0, separation_m):
        if isinstance(event, BeamEdge):
            found += door.feed(*event)
        else:
            difference[event.t_ns // WINDOW_NS, event.direction] += event.persons
            crossings += event.persons
    for passage in found + door.finish():
        if isinstance(passage, Passage):
            difference[passage.t_ns // WINDOW_NS, passage.direction] -= passage.persons
    return 1 - sum(abs(count) for count in difference.values()) / crossings


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("scenario", AT_LEAST)
def test_score(core: ModuleType, scenario: str, seed: int) -> None:
    assert score(core, scenario, seed, 0.12) >= AT_LEAST[scenario]


@pytest.mark.parametrize("scenario", AT_LEAST)
def test_score_where_nobody_measured_the_separation(core: ModuleType, scenario: str) -> None:
    assert score(core, scenario, 4, 0.12, known=False) >= AT_LEAST[scenario] - 0.05


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
