"""What a door has found and not told yet, in columns that grow.

Compiled by Cython with the types in `found.pxd`; the same source runs uncompiled.
"""

from __future__ import annotations

from array import array
from typing import Any

from edge.counting.model import Columns, Fault, Passage, passage_of

_ROOM = 16


class Found:
    """Passages, `count` of them, and faults, each of which knows how many passages were found before it."""

    __slots__ = (
        "confidence",
        "correction",
        "count",
        "direction",
        "faults",
        "length_m",
        "persons",
        "room",
        "speed_m_s",
        "t_ns",
        "variance",
    )

    def __init__(self) -> None:
        self.count = 0
        self.room = _ROOM
        self.t_ns = array("q", [0]) * _ROOM
        self.direction = array("b", [0]) * _ROOM
        self.persons = array("i", [0]) * _ROOM
        self.speed_m_s = array("d", [0.0]) * _ROOM
        self.length_m = array("d", [0.0]) * _ROOM
        self.confidence = array("d", [0.0]) * _ROOM
        self.correction = array("d", [0.0]) * _ROOM
        self.variance = array("d", [0.0]) * _ROOM
        self.faults: list[tuple[int, Fault]] = []

    def passage(
        self, t_ns: int, direction: int, persons: int, speed_m_s: float, length_m: float, confidence: float, first: int
    ) -> None:
        """Add one, in the order of time among those from number `first` on; of two at once the later is 1 ns later."""
        if self.count == self.room:
            self._make_room(2 * self.room)
        at = self.count
        while at > first and self.t_ns[at - 1] > t_ns:
            self.t_ns[at], self.direction[at] = self.t_ns[at - 1], self.direction[at - 1]
            self.persons[at], self.confidence[at] = self.persons[at - 1], self.confidence[at - 1]
            self.speed_m_s[at], self.length_m[at] = self.speed_m_s[at - 1], self.length_m[at - 1]
            at -= 1
        if at > first and self.t_ns[at - 1] == t_ns:
            t_ns += 1
        self.count += 1
        self.t_ns[at], self.direction[at], self.persons[at] = t_ns, direction, persons
        self.speed_m_s[at], self.length_m[at], self.confidence[at] = speed_m_s, length_m, confidence
        self.correction[self.count - 1] = self.variance[self.count - 1] = 0.0

    def reserve(self, room: int) -> None:
        """Have room for so many passages at least."""
        if room > self.room:
            self._make_room(room)

    def _make_room(self, room: int) -> None:
        self.room = room
        self.t_ns = _longer("q", self.t_ns, room)
        self.direction = _longer("b", self.direction, room)
        self.persons = _longer("i", self.persons, room)
        self.speed_m_s = _longer("d", self.speed_m_s, room)
        self.length_m = _longer("d", self.length_m, room)
        self.confidence = _longer("d", self.confidence, room)
        self.correction = _longer("d", self.correction, room)
        self.variance = _longer("d", self.variance, room)

    def fault(self, fault: Fault) -> None:
        self.faults.append((self.count, fault))

    def take(self) -> list[Passage | Fault]:
        """All, in the order in which they were found; none are left."""
        told: list[Passage | Fault] = []
        faults = self.faults
        if not self.count and not faults:
            return told
        self.faults = []
        due = 0
        for at in range(self.count):
            while due < len(faults) and faults[due][0] <= at:
                told.append(faults[due][1])
                due += 1
            told.append(
                passage_of(
                    self.t_ns[at],
                    self.direction[at],
                    self.persons[at],
                    self.speed_m_s[at],
                    self.length_m[at],
                    self.confidence[at],
                    self.correction[at],
                    self.variance[at],
                )
            )
        told.extend([fault for _, fault in faults[due:]])
        self.count = 0
        return told

    def columns(self) -> Columns:
        """The same in columns; none are left."""
        columns = Columns()
        for column, told in (
            (columns.t_ns, self.t_ns),
            (columns.direction, self.direction),
            (columns.persons, self.persons),
            (columns.speed_m_s, self.speed_m_s),
            (columns.length_m, self.length_m),
            (columns.confidence, self.confidence),
            (columns.correction, self.correction),
            (columns.variance, self.variance),
        ):
            column.frombytes(memoryview(told)[: self.count].cast("B"))
        columns.faults.extend([fault for _, fault in self.faults])
        self.faults = []
        self.count = 0
        return columns


def _longer(typecode: Any, column: Any, room: int) -> Any:
    longer = array(typecode, [0]) * room
    memoryview(longer)[: len(column)] = memoryview(column)
    return longer
