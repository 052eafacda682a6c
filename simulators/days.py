"""What a hub's units would have published of one day in the past: passages, counters, meetings, the cabinet."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from firmware_cfg.schema import Hub, Sensor, Stay
from firmware_cfg.sensors import BeamPair, Cabinet, RadarLine, RoomPresence
from firmware_cfg.times import NS_PER_S
from simulators.hubs import Visit

_MINUTE_NS = 60 * NS_PER_S
_HOUR_NS = 3600 * NS_PER_S
_REFERENCE_MISSES = 0.04
_NO_SHOW = 0.12
_OPENED_ONE_DAY_IN = 45


@dataclass(frozen=True, slots=True, order=True)
class DayEvent:
    """An event's time and the JSON of its other fields, but for `seq`."""

    t_ns: int
    body: str


def sensors_there(hub: Hub, stay: Stay, *, second_counts: bool) -> list[Sensor]:
    """The unit's sensors, with or without those that only count a second time."""

    def is_second(sensor: Sensor) -> bool:
        return sensor.entrance is not None and hub.role(sensor.entrance, sensor.name) == "reference"

    return [sensor for sensor in stay.sensors if second_counts or not is_second(sensor)]


def unit_day(
    hub: Hub, stay: Stay, day: date, visits: list[Visit], seed: int, *, second_counts: bool = True
) -> list[DayEvent]:
    """The events of that unit on that local day in the order of time; times are unique per sensor and kind."""
    found: list[DayEvent] = []
    for sensor in sensors_there(hub, stay, second_counts=second_counts):
        rng = random.Random(f"{seed}/{stay.id}/{sensor.name}/{day}")  # noqa: S311 - a simulation
        makes = _counted if sensor.entrance is not None and not isinstance(sensor, Cabinet) else _kinds()[sensor.kind]
        last_ns = -1
        for t_ns, fields in sorted(makes(hub, sensor, day, visits, rng), key=lambda item: item[0]):
            last_ns = max(t_ns, last_ns + 1)
            found.append(DayEvent(last_ns, _body(hub, sensor, fields)))
    return sorted(found)


def crossings_seen(hub: Hub, stay: Stay, visits: list[Visit], *, second_counts: bool = True) -> int:
    """About how many passages that makes: one for each crossing and sensor that sees single persons."""
    entrances = [entrance.id for entrance in hub.entrances]
    there = sensors_there(hub, stay, second_counts=second_counts)
    seen_by = [sensor.entrance for sensor in there if isinstance(sensor, BeamPair | RadarLine)]
    return sum(seen_by.count(entrances[by]) for visit in visits for by in (visit.in_by, visit.out_by))


Found = Iterator[tuple[int, dict[str, Any]]]


def _kinds() -> dict[str, Callable[[Hub, Any, date, list[Visit], random.Random], Found]]:
    return {"room": _meetings, "cabinet": _cabinet}


def _body(hub: Hub, sensor: Sensor, fields: dict[str, Any]) -> str:
    place = {"entrance": sensor.entrance, "room": sensor.room}
    given = {key: value for key, value in place.items() if value is not None}
    return json.dumps({"sensor": sensor.name, "hub": hub.id, **given, **fields}, separators=(",", ":"))


def _counted(hub: Hub, sensor: Sensor, _day: date, visits: list[Visit], rng: random.Random) -> Found:
    """The counting sensor sees everybody who came through its entrance, a reference one a few less."""
    index = next(number for number, entrance in enumerate(hub.entrances) if entrance.id == sensor.entrance)
    role = hub.role(sensor.entrance, sensor.name)
    crossings = [(visit.in_ns, True) for visit in visits if visit.in_by == index]
    crossings += [(visit.out_ns, False) for visit in visits if visit.out_by == index]
    if role == "reference":
        crossings = [crossing for crossing in crossings if rng.random() >= _REFERENCE_MISSES]
    if isinstance(sensor, BeamPair | RadarLine):
        return _passages(crossings, role, rng)
    return _hourly(crossings, role)


def _passages(crossings: list[tuple[int, bool]], role: str, rng: random.Random) -> Found:
    for t_ns, inward in crossings:
        yield (
            t_ns,
            {
                "kind": "passage",
                "direction": "in" if inward else "out",
                "persons": 1,
                "speed_m_s": round(min(2.5, max(0.5, rng.gauss(1.3, 0.26))), 2),
                "length_m": round(min(0.45, max(0.18, rng.gauss(0.3, 0.04))), 3),
                "confidence": round(1 - 0.03 * rng.random(), 3),
                "role": role,
            },
        )


def _hourly(crossings: list[tuple[int, bool]], role: str) -> Found:
    """A cumulative counter that was cleared at midnight, read at the end of each hour in which somebody came."""
    hours = sorted({t_ns // _HOUR_NS for t_ns, _ in crossings})
    raw = {True: 0, False: 0}
    for hour in hours:
        delta = {way: sum(1 for t_ns, inward in crossings if t_ns // _HOUR_NS == hour and inward is way) for way in raw}
        raw = {way: raw[way] + delta[way] for way in raw}
        counts = {"in": delta[True], "out": delta[False], "raw_in": raw[True], "raw_out": raw[False]}
        yield (hour + 1) * _HOUR_NS - 1, {"kind": "counter", **counts, "reset": hour == hours[0], "role": role}


def _meetings(hub: Hub, sensor: RoomPresence, day: date, visits: list[Visit], rng: random.Random) -> Found:
    """Bookings on an open day, some weekly, some nobody comes to; the room says when it changes."""
    if not visits:
        return
    rooms = [room.id for room in hub.rooms]
    regular = (day.weekday() + rooms.index(sensor.room)) % 3
    for start_h, hours in ((9.5, 1.5), (13.0, 2.0), (15.5, 1.0))[: 1 + regular]:
        if rng.random() < _NO_SHOW:
            continue
        midnight = datetime.combine(day, time(), hub.zone)
        start_ns = int(midnight.replace(hour=int(start_h), minute=int(start_h % 1 * 60)).timestamp()) * NS_PER_S
        begins_ns = start_ns + int(rng.uniform(-4, 8) * _MINUTE_NS)
        ends_ns = start_ns + int((hours * 60 + rng.uniform(-10, 5)) * _MINUTE_NS)
        yield begins_ns, {"kind": "room", "state": "occupied", "probability": round(rng.uniform(0.95, 0.999), 3)}
        yield ends_ns, {"kind": "room", "state": "vacant", "probability": round(rng.uniform(0.001, 0.05), 3)}


def _cabinet(hub: Hub, sensor: Cabinet, day: date, visits: list[Visit], rng: random.Random) -> Found:
    """A reading each morning, and now and then somebody opens the door for a moment."""
    del sensor, visits
    morning = int(datetime.combine(day, time(8), hub.zone).timestamp()) * NS_PER_S + rng.randrange(_MINUTE_NS)
    fine = {"kind": "cabinet", "level": "ok", "door": "closed", "aed": "present", "mains": "on", "reasons": []}
    temperature_c = round(rng.gauss(15, 3), 1)
    yield morning, {**fine, "temperature_c": temperature_c}
    if rng.randrange(_OPENED_ONE_DAY_IN) == 0:
        opened_ns = morning + rng.randrange(8 * _HOUR_NS)
        yield opened_ns, {**fine, "door": "open", "temperature_c": temperature_c}
        yield opened_ns + rng.randrange(10, 60) * NS_PER_S, {**fine, "temperature_c": temperature_c}
