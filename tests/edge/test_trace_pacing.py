"""Rows at the speed they were recorded at, or another."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from edge.trace import Edge, Row, paced

if TYPE_CHECKING:
    from collections.abc import Iterator


class Clock:
    """Time that passes only by sleeping, and a little at each look."""

    def __init__(self) -> None:
        self.now_ns = 1_000
        self.slept_s: list[float] = []

    def sleep_s(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_ns += round(seconds * 1e9)


@pytest.mark.parametrize(("speed", "slept_s"), [(1.0, [1.0, 2.0]), (4.0, [0.25, 0.5]), (float("inf"), [])])
def test_pacing(speed: float, slept_s: list[float]) -> None:
    clock = Clock()
    rows: list[Row] = [Edge(0, 0, 1), Edge(10**9, 0, 0), Edge(3 * 10**9, 1, 1), Edge(3 * 10**9, 1, 0)]
    assert list(paced(rows, speed, lambda: clock.now_ns, clock.sleep_s)) == rows
    assert clock.slept_s == slept_s


def test_pacing_catches_up() -> None:
    clock = Clock()

    def slow() -> Iterator[Row]:
        for t_ns in itertools.count(0, 10**9):
            clock.now_ns += 1_500_000_000 if t_ns == 10**9 else 0
            yield Edge(t_ns, 0, 1)

    assert len(list(itertools.islice(paced(slow(), 1.0, lambda: clock.now_ns, clock.sleep_s), 4))) == 4
    assert clock.slept_s == [0.5, 1.0]
