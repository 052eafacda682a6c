"""What a recording's rows are fed to in place of a live sensor's: a door, or a serial device without its port."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any, Protocol

from edge.clock import Instant
from edge.counting import FOREVER_NS, Door, DoorSettings
from edge.drafts import Noticed, Reading, SensorStats
from edge.sensors.counts import Tally, begun_anew, readings, restored_door
from edge.sensors.serial_port import Device, Found
from edge.sensors.taps import Signals, Tap
from edge.trace import Edge, Row, SerialBytes, TraceHeader
from firmware_cfg.times import NS_PER_S

Told = list[Reading | Noticed]
SILENCE_NS = 120 * NS_PER_S
"""After so long without bytes no device has anything left to tell."""


class Feed(Protocol):
    """Takes rows in the order of time. What comes out is dated in UTC, and depends on the rows alone."""

    def takes(self, row: Row) -> bool:
        """Whether such a row is for it; others are skipped."""
        ...

    def begin(self, t0_ns: int, fed: Iterable[Row]) -> None:
        """Rows count from that UTC; `fed` are those that were fed before `memo`. Comes before all else."""
        ...

    def feed(self, row: Row) -> Told: ...

    def advance(self, t_ns: int) -> Told:
        """No row before that time is still to come."""
        ...

    def finish(self) -> Told:
        """No row is still to come."""
        ...

    @property
    def now_ns(self) -> int:
        """Of the last row, or of what was decided since."""
        ...

    @property
    def wake_ns(self) -> int:
        """`advance` has nothing to do before this time."""
        ...

    def memo(self) -> dict[str, Any]: ...

    def stats(self) -> SensorStats: ...


class DoorFeed:
    """Edges for the counting core. Its state is in the memo, so that rows fed before need not be fed again."""

    def __init__(
        self, sensor: str, settings: DoorSettings, header: TraceHeader, memo: dict[str, Any], tap: Tap
    ) -> None:
        self._settings = settings
        self._levels = header.levels
        self._tap = tap
        self._tally = Tally(settings.debounce_ns)
        self._t0_ns = 0
        before = header.segment.state if header.segment else None
        known = memo.get("door") or before
        restored = restored_door(known, sensor)
        self._door = restored or Door(settings, header.levels, header.segment.begin_ns if header.segment else 0)
        self._forgot = known is not None and restored is None
        self._resumed = restored is not None
        if memo:
            self._tally.restore(memo["tally"])

    def takes(self, row: Row) -> bool:
        return isinstance(row, Edge)

    def begin(self, t0_ns: int, fed: Iterable[Row]) -> None:
        deque(fed, maxlen=0)
        self._t0_ns = t0_ns
        known, door = self._settings, self._door
        signals = Signals(door.snapshot, t0_ns, known.separation_m, known.debounce_ns, self._levels)
        self._tap.begin(signals, door.snapshot() if self._resumed else None, door.now_ns)

    def feed(self, row: Row) -> Told:
        if not isinstance(row, Edge):
            raise TypeError("received bytes are for serial devices")
        t_ns, line, level = row
        if self._forgot:
            self._forgot = False
            return begun_anew(self._tally, self._t0_ns + t_ns) + self.feed(row)
        self._tally.edge(t_ns, line)
        self._tap.edge(t_ns, line, level)
        return self._told(self._door.feed(t_ns, line, level))

    def advance(self, t_ns: int) -> Told:
        return self._told(self._door.advance(t_ns))

    def finish(self) -> Told:
        return self._told(self._door.finish())

    @property
    def now_ns(self) -> int:
        return self._door.now_ns

    @property
    def wake_ns(self) -> int:
        return self._door.wake_ns

    def memo(self) -> dict[str, Any]:
        return {"door": self._door.snapshot(), "tally": self._tally.memo()}

    def stats(self) -> SensorStats:
        return self._tally.stats()

    def _told(self, found: list[Any]) -> Told:
        return readings(found, lambda t_ns: self._t0_ns + t_ns, self._tally)


class DeviceFeed:
    """Received bytes for a serial device. What it had seen when it was stopped, it is shown again."""

    def __init__(self, device: Device, tap: Tap) -> None:
        self._device = device
        self._tap = tap
        self._t0_ns = 0
        self._now_ns = 0

    def takes(self, row: Row) -> bool:
        return isinstance(row, SerialBytes)

    def begin(self, t0_ns: int, fed: Iterable[Row]) -> None:
        self._t0_ns = t0_ns
        self._device.resume(None, Instant("", 0, t0_ns, synced=True))
        for row in fed:
            self._see(row)
        self._tap.begin(Signals(self._device.memo, t0_ns), self._device.memo(), self._now_ns)

    def feed(self, row: Row) -> Told:
        if isinstance(row, SerialBytes):
            self._tap.data(row.t_ns, row.data)
        return self._told(self._see(row))

    def advance(self, t_ns: int) -> Told:  # noqa: ARG002 - time passes with its rows, so that only they matter
        return []

    def finish(self) -> Told:
        return self._told(self._device.advance(self._now_ns + SILENCE_NS))

    @property
    def now_ns(self) -> int:
        return self._now_ns

    @property
    def wake_ns(self) -> int:
        return FOREVER_NS

    def memo(self) -> dict[str, Any]:
        return {}

    def stats(self) -> SensorStats:
        """As `SerialSensor.stats`."""
        frames = self._device.frames
        return SensorStats(edges=frames.good, lost_edges=frames.bad, chatter=frames.noise)

    def _see(self, row: Row) -> list[Found]:
        if not isinstance(row, SerialBytes):
            raise TypeError("edges are for doors")
        self._now_ns = row.t_ns
        return [*self._device.feed(row.data, row.t_ns), *self._device.advance(row.t_ns)]

    def _told(self, found: Iterable[Found]) -> Told:
        return [item.told(self._t0_ns + item.t_ns) for item in found]
