"""How soon people leave, learned: who is inside shows at the doors before long, and who is not does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

BLOCK_HOURS = 0.25
_USUAL_RATE = 1.5
"""Persons leaving per person and hour, until a time of day is known better."""
_USUAL_HOURS = 10.0
_USUAL_BUNCHING = 4.0
_USUAL_BLOCKS = 50
_MEMORY = 1.5
"""People do not leave at random: a meeting that goes on says the same for several quarters of an hour."""


class Block(NamedTuple):
    """A quarter of an hour: its kind of time, who left, and at its end who came less who left, and who came or left."""

    kind: int
    left: float
    inside: float
    moved: float


@dataclass(slots=True)
class Leaving:
    """By kind of time, an integer: persons who left, and hours that persons were inside."""

    seen: dict[int, tuple[float, float]] = field(default_factory=dict)
    bunching: float = _USUAL_BUNCHING * _USUAL_BLOCKS
    blocks: int = _USUAL_BLOCKS

    def copy(self) -> Leaving:
        return Leaving(dict(self.seen), self.bunching, self.blocks)

    def expected(self, kind: int) -> float:
        """Persons leaving in a block for each that is inside."""
        left, hours = self.seen.get(kind, (0.0, 0.0))
        return BLOCK_HOURS * (left + _USUAL_RATE * _USUAL_HOURS) / (hours + _USUAL_HOURS)

    def inside(self, kind: int, left: float, likely: float) -> tuple[float, float]:
        """How many were inside by who left in one block, and the variance of that, where `likely` were expected."""
        expected = self.expected(kind)
        found = left / expected
        bunching = max(1.0, self.bunching / self.blocks)
        _, hours = self.seen.get(kind, (0.0, 0.0))
        doubt = max(found, likely) * _USUAL_HOURS / (hours + _USUAL_HOURS)  # of the rate itself
        return found, _MEMORY * bunching * max(1.0, likely) / expected + doubt**2

    def learn(self, blocks: Sequence[Block]) -> None:
        """From a stretch that began and ended with nobody inside: what was left over at its end is shared out."""
        last = blocks[-1]
        if not last.moved:
            return
        before = 0.0
        for block in blocks:
            after = max(0.0, block.inside - last.inside * block.moved / last.moved)
            inside = (before + after) / 2
            before = after
            likely = self.expected(block.kind) * inside
            if likely >= 1:
                self.bunching += (block.left - likely) ** 2 / likely
                self.blocks += 1
            left, hours = self.seen.get(block.kind, (0.0, 0.0))
            self.seen[block.kind] = (left + block.left, hours + inside * BLOCK_HOURS)
