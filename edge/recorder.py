"""The raw signals of the last day, so that what was counted can be counted again.

A sensor's recording is a folder of segments, `00000017.jsonl.gz` and so on: traces that also know in which state the
core was when they began, and which segment they follow (`Segment`). Rows are packed in memory and written by `memo`,
just before the outbox stores the events that came of them and where the recordings stand. So a segment never holds less
than what was published, and where it holds more, because of a crash, the next one says from where on.

Nothing here keeps a sensor from counting: what cannot be written is counted, told once, and left out.
"""

from __future__ import annotations

import logging
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.clock import Instant
from edge.errors import StateError
from edge.sensors.taps import Signals, Tap, Taps, Zero
from edge.trace import Edge, Row, Segment, SerialBytes, TraceError, TraceHeader, open_trace
from edge.trace.segments import SUFFIX, number_of
from edge.trace.text import header_line, row_line
from firmware_cfg.times import NS_PER_S

log = logging.getLogger(__name__)

MIB = 1024 * 1024
HOUR_NS = 3600 * NS_PER_S
RETRY_NS = 60 * NS_PER_S
_GZIP = 31


@dataclass(frozen=True, slots=True)
class RingSettings:
    """How much is kept: signals of so long, in files of so many bytes together.

    A sensor's share is cut into `pieces`, of which the oldest goes as a whole.
    """

    keep_ns: int = 24 * HOUR_NS
    limit_bytes: int = 256 * MIB
    pieces: int = 24


@dataclass(slots=True)
class _File:
    """A segment on disk or on its way there; `begin_ns` is UTC, None where nobody vouched for it."""

    path: Path
    begin_ns: int | None
    size: int = 0
    rows: int = 0
    packed: bytearray = field(default_factory=bytearray)
    whole: bool = False
    packer: Any = None

    def put(self, line: str) -> None:
        self.packed += self.packer.compress(f"{line}\n".encode())

    def end(self) -> None:
        if not self.whole:
            self.packed += self.packer.flush()
            self.whole = True

    def write(self) -> None:
        """Have all lines so far on disk; raises OSError."""
        if not self.whole:
            self.packed += self.packer.flush(zlib.Z_SYNC_FLUSH)
        if self.packed:
            with self.path.open("ab" if self.size else "xb") as file:
                file.write(self.packed)
            self.size += len(self.packed)
            self.packed.clear()


