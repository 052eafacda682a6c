"""The GPIO lines of one sensor: what they are, the edges that wait, and which driver brings them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from edge.sensors.base import Edge, EdgeSource, Surroundings
from firmware_cfg.sensors import PinsConfig

WAITING_MAX = 4096  # a doorway has less than 50 edges a second


@dataclass(frozen=True, slots=True)
class GpioLine:
    """One pin: `key` is where the configuration names it, `one_high` whether level 1 is its high."""

    key: str
    pin: int
    one_high: bool
    pull_up: bool


class EdgeQueue:
    """Edges between the thread that sees them and the one that takes them: `WAITING_MAX` at most, the rest is lost."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Edge] = []
        self.lost = 0

    def put(self, edge: Edge) -> None:
        with self._lock:
            if len(self._waiting) < WAITING_MAX:
                self._waiting.append(edge)
            else:
                self.lost += 1

    def take(self, until_ns: int) -> list[Edge]:
        """As `EdgeSource.take`."""
        with self._lock:
            self._waiting.sort()
            count = next((at for at, edge in enumerate(self._waiting) if edge.t_ns > until_ns), len(self._waiting))
            taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return taken

    def waiting_ns(self) -> int | None:
        """As `EdgeSource.waiting_ns`."""
        with self._lock:
            return min((edge.t_ns for edge in self._waiting), default=None)


def edge_source(config: PinsConfig, lines: Sequence[GpioLine], around: Surroundings) -> EdgeSource:
    """These lines by the driver that the sensor's table names, or by the pin factory that stands for all of them.

    Only that driver's library is imported, and not before `open`.
    """
    if around.pin_factory is None and config.driver == "gpiod":
        from edge.sensors.gpiod_lines import GpiodLines  # noqa: PLC0415 - a unit needs one driver

        return GpiodLines(config.name, lines, wake=around.wake, label=config.chip, chips=around.chips)
    from edge.sensors.gpio import GpioLines, machine_pins  # noqa: PLC0415 - see above

    factory = around.pin_factory or machine_pins
    return GpioLines(config.name, lines, clock=around.clock, wake=around.wake, factory=factory)
