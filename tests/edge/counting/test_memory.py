"""A door's state does not grow, however many edges come and whatever they are."""

from __future__ import annotations

import gc
import json
import tracemalloc
from array import array
from itertools import islice
from typing import TYPE_CHECKING

import pytest
from benchmarks.adversary import PATTERNS, Pattern

from edge.counting import DoorSettings

if TYPE_CHECKING:
    from types import ModuleType

MS = 1_000_000
_SNAPSHOT_BYTES = 4_000
_GROWTH_BYTES = 4_096
WALKS = Pattern(((3_000 * MS, 0), (90 * MS, 1), (140 * MS, 0), (90 * MS, 1)))
FLICKERS = Pattern(((2 * MS, 0), (1 * MS, 1)))
CHEAP = {"walks": (WALKS, 40_000), "flickers": (FLICKERS, 40_000)}
COSTLY = {
    name: (PATTERNS[name], 1_000)
    for name in ("both at once", "one line held, the other flickers", "one line full, then the other")
}


def is_pure(core: ModuleType) -> bool:
    return core.__name__.startswith("edge.counting.pure")


def held() -> int:
    """What Python and the core hold now, in bytes."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


@pytest.mark.parametrize("name", [*CHEAP, *COSTLY])
def test_replay_holds_no_more_in_the_end(core: ModuleType, name: str) -> None:
    """Five pieces of a recording, each with results that are let go."""
    pattern, count = (CHEAP | COSTLY)[name]
    if is_pure(core):
        count = min(count // 20, 500)  # what it allocates is the same, and each allocation is traced
    edges = pattern.edges()
    pieces = [
        tuple(
            array(code, column)
            for code, column in zip("qbb", zip(*islice(edges, count // 5 * 2), strict=True), strict=True)
        )
        for _ in range(5)
    ]
    door = core.Door(DoorSettings(pattern.separation_m))
    sizes = []
    tracemalloc.start()
    try:
        for piece in pieces:
            door.replay(*piece)
            sizes.append(held())
            assert len(json.dumps(door.snapshot())) < _SNAPSHOT_BYTES
    finally:
        tracemalloc.stop()
    assert sizes[-1] - sizes[1] < _GROWTH_BYTES, sizes


@pytest.mark.parametrize("name", ["walks", "flickers"])
def test_feed_holds_no_more_in_the_end(core: ModuleType, name: str) -> None:
    pattern, count = CHEAP[name]
    edges = pattern.edges()
    door = core.Door(DoorSettings(pattern.separation_m))
    sizes = []
    tracemalloc.start()
    try:
        for _ in range(3):
            for edge in islice(edges, 400 if is_pure(core) else count // 4):
                door.feed(*edge)
            sizes.append(held())
    finally:
        tracemalloc.stop()
    assert sizes[-1] - sizes[0] < _GROWTH_BYTES, sizes
