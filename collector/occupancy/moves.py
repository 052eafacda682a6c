"""A hub's moves in order, in a quarter of the memory that they take as objects: there are thousands a hub."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from collector.occupancy.state import Columns, MoveRun, Plain


class Moves:
    """Ordered by time, epoch and number, which name a move; each is kept once. Columns of numbers, 50 bytes a move."""

    __slots__ = ("_doors", "_doubts", "_epochs", "_ins", "_outs", "_seqs", "_times")

    def __init__(self) -> None:
        self._times, self._seqs = array("q"), array("q")
        self._epochs: list[str] = []  # few, and shared
        self._doors = array("H")
        self._ins, self._outs, self._doubts = array("d"), array("d"), array("d")

    def __len__(self) -> int:
        return len(self._times)

    @property
    def last_ns(self) -> int:
        """The time of the last; 0 where there is none."""
        return self._times[-1] if self._times else 0

    def add(self, move: Plain) -> int | None:
        """Its place now; None where it was there already."""
        t_ns, epoch, seq, door, in_, out, doubt = move
        times = self._times
        if not times or t_ns > times[-1]:  # as nearly always
            times.append(t_ns)
            self._epochs.append(epoch)
            self._seqs.append(seq)
            self._doors.append(door)
            self._ins.append(in_)
            self._outs.append(out)
            self._doubts.append(doubt)
            return len(times) - 1
        at = bisect_left(times, t_ns)
        while at < len(times) and times[at] == t_ns and (self._epochs[at], self._seqs[at]) < (epoch, seq):
            at += 1
        if at < len(times) and (times[at], self._epochs[at], self._seqs[at]) == move[:3]:
            return None
        times.insert(at, t_ns)
        self._epochs.insert(at, epoch)
        self._seqs.insert(at, seq)
        self._doors.insert(at, door)
        self._ins.insert(at, in_)
        self._outs.insert(at, out)
        self._doubts.insert(at, doubt)
        return at

    def add_later(self, run: MoveRun) -> bool:
        """Add them all; False, and nothing is added, where one may be no later than those that are there."""
        if run.times[0] <= self.last_ns:
            return False
        self._times.fromlist(run.times)
        self._epochs += [run.epoch] * len(run.times)
        self._seqs.fromlist(run.seqs)
        self._doors.extend(array("H", [run.door]) * len(run.times))
        self._ins.fromlist(run.ins)
        self._outs.fromlist(run.outs)
        self._doubts.fromlist(run.doubts)
        return True

    def before(self, t_ns: int) -> int:
        """How many are earlier."""
        return bisect_left(self._times, t_ns)

    def walk(self, first: int, end: int) -> Iterator[Plain]:
        """Those at `first` until before `end`."""
        columns = (self._times, self._epochs, self._seqs, self._doors, self._ins, self._outs, self._doubts)
        return zip(*(column[first:end] for column in columns), strict=True)

    def columns(self, first: int, end: int) -> tuple[Sequence[int], Columns]:
        """Times and columns of the same."""
        doors, ins, outs, doubts = self._doors, self._ins, self._outs, self._doubts
        part = slice(first, end)
        return self._times[part], (doors[part].tolist(), ins[part].tolist(), outs[part].tolist(), doubts[part].tolist())

    def drop(self, count: int) -> None:
        """Forget the first so many."""
        for column in (self._times, self._epochs, self._seqs, self._doors, self._ins, self._outs, self._doubts):
            del column[:count]
