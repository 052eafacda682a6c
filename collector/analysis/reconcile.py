"""A unit's own cumulative counters beside what the store has of it, per sensor and local day.

Health reports carry persons in and out since the outbox was created. Between two reports of one outbox their rise must
be the persons of the stored events of that time; where it is not, events are missing, waiting, or there twice.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from collector.analysis.buckets import edges, local_date
from collector.store.base import MINUTE_NS, HealthRow, Store
from collector.store.columns import HEALTH_COLUMNS, UNIT_ROW
from firmware_cfg.load import Fleet
from firmware_cfg.schema import Hub
from firmware_cfg.times import NS_PER_S
from firmware_cfg.wire import Counter, Kind, Passage

DAYS_MAX = 31
LOOK_BACK_NS = 2 * 86_400 * NS_PER_S
"""How long a unit may have been silent before a day for its first report then to be comparable."""
_PAGE = 20_000
_COUNTED: tuple[Kind, ...] = ("passage", "counter")
_AT = {column.name: index for index, column in enumerate(HEALTH_COLUMNS)}


@dataclass(slots=True)
class SensorDay:
    """Persons by the unit's own counters and by the stored events, over the same stretches of one local day.

    A stretch is between two health reports and belongs to the day in which it ends. `compared_minutes` of them; not
    compared is what lies between two outboxes (`new_outboxes`) or where a counter went back within one (`went_back`).
    `waiting`: events that the unit still had to deliver at its last report of the day.
    """

    day: str
    sensor: str
    reported_in: int = 0
    reported_out: int = 0
    stored_in: int = 0
    stored_out: int = 0
    compared_minutes: float = 0.0
    new_outboxes: int = 0
    went_back: int = 0
    waiting: int = 0

    @property
    def missing_in(self) -> int:
        """Persons that the unit counted and the store has not; below zero: the store has more."""
        return self.reported_in - self.stored_in

    @property
    def missing_out(self) -> int:
        return self.reported_out - self.stored_out


@dataclass(frozen=True, slots=True)
class _Reading:
    t_ns: int
    epoch: str
    in_: int
    out: int
    waiting: int


@dataclass(slots=True)
class _Windows:
    """Stretches between consecutive reports of a sensor, by their ends: outbox (None: not comparable) and day."""

    ends_ns: list[int] = field(default_factory=list)
    epochs: list[str | None] = field(default_factory=list)
    days: list[SensorDay | None] = field(default_factory=list)

    def of(self, t_ns: int, epoch: str) -> SensorDay | None:
        index = bisect_left(self.ends_ns, t_ns)
        return self.days[index] if index < len(self.ends_ns) and self.epochs[index] == epoch else None


def reconcile(store: Store, fleet: Fleet, unit: str, start_ns: int, end_ns: int) -> list[SensorDay]:
    """The local days that touch `start_ns`..`end_ns`, by day and sensor; those without a report are left out.

    ValueError: more than `DAYS_MAX` days. Raises StoreUnavailable.
    """
    stays = fleet.stays(unit)
    zone = stays[-1][0].zone
    bounds = edges(start_ns, end_ns, "1d", zone, DAYS_MAX)
    readings = _readings(store.health(unit, bounds[0] - LOOK_BACK_NS, bounds[-1]))
    names = [local_date(t_ns, zone).isoformat() for t_ns in bounds[:-1]]
    days: dict[tuple[str, str], SensorDay] = {}
    windows = {}
    for sensor, found in readings.items():
        windows[sensor] = _compare(sensor, found, bounds, names, days)
    first_ns = min((found[0].t_ns for found in readings.values()), default=bounds[0])
    hubs = {hub.id: hub for hub, _stay in stays}
    for sensor, epoch, event in _events(store, hubs.values(), unit, min(first_ns, bounds[0]), bounds[-1]):
        day = windows[sensor].of(event.t_ns, epoch) if sensor in windows else None
        if day is not None:
            in_, out = _persons(event)
            day.stored_in += in_
            day.stored_out += out
    return [days[key] for key in sorted(days)]


def _readings(rows: Iterable[HealthRow]) -> dict[str, list[_Reading]]:
    """By sensor, in the order of time; the row about the unit itself says of which outbox a report is."""
    rows = list(rows)
    of_unit = {(row.hub, row.t_ns): row for row in rows if row.sensor == UNIT_ROW}
    readings: dict[str, list[_Reading]] = defaultdict(list)
    for row in rows:
        head = of_unit.get((row.hub, row.t_ns))
        if row.sensor == UNIT_ROW or head is None:
            continue
        epoch, waiting = head.values[_AT["epoch"]], head.values[_AT["outbox_depth"]]
        in_, out = row.values[_AT["in"]], row.values[_AT["out"]]
        if isinstance(in_, int) and isinstance(out, int):
            depth = waiting if isinstance(waiting, int) else 0
            readings[row.sensor].append(_Reading(row.t_ns, str(epoch), in_, out, depth))
    return readings


def _compare(
    sensor: str,
    readings: Sequence[_Reading],
    bounds: Sequence[int],
    names: Sequence[str],
    days: dict[tuple[str, str], SensorDay],
) -> _Windows:
    windows = _Windows()
    for before, after in pairwise(readings):
        if after.t_ns < bounds[0]:
            continue
        index = max(i for i, bound in enumerate(bounds[:-1]) if bound <= after.t_ns)
        day = days.setdefault((names[index], sensor), SensorDay(names[index], sensor))
        day.waiting = after.waiting
        same = before.epoch == after.epoch
        rose = after.in_ >= before.in_ and after.out >= before.out
        if not windows.ends_ns:  # what is before the first stretch is in none
            windows.ends_ns.append(before.t_ns)
            windows.epochs.append(None)
            windows.days.append(None)
        windows.ends_ns.append(after.t_ns)
        windows.epochs.append(after.epoch if same and rose else None)
        windows.days.append(day)
        if same and rose:
            day.reported_in += after.in_ - before.in_
            day.reported_out += after.out - before.out
            day.compared_minutes += (after.t_ns - before.t_ns) / MINUTE_NS
        else:
            day.new_outboxes += not same
            day.went_back += same
    return windows


def _events(
    store: Store, hubs: Iterable[Hub], unit: str, start_ns: int, end_ns: int
) -> Iterator[tuple[str, str, Passage | Counter]]:
    """What the unit's sensors saw: sensor, outbox, event."""
    for hub in hubs:
        for kind in _COUNTED:
            next_ns = start_ns
            while page := store.events(kind, hub.id, next_ns, end_ns, limit=_PAGE):
                last_ns = page[-1].event.t_ns
                if len(page) == _PAGE and page[0].event.t_ns != last_ns:  # its last moment may go on in the next page
                    page = [stored for stored in page if stored.event.t_ns < last_ns]
                    next_ns = last_ns
                else:
                    next_ns = last_ns + 1
                for stored in page:
                    if stored.unit == unit and isinstance(stored.event, Passage | Counter):
                        yield stored.event.sensor, stored.epoch, stored.event


def _persons(event: Passage | Counter) -> tuple[int, int]:
    if isinstance(event, Counter):
        return event.in_, event.out
    return event.persons * (event.direction == "in"), event.persons * (event.direction == "out")
