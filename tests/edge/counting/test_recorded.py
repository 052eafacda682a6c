"""Recordings of real doors and lines, which are not part of the project; see their README for what they are."""

from __future__ import annotations

import csv
import os
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge.counting import FOREVER_NS, DoorSettings, Passage, load_pure

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[3]
SHARED = Path(os.environ.get("FOYER_SHARED", ROOT.parent / "shared")) / "data"
MS = 1_000_000

TIDOS = [
    f"{name}_sensor_{door}"
    for name in ("edge_cases", "lecture", "lunch_meeting_1", "lunch_meeting_2")
    for door in (1, 2)
]


def recording(path: str) -> list[dict[str, str]]:
    if not (SHARED / path).is_file():
        pytest.skip(f"no recording at {SHARED / path}; FOYER_SHARED names the folder that holds data/")
    with (SHARED / path).open(newline="") as file:
        return list(csv.DictReader(file))


def changes(rows: list[list[int]]) -> list[tuple[int, int, int]]:
    """Edges of lines 0 and 1 from rows of time and both levels, the first of which tells the levels before."""
    edges = []
    before = rows[0][1:]
    for t_ns, *levels in rows[1:]:
        edges += [(t_ns, line, levels[line]) for line in (0, 1) if levels[line] != before[line]]
        before = levels
    return edges


@pytest.mark.parametrize("name", TIDOS)
def test_tidos_doors_count_alike_in_both_builds(core: ModuleType, name: str) -> None:
    # a before b is out: b is the outer beam.
    rows = [[round(float(row["t_ms"]) * MS), int(row["b"]), int(row["a"])] for row in recording(f"tidos/{name}.csv")]
    edges = changes(rows)
    door, pure = core.Door(DoorSettings()), load_pure().Door(DoorSettings())
    found, expected = [], []
    for edge in edges:
        found += door.feed(*edge)
        expected += pure.feed(*edge)
    found += door.finish()
    assert found == expected + pure.finish()
    assert all(isinstance(item, Passage) or item.kind == "beam_blocked" for item in found)  # one ends so
    assert len(found) >= (1 if len(edges) > 8 else 0)


@pytest.mark.parametrize(
    ("name", "crossings", "inside"),
    [("lecture", 2, 9), ("lunch_meeting_1", 25, 0), ("lunch_meeting_2", 8, 12), ("edge_cases", 24, 6)],
)
def test_tidos_totals(core: ModuleType, name: str, crossings: int, inside: int) -> None:
    """Both doors of the room, the separation unknown and no setting changed; nobody leaves who is not inside."""
    found: list[Passage] = []
    for number in (1, 2):
        door = core.Door(DoorSettings())
        path = f"tidos/{name}_sensor_{number}.csv"
        rows = [[round(float(row["t_ms"]) * MS), int(row["b"]), int(row["a"])] for row in recording(path)]
        items = [item for edge in changes(rows) for item in door.feed(*edge)] + door.finish()
        found += [item for item in items if isinstance(item, Passage)]
    assert abs(sum(passage.persons for passage in found) - crossings) <= 1
    for passage in sorted(found, key=lambda item: item.t_ns):
        inside += passage.persons if passage.direction == "in" else -passage.persons
        assert inside >= 0


def test_a_minute_clocks_pulses(pulses: ModuleType) -> None:
    rows = recording("sigrok/dcf77_120s.csv")
    beams = pulses.Beams(50 * MS, (0, 0))
    rises = []
    level = 0
    for t_ns, bits in [*((int(row["t_us"]) * 1000, int(row["bits"])) for row in rows[1:]), (FOREVER_NS - 50 * MS, -1)]:
        if beams.settle_ns[0] <= t_ns and beams.settle(0) and beams.level[0]:
            rises.append(beams.burst_ns[0])
        if bool(bits) != level:
            level = int(bool(bits))
            beams.change(0, t_ns)
    assert len(rises) == 99
    gaps_s = [(after - before) / 1e9 for before, after in pairwise(rises)]
    assert sum(gap_s > 1.5 for gap_s in gaps_s) == 2
