"""What goes into the counting core and what comes out of it. Times are integer nanoseconds of one monotonic clock."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from firmware_cfg.errors import ConfigError, FoyerError
from firmware_cfg.times import NS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

OUTER, INNER = 0, 1
LINES: tuple[Literal["outer", "inner"], Literal["outer", "inner"]] = ("outer", "inner")
"""Line names by index; `in` is outer beam first."""

Direction = Literal["in", "out", "unknown"]
_DIRECTIONS: dict[int, Direction] = {1: "in", 0: "unknown", -1: "out"}
_SIGNS = {name: sign for sign, name in _DIRECTIONS.items()}

T_NS_LIMIT = 2**62
"""Edges are dated 0 <= t_ns < 2^62: what is beyond is an error, so that sums of two times fit 64 bits."""

FOREVER_NS = 2**63 - 1
"""When a timer that is not set fires."""

SEPARATION_M_MAX = 5.0
DEBOUNCE_NS_MAX = 500 * NS_PER_MS


class EdgeError(FoyerError, ValueError):
    """An edge that cannot be: time running backwards or out of range, no such line, a level that is neither 0 nor 1."""


class SnapshotError(FoyerError, ValueError):
    """A snapshot that this version of the core did not write."""


@dataclass(frozen=True, slots=True)
class DoorSettings:
    """What is known of a door before its first edge; raises ConfigError where it cannot be.

    `separation_m` is the distance between the beams; None where nobody measured it (speeds and lengths are then None).
    `debounce_ns` may be 0, for lines that do not bounce.
    """

    separation_m: float | None = None
    debounce_ns: int = 8_000_000

    def __post_init__(self) -> None:
        metres = self.separation_m
        if metres is not None and not (math.isfinite(metres) and 0 < metres <= SEPARATION_M_MAX):
            raise ConfigError(
                f"separation of {metres} m: expected the distance between the beams, above 0 and at most "
                f"{SEPARATION_M_MAX:g} m"
            )
        if not 0 <= self.debounce_ns <= DEBOUNCE_NS_MAX:
            raise ConfigError(
                f"debounce of {self.debounce_ns / NS_PER_MS:g} ms: expected 0 to {DEBOUNCE_NS_MAX / NS_PER_MS:g} ms "
                "(5 to 15 suit most beams)"
            )


@dataclass(frozen=True, slots=True)
class Passage:
    """One crossing, dated at the midpoint of its two pulses' centres. `confidence` is 0..1.

    `correction`: persons who are expected to have passed that way since the last passage that way, beyond those told;
    `variance`: of the persons who passed that way since then. Added up over a day they correct its total and say how
    far off it may be.
    """

    t_ns: int
    direction: Direction
    persons: int
    speed_m_s: float | None
    length_m: float | None
    confidence: float
    correction: float = 0.0
    variance: float = 0.0


def passage_of(
    t_ns: int,
    sign: int,
    persons: int,
    speed_m_s: float,
    length_m: float,
    confidence: float,
    correction: float,
    variance: float,
) -> Passage:
    """A passage as columns hold it: `sign` 1 in, -1 out, 0 unknown; NaN where speed or length are not known."""
    return Passage(
        t_ns, _DIRECTIONS[sign], persons, _known(speed_m_s), _known(length_m), confidence, correction, variance
    )


@dataclass(frozen=True, slots=True)
class Fault:
    """Something the door noticed about its own beams, such as `repeated_level`: an edge between two was lost.

    All other kinds last until one comes that is not `active`. `line` is None where it may be either; `detail` is the
    evidence, for people.
    """

    t_ns: int
    kind: str
    line: str | None
    active: bool = True
    detail: str = ""
    count: int = 1


@dataclass(frozen=True, slots=True)
class Columns:
    """Many passages, a column each, and the faults among them.

    `direction` is 1 in, -1 out, 0 unknown; speeds and lengths that are not known are NaN.
    """

    t_ns: array[int] = field(default_factory=lambda: array("q"))
    direction: array[int] = field(default_factory=lambda: array("b"))
    persons: array[int] = field(default_factory=lambda: array("i"))
    speed_m_s: array[float] = field(default_factory=lambda: array("d"))
    length_m: array[float] = field(default_factory=lambda: array("d"))
    confidence: array[float] = field(default_factory=lambda: array("d"))
    correction: array[float] = field(default_factory=lambda: array("d"))
    variance: array[float] = field(default_factory=lambda: array("d"))
    faults: list[Fault] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.t_ns)

    def extend(self, found: Iterable[Passage | Fault]) -> None:
        """Append what a door found."""
        for item in found:
            if isinstance(item, Fault):
                self.faults.append(item)
                continue
            self.t_ns.append(item.t_ns)
            self.direction.append(_SIGNS[item.direction])
            self.persons.append(item.persons)
            self.speed_m_s.append(math.nan if item.speed_m_s is None else item.speed_m_s)
            self.length_m.append(math.nan if item.length_m is None else item.length_m)
            self.confidence.append(item.confidence)
            self.correction.append(item.correction)
            self.variance.append(item.variance)

    def append(self, more: Columns) -> None:
        """Append other columns to these."""
        for mine, theirs in zip(self._columns(), more._columns(), strict=True):
            mine.extend(theirs)
        self.faults.extend(more.faults)

    def passages(self) -> Iterator[Passage]:
        """The same passages one by one, as `feed` returns them."""
        for row in zip(*self._columns(), strict=True):
            yield passage_of(*row)

    def _columns(self) -> tuple[array[Any], ...]:
        return (
            self.t_ns,
            self.direction,
            self.persons,
            self.speed_m_s,
            self.length_m,
            self.confidence,
            self.correction,
            self.variance,
        )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
