"""Persons from devices that only ever tell how many they have seen since they were switched on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edge.clock import Instant
from edge.drafts import Reading, When
from firmware_cfg.times import NS_PER_S

AT_ONCE_MAX = 30
"""So many persons are plausible in no time: a device may count a group before it tells."""
UNKNOWN_NS = 24 * 3600 * NS_PER_S
"""The time since an earlier run, where a clock was not set: long enough that nothing is thrown away."""


@dataclass(frozen=True, slots=True)
class RawReading:
    """What the device said, and when."""

    t_ns: int
    in_: int
    out: int


@dataclass(frozen=True, slots=True)
class Counted:
    """Persons since the reading before. `reset`: the device had started again from zero, or is another one."""

    t_ns: int
    in_: int
    out: int
    raw_in: int
    raw_out: int
    reset: bool

    def told(self, when: When) -> Reading:
        fields = {"in": self.in_, "out": self.out, "raw_in": self.raw_in, "raw_out": self.raw_out, "reset": self.reset}
        return Reading("counter", when, fields, self.in_, self.out)


class CumulativeCounter:
    """Differences of a counter's readings.

    A register of `bits` that went past its end is told from a device that started again by how many persons that would
    be for the time elapsed (`persons_per_minute_max` each way). After a new start all that the device then shows was
    counted since, unless that is too much as well: then it is another device, and only a new beginning.

    A single reading that fits neither is not believed; it takes the next one to confirm it. `last` is the last reading
    that was counted; carried over from an earlier run, what passed meanwhile is counted too. The very first reading of
    all is where counting begins, and gives zeros.
    """

    def __init__(self, bits: int, persons_per_minute_max: float) -> None:
        self.last: RawReading | None = None
        self._resumed: Instant | None = None
        self._end = 1 << bits
        self._per_ns = persons_per_minute_max / 60 / NS_PER_S
        self._doubtful: RawReading | None = None

    def feed(self, reading: RawReading) -> Counted | None:
        """What that reading adds, or None where it adds nothing (yet)."""
        if self.last is None:
            return self._accept(reading, 0, 0, reset=False)
        steps = self._steps(self.last, reading)
        if steps is not None:
            self._doubtful = None
            if steps == (0, 0):
                self.last = reading
                return None
            return self._accept(reading, *steps, reset=False)
        doubtful, self._doubtful = self._doubtful, reading
        if doubtful is None or self._steps(doubtful, reading) is None:
            return None
        self._doubtful = None
        since_start = max(reading.in_, reading.out) <= self._plausible(reading.t_ns - self.last.t_ns)
        steps = (reading.in_, reading.out) if since_start else self._steps(doubtful, reading) or (0, 0)
        return self._accept(reading, *steps, reset=True)

    def resume(self, memo: dict[str, Any] | None, now: Instant) -> None:
        """Go on from what an earlier run's `memo` gave, on the present clock."""
        self._resumed = now
        if memo is None:
            return
        if memo["boot"] == now.boot:
            elapsed_ns = now.mono_ns - memo["mono_ns"]
        elif memo["synced"] and now.synced:
            elapsed_ns = now.wall_ns - memo["wall_ns"]
        else:
            elapsed_ns = UNKNOWN_NS
        self.last = RawReading(now.mono_ns - max(0, elapsed_ns), memo["in"], memo["out"])

    def memo(self) -> dict[str, Any] | None:
        """In JSON's types; None before the first reading."""
        last, now = self.last, self._resumed
        if last is None or now is None:
            return None
        clocks = {"boot": now.boot, "mono_ns": last.t_ns, "wall_ns": now.wall_at(last.t_ns), "synced": now.synced}
        return {**clocks, "in": last.in_, "out": last.out}

    def _accept(self, reading: RawReading, in_: int, out: int, *, reset: bool) -> Counted:
        self.last = reading
        return Counted(reading.t_ns, in_, out, reading.in_, reading.out, reset)

    def _steps(self, before: RawReading, after: RawReading) -> tuple[int, int] | None:
        """Persons in and out between two readings of one run of the device, or None where it cannot have been one."""
        limit = self._plausible(after.t_ns - before.t_ns)
        steps = ((after.in_ - before.in_) % self._end, (after.out - before.out) % self._end)
        backwards = after.in_ < before.in_ or after.out < before.out
        # After a long time anything is plausible; a device that was switched off overnight is likelier than most of
        # the way round.
        if max(steps) > limit or (backwards and max(steps) > self._end // 4):
            return None
        return steps

    def _plausible(self, elapsed_ns: int) -> float:
        return AT_ONCE_MAX + self._per_ns * max(0, elapsed_ns)
