"""What is going on now in every hub, for whoever asks and for browsers that listen."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from operator import attrgetter

from collector.analysis.amend import Amended
from collector.analysis.buckets import local_day
from collector.answers import CabinetLive, PeopleInside, RoomLive, UnitLive
from collector.answers import Live as LiveAnswer
from collector.hub_now import HubNow
from collector.store.base import QUARTER_NS, Parcel, Store, Stored
from collector.unit_now import UnitNow
from firmware_cfg.load import Fleet
from firmware_cfg.times import NS_PER_S
from firmware_cfg.wire import Health, Kind, State

SEED_EVENTS_MAX = 200_000
LOOK_BACK_NS = 2 * 86_400 * NS_PER_S
LOOK_AHEAD_NS = 3600 * NS_PER_S
"""A unit's clock may be ahead by as much."""
LOOK_BACK_EVENTS: dict[Kind, int] = {"room": 5_000, "cabinet": 100, "fault": 2_000}
"""The newest so many of a hub tell how rooms, cabinet and faults are."""
PUSH_EVERY_S = 0.04
LISTENERS_MAX = 200
LOOK_EVERY_S = 15

LEARN_NS = 28 * 86_400 * NS_PER_S
"""So much of the past teaches how doors miscount."""

_HUB = attrgetter("hub")
_Glance = tuple[PeopleInside, list[RoomLive], CabinetLive | None, list[UnitLive]]


