"""What is going on now: people inside, visits today, last passages, and which units are heard of."""

from __future__ import annotations

import asyncio
import threading
from bisect import insort
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from collector.analysis.buckets import local_day
from collector.analysis.footfall import Sum, counting_sensors, split, unknown_total
from collector.answers import LastPassage, Total, UnitLive
from collector.answers import Live as LiveAnswer
from collector.ranges import RangeSet
from collector.store.base import (
    MINUTE_NS,
    QUARTER_MINUTES,
    QUARTER_NS,
    Count,
    Coverage,
    Parcel,
    Store,
    Stored,
    minutes_between,
)
from firmware_cfg.load import Fleet
from firmware_cfg.schema import Hub
from firmware_cfg.times import NS_PER_S, to_rfc3339
from firmware_cfg.wire import Counter, Event, Health, Passage, State

LAST_PASSAGES = 20
SILENT_NS = 5 * 60 * NS_PER_S
"""A unit reports each minute; after this long without a word it is not online, whatever it said last."""
SEED_EVENTS_MAX = 200_000
MOVES_MAX = 100_000
PUSH_EVERY_S = 0.05
LISTENERS_MAX = 200
_TICK_S = 15.0


@dataclass(slots=True)
class _Day:
    """What a hub's counting sensors saw since local midnight."""

    start_ns: int
    end_ns: int
    seen: dict[tuple[str, str], RangeSet] = field(default_factory=lambda: defaultdict(RangeSet))
    counts: dict[int, Count] = field(default_factory=lambda: defaultdict(Count))  # by quarter of an hour
    moves: list[tuple[int, int]] = field(default_factory=list)  # (t_ns, persons in - out), by time
    inside: int = 0
    inside_fresh: bool = True
    base: int = 0  # people inside before the first of `moves`
    seeded_minutes: dict[tuple[int, str], int] = field(default_factory=dict)  # (quarter, entrance)
    minutes: dict[tuple[int, str], int] = field(default_factory=lambda: defaultdict(int))  # a bit each

    def move(self, t_ns: int, persons: int) -> None:
        if self.moves and t_ns < self.moves[-1][0]:
            insort(self.moves, (t_ns, persons))
            self.inside_fresh = False
        else:
            self.moves.append((t_ns, persons))
            self.inside = max(0, self.inside + persons)
        if len(self.moves) > MOVES_MAX:
            half = MOVES_MAX // 2
            self.base = _walk(self.base, self.moves[:half])
            del self.moves[:half]

    def people_inside(self) -> int:
        """Never below zero: who leaves an empty building had come in unseen."""
        if not self.inside_fresh:
            self.inside = _walk(self.base, self.moves)
            self.inside_fresh = True
        return self.inside

    def watched_minutes(self) -> int:
        keys = self.seeded_minutes.keys() | self.minutes.keys()
        return sum(
            min(QUARTER_MINUTES, self.seeded_minutes.get(key, 0) + self.minutes.get(key, 0).bit_count()) for key in keys
        )


def _walk(inside: int, moves: Iterable[tuple[int, int]]) -> int:
    for _t_ns, persons in moves:
        inside = max(0, inside + persons)
    return inside


@dataclass(slots=True)
class _Unit:
    session: str | None = None
    online: bool | None = None
    heard_ns: int | None = None


