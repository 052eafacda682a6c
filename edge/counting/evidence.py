"""What speaks for a fault of one beam, and what that beam is doing: the state that `health.py` judges by.

Compiled by Cython with the types in `evidence.pxd`; the same source runs uncompiled.
"""

from __future__ import annotations

from typing import Any

ENOUGH = 13_816  # 1,000,000 observations
_SEEN_MAX = 1_000_000_000


class Evidence:
    """Page's sum for one fault. `odd` of the last `seen` observations spoke for it."""

    __slots__ = ("active", "enough", "odd", "seen", "weight")

    def __init__(self, enough: int) -> None:
        self.enough = enough
        self.weight = self.seen = self.odd = 0
        self.active = False

    def add(self, amount: int, seen: int, odd: int) -> int:
        """1 where the fault is raised now, -1 where it is over now, else 0."""
        if self.weight == 0 and not self.active:
            self.seen = self.odd = 0
        self.seen = min(_SEEN_MAX, self.seen + seen)
        self.odd = min(_SEEN_MAX, self.odd + odd)
        self.weight = min(self.enough, max(0, self.weight + amount))
        if not self.active and self.weight == self.enough:
            self.active = True
            return 1
        if self.active and self.weight == 0:
            self.active = False
            self.seen = self.odd = 0
            return -1
        return 0

    def snapshot(self) -> list[int]:
        return [self.weight, self.seen, self.odd, int(self.active)]

    def restore(self, state: list[int]) -> None:
        self.weight, self.seen, self.odd, active = state
        self.active = bool(active)


class Line:
    """One beam: what it is doing, what it saw of who is there now, and what speaks against it."""

    __slots__ = (
        "blocked",
        "blocks",
        "bodies",
        "chatter",
        "dead",
        "edges",
        "extra",
        "first_ns",
        "flicker",
        "last_ns",
        "longest_ns",
        "losing",
        "misaligned",
        "norm",
        "open_ns",
    )

    def __init__(self) -> None:
        self.open_ns = -1
        """Since when it is blocked; -1 where it is clear."""
        self.blocked = False
        """Whether that was told as a fault."""
        self.begin()
        self.edges = self.extra = self.flicker = self.blocks = self.norm = 0
        self.dead = Evidence(ENOUGH)
        self.misaligned = Evidence(ENOUGH)
        self.chatter = Evidence(ENOUGH)
        self.losing = Evidence(ENOUGH)

    def begin(self) -> None:
        """Somebody else comes."""
        self.bodies = 0
        self.first_ns = self.last_ns = self.longest_ns = 0

    def snapshot(self) -> dict[str, Any]:
        return {
            "open": [self.open_ns, int(self.blocked)],
            "seen": [self.bodies, self.first_ns, self.last_ns, self.longest_ns],
            "edges": [self.edges, self.extra, self.flicker, self.blocks, self.norm],
            "evidence": [each.snapshot() for each in (self.dead, self.misaligned, self.chatter, self.losing)],
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.open_ns, blocked = state["open"]
        self.blocked = bool(blocked)
        self.bodies, self.first_ns, self.last_ns, self.longest_ns = state["seen"]
        self.edges, self.extra, self.flicker, self.blocks, self.norm = state["edges"]
        evidence = (self.dead, self.misaligned, self.chatter, self.losing)
        for each, told in zip(evidence, state["evidence"], strict=True):
            each.restore(told)
