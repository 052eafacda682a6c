"""Which file drives which kind of sensor. A new kind is a file with a `make`, and a line here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from edge.clock import Instant
from edge.drafts import Noticed, Reading, SensorStats
from edge.errors import SensorError
from edge.sensors.base import Driver, Surroundings
from firmware_cfg.schema import Sensor

if TYPE_CHECKING:
    from edge.sensors.serial_port import Device

MODULES = {
    "beam-pair": "edge.sensors.beams",
    "cabinet": "edge.sensors.cabinet",
    "ld2450": "edge.sensors.ld2450",
    "modbus-counter": "edge.sensors.modbus",
    "room": "edge.sensors.room",
    "terabee-evo": "edge.sensors.terabee",
}


def make(config: Sensor, around: Surroundings) -> Driver:
    """The sensor's driver, not yet open. Only its own module is imported."""
    module = MODULES.get(config.kind)
    if module is None:
        return _Undriven(config, around.memos.get(config.name))
    driver: Driver = import_module(module).make(config, around)
    return driver


def make_device(config: Sensor) -> Device | None:
    """The device of a serial sensor, without its port; None for a sensor of another kind."""
    module = MODULES.get(config.kind)
    device = getattr(import_module(module), "DEVICE", None) if module else None
    made: Device | None = device(config) if device else None
    return made


class _Undriven:
    """A sensor of a kind that may be configured and that this version cannot read."""

    can_wait = False
    finished = False
    failed = False

    def __init__(self, config: Sensor, memo: Any) -> None:
        self.name = config.name
        self._kind = config.kind
        self._memo = memo

    def open(self, now: Instant) -> None:
        del now
        allowed = ", ".join(sorted(MODULES))
        raise SensorError(self.name, f"kind {self._kind}", "this version cannot read it", f"it reads {allowed}")

    def poll(self, now: Instant) -> list[Reading | Noticed]:
        del now
        return []

    def due_ns(self) -> int | None:
        return None

    def memo(self) -> Any:
        return self._memo

    def stats(self) -> SensorStats:
        return SensorStats(ok=False)

    def close(self) -> None:
        pass
