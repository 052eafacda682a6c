"""From raw edges to debounced ones, line by line.

Compiled by Cython with the types in `pulses.pxd`; the same source runs uncompiled.
"""

from __future__ import annotations

from array import array
from typing import Any

from cython import compiled

from edge.counting.model import FOREVER_NS


class Beams:
    """Both lines' raw edges, debounced.

    Changes of a line less than `debounce_ns` apart are one burst. A burst settles when the line has kept its level that
    long: either as one edge, dated at the burst's first change, or, where the level is what it was before, as nothing.

    Of a line: its debounced `level`, and the one last seen, `raw`; of its last burst, or the one going on, the first
    change, `burst_ns` (the debounced edge's time, once settled), how many `changes` it has, and when it settles unless
    the line changes before, `settle_ns`: FOREVER_NS without a burst.
    """

    __slots__ = ("burst_ns", "changes", "debounce_ns", "level", "raw", "settle_ns")

    def __init__(self, debounce_ns: int, levels: tuple[int, int]) -> None:
        self.debounce_ns = debounce_ns
        if not compiled:  # else they are C arrays of the object's own, as its .pxd says
            self.level = array("i", [0, 0])
            self.raw = array("i", [0, 0])
            self.burst_ns = array("q", [0, 0])
            self.changes = array("q", [0, 0])
            self.settle_ns = array("q", [0, 0])
        for line in range(2):
            self.level[line] = self.raw[line] = levels[line]
            self.burst_ns[line] = self.changes[line] = 0
            self.settle_ns[line] = FOREVER_NS

    def change(self, line: int, t_ns: int) -> None:
        """The raw level turns over at `t_ns`, before which `settle` was called if it was due."""
        if self.settle_ns[line] == FOREVER_NS:
            self.burst_ns[line] = t_ns
            self.changes[line] = 0
        self.changes[line] += 1
        self.raw[line] = 1 - self.raw[line]
        self.settle_ns[line] = t_ns + self.debounce_ns

    def settle(self, line: int) -> bool:
        """End the burst; true if it was an edge, now in `level` and `burst_ns`."""
        self.settle_ns[line] = FOREVER_NS
        if self.raw[line] == self.level[line]:
            return False
        self.level[line] = self.raw[line]
        return True

    def snapshot(self) -> list[dict[str, Any]]:
        return [
            {
                "level": self.level[line],
                "raw": self.raw[line],
                "burst_ns": self.burst_ns[line],
                "changes": self.changes[line],
                "settle_ns": None if self.settle_ns[line] == FOREVER_NS else self.settle_ns[line],
            }
            for line in range(2)
        ]

    def restore(self, state: list[dict[str, Any]]) -> None:
        """Take over what `snapshot` gave; raises IndexError, KeyError or TypeError where it is something else."""
        for line in range(2):
            each = state[line]
            self.level[line] = each["level"]
            self.raw[line] = each["raw"]
            self.burst_ns[line] = each["burst_ns"]
            self.changes[line] = each["changes"]
            self.settle_ns[line] = FOREVER_NS if each["settle_ns"] is None else each["settle_ns"]
