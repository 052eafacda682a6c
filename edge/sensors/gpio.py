"""Edges of GPIO lines by gpiozero, whichever of its pin factories there is."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from edge.clock import Clock
from edge.errors import SensorError
from edge.sensors.base import Edge
from firmware_cfg.times import NS_PER_S

WAITING_MAX = 4096  # a doorway has less than 50 edges a second
_CALLBACK_LAG_NS_MAX = 60 * NS_PER_S


def load_factory(name: str | None = None) -> Any:
    """A pin factory of that gpiozero name, or the one for this machine; raises whatever its libraries raise."""
    import gpiozero  # noqa: PLC0415 - only a unit with GPIO sensors pays for it

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # each factory that is tried and does not fit warns
        if name is None:
            return gpiozero.Device._default_pin_factory()  # noqa: SLF001 - ensure_pin_factory keeps it for the whole process
        from importlib.metadata import entry_points  # noqa: PLC0415 - see above

        found = {point.name: point for point in entry_points(group="gpiozero_pin_factories")}
        if name not in found:
            raise ValueError(f"no pin factory {name!r}; there are {', '.join(sorted(found))}")
        return found[name].load()()


@dataclass(frozen=True, slots=True)
class GpioLine:
    """One pin: `key` is where the configuration names it, `one_high` whether level 1 is its high."""

    key: str
    pin: int
    one_high: bool
    pull_up: bool


class GpioLines:
    """Pins of one sensor; edges carry a line's place in `lines`."""

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
        self._lock = threading.Lock()
        self._waiting: list[Edge] = []
        self._lost = 0
        self._devices: list[Any] = []
        self._watches: list[_Watch] = []  # gpiozero holds callbacks weakly

    def open(self) -> tuple[int, ...]:
        """Begin, and give back the lines' levels now; raises SensorError."""
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
        except Exception as error:
            self.close()
            what = str(error) or type(error).__name__
            mend = "is this a Raspberry Pi with its GPIO free, and the pin's BCM number right?"
            raise SensorError(self._sensor, f"{line.key} {line.pin}", what, mend) from error

    def take(self, until_ns: int) -> list[Edge]:
        with self._lock:
            self._waiting.sort()
            count = next((at for at, edge in enumerate(self._waiting) if edge.t_ns > until_ns), len(self._waiting))
            taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return taken

    def waiting_ns(self) -> int | None:
        with self._lock:
            return min((edge.t_ns for edge in self._waiting), default=None)

    @property
    def lost(self) -> int:
        return self._lost

    def close(self) -> None:
        for device in self._devices:
            device.close()
        self._devices.clear()
        self._watches.clear()

    def _level(self, line: int, state: object) -> int:
        return int(bool(state) == self._lines[line].one_high)

    def _changed(self, line: int, t_ns: int, state: object) -> None:
        with self._lock:
            if len(self._waiting) < WAITING_MAX:
                self._waiting.append(Edge(t_ns, line, self._level(line, state)))
            else:
                self._lost += 1
        self._wake()


class GpioEdges(GpioLines):
    """The two pins of a pair of beams. `blocked_high` tells which level is a blocked beam.

    Both pins are pulled up: a beam sensor's optocoupler pulls its line low.
    """

    def __init__(
        self,
        sensor: str,
        pins: tuple[tuple[str, int], tuple[str, int]],
        *,
        blocked_high: bool,
        clock: Clock,
        wake: Callable[[], None],
        factory: Callable[[], Any],
    ) -> None:
        lines = [GpioLine(key, pin, blocked_high, pull_up=True) for key, pin in pins]
        super().__init__(sensor, lines, clock=clock, wake=wake, factory=factory)

    def open(self) -> tuple[int, int]:
        outer, inner = super().open()
        return outer, inner


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
