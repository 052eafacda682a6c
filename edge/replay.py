"""A recording through the counting core: what `foyer replay` prints."""

from __future__ import annotations

import json
from array import array
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from edge.counting import Columns, Door, DoorSettings, Passage
from edge.recorded import Recorded
from edge.trace import Edge, TraceHeader, TraceReader, open_trace
from firmware_cfg.errors import ConfigError
from firmware_cfg.times import NS_PER_MS, NS_PER_S, to_rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHUNK_EDGES = 1 << 16


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
        return sum(passage.persons for passage in self.found.passages() if passage.direction == direction)


def settings(separation_m: float | None, debounce_ms: float | None, header: TraceHeader) -> DoorSettings:
    """Options first, then what the trace says of itself; raises ConfigError."""
    if separation_m is None:
        separation_m = header.separation_m
    if debounce_ms is None:
        return DoorSettings(separation_m)
    if not 0 <= debounce_ms < float("inf"):
        raise ConfigError(f"debounce of {debounce_ms} ms: expected 0 or more milliseconds (5 to 15 suit most beams)")
    return DoorSettings(separation_m, round(debounce_ms * NS_PER_MS))


def replay(path: Path, *more: Path, separation_m: float | None = None, debounce_ms: float | None = None) -> Replayed:
    """Count what a trace holds; at its end time goes on until all is decided. Raises TraceError, ConfigError.

    A unit's own recording (a folder, or segments of it) is counted as the unit counted it, with its settings.
    """
    if not more and not path.is_dir():
        with open_trace(path) as trace:
            if trace.header.segment is None:
                return _replay(trace, settings(separation_m, debounce_ms, trace.header))
    if (separation_m, debounce_ms) != (None, None):
        raise ConfigError(f"{path}: a unit's recording is counted with that unit's separation and debounce time")
    recorded = Recorded([path, *more])
    return Replayed(recorded.header, recorded.edges, recorded.found, tuple(recorded.notes))


def _replay(trace: TraceReader, how: DoorSettings) -> Replayed:
    door = Door(how, trace.header.levels)
    found = Columns()
    count = 0
    edges = (row for row in trace if isinstance(row, Edge))
    while chunk := list(islice(edges, _CHUNK_EDGES)):
        count += len(chunk)
        t_ns, line, level = (array("q", column) for column in zip(*chunk, strict=True))
        found.append(door.replay(t_ns, line, level))
    found.extend(door.finish())
    return Replayed(trace.header, count, found)


def as_json(replayed: Replayed) -> str:
    """One JSON object; times are ns since the trace's t0, totals are persons."""

    def passage(found: Passage) -> dict[str, Any]:
        return {
            "t_ns": found.t_ns,
            "direction": found.direction,
            "persons": found.persons,
            "speed_m_s": found.speed_m_s,
            "length_m": found.length_m,
            "confidence": found.confidence,
        }

    return json.dumps(
        {
            "edges": replayed.edges,
            "passages": [passage(found) for found in replayed.found.passages()],
            "totals": {"in": replayed.total("in"), "out": replayed.total("out")},
            "faults": [asdict(fault) for fault in replayed.found.faults],
        }
    )


def as_table(replayed: Replayed) -> Iterator[str]:
    """Lines for people: a row a passage, then the totals, then the faults by kind and line."""
    t0_ns = replayed.header.t0_ns
    width = 14 if t0_ns is None else 30
    yield f"{'time':<{width}}  {'way':<7}  {'persons':>7}  {'speed m/s':>9}  {'length m':>8}  {'confidence':>10}"
    for found in replayed.found.passages():
        yield (
            f"{_time(found.t_ns, t0_ns):<{width}}  {found.direction:<7}  {found.persons:>7}  "
            f"{_number(found.speed_m_s):>9}  {_number(found.length_m):>8}  {found.confidence:>10.2f}"
        )
    yield ""
    yield f"{replayed.edges} edges: {replayed.total('in')} in, {replayed.total('out')} out"
    counts: dict[tuple[str, str], int] = {}
    for fault in replayed.found.faults:
        if fault.kind == "repeated_level":
            counts[fault.kind, fault.line or ""] = counts.get((fault.kind, fault.line or ""), 0) + 1
        else:
            what = f"{fault.kind} on {fault.line}" if fault.line else fault.kind
            yield f"{_time(fault.t_ns, t0_ns)}  {what}{'' if fault.active else ' is over'}: {fault.detail}"
    for (kind, line), count in sorted(counts.items()):
        yield f"{count} x {kind} on {line}"


def _time(t_ns: int, t0_ns: int | None) -> str:
    if t0_ns is not None:
        try:
            return to_rfc3339(t0_ns + t_ns // NS_PER_MS * NS_PER_MS)
        except (OverflowError, ValueError):  # beyond the year 9999
            pass
    return f"{t_ns / NS_PER_S:.3f} s"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
