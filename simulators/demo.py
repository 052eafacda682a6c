"""`foyer demo`: a fleet that is not there, through the real agent, broker, collector and pages.

Everything runs in this process but the broker. At the end it counts, at the units and in the store independently, what
was published and what became of it.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collector.serve import WebServer, listening
from collector.service import Collector
from dashboards.app import create_app
from edge.__main__ import locked
from edge.clock import ScaledClock
from edge.drafts import OutboxStats
from edge.publisher import Publisher
from edge.sensors.mock import ClockFactory
from edge.unit import Unit, UnitSettings
from firmware_cfg.endpoint import MqttEndpoint
from firmware_cfg.errors import ConfigError
from firmware_cfg.load import EXAMPLE_FLEET, Fleet, load_fleet
from firmware_cfg.schema import BeamPair, Hub
from simulators.broker import LOOPBACK, EmbeddedBroker
from simulators.crowd import Crowd, StampedClock

HUBS_MAX = 48
SPEED_MAX = 100.0
_DECIDING_NS = 2_500_000_000  # after the last edge every door has decided
_DELIVERING_S = 20.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """`live_s` None: until Ctrl-C. `speed` makes the simulated time run that much faster than the clock on the wall."""

    port: int = 8000
    hubs: int = 6
    speed: float = 1.0
    seed: int = 1
    live_s: float | None = None
    folder: Path = Path(".foyer-demo")


@dataclass(slots=True)
class Outcome:
    """What one unit published in this run: its outbox at the start and at the end."""

    unit: str
    before: OutboxStats
    after: OutboxStats


class _SimulatedUnit:
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


def demo_fleet(count: int) -> Fleet:
    """The first `count` hubs of the example fleet; beyond its six, copies of them under other names."""
    examples = list(load_fleet(EXAMPLE_FLEET).hubs.values())
    if not 1 <= count <= HUBS_MAX:
        raise ConfigError(f"--hubs {count}: expected 1 to {HUBS_MAX}")
    hubs = [_copy(examples[index % len(examples)], index // len(examples) + 1) for index in range(count)]
    return Fleet({hub.id: hub for hub in hubs})


def _copy(hub: Hub, number: int) -> Hub:
    if number == 1:
        return hub
    units = [stay.model_copy(update={"id": f"{stay.id}-{number}"}) for stay in hub.units]
    return hub.model_copy(update={"id": f"{hub.id}-{number}", "name": f"{hub.name} {number}", "units": units})


def run(options: DemoOptions) -> dict[str, Any]:
    """The demo until its time is over or SIGINT or SIGTERM comes; what was published, and what became of it.

    Raises ConfigError where an option cannot be, the port is taken, or the folder is in use.
    """
    if not 0 < options.speed <= SPEED_MAX:
        raise ConfigError(f"--speed {options.speed:g}: expected above 0, at most {SPEED_MAX:g}")
    if options.live_s is not None and options.live_s <= 0:
        raise ConfigError(f"--for {options.live_s:g}: expected seconds, above 0")
    fleet = demo_fleet(options.hubs)
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="foyer: %(message)s")
    with ExitStack() as running:
        running.enter_context(locked(options.folder))
        listener = running.enter_context(listening(LOOPBACK, options.port))
        broker = running.enter_context(EmbeddedBroker(options.folder))
        clock = ScaledClock(max(time.time_ns(), _ended_ns(options.folder)), options.speed)
        store = f"sqlite:{options.folder / 'store.db'}"
        collector = Collector(fleet, broker.endpoint, store, options.folder / "collector", wall_ns=clock.wall_ns)
        running.callback(collector.close)
        web = WebServer(create_app(collector), listener, collector.live)
        serving = threading.Thread(target=web.run, name="web")
        collector.start()
        while not collector.condition().ok and not ending.wait(0.02):
            pass  # what units publish before anybody subscribed comes only when they send it again
        serving.start()
        running.callback(serving.join)
        running.callback(web.end)
        _say(f"live on http://{LOOPBACK}:{options.port} with {options.hubs} hubs; Ctrl-C ends it")
        outcomes = _live(options, fleet, clock, broker.endpoint, ending)
        _remember_end(options.folder, clock.wall_ns())
        return count(outcomes, collector)


def _live(
    options: DemoOptions, fleet: Fleet, clock: ScaledClock, endpoint: MqttEndpoint, ending: threading.Event
) -> list[Outcome]:
    """People come and go until the end; then each unit delivers what it has."""
    units = [_SimulatedUnit(fleet, unit, options.folder / "units" / unit, clock, endpoint) for unit in fleet.units]
    crowd = Crowd(clock, options.seed)
    try:
        for unit in units:
            unit.start()
        for unit in units:
            unit.wait_ready()
            for hub, stay in fleet.stays(unit.unit):
                for sensor in stay.sensors:
                    if isinstance(sensor, BeamPair):
                        crowd.add_door(hub.id, unit.unit, sensor, unit.pins, unit.stamped)
        crowd.start()
        ending.wait(options.live_s)
        _say("ending: the last people walk through, the units deliver what they have")
        crowd.end()
    finally:
        deadline_s = time.monotonic() + _DELIVERING_S
        for unit in units:
            unit.finish(crowd.last_edge_ns)
        for unit in units:
            unit.join(deadline_s)
    return [unit.outcome for unit in units if unit.outcome is not None]


def count(outcomes: list[Outcome], collector: Collector) -> dict[str, Any]:
    """`published` and `lost` by the units' outboxes, `stored`, `duplicates` and `by_kind` by the store's rows."""
    published = rows = distinct = 0
    by_kind: dict[str, int] = {}
    for outcome in outcomes:
        first, last = outcome.before.max_seq + 1, outcome.after.max_seq
        published += last - first + 1
        if first > last:
            continue
        for kind, tally in collector.store.tally(outcome.unit, outcome.after.epoch, first, last).items():
            rows += tally.rows
            distinct += tally.distinct
            by_kind[kind] = by_kind.get(kind, 0) + tally.distinct
    return {
        "published": published,
        "stored": distinct,
        "lost": published - distinct,
        "duplicates": rows - distinct,
        "by_kind": {"passage": 0, **by_kind},
    }


def _ended_ns(folder: Path) -> int:
    """Where simulated time was when a faster demo ended: the next one goes on from there, never back."""
    try:
        ended_ns = json.loads((folder / "demo.json").read_text(encoding="utf-8"))["ended_ns"]
        return int(ended_ns)
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _remember_end(folder: Path, wall_ns: int) -> None:
    (folder / "demo.json").write_text(json.dumps({"ended_ns": wall_ns}) + "\n", encoding="utf-8")


def _say(sentence: str) -> None:
    print(f"foyer: {sentence}", file=sys.stderr, flush=True)
