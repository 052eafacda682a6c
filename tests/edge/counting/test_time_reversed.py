"""Isolated crossings in a film that runs backwards: who came in goes out, and as many."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.counting import DoorSettings, Passage

if TYPE_CHECKING:
    from types import ModuleType

MS, S = 1_000_000, 1_000_000_000
SEPARATION_M = 0.12
Stream = list[tuple[int, int, int]]


@st.composite
def crossings(draw: st.DrawFn) -> Stream:
    """Somebody walks through alone, now a little faster and now slower, perhaps with an arm before or behind."""
    begin_ns = 10 * S
    outer_first = draw(st.booleans())
    speed = draw(st.floats(0.6, 1.9))
    lengths = [draw(st.floats(0.24, 0.34))]
    gap_m = draw(st.floats(0.05, 0.11))
    if draw(st.booleans()):
        arm_m = draw(st.floats(0.05, 0.11))
        lengths = [arm_m, *lengths] if draw(st.booleans()) else [*lengths, arm_m]
    edges: Stream = []
    for index, line in enumerate((0, 1) if outer_first else (1, 0)):
        at_m = index * SEPARATION_M
        for length_m in lengths:
            for level, edge_m in ((1, at_m), (0, at_m + length_m)):
                jitter_ns = draw(st.integers(-2 * MS, 2 * MS))
                edges.append((begin_ns + round(edge_m / speed * S) + jitter_ns, line, level))
            at_m += length_m + gap_m
    return sorted(edges)


def told(core: ModuleType, edges: Stream, last_ns: int) -> Counter[str]:
    """Persons each way, by a door that has learned nothing."""
    door = core.Door(DoorSettings(SEPARATION_M))
    found = [item for edge in edges for item in door.feed(*edge)] + door.advance(last_ns)
    counted: Counter[str] = Counter()
    for item in found + door.finish():
        if isinstance(item, Passage):
            counted[item.direction] += item.persons
    return counted


@settings(max_examples=200)
@given(crossings())
def test_backwards_they_go_the_other_way(core: ModuleType, edges: Stream) -> None:
    last_ns = edges[-1][0] + 20 * S
    backwards = sorted((last_ns - t_ns, line, 1 - level) for t_ns, line, level in edges)
    forwards = told(core, edges, last_ns)
    assert sum(forwards.values()) == 1
    assert told(core, backwards, last_ns) == Counter({"out": forwards["in"], "in": forwards["out"]})
