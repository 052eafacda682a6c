"""People who walk through a door, and what two beams see of them, with the truth beside it.

Geometry and nothing else: a body is an interval on a line, the outer beam stands at 0, the inner one at the separation.
The same seed gives the same edges on every machine: only `Random.random` and the arithmetic that IEEE 754 fixes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Literal, NamedTuple

from firmware_cfg.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

NS_PER_S = 1_000_000_000
_APPROACH_M = 1.0
_STEP_S = 0.25
_RESPONSE_S = (0.001, 0.002)  # of the sensors, each edge


class BeamEdge(NamedTuple):
    """Line 0 (outer) or 1 (inner) turns to level 1 (blocked) or 0."""

    t_ns: int
    line: int
    level: int


class Crossing(NamedTuple):
    """The truth: persons who went from one side to the other, dated when they were halfway between the beams."""

    t_ns: int
    direction: Literal["in", "out"]
    persons: int


class Waypoint(NamedTuple):
    """Where a body's middle is, in metres inwards from the outer beam. Between waypoints it moves evenly."""

    t_s: float
    x_m: float


@dataclass(frozen=True, slots=True)
class Body:
    """Something `depth_m` long that beams see, on its way; `persons` is 0 for what is nobody."""

    way: tuple[Waypoint, ...]
    depth_m: float
    persons: int = 1

    def blocks(self, beam_m: float) -> Iterator[tuple[float, float]]:
        """When it blocks a beam standing there, as (from, to) in seconds, in order."""
        start: float | None = None
        low, high = beam_m - self.depth_m / 2, beam_m + self.depth_m / 2
        for (t0, x0), (t1, x1) in pairwise(self.way):
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
        """Its true passage, if it ends on the other side than it began."""
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


Party = Callable[[Draw, float, float], list[Body]]
"""Makes the bodies that arrive together at a time, given the beams' separation; which way they go is drawn too."""


def walk(draw: Draw, start_s: float, separation_m: float, speed_m_s: float, inward: bool) -> tuple[Waypoint, ...]:
    """From one side to the other, a little faster or slower beyond the middle."""
    middle_m, far_m = separation_m / 2, separation_m / 2 + _APPROACH_M
    sign = 1.0 if inward else -1.0
    half_s = far_m / speed_m_s
    second_s = half_s / draw.normal(1.0, 0.04, 0.8, 1.2)
    return (
        Waypoint(start_s, middle_m - sign * far_m),
        Waypoint(start_s + half_s, middle_m),
        Waypoint(start_s + half_s + second_s, middle_m + sign * far_m),
    )


def single(draw: Draw, start_s: float, separation_m: float) -> list[Body]:
    return [Body(walk(draw, start_s, separation_m, draw.speed_m_s(), draw.chance(0.5)), draw.depth_m())]


def followers(draw: Draw, start_s: float, separation_m: float) -> list[Body]:
    """Two to four people the same way, each 0.15 to 0.8 m behind the back before."""
    count = 2 + draw.chance(0.3) + draw.chance(0.1)
    inward = draw.chance(0.5)
    speed_m_s = draw.normal(1.26 - 0.04 * count, 0.2, 0.5, 2.5)
    bodies: list[Body] = []
    for _ in range(count):
        depth_m = draw.depth_m()
        if bodies:
            start_s += (draw.between(0.15, 0.8) + (bodies[-1].depth_m + depth_m) / 2) / speed_m_s
        own_m_s = speed_m_s * draw.normal(1.0, 0.03, 0.9, 1.1)
        # Their spacing is that at the middle of the door, whatever each one's own speed.
        lead_s = (separation_m / 2 + _APPROACH_M) * (1 / speed_m_s - 1 / own_m_s)
        bodies.append(Body(walk(draw, start_s + lead_s, separation_m, own_m_s, inward), depth_m))
    return bodies


def turn_back(draw: Draw, start_s: float, separation_m: float) -> list[Body]:
    """Half of them cross; the others break a beam or both, dwell, and leave where they came from."""
    if draw.chance(0.5):
        return single(draw, start_s, separation_m)
    depth_m, speed_m_s, inward = draw.depth_m(), draw.speed_m_s(), draw.chance(0.5)
    first_m = -_APPROACH_M if inward else separation_m + _APPROACH_M
    # Between the first touch of the first beam and the last of the second, seen from where they come.
    into_m = draw.between(0.03 - depth_m / 2, separation_m + depth_m / 2 - 0.03)
    turn_m = into_m if inward else separation_m - into_m
    way_s = abs(turn_m - first_m) / speed_m_s
    leave_s = start_s + way_s + draw.between(0.1, 3.0)
    back_s = leave_s + abs(turn_m - first_m) / draw.speed_m_s()
    return [
        Body(
            (
                Waypoint(start_s, first_m),
                Waypoint(start_s + way_s, turn_m),
                Waypoint(leave_s, turn_m),
                Waypoint(back_s, first_m),
            ),
            depth_m,
        )
    ]


