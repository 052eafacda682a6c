"""What goes into the counting core and what comes out of it. Times are integer nanoseconds of one monotonic clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

OUTER, INNER = 0, 1
LINES: tuple[Literal["outer", "inner"], Literal["outer", "inner"]] = ("outer", "inner")
"""Line names by index; `in` is outer beam first."""

Direction = Literal["in", "out", "unknown"]

T_NS_LIMIT = 2**62
"""Edges are dated 0 <= t_ns < 2^62: what is beyond is an error, so that sums of two times fit 64 bits."""


@dataclass(frozen=True, slots=True)
class DoorSettings:
    """What is known of a door before its first edge.

    `separation_m` is the distance between the beams; None where nobody measured it (speeds and lengths are then None).
    """

    separation_m: float | None = None
    debounce_ns: int = 8_000_000


@dataclass(frozen=True, slots=True)
class Passage:
    """One crossing, dated at the midpoint of its two pulses' centres. `confidence` is 0..1."""

    t_ns: int
    direction: Direction
    persons: int
    speed_m_s: float | None
    length_m: float | None
    confidence: float


@dataclass(frozen=True, slots=True)
class Fault:
    """Something the door noticed about its own beams, such as `repeated_level`: an edge between two was lost."""

    t_ns: int
    kind: str
    line: str
