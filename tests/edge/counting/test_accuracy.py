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

AT_LEAST = {"singles": 0.95, "chatter": 0.95, "turn-backs": 0.94, "followers": 0.95}


def score(core: ModuleType, scenario: str, seed: int, separation_m: float, known: bool = True) -> float:
    """1 - what was miscounted, over windows and directions, as a share of the true crossings."""
    door = core.Door(DoorSettings(separation_m if known else None))
    found: list[Passage] = []
    difference: Counter[tuple[int, str]] = Counter()
    crossings = 0
    for event in simulate(scenario, seed, 2.0, separation_m):
        if isinstance(event, BeamEdge):
            found += door.feed(*event)
        else:
            difference[event.t_ns // WINDOW_NS, event.direction] += event.persons
            crossings += event.persons
    for passage in found + door.finish():
        difference[passage.t_ns // WINDOW_NS, passage.direction] -= passage.persons
    return 1 - sum(abs(count) for count in difference.values()) / crossings


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("scenario", AT_LEAST)
def test_score(core: ModuleType, scenario: str, seed: int) -> None:
    assert score(core, scenario, seed, 0.12) >= AT_LEAST[scenario]


@pytest.mark.parametrize("scenario", AT_LEAST)
def test_score_where_nobody_measured_the_separation(core: ModuleType, scenario: str) -> None:
    assert score(core, scenario, 4, 0.12, known=False) >= AT_LEAST[scenario]


@pytest.mark.parametrize("scenario", ["singles", "followers"])
@pytest.mark.parametrize("separation_m", [0.05, 0.3, 0.6])
def test_score_of_other_separations(core: ModuleType, scenario: str, separation_m: float) -> None:
    assert score(core, scenario, 5, separation_m) >= AT_LEAST[scenario]
