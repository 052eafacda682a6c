from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from edge.counting import FOREVER_NS

if TYPE_CHECKING:
    from types import ModuleType

MS = 1_000_000
D = 8 * MS

times = st.lists(st.integers(0, 40), max_size=60).map(
    lambda gaps: [sum(gaps[: index + 1]) * MS for index in range(len(gaps))]
)
"""When a line turns over: many gaps shorter than the debounce time, some equal to it, some of no time at all."""


def debounced(pulses: ModuleType, changes: list[int]) -> list[int]:
    """When the debounced line turns over."""
    beams = pulses.Beams(D, (0, 0))
    found = []
    for t_ns in [*changes, FOREVER_NS - D]:
        if beams.settle_ns[1] <= t_ns and beams.settle(1):
            found.append(beams.burst_ns[1])
        beams.change(1, t_ns)
    assert (beams.level[0], beams.settle_ns[0]) == (0, FOREVER_NS)  # the other line saw nothing of it
    return found


def by_definition(changes: list[int]) -> list[int]:
    """Bursts are runs of changes less than D apart; those of an odd length are an edge at their first change."""
    bursts: list[list[int]] = []
    for before, t_ns in pairwise([-FOREVER_NS, *changes]):
        if t_ns - before < D:
            bursts[-1].append(t_ns)
        else:
            bursts.append([t_ns])
    return [burst[0] for burst in bursts if len(burst) % 2]


@given(times)
def test_debounce_is_what_it_says(pulses: ModuleType, changes: list[int]) -> None:
    assert debounced(pulses, changes) == by_definition(changes)


@given(times)
def test_an_accepted_edge_keeps_its_time(pulses: ModuleType, changes: list[int]) -> None:
    assert set(debounced(pulses, changes)) <= set(changes)


@given(st.lists(st.integers(3 * D, 100 * D), min_size=1, max_size=20), st.data())
def test_glitches_change_nothing(pulses: ModuleType, gaps: list[int], data: st.DataObject) -> None:
    clean = [sum(gaps[: index + 1]) for index in range(len(gaps))]
    noisy = list(clean)
    for before, after in pairwise(clean):
        start = data.draw(st.integers(before + D, after - 2 * D + 1))
        noisy += [start, start + data.draw(st.integers(0, D - 1))]
    assert debounced(pulses, sorted(noisy)) == clean


def test_a_pulse_as_long_as_the_debounce_time_stays(pulses: ModuleType) -> None:
    assert debounced(pulses, [5 * MS, 5 * MS + D]) == [5 * MS, 5 * MS + D]
    assert debounced(pulses, [5 * MS, 5 * MS + D - 1]) == []


def test_snapshot_carries_on(pulses: ModuleType) -> None:
    beams = pulses.Beams(D, (0, 0))
    beams.change(1, 3 * MS)
    twin = pulses.Beams(D, (0, 0))
    twin.restore(beams.snapshot())
    assert list(twin.settle_ns) == [FOREVER_NS, 3 * MS + D]
    assert twin.settle(1)
    assert (twin.level[1], twin.burst_ns[1]) == (1, 3 * MS)
