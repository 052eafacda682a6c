"""The two processes of this world: a unit and a collector, each of which may die at any step and is started again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from collector.holes import HoleKeeper
from collector.ingest import Ingest
from collector.live import Live
from collector.pipeline import Pipeline
from collector.store.base import StoreUnavailable
from edge.clock import read
from edge.errors import StateError
from edge.eventfile import OutboxSettings
from edge.outbox import Outbox
from edge.sensors.taps import Tap
from edge.unit import Replacement, Unit, UnitSettings
from firmware_cfg.errors import ConfigError
from firmware_cfg.load import Fleet
from firmware_cfg.times import NS_PER_MS, NS_PER_S
from simulators.world.network import Broker, CollectorLine, UnitLink
from simulators.world.parts import Disk, PowerCut, Walkers, WorldClock, WorldLedger, WorldStore
from simulators.world.timeline import Timeline

RESTART_S = (0.5, 20.0)
HOLES_EVERY_S = (20.0, 40.0)
HOLES_ON_QUIET_DAYS_S = (600.0, 7200.0)
_DANGERS_MAX = 25
"""A process that is to die does so within so many steps."""


class Unbounded(Exception):  # noqa: N818 - what happened to a world
    """A queue holds more than its bound."""


class Host(ABC):
    """A process and its disk. `_start` makes the process, `_stop` lets go of the one that died."""

    def __init__(self, name: str, timeline: Timeline, disk: Disk) -> None:
        self.name = name
        self.disk = disk
        self.running = False
        self.crashes = 0
        self._timeline = timeline
        self._steps_left: int | None = None
        self._dying: tuple[bool, int] = (False, 0)
        self._wanted_ns: int | None = None

    def doom(self, *, torn: bool, down_ns: int) -> None:
        """It will die at one of the next steps at which it may, or at the latest in a second."""
        self._steps_left = self._timeline.chance.randint(1, _DANGERS_MAX)
        self._dying = torn, down_ns
        self._timeline.after(NS_PER_S, self._die_of_old_age)

    def spare(self) -> None:
        """It is not to die any more."""
        self._steps_left = None

    def _die_of_old_age(self) -> None:
        if self._steps_left is not None and self.running:
            self._crash("where it stands")

    def danger(self, where: str) -> None:
        if self._steps_left is None:
            return
        self._steps_left -= 1
        if self._steps_left <= 0:
            self._crash(where)
            raise PowerCut

    def _crash(self, where: str) -> None:
        torn, down_ns = self._dying
        self._steps_left = None
        self.running = False
        self.crashes += 1
        self._timeline.note(f"{self.name} dies as it {where}")
        self.disk.crash(self._timeline.chance, torn=torn)
        self._stop()
        self._timeline.after(down_ns, self.start)

    def start(self) -> None:
        """Try, until its disk lets it."""
        if self.running:
            return
        try:
            with self.disk.room():
                self._start()
        except PowerCut:
            return
        except (StateError, ConfigError):
            self._timeline.after(self._timeline.between(*RESTART_S), self.start)
            return
        self.running = True
        self._timeline.note(f"{self.name} starts")
        self.wake()

    def wake(self, delay_ns: int = 0) -> None:
        """Step soon, and not twice for two reasons."""
        at_ns = self._timeline.now_ns + delay_ns
        if self._wanted_ns is not None and self._timeline.now_ns <= self._wanted_ns <= at_ns:
            return
        self._wanted_ns = at_ns

        def step() -> None:
            if self._wanted_ns == at_ns:
                self._wanted_ns = None
                self._guarded(self._step)

        self._timeline.after(delay_ns, step)

    def _guarded(self, work: Callable[[], None]) -> None:
        if not self.running:
            return
        with suppress(PowerCut), self.disk.room():
            work()

    @abstractmethod
    def _start(self) -> None: ...

    @abstractmethod
    def _stop(self) -> None: ...

    @abstractmethod
    def _step(self) -> None: ...


class UnitHost(Host):
    """A unit with people at its door. `stretch_s`: as much may pass between two steps, for quiet days."""

    def __init__(
        self, fleet: Fleet, unit: str, timeline: Timeline, disk: Disk, broker: Broker, outbox: OutboxSettings
    ) -> None:
        super().__init__(unit, timeline, disk)
        self.clock = WorldClock(timeline, self.danger)
        self.times_ns: list[int] = []
        self.stretch_s = 0.0
        self.link: UnitLink | None = None
        self.reboots = False
        """Whether the machine dies with its process."""
        self._fleet = fleet
        self._broker = broker
        self._outbox_settings = outbox
        self._walkers: Walkers | None = None
        self._unit: Unit | None = None

    def people_come(self, times_ns: list[int]) -> None:
        self.times_ns = times_ns
        for t_ns in times_ns:
            self._timeline.after(t_ns - self._timeline.now_ns, self.wake)

    def _start(self) -> None:
        if self.crashes and self.reboots:
            self.clock.reboot()
        self.link = UnitLink(self._broker, self.danger, self.wake, self.crashes)

        def walkers(memo: Any, _tap: Tap) -> Walkers:
            self._walkers = Walkers("front-beams", memo, self.times_ns, self._timeline, self.danger)
            return self._walkers

        replace = {"front-beams": Replacement("sensor:front-beams", walkers)}
        settings = UnitSettings(
            self._fleet, self.name, self.disk.folder, "world", self._outbox_settings, replace=replace
        )
        self._unit = Unit(settings, self.clock, self.link)

    def _stop(self) -> None:
        if self.link is not None:
            self.link.close()
        self._unit = self._walkers = None

    def _step(self) -> None:
        if self._unit is None:
            return
        due_ns = self._unit.step() - self.clock.monotonic_ns()
        if self.stretch_s:
            due_ns = max(due_ns, self._timeline.between(0, self.stretch_s))
        self.wake(max(due_ns, NS_PER_MS))

    @property
    def settled(self) -> bool:
        """Whether everybody has come, everything has a date, and all of it is acknowledged."""
        walkers, unit = self._walkers, self._unit
        if not self.running or walkers is None or unit is None:
            return False
        return walkers.finished and unit.idle and not unit.stats().undated

    def committed(self) -> tuple[str, int]:
        """Its epoch and highest number at the end, from its disk."""
        if self.running and self._unit is not None:
            self.running = False
            self._unit.close()
        self._stop()
        now = read(self.clock)
        outbox = Outbox(self.disk.folder, self.name, now, self._outbox_settings)
        stats = outbox.stats(now)
        outbox.close(now, {})
        return stats.epoch, stats.max_seq


class CollectorHost(Host):
    """Ingest, pipeline, ledger, holes, live view and embedded store; writers are turns of this one thread."""

    def __init__(
        self, fleet: Fleet, timeline: Timeline, disk: Disk, broker: Broker, make_store: type[WorldStore]
    ) -> None:
        super().__init__("collector", timeline, disk)
        self.slow_s = 0.02
        """How long the store may take."""
        self.look_s = HOLES_EVERY_S
        """How long until it looks for holes again."""
        self.away = False
        self.answers_lost = 0.0
        self.error_ns = 0
        self.in_runs = 0
        """Events that its processes were sent in columns, until they ended."""
        self.line: CollectorLine | None = None
        self.store: WorldStore | None = None
        self.ledger: WorldLedger | None = None
        self._fleet = fleet
        self._broker = broker
        self._make_store = make_store
        self._pipeline: Pipeline | None = None
        self._holes: HoleKeeper | None = None
        self._storing = False

    def wall_ns(self) -> int:
        return self._timeline.now_ns + self.error_ns

    def _start(self) -> None:
        store = self._make_store(self.disk.folder / "store.db", self.danger)
        store.chance, store.away, store.answers_lost = self._timeline.chance, self.away, self.answers_lost
        ledger = WorldLedger(self.disk.folder / "state", self.danger)
        live = Live(self._fleet, self.wall_ns)
        self._holes = HoleKeeper(ledger, store, self.wall_ns, send=self._send, show=live.missing)
        self._pipeline = Pipeline(
            Ingest(self._fleet, ledger.births()),
            store,
            ledger,
            live,
            holes=self._holes,
            wall_ns=self.wall_ns,
            say=lambda _: None,
        )
        self.store, self.ledger = store, ledger
        self.line = CollectorLine(self._broker, self.danger, self._pipeline.arrived, self._soon)
        self._pipeline.attach(self.line)
        self._storing = False
        self._timeline.after(self._timeline.between(*HOLES_EVERY_S), self._look_for_holes)

    def _stop(self) -> None:
        if self.line is not None:
            self.line.close()
        if self.store is not None:
            self.in_runs += self.store.in_runs
            self.store.close()
        if self.ledger is not None:
            self.ledger.close()
        self._pipeline = self._holes = self.store = self.ledger = self.line = None

    def set_store(self, *, away: bool | None = None, answers_lost: float | None = None) -> None:
        """How the store is from now on, also for later processes."""
        self.away = self.away if away is None else away
        self.answers_lost = self.answers_lost if answers_lost is None else answers_lost
        if self.store is not None:
            self.store.away, self.store.answers_lost = self.away, self.answers_lost

    def _soon(self) -> None:
        self.wake(self._timeline.between(0, 0.02))

    def _send(self, topic: str, payload: bytes) -> None:
        if self.line is not None:
            self.line.publish(topic, payload)

    def _step(self) -> None:
        pipeline = self._pipeline
        if pipeline is None:
            return
        pipeline.turn()
        held = sum(pipeline.queue.values())
        if held > self._broker.receive_max * 2:  # those of a lost connection, and of the one that came after it
            raise Unbounded(f"the pipeline holds {held} messages")
        if not self._storing and pipeline.queue["storing"]:
            self._store_soon(self._timeline.between(0, self.slow_s))

    def _store_soon(self, delay_ns: int) -> None:
        pipeline, self._storing = self._pipeline, True

        def attempt() -> None:
            if pipeline is not self._pipeline or pipeline is None:
                return
            self._storing = False
            stored = pipeline.attempt(self._timeline.chance.randrange(2))
            if stored is not None:
                self._timeline.note("stores" if stored else "cannot store")
                self._store_soon(self._timeline.between(0, self.slow_s) if stored else self._timeline.between(0.1, 5))
                self._soon()

        self._timeline.after(delay_ns, lambda: self._guarded(attempt))

    def _look_for_holes(self) -> None:
        holes = self._holes

        def look() -> None:
            if holes is None or holes is not self._holes:
                return
            self._timeline.after(self._timeline.between(*self.look_s), self._look_for_holes)
            with suppress(StoreUnavailable):
                holes.turn()

        self._guarded(look)

    @property
    def settled(self) -> bool:
        return self.running and self._pipeline is not None and not any(self._pipeline.queue.values())

    def open_at_the_end(self) -> tuple[WorldStore, WorldLedger]:
        """Store and ledger, opened anew."""
        self._stop()
        self.running = False
        return (
            self._make_store(self.disk.folder / "store.db", lambda _: None),
            WorldLedger(self.disk.folder / "state", lambda _: None),
        )
