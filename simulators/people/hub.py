"""Days of a hub with one door: it fills and empties, at night there are insects, and then a beam fails."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from simulators.people.beams import NEW, BeamEdge, Wear
from simulators.people.bodies import Body, Crossing, Draw, Waypoint
from simulators.people.parties import loiter, mixed
from simulators.people.scenarios import frayed, pulses_told

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY_S = 86_400.0
WORN = Wear(bounces=True, dropouts_per_s=0.05, glitches_per_hour=10.0, flares=0.05)
"""What is usual: contacts that bounce a little, and false pulses day and night."""
_OPENS_S, _CLOSES_S = 9 * 3600.0, 21 * 3600.0
_VISITS = (130, 600)
_STAY_S = (300.0, 6600.0)
_LOITERERS = 1 / 300
_SPLIT_S = 0.2


@dataclass(frozen=True, slots=True)
class Failure:
    """What happens to the beams between two times; a beam that loses its aim does so evenly until the second."""

    wear: Wear
    from_s: float
    until_s: float

    def now(self, t_s: float) -> Wear:
        """The wear then, beside what is usual."""
        if not self.from_s <= t_s < self.until_s:
            return WORN
        usual = {name: getattr(WORN, name) for name in ("bounces", "dropouts_per_s", "glitches_per_hour", "flares")}
        return replace(self.wear, **usual)


NONE = Failure(NEW, 0.0, 0.0)


def hub_days(days: int, seed: int, separation_m: float, failure: Failure = NONE) -> Iterator[BeamEdge | Crossing]:
    """Edges in the order of time, and crossings before the edges of those who meet, from midnight on.

    Each day 130 to 600 parties come between 9 and 20 h, stay for 5 to 110 minutes and leave by 21 h as they came. They
    are the busy day's mix (a twentieth with wheels, a twelfth turns in the door), and one in 300 loiters in the beams.
    """
    draw, worn = Draw(seed), Draw(~seed)
    told_s = 0.0
    stuck = (failure.from_s, failure.until_s) if failure.wear.stuck else None
    for day in range(days):
        for bodies in _meetings(_parties(draw, separation_m, day * DAY_S)):
            from_s = min(body.way[0].t_s for body in bodies)
            until_s = max(body.way[-1].t_s for body in bodies) + _SPLIT_S / 2
            wear = failure.now(from_s)
            pulses = [[pulse for body in bodies for pulse in body.blocks(beam_m)] for beam_m in (0.0, separation_m)]
            if wear.drifting:
                spread = frayed(draw, pulses[1], failure.from_s, failure.until_s)
                pulses[1] = [(start_s, min(stop_s, until_s)) for start_s, stop_s in spread if start_s < until_s]
            yield from pulses_told(worn, failure.now(told_s), told_s, from_s, [[], []], stuck)
            yield from sorted(made for made in (body.crossing(separation_m) for body in bodies) if made is not None)
            yield from pulses_told(worn, wear, from_s, until_s, pulses, stuck)
            told_s = until_s
        yield from pulses_told(worn, failure.now(told_s), told_s, (day + 1) * DAY_S, [[], []], stuck)
        told_s = (day + 1) * DAY_S


def _parties(draw: Draw, separation_m: float, midnight_s: float) -> list[list[Body]]:
    """All who come and all who leave on one day."""
    parties: list[list[Body]] = []
    for _ in range(round(draw.between(*_VISITS))):
        start_s = _OPENS_S + (_CLOSES_S - 3600.0 - _OPENS_S) * (draw.between(0.0, 0.5) + draw.between(0.0, 0.5))
        bodies = (loiter if draw.chance(_LOITERERS) else mixed)(draw, midnight_s + start_s, separation_m)
        crossings = [made for made in (body.crossing(separation_m) for body in bodies) if made is not None]
        inside = sum(made.persons if made.direction == "in" else -made.persons for made in crossings)
        if inside < 0:
            bodies = _moved(bodies, 0.0, separation_m)
        parties.append(bodies)
        if inside:
            stay_s = min(draw.between(*_STAY_S), _CLOSES_S - start_s - draw.between(0.0, 900.0))
            parties.append(_moved(bodies, stay_s, separation_m))
    return parties


def _moved(bodies: list[Body], by_s: float, separation_m: float) -> list[Body]:
    """The same, later and the other way."""
    return [
        replace(body, way=tuple(Waypoint(t_s + by_s, separation_m - x_m) for t_s, x_m in body.way)) for body in bodies
    ]


def _meetings(parties: list[list[Body]]) -> Iterator[list[Body]]:
    """Bodies that may be in the beams together."""
    gone_s = 0.0
    meeting: list[Body] = []
    for bodies in sorted(parties, key=lambda bodies: min(body.way[0].t_s for body in bodies)):
        if meeting and min(body.way[0].t_s for body in bodies) > gone_s + _SPLIT_S:
            yield meeting
            meeting = []
        meeting += bodies
        gone_s = max(gone_s, *(body.way[-1].t_s for body in bodies))
    if meeting:
        yield meeting
