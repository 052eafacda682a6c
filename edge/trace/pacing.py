"""Traces at the speed they were recorded at, or another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firmware_cfg.times import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from edge.trace.model import Row


def paced(
    rows: Iterable[Row], speed: float, clock_ns: Callable[[], int], sleep_s: Callable[[float], None]
) -> Iterator[Row]:
    """Each row no earlier than its time after the start, `speed` times as fast; infinity does not wait."""
    start_ns = clock_ns()
    for row in rows:
        wait_ns = start_ns + row.t_ns / speed - clock_ns()
        if wait_ns > 0:
            sleep_s(wait_ns / NS_PER_S)
        yield row
