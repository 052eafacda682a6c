"""A day in a meeting room with what its sensors say and who was really there.

`python -m simulators.room_score` scores the fusion of `edge.sensors.room_fusion` on such days; see docs/rooms.md. All
times of a day are seconds since midnight; the lead-in before it is there so that a unit is long awake by then.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from edge.sensors.ld2410 import Presence
from firmware_cfg.times import NS_PER_S

DAY_S, LEAD_IN_S = 86_400, 3_600
PIR_HOLD_S, PIR_BLIND_S = 5.0, 2.5
RADAR_TAIL_S = 5
SETTLE_S, RISE_S = 30, 15  # coats and chairs
DEPTH_CM = 420

Manner = Literal["walks", "talks", "still"]
Trouble = Literal["fan", "curtain", "neighbours", "ghost"]
Profile = Literal["meetings", "sitters", "fan", "curtain", "partition", "ghost", "cleaner", "mixed", "everything"]
PROFILES: tuple[Profile, ...] = (
    "meetings",
    "sitters",
    "fan",
    "curtain",
    "partition",
    "ghost",
    "cleaner",
    "mixed",
    "everything",
)


@dataclass(frozen=True, slots=True)
class Signal:
    """What a sensor says: the PIR's level, whether the door is shut, or a radar's report."""

    t_ns: int
    sensor: Literal["pir", "door", "radar"]
    value: bool | Presence


@dataclass(frozen=True, slots=True)
class Visit:
    """One person in the room. `pir_s` and `radar_s`: how often either sees somebody who sits there move."""

    from_s: float
    until_s: float
    manner: Manner
    seat_cm: int = 200
    pir_s: float = 15.0
    radar_s: float = 3.0
    meeting: bool = True

    def manner_at(self, second: int) -> Manner:
        settling = second - self.from_s < SETTLE_S or self.until_s - second < RISE_S
        return "walks" if settling else self.manner


@dataclass(frozen=True, slots=True)
class Nuisance:
    """Something that a sensor takes for a person."""

    what: Trouble
    from_s: float
    until_s: float
    place_cm: int


@dataclass(frozen=True, slots=True)
class RoomDay:
    """A day's truth. `signals` gives what the sensors make of it, the same for the same day."""

    seed: int
    profile: Profile
    visits: list[Visit] = field(default_factory=list)
    nuisances: list[Nuisance] = field(default_factory=list)
    propped: list[tuple[float, float]] = field(default_factory=list)

    def occupied(self, at_s: float) -> bool:
        return any(visit.from_s <= at_s < visit.until_s for visit in self.visits)

    def meeting_spans(self) -> list[tuple[float, float]]:
        """When somebody was there to stay, merged."""
        return merged([(visit.from_s, visit.until_s) for visit in self.visits if visit.meeting])

    def door_spans(self) -> list[tuple[float, float]]:
        """When the door stood open: it closes by itself, unless somebody propped it."""
        rng = Random(f"door {self.seed}")  # noqa: S311 - a simulation
        spans = [*self.propped]
        for visit in self.visits:
            ends_s = (visit.from_s, visit.until_s)
            spans += [(at_s - rng.uniform(1, 3), at_s + rng.uniform(3, 8)) for at_s in ends_s]
        return merged(spans)

    def signals(self, report_every_s: int = 1) -> Iterator[Signal]:
        """In the order of time, from `LEAD_IN_S` before midnight on; `report_every_s` thins the radar's reports."""
        rng = Random(f"signals {self.seed} {self.profile}")  # noqa: S311 - a simulation
        pir, radar = _PirLine(rng), _RadarView(rng)
        edges = [edge for span in self.door_spans() for edge in ((span[0], False), (span[1], True))]
        waiting = [Signal(_ns(-LEAD_IN_S), "pir", value=False), Signal(_ns(-LEAD_IN_S), "door", value=True)]
        for second in range(-LEAD_IN_S, DAY_S):
            while edges and edges[0][0] < second + 1:
                at_s, shut = edges.pop(0)
                waiting.append(Signal(_ns(at_s), "door", shut))
            people = [visit for visit in self.visits if visit.from_s <= second < visit.until_s]
            troubles = [trouble for trouble in self.nuisances if trouble.from_s <= second < trouble.until_s]
            waiting += pir.second(second, people, troubles)
            if second % report_every_s == 0:
                waiting.append(Signal(_ns(second) + NS_PER_S // 2, "radar", radar.second(second, people, troubles)))
            waiting.sort(key=lambda signal: signal.t_ns)
            while waiting and waiting[0].t_ns < _ns(second + 1):
                yield waiting.pop(0)


class _PirLine:
    """An HC-SR501 that may be set off again while it is high, and is blind for a while after it fell."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._falls_s: float | None = None
        self._blind_s = -1e9

    def second(self, second: int, people: list[Visit], troubles: list[Nuisance]) -> Iterator[Signal]:
        rng = self._rng
        chance = 1 - (1 - 1 / 21_600)  # warm air, a heater's first breath
        for trouble in troubles:
            chance += {"curtain": 1 / 900, "fan": 1 / 7_200}.get(trouble.what, 0.0)
        for visit in people:
            chance += 0.9 if visit.manner_at(second) == "walks" else 1 / visit.pir_s
        moved = rng.random() < chance
        at_s = second + rng.random()
        if self._falls_s is not None and self._falls_s < (at_s if moved else second + 1):
            self._blind_s = self._falls_s + PIR_BLIND_S
            yield Signal(_ns(self._falls_s), "pir", value=False)
            self._falls_s = None
        if not moved or at_s < self._blind_s:
            return
        if self._falls_s is None:
            yield Signal(_ns(at_s), "pir", value=True)
        self._falls_s = at_s + PIR_HOLD_S


class _RadarView:
    """An LD2410: one moving and one still target of however many there are, the nearer ones mostly."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._present_s = -1e9
        self._last_cm = 0

    def second(self, second: int, people: list[Visit], troubles: list[Nuisance]) -> Presence:
        rng = self._rng
        moving: list[float] = []
        still: list[float] = []
        for visit in people:
            if visit.manner_at(second) == "walks":
                moving.append(rng.uniform(60, DEPTH_CM))
                continue
            if rng.random() < 1 / visit.radar_s:
                moving.append(rng.gauss(visit.seat_cm, 15))
            if rng.random() < 0.97:  # noqa: PLR2004 - breathing is seen nearly always
                still.append(rng.gauss(visit.seat_cm, 8))
        for trouble in troubles:
            self._trouble(trouble, second, moving, still)
        if moving or still:
            self._present_s = second
            presence = Presence(self._one(moving), self._one(still))
            self._last_cm = presence.still_cm or presence.moving_cm or 0
            return presence
        return Presence(None, self._last_cm) if second - self._present_s < RADAR_TAIL_S else Presence()

    def _trouble(self, trouble: Nuisance, second: int, moving: list[float], still: list[float]) -> None:
        rng, place_cm = self._rng, trouble.place_cm
        match trouble.what:
            case "fan":
                if rng.random() < 0.97:  # noqa: PLR2004 - it hardly ever rests
                    moving.append(rng.gauss(place_cm, 6))
                    still.append(rng.gauss(place_cm, 6))
            case "curtain":
                gust = Random(f"{trouble.from_s} {second // 25}").random() < 0.4  # noqa: S311, PLR2004 - a simulation
                if gust and rng.random() < 0.7:  # noqa: PLR2004 - it swings
                    moving.append(rng.gauss(place_cm, 15))
            case "neighbours":
                if rng.random() < 0.25:  # noqa: PLR2004 - what a partition lets through
                    moving.append(rng.gauss(place_cm, 25))
                if rng.random() < 0.6:  # noqa: PLR2004 - the same
                    still.append(rng.gauss(place_cm, 15))
            case "ghost":
                still.append(rng.gauss(place_cm, 3))

    def _one(self, places_cm: list[float]) -> int | None:
        if not places_cm:
            return None
        nearest = min(places_cm)
        return round(max(0.0, nearest if self._rng.random() < 0.7 else self._rng.choice(places_cm)))  # noqa: PLR2004 - it does not always find the nearest


def room_day(seed: int, profile: Profile = "everything") -> RoomDay:
    """A day of that kind: who comes, stays and goes, and what fools the sensors."""
    rng = Random(f"day {seed} {profile}")  # noqa: S311 - a simulation
    happens = _happens(rng, profile)
    visits, propped = _people(rng, happens)
    return RoomDay(seed, profile, visits, _nuisances(rng, happens, visits), propped)


def _happens(rng: Random, profile: Profile) -> set[str]:
    """On a mixed day each may be or not; `everything` at once is a bad day."""
    special = ("sitters", "fan", "curtain", "partition", "ghost", "cleaner")
    match profile:
        case "everything":
            return set(special)
        case "mixed":
            return {what for what in special if rng.random() < 0.5}  # noqa: PLR2004 - even odds
        case _:
            return {profile}


def _people(rng: Random, happens: set[str]) -> tuple[list[Visit], list[tuple[float, float]]]:
    visits: list[Visit] = []
    propped: list[tuple[float, float]] = []
    at_s = rng.uniform(8.75, 10.5) * 3_600
    for _ in range(rng.randint(2, 4)):
        length_s = rng.uniform(35, 110) * 60
        alone = "sitters" in happens and (len(happens) == 1 or rng.random() < 0.4)  # noqa: PLR2004 - two in five
        visits += _sitter(rng, at_s, length_s) if alone else _meeting(rng, at_s, length_s)
        if not alone and rng.random() < 0.1:  # noqa: PLR2004 - one in ten
            propped.append((at_s - 300, at_s + length_s + rng.uniform(-600, 60)))
        at_s += length_s + rng.uniform(10, 100) * 60
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        visits.append(_passing(rng, rng.uniform(8, 18) * 3_600, rng.uniform(5, 20)))
    if "cleaner" in happens:
        visits.append(_passing(rng, rng.uniform(19.5, 22) * 3_600, rng.uniform(6, 20) * 60))
    return visits, propped


def _passing(rng: Random, at_s: float, length_s: float) -> Visit:
    """Somebody who looks in, or cleans."""
    return Visit(at_s, at_s + length_s, "walks", rng.randint(60, 400), meeting=False)


def _meeting(rng: Random, at_s: float, length_s: float) -> list[Visit]:
    """Two to ten people, the first early, somebody late; some go out for a while; all leave within two minutes."""
    visits: list[Visit] = []
    for _ in range(rng.randint(2, 10)):
        late = rng.random() < 0.15  # noqa: PLR2004 - one in seven
        from_s = at_s + (rng.uniform(60, 900) if late else rng.uniform(-420, 60))
        until_s = at_s + length_s + rng.uniform(0, 120)
        seat_cm, pir_s, radar_s = rng.randint(90, 400), rng.uniform(10, 40), rng.uniform(2, 6)
        pieces = [(from_s, until_s)]
        if rng.random() < 0.2:  # noqa: PLR2004 - one in five
            out_s = rng.uniform(from_s + 300, until_s - 900)
            pieces = [(from_s, out_s), (out_s + rng.uniform(120, 480), until_s)]
        visits += [Visit(begin_s, end_s, "talks", seat_cm, pir_s, radar_s) for begin_s, end_s in pieces]
    return visits


def _sitter(rng: Random, at_s: float, length_s: float) -> list[Visit]:
    """One person reading: the radar sees a movement in some 40 s, the PIR in some 4 min. May fetch a cup of tea."""
    seat_cm, pir_s, radar_s = rng.randint(90, 400), rng.uniform(120, 360), rng.uniform(20, 60)
    pieces = [(at_s, at_s + length_s)]
    if rng.random() < 0.4:  # noqa: PLR2004 - two in five
        out_s = at_s + rng.uniform(0.3, 0.6) * length_s
        pieces = [(at_s, out_s), (out_s + rng.uniform(90, 400), at_s + length_s)]
    return [Visit(begin_s, end_s, "still", seat_cm, pir_s, radar_s) for begin_s, end_s in pieces]


def _nuisances(rng: Random, happens: set[str], visits: list[Visit]) -> list[Nuisance]:
    spans = merged([(visit.from_s, visit.until_s) for visit in visits if visit.meeting])
    place_cm = rng.randint(120, 380)
    found: list[Nuisance] = []
    if "fan" in happens:  # switched on in one of the meetings and forgotten
        begin_s = rng.uniform(*rng.choice(spans))
        found.append(Nuisance("fan", begin_s, begin_s + rng.uniform(1, 8) * 3_600, place_cm))
    if "curtain" in happens:
        begins_s = [rng.uniform(0, DAY_S) for _ in range(3)]
        found += [
            Nuisance("curtain", begin_s, begin_s + rng.uniform(15, 90) * 60, rng.randint(300, 400))
            for begin_s in begins_s
        ]
    if "partition" in happens:
        for begin_s in [rng.uniform(8, 20) * 3_600 for _ in range(4)]:
            far_cm = DEPTH_CM + rng.randint(20, 160)
            found.append(Nuisance("neighbours", begin_s, begin_s + rng.uniform(30, 100) * 60, far_cm))
    if "ghost" in happens:
        for _, end_s in spans:
            if rng.random() < 0.6:  # noqa: PLR2004 - three in five
                stuck_s = rng.uniform(0.3, 5) * 3_600
                found.append(Nuisance("ghost", end_s - 10, end_s + stuck_s, rng.randint(90, 400)))
    return found


def merged(spans: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Sorted, with those that touch or overlap made one."""
    out: list[tuple[float, float]] = []
    for begin_s, end_s in sorted(spans):
        if out and begin_s <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], end_s))
        else:
            out.append((begin_s, end_s))
    return out


def _ns(at_s: float) -> int:
    return round(at_s * 1e6) * 1_000
