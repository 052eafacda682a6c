"""Who arrives together: each party draws its people and what they carry."""

from __future__ import annotations

from collections.abc import Callable

from simulators.people.bodies import APPROACH_M, Body, Draw, Way, Waypoint, beside, walk

Party = Callable[[Draw, float, float], list[Body]]
"""Makes the bodies that arrive together at a time, given the beams' separation; which way they go is drawn too."""

ARM_SHARE = 0.3
"""Of people alone who are seen with an arm or a bag before or behind them."""
ARM_SHARE_IN_GROUPS = 0.1
_GAP_M = (0.15, 0.8)
_STAGGER_SD_M = 0.25
_OVERLAP_S = 0.6
_INTO_M = 0.03
_WHEELS_APPROACH_M = 2.0  # what is drawn a metre behind has gone, too, when the walk ends


def _sign(way: Way) -> float:
    return 1.0 if way[-1].x_m > way[0].x_m else -1.0


def with_arm(draw: Draw, torso: Body, share: float) -> list[Body]:
    """A walker, with an arm or a bag where chance says so: 5 to 12 cm long, 3 to 12 cm off, and swinging if an arm."""
    if not draw.chance(share):
        return [torso]
    part_m = draw.between(0.05, 0.12)
    offset_m = torso.depth_m / 2 + draw.between(0.03, 0.12) + part_m / 2
    ahead = _sign(torso.way) if draw.chance(0.5) else -_sign(torso.way)
    swing_m = draw.between(0.02, 0.08) if draw.chance(0.6) else 0.0
    way = beside(torso.way, ahead * offset_m, swing_m, draw.between(0.8, 1.1), draw.between(0.0, 1.0))
    return [torso, Body(way, part_m, persons=0)]


def single(draw: Draw, start_s: float, separation_m: float) -> list[Body]:
    way = walk(draw, start_s, separation_m, draw.speed_m_s(), draw.chance(0.5))
    return with_arm(draw, Body(way, draw.depth_m()), ARM_SHARE)


def followers(draw: Draw, start_s: float, separation_m: float) -> list[Body]:
    """Two to four people the same way, each 0.15 to 0.8 m behind the back before."""
    count = 2 + draw.chance(0.3) + draw.chance(0.1)
    inward = draw.chance(0.5)
    speed_m_s = draw.normal(1.26 - 0.04 * count, 0.2, 0.5, 2.5)
    bodies: list[Body] = []
    before_m = 0.0
    for index in range(count):
        depth_m = draw.depth_m()
        if index:
            start_s += (draw.between(*_GAP_M) + (before_m + depth_m) / 2) / speed_m_s
        before_m = depth_m
        own_m_s = speed_m_s * draw.normal(1.0, 0.03, 0.9, 1.1)
        # Their spacing is that at the middle of the door, whatever each one's own speed.
        lead_s = (separation_m / 2 + APPROACH_M) * (1 / speed_m_s - 1 / own_m_s)
        torso = Body(walk(draw, start_s + lead_s, separation_m, own_m_s, inward), depth_m)
        bodies += with_arm(draw, torso, ARM_SHARE_IN_GROUPS)
    return bodies


def opposite(draw: Draw, start_s: float, separation_m: float) -> list[Body]:
    """One comes and one goes, in the middle of the door within 0.6 s of one another."""
    far_m = separation_m / 2 + APPROACH_M
    speeds_m_s = [draw.speed_m_s(), draw.speed_m_s()]
    meet_s = start_s + far_m / min(speeds_m_s) + _OVERLAP_S
    bodies: list[Body] = []
    for speed_m_s, inward in zip(speeds_m_s, (True, False), strict=True):
        own_s = meet_s - far_m / speed_m_s + draw.between(-_OVERLAP_S / 2, _OVERLAP_S / 2)
        torso = Body(walk(draw, own_s, separation_m, speed_m_s, inward), draw.depth_m())
        bodies += with_arm(draw, torso, ARM_SHARE_IN_GROUPS)
    return bodies


def abreast(draw: Draw, start_s: float, separation_m: float) -> list[Body]:
    """Two side by side, the second N(0, 0.25 m) behind the first."""
    inward = draw.chance(0.5)
    speed_m_s = draw.normal(1.18, 0.2, 0.5, 2.5)
    way = walk(draw, start_s, separation_m, speed_m_s, inward)
    stagger_m = draw.normal(0.0, _STAGGER_SD_M, -1.0, 1.0)
    beside_it = with_arm(draw, Body(beside(way, stagger_m), draw.depth_m()), ARM_SHARE_IN_GROUPS)
    return with_arm(draw, Body(way, draw.depth_m()), ARM_SHARE_IN_GROUPS) + beside_it


def alone_or_abreast(draw: Draw, start_s: float, separation_m: float) -> list[Body]:
    return (abreast if draw.chance(0.5) else single)(draw, start_s, separation_m)


def turn_back(draw: Draw, start_s: float, separation_m: float) -> list[Body]:
    """Half of them cross; the others break a beam or both, dwell, and leave where they came from."""
    if draw.chance(0.5):
        return single(draw, start_s, separation_m)
    depth_m, speed_m_s, inward = draw.depth_m(), draw.speed_m_s(), draw.chance(0.5)
    first_m = -APPROACH_M if inward else separation_m + APPROACH_M
    turn_m = _within(draw, depth_m, separation_m)
    way_s = abs(turn_m - first_m) / speed_m_s
    leave_s = start_s + way_s + draw.between(0.1, 3.0)
    back_s = leave_s + abs(turn_m - first_m) / draw.speed_m_s()
    stops = ((start_s, first_m), (start_s + way_s, turn_m), (leave_s, turn_m), (back_s, first_m))
    return [Body(tuple(Waypoint(*stop) for stop in stops), depth_m)]


