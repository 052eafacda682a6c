"""`foyer demo`: a fleet that is not there, through the real agent, broker, collector and pages.

Units, collector and pages run in this process; the broker and the past, which is published once, in two others. At the
end it counts, at the units and in the store independently, what was published and what became of it.
"""

from __future__ import annotations

import json
import logging
import math
import signal
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from collector.serve import WebServer, listening
from collector.service import Collector
from dashboards.app import create_app
from edge.clock import ScaledClock
from firmware_cfg.endpoint import MqttEndpoint
from firmware_cfg.errors import ConfigError
from firmware_cfg.load import Fleet
from firmware_cfg.lock import locked
from firmware_cfg.schema import BeamPair
from firmware_cfg.times import NS_PER_S
from simulators.broker import LOOPBACK, EmbeddedBroker
from simulators.crowd import Crowd
from simulators.fleets import BEFORE, demo_fleet
from simulators.history import Past, PastProcess
from simulators.premises import Premises, fitted
from simulators.units import SimulatedUnit

SPEED_MAX = 100.0
_DELIVERING_S = 20.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """`live_s` None: until Ctrl-C; else that long after the past is there. `speed`: simulated against real time."""

    port: int = 8000
    hubs: int = 6
    speed: float = 1.0
    seed: int = 1
    live_s: float | None = None
    folder: Path = Path(".foyer-demo")


@dataclass(frozen=True, slots=True)
class Published:
    """What a unit gave numbers `first` to `last` in this run; none, if `last` is less."""

    unit: str
    epoch: str
    first: int
    last: int


@dataclass(slots=True)
class _Memory:
    """What one demo leaves to the next in its folder: since when the units count, and where simulated time ended."""

    began_ns: int
    ended_ns: int
    seed: int
    hubs: int = 0
    """How many hubs have their past."""

    @classmethod
    def of(cls, folder: Path, options: DemoOptions) -> _Memory:
        now_ns = time.time_ns() // NS_PER_S * NS_PER_S
        try:
            return cls(**json.loads((folder / "demo.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return cls(began_ns=now_ns, ended_ns=now_ns, seed=options.seed)

    def save(self, folder: Path) -> None:
        (folder / "demo.json").write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")


def run(options: DemoOptions) -> dict[str, Any]:
    """The demo until its time is over or SIGINT or SIGTERM comes; what was published, and what became of it.

    Raises ConfigError where an option cannot be, the port is taken, or the folder is in use.
    """
    if not 0 < options.speed <= SPEED_MAX:
        raise ConfigError(f"--speed {options.speed:g}: expected above 0, at most {SPEED_MAX:g}")
    if options.live_s is not None and not 0 < options.live_s < math.inf:
        raise ConfigError(f"--for {options.live_s:g}: expected seconds, above 0")
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="foyer: %(message)s")
    with ExitStack() as running:
        running.enter_context(locked(options.folder))
        memory = _Memory.of(options.folder, options)
        fleet = fitted(demo_fleet(options.hubs, memory.began_ns), options.folder / "units")
        listener = running.enter_context(listening(LOOPBACK, options.port, "give another by --port"))
        memory.save(options.folder)
        broker = running.enter_context(EmbeddedBroker(options.folder))
        clock = ScaledClock(max(time.time_ns(), memory.ended_ns), options.speed)
        store = f"sqlite:{options.folder / 'store.db'}"
        collector = Collector(fleet, broker.endpoint, store, options.folder / "collector", wall_ns=clock.wall_ns)
        running.callback(collector.close)
        _serve(collector, WebServer(create_app(collector), listener, collector.live), running, ending)
        _say(f"live on http://{LOOPBACK}:{options.port} with {options.hubs} hubs; Ctrl-C ends it")
        published = _live(options, memory, fleet, clock, broker.endpoint, ending)
        memory.ended_ns = clock.wall_ns()
        memory.save(options.folder)
        return count(published, collector)


def _serve(collector: Collector, web: WebServer, running: ExitStack, ending: threading.Event) -> None:
    collector.start()
    while not collector.condition().ok and not ending.wait(0.02):
        pass  # what units publish before anybody subscribed comes only when they send it again
    serving = threading.Thread(target=web.run, name="web")
    serving.start()
    running.callback(serving.join)
    running.callback(web.end)


def _live(
    options: DemoOptions,
    memory: _Memory,
    fleet: Fleet,
    clock: ScaledClock,
    endpoint: MqttEndpoint,
    ending: threading.Event,
) -> list[Published]:
    """People come and go until the end, while the past is published; then each unit delivers what it has."""
    names = [unit for unit in fleet.units if not unit.endswith(BEFORE)]
    units = [SimulatedUnit(fleet, unit, options.folder / "units" / unit, clock, endpoint) for unit in names]
    premises = Premises(clock, options.seed)
    crowd = Crowd(clock, options.seed, premises.crossing)
    past = PastProcess(Past(memory.began_ns, memory.seed, options.hubs), endpoint, _say)
    published: list[Published] = []
    try:
        for unit in units:
            ((hub, stay),) = fleet.stays(unit.unit)
            premises.fit(hub, stay, unit.pins)
            unit.start()
        premises.start()
        for unit in units:
            unit.wait_ready()
            ((hub, stay),) = fleet.stays(unit.unit)
            for sensor in stay.sensors:
                if isinstance(sensor, BeamPair):
                    crowd.add_door(hub.id, unit.unit, sensor, unit.pins, unit.stamped)
        crowd.start()
        if memory.hubs < options.hubs:
            published += [Published(*known) for known in past.run(ending)]
            memory.hubs = options.hubs if past.complete else memory.hubs
        ending.wait(options.live_s)
        _say("ending: the last people walk through, the units deliver what they have")
        crowd.end()
    finally:
        deadline_s = time.monotonic() + _DELIVERING_S
        for unit in units:
            unit.finish(crowd.last_edge_ns)
        for unit in units:
            unit.join(deadline_s)
        premises.close()
    outcomes = [unit.outcome for unit in units if unit.outcome is not None]
    return published + [
        Published(outcome.unit, outcome.after.epoch, outcome.before.max_seq + 1, outcome.after.max_seq)
        for outcome in outcomes
    ]


def count(published: list[Published], collector: Collector) -> dict[str, Any]:
    """`published` by the units' own numbering; `stored`, `duplicates` and `by_kind` by the store's rows."""
    rows = distinct = 0
    by_kind = dict.fromkeys(("passage", "counter", "room", "cabinet"), 0)
    for known in published:
        if known.first > known.last:
            continue
        for kind, tally in collector.store.tally(known.unit, known.epoch, known.first, known.last).items():
            rows += tally.rows
            distinct += tally.distinct
            by_kind[kind] = by_kind.get(kind, 0) + tally.distinct
    total = sum(known.last - known.first + 1 for known in published)
    return {
        "published": total,
        "stored": distinct,
        "lost": total - distinct,
        "duplicates": rows - distinct,
        "by_kind": by_kind,
    }


def _say(sentence: str) -> None:
    print(f"foyer: {sentence}", file=sys.stderr, flush=True)
