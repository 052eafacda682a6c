"""What is known of one unit now: whether it is heard, what it reported of itself, what is wrong with it."""

from __future__ import annotations

from itertools import pairwise

from collector.answers import FaultLive, OutboxLive, SensorLive, UnitLive
from collector.recent import Key, Recent
from firmware_cfg.schema import Stay
from firmware_cfg.times import NS_PER_S, to_rfc3339
from firmware_cfg.wire import UNIT_ITSELF, Fault, Health, State

SILENT_NS = 5 * 60 * NS_PER_S
"""A unit reports each minute; after this long without a word it is not online, whatever it said last."""
HAPPENING_NS = 3600 * NS_PER_S
"""For how long something that happened, and is told once, is worth showing."""
FAULTS_KEPT = 20
"""Of each kind, sensor and line."""
SERIES_MAX = 200

OF_A_SENSOR = frozenset({"sensor_unavailable", "sensor_silent", "sensor_unreadable"})
"""Faults that last until they are taken back, or until the sensor reports to have worked ever since."""
HAPPENINGS = frozenset(
    {
        "disk_slow",
        "door_forgotten",
        "edges_lost",
        "events_lost",
        "line_noise",
        "messages_dropped",
        "modbus_refused",
        "outbox_damaged",
        "outbox_dropped",
        "recording_damaged",
        "recording_paused",
        "repeated_level",
    }
)
"""Faults that are told as they happen and never taken back. One that is not known here is taken to last."""

_Series = tuple[str, str, str | None]


class UnitNow:
    """One unit, from messages in any order. Bounded; not thread-safe."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.missing = self.lost = 0
        self._session: str | None = None
        self._online: bool | None = None
        self._heard_ns: int | None = None
        self._health: Health | None = None
        self._faults: dict[_Series, Recent[Fault]] = {}

    def hear(self, now_ns: int) -> None:
        self._heard_ns = now_ns
        self._online = True

    def state(self, state: State, now_ns: int) -> None:
        if state.state == "online":
            if self._session != state.session:
                self._heard_ns = now_ns
            self._session = state.session
        self._online = state.state == "online"

    def report(self, report: Health) -> None:
        if self._health is None or report.t_ns > self._health.t_ns:
            self._health = report

    def fault(self, key: Key, event: Fault) -> bool:
        """True where it is news."""
        series = (event.sensor, event.fault, event.line)
        news = self._faults.setdefault(series, Recent(FAULTS_KEPT)).add(key, event)
        if len(self._faults) > SERIES_MAX:
            del self._faults[min(self._faults, key=lambda each: _newest(self._faults[each]))]
        return news

    def online(self, now_ns: int) -> bool | None:
        """None: nothing was heard of it yet."""
        if self._online and (self._heard_ns is None or now_ns - self._heard_ns > SILENT_NS):
            return False
        return self._online

    def away(self, now_ns: int) -> str | None:
        """Why what it said last no longer holds."""
        return "its unit is offline" if self.online(now_ns) is False else None

    def sensor_ok(self, sensor: str, now_ns: int) -> bool | None:
        """None where nobody knows."""
        health = self._health_now(now_ns)
        known = health.sensors.get(sensor) if health else None
        return known.ok if known else None

    def unavailable(self, sensor: str) -> bool:
        """Whether the whole sensor could not be opened, or went away."""
        series = self._faults.get((sensor, "sensor_unavailable", None))
        return series is not None and self._lasts(series)

    def answer(self, stay: Stay, now_ns: int) -> UnitLive:
        health = self._health
        return UnitLive(
            id=self.name,
            online=self.online(now_ns),
            last_heard=None if self._heard_ns is None else to_rfc3339(self._heard_ns),
            reported=None if health is None else to_rfc3339(health.t_ns),
            version=None if health is None else health.version,
            clock=None if health is None else health.clock,
            temperature_c=None if health is None else health.temperature_c,
            outbox=None if health is None else OutboxLive(**health.outbox.model_dump(exclude={"bytes"})),
            missing=self.missing,
            lost=self.lost,
            sensors=self._sensors(stay, now_ns),
            faults=self._active(stay, now_ns),
        )

    def _health_now(self, now_ns: int) -> Health | None:
        return self._health if self.online(now_ns) else None

    def _sensors(self, stay: Stay, now_ns: int) -> list[SensorLive]:
        health = self._health_now(now_ns)
        reported = health.sensors if health else {}
        return [
            SensorLive(
                name=sensor.name,
                kind=sensor.kind,
                entrance=sensor.entrance,
                room=sensor.room,
                ok=reported[sensor.name].ok if sensor.name in reported else None,
                lost_edges=reported[sensor.name].lost_edges if sensor.name in reported else None,
            )
            for sensor in stay.sensors
        ]

    def _active(self, stay: Stay, now_ns: int) -> list[FaultLive]:
        """Those of the present stay; what lasts comes first, then the latest."""
        names = {UNIT_ITSELF, *(sensor.name for sensor in stay.sensors)}
        faults = []
        for (sensor, kind, line), series in self._faults.items():
            newest = series.newest
            if newest is None or sensor not in names or not newest.value.active or not stay.holds(newest.t_ns):
                continue
            lasting = kind not in HAPPENINGS
            if not self._lasts(series) if lasting else now_ns - newest.t_ns > HAPPENING_NS:
                continue
            faults.append(
                FaultLive(
                    sensor=sensor,
                    fault=kind,
                    line=line,
                    detail=newest.value.detail,
                    lasting=lasting,
                    since=to_rfc3339(_since_ns(series)),
                    last=to_rfc3339(newest.t_ns),
                    count=newest.value.count,
                )
            )
        faults.sort(key=lambda fault: (fault.sensor, fault.fault, fault.line or ""))
        return sorted(faults, key=lambda fault: (fault.lasting, fault.last), reverse=True)

    def _lasts(self, series: Recent[Fault]) -> bool:
        newest = series.newest
        if newest is None or not newest.value.active:
            return False
        if newest.value.fault not in OF_A_SENSOR or self._health is None:
            return True
        sensor = self._health.sensors.get(newest.value.sensor)
        well_since_ns = sensor.ok_since_ns if sensor is not None and sensor.ok else None
        return well_since_ns is None or well_since_ns <= newest.t_ns


def _newest(series: Recent[Fault]) -> Key:
    return series.newest.key if series.newest else (0, "", 0)


def _since_ns(series: Recent[Fault]) -> int:
    """The first report since it was taken back last, as far as it is kept."""
    entries = list(reversed(series))
    since_ns = entries[0].t_ns
    for _, earlier in pairwise(entries):
        if not earlier.value.active:
            break
        since_ns = earlier.t_ns
    return since_ns
