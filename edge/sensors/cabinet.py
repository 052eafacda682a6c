"""A defibrillator's cabinet: contacts on GPIO and a thermometer on 1-Wire, judged by `cabinet_rules`."""

from __future__ import annotations

from datetime import UTC, date, datetime, tzinfo
from typing import Any, Literal

from edge.clock import Instant
from edge.drafts import Mark, Noticed, Reading, SensorStats
from edge.sensors.base import EdgeSource, Surroundings
from edge.sensors.cabinet_rules import CabinetRules, CabinetSettings, Part, Status
from edge.sensors.lines import GpioLine, edge_source
from edge.sensors.one_wire import OneWireError, Thermometer
from firmware_cfg.schema import DefibrillatorCabinet
from firmware_cfg.sensors import Cabinet
from firmware_cfg.times import NS_PER_S

MEASURE_EVERY_NS = 30 * NS_PER_S
_MINUTE_NS = 60 * NS_PER_S

Input = Literal["door", "aed", "mains", "light"]
INPUTS: tuple[Input, ...] = ("door", "aed", "mains", "light")


def cabinet_settings(config: Cabinet, cabinet: DefibrillatorCabinet | None) -> CabinetSettings:
    """The sensor's table of a hub's file, with the dates that are kept with the cabinet."""
    fitted: set[Part] = {part for part in INPUTS if getattr(config, f"{part}_pin") is not None}
    if config.temperature is not None:
        fitted.add("temperature")
    return CabinetSettings(
        fitted=frozenset(fitted),
        door_open_ns=round(config.door_open_s * NS_PER_S),
        cold_c=config.cold_c,
        cold_ns=round(config.cold_min * _MINUTE_NS),
        frost_c=config.frost_c,
        heat_c=config.heat_c,
        temperature_silent_ns=round(config.temperature_silent_min * _MINUTE_NS),
        light_period_ns=round(config.light_period_s * NS_PER_S),
        heartbeat_ns=round(config.heartbeat_min * _MINUTE_NS),
        pads_expire=cabinet.pads_expire if cabinet else None,
        battery_expires=cabinet.battery_expires if cabinet else None,
    )


def contact_lines(config: Cabinet) -> dict[Input, GpioLine]:
    """Level 1 is a closed contact or a light that is on; each line is pulled to the other level, so a cut wire is 0."""
    lines: dict[Input, GpioLine] = {}
    for part in INPUTS:
        pin = getattr(config, f"{part}_pin")
        if pin is not None:
            one_high = part == "light" or part in config.inverted
            lines[part] = GpioLine(f"{part}_pin", pin, one_high, pull_up=not one_high)
    return lines


def make(config: Cabinet, around: Surroundings) -> CabinetSensor:
    named = contact_lines(config)
    hub = around.hub
    lines = edge_source(config, list(named.values()), around)
    thermometer = None if config.temperature is None else Thermometer(config.temperature, around.clock, around.wake)
    return CabinetSensor(
        config.name,
        cabinet_settings(config, hub.cabinet if hub else None),
        lines,
        list(named),
        thermometer,
        zone=hub.zone if hub else UTC,
        memo=around.memos.get(config.name),
    )


class CabinetSensor:
    """A live cabinet. What changes is urgent; in between it tells that it is still watched."""

    can_wait = False
    finished = False
    failed = False

    def __init__(
        self,
        name: str,
        settings: CabinetSettings,
        lines: EdgeSource,
        inputs: list[Input],
        thermometer: Thermometer | None,
        *,
        zone: tzinfo = UTC,
        memo: dict[str, Any] | None = None,
    ) -> None:
        self.name = name
        self._settings = settings
        self._lines = lines
        self._inputs = inputs
        self._thermometer = thermometer
        self._zone = zone
        self._rules: CabinetRules | None = None
        self._measure_ns = 0
        memo = memo or {}
        self._edges: int = memo.get("edges", 0)
        self._unreadable: str | None = memo.get("unreadable")

    def open(self, now: Instant) -> None:
        levels = self._lines.open() if self._inputs else ()
        self._rules = CabinetRules(self._settings, now.mono_ns)
        for part, level in zip(self._inputs, levels, strict=True):
            self._feed(self._rules, now.mono_ns, part, level)
        self._measure_ns = now.mono_ns

    def poll(self, now: Instant) -> list[Reading | Noticed]:
        rules = self._rules
        if rules is None:
            return []
        for edge in self._lines.take(now.mono_ns):
            self._edges += 1
            self._feed(rules, edge.t_ns, self._inputs[edge.line], edge.level)
        troubles = self._measured(rules, now)
        return [*troubles, *(self._reading(status, now) for status in rules.advance(now.mono_ns, self._today(now)))]

    def due_ns(self) -> int | None:
        if self._rules is None:
            return None
        times = [self._rules.due_ns(), self._lines.waiting_ns(), self._measure_ns if self._thermometer else None]
        return min((t_ns for t_ns in times if t_ns is not None), default=None)

    def memo(self) -> dict[str, Any]:
        return {"edges": self._edges, "unreadable": self._unreadable}

    def stats(self) -> SensorStats:
        return SensorStats(edges=self._edges, ok=self._unreadable is None)

    def close(self) -> None:
        self._lines.close()
        self._rules = None

    @staticmethod
    def _feed(rules: CabinetRules, t_ns: int, part: Input, level: int) -> None:
        if part != "light":
            rules.contact(t_ns, part, bool(level))
        elif level:
            rules.flash(t_ns)

    @staticmethod
    def _reading(status: Status, now: Instant) -> Reading:
        return Reading("cabinet", Mark(now.boot, status.t_ns), status.fields(), urgent=status.changed)

    def _today(self, now: Instant) -> date | None:
        return datetime.fromtimestamp(now.wall_ns // NS_PER_S, self._zone).date() if now.synced else None

    def _measured(self, rules: CabinetRules, now: Instant) -> list[Noticed]:
        """Ask for a temperature when it is time, and take those that came; tell when trouble begins or ends."""
        if self._thermometer is None:
            return []
        if now.mono_ns >= self._measure_ns:
            self._measure_ns = now.mono_ns + MEASURE_EVERY_NS
            self._thermometer.ask()
        out: list[Noticed] = []
        for t_ns, value in self._thermometer.take():
            trouble = str(value) if isinstance(value, OneWireError) else None
            if not isinstance(value, OneWireError):
                rules.temperature(t_ns, value)
            if trouble != self._unreadable:
                self._unreadable = trouble
                detail = f"temperature: {trouble}" if trouble else ""
                when = Mark(now.boot, t_ns)
                out.append(Noticed("sensor_unreadable", when, "temperature", detail, active=trouble is not None))
        return out
