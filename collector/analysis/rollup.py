"""Sums per quarter of an hour, local hour and local day, made anew from raw events wherever a write touched them.

Never is anything added to a sum: a day in which anything changed is counted again as a whole, so that late events,
resends and crashes in between cannot make it wrong.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta
from itertools import pairwise

from collector.analysis.buckets import edges, local_date, midnight_ns
from collector.analysis.footfall import Stretch, stretches, sum_of
from collector.store.base import ALL_HUBS, Grain, Rollup, Store, Touched
from firmware_cfg.load import Fleet
from firmware_cfg.schema import Hub

DAYS_AT_ONCE = 31
_HOURS_MAX = 25 * DAYS_AT_ONCE
_GRAINS: tuple[Grain, ...] = ("hour", "day")

Window = tuple[int, int]
"""From the first moment of a local day until before that of another."""


def roll_up(store: Store, fleet: Fleet, *, until: Callable[[], bool] = lambda: False) -> int:
    """Roll up what the store says was touched; how many quarters of an hour that was. Raises StoreUnavailable.

    After a failure or a crash at any point, or an end because `until` was true, the same is to be done again, and
    nothing else.
    """
    quarters = 0
    while True:
        touched = store.touched()
        if not touched.quarters or not _roll_up(store, fleet, touched, until):
            return quarters
        quarters += sum(map(len, touched.quarters.values()))
        if touched.complete:
            return quarters


def _roll_up(store: Store, fleet: Fleet, touched: Touched, until: Callable[[], bool]) -> bool:
    """Whether it came to its end."""
    windows: set[Window] = set()
    for name in sorted(touched.quarters):
        if name in fleet.hubs:
            for window in day_windows(touched.quarters[name], fleet.hubs[name]):
                if until():
                    return False
                _roll_up_hub(store, fleet.hubs[name], window)
                windows.add(window)
    for window in sorted(windows):
        for grain in _GRAINS:
            store.keep(grain, list(_of_all_hubs(store.rollups(grain, *window))))
    store.settle(touched)
    return True


def day_windows(quarters: AbstractSet[int], hub: Hub) -> Iterator[Window]:
    """The local days that hold these quarters; neighbours together, at most `DAYS_AT_ONCE` of them."""
    days = sorted({local_date(t_ns, hub.zone) for t_ns in quarters})
    first = 0
    for index, day in enumerate(days):
        is_last = index + 1 == len(days) or days[index + 1] != day + timedelta(days=1)
        if is_last or index + 1 - first == DAYS_AT_ONCE:
            yield midnight_ns(days[first], hub.zone), midnight_ns(day + timedelta(days=1), hub.zone)
            first = index + 1


def _roll_up_hub(store: Store, hub: Hub, window: Window) -> None:
    hours = edges(*window, "1h", hub.zone, _HOURS_MAX)
    days = edges(*window, "1d", hub.zone, DAYS_AT_ONCE)
    found = stretches(hours, hub, store.recount_15m(hub.id, *window), store.coverage_15m(hub.id, *window))
    store.keep("hour", [_rollup(hub.id, t_ns, stretch) for t_ns, stretch in zip(hours[:-1], found, strict=True)])
    at = {t_ns: index for index, t_ns in enumerate(hours)}
    store.keep("day", [_rollup(hub.id, day, sum_of(found[at[day] : at[end]])) for day, end in pairwise(days)])


def _rollup(hub: str, t_ns: int, stretch: Stretch) -> Rollup:
    visits, exits = stretch.visits, stretch.exits
    return Rollup(
        hub, t_ns, visits.value, exits.value, visits.variance, exits.variance, stretch.minutes, stretch.events
    )


def _of_all_hubs(rollups: Iterable[Rollup]) -> Iterator[Rollup]:
    by_time: dict[int, list[Rollup]] = defaultdict(list)
    for rollup in rollups:
        by_time[rollup.t_ns].append(rollup)
    for t_ns, found in sorted(by_time.items()):
        yield together(ALL_HUBS, t_ns, found)


def together(hub: str, t_ns: int, rollups: Sequence[Rollup]) -> Rollup:
    """Their sum, under that name and time."""
    return Rollup(
        hub,
        t_ns,
        sum(found.visits for found in rollups),
        sum(found.exits for found in rollups),
        sum(found.variance_visits for found in rollups),
        sum(found.variance_exits for found in rollups),
        sum(found.minutes for found in rollups),
        sum(found.events for found in rollups),
    )
