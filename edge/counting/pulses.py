"""From raw edges to debounced ones, one line at a time.

Compiled by Cython with the types in `pulses.pxd`; the same source runs uncompiled.
"""

from __future__ import annotations

from typing import Any

from edge.counting.model import FOREVER_NS


class Beam:
    """One line's raw edges, debounced.

    Changes less than `debounce_ns` apart are one burst. A burst settles when the line has kept its level that long:
    either as one edge, dated at the burst's first change, or, where the level is what it was before, as nothing.
    """

    __slots__ = ("burst_ns", "changes", "debounce_ns", "level", "raw", "settle_ns")

    def __init__(self, debounce_ns: int, level: int) -> None:
        self.debounce_ns = debounce_ns
        self.level = level
        """The debounced level."""
        self.raw = level
        """The level last seen."""
        self.burst_ns = 0
        """The first change of the burst going on: the debounced edge's time, once settled."""
        self.changes = 0
        """Of the last burst, or the one going on."""
        self.settle_ns = FOREVER_NS
        """When the burst going on settles unless the line changes before; FOREVER_NS without a burst."""

    def change(self, t_ns: int) -> None:
        """The raw level turns over at `t_ns`, before which `settle` was called if it was due."""
        if self.settle_ns == FOREVER_NS:
            self.burst_ns = t_ns
            self.changes = 0
        self.changes += 1
        self.raw = 1 - self.raw
        self.settle_ns = t_ns + self.debounce_ns

    def settle(self) -> bool:
        """End the burst; true if it was an edge, now in `level` and `burst_ns`."""
        self.settle_ns = FOREVER_NS
        if self.raw == self.level:
            return False
        self.level = self.raw
        return True

    def snapshot(self) -> dict[str, Any]:
        return {
            "level": self.level,
            "raw": self.raw,
            "burst_ns": self.burst_ns,
            "changes": self.changes,
            "settle_ns": None if self.settle_ns == FOREVER_NS else self.settle_ns,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `snapshot` gave; raises KeyError or TypeError where it is something else."""
        self.level = state["level"]
        self.raw = state["raw"]
        self.burst_ns = state["burst_ns"]
        self.changes = state["changes"]
        self.settle_ns = FOREVER_NS if state["settle_ns"] is None else state["settle_ns"]