class _Hub:
    """One hub's present. Not thread-safe; Live locks."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.entrances = {pair: entrance for entrance, pairs in counting_sensors(hub).items() for pair in pairs}
        self.day = _Day(0, 0)
        self.last: list[Passage] = []
        self.dirty = True

    def roll(self, now_ns: int) -> None:
        """Begin a new day where it is one."""
        if not self.day.start_ns <= now_ns < self.day.end_ns:
            self.day = _Day(*local_day(now_ns, self.hub.zone))
            self.last.clear()
            self.dirty = True

    def take(self, unit: str, epoch: str, event: Event) -> None:
        """Count the event, if it is today's, of a counting sensor, and not counted yet."""
        if type(event) is not Passage and type(event) is not Counter:
            return
        day, t_ns = self.day, event.t_ns
        if event.role != "counting" or not day.start_ns <= t_ns < day.end_ns:
            return
        if not day.seen[unit, epoch].add(event.seq):
            return
        quarter_ns = t_ns - t_ns % QUARTER_NS
        key = (quarter_ns, event.entrance or "")
        day.move(t_ns, _count(event, day.counts[quarter_ns]))
        day.minutes[key] |= 1 << (t_ns - quarter_ns) // MINUTE_NS
        if type(event) is Passage:
            self._remember(event)
        self.dirty = True

    def _remember(self, passage: Passage) -> None:
        if self.last and passage.t_ns < self.last[-1].t_ns:
            insort(self.last, passage, key=lambda known: known.t_ns)
        else:
            self.last.append(passage)
        if len(self.last) > LAST_PASSAGES:
            del self.last[0]

    def report(self, report: Health) -> None:
        if not self.day.start_ns <= report.t_ns < self.day.end_ns:
            return
        for name, sensor in report.sensors.items():
            entrance = self.entrances.get((report.unit, name))
            if entrance is None or not sensor.ok:
                continue
            since_ns = report.t_ns if sensor.ok_since_ns is None else max(sensor.ok_since_ns, self.day.start_ns)
            for quarter_ns, bits in minutes_between(since_ns, report.t_ns):
                self.day.minutes[quarter_ns, entrance] |= bits
        self.dirty = True

    def seed(self, stored: Iterable[Stored], coverage: Iterable[Coverage]) -> None:
        for cover in coverage:
            entrance = self.entrances.get((cover.unit, cover.sensor))
            if entrance is not None:
                self.day.seeded_minutes[cover.t_ns, entrance] = cover.minutes
                self.day.minutes.pop((cover.t_ns, entrance), None)
        for item in stored:
            self.take(item.unit, item.epoch, item.event)
        self.dirty = True

    def answer(self, now_ns: int, units: dict[str, _Unit]) -> LiveAnswer:
        occupancy, visits = self._totals(now_ns)
        return LiveAnswer(
            hub=self.hub.id,
            name=self.hub.name,
            as_of=to_rfc3339(now_ns),
            occupancy=occupancy,
            visits_today=visits,
            last_passages=[
                LastPassage(
                    t=to_rfc3339(passage.t_ns),
                    direction=passage.direction,
                    persons=passage.persons,
                    entrance=passage.entrance,
                    sensor=passage.sensor,
                )
                for passage in reversed(self.last)
            ],
            units=[_unit_answer(unit, units[unit], now_ns) for unit in _present(self.hub, now_ns)],
        )

    def _totals(self, now_ns: int) -> tuple[Total, Total]:
        day = self.day
        watched = day.watched_minutes()
        if not watched:
            return unknown_total(), unknown_total()
        minutes = max(1.0, (now_ns - day.start_ns) / MINUTE_NS) * max(1, len(self.hub.entrances))
        completeness = min(1.0, round(watched / minutes, 4))
        visits = Sum()
        inside = Sum(day.people_inside())
        for quarter_ns, count in day.counts.items():
            quarter_visits, quarter_exits = split(quarter_ns, count)
            visits.add(quarter_visits)
            inside.variance += quarter_visits.variance + quarter_exits.variance
        return inside.total(completeness), visits.total(completeness)


def _count(event: Passage | Counter, count: Count) -> int:
    """Add to the count; returns by how many persons more are inside."""
    if event.kind == "counter":
        count.in_ += event.in_
        count.out += event.out
        return event.in_ - event.out
    persons = event.persons
    variance = persons**2 * event.confidence * (1 - event.confidence)
    if event.direction == "in":
        count.in_ += persons
        count.variance_in += variance
        return persons
    if event.direction == "out":
        count.out += persons
        count.variance_out += variance
        return -persons
    count.unknown += persons
    return 0


def _present(hub: Hub, now_ns: int) -> list[str]:
    return sorted({stay.id for stay in hub.units if stay.holds(now_ns)})


