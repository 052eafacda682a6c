"""Real units with nobody at the door: the agent of `edge` on mock pins, in a thread of its own."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

from edge.clock import ScaledClock
from edge.drafts import OutboxStats
from edge.publisher import Publisher
from edge.sensors.mock import ClockFactory
from edge.unit import Unit, UnitSettings
from firmware_cfg.endpoint import MqttEndpoint
from firmware_cfg.load import Fleet
from simulators.crowd import StampedClock

_DECIDING_NS = 2_500_000_000  # after the last edge every door has decided


@dataclass(slots=True)
class Outcome:
    """What one unit published in this run: its outbox at the start and at the end."""

    unit: str
    before: OutboxStats
    after: OutboxStats


class SimulatedUnit:
    """The real agent on mock pins, in a thread of its own (its outbox belongs to one thread)."""

    def __init__(self, fleet: Fleet, unit: str, folder: Path, clock: ScaledClock, endpoint: MqttEndpoint) -> None:
        self.unit = unit
        self.stamped = StampedClock(clock)
        self.pins = ClockFactory(self.stamped)
        self.outcome: Outcome | None = None
        self.failure: BaseException | None = None
        self._settings = UnitSettings(fleet, unit, folder, version="demo", pin_factory=lambda: self.pins)
        self._clock = clock
        self._endpoint = endpoint
        self._ready = threading.Event()
        self._last_ns: int | None = None
        self._running: Unit | None = None
        self._thread = threading.Thread(target=self._main, name=unit)

    def start(self) -> None:
        self._settings.folder.mkdir(parents=True, exist_ok=True)
        self._thread.start()

    def wait_ready(self) -> None:
        """Return when its sensors are open; raises what kept it from starting."""
        self._ready.wait()
        if self.failure is not None:
            raise self.failure

    def finish(self, last_edge_ns: int) -> None:
        """Let it end once it has decided about everything up to that edge and all is acknowledged."""
        self._last_ns = last_edge_ns + _DECIDING_NS
        self._wake()

    def join(self, deadline_s: float) -> None:
        """Wait for its end until that time of `time.monotonic`, then end it with what is still open."""
        self._thread.join(max(0.0, deadline_s - time.monotonic()))
        if self._running is not None:
            self._running.stop()
        self._thread.join()

    def _wake(self) -> None:
        if self._running is not None:
            self._running.wake()

    def _done(self) -> bool:
        self._ready.set()  # asked after each step: the sensors are open
        unit = self._running
        return (
            self._last_ns is not None and self._clock.monotonic_ns() > self._last_ns and unit is not None and unit.idle
        )

    def _main(self) -> None:
        try:
            self._running = unit = Unit(self._settings, self._clock, Publisher(self._endpoint, self._wake))
            before = unit.stats()
            try:
                unit.step()
                unit.run(self._done)
            finally:
                self.outcome = Outcome(self.unit, before, unit.stats())
                unit.close()
        except BaseException as error:
            self.failure = error
            raise
        finally:
            self._ready.set()
