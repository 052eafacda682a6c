"""A recording through the counting core: what `foyer replay` prints."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from functools import cache
from itertools import chain, compress
from math import fsum, isnan
from typing import TYPE_CHECKING, Any

from edge.counting import Columns, Door, DoorSettings, EdgeError
from edge.recorded import Recorded
from edge.trace import TraceError, TraceHeader, TraceReader, open_trace
from edge.trace.segments import segment_files
from firmware_cfg.doubt import doubt, interval
from firmware_cfg.errors import ConfigError
from firmware_cfg.times import NS_PER_MS, NS_PER_S, to_rfc3339

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

_SIGNS = {"in": 1, "unknown": 0, "out": -1}
_WAYS = {sign: way for way, sign in _SIGNS.items()}
_THAT_WAY = {way: bytes(byte == sign % 256 for byte in range(256)) for way, sign in _SIGNS.items()}
"""By direction, what its column's bytes become: 1 where a passage went that way, else 0."""
_BLOCK_ROWS = 1 << 10
_MS_PER_S, _MS_PER_HOUR = 1_000, 3_600_000


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a door would have counted."""

    header: TraceHeader
    edges: int
    found: Columns
    notes: tuple[str, ...] = ()
    """What a recording lacks, a sentence each."""

    def total(self, direction: str) -> int:
        """Persons who passed in that direction."""
        return total(self.found, direction)


def _interval(found: Columns, direction: str) -> tuple[int, int]:
    """The 95 % interval of that total (`firmware_cfg.doubt`)."""
    chosen = _chosen(found, direction)
    doubts = fsum(map(doubt, compress(found.persons, chosen), compress(found.confidence, chosen)))
    return interval(total(found, direction), doubts)


def total(found: Columns, direction: str) -> int:
    """Persons among the passages in that direction: `in`, `out` or `unknown`."""
    return sum(compress(found.persons, _chosen(found, direction)))


def _chosen(found: Columns, direction: str) -> bytes:
    """A byte a passage: 1 where it is in that direction, else 0."""
    return found.direction.tobytes().translate(_THAT_WAY[direction])


def settings(separation_m: float | None, debounce_ms: float | None, header: TraceHeader) -> DoorSettings:
    """Options first, then what the trace says of itself; raises ConfigError."""
    if separation_m is None:
        separation_m = header.separation_m
    if debounce_ms is None:
        return DoorSettings(separation_m)
    if not 0 <= debounce_ms < float("inf"):
        raise ConfigError(f"debounce of {debounce_ms} ms: expected 0 or more milliseconds (5 to 15 suit most beams)")
    return DoorSettings(separation_m, round(debounce_ms * NS_PER_MS))


def is_one(paths: Sequence[Path]) -> bool:
    """Whether these are one recording: all but a folder that holds no unit's segments, nor do the folders in it.

    Raises TraceError where a folder cannot be read.
    """
    if len(paths) != 1 or not paths[0].is_dir():
        return True
    try:
        return any(there.is_dir() and segment_files(there) for there in (paths[0], *paths[0].iterdir()))
    except OSError as error:
        raise TraceError(f"{error.filename}: {error.strerror}") from error


def replay(path: Path, *more: Path, separation_m: float | None = None, debounce_ms: float | None = None) -> Replayed:
    """Count what a trace holds; at its end time goes on until all is decided. Raises TraceError, ConfigError.

    A unit's own recording (a folder, or segments of it) is counted as the unit counted it, with its settings.
    """
    if not more and not path.is_dir():
        with open_trace(path) as trace:
            if trace.header.segment is None:
                found, edges = Columns(), 0
                for count, piece in pieces(path, trace, settings(separation_m, debounce_ms, trace.header)):
                    edges += count
                    found.append(piece)
                return Replayed(trace.header, edges, found)
    if (separation_m, debounce_ms) != (None, None):
        raise ConfigError(f"{path}: a unit's recording is counted with that unit's separation and debounce time")
    recorded = Recorded([path, *more])
    return Replayed(recorded.header, recorded.edges, recorded.found, tuple(recorded.notes))


def pieces(path: Path, trace: TraceReader, how: DoorSettings) -> Iterator[tuple[int, Columns]]:
    """Count an open trace bit by bit, in constant memory: how many edges each bit had, and what was found by its end.

    Raises TraceError.
    """
    door = Door(how, trace.header.levels)
    try:
        for columns in trace.columns():
            yield len(columns.t_ns), door.replay(*columns)
    except EdgeError as error:
        with open_trace(path) as again:
            for _ in again:
                pass
        raise TraceError(f"{path}: {error}") from error
    rest = Columns()
    rest.extend(door.finish())
    yield 0, rest


def tell(replayed: Replayed, *, in_json: bool) -> None:
    """Print it, as a table or as JSON, and on stderr what the recording lacks."""
    for note in replayed.notes:
        print(f"foyer: {note}", file=sys.stderr)
    sys.stdout.writelines(as_json(replayed) if in_json else as_table(replayed))


def as_json(replayed: Replayed) -> Iterator[str]:
    """One JSON object, in pieces; times are ns since the trace's t0, totals are persons, with their 95 % intervals."""
    yield f'{{"edges": {replayed.edges}, "passages": ['
    found = replayed.found
    row = '{"t_ns": %d, "direction": "%s", "persons": %d, "speed_m_s": %s, "length_m": %s, "confidence": %s}'
    begin = ""
    for block in _blocks(found):
        columns = map(_numbers, (block.speed_m_s, block.length_m, block.confidence))
        yield begin + _rows(row, ", ", block.t_ns, block, *columns)
        begin = ", "
    totals = {"in": replayed.total("in"), "out": replayed.total("out")}
    rest = {
        "totals": totals,
        "intervals": {way: _interval(found, way) for way in totals},
        "faults": [asdict(fault) for fault in found.faults],
    }
    yield f"], {json.dumps(rest)[1:]}\n"


