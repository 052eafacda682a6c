"""Answers about long stretches, from the rollups alone: by hour, by day, by weekday and hour, this year and last."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from collector.analysis.buckets import edges, local_date, local_rfc3339, midnight_ns
from collector.analysis.footfall import BUCKETS_MAX, counting_sensors, unknown_total
from collector.answers import Lineage, Total
from collector.store.base import ALL_HUBS, MINUTE_NS, Rollup, Store
from firmware_cfg.doubt import interval
from firmware_cfg.load import Fleet
from firmware_cfg.times import NS_PER_S

_MONTHS = range(1, 13)


class Totals(BaseModel):
    """Many totals in columns, so that a year of hours stays small: the n-th of each belongs to the n-th time."""

    value: list[int | None] = []
    low: list[int | None] = []
    high: list[int | None] = []
    completeness: list[float] = []

    def add(self, value: int, variance: float, completeness: float | None) -> None:
        """`completeness` None: a gap."""
        low, high = interval(value, variance)
        gap = completeness is None
        self.value.append(None if gap else value)
        self.low.append(None if gap else low)
        self.high.append(None if gap else high)
        self.completeness.append(completeness or 0.0)


class Both(BaseModel):
    visits: Totals
    exits: Totals


class VisitsByHour(Both):
    """`starts`: the local hours; on the day the clocks go back one of them is there twice, with another offset."""

    hub: str
    timezone: str
    starts: list[str]
    lineage: Lineage


class VisitsByDay(BaseModel):
    """`days`: local dates. `all` sums up every hub; `hubs` has each by its id."""

    timezone: str
    days: list[str]
    all: Both
    hubs: dict[str, Both]
    lineage: Lineage


class HeatCell(BaseModel):
    """`weekday` 1 is Monday, `hour` is the local one. `hours`: in how many such hours anything was known."""

    weekday: int
    hour: int
    hours: int
    visits: Total


class HeatMap(BaseModel):
    """`hub` None: all together. 168 cells, Monday's first hour first."""

    hub: str | None
    start: str
    end: str
    timezone: str
    cells: list[HeatCell]
    lineage: Lineage


class MonthCompared(BaseModel):
    """`before`: the same dates of the year before. `change_percent` None where either is unknown or `before` is 0."""

    visits: Total
    before: Total
    change_percent: float | None


class YearOnYear(BaseModel):
    """`months` has January first. Of the present year only the days that are over are compared."""

    hub: str | None
    year: int
    timezone: str
    whole: MonthCompared
    months: list[MonthCompared]
    lineage: Lineage


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


def _lineage(store: Store, place: _Place, query: str, rollups: Iterable[Rollup]) -> Lineage:
    return Lineage(
        query=query, store=store.name, sensors=place.sensors, raw_events=sum(rollup.events for rollup in rollups)
    )


def by_hour(store: Store, fleet: Fleet, hub: str, start_ns: int, end_ns: int, *, now_ns: int) -> VisitsByHour:
    """One hub's local hours that touch `start_ns`..`end_ns`. ValueError: more than `BUCKETS_MAX` of them."""
    place = _place(fleet, hub)
    bounds = edges(start_ns, end_ns, "1h", place.zone, BUCKETS_MAX)
    found = store.rollups("hour", bounds[0], bounds[-1], hub)
    both = _columns(bounds, found, place.entrances, now_ns)
    starts = [local_rfc3339(t_ns, place.zone) for t_ns in bounds]
    query = f"/api/v1/visits/hours?hub={hub}&{_stretch(starts[0], starts[-1])}"
    return VisitsByHour(
        hub=hub,
        timezone=place.zone.key,
        starts=starts[:-1],
        visits=both.visits,
        exits=both.exits,
        lineage=_lineage(store, place, query, found),
    )


