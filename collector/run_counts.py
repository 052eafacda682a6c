"""Passages in columns, as those take them who count persons."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from itertools import compress
from operator import add, mul, sub
from typing import Self

from collector.ranges import consecutive
from collector.store.base import Count
from collector.store.runs import filled
from firmware_cfg.doubt import doubt, doubts_of_one
from firmware_cfg.wire import PassageRun


@dataclass(frozen=True, slots=True)
class RunCounts:
    """Persons of each passage of a run that is in order: all, those in, those out, and the doubt about them.

    Of a passage whose direction nobody knows none are in and none out.
    """

    run: PassageRun
    persons: list[int]
    ins: list[int]
    outs: list[int]
    doubts: list[float]

    @classmethod
    def of(cls, run: PassageRun) -> Self | None:
        """None where numbers or times are not in order."""
        seqs, times, ways = run.seq, run.t_ns, run.direction
        if not consecutive(seqs) or times != sorted(times):
            return None
        said = filled(run)
        persons, confidences = said["persons"], said["confidence"]
        ins: list[int] = [way == "in" for way in ways]
        if run.persons:
            ins = list(map(mul, persons, ins))
            unsure = list(map(doubt, persons, confidences))
        else:  # each is one, as nearly always
            unsure = doubts_of_one(confidences)
        if "unknown" in ways:
            outs = list(map(mul, persons, [way == "out" for way in ways]))
        else:
            outs = list(map(sub, persons, ins))
        return cls(run, persons, ins, outs, unsure)

    def add_to(self, count: Count, part: slice) -> None:
        """Count in those of `part`, number by number as if they came singly."""
        ins, outs, unsure = self.ins[part], self.outs[part], self.doubts[part]
        in_, out = sum(ins), sum(outs)
        count.in_ += in_
        count.out += out
        count.unknown += sum(self.persons[part]) - in_ - out
        count.variance_in = reduce(add, compress(unsure, ins), count.variance_in)
        count.variance_out = reduce(add, compress(unsure, outs), count.variance_out)

    def moves(self) -> tuple[list[float], list[float], list[float]]:
        """In, out and doubt of each; half of those whose direction is not known went each way, as far as we know."""
        ins: list[float] = [*self.ins]
        outs: list[float] = [*self.outs]
        unsure = [*self.doubts]
        if "unknown" in self.run.direction:
            for at, way in enumerate(self.run.direction):
                if way == "unknown":
                    ins[at] = outs[at] = self.persons[at] / 2
                    unsure[at] = self.persons[at]
        return ins, outs, unsure
