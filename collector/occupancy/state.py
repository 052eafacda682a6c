"""One walk through a hub's moves: what the counts say, what else tells, and how sure both are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import accumulate, compress, repeat
from math import sqrt
from operator import add
from typing import NamedTuple

from collector.occupancy.learning import Learned
from collector.occupancy.leaving import Block, Leaving
from collector.store.base import QUARTER_NS


class Move(NamedTuple):
    """Persons through a door, by index. `variance` is the sensor's own doubt, in persons². The first three name it."""

    t_ns: int
    epoch: str
    seq: int
    door: int
    in_: float
    out: float
    variance: float = 0.0


Plain = tuple[int, str, int, int, float, float, float]
"""A Move, or its values without their names, which is made in a fifth of the time."""


class MoveRun(NamedTuple):
    """Moves of one outbox through one door, in the order of their times and numbers, a column each."""

    epoch: str
    door: int
    times: list[int]
    seqs: list[int]
    ins: list[float]
    outs: list[float]
    doubts: list[float]

    def singly(self) -> Iterator[Plain]:
        return zip(
            self.times, repeat(self.epoch), self.seqs, repeat(self.door), self.ins, self.outs, self.doubts, strict=False
        )


Columns = tuple[Sequence[int], Sequence[float], Sequence[float], Sequence[float]]
"""Of many moves: doors, in, out, variance."""


@dataclass(slots=True)
class State:
    """At the time of the last move: `counts` since the building was empty, in and out of each door, out below zero.

    `inside` is what the counts say, weighted; `lift` is what else than the counts tells of who is inside. `spread` is
    the variance of the estimate; without that else it would be `counted`, what the counts alone leave open.
    """

    learned: Learned
    leaving: Leaving
    empty_ns: int
    moved_ns: int
    counts: list[float]
    inside: float = 0.0
    variance: float = 0.0
    lift: float = 0.0
    counted: float = 0.0
    spread: float = 0.0
    block_ns: int = 0
    block_left: float = 0.0
    block_inside: float = 0.0
    blocks: list[Block] = field(default_factory=list)

    @classmethod
    def empty_at(cls, t_ns: int, doors: int, learned: Learned | None = None, leaving: Leaving | None = None) -> State:
        counts = [0.0] * (2 * doors)
        return cls(learned or Learned(doors), leaving or Leaving(), t_ns, t_ns, counts, block_ns=quarter_of(t_ns))

    def copy(self) -> State:
        return replace(
            self,
            learned=self.learned.copy(),
            leaving=self.leaving.copy(),
            counts=self.counts[:],
            blocks=self.blocks[:],
        )

    def mean(self) -> float:
        return self.lift + self.inside

    def sd(self, unseen: float = 0.0) -> float:
        """`unseen` is how many persons passed unwatched: which way is not known."""
        return sqrt(self._settled()[0] + (unseen / 2) ** 2 + unseen)

    def add(self, moved_ns: int, moves: Columns) -> None:
        """Moves of one quarter of an hour, the last of them at `moved_ns`.

        Sums go on from where they are, number by number, so that it makes no difference how many come at once.
        """
        doors, ins, outs, doubts = moves
        ways_in, ways_out = self.learned.weights[::2], self.learned.weights[1::2]
        there = set(doors)
        if len(there) == 1:  # as mostly, and twice as fast
            way_in, way_out = ways_in[doors[0]], ways_out[doors[0]]
            lefts = [way_out * out for out in outs]
            steps = [way_in * in_ - left for in_, left in zip(ins, lefts, strict=True)]
        else:
            lefts = [ways_out[door] * out for door, out in zip(doors, outs, strict=True)]
            steps = [ways_in[door] * in_ - left for door, in_, left in zip(doors, ins, lefts, strict=True)]
        for door in there:
            here = [each == door for each in doors]
            self.counts[2 * door] += sum(compress(ins, here))
            self.counts[2 * door + 1] -= sum(compress(outs, here))
        self.moved_ns = moved_ns
        self.variance = reduce(add, doubts, self.variance)
        self.block_left = reduce(add, lefts, self.block_left)
        inside = list(accumulate(steps, initial=self.inside))
        self.inside = inside[-1]
        self.lift = max(self.lift, -min(inside[1:]))  # who leaves an empty building had come in unseen

    def end_block(self, kind: int) -> None:
        """A quarter of an hour is over: who left in it tells how many there were."""
        left, mean = self.block_left, self.mean()
        if any(self.counts):
            self.spread, self.counted = self._settled()
            self.blocks.append(Block(kind, left, self.inside, sum(map(abs, self.counts))))
            before = max(0.0, (self.block_inside + mean) / 2)
            found, variance = self.leaving.inside(kind, left, before)
            share = self.spread / (self.spread + variance)
            self.lift = max(self.lift + share * (found - before), -self.inside)
            self.spread *= 1 - share
        self.block_ns += QUARTER_NS
        self.block_left, self.block_inside = 0.0, self.mean()

    def _settled(self) -> tuple[float, float]:
        """`spread` with what has been counted since, and what the counts leave open; that may also become less."""
        counted = self.learned.variance(self.counts) + self.variance
        if counted >= self.counted:
            return self.spread + counted - self.counted, counted
        return self.spread * counted / self.counted, counted

    def be_empty(self, until_ns: int) -> None:
        """Nobody is inside, until then."""
        self.counts = [0.0] * len(self.counts)
        self.inside = self.variance = self.lift = self.counted = self.spread = self.block_left = self.block_inside = 0.0
        self.blocks = []
        self.empty_ns = until_ns
        self.block_ns = quarter_of(until_ns)


def quarter_of(t_ns: int) -> int:
    return t_ns // QUARTER_NS * QUARTER_NS
