"""Bodies on their way past two beams, and the random numbers that move them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

NS_PER_S = 1_000_000_000
APPROACH_M = 1.0
TICK_S = 0.05
"""Walkers move evenly for this long; a step takes ten times as much."""
_STEPS_HZ = 1.9
_SWAY = (0.0, 0.08)  # of the speed, to either side of it within a step


class Crossing(NamedTuple):
    """The truth: persons who went from one side to the other, dated when they were halfway between the beams."""

    t_ns: int
    direction: Literal["in", "out"]
    persons: int


class Waypoint(NamedTuple):
    """Where a body's middle is, in metres inwards from the outer beam. Between waypoints it moves evenly."""

    t_s: float
    x_m: float


Way = tuple[Waypoint, ...]


@dataclass(frozen=True, slots=True)
class Body:
    """Something `depth_m` long that beams see, on its way; `persons` is 0 for what is nobody."""

    way: Way
    depth_m: float
    persons: int = 1

    def blocks(self, beam_m: float) -> Iterator[tuple[float, float]]:
        """When it blocks a beam standing there, as (from, to) in seconds, in order."""
        start: float | None = None
        low, high = beam_m - self.depth_m / 2, beam_m + self.depth_m / 2
        for (t0, x0), (t1, x1) in pairwise(self.way):
            if start is None and (max(x0, x1) <= low or min(x0, x1) >= high):
                continue
            crossings = [t0, t1]
            if x0 != x1:
                crossings += [t0 + (edge - x0) / (x1 - x0) * (t1 - t0) for edge in (low, high)]
            times = sorted(t for t in crossings if t0 <= t <= t1)
            for t, following in pairwise(times):
                middle = x0 + (x1 - x0) * ((t + following) / 2 - t0) / (t1 - t0)
                inside = low < middle < high
                if inside and start is None:
                    start = t
                elif not inside and start is not None:
                    yield start, t
                    start = None
        if start is not None:
            yield start, self.way[-1].t_s

    def crossing(self, separation_m: float) -> Crossing | None:
        """Its true passage, if it ends on the other side than it began, dated when it last was halfway."""
        middle_m = separation_m / 2
        before, after = self.way[0].x_m < middle_m, self.way[-1].x_m < middle_m
        if before == after or not self.persons:
            return None
        t_s = 0.0
        for (t0, x0), (t1, x1) in pairwise(self.way):
            if (x0 < middle_m) != (x1 < middle_m):
                t_s = t0 + (middle_m - x0) / (x1 - x0) * (t1 - t0)
        return Crossing(round(t_s * NS_PER_S), "in" if before else "out", self.persons)


class Draw:
    """Random numbers of one seed, the same everywhere."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 - a simulation

    def chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self._random.random()

    def normal(self, mean: float, sd: float, low: float, high: float) -> float:
        """Near enough normal, as a sum of twelve even draws, and cut off at `low` and `high`."""
        total = -6.0
        for _ in range(12):
            total += self._random.random()
        return min(high, max(low, mean + sd * total))

    def depth_m(self) -> float:
        """Of a clothed body, along its way."""
        return self.normal(0.30, 0.04, 0.18, 0.45)

    def speed_m_s(self) -> float:
        """Of someone alone: one in ten a child, one in ten elderly."""
        kind = self._random.random()
        mean = 0.9 if kind < 0.1 else 0.8 if kind < 0.2 else 1.34  # noqa: PLR2004 - the shares
        return self.normal(mean, 0.26, 0.5, 2.5)


def wave(phase: float) -> float:
    """Two parabolas that are near enough a sine of period 1 and height 1."""
    part = phase % 1.0
    half = part % 0.5
    height = 16.0 * half * (0.5 - half)
    return height if part < 0.5 else -height  # noqa: PLR2004 - half a period


def walk(
    draw: Draw, start_s: float, separation_m: float, speed_m_s: float, inward: bool, approach_m: float = APPROACH_M
) -> Way:
    """From one side to the other: `speed_m_s` in the middle, a little slower or faster before and beyond, with a gait.

    Whatever the separation, the middle of the door is reached `(separation_m / 2 + approach_m) / speed_m_s` after the
    start.
    """
    middle_m, far_m = separation_m / 2, separation_m / 2 + approach_m
    sign = 1.0 if inward else -1.0
    half_s = far_m / speed_m_s
    change_m_s2 = draw.normal(0.0, 0.06, -0.2, 0.2) * speed_m_s * speed_m_s / approach_m
    phase = draw.between(0.0, 1.0)
    # A parabola's steepest slope is 8 times its height a period.
    sway_m = draw.between(*_SWAY) * speed_m_s / (8.0 * _STEPS_HZ)
    ticks = int(half_s / TICK_S) + 1
    way = []
    for tick in range(-ticks, ticks + 1):
        tau_s = tick * half_s / ticks
        moved_m = (speed_m_s + 0.5 * change_m_s2 * tau_s) * tau_s
        moved_m += sway_m * (wave(phase + _STEPS_HZ * tau_s) - wave(phase))
        way.append(Waypoint(start_s + half_s + tau_s, middle_m + sign * moved_m))
    return tuple(way)


def beside(way: Way, offset_m: float, swing_m: float = 0.0, swing_hz: float = 0.0, phase: float = 0.0) -> Way:
    """The way of something carried: `offset_m` further inwards, and swinging."""
    return tuple(Waypoint(t_s, x_m + offset_m + swing_m * wave(phase + swing_hz * t_s)) for t_s, x_m in way)