def _within(draw: Draw, depth_m: float, separation_m: float) -> float:
    """Somewhere between the first touch of one beam and the last of the other."""
    return draw.between(_INTO_M - depth_m / 2, separation_m + depth_m / 2 - _INTO_M)


def loiter(draw: Draw, start_s: float, separation_m: float) -> list[Body]:
    """Someone shuffles in the beams for 10 s to 3 minutes, never out of them, and then goes through or back."""
    depth_m, inward = draw.depth_m(), draw.chance(0.5)
    sides_m = (-APPROACH_M, separation_m + APPROACH_M)
    first_m = sides_m[0] if inward else sides_m[1]
    last_m = sides_m[draw.chance(0.5)]
    x_m = _within(draw, depth_m, separation_m)
    t_s = start_s + abs(x_m - first_m) / draw.speed_m_s()
    way = [Waypoint(start_s, first_m), Waypoint(t_s, x_m)]
    until_s = t_s + draw.between(10.0, 180.0)
    while t_s < until_s:
        t_s += draw.between(0.2, 4.0)
        way.append(Waypoint(t_s, x_m))
        before_m, x_m = x_m, _within(draw, depth_m, separation_m)
        t_s += max(0.02, abs(x_m - before_m) / draw.between(0.1, 0.6))
        way.append(Waypoint(t_s, x_m))
    way.append(Waypoint(t_s + abs(last_m - x_m) / draw.speed_m_s(), last_m))
    return [Body(tuple(way), depth_m)]


def loiter_or_pass(draw: Draw, start_s: float, separation_m: float) -> list[Body]:
    """One in eight loiters."""
    return (loiter if draw.chance(0.125) else single)(draw, start_s, separation_m)


def wheels(draw: Draw, start_s: float, separation_m: float) -> list[Body]:
    """A pram or trolley before its person, a trolley drawn behind, or a wheelchair: 0.5 to 1.1 m long, with gaps."""
    inward = draw.chance(0.5)
    way = walk(draw, start_s, separation_m, draw.normal(1.05, 0.2, 0.5, 1.8), inward, _WHEELS_APPROACH_M)
    forwards = 1.0 if inward else -1.0
    kind = draw.between(0.0, 1.0)
    if kind < 0.3:  # noqa: PLR2004 - the share of wheelchairs
        return _pieces(draw, way, 0.0, draw.between(0.7, 1.1), persons=1)
    torso = Body(way, draw.depth_m())
    long_m = draw.between(0.5, 0.9)
    offset_m = torso.depth_m / 2 + draw.between(0.05, 0.35) + long_m / 2
    side = forwards if kind < 0.8 else -forwards  # noqa: PLR2004 - the share of what is pushed
    return [torso, *_pieces(draw, way, side * offset_m, long_m, persons=0)]


def _pieces(draw: Draw, way: Way, offset_m: float, long_m: float, persons: int) -> list[Body]:
    """One to three pieces with gaps of 2 to 8 cm between; the first one holds who is counted."""
    count = 1 + draw.chance(0.5) + draw.chance(0.2)
    gaps_m = [draw.between(0.02, 0.08) for _ in range(count - 1)]
    shares = [draw.between(0.6, 1.4) for _ in range(count)]
    solid_m = long_m - sum(gaps_m)
    bodies = []
    from_m = offset_m - long_m / 2
    for index, share in enumerate(shares):
        piece_m = solid_m * share / sum(shares)
        bodies.append(Body(beside(way, from_m + piece_m / 2), piece_m, 0 if index else persons))
        from_m += piece_m + (gaps_m[index] if index < count - 1 else 0.0)
    return bodies


def mixed(draw: Draw, start_s: float, separation_m: float) -> list[Body]:
    """All of them as they come on a busy day."""
    kind = draw.between(0.0, 1.0)
    for share, party in MIX:
        if kind < share:
            return party(draw, start_s, separation_m)
        kind -= share
    return single(draw, start_s, separation_m)


MIX: tuple[tuple[float, Party], ...] = (
    (0.15, followers),
    (0.08, opposite),
    (0.05, abreast),
    (0.08, turn_back),
    (0.05, wheels),
)


def standing(draw: Draw, start_s: float, separation_m: float) -> list[Body]:
    """Someone stands in the frame for half an hour, swaying, and leaves where they came from."""
    depth_m = draw.depth_m()
    stand_m = draw.between(-depth_m / 2, separation_m + depth_m / 2)
    way = [Waypoint(start_s, -APPROACH_M)]
    t_s = start_s + (stand_m + APPROACH_M) / draw.speed_m_s()
    until_s = t_s + 1800.0
    while t_s < until_s:
        way.append(Waypoint(t_s, stand_m + draw.normal(0.0, 0.02, -0.06, 0.06)))
        t_s += draw.between(0.5, 5.0)
    way.append(Waypoint(t_s, stand_m))
    way.append(Waypoint(t_s + (stand_m + APPROACH_M) / draw.speed_m_s(), -APPROACH_M))
    return [Body(tuple(way), depth_m)]
