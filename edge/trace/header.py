"""What a trace says of itself, and how that is written down: one JSON object, whatever the format around it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

from edge.counting import LINES
from firmware_cfg.times import from_rfc3339, to_rfc3339

VERSION = 1
_SEGMENT_NUMBERS = 6
EXAMPLE = '{"foyer_trace": 1, "t0": "2026-03-02T09:00:00Z", "separation_m": 0.12}'


@dataclass(frozen=True, slots=True)
class Segment:
    """What a piece of a unit's own recording knows besides, so that it can be counted as the unit counted it.

    `begin_ns` is the time, as rows count it, at which the piece begins; `state` the core's snapshot then, None where it
    began anew. `after` names the piece before by its number, and how many of its rows had been counted for good: what
    else it holds, and whole pieces between, the unit forgot by a crash. `lost` rows since could not be written.

    `boot` is that whose monotonic clock the rows count, None where they count from a recording's own t0. The header's
    t0 is then what was known at the beginning; `synced` tells whether somebody vouched for it.
    """

    number: int
    begin_ns: int
    debounce_ns: int | None = None
    state: Any = None
    after: tuple[int, int] | None = None
    lost: int = 0
    boot: str | None = None
    synced: bool = True


@dataclass(frozen=True, slots=True)
class TraceHeader:
    """Rows count ns from `t0_ns` (UTC); `levels` are outer's and inner's before them."""

    t0_ns: int | None = None
    sensor: str | None = None
    separation_m: float | None = None
    levels: tuple[int, int] = (0, 0)
    segment: Segment | None = None


def to_json(header: TraceHeader) -> dict[str, Any]:
    """The header as an object that names only what is known."""
    known: dict[str, Any] = {"foyer_trace": VERSION}
    if header.t0_ns is not None:
        known["t0"] = to_rfc3339(header.t0_ns)
    if header.sensor is not None:
        known["sensor"] = header.sensor
    if header.separation_m is not None:
        known["separation_m"] = header.separation_m
    if any(header.levels):
        known["levels"] = dict(zip(LINES, header.levels, strict=True))
    if header.segment is not None:
        known["segment"] = asdict(header.segment)
    return known


def from_json(known: Any) -> TraceHeader:
    """The header that such an object makes; raises ValueError saying what is wrong with it."""
    if not isinstance(known, dict) or "foyer_trace" not in known:
        raise ValueError(f"the first line is no trace header such as {EXAMPLE}")
    version = known["foyer_trace"]
    if type(version) is not int or version != VERSION:
        raise ValueError(f"trace version {version!r}: this program reads version {VERSION}")
    levels = known.get("levels")
    if isinstance(levels, dict):
        levels = [levels.get(name, 0) for name in LINES]
    header = checked_header(known.get("t0"), known.get("sensor"), known.get("separation_m"), levels)
    return replace(header, segment=_segment(known["segment"])) if "segment" in known else header


def checked_header(t0: object, sensor: object, separation_m: object, levels: object) -> TraceHeader:
    """The header these make; raises ValueError saying which of them is wrong."""
    t0_ns = None
    if t0 is not None:
        try:
            t0_ns = from_rfc3339(cast("str", t0))
        except (TypeError, ValueError) as error:
            raise ValueError(f"t0 {t0!r}: expected an RFC 3339 time such as 2026-03-02T09:00:00Z") from error
    if sensor is not None and not isinstance(sensor, str):
        raise ValueError(f"sensor {sensor!r}: expected a name")
    metres = None
    if separation_m is not None:
        if isinstance(separation_m, bool) or not isinstance(separation_m, (int, float)):
            raise ValueError(f"separation_m {separation_m!r}: expected metres between the beams")
        metres = float(separation_m)
        if not (math.isfinite(metres) and metres > 0):
            raise ValueError(f"separation_m {separation_m!r}: expected metres between the beams, above 0")
    start = (0, 0)
    if levels is not None:
        if not isinstance(levels, list) or [type(level) for level in levels] != [int, int] or not {*levels} <= {0, 1}:
            raise ValueError(
                f'levels {levels!r}: expected the lines\' levels before the first row, {{"outer": 0, "inner": 1}}'
            )
        start = (levels[0], levels[1])
    return TraceHeader(t0_ns, sensor, metres, start)


def _segment(known: Any) -> Segment:
    try:
        segment = Segment(**{**known, "after": None if known["after"] is None else tuple(known["after"])})
    except (KeyError, TypeError) as error:
        raise ValueError(f"segment {known!r:.80}: expected what foyer agent --record writes") from error
    numbers = (segment.number, segment.begin_ns, segment.lost, segment.debounce_ns or 0, *(segment.after or (0, 0)))
    if len(numbers) != _SEGMENT_NUMBERS or any(type(number) is not int or number < 0 for number in numbers):
        raise ValueError(f"segment {known!r:.80}: expected numbers from 0 on, as foyer agent --record writes")
    return segment
