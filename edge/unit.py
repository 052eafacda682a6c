"""A whole unit, put together from its rooms; the same one on a Pi, under a recording, and in a simulated world."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edge.agent import (
    Agent,
    AgentEvent,
    AgentSettings,
    CommandCame,
    Execute,
    Message,
    Minute,
    Now,
    Seen,
    SensorDown,
    SensorUp,
    Tick,
    UnitNoticed,
)
from edge.clock import Clock, Instant, read
from edge.diskwatch import DiskWatch
from edge.dispatch import Dispatch
from edge.drafts import Draft, OutboxStats
from edge.errors import SensorError
from edge.link import Connected, Disconnected, Happening, Identity, Link, Received
from edge.outbox import Outbox, OutboxSettings
from edge.sensors.base import Chips, Driver, Surroundings
from edge.sensors.kinds import make
from edge.sensors.taps import Tap, Taps
from firmware_cfg.load import Fleet
from firmware_cfg.times import NS_PER_S, to_rfc3339
from firmware_cfg.wire import Ack

log = logging.getLogger(__name__)

HEALTH_EVERY_NS = 60 * NS_PER_S
LOOK_EVERY_NS = NS_PER_S
REOPEN_NS = (5 * NS_PER_S, 300 * NS_PER_S)
FULLNESS_MAX = 0.8
"""What can wait, such as a recording, waits while the outbox is fuller than this."""


@dataclass(frozen=True, slots=True)
class UnitSettings:
    """`pin_factory` and `chips`: see `Surroundings`.

    `replace` makes drivers in place of configured sensors, given what was last remembered for them by `memo_key`.
    """

    fleet: Fleet
    unit: str
    folder: Path
    version: str = ""
    outbox: OutboxSettings = field(default_factory=OutboxSettings)
    pin_factory: Callable[[], Any] | None = None
    chips: Chips | None = None
    replace: dict[str, Replacement] = field(default_factory=dict)
    taps: Taps = field(default_factory=Taps)
    """Where raw signals go besides."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """A driver in place of a configured sensor, and the name under which its memo is kept."""

    memo_key: str
    make: Callable[[Any, Tap], Driver]


@dataclass(slots=True)
class _Sensor:
    driver: Driver
    memo_key: str
    open_: bool = False
    wait_ns: int = REOPEN_NS[0]
    retry_ns: int | None = None
    edges: int = 0
    told: str = ""


class Unit:
    """Sensors, agent, outbox, delivery and a link, driven by `step` (or `run`) from one thread.

    Raises ConfigError where the fleet does not place the unit, StateError where its folder cannot be used. `wake` may
    be called from any thread and ends the waiting of `run` early.
    """

    def __init__(self, settings: UnitSettings, clock: Clock, link: Link) -> None:
        self._settings = settings
        self._clock = clock
        self._link = link
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        now = read(clock)
        self._hub, self._stay = settings.fleet.present(settings.unit, now.wall_ns)
        if now.wall_ns >= self._stay.until_ns:
            log.warning("unit %s has been nowhere since %s", settings.unit, to_rfc3339(self._stay.until_ns))
        self._outbox = Outbox(settings.folder, settings.unit, now, settings.outbox)
        self._taps = settings.taps
        self._taps.resume(self._outbox.memo("recorder"), now, self._outbox.dating.zero(now))
        self._agent = self._new_agent()
        self._dispatch = Dispatch(
            settings.unit, self._outbox, lambda payload: self._publish(Message("events", payload))
        )
        self._session: str | None = None
        self._disk = DiskWatch()
        self._started_ns = now.mono_ns
        self._health_ns = now.mono_ns
        self._look_ns = now.mono_ns
        self._dropped_incoming = 0
        self.rejected = 0
        """How many events the collector has refused since this began."""
        self.first_reason = ""
        self._sensors = self._make_sensors()
        self._link.open(self._identity())

    # For those who run it

    def step(self) -> int:
        """Do all that is due now, and give back the monotonic time at which something is due again."""
        with self._lock:
            return self._step()

    def _step(self) -> int:
        now = read(self._clock)
        for happening in self._link.poll():
            self._happened(happening, now)
        if now.mono_ns >= self._look_ns or self._outbox.dating.is_set(now):
            self._look_around(now)
        for sensor in self._sensors:
            self._poll(sensor, now)
        if self._session and now.mono_ns >= self._health_ns:
            self._health_ns = now.mono_ns + HEALTH_EVERY_NS
            self._do(self._minute(self._session, now), now)
        due_ns = self._outbox.due_ns
        if due_ns is not None and now.mono_ns >= due_ns:
            self._commit(now)
        if self._session is not None:
            self._dispatch.send(now)
        return self._next_ns(now)

    def _happened(self, happening: Happening, now: Instant) -> None:
        match happening:
            case Connected(session):
                self._session = session
                self._dispatch.connected()
                self._health_ns = now.mono_ns
            case Disconnected():
                self._session = None
            case Received("ack", payload):
                self._acked(payload, now)
            case Received("cmd", payload):
                self._do(CommandCame(payload), now)

    def run(self, done: Callable[[], bool] = lambda: False) -> None:
        """Step until `stop` is called or `done` says so."""
        while not self._stopping.is_set() and not done():
            self._woken.clear()
            wait_ns = self.step() - self._clock.monotonic_ns()
            if wait_ns > 0:
                self._woken.wait(self._clock.real_s(wait_ns))

    def wake(self) -> None:
        self._woken.set()

    def stop(self) -> None:
        """End `run` soon; may be called from any thread and from a signal handler."""
        self._stopping.set()
        self._woken.set()

    def close(self) -> bool:
        """Take what the sensors still have, store everything, say goodbye; false where something was not stored."""
        now = read(self._clock)
        self._close_sensors(now)
        stored = self._outbox.close(now, self._memos())
        self._taps.close()
        self._link.close()
        return stored

    def stats(self) -> OutboxStats:
        """What the outbox holds now; may be called from any thread until `close`."""
        with self._lock:
            return self._outbox.stats(read(self._clock))

    @property
    def fed(self) -> bool:
        """Whether every recording was fed to its end and all that it gave is stored."""
        waiting = [sensor for sensor in self._sensors if sensor.driver.can_wait and not sensor.driver.finished]
        return not waiting and self._outbox.buffered == 0

    @property
    def failed(self) -> bool:
        """Whether a recording could not be fed to its end."""
        return any(sensor.driver.failed for sensor in self._sensors)

    @property
    def idle(self) -> bool:
        """Whether every recording was fed to its end and no event that has a date waits for its ack."""
        now = read(self._clock)
        waiting = any(self._outbox.window(epoch, 1, now) for epoch in self._outbox.epochs)
        return self.fed and self._outbox.due_ns is None and not waiting

    # Inside

    def _identity(self) -> Identity:
        return Identity(self._hub.id, self._settings.unit, self._settings.version)

    def _new_agent(self) -> Agent:
        settings = AgentSettings(
            unit=self._settings.unit,
            version=self._settings.version,
            fleet=self._settings.fleet,
            hub=self._hub.id,
            sensors=tuple(self._stay.sensors),
        )
        return Agent(settings, self._outbox.memo("agent"))

    def _make_sensors(self) -> list[_Sensor]:
        memos = {config.name: self._outbox.memo(f"sensor:{config.name}") for config in self._stay.sensors}
        settings = self._settings
        around = Surroundings(
            self._clock, self.wake, settings.pin_factory, memos, self._hub, settings.chips, self._taps
        )
        sensors = []
        for config in self._stay.sensors:
            instead = self._settings.replace.get(config.name)
            if instead is None:
                sensors.append(_Sensor(make(config, around), f"sensor:{config.name}"))
            else:
                driver = instead.make(self._outbox.memo(instead.memo_key), self._taps.tap(config.name))
                sensors.append(_Sensor(driver, instead.memo_key))
        return sensors

    def _now(self, now: Instant) -> Now:
        return Now(now.boot, now.mono_ns, self._outbox.dating.wall_ns(now), now.synced)

    def _do(self, event: AgentEvent, now: Instant) -> None:
        for output in self._agent.handle(event, self._now(now)):
            match output:
                case Draft():
                    self._outbox.append(output, now)
                case Message():
                    self._publish(output)
                case Execute():
                    self._execute(output, now)

    def _execute(self, what: Execute, now: Instant) -> None:
        """The id is on disk before anything is changed."""
        if not self._commit(now):
            self._publish(self._agent.refuse(what.id, f"the unit's disk does not take it ({self._outbox.trouble})"))
            return
        resent = None
        if what.resend is not None:
            resent = self._outbox.reopen(what.resend.epoch, what.resend.ranges, now)
            if resent is None:
                self._publish(self._agent.refuse(what.id, "the unit's outbox cannot be read"))
                return
        self._publish(self._agent.answer(what.id, resent))

    def _publish(self, message: Message) -> bool:
        return self._link.publish(self._identity().topic(message.channel), message.payload)

    def _look_around(self, now: Instant) -> None:
        """Once a second: the clock, faults held back, the place, and what went wrong elsewhere."""
        self._look_ns = now.mono_ns + LOOK_EVERY_NS
        if self._outbox.buffered and self._outbox.dating.is_set(now):
            self._commit(now)  # what is known already is dated by the clock as it was
        self._outbox.observe(now)
        working = (sensor.driver for sensor in self._sensors if sensor.open_)
        self._do(Tick(frozenset(driver.name for driver in working if driver.stats().ok)), now)
        if bool(self._outbox.trouble) != self._disk.refuses:
            self._health_ns = now.mono_ns
        if sentence := self._disk.looked(self._outbox.trouble, now.mono_ns):
            self._do(UnitNoticed("outbox_unwritable", sentence, active=False), now)
        if sentence := self._disk.slow(now.mono_ns):
            self._do(UnitNoticed("disk_slow", sentence), now)
        for sentence in self._outbox.take_set_aside():
            self._do(UnitNoticed("outbox_damaged", sentence), now)
        for sentence in self._taps.look(now, self._outbox.dating.zero(now)):
            self._do(UnitNoticed("recording_paused", sentence), now)
        dropped = self._link.dropped
        if dropped > self._dropped_incoming:
            count, self._dropped_incoming = dropped - self._dropped_incoming, dropped
            self._do(UnitNoticed("messages_dropped", "they came faster than they were read", count), now)
        if now.synced and not self._stay.holds(now.wall_ns):
            self._move(now)

    def _move(self, now: Instant) -> None:
        """The registry gives the unit to another hub now: its sensors are those of the new stay."""
        hub, stay = self._settings.fleet.present(self._settings.unit, now.wall_ns)
        if stay is self._stay:
            return
        log.warning("unit %s is at %s now", self._settings.unit, hub.id)
        self._close_sensors(now)
        self._commit(now)
        self._link.close()
        self._session = None
        self._hub, self._stay = hub, stay
        self._agent = self._new_agent()
        self._sensors = self._make_sensors()
        self._link.open(self._identity())

    def _poll(self, sensor: _Sensor, now: Instant) -> None:
        driver = sensor.driver
        if driver.can_wait and self._held_back(now):
            return
        try:
            if not sensor.open_:
                if sensor.retry_ns is not None and now.mono_ns < sensor.retry_ns:
                    return
                driver.open(now)
                sensor.open_, sensor.retry_ns, sensor.wait_ns, sensor.told = True, None, REOPEN_NS[0], ""
                self._do(SensorUp(driver.name), now)
            found = driver.poll(now)
        except SensorError as error:
            sensor.open_ = False
            sensor.retry_ns = now.mono_ns + sensor.wait_ns
            sensor.wait_ns = min(2 * sensor.wait_ns, REOPEN_NS[1])
            if sensor.told != error.detail:
                sensor.told = error.detail
                log.warning("%s", error)
            self._do(SensorDown(driver.name, error.detail), now)
            return
        for what in found:
            self._do(Seen(driver.name, what), now)
        edges = driver.stats().edges
        if edges != sensor.edges:
            sensor.edges = edges
            self._outbox.touch(now)  # somebody may be half way through when the power goes

    def _close_sensors(self, now: Instant) -> None:
        for sensor in self._sensors:
            if sensor.open_:
                sensor.open_ = False
                sensor.driver.close()
                with contextlib.suppress(SensorError):  # it went away first
                    for what in sensor.driver.poll(now):
                        self._do(Seen(sensor.driver.name, what), now)

    def _held_back(self, now: Instant) -> bool:
        """Whether what can wait should: the outbox must not drop for the sake of a recording."""
        return bool(self._outbox.trouble) or self._outbox.fullness(now) > FULLNESS_MAX

    def _memos(self) -> dict[str, Any]:
        memos = {sensor.memo_key: sensor.driver.memo() for sensor in self._sensors}
        return {**memos, "agent": self._agent.memo(), "recorder": self._taps.memo()}

    def _commit(self, now: Instant) -> bool:
        began_ns = self._clock.monotonic_ns()
        stored = self._outbox.commit(now, self._memos())
        self._disk.stored(self._clock.monotonic_ns() - began_ns)
        return stored

    def _minute(self, session: str, now: Instant) -> Minute:
        sensors = {sensor.driver.name: sensor.driver.stats() for sensor in self._sensors}
        return Minute(session, self._started_ns, self._outbox.stats(now), sensors, _temperature_c())

    def _acked(self, payload: bytes, now: Instant) -> None:
        try:
            ack = Ack.model_validate_json(payload)
        except ValidationError as error:
            log.warning("an ack cannot be read: %s", error.errors()[0]["msg"])
            return
        self._outbox.collector_says(ack.now_ns, now)
        if ack.epoch not in self._outbox.epochs:
            return
        for seq, reason in ack.rejected:
            log.warning("the collector refused event %d: %s", seq, reason)
            self.first_reason = self.first_reason or reason
        self.rejected += self._outbox.settle(ack.epoch, ack.done, ack.rejected, ack.now_ns, now)
        self._dispatch.answered(ack)

    def _next_ns(self, now: Instant) -> int:
        times: list[int | None] = [self._look_ns, self._outbox.due_ns]
        if self._session:
            times += [self._health_ns, self._dispatch.due_ns()]
        held_back = self._held_back(now)
        for sensor in self._sensors:
            if not (sensor.driver.can_wait and held_back):
                times.append(sensor.driver.due_ns() if sensor.open_ else sensor.retry_ns)
        return min(time_ns for time_ns in times if time_ns is not None)


def _temperature_c() -> float | None:
    try:
        text = Path("/sys/class/thermal/thermal_zone0/temp").read_text(encoding="ascii")
        return int(text) / 1000
    except (OSError, ValueError):
        return None