def by_day(store: Store, fleet: Fleet, start_ns: int, end_ns: int, *, now_ns: int) -> VisitsByDay:
    """Every hub's local days that touch `start_ns`..`end_ns`.

    ValueError: more than `BUCKETS_MAX` of them, or hubs of different local times.
    """
    place = _place(fleet, None)
    bounds = edges(start_ns, end_ns, "1d", place.zone, BUCKETS_MAX)
    rows: dict[str, list[Rollup]] = defaultdict(list)
    for rollup in store.rollups("day", bounds[0], bounds[-1]):
        rows[rollup.hub].append(rollup)
    whole = store.rollups("day", bounds[0], bounds[-1], ALL_HUBS)
    days = [local_date(t_ns, place.zone).isoformat() for t_ns in bounds]
    return VisitsByDay(
        timezone=place.zone.key,
        days=days[:-1],
        all=_columns(bounds, whole, place.entrances, now_ns),
        hubs={name: _columns(bounds, rows[name], len(hub.entrances), now_ns) for name, hub in fleet.hubs.items()},
        lineage=_lineage(store, place, f"/api/v1/visits/days?{_stretch(days[0], days[-1])}", whole),
    )


def heat_map(store: Store, fleet: Fleet, hub: str | None, start_ns: int, end_ns: int, *, now_ns: int) -> HeatMap:
    """Sums over the local hours that touch `start_ns`..`end_ns`, by weekday and hour of the day.

    ValueError: more than `BUCKETS_MAX` hours, or hubs of different local times.
    """
    place = _place(fleet, hub)
    bounds = edges(start_ns, end_ns, "1h", place.zone, BUCKETS_MAX)
    found = store.rollups("hour", bounds[0], bounds[-1], place.name)
    possible: dict[tuple[int, int], float] = defaultdict(float)
    cell_of = {}
    for start, end in pairwise(bounds):
        local = datetime.fromtimestamp(start // NS_PER_S, place.zone)
        cell = cell_of[start] = (local.isoweekday(), local.hour)
        possible[cell] += _possible(start, end, place.entrances, now_ns)
    rows: dict[tuple[int, int], list[Rollup]] = defaultdict(list)
    for rollup in found:
        rows[cell_of[rollup.t_ns]].append(rollup)
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
                hours=sum(rollup.minutes > 0 for rollup in rows[weekday, hour]),
                visits=_visits(rows[weekday, hour], possible[weekday, hour]),
            )
            for weekday in range(1, 8)
            for hour in range(24)
        ],
        lineage=_lineage(store, place, query, found),
    )


def year_on_year(store: Store, fleet: Fleet, hub: str | None, year: int, *, now_ns: int) -> YearOnYear:
    """Each month of a year beside the same dates of the year before. ValueError: hubs of different local times."""
    place = _place(fleet, hub)
    today = local_date(now_ns, place.zone)
    days = [day for day in _days(year) if day < today]
    found = {
        local_date(rollup.t_ns, place.zone): rollup
        for rollup in store.rollups(
            "day",
            midnight_ns(date(year - 1, 1, 1), place.zone),
            midnight_ns(date(year + 1, 1, 1), place.zone),
            place.name,
        )
    }

    def compared(now: Sequence[date]) -> MonthCompared:
        visits, before = (_of_days(chosen, found, place) for chosen in (now, list(_year_before(now))))
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
        lineage=_lineage(store, place, query, found.values()),
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


def _of_days(days: Sequence[date], found: Mapping[date, Rollup], place: _Place) -> Total:
    possible = sum(midnight_ns(day + timedelta(days=1), place.zone) - midnight_ns(day, place.zone) for day in days)
    return _visits([found[day] for day in days if day in found], possible / MINUTE_NS * place.entrances)


def _visits(rollups: Iterable[Rollup], possible_minutes: float) -> Total:
    value, minutes, variance = 0, 0, 0.0
    for rollup in rollups:
        value += rollup.visits
        minutes += rollup.minutes
        variance += rollup.variance_visits
    completeness = _completeness(minutes, possible_minutes)
    if completeness is None:
        return unknown_total()
    low, high = interval(value, variance)
    return Total(value=value, low=low, high=high, completeness=completeness)


def _columns(bounds: Sequence[int], rollups: Iterable[Rollup], entrances: int, now_ns: int) -> Both:
    by_time = {rollup.t_ns: rollup for rollup in rollups}
    visits, exits = Totals(), Totals()
    for start, end in pairwise(bounds):
        rollup = by_time.get(start, _NOTHING)
        completeness = _completeness(rollup.minutes, _possible(start, end, entrances, now_ns))
        visits.add(rollup.visits, rollup.variance_visits, completeness)
        exits.add(rollup.exits, rollup.variance_exits, completeness)
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