@dataclass(frozen=True, slots=True)
class Scenario:
    """Who comes: parties, `per_hour` of them on average, each at least `headway_s` after the one before has gone."""

    about: str
    party: Party
    per_hour: float = 150.0
    headway_s: float = 1.5
    chatter: bool = False


SCENARIOS: dict[str, Scenario] = {
    "singles": Scenario("one person at a time, both ways", single),
    "followers": Scenario("groups of two to four, one close behind the other", followers, per_hour=90.0),
    "turn-backs": Scenario("half of them turn in the beams and cross nothing", turn_back),
    "chatter": Scenario("one person at a time, past contacts that bounce", single, chatter=True),
}


def simulate(scenario_name: str, seed: int, hours: float, separation_m: float = 0.12) -> Iterator[BeamEdge | Crossing]:
    """Edges in the order of time, and each party's crossings before its first edge; raises ConfigError.

    Both lines are clear at time 0 and at the end.
    """
    if scenario_name not in SCENARIOS:
        raise ConfigError(f"scenario {scenario_name!r}: expected one of {', '.join(SCENARIOS)}")
    if not 0 < hours <= HOURS_MAX:
        raise ConfigError(f"{hours} hours: expected more than 0 and at most {HOURS_MAX}")
    if not SEPARATION_M_MIN <= separation_m <= SEPARATION_M_MAX:
        raise ConfigError(
            f"separation of {separation_m} m: expected {SEPARATION_M_MIN} to {SEPARATION_M_MAX} m between the beams"
        )
    return _events(SCENARIOS[scenario_name], Draw(seed), hours * 3600.0, separation_m)


HOURS_MAX = 100_000
SEPARATION_M_MIN, SEPARATION_M_MAX = 0.01, 2.0


def _events(scenario: Scenario, draw: Draw, end_s: float, separation_m: float) -> Iterator[BeamEdge | Crossing]:
    """Parties never overlap in time here, so each one's edges can be made on their own."""
    free_s = 0.0
    step = 0
    while step * _STEP_S < end_s:
        start_s = step * _STEP_S + draw.between(0.0, _STEP_S)
        step += 1
        if not draw.chance(scenario.per_hour * _STEP_S / 3600.0) or start_s < free_s:
            continue
        bodies = scenario.party(draw, start_s, separation_m)
        free_s = max(body.way[-1].t_s for body in bodies) + scenario.headway_s
        crossings = (body.crossing(separation_m) for body in bodies)
        yield from sorted(crossing for crossing in crossings if crossing is not None)
        yield from edges_of(draw, bodies, separation_m, chatter=scenario.chatter)


def edges_of(draw: Draw, bodies: list[Body], separation_m: float, *, chatter: bool = False) -> list[BeamEdge]:
    """What both beams report of bodies that come together, in the order of time."""
    edges: list[BeamEdge] = []
    for line, beam_m in enumerate((0.0, separation_m)):
        edges += _edges(draw, line, [pulse for body in bodies for pulse in body.blocks(beam_m)], chatter)
    return sorted(edges)


def _edges(draw: Draw, line: int, pulses: list[tuple[float, float]], chatter: bool) -> Iterator[BeamEdge]:
    """What one sensor reports: it sees bodies together as one, answers a little late, and may bounce."""
    merged: list[tuple[float, float]] = []
    for start_s, stop_s in sorted(pulses):
        if merged and start_s <= merged[-1][1] + _RESPONSE_S[1]:
            merged[-1] = (merged[-1][0], max(stop_s, merged[-1][1]))
        else:
            merged.append((start_s, stop_s))
    last_ns = -1
    for pulse in merged:
        for t_s, level in zip(pulse, (1, 0), strict=True):
            last_ns = max(last_ns + 1, round((t_s + draw.between(*_RESPONSE_S)) * NS_PER_S))
            yield BeamEdge(last_ns, line, level)
            for _ in range(draw.chance(0.7) + draw.chance(0.3) if chatter else 0):
                for bounce in (1 - level, level):
                    last_ns += 1 + round(draw.between(0.0001, 0.005) * NS_PER_S)
                    yield BeamEdge(last_ns, line, bounce)
