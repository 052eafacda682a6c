"""What two beams report of the bodies before them, with the faults that sensors and contacts have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from simulators.people.bodies import NS_PER_S, Body, Draw

if TYPE_CHECKING:
    from collections.abc import Iterator

_RESPONSE_S = (0.001, 0.002)  # of the sensors, each edge
Pulse = tuple[float, float]


class BeamEdge(NamedTuple):
    """Line 0 (outer) or 1 (inner) turns to level 1 (blocked) or 0."""

    t_ns: int
    line: int
    level: int


@dataclass(frozen=True, slots=True)
class Wear:
    """What is wrong with a door's beams."""

    bounces: bool = False
    """Contacts bounce: up to two pairs of changes after each edge, 0.1 to 5 ms apart."""
    dropouts_per_s: float = 0.0
    """While blocked, a beam is seen again for 0.2 to 5 ms so often."""
    glitches_per_hour: float = 0.0
    """False pulses of 0.2 to 10 ms on each line; one in `flares` takes 10 to 60 ms."""
    flares: float = 0.0
    stuck: tuple[float, float] | None = None
    """The inner beam is blocked from here to there, as shares of the time."""
    drifting: bool = False
    """The inner beam loses its aim: its edges fray more and more, and it is blocked for longer and longer."""
    lost: float = 0.0
    """This share of all edges never arrives."""
    swapped: bool = False
    dead: bool = False
    """The inner beam sees nothing."""
    chattering: bool = False
    """The inner beam's contact is loose: four to ten pairs of changes more after each of its edges."""


NEW = Wear()


def merged(pulses: list[Pulse]) -> list[Pulse]:
    """Bodies before one beam are seen together as one."""
    found: list[Pulse] = []
    for start_s, stop_s in sorted(pulses):
        if found and start_s <= found[-1][1] + _RESPONSE_S[1]:
            found[-1] = (found[-1][0], max(stop_s, found[-1][1]))
        else:
            found.append((start_s, stop_s))
    return found


def edges_of(draw: Draw, bodies: list[Body], separation_m: float, *, chatter: bool = False) -> list[BeamEdge]:
    """What both beams report of bodies that come together, in the order of time."""
    wear = Wear(bounces=chatter)
    edges: list[BeamEdge] = []
    for line, beam_m in enumerate((0.0, separation_m)):
        edges += changes(draw, line, merged([pulse for body in bodies for pulse in body.blocks(beam_m)]), wear)
    return sorted(edges)


def false_pulses(draw: Draw, wear: Wear, start_s: float, stop_s: float) -> Iterator[Pulse]:
    """Sunlight and insects on one line."""
    if not wear.glitches_per_hour:
        return
    mean_s = 3600.0 / wear.glitches_per_hour
    t_s = start_s
    while True:
        # Even gaps of the same mean as a Poisson's, from which nothing here could tell them.
        t_s += draw.between(0.0, 2.0 * mean_s)
        if t_s >= stop_s:
            return
        long_s = draw.between(0.010, 0.060) if draw.chance(wear.flares) else draw.between(0.0002, 0.010)
        yield t_s, t_s + long_s


def changes(draw: Draw, line: int, pulses: list[Pulse], wear: Wear) -> Iterator[BeamEdge]:
    """What one sensor reports of pulses in order: it answers a little late, may bounce and may drop out."""
    last_ns = -1
    for start_s, stop_s in pulses:
        times = [(start_s, 1), *_dropouts(draw, wear, start_s, stop_s), (stop_s, 0)]
        for t_s, level in times:
            last_ns = max(last_ns + 1, round((t_s + draw.between(*_RESPONSE_S)) * NS_PER_S))
            yield BeamEdge(last_ns, line, level)
            pairs = draw.chance(0.7) + draw.chance(0.3) if wear.bounces else 0
            if wear.chattering and line == 1:
                pairs += int(draw.between(4.0, 11.0))
            for _ in range(pairs):
                for bounce in (1 - level, level):
                    last_ns += 1 + round(draw.between(0.0001, 0.005) * NS_PER_S)
                    yield BeamEdge(last_ns, line, bounce)


def _dropouts(draw: Draw, wear: Wear, start_s: float, stop_s: float) -> Iterator[tuple[float, int]]:
    if not wear.dropouts_per_s:
        return
    t_s = start_s + 0.01
    while True:
        t_s += draw.between(0.0, 2.0 / wear.dropouts_per_s)
        if t_s >= stop_s - 0.01:
            return
        yield t_s, 0
        t_s += draw.between(0.0002, 0.005)
        yield t_s, 1