def _unit_answer(name: str, unit: _Unit, now_ns: int) -> UnitLive:
    online = unit.online
    if online and (unit.heard_ns is None or now_ns - unit.heard_ns > SILENT_NS):
        online = False
    return UnitLive(id=name, online=online, last_heard=None if unit.heard_ns is None else to_rfc3339(unit.heard_ns))


class Live:
    """The present of every hub. Any thread may feed it; snapshots reach browsers through `listen`.

    The same event may be fed any number of times, from the store, the pipeline and the broker: it counts once.
    """

    def __init__(self, fleet: Fleet, wall_ns: Callable[[], int]) -> None:
        self._wall_ns = wall_ns
        self._lock = threading.RLock()
        self._hubs = {name: _Hub(hub) for name, hub in fleet.hubs.items()}
        self._units = {unit: _Unit() for unit in fleet.units}
        self._hubs_of = {
            unit: [self._hubs[name] for name in {hub.id for hub, _stay in fleet.stays(unit)}] for unit in fleet.units
        }
        self._listeners: list[Listener] = []
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
            for hub in self._hubs.values():
                hub.roll(now_ns)
            yield now_ns
        self._changed.set()

    def stored(self, parcels: Sequence[Parcel], reports: Sequence[Health] = (), states: Sequence[State] = ()) -> None:
        """Events, health reports and states as they come, in any order."""
        with self._changing() as now_ns:
            for parcel in parcels:
                for event in parcel.events:
                    self._hubs[event.hub].take(parcel.unit, parcel.epoch, event)
            for report in reports:
                self._hubs[report.hub].report(report)
            for unit in {parcel.unit for parcel in parcels} | {report.unit for report in reports}:
                self._hear(unit, now_ns)
            for state in states:
                self._state(state, now_ns)

    def _hear(self, name: str, now_ns: int) -> None:
        unit = self._units[name]
        unit.heard_ns = now_ns
        unit.online = True
        self._mark(name)

    def _state(self, state: State, now_ns: int) -> None:
        unit = self._units[state.unit]
        if state.state == "online":
            if unit.session != state.session:
                unit.heard_ns = now_ns
            unit.session = state.session
        unit.online = state.state == "online"
        self._mark(state.unit)

    def _mark(self, unit: str) -> None:
        for hub in self._hubs_of[unit]:
            hub.dirty = True

    def seed(self, store: Store) -> None:
        """Take today so far from the store. Raises StoreUnavailable."""
        for name, hub in self._hubs.items():
            start_ns, end_ns = local_day(self._wall_ns(), hub.hub.zone)
            stored = [
                *store.events("passage", name, start_ns, end_ns, limit=SEED_EVENTS_MAX, newest_first=True),
                *store.events("counter", name, start_ns, end_ns, limit=SEED_EVENTS_MAX, newest_first=True),
            ]
            coverage = store.coverage_15m(name, start_ns, -(-end_ns // QUARTER_NS) * QUARTER_NS)
            with self._changing():
                hub.seed(reversed(stored), coverage)

    def snapshot(self, hub: str) -> LiveAnswer:
        """One hub now; KeyError where there is no such hub."""
        with self._lock:
            now_ns = self._wall_ns()
            self._hubs[hub].roll(now_ns)
            return self._hubs[hub].answer(now_ns, self._units)

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
        """Each change at once, but not more often than every `PUSH_EVERY_S`."""
        while not self._closing.is_set():
            self._changed.wait(_TICK_S)
            self._changed.clear()
            with self._lock:
                now_ns = self._wall_ns()
                for hub in self._hubs.values():
                    hub.roll(now_ns)
                changed = [hub for hub in self._hubs.values() if hub.dirty]
                listeners = list(self._listeners)
                answers = [hub.answer(now_ns, self._units) for hub in changed] if listeners else []
                for hub in changed:
                    hub.dirty = False
            for listener in listeners:
                for answer in answers:
                    listener.offer(answer)
            self._closing.wait(PUSH_EVERY_S)


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
