"""Edges of GPIO lines by gpiozero, whichever of its pin factories there is."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from typing import Any

from edge.clock import Clock
from edge.errors import SensorError
from edge.sensors.base import Edge
from edge.sensors.lines import EdgeQueue, GpioLine
from firmware_cfg.times import NS_PER_S

MACHINE_FACTORY = "lgpio"
"""The only one of gpiozero's factories for a Raspberry Pi whose edges carry the kernel's time and level."""
_CALLBACK_LAG_NS_MAX = 60 * NS_PER_S


class FactoryError(Exception):
    """There is no such pin factory here. `key` is where it was asked for."""

    def __init__(self, key: str, what: str, mend: str) -> None:
        super().__init__(f"{key}: {what}; {mend}")
        self.key, self.what, self.mend = key, what, mend


def load_factory(name: str) -> Any:
    """The pin factory of that gpiozero name and no other; raises FactoryError."""
    found = {point.name: point for point in entry_points(group="gpiozero_pin_factories")}
    key = f"--pin-factory {name}"
    if name not in found:
        raise FactoryError(key, "gpiozero has none of that name", f"it has {', '.join(sorted(found))}")
    try:
        return found[name].load()()
    except Exception as error:
        what = f"cannot be used ({str(error) or type(error).__name__})"
        raise FactoryError(key, what, "install what it needs, or name another") from error


@functools.cache
def machine_pins() -> Any:
    """The pins by lgpio, kept once they are found; raises FactoryError.

    gpiozero itself would fall back to factories that miss and misdate edges, or take whichever the environment names.
    """
    wanted = os.environ.get("GPIOZERO_PIN_FACTORY", MACHINE_FACTORY)
    if wanted != MACHINE_FACTORY:
        mend = f"unset it, or say --pin-factory {wanted} if it is meant"
        raise FactoryError("driver gpiozero", f"GPIOZERO_PIN_FACTORY is {wanted!r}", mend)
    try:
        return load_factory(MACHINE_FACTORY)
    except FactoryError as error:
        what = f"{MACHINE_FACTORY} {error.what}, and what gpiozero would fall back to loses edges"
        mend = f'install {MACHINE_FACTORY}, say driver = "gpiod", or name another with --pin-factory'
        raise FactoryError("driver gpiozero", what, mend) from error


class GpioLines:
    """Pins of one sensor; an EdgeSource."""

    def __init__(
        self,
        sensor: str,
        lines: Sequence[GpioLine],
        *,
        clock: Clock,
        wake: Callable[[], None],
        factory: Callable[[], Any],
    ) -> None:
        self._sensor = sensor
        self._lines = lines
        self._clock = clock
        self._wake = wake
        self._factory = factory
        self._queue = EdgeQueue()
        self._devices: list[Any] = []
        self._watches: list[_Watch] = []  # gpiozero holds callbacks weakly

    def open(self) -> tuple[int, ...]:
        self._queue = EdgeQueue()
        line = self._lines[0]
        try:
            factory = self._factory()
            import gpiozero  # noqa: PLC0415 - only a unit with GPIO sensors pays for it

            for index, named in enumerate(self._lines):
                line = named
                device = gpiozero.InputDevice(line.pin, pull_up=line.pull_up, pin_factory=factory)
                self._devices.append(device)
                device.pin.bounce = None  # its meaning differs between factories; the core debounces
                device.pin.edges = "both"
                watch = _Watch(self, index, device.pin, factory)
                self._watches.append(watch)
                device.pin.when_changed = watch.changed
            return tuple(self._level(index, device.pin.state) for index, device in enumerate(self._devices))
        except FactoryError as error:
            raise SensorError(self._sensor, error.key, error.what, error.mend) from error
        except Exception as error:
            self.close()
            what = str(error) or type(error).__name__
            mend = "is this a Raspberry Pi with its GPIO free, and the pin's BCM number right?"
            raise SensorError(self._sensor, f"{line.key} {line.pin}", what, mend) from error

    def take(self, until_ns: int) -> list[Edge]:
        return self._queue.take(until_ns)

    def waiting_ns(self) -> int | None:
        return self._queue.waiting_ns()

    @property
    def lost(self) -> int:
        return self._queue.lost

    def close(self) -> None:
        for device in self._devices:
            device.close()
        self._devices.clear()
        self._watches.clear()

    def _level(self, line: int, state: object) -> int:
        return int(bool(state) == self._lines[line].one_high)

    def _changed(self, line: int, t_ns: int, state: object) -> None:
        self._queue.put(Edge(t_ns, line, self._level(line, state)))
        self._wake()


class _Watch:
    """One pin's callback; runs in whatever thread the factory has for it."""

    def __init__(self, edges: GpioLines, line: int, pin: Any, factory: Any) -> None:
        self._edges = edges
        self._line = line
        self._pin = pin
        self._factory = factory
        self._to_ns: Callable[[Any], Any] | None = getattr(factory, "ticks_to_ns", None)

    def changed(self, ticks: Any, state: Any) -> None:
        self._edges._changed(self._line, self._time_ns(ticks), state)  # noqa: SLF001 - the two are one
        if hasattr(self._pin, "clear_states"):
            self._pin.clear_states()  # a mock pin keeps its history for ever

    def _time_ns(self, ticks: Any) -> int:
        if self._to_ns is not None:
            t_ns: int = self._to_ns(ticks)
            return t_ns
        now_ns = self._edges._clock.monotonic_ns()  # noqa: SLF001 - the two are one
        if isinstance(ticks, float):
            t_ns = round(ticks * NS_PER_S)
            if 0 <= now_ns - t_ns < _CALLBACK_LAG_NS_MAX:
                return t_ns  # seconds of the monotonic clock, as the kernel stamped them
        # Ticks of another kind: only how long ago they were is known.
        ago_s: float = self._factory.ticks_diff(self._factory.ticks(), ticks)
        return now_ns - max(0, round(ago_s * NS_PER_S))
