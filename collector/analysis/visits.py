"""Answers about long stretches, from the rollups: by hour, by day, by weekday and hour, this year and last.

Rollups are of what was counted; corrections are put on them at the question, as on every other answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from collector.analysis.amend import Amended, Amendment, Amendments, Way, by_hub, of_rollups
from collector.analysis.buckets import edges, local_date, local_rfc3339, midnight_ns
from collector.analysis.counts import Sum
from collector.analysis.footfall import BUCKETS_MAX, counting_sensors, unknown_total
from collector.analysis.visits_answers import (
    Both,
    HeatCell,
    HeatMap,
    MonthCompared,
    Totals,
    VisitsByDay,
    VisitsByHour,
    YearOnYear,
)
from collector.answers import Lineage, Total
from collector.corrections import Version
from collector.store.base import ALL_HUBS, MINUTE_NS, Grain, Rollup, Store
from firmware_cfg.load import Fleet
from firmware_cfg.times import NS_PER_S

_MONTHS = range(1, 13)


@dataclass(frozen=True, slots=True)
class _Place:
    """One hub, or all of them under the name of ALL_HUBS."""

    name: str
    zone: ZoneInfo
    entrances: int
    sensors: list[str]


def _place(fleet: Fleet, hub: str | None) -> _Place:
    """ValueError: all hubs are asked for, and they have no common local time."""
    hubs = [fleet.hubs[hub]] if hub is not None else list(fleet.hubs.values())
    zones = {found.timezone for found in hubs}
    if len(zones) > 1:
        raise ValueError(f"the hubs have different local times ({', '.join(sorted(zones))})")
    pairs = {pair for found in hubs for counting in counting_sensors(found).values() for pair in counting}
    return _Place(
        hub or ALL_HUBS,
        hubs[0].zone,
        sum(len(found.entrances) for found in hubs),
        sorted(f"{unit}/{sensor}" for unit, sensor in pairs),
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """The rollups of a place in the buckets that `bounds` divide, and what corrections make of them."""

    rollups: list[Rollup]
    amended: Amendments

    def buckets(self) -> Iterator[tuple[int, Rollup, Amendment | None]]:
        """Each of which anything is known, in no order that means anything: when it begins, and what is known."""
        amended = self.amended.by_start
        for rollup in self.rollups:
            yield rollup.t_ns, rollup, amended.get(rollup.t_ns)
        if amended:
            for start in amended.keys() - {rollup.t_ns for rollup in self.rollups}:
                yield start, _NOTHING, amended[start]

    def lineage(self, store: Store, place: _Place, query: str) -> Lineage:
        return Lineage(
            query=query,
            store=store.name,
            sensors=place.sensors,
            raw_events=sum(rollup.events for rollup in self.rollups),
            corrections=self.amended.lineage,
        )


def _find(store: Store, grain: Grain, place: str, bounds: Sequence[int], amended: Mapping[str, Amended]) -> _Found:
    rollups = store.rollups(grain, bounds[0], bounds[-1], place)
    return _Found(rollups, of_rollups(store, grain, place, rollups, bounds, amended))


def by_hour(
    store: Store, fleet: Fleet, hub: str, start_ns: int, end_ns: int, *, now_ns: int, active: Sequence[Version] = ()
) -> VisitsByHour:
    """One hub's local hours that touch `start_ns`..`end_ns`; `active` are the corrections that hold, anywhere.

    ValueError: more than `BUCKETS_MAX` hours.
    """
    place = _place(fleet, hub)
    bounds = edges(start_ns, end_ns, "1h", place.zone, BUCKETS_MAX)
    found = _find(store, "hour", hub, bounds, by_hub(store, active, bounds))
    both = _columns(bounds, found, place.entrances, now_ns)
    starts = [local_rfc3339(t_ns, place.zone) for t_ns in bounds]
    query = f"/api/v1/visits/hours?hub={hub}&{_stretch(starts[0], starts[-1])}"
    return VisitsByHour(
        hub=hub,
        timezone=place.zone.key,
        starts=starts[:-1],
        visits=both.visits,
        exits=both.exits,
        lineage=found.lineage(store, place, query),
    )


def by_day(
    store: Store, fleet: Fleet, start_ns: int, end_ns: int, *, now_ns: int, active: Sequence[Version] = ()
) -> VisitsByDay:
    """Every hub's local days that touch `start_ns`..`end_ns`; `active` are the corrections that hold.

    ValueError: more than `BUCKETS_MAX` of them, or hubs of different local times.
    """
    place = _place(fleet, None)
    bounds = edges(start_ns, end_ns, "1d", place.zone, BUCKETS_MAX)
    rows: dict[str, list[Rollup]] = defaultdict(list)
    for rollup in store.rollups("day", bounds[0], bounds[-1]):
        rows[rollup.hub].append(rollup)
    amended = by_hub(store, active, bounds)
    whole = _find(store, "day", ALL_HUBS, bounds, amended)
    each = {
        name: _Found(rows[name], of_rollups(store, "day", name, rows[name], bounds, amended)) for name in fleet.hubs
    }
    days = [local_date(t_ns, place.zone).isoformat() for t_ns in bounds]
    return VisitsByDay(
        timezone=place.zone.key,
        days=days[:-1],
        all=_columns(bounds, whole, place.entrances, now_ns),
        hubs={name: _columns(bounds, each[name], len(hub.entrances), now_ns) for name, hub in fleet.hubs.items()},
        lineage=whole.lineage(store, place, f"/api/v1/visits/days?{_stretch(days[0], days[-1])}"),
    )


def heat_map(
    store: Store,
    fleet: Fleet,
    hub: str | None,
    start_ns: int,
    end_ns: int,
    *,
    now_ns: int,
    active: Sequence[Version] = (),
) -> HeatMap:
    """Sums over the local hours that touch `start_ns`..`end_ns`, by weekday and hour of the day.

    `active` are the corrections that hold.

    ValueError: more than `BUCKETS_MAX` hours, or hubs of different local times.
    """
    place = _place(fleet, hub)
    bounds = edges(start_ns, end_ns, "1h", place.zone, BUCKETS_MAX)
    found = _find(store, "hour", place.name, bounds, by_hub(store, active, bounds))
    possible: dict[tuple[int, int], float] = defaultdict(float)
    cell_of = {}
    for start, end in pairwise(bounds):
        local = datetime.fromtimestamp(start // NS_PER_S, place.zone)
        cell = cell_of[start] = (local.isoweekday(), local.hour)
        possible[cell] += _possible(start, end, place.entrances, now_ns)
    cells: dict[tuple[int, int], _Visits] = defaultdict(_Visits)
    for start, rollup, amendment in found.buckets():
        cells[cell_of[start]].count(rollup, amendment)
    starts = [local_rfc3339(t_ns, place.zone) for t_ns in (bounds[0], bounds[-1])]
    query = f"/api/v1/visits/heatmap?{f'hub={hub}&' if hub else ''}{_stretch(*starts)}"
    return HeatMap(
        hub=hub,
        start=starts[0],
        end=starts[1],
        timezone=place.zone.key,
        cells=[
            HeatCell(
                weekday=weekday,
                hour=hour,
                hours=cells[weekday, hour].known,
                visits=cells[weekday, hour].total(possible[weekday, hour]),
            )
            for weekday in range(1, 8)
            for hour in range(24)
        ],
        lineage=found.lineage(store, place, query),
    )


def year_on_year(
    store: Store, fleet: Fleet, hub: str | None, year: int, *, now_ns: int, active: Sequence[Version] = ()
) -> YearOnYear:
    """Each month of a year beside the same dates of the year before; `active` are the corrections that hold.

    ValueError: hubs of different local times.
    """
    place = _place(fleet, hub)
    today = local_date(now_ns, place.zone)
    days = [day for day in _days(year) if day < today]
    first_ns, last_ns = (midnight_ns(date(year + add, 1, 1), place.zone) for add in (-1, 1))
    bounds = edges(first_ns, last_ns, "1d", place.zone, BUCKETS_MAX) if active else [first_ns, last_ns]
    found = _find(store, "day", place.name, bounds, by_hub(store, active, bounds))
    known = {start: (rollup, amendment) for start, rollup, amendment in found.buckets()}

    def compared(now: Sequence[date]) -> MonthCompared:
        visits, before = (_of_days(chosen, known, place) for chosen in (now, list(_year_before(now))))
        change = None
        if visits.value is not None and before.value:
            change = round(100 * (visits.value - before.value) / before.value, 1)
        return MonthCompared(visits=visits, before=before, change_percent=change)

    query = f"/api/v1/visits/years?{f'hub={hub}&' if hub else ''}year={year}"
    return YearOnYear(
        hub=hub,
        year=year,
        timezone=place.zone.key,
        whole=compared(days),
        months=[compared([day for day in days if day.month == month]) for month in _MONTHS],
        lineage=found.lineage(store, place, query),
    )


def _days(year: int) -> Iterator[date]:
    day = date(year, 1, 1)
    while day.year == year:
        yield day
        day += timedelta(days=1)


def _year_before(days: Iterable[date]) -> Iterator[date]:
    """29 February has no like."""
    for day in days:
        if (day.month, day.day) != (2, 29):
            yield day.replace(year=day.year - 1)


def _of_days(days: Sequence[date], found: Mapping[int, tuple[Rollup, Amendment | None]], place: _Place) -> Total:
    visits = _Visits()
    possible_ns = 0
    for day in days:
        start_ns, end_ns = (midnight_ns(day + timedelta(days=add), place.zone) for add in (0, 1))
        possible_ns += end_ns - start_ns
        if start_ns in found:
            visits.count(*found[start_ns])
    return visits.total(possible_ns / MINUTE_NS * place.entrances)


@dataclass(slots=True)
class _Visits:
    """Visits of many hours or days, summed up. `known`: of how many of them anything is."""

    gross: Sum = field(default_factory=Sum)
    change: Sum = field(default_factory=Sum)
    minutes: int = 0
    known: int = 0
    corrections: set[int] = field(default_factory=set)

    def count(self, rollup: Rollup, amendment: Amendment | None) -> None:
        gross = self.gross
        gross.value += rollup.visits
        gross.variance += rollup.variance_visits
        self.minutes += rollup.minutes
        if amendment is None:
            self.known += rollup.minutes > 0
            return
        self.known += amendment.visits.known
        self.change.add(amendment.visits.change)
        self.corrections.update(amendment.corrections)

    def total(self, possible_minutes: float) -> Total:
        completeness = _completeness(self.minutes, possible_minutes)
        gross = unknown_total() if completeness is None else self.gross.total(completeness)
        return Way(self.change, bool(self.known)).total(gross, self.gross, sorted(self.corrections))


def _columns(bounds: Sequence[int], found: _Found, entrances: int, now_ns: int) -> Both:
    by_time = {rollup.t_ns: rollup for rollup in found.rollups}
    amended = found.amended.by_start
    visits, exits = Totals(), Totals()
    for start, end in pairwise(bounds):
        rollup = by_time.get(start, _NOTHING)
        completeness = _completeness(rollup.minutes, _possible(start, end, entrances, now_ns))
        if start not in amended:
            visits.add(rollup.visits, rollup.variance_visits, completeness)
            exits.add(rollup.exits, rollup.variance_exits, completeness)
            continue
        for column, way, counted in (
            (visits, amended[start].visits, Sum(rollup.visits, rollup.variance_visits)),
            (exits, amended[start].exits, Sum(rollup.exits, rollup.variance_exits)),
        ):
            column.add_corrected(way.net(counted) if way.known else None, counted.value, completeness)
    return Both(visits=visits, exits=exits)


_NOTHING = Rollup("", 0, 0, 0, 0.0, 0.0, 0, 0)


def _possible(start_ns: int, end_ns: int, entrances: int, now_ns: int) -> float:
    """Minutes in which so many entrances could have been watched so far."""
    return max(0, min(end_ns, now_ns) - start_ns) / MINUTE_NS * entrances


def _completeness(minutes: int, possible_minutes: float) -> float | None:
    """None where no minute was watched: a gap."""
    if not minutes:
        return None
    return min(1.0, round(minutes / possible_minutes, 4)) if possible_minutes else 0.0


def _stretch(start: str, end: str) -> str:
    return f"start={start}&end={end}".replace("+", "%2B")
