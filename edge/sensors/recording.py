"""A recording in place of a sensor: dated as it was recorded, whatever the speed it is fed with."""

from __future__ import annotations

import hashlib
import logging
import math
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from edge.clock import Instant
from edge.counting import DoorSettings
from edge.drafts import Mark, Noticed, Reading, SensorStats
from edge.sensors.beams import door_settings
from edge.sensors.feeds import DeviceFeed, DoorFeed, Feed
from edge.sensors.kinds import make_device
from edge.sensors.taps import NO_TAP, Tap
from edge.trace import Row, TornError, TraceError, TraceHeader, TraceReader, open_trace
from firmware_cfg.errors import ConfigError
from firmware_cfg.schema import BeamPair, Sensor

log = logging.getLogger(__name__)

CHUNK_ROWS = 500
"""How much is fed at once; between chunks the unit does its other work."""


def checked_digest(path: Path) -> str:
    """Names a recording by its content: a copy is the same one. Every row of it has been read and is a good one.

    Raises TraceError. What is no regular file cannot be read again after a crash, and is refused.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise TraceError(f"{path}: is no regular file: a unit reads a recording more than once; write it to a file")
        with path.open("rb") as file:
            name = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError as error:
        raise TraceError(f"{path}: cannot be read ({error.strerror})") from error
    with open_trace(path) as trace:
        try:
            deque(trace, maxlen=0)
        except TornError as error:
            if trace.header.segment is None:
                raise
            log.warning("%s (a power cut, or it is being written); the rows before that are fed", error)
    return name


def whole_rows(trace: TraceReader) -> Iterator[Row]:
    """A recording's rows; of a unit's own segment, which a power cut may have torn, those that are whole."""
    try:
        yield from trace
    except TornError:
        if trace.header.segment is None:
            raise


class RecordingSensor:
    """Feeds a recording once, `speed` times as fast as it was made (`math.inf`: as fast as it goes).

    A beam pair is fed edges, a serial device the bytes it had sent. `memo` is that of the same file, from which it goes
    on. Raises TraceError where the file cannot be opened, ConfigError where the sensor is of a kind without recordings.
    Its rows are taken to be good, which `checked_digest` makes sure of; only one that changes meanwhile fails later.
    """

    can_wait = True

    def __init__(
        self, config: Sensor, path: Path, speed: float, memo: dict[str, Any] | None = None, tap: Tap = NO_TAP
    ) -> None:
        self.name = config.name
        self.failed = False
        self._path = path
        self._speed = speed
        self._trace = open_trace(path)
        header = self._trace.header
        self._begin_ns = header.segment.begin_ns if header.segment else 0
        self._finished, self._fed, self._t0_ns = False, 0, header.t0_ns
        if memo:
            self._finished, self._fed, self._t0_ns = memo["finished"], memo["fed"], memo["t0_ns"]
        try:
            self._feed = make_feed(config, header, memo or {}, tap)
        except ConfigError:
            self._trace.close()
            raise
        self._rows: Iterator[Row] = filter(self._feed.takes, whole_rows(self._trace))
        self._next: Row | None = None
        self._pace: tuple[int, int] | None = None
        """Monotonic time at which feeding began, and the recording's time then."""

    @property
    def finished(self) -> bool:
        return self._finished

    @property
    def t0_ns(self) -> int | None:
        """UTC at which the recording begins; None until it is fed where it does not say so itself."""
        return self._t0_ns

    def open(self, now: Instant) -> None:
        if self._t0_ns is None:
            self._t0_ns = now.wall_ns
        if self._finished:
            return
        try:
            self._feed.begin(self._t0_ns, islice(self._rows, self._fed))
        except TraceError as error:
            raise AssertionError(f"{self._path} was read before and has not changed") from error
        if self._fed:
            log.warning("sensor %s: %s goes on after %d rows", self.name, self._path, self._fed)
        self._pace = now.mono_ns, max(self._feed.now_ns, self._begin_ns)

    def poll(self, now: Instant) -> list[Reading | Noticed]:
        found: list[Reading | Noticed] = []
        if self._finished or self._pace is None:
            return found
        until_ns = self._reached_ns(now)
        try:
            for _ in range(CHUNK_ROWS):
                row = self._next or next(self._rows, None)
                self._next = row
                if row is None:
                    found += self._feed.finish()
                    self._end()
                    log.warning("sensor %s: %s is fed to its end, %d rows", self.name, self._path, self._fed)
                    return found
                if row.t_ns > until_ns:
                    found += self._feed.advance(int(until_ns))
                    return found
                self._next = None
                found += self._feed.feed(row)
                self._fed += 1
        except TraceError as error:
            log.error("%s", error)  # noqa: TRY400 - for people, not for programmers
            found += self._feed.finish()
            found.append(Noticed("recording_damaged", Mark(now.boot, now.mono_ns), None, str(error)))
            self.failed = True
            self._end()
        return found

    def due_ns(self) -> int | None:
        if self._finished or self._pace is None:
            return None
        began_ns, from_ns = self._pace
        if self._next is None or math.isinf(self._speed):
            return began_ns
        t_ns = min(self._next.t_ns, self._feed.wake_ns)
        return began_ns + math.ceil((t_ns - from_ns) / self._speed)

    def memo(self) -> dict[str, Any]:
        known = {"finished": self._finished, "fed": self._fed, "t0_ns": self._t0_ns, **self._feed.memo()}
        return {**known, "door": None} if self._finished else known

    def stats(self) -> SensorStats:
        return self._feed.stats()

    def close(self) -> None:
        self._pace = None
        self._trace.close()

    def _reached_ns(self, now: Instant) -> float:
        began_ns, from_ns = self._pace or (0, 0)
        return from_ns + (now.mono_ns - began_ns) * self._speed if math.isfinite(self._speed) else math.inf

    def _end(self) -> None:
        self._finished = True
        self._trace.close()


def make_feed(config: Sensor, header: TraceHeader, memo: dict[str, Any], tap: Tap) -> Feed:
    """What that sensor's recordings are fed to; raises ConfigError where its kind has none."""
    if isinstance(config, BeamPair):
        settings = door_settings(config)
        if header.separation_m is not None:
            settings = DoorSettings(header.separation_m, settings.debounce_ns)
        return DoorFeed(config.name, settings, header, memo, tap)
    device = make_device(config)
    if device is None:
        raise ConfigError(
            f"sensor {config.name!r} is a {config.kind}; recordings can be fed to beam pairs and to serial counters"
        )
    return DeviceFeed(device, tap)