class Live:
    """The present of every hub. Any thread may feed it; snapshots reach browsers through `listen`.

    The same event may be fed any number of times, from the store, the pipeline and the broker: it counts once.
    """

    def __init__(self, fleet: Fleet, wall_ns: Callable[[], int]) -> None:
        self._wall_ns = wall_ns
        self._lock = threading.RLock()
        self._units = {unit: UnitNow(unit) for unit in fleet.units}
        self._hubs = {name: HubNow(hub, self._units) for name, hub in fleet.hubs.items()}
        self._hubs_of = {
            unit: [self._hubs[name] for name in {hub.id for hub, _stay in fleet.stays(unit)}] for unit in fleet.units
        }
        self._listeners: list[Listener] = []
        self._shown: dict[str, _Glance] = {}
        self._day = (0, 0)  # today at every hub, whatever its time zone
        self._looked_ns = 0
        self._changed = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._push, name="live", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end_streams(self) -> None:
        """End every listener's iteration, now and to come; does not wait."""
        self._closing.set()
        self._changed.set()
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener.end()

    def close(self) -> None:
        """End the streams and the pushing."""
        self.end_streams()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join()

    @contextmanager
    def _changing(self) -> Iterator[int]:
        with self._lock:
            now_ns = self._wall_ns()
            self._roll(now_ns)
            yield now_ns
        self._changed.set()

    def _roll(self, now_ns: int) -> None:
        """Begin a new day at the hubs where it is one; looks at them only when it is somewhere."""
        start_ns, end_ns = self._day
        if not start_ns <= now_ns < end_ns:
            for hub in self._hubs.values():
                hub.roll(now_ns)
            days = [hub.today for hub in self._hubs.values()]
            self._day = max((day.start_ns for day in days), default=0), min((day.end_ns for day in days), default=0)

    def stored(self, parcels: Sequence[Parcel], reports: Sequence[Health] = (), states: Sequence[State] = ()) -> None:
        """Events, health reports and states as they come, in any order."""
        with self._changing() as now_ns:
            for parcel in parcels:
                for hub, events in groupby(parcel.single, _HUB):
                    self._hubs[hub].take(parcel.unit, parcel.epoch, events)
                for run in parcel.runs:
                    self._hubs[run.hub].take_run(parcel.unit, parcel.epoch, run)
            for report in reports:
                self._units[report.unit].report(report)
                self._hubs[report.hub].report(report)
            for unit in {parcel.unit for parcel in parcels} | {report.unit for report in reports}:
                self._units[unit].hear(now_ns)
                self._mark(unit)
            for state in states:
                self._units[state.unit].state(state, now_ns)
                self._mark(state.unit)

    def missing(self, unit: str, missing: int, lost: int) -> None:
        """How many of a unit's events have not come though asked for, and how many never will."""
        if unit in self._units:
            with self._changing():
                self._units[unit].missing, self._units[unit].lost = missing, lost
                self._mark(unit)

    def amend(self, hub: str, amended: Amended) -> None:
        """What corrections make of a day's visits at a hub; today's are shown so."""
        with self._changing():
            self._hubs[hub].amended = amended
            self._hubs[hub].dirty = True

    def _mark(self, unit: str) -> None:
        for hub in self._hubs_of[unit]:
            hub.dirty = True

    def seed(self, store: Store) -> None:
        """Take from the store who came and left since the building was empty, and how all else was last.

        Raises StoreUnavailable.
        """
        for name, hub in self._hubs.items():
            now_ns = self._wall_ns()
            start_ns, end_ns = local_day(now_ns, hub.hub.zone)
            start_ns = min(start_ns, hub.inside.start_ns(now_ns))
            stored: list[Stored] = []
            for kind in ("passage", "counter"):
                stored += store.events(kind, name, start_ns, end_ns, limit=SEED_EVENTS_MAX, newest_first=True)
            for kind, limit in LOOK_BACK_EVENTS.items():
                since_ns, until_ns = max(0, now_ns - LOOK_BACK_NS), now_ns + LOOK_AHEAD_NS
                stored += store.events(kind, name, since_ns, until_ns, limit=limit, newest_first=True)
            coverage = store.coverage_15m(name, start_ns, -(-end_ns // QUARTER_NS) * QUARTER_NS)
            with self._changing():
                hub.seed(reversed(stored), coverage)

    def learn(self, store: Store) -> None:
        """Learn from the store's past how each door miscounts, and how soon people leave. Raises StoreUnavailable."""
        for name, hub in self._hubs.items():
            end_ns = hub.inside.start_ns(self._wall_ns())
            start_ns = max(0, end_ns - LEARN_NS)
            quarters = store.counts_15m(name, start_ns, end_ns)
            coverage = store.coverage_15m(name, start_ns, end_ns)
            past = hub.inside.study(quarters, coverage, end_ns)  # takes a while: not while others wait
            with self._changing():
                hub.inside.begin(past)

    def snapshot(self, hub: str) -> LiveAnswer:
        """One hub now; KeyError where there is no such hub."""
        with self._lock:
            now_ns = self._wall_ns()
            self._hubs[hub].roll(now_ns)
            return self._hubs[hub].answer(now_ns)

    def listen(self) -> Listener:
        """A new listener on the running event loop; raises OverflowError beyond `LISTENERS_MAX`."""
        listener = Listener(self)
        with self._lock:
            if len(self._listeners) >= LISTENERS_MAX:
                raise OverflowError(f"{LISTENERS_MAX} browsers watch already")
            self._listeners.append(listener)
        for hub in self._hubs:
            listener.offer(self.snapshot(hub))
        if self._closing.is_set():
            listener.end()
        return listener

    def forget(self, listener: Listener) -> None:
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)

    def _push(self) -> None:
        """Each change at once, but no more often than every `PUSH_EVERY_S`, and no more than half of the time."""
        while not self._closing.is_set():
            self._changed.wait(LOOK_EVERY_S)
            self._changed.clear()
            began_s = time.monotonic()
            with self._lock:
                listeners = list(self._listeners)
            answers = self.changes() if listeners else []
            for listener in listeners:
                for answer in answers:
                    listener.offer(answer)
            took_s = time.monotonic() - began_s
            self._closing.wait(max(PUSH_EVERY_S - took_s, took_s))

    def changes(self) -> list[LiveAnswer]:
        """Hubs of which something came since last asked, and every `LOOK_EVERY_S` those that time alone has changed.

        Others are let in between two hubs, of which there may be thousands.
        """
        with self._lock:
            now_ns = self._wall_ns()
            self._roll(now_ns)
            look = abs(now_ns - self._looked_ns) >= LOOK_EVERY_S * NS_PER_S
            if look:
                self._looked_ns = now_ns
        changed = ((name, hub) for name, hub in self._hubs.items() if hub.dirty or look)
        return [answer for name, hub in changed if (answer := self._change(name, hub, now_ns)) is not None]

    def _change(self, name: str, hub: HubNow, now_ns: int) -> LiveAnswer | None:
        """None where only the clock has moved."""
        with self._lock:
            hub.roll(now_ns)
            answer = hub.answer(now_ns)
            still = {"completeness": 1.0, "empty": None}  # the clock alone moves these
            inside = answer.occupancy.model_copy(update=still)
            glance = (inside, answer.rooms, answer.cabinet, answer.units)
            changed = hub.dirty or self._shown.get(name) != glance
            self._shown[name] = glance
            hub.dirty = False
            return answer if changed else None


class Listener:
    """Snapshots for one browser: the latest of each hub, in the order of change. A slow one skips, never queues."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._loop = asyncio.get_running_loop()
        self._latest: dict[str, LiveAnswer] = {}
        self._event = asyncio.Event()
        self._ended = False

    def offer(self, answer: LiveAnswer) -> None:
        """From any thread."""
        self._call(lambda: self._latest.__setitem__(answer.hub, answer))

    def end(self) -> None:
        """From any thread."""
        self._call(lambda: setattr(self, "_ended", True))

    def _call(self, change: Callable[[], None]) -> None:
        def apply() -> None:
            change()
            self._event.set()

        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(apply)

    async def __aiter__(self) -> AsyncIterator[LiveAnswer]:
        try:
            while not self._ended:
                await self._event.wait()
                self._event.clear()
                while self._latest and not self._ended:
                    yield self._latest.pop(next(iter(self._latest)))
        finally:
            self._live.forget(self)
