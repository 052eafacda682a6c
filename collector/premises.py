"""What is known of a hub's rooms and its defibrillator's cabinet. Silence is unknown, and unknown is never fine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from collector.analysis.buckets import local_date
from collector.answers import CabinetLive, Expiry, RoomLive
from collector.recent import Entry, Key, Recent
from firmware_cfg.schema import Hub, MeetingRoom
from firmware_cfg.sensors import Cabinet as CabinetConfig
from firmware_cfg.sensors import RoomPresence
from firmware_cfg.times import NS_PER_S, to_rfc3339
from firmware_cfg.wire import Cabinet, Room

BEATS_MISSED = 3
"""A sensor tells each heartbeat that it still watches; after so many without a word nothing is known."""
READINGS_KEPT = 300
"""Of each room: a day of heartbeats, to tell since when it is as it is."""
WORST_LAST = ("ok", "warning", "unknown", "critical")
_MINUTE_NS = 60 * NS_PER_S

Trouble = Callable[[str, str], str | None]
"""Why nothing is known by this unit's sensor, whatever it said last; None where it works as far as anybody knows."""


class Premises:
    """Rooms and cabinet of one hub, from events in any order. Bounded; not thread-safe."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._watched: set[tuple[str, str]] = {
            (stay.id, sensor.name)
            for stay in hub.units
            for sensor in stay.sensors
            if isinstance(sensor, RoomPresence | CabinetConfig)
        }
        self._rooms: dict[tuple[str, str], Recent[Room]] = {}
        self._cabinets: dict[tuple[str, str], Recent[Cabinet]] = {}

    def room(self, unit: str, key: Key, event: Room) -> bool:
        """True where it is news."""
        if (unit, event.sensor) not in self._watched:
            return False
        return self._rooms.setdefault((unit, event.sensor), Recent(READINGS_KEPT)).add(key, event)

    def cabinet(self, unit: str, key: Key, event: Cabinet) -> bool:
        """True where it is news."""
        if (unit, event.sensor) not in self._watched:
            return False
        return self._cabinets.setdefault((unit, event.sensor), Recent(1)).add(key, event)

    def rooms_answer(self, now_ns: int, trouble: Trouble) -> list[RoomLive]:
        """Each configured room. Where several sensors watch one, any that sees somebody is believed."""
        return [self._room_answer(room, now_ns, trouble) for room in self._hub.rooms]

    def _room_answer(self, room: MeetingRoom, now_ns: int, trouble: Trouble) -> RoomLive:
        found = [
            self._room_by(room, stay.id, sensor, now_ns, trouble(stay.id, sensor.name))
            for stay in self._hub.units
            if stay.holds(now_ns)
            for sensor in stay.sensors
            if isinstance(sensor, RoomPresence) and sensor.room == room.id
        ]
        order = ("occupied", "unknown", "vacant")
        return min(found, key=lambda answer: order.index(answer.state), default=_unknown(room, "no sensor"))

    def _room_by(
        self, room: MeetingRoom, unit: str, sensor: RoomPresence, now_ns: int, trouble: str | None
    ) -> RoomLive:
        readings = self._rooms.get((unit, sensor.name))
        newest = readings.newest if readings else None
        stale_ns = _stale_ns(sensor)
        if trouble is not None:
            return _unknown(room, trouble, newest)
        if readings is None or newest is None:
            return _unknown(room, "nothing heard yet")
        if now_ns - newest.t_ns > stale_ns:
            return _unknown(room, _silence(stale_ns), newest)
        if newest.value.room != room.id:
            return _unknown(room, "nothing heard yet")  # the sensor stood in another room when it spoke
        return RoomLive(
            id=room.id,
            name=room.name,
            state=newest.value.state,
            probability=newest.value.probability,
            since=to_rfc3339(_since_ns(readings, newest, stale_ns)),
            as_of=to_rfc3339(newest.t_ns),
            reason="its sensors cannot tell" if newest.value.state == "unknown" else None,
        )

    def cabinet_answer(self, now_ns: int, trouble: Trouble) -> CabinetLive | None:
        """None where there is no cabinet. Where several sensors watch it, the worst is believed."""
        if self._hub.cabinet is None:
            return None
        today = local_date(now_ns, self._hub.zone)
        pads, battery = (
            None if day is None else Expiry(until=day, days_left=(day - today).days)
            for day in (self._hub.cabinet.pads_expire, self._hub.cabinet.battery_expires)
        )
        found = [
            self._cabinet_by(stay.id, sensor, now_ns, trouble(stay.id, sensor.name))
            for stay in self._hub.units
            if stay.holds(now_ns)
            for sensor in stay.sensors
            if isinstance(sensor, CabinetConfig)
        ]
        worst = max(found, key=lambda answer: WORST_LAST.index(answer.level), default=_nothing(["cabinet: no sensor"]))
        return worst.model_copy(update={"pads": pads, "battery": battery})

    def _cabinet_by(self, unit: str, sensor: CabinetConfig, now_ns: int, trouble: str | None) -> CabinetLive:
        readings = self._cabinets.get((unit, sensor.name))
        newest = readings.newest if readings else None
        stale_ns = _stale_ns(sensor)
        if newest is None:
            return _nothing([f"cabinet: {trouble or 'nothing heard yet'}"])
        was = newest.value
        if trouble is None and now_ns - newest.t_ns > stale_ns:
            trouble = _silence(stale_ns)
        if trouble is not None:
            before = [f"cabinet: it was {was.level} when last heard", *was.reasons] if was.level != "ok" else []
            return _nothing([f"cabinet: {trouble}", *before], newest)
        return CabinetLive(
            level=was.level,
            was=None,
            door=was.door,
            aed=was.aed,
            mains=was.mains,
            temperature_c=was.temperature_c,
            reasons=was.reasons,
            as_of=to_rfc3339(newest.t_ns),
            pads=None,
            battery=None,
        )


def _stale_ns(sensor: RoomPresence | CabinetConfig) -> int:
    return round(BEATS_MISSED * sensor.heartbeat_min * _MINUTE_NS)


def _silence(stale_ns: int) -> str:
    return f"nothing heard for {stale_ns / _MINUTE_NS:g} min"


def _unknown(room: MeetingRoom, reason: str, newest: Entry[Room] | None = None) -> RoomLive:
    return RoomLive(
        id=room.id,
        name=room.name,
        state="unknown",
        probability=None,
        since=None,
        as_of=None if newest is None else to_rfc3339(newest.t_ns),
        reason=reason,
    )


def _nothing(reasons: Sequence[str], newest: Entry[Cabinet] | None = None) -> CabinetLive:
    return CabinetLive(
        level="unknown",
        was=None if newest is None else newest.value.level,
        door="unknown",
        aed="unknown",
        mains="unknown",
        temperature_c=None,
        reasons=list(reasons),
        as_of=None if newest is None else to_rfc3339(newest.t_ns),
        pads=None,
        battery=None,
    )


def _since_ns(readings: Recent[Room], newest: Entry[Room], stale_ns: int) -> int:
    """The earliest reading from which on every one said the same, without a silence between."""
    since_ns = newest.t_ns
    for later, earlier in pairwise(reversed(readings)):
        same = (earlier.value.state, earlier.value.room) == (newest.value.state, newest.value.room)
        if not same or later.t_ns - earlier.t_ns > stale_ns:
            break
        since_ns = earlier.t_ns
    return since_ns