class Recorder(Taps):
    """All recordings of a unit; raises StateError where the folder cannot be used at first."""

    def __init__(self, folder: Path, settings: RingSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or RingSettings()
        self.boot = ""
        self.zero: Zero = (0, False)
        self._folder = folder
        self._taps: dict[str, _SensorTap] = {}
        self._retry_ns: int | None = None
        self._now_ns = 0
        self._trouble = ""
        self._told: list[str] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StateError(f"--record {folder}: cannot be made ({error.strerror}); give a folder that can") from error

    def resume(self, memo: Any, now: Instant, zero: Zero) -> None:
        super().resume(memo or {}, now, zero)
        self.boot, self.zero = now.boot, zero

    def tap(self, sensor: str) -> Tap:
        if sensor not in self._taps:
            self._taps[sensor] = _SensorTap(self, self._folder / sensor, sensor, self._memo.get(sensor))
        return self._taps[sensor]

    def look(self, now: Instant, zero: Zero) -> list[str]:
        self._now_ns = now.mono_ns
        if (now.boot, zero) != (self.boot, self.zero):
            self.boot, self.zero = now.boot, zero
            for tap in self._taps.values():
                tap.clock_set(now.mono_ns)
        if self._retry_ns is not None and now.mono_ns >= self._retry_ns:
            self._retry_ns = None
            for tap in self._taps.values():
                tap.try_again(now.mono_ns)
        self._write()
        if self._trouble and self._retry_ns is None:
            log.warning("recording goes on in %s", self._folder)
            self._trouble = ""
        for tap in self._taps.values():
            tap.drop_old(now.mono_ns)
        self._drop_surplus()
        told, self._told = self._told, []
        return told

    def memo(self) -> dict[str, list[int]]:
        """Writes what has come: never is more stored than recorded."""
        self._write()
        return {**self._memo, **{name: [*tap.stands] for name, tap in self._taps.items() if tap.stands}}

    def close(self) -> None:
        for tap in self._taps.values():
            tap.end()
        self._write()

    def _write(self) -> None:
        for tap in self._taps.values():
            try:
                tap.write()
            except OSError as error:
                tap.pause()
                self._retry_ns = self._now_ns + RETRY_NS
                self._tell(f"--record {self._folder}: {error.strerror or error}")

    def _tell(self, why: str) -> None:
        if why != self._trouble:
            self._trouble = why
            self._told.append(f"{why}; recording pauses, counting goes on")
            log.error("%s", self._told[-1])

    def _drop_surplus(self) -> None:
        """The oldest segment of whichever sensor has most, until all fit."""
        while self._taps and sum(tap.size for tap in self._taps.values()) > self.settings.limit_bytes:
            if not max(self._taps.values(), key=lambda tap: tap.size_whole).drop_oldest():
                return

    @property
    def segment_bytes(self) -> int:
        """How large a segment may become, so that all sensors together have some to drop."""
        return self.settings.limit_bytes // (self.settings.pieces * max(1, len(self._taps)))

    @property
    def segment_ns(self) -> int:
        """How long a segment may become."""
        return self.settings.keep_ns // self.settings.pieces


class _SensorTap(Tap):
    """One sensor's recording. `stands` is the last segment and how many of its rows are on disk."""

    def __init__(self, recorder: Recorder, folder: Path, sensor: str, memo: list[int] | None) -> None:
        self._recorder = recorder
        self._folder = folder
        self._sensor = sensor
        self._signals: Signals | None = None
        self._now_ns = 0
        self.stands: tuple[int, int] | None = (memo[0], memo[1]) if memo else None
        self._follows = self.stands
        """The last segment and its rows, on disk or not."""
        self._file: _File | None = None
        self._waiting: list[_File] = []
        self._begin_ns = 0
        self._lost = 0
        self._paused = False
        self._kept = [_on_disk(path) for path in sorted(folder.glob(f"*{SUFFIX}")) if number_of(path) is not None]
        numbers = [number_of(file.path) or 0 for file in self._kept]
        self._number = max([*numbers, memo[0] if memo else 0])

    # What a sensor calls

    def begin(self, signals: Signals, state: Any, now_ns: int) -> None:
        self._signals = signals
        self._now_ns = now_ns
        self._begin(state)

    def edge(self, t_ns: int, line: int, level: int) -> None:
        self._put(Edge(t_ns, line, level))

    def data(self, t_ns: int, data: bytes) -> None:
        self._put(SerialBytes(t_ns, data))

    def _put(self, row: Row) -> None:
        self._now_ns = row.t_ns
        file = self._file
        if self._signals is None or file is None:
            self._lost += 1
            return
        aged = row.t_ns - self._begin_ns >= self._recorder.segment_ns
        if file.rows and (aged or file.size + len(file.packed) > self._recorder.segment_bytes):
            file = self._begin(self._signals.snapshot())
        file.rows += 1
        file.put(row_line(row))
        self._follows = self._number, file.rows

    # What the recorder calls

    def clock_set(self, now_ns: int) -> None:
        """Where rows count the unit's clock, those from now on are dated anew."""
        if self._file is not None and self._signals is not None and self._signals.t0_ns is None:
            self._now_ns = now_ns
            self._begin(self._signals.snapshot())

    def try_again(self, now_ns: int) -> None:
        if self._paused and self._signals is not None:
            self._paused = False
            self._now_ns = max(self._now_ns, now_ns) if self._signals.t0_ns is None else self._now_ns
            self._begin(self._signals.snapshot())

    def pause(self) -> None:
        """Leave out what comes; the next segment says how much that was, and follows what is on disk."""
        for file in self._unwritten():
            self._lost += file.rows
            if self.stands and self.stands[0] == number_of(file.path):
                self._lost -= self.stands[1]
            if not file.size:
                self._kept.remove(file)
                with suppress(OSError):
                    file.path.unlink(missing_ok=True)
        self._file, self._paused, self._follows = None, True, self.stands
        self._waiting.clear()

    def end(self) -> None:
        if self._file is not None:
            self._file.end()
            self._waiting.append(self._file)
            self._file = None

    def write(self) -> None:
        """Have all rows on disk; raises OSError."""
        for file in self._unwritten():
            self._folder.mkdir(exist_ok=True)
            file.write()
            self.stands = number_of(file.path) or 0, file.rows
        self._waiting.clear()

    @property
    def size(self) -> int:
        return sum(file.size for file in self._kept)

    @property
    def size_whole(self) -> int:
        """Of the segments that can be dropped."""
        return sum(file.size for file in self._kept[:-1])

    def drop_old(self, now_ns: int) -> None:
        """Drop what ended before the time to keep; what was never dated goes with the dated after it."""
        if self._signals is None:
            return
        utc_ns = self._utc_ns(now_ns if self._signals.t0_ns is None else self._now_ns)
        if utc_ns is None:
            return
        oldest_ns = utc_ns - self._recorder.settings.keep_ns
        begun = [at for at, file in enumerate(self._kept) if file.begin_ns is not None and file.begin_ns < oldest_ns]
        for _ in range(begun[-1] if begun else 0):
            self.drop_oldest()

    def drop_oldest(self) -> bool:
        """Whether there was one besides the last."""
        if len(self._kept) < 2:  # noqa: PLR2004 - the last is being written
            return False
        with suppress(OSError):
            self._kept[0].path.unlink(missing_ok=True)
        del self._kept[0]
        return True

    # Inside

    def _unwritten(self) -> list[_File]:
        return [*self._waiting, *([self._file] if self._file else [])]

    def _begin(self, state: Any) -> _File:
        """End the segment there is, and begin the next."""
        self.end()
        self._number += 1
        self._begin_ns = self._now_ns
        path = self._folder / f"{self._number:08d}{SUFFIX}"
        file = _File(path, self._utc_ns(self._now_ns), packer=zlib.compressobj(6, zlib.DEFLATED, _GZIP))
        file.put(header_line(self._header(state)))
        self._follows, self._lost = (self._number, 0), 0
        self._file, self._paused = file, False
        self._kept.append(file)
        return file

    def _header(self, state: Any) -> TraceHeader:
        signals, (zero_ns, synced) = self._signals, self._recorder.zero
        if signals is None:
            raise AssertionError("a tap begins before its rows")
        live = signals.t0_ns is None
        segment = Segment(
            number=self._number,
            begin_ns=self._now_ns,
            debounce_ns=signals.debounce_ns,
            state=state,
            after=self._follows,
            lost=self._lost,
            boot=self._recorder.boot if live else None,
            synced=synced if live else True,
        )
        t0_ns = zero_ns if signals.t0_ns is None else signals.t0_ns
        return TraceHeader(t0_ns, self._sensor, signals.separation_m, signals.levels, segment)

    def _utc_ns(self, t_ns: int) -> int | None:
        zero_ns, synced = self._recorder.zero
        if self._signals is not None and self._signals.t0_ns is not None:
            return self._signals.t0_ns + t_ns
        return zero_ns + t_ns if synced else None


def _on_disk(path: Path) -> _File:
    """A segment of an earlier run."""
    begin_ns = None
    with suppress(TraceError), open_trace(path) as trace:
        segment = trace.header.segment
        if segment is not None and segment.synced and trace.header.t0_ns is not None:
            begin_ns = trace.header.t0_ns + segment.begin_ns
    size = 0
    with suppress(OSError):
        size = path.stat().st_size
    return _File(path, begin_ns, size, whole=True)
