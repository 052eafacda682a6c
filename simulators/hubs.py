"""A hub's days: who comes when, by opening hours, weekday, season, school holidays and events. Seeded, with truth."""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate

from firmware_cfg.schema import WEEKDAYS, Hub
from firmware_cfg.times import NS_PER_S

DAY = timedelta(days=1)
VISITS_A_YEAR = {
    "south-ockendon": 135_238,  # Thurrock's own figure
    "armley": 98_000,
    "st-georges-centre": 81_000,
    "strood": 74_000,
    "compton-centre": 46_000,
    "micklefield": 21_000,
}
VISITS_A_YEAR_ELSEWHERE = 50_000

_HOUR_WEIGHTS = (0, 0, 0, 0, 0, 0, 0, 2, 5, 8, 12, 12, 9, 9, 10, 11, 10, 7, 5, 3, 2, 1, 0, 0)
_WEEKDAY_WEIGHTS = (1.05, 1.1, 1.0, 1.0, 0.9, 0.8, 0.4)
_MONTH_WEIGHTS = (1.0, 1.05, 1.05, 0.95, 0.95, 0.95, 1.0, 0.9, 1.05, 1.1, 1.1, 0.8)
_HOLIDAY_WEIGHT = 1.15  # schools are closed: children come, groups do not
_DAY_LOG_SD = 0.10
_DWELL_MEDIAN_S, _DWELL_LOG_SD = 25 * 60, 0.8
_LINGER_S = 600  # after closing time the last ones leave within ten minutes


@dataclass(frozen=True, slots=True)
class Visit:
    """One person, in and out again, each time through one of the hub's entrances (by index)."""

    in_ns: int
    out_ns: int
    in_by: int
    out_by: int


@dataclass(frozen=True, slots=True)
class Fair:
    """An event that brings `visits` persons more on its day."""

    day: date
    visits: int


def visits_a_year(hub: Hub) -> int:
    return VISITS_A_YEAR.get(hub.id, VISITS_A_YEAR_ELSEWHERE)


def fairs(hub: Hub, first: date, days: int) -> list[Fair]:
    """South Ockendon's learning fair of 2,000 people, on the second Saturday of June if that is among these days."""
    if hub.id != "south-ockendon":
        return []
    all_days = (first + index * DAY for index in range(days))
    return [
        Fair(day, 2000)
        for day in all_days
        if day.month == 6 and day.weekday() == 5 and 8 <= day.day <= 14  # noqa: PLR2004 - the second Saturday of June
    ]


def is_school_holiday(day: date) -> bool:
    """About the English school year: six weeks in summer, two at Christmas and Easter, a week in each half term."""
    weeks = {1: (1, 3), 2: (14, 20), 4: (2, 16), 5: (26, 31), 10: (24, 31), 12: (20, 31)}
    if day.month == 8 or (day.month == 7 and day.day >= 22):  # noqa: PLR2004 - August and late July
        return True
    first, last = weeks.get(day.month, (0, -1))
    return first <= day.day <= last


def opening(hub: Hub, day: date) -> list[tuple[datetime, datetime]]:
    """When the hub is open on that local day; never on Christmas Day, Boxing Day and New Year's Day."""
    if (day.month, day.day) in {(12, 25), (12, 26), (1, 1)}:
        return []
    spans = []
    for hours in hub.hours.get(WEEKDAYS[day.weekday()], []):  # type: ignore[call-overload]  # a weekday is a weekday
        closing_day = day + DAY if hours.closes == time() else day
        spans.append(
            (
                datetime.combine(day, hours.opens, hub.zone),
                datetime.combine(closing_day, hours.closes, hub.zone),
            )
        )
    return spans


def share_out(total: int, weights: Sequence[float]) -> list[int]:
    """Whole numbers in proportion to `weights` that add up to exactly `total` (largest remainders)."""
    whole = sum(weights)
    exact = [total * weight / whole for weight in weights]
    shares = [int(value) for value in exact]
    by_remainder = sorted(range(len(weights)), key=lambda index: shares[index] - exact[index])
    for index in by_remainder[: total - sum(shares)]:
        shares[index] += 1
    return shares


def visits(hub: Hub, first: date, days: int, total: int, seed: int) -> Iterator[tuple[date, list[Visit]]]:
    """`total` visits over the open days from `first` on: each day with its visits in the order of entering.

    The same arguments give the same visits on every machine. Raises ValueError where no day is open.
    """
    rng = random.Random(f"{seed}/{hub.id}/{first}")  # noqa: S311 - a simulation
    open_days = [day for day in (first + index * DAY for index in range(days)) if opening(hub, day)]
    if not open_days:
        raise ValueError(f"hub {hub.id!r} is closed on all {days} days from {first}; check its hours")
    extra = {fair.day: fair.visits for fair in fairs(hub, first, days)}
    usual = share_out(total - sum(extra.values()), [_weight(hub, day, rng) for day in open_days])
    for day, count in zip(open_days, usual, strict=True):
        yield day, _day(hub, day, count + extra.get(day, 0), rng)


def _weight(hub: Hub, day: date, rng: random.Random) -> float:
    hours = sum((closes - opens) / timedelta(hours=1) for opens, closes in opening(hub, day))
    season = _MONTH_WEIGHTS[day.month - 1] * (_HOLIDAY_WEIGHT if is_school_holiday(day) else 1.0)
    return hours * season * _WEEKDAY_WEIGHTS[day.weekday()] * rng.lognormvariate(0.0, _DAY_LOG_SD)


def _day(hub: Hub, day: date, count: int, rng: random.Random) -> list[Visit]:
    """Arrivals by the hour's weight within the opening hours; nobody is left inside ten minutes after closing."""
    quarters: list[tuple[int, int, float]] = []  # start (s since 1970), closing time of its stretch, weight
    for opens, closes in opening(hub, day):
        start, end = int(opens.timestamp()), int(closes.timestamp())
        for quarter in range(start, end, 900):
            hour = datetime.fromtimestamp(quarter, UTC).astimezone(hub.zone).hour
            quarters.append((quarter, end, max(_HOUR_WEIGHTS[hour], 0.5) * min(900, end - quarter)))
    cumulative = list(accumulate(weight for _, _, weight in quarters))
    doors = len(hub.entrances)
    found = []
    for _ in range(count):
        start, closing, _ = quarters[bisect(cumulative, rng.random() * cumulative[-1])]
        in_s = start + rng.random() * min(900, closing - start)
        leaves_s = min(
            in_s + rng.lognormvariate(0.0, _DWELL_LOG_SD) * _DWELL_MEDIAN_S, closing + rng.random() * _LINGER_S
        )
        in_by = _door(doors, rng)
        found.append(Visit(int(in_s * NS_PER_S), int(leaves_s * NS_PER_S), in_by, _door(doors, rng)))
    found.sort(key=lambda visit: visit.in_ns)
    return found


def _door(doors: int, rng: random.Random) -> int:
    """Two out of three take the first entrance."""
    return 0 if doors == 1 or rng.random() < 2 / 3 else rng.randrange(1, doors)
