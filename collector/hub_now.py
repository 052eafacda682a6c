"""One hub's present, put together: its doors, rooms, cabinet and units."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import groupby, repeat
from operator import attrgetter, itemgetter

from collector.analysis.amend import Amended
from collector.analysis.buckets import local_day
from collector.answers import LastPassage, Live
from collector.inside_now import InsideNow
from collector.premises import Premises
from collector.recent import Key, key_of
from collector.run_counts import RunCounts
from collector.store.base import Coverage, Stored
from collector.store.runs import passages
from collector.today import Today
from collector.unit_now import UnitNow
from firmware_cfg.schema import Hub
from firmware_cfg.times import to_rfc3339
from firmware_cfg.wire import Audit, Cabinet, Counter, Direction, Event, Fault, Health, Passage, PassageRun, Room

LAST_PASSAGES = 20
_T_NS = itemgetter(0)
_Seen = tuple[int, Direction, int, str | None, str]
"""Of a passage: when, which way, persons, entrance, sensor."""
_OUTBOX = attrgetter("unit", "epoch")


class HubNow:
    """Not thread-safe. `dirty`: something came that was not shown yet. `units` are shared with other hubs.

    `amended`: what corrections make of one day's visits.
    """

    def __init__(self, hub: Hub, units: Mapping[str, UnitNow]) -> None:
        self.hub = hub
        self.today = Today(hub)
        self.dirty = True
        self.amended: Amended | None = None
        self._units = units
        self.inside = InsideNow(hub, units)
        self._premises = Premises(hub)
        self._last: list[_Seen] = []
        self._shown: dict[int, tuple[_Seen, LastPassage]] = {}  # those by identity: each is shown many times
        self._entrances = {
            (stay.id, sensor.name): sensor.entrance
            for stay in hub.units
            for sensor in stay.sensors
            if sensor.entrance is not None
        }

    def roll(self, now_ns: int) -> None:
        """Begin a new day where it is one."""
        if not self.today.holds(now_ns):
            self.today = Today(self.hub, *local_day(now_ns, self.hub.zone))
            self._last.clear()
            self.dirty = True

    def take(self, unit: str, epoch: str, events: Iterable[Event]) -> None:
        """Any events of this hub and one outbox, in any order, any number of times."""
        counted: list[Passage | Counter] = []
        for event in events:
            if isinstance(event, Passage | Counter):
                counted.append(event)
            else:
                self.dirty = self._other(unit, key_of(epoch, event), event) or self.dirty
        if counted:
            news = self.today.take(unit, epoch, counted)
            self._remember(
                [
                    (event.t_ns, event.direction, event.persons, event.entrance, event.sensor)
                    for event in news
                    if isinstance(event, Passage) and event.role == "counting"
                ]
            )
            self.dirty = self.inside.take(epoch, counted) or bool(news) or self.dirty

    def take_run(self, unit: str, epoch: str, run: PassageRun) -> None:
        """The same of passages in columns."""
        counts = RunCounts.of(run)
        news = None if counts is None else self.today.take_run(unit, epoch, counts)
        if counts is None or news is None:
            self.take(unit, epoch, passages(run))
            return
        if news and run.role == "counting":
            columns = (column[-LAST_PASSAGES:] for column in (run.t_ns, run.direction, counts.persons))
            self._remember(list(zip(*columns, repeat(run.entrance), repeat(run.sensor), strict=False)))
        self.dirty = self.inside.take_run(epoch, counts) or news or self.dirty

    def _other(self, unit: str, key: Key, event: Room | Cabinet | Fault | Audit) -> bool:
        """True where it is news."""
        match event:
            case Room():
                return self._premises.room(unit, key, event)
            case Cabinet():
                return self._premises.cabinet(unit, key, event)
            case Fault():
                return self._units[unit].fault(key, event)
        return False

    def _remember(self, seen: list[_Seen]) -> None:
        if seen:
            self._last = sorted([*self._last, *seen], key=_T_NS)[-LAST_PASSAGES:]

    def report(self, report: Health) -> None:
        """How the sensors at its entrances do. Only today's reports tell whether they watched today."""
        self.inside.report(report)
        if self.today.holds(report.t_ns):
            for name, sensor in report.sensors.items():
                entrance = self._entrances.get((report.unit, name))
                if entrance is not None and sensor.ok:
                    self.today.report(entrance, name, report)
        self.dirty = True

    def seed(self, stored: Iterable[Stored], coverage: Sequence[Coverage]) -> None:
        """What the store has: events in any order, and how long its sensors watched."""
        by_entrance: dict[str, list[Coverage]] = defaultdict(list)
        for cover in coverage:
            entrance = self._entrances.get((cover.unit, cover.sensor))
            if entrance is not None:
                by_entrance[entrance].append(cover)
        for entrance, covers in by_entrance.items():
            self.today.seed(entrance, [cover for cover in covers if self.today.holds(cover.t_ns)])
        self.inside.watched(coverage)
        for (unit, epoch), items in groupby(stored, _OUTBOX):
            self.take(unit, epoch, (item.event for item in items))
        self.dirty = True

    def answer(self, now_ns: int) -> Live:
        stays = sorted((stay for stay in self.hub.units if stay.holds(now_ns)), key=lambda stay: stay.id)
        return Live(
            hub=self.hub.id,
            name=self.hub.name,
            as_of=to_rfc3339(now_ns),
            occupancy=self.inside.answer(now_ns),
            visits_today=self.today.visits(now_ns, self.amended),
            last_passages=self._last_passages(),
            entrances=self.today.entrances(now_ns),
            rooms=self._premises.rooms_answer(now_ns, partial(self._room_trouble, now_ns)),
            cabinet=self._premises.cabinet_answer(now_ns, partial(self._cabinet_trouble, now_ns)),
            units=[self._units[stay.id].answer(stay, now_ns) for stay in stays],
        )

    def _last_passages(self) -> list[LastPassage]:
        known = self._shown
        self._shown = {id(seen): known.get(id(seen)) or (seen, _last_passage(seen)) for seen in self._last}
        return [shown for _, shown in reversed(self._shown.values())]

    def _room_trouble(self, now_ns: int, unit: str, sensor: str) -> str | None:
        known = self._units[unit]
        trouble = "its sensor reports a fault" if known.sensor_ok(sensor, now_ns) is False else None
        return known.away(now_ns) or trouble

    def _cabinet_trouble(self, now_ns: int, unit: str, sensor: str) -> str | None:
        """A part that fails is the unit's to judge: it must not hide what others see, such as that the AED is gone."""
        known = self._units[unit]
        return known.away(now_ns) or ("its sensor is not available" if known.unavailable(sensor) else None)


def _last_passage(seen: _Seen) -> LastPassage:
    t_ns, direction, persons, entrance, sensor = seen
    return LastPassage(t=to_rfc3339(t_ns), direction=direction, persons=persons, entrance=entrance, sensor=sensor)
