"""gpiozero's mock pins on an injected clock: a unit's pins in a simulated or tested world."""

from __future__ import annotations

from typing import Any

from gpiozero.pins.mock import MockFactory, MockPin

from edge.clock import Clock


class ClockPin(MockPin):  # type: ignore[misc]  # gpiozero ships no types
    """A pin whose edges carry the injected clock's time. A pull resistor does not move it: the world drives it."""

    def _call_when_changed(self) -> None:
        super(MockPin, self)._call_when_changed(self.factory.ticks(), self._state)

    def _set_pull(self, value: str) -> None:
        self._pull = value

    def _set_function(self, value: str) -> None:
        self._function = value


class ClockFactory(MockFactory):  # type: ignore[misc]  # gpiozero ships no types
    """Mock pins that read time from `clock`. `factory.pin(17).drive_high()` is the world blocking that beam."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(pin_class=ClockPin)
        self._clock = clock

    def ticks(self) -> int:
        """Of this factory: ns of the injected clock."""
        return self._clock.monotonic_ns()

    @staticmethod
    def ticks_diff(later: int, earlier: int) -> float:
        return (later - earlier) / 1e9

    @staticmethod
    def ticks_to_ns(ticks: Any) -> int:
        return int(ticks)
