"""Named scenarios: who comes, how often, past what kind of beams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from firmware_cfg.errors import ConfigError
from simulators.people import parties
from simulators.people.beams import NEW, BeamEdge, Pulse, Wear, changes, false_pulses, merged
from simulators.people.bodies import NS_PER_S, Body, Crossing, Draw
from simulators.people.parties import Party

if TYPE_CHECKING:
    from collections.abc import Iterator

_STEP_S = 0.25
_SPLIT_S = 0.2  # both beams clear for so long: what came before can be told
HOURS_MAX = 100_000
SEPARATION_M_MIN, SEPARATION_M_MAX = 0.01, 2.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """Who comes: parties, `per_hour` of them on average, each at least `headway_s` after the one before.

    `apart`: after it has gone; else after it has come, so that they may meet in the beams.
    """

    about: str
    party: Party
    per_hour: float = 150.0
    headway_s: float = 1.5
    apart: bool = True
    wear: Wear = NEW


_HEAVY = Wear(bounces=True, dropouts_per_s=2.0, glitches_per_hour=120.0, flares=0.05)
_NIGHT = Wear(glitches_per_hour=600.0, flares=0.05)

SCENARIOS: dict[str, Scenario] = {
    "singles": Scenario("one person at a time, both ways, three in ten with an arm or bag apart", parties.single),
    "chatter": Scenario("the same, past beams that bounce, drop out and glitch", parties.single, wear=_HEAVY),
    "followers": Scenario("groups of two to four, one close behind the other", parties.followers, per_hour=90.0),
    "opposite": Scenario("one comes while one goes", parties.opposite, per_hour=90.0),
    "turn-backs": Scenario("half of them turn in the beams and cross nothing", parties.turn_back),
    "loiterers": Scenario("one in eight shuffles in the beams, for up to minutes", parties.loiter_or_pass, 300.0),
    "wheels": Scenario("prams, trolleys and wheelchairs, one person each", parties.wheels, per_hour=120.0),
    "abreast": Scenario("half alone, half in pairs abreast", parties.alone_or_abreast),
    "busy": Scenario("all kinds, 1,500 crossings an hour", parties.mixed, 1800.0, headway_s=1.0, apart=False),
    "glitch-night": Scenario("nobody; sunlight and insects", parties.single, per_hour=0.0, wear=_NIGHT),
    "standing": Scenario("nobody passes; someone stands in the frame", parties.standing, per_hour=60.0),
    "stuck-beam": Scenario("the inner beam is blocked half the time", parties.single, wear=Wear(stuck=(0.25, 0.75))),
    "drifting-beam": Scenario("the inner beam loses its aim", parties.single, wear=Wear(drifting=True)),
    "lost-edges": Scenario("one edge in a hundred never arrives", parties.single, wear=Wear(lost=0.01)),
    "swapped-beams": Scenario("outer and inner are plugged in the wrong way", parties.single, wear=Wear(swapped=True)),
    "dead-beam": Scenario("the inner beam sees nothing", parties.single, wear=Wear(dead=True)),
    "chattering": Scenario("the inner beam's contact is loose", parties.single, wear=Wear(chattering=True)),
}


def simulate(scenario_name: str, seed: int, hours: float, separation_m: float = 0.12) -> Iterator[BeamEdge | Crossing]:
    """Edges in the order of time, and crossings before the first edge of those who meet; raises ConfigError.

    Both lines are clear at time 0 and, where no edge is lost, at the end.
    """
    scenario = _checked(scenario_name, hours, separation_m)
    end_s = hours * 3600.0
    # Sensors draw from numbers of their own: the same people come whatever the wear.
    return _reported(scenario, _meetings(scenario, Draw(seed), end_s, separation_m), Draw(~seed), end_s, separation_m)


def meetings(scenario_name: str, seed: int, hours: float, separation_m: float = 0.12) -> Iterator[list[Body]]:
    """The bodies that `simulate` reports on, together with those they may be in the beams with; raises ConfigError."""
    return _meetings(_checked(scenario_name, hours, separation_m), Draw(seed), hours * 3600.0, separation_m)


def _checked(scenario_name: str, hours: float, separation_m: float) -> Scenario:
    if scenario_name not in SCENARIOS:
        raise ConfigError(f"scenario {scenario_name!r}: expected one of {', '.join(SCENARIOS)}")
    if not 0 < hours <= HOURS_MAX:
        raise ConfigError(f"{hours} hours: expected more than 0 and at most {HOURS_MAX}")
    if not SEPARATION_M_MIN <= separation_m <= SEPARATION_M_MAX:
        raise ConfigError(
            f"separation of {separation_m} m: expected {SEPARATION_M_MIN} to {SEPARATION_M_MAX} m between the beams"
        )
    return SCENARIOS[scenario_name]


def _meetings(scenario: Scenario, draw: Draw, end_s: float, separation_m: float) -> Iterator[list[Body]]:
    """Bodies that may be in the beams together."""
    free_s = gone_s = 0.0
    meeting: list[Body] = []
    for step in range(int(end_s / _STEP_S) + 1):
        start_s = step * _STEP_S + draw.between(0.0, _STEP_S)
        if start_s >= end_s or not draw.chance(scenario.per_hour * _STEP_S / 3600.0) or start_s < free_s:
            continue
        bodies = scenario.party(draw, start_s, separation_m)
        if meeting and start_s > gone_s + _SPLIT_S:
            yield meeting
            meeting = []
        meeting += bodies
        gone_s = max(gone_s, *(body.way[-1].t_s for body in bodies))
        free_s = scenario.headway_s + (gone_s if scenario.apart else max(body.way[0].t_s for body in bodies))
    if meeting:
        yield meeting


def _reported(
    scenario: Scenario, meetings: Iterator[list[Body]], draw: Draw, end_s: float, separation_m: float
) -> Iterator[BeamEdge | Crossing]:
    wear = scenario.wear
    stuck = None if wear.stuck is None else (wear.stuck[0] * end_s, wear.stuck[1] * end_s)
    told_s = 0.0
    for bodies in meetings:
        from_s = min(body.way[0].t_s for body in bodies)
        until_s = max(body.way[-1].t_s for body in bodies)
        yield from pulses_told(draw, wear, told_s, from_s, [[], []], stuck)
        yield from sorted(made for made in (body.crossing(separation_m) for body in bodies) if made is not None)
        pulses = [[pulse for body in bodies for pulse in body.blocks(beam_m)] for beam_m in (0.0, separation_m)]
        if wear.drifting:
            pulses[1] = list(frayed(draw, pulses[1], 0.0, end_s))
        yield from pulses_told(draw, wear, from_s, until_s + _SPLIT_S / 2, pulses, stuck)
        told_s = until_s + _SPLIT_S / 2
    yield from pulses_told(draw, wear, told_s, end_s, [[], []], stuck)


def pulses_told(
    draw: Draw, wear: Wear, from_s: float, until_s: float, pulses: list[list[Pulse]], stuck: Pulse | None
) -> Iterator[BeamEdge]:
    """The edges of a stretch of time, in order."""
    edges: list[BeamEdge] = []
    for line in (0, 1):
        # A false pulse ends before the stretch does, so that stretches cannot overlap.
        seen = [*pulses[line], *false_pulses(draw, wear, from_s, until_s - 0.07)]
        if line == 1 and wear.dead:
            seen = []
        if line == 1 and stuck is not None:
            seen = [pulse for pulse in seen if pulse[1] < stuck[0] or pulse[0] > stuck[1]]
            edges += [
                BeamEdge(round(t_s * NS_PER_S), line, level)
                for t_s, level in zip(stuck, (1, 0), strict=True)
                if from_s <= t_s < until_s
            ]
        edges += changes(draw, 1 - line if wear.swapped else line, merged(seen), wear)
    for edge in sorted(edges):
        if not wear.lost or not draw.chance(wear.lost):
            yield edge


def frayed(draw: Draw, pulses: list[Pulse], from_s: float, until_s: float) -> Iterator[Pulse]:
    """Pulses of a beam that loses its aim between two times: each begins earlier and ends later, by more and more."""
    for start_s, stop_s in pulses:
        aim = (start_s - from_s) / (until_s - from_s)
        yield start_s - aim * draw.between(0.0, 0.05), stop_s + aim * draw.between(0.0, 0.1)
        if draw.chance(aim):
            yield stop_s + 0.15, stop_s + 0.15 + draw.between(0.01, 2.0) * aim