def as_table(replayed: Replayed) -> Iterator[str]:
    """Lines for people, in pieces: a row a passage, then the totals, then the faults by kind and line."""
    t0_ns = replayed.header.t0_ns
    width = 14 if t0_ns is None else 30
    yield f"{'time':<{width}}  {'way':<7}  {'persons':>7}  {'speed m/s':>9}  {'length m':>8}  {'confidence':>10}\n"
    found = replayed.found
    row = f"%-{width}s  %-7s  %7d  %9.2f  %8.2f  %10.2f\n"
    for block in _blocks(found):
        times = _times(block.t_ns, t0_ns)
        text = _rows(row, "", times, block, block.speed_m_s, block.length_m, block.confidence)
        yield text.replace("nan", "  -")
    (low, high), (least, most) = _interval(found, "in"), _interval(found, "out")
    yield f"\n{replayed.edges} edges: {replayed.total('in')} in, {replayed.total('out')} out\n"
    yield f"95 %: {low} to {high} in, {least} to {most} out\n"
    counts: dict[tuple[str, str], int] = {}
    for fault in found.faults:
        if fault.kind == "repeated_level":
            counts[fault.kind, fault.line or ""] = counts.get((fault.kind, fault.line or ""), 0) + 1
        else:
            what = f"{fault.kind} on {fault.line}" if fault.line else fault.kind
            yield f"{_time(fault.t_ns, t0_ns)}  {what}{'' if fault.active else ' is over'}: {fault.detail}\n"
    for (kind, line), count in sorted(counts.items()):
        yield f"{count} x {kind} on {line}\n"


def _blocks(found: Columns) -> Iterator[Columns]:
    """The passages, so many at a time: they are made into text by columns, which takes less time, and little memory."""
    for first in range(0, len(found), _BLOCK_ROWS):
        rows = slice(first, first + _BLOCK_ROWS)
        yield Columns(
            found.t_ns[rows],
            found.direction[rows],
            found.persons[rows],
            found.speed_m_s[rows],
            found.length_m[rows],
            found.confidence[rows],
        )


def _rows(row: str, between: str, times: Iterable[Any], block: Columns, *numbers: Iterable[Any]) -> str:
    """A block's passages written by `row`, all by one `%`."""
    ways = map(_WAYS.__getitem__, block.direction)
    passages = zip(times, ways, block.persons, *numbers, strict=True)
    return between.join([row] * len(block)) % tuple(chain.from_iterable(passages))


def _numbers(column: array[float]) -> list[str]:
    """As `repr` writes them, which takes nearly five times as long; what is not known, a NaN, is null."""
    from pydantic_core import to_json  # noqa: PLC0415 - a table does without it

    text = to_json(column.tolist(), inf_nan_mode="null").decode("ascii")
    if "e-" in text or "0.0000" in text:  # Python writes small numbers otherwise
        return ["null" if isnan(value) else repr(value) for value in column]
    return text[1:-1].split(",")


def _times(block: array[int], t0_ns: int | None) -> list[str]:
    """As `_time` of each: a day is dated once, and minutes, seconds and decimals are looked up."""
    if t0_ns is None or t0_ns % NS_PER_MS:
        return [_time(t_ns, t0_ns) for t_ns in block]
    t0_ms = t0_ns // NS_PER_MS
    times_ms = [t0_ms + t_ns // NS_PER_MS for t_ns in block]
    hours = {ms // _MS_PER_HOUR for ms in times_ms}
    dates = {day: _time(day * 24 * _MS_PER_HOUR * NS_PER_MS - t0_ns, t0_ns) for day in {hour // 24 for hour in hours}}
    if not all(date.endswith("T00:00:00Z") for date in dates.values()):
        return [_time(t_ns, t0_ns) for t_ns in block]
    begin = {hour: f"{dates[hour // 24].removesuffix('00:00:00Z')}{hour % 24:02d}:" for hour in hours}
    seconds, decimals = _texts()
    return [
        f"{begin[ms // _MS_PER_HOUR]}{seconds[ms // _MS_PER_S % 3_600]}{decimals[ms % _MS_PER_S]}" for ms in times_ms
    ]


@cache
def _texts() -> tuple[list[str], list[str]]:
    """Minute and second of each second of an hour, and a second's decimals to its end, for each millisecond."""
    seconds = [f"{minute:02d}:{second:02d}" for minute in range(60) for second in range(60)]
    return seconds, [f".{ms:03d}".rstrip("0").rstrip(".") + "Z" for ms in range(1_000)]


def _time(t_ns: int, t0_ns: int | None) -> str:
    if t0_ns is not None:
        try:
            return to_rfc3339(t0_ns + t_ns // NS_PER_MS * NS_PER_MS)
        except (OverflowError, ValueError):  # beyond the year 9999
            pass
    return f"{t_ns / NS_PER_S:.3f} s"
