"""One door: edges in, passages out.

Compiled by Cython with the types in `door.pxd`; the same source runs uncompiled.
"""

from __future__ import annotations

from array import array
from math import nan
from typing import TYPE_CHECKING, Any

from edge.counting.model import (
    FOREVER_NS,
    LINES,
    T_NS_LIMIT,
    Columns,
    DoorSettings,
    EdgeError,
    Fault,
    Passage,
    SnapshotError,
)

from .found import Found
from .health import Health
from .pulses import Beams
from .window import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

_T_NS_LIMIT = T_NS_LIMIT
_SNAPSHOT_VERSION = 4
_EDGES_A_PASSAGE = 4  # where all come one by one


class Door:
    """Counts at one pair of beams, from edges in the order of time.

    Lines are 0 (outer) and 1 (inner), levels 1 (blocked) and 0. `levels` are the lines' levels at `since_ns`, before
    the first edge; a beam blocked from the start counts from its first clearing on. What comes out depends on the edges
    alone: not on how often `advance` is called, nor on whether they came one by one or by `replay`. State is bounded
    whatever comes in.
    """

    __slots__ = ("beams", "found", "health", "now_ns", "settings", "wake_ns", "window")

    def __init__(
        self,
        settings: DoorSettings = DoorSettings(),  # noqa: B008 - frozen
        levels: tuple[int, int] = (0, 0),
        since_ns: int = 0,
    ) -> None:
        self.settings = settings
        self.beams = Beams(settings.debounce_ns, levels)
        self.window = Window(settings)
        self.health = Health(settings, levels, since_ns)
        self.now_ns = 0
        """Of the last edge, or of what was decided since."""
        self.wake_ns = self.health.deadline_ns
        """`advance` has nothing to do before this time; FOREVER_NS where all is decided."""
        self.found = Found()

    def feed(self, t_ns: int, line: int, level: int) -> list[Passage | Fault]:
        """Take one edge; returns what has become certain by `t_ns`.

        Raises EdgeError, with nothing changed, for a time beyond 0..2^62 or before the last edge, or before a decision
        that `advance` took; and for a line or level other than 0 and 1. A level that repeats is a Fault, and no edge.
        """
        self._check(t_ns, line, level)
        self._edge(t_ns, line, level)
        return self.found.take()

    def advance(self, now_ns: int) -> list[Passage | Fault]:
        """No edge before `now_ns` is still to come; returns what that makes certain.

        A time before the last edge tells nothing and is ignored; one beyond 0..2^62 raises EdgeError.
        """
        if type(now_ns) is not int or not 0 <= now_ns < T_NS_LIMIT:
            raise EdgeError(f"time {now_ns!r}: expected nanoseconds, an integer from 0 to below 2^62")
        if now_ns >= self.wake_ns:
            self._run_until(now_ns)
        return self.found.take()

    def finish(self) -> list[Passage | Fault]:
        """Let time go on until all is decided; a beam that stays blocked is left so. Edges may follow later."""
        while self.wake_ns != FOREVER_NS:
            self._run_until(self.wake_ns)
        return self.found.take()

    def replay(self, t_ns: Sequence[int], line: Sequence[int], level: Sequence[int]) -> Columns:
        """Take many edges, a column each; returns in columns what `feed` would have returned one by one.

        Raises EdgeError as `feed` does, for the first bad edge: those before it are counted and their passages lost.
        Columns of 64-bit times ("q"), and of lines and levels a byte each ("b"), such as arrays, are read as they lie.
        """
        if not len(t_ns) == len(line) == len(level):
            raise EdgeError(f"columns of {len(t_ns)}, {len(line)} and {len(level)} edges: expected the same number")
        if _packed(t_ns, "q") and _packed(line, "b") and _packed(level, "b"):
            self._take(t_ns, line, level)
        else:
            for index in range(len(t_ns)):
                t, which, value = t_ns[index], line[index], level[index]
                self._check(t, which, value)
                self._edge(t, which, value)
        return self.found.columns()

    def _take(self, t_ns: Any, line: Any, level: Any) -> None:
        """Columns that hold 64-bit times, and lines and levels of a byte."""
        self.found.reserve(len(t_ns) // _EDGES_A_PASSAGE)
        for index in range(len(t_ns)):
            t, which, value = t_ns[index], line[index], level[index]
            if not self.now_ns <= t < _T_NS_LIMIT or (which | value) & ~1:
                self._check(t, which, value)
            self._edge(t, which, value)

    def _check(self, t_ns: Any, line: Any, level: Any) -> None:
        if type(t_ns) is not int or not 0 <= t_ns < T_NS_LIMIT:
            raise EdgeError(f"edge at {t_ns!r}: expected nanoseconds, an integer from 0 to below 2^62")
        if t_ns < self.now_ns:
            raise EdgeError(f"edge at {t_ns} ns: time runs backwards, {self.now_ns} ns has passed")
        if not isinstance(line, int) or not 0 <= line <= 1:
            raise EdgeError(f"edge at {t_ns} ns on line {line!r}: expected 0 (outer) or 1 (inner)")
        if not isinstance(level, int) or not 0 <= level <= 1:
            raise EdgeError(f"edge at {t_ns} ns to level {level!r}: expected 1 (blocked) or 0 (clear)")

    def _edge(self, t_ns: int, line: int, level: int) -> None:
        if t_ns >= self.wake_ns:
            self._run_until(t_ns)
        self.now_ns = t_ns
        if self.beams.raw[line] == level:
            self._repeated(t_ns, line)
        else:
            self.beams.change(line, t_ns)
            self.wake_ns = min(self.wake_ns, self.beams.settle_ns[line])

    def _repeated(self, t_ns: int, line: int) -> None:
        self.found.fault(Fault(t_ns, "repeated_level", LINES[line]))
        self.health.lost(line, t_ns)
        self._noticed()

    def _run_until(self, t_ns: int) -> None:
        """Do all that is due by `t_ns`, each thing at its own time."""
        while True:
            settle_ns = min(self.beams.settle_ns[0], self.beams.settle_ns[1])
            # A deadline that an edge has just set in the past is due now, and not before the other line's edge of now.
            decide_ns = max(self.now_ns, self.window.deadline_ns)
            due_ns = min(settle_ns, decide_ns, self.health.deadline_ns)
            if due_ns > t_ns:
                break
            self.now_ns = due_ns
            if settle_ns == due_ns:
                self._settle(self._first_line())
            elif decide_ns == due_ns:
                self._decide()
            else:
                self.health.wake(due_ns)
            if self.health.found:
                self._noticed()
        self.wake_ns = due_ns

    def _first_line(self) -> int:
        """The line that settles next.

        Of two that change at once, the one that clears comes first, and the one blocked for longer. So swapping the
        lines changes nothing but the directions.
        """
        settle0_ns, settle1_ns = self.beams.settle_ns[0], self.beams.settle_ns[1]
        if settle0_ns != settle1_ns:
            return 1 if settle1_ns < settle0_ns else 0
        if self.beams.raw[0] != self.beams.raw[1]:
            return 1 if self.beams.raw[1] < self.beams.raw[0] else 0
        return 1 if self.health.inner.open_ns < self.health.outer.open_ns else 0

    def _settle(self, line: int) -> None:
        health, burst_ns, changes = self.health, self.beams.burst_ns[line], self.beams.changes[line]
        if not self.beams.settle(line):
            if self.beams.level[line]:
                health.flicker(line, changes)
        elif self.beams.level[line]:
            health.rise(line, burst_ns, changes)
            if health.out < 0:
                self.window.rise(line, burst_ns)
        else:
            health.fall(line, burst_ns, changes)
            self.window.fall(line, burst_ns)  # of no rise, where there was one beam only

    def _decide(self) -> None:
        first = self.found.count
        self.window.decide(self.now_ns, self.found)
        for number in range(first, self.found.count):
            inward, persons = self.found.direction[number] > 0, self.found.persons[number]
            self.health.passed(self.found.t_ns[number], inward, persons)

    def _noticed(self) -> None:
        """Take over what the door noticed about its own beams."""
        for item in self.health.take():
            if isinstance(item, Fault):
                self.found.fault(item)
            else:
                self.found.passage(item.t_ns, 0, item.persons, nan, nan, item.confidence, self.found.count)

    def snapshot(self) -> dict[str, Any]:
        """The whole state in JSON's types: a door made by `restore` from it carries on as this one would."""
        return {
            "version": _SNAPSHOT_VERSION,
            "separation_m": self.settings.separation_m,
            "debounce_ns": self.settings.debounce_ns,
            "now_ns": self.now_ns,
            "wake_ns": self.wake_ns,
            "beams": self.beams.snapshot(),
            "window": self.window.snapshot(),
            "health": self.health.snapshot(),
        }

    @classmethod
    def restore(cls, snapshot: dict[str, Any]) -> Door:
        """A door in the state of `snapshot`; raises SnapshotError where that is no snapshot of this version."""
        try:
            version = snapshot["version"]
        except (KeyError, TypeError) as error:
            raise SnapshotError(f"no snapshot of a door: {error!r}") from error
        if version != _SNAPSHOT_VERSION:
            raise SnapshotError(f"snapshot version {version!r}: this core reads {_SNAPSHOT_VERSION}")
        try:
            door = cls(DoorSettings(snapshot["separation_m"], snapshot["debounce_ns"]))
            door.now_ns = snapshot["now_ns"]
            door.wake_ns = snapshot["wake_ns"]
            door.beams.restore(snapshot["beams"])
            door.window.restore(snapshot["window"])
            door.health.restore(snapshot["health"])
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise SnapshotError(f"no snapshot of a door: {error!r}") from error
        return door

    @classmethod
    def succeed(cls, snapshot: dict[str, Any], settings: DoorSettings, levels: tuple[int, int], since_ns: int) -> Door:
        """A new door that knows what the one of `snapshot` had learned, on another clock: nobody is half way through.

        What people are like is forgotten where the settings are others. Faults that this ends are told by the next
        call. Raises SnapshotError as `restore` does.
        """
        before = cls.restore(snapshot)
        door = cls(settings, levels, since_ns)
        if before.settings == settings:
            door.window.habits.restore(before.window.habits.snapshot())
            door.window.habits.recent_ns = since_ns
        door.health.succeed(before.health.snapshot(), since_ns)
        door._noticed()
        door.wake_ns = door.health.deadline_ns
        return door


def _packed(column: Any, typecode: str) -> bool:
    """Whether a column's buffer holds just that type, one after the other."""
    if isinstance(column, array):
        return column.typecode == typecode
    try:
        view = memoryview(column)
    except TypeError:
        return False
    return view.format in (typecode, "l" if typecode == "q" else typecode) and view.contiguous and view.ndim == 1
