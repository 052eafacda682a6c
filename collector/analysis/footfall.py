"""Visits and exits per stretch of local time, with how sure they are and how much of the time was watched."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from collector.analysis.amend import Amended
from collector.analysis.buckets import edges, local_rfc3339
from collector.analysis.counts import Sum, split, unknown_total
from collector.answers import Bucket, Footfall, FootfallBucket, Lineage, Total
from collector.corrections import Version
from collector.store.base import MINUTE_NS, QUARTER_MINUTES, Coverage, Quarter, Store
from firmware_cfg.load import Fleet
from firmware_cfg.schema import Hub

__all__ = ["BUCKETS_MAX", "Sum", "counting_sensors", "footfall", "split", "unknown_total"]

BUCKETS_MAX = 10_000


def counting_sensors(hub: Hub) -> dict[str, set[tuple[str, str]]]:
    """For each entrance the (unit, sensor) pairs that were ever to count there."""
    return {
        entrance.id: {
            (stay.id, sensor.name)
            for stay in hub.units
            for sensor in stay.sensors
            if sensor.entrance == entrance.id and sensor.name == entrance.counting
        }
        for entrance in hub.entrances
    }


@dataclass(slots=True)
class Stretch:
    """Some stretch of time at one hub. `minutes`: watched, summed over entrances; 0 where nothing is known."""

    visits: Sum = field(default_factory=Sum)
    exits: Sum = field(default_factory=Sum)
    minutes: int = 0
    events: int = 0

    def answer(self, minutes: float, entrances: int) -> tuple[Total, Total]:
        if not self.minutes:
            return unknown_total(), unknown_total()
        completeness = min(1.0, round(self.minutes / (minutes * entrances), 4)) if minutes and entrances else 0.0
        return self.visits.total(completeness), self.exits.total(completeness)


def footfall(
    store: Store,
    fleet: Fleet,
    hub: str,
    start_ns: int,
    end_ns: int,
    bucket: Bucket,
    *,
    now_ns: int,
    active: Sequence[Version] = (),
) -> Footfall:
    """Answer for the whole buckets that touch `start_ns`..`end_ns`. ValueError: more than `BUCKETS_MAX` of them.

    `active`: the hub's corrections that hold.
    """
    place = fleet.hubs[hub]
    bounds = edges(start_ns, end_ns, bucket, place.zone, BUCKETS_MAX)
    quarters = store.counts_15m(hub, bounds[0], bounds[-1])
    coverage = store.coverage_15m(hub, bounds[0], bounds[-1])
    filled = stretches(bounds, place, quarters, coverage)
    amended = Amended(store, hub, active, bounds[0], bounds[-1])
    watched_by = {(quarter.unit, quarter.sensor) for quarter in quarters}
    zone = place.zone
    buckets = []
    for (start, end), stretch in zip(pairwise(bounds), filled, strict=True):
        gross = stretch.answer(_minutes(start, min(end, now_ns)), len(place.entrances))
        visits, exits = amended(start, end, watched=stretch.minutes > 0).totals(gross, stretch.visits, stretch.exits)
        buckets.append(
            FootfallBucket(start=local_rfc3339(start, zone), end=local_rfc3339(end, zone), visits=visits, exits=exits)
        )
    whole = sum_of(filled)
    gross = whole.answer(_minutes(bounds[0], min(bounds[-1], now_ns)), len(place.entrances))
    all_of_it = amended(bounds[0], bounds[-1], watched=whole.minutes > 0)
    total, _exits = all_of_it.totals(gross, whole.visits, whole.exits)
    first, last = local_rfc3339(bounds[0], zone), local_rfc3339(bounds[-1], zone)
    return Footfall(
        hub=hub,
        start=first,
        end=last,
        bucket=bucket,
        timezone=place.timezone,
        total=total,
        buckets=buckets,
        lineage=Lineage(
            query=f"/api/v1/footfall?hub={hub}&start={_query(first)}&end={_query(last)}&bucket={bucket}",
            store=store.name,
            sensors=sorted(f"{unit}/{sensor}" for unit, sensor in watched_by),
            raw_events=sum(quarter.count.events for quarter in quarters),
            corrections=[str(version) for version in amended.active],
        ),
    )


def _query(time: str) -> str:
    return time.replace("+", "%2B")


def _minutes(start_ns: int, end_ns: int) -> float:
    return max(0, end_ns - start_ns) / MINUTE_NS


def stretches(
    bounds: Sequence[int], hub: Hub, quarters: Iterable[Quarter], coverage: Iterable[Coverage]
) -> list[Stretch]:
    """What is known of the stretches that `bounds` divide; all quarters lie within."""
    filled = [Stretch() for _ in range(len(bounds) - 1)]
    watched: dict[tuple[int, str], int] = defaultdict(int)  # (quarter, entrance) -> minutes
    entrance_of = {pair: entrance for entrance, pairs in counting_sensors(hub).items() for pair in pairs}
    for quarter in quarters:
        stretch = filled[bisect_right(bounds, quarter.t_ns) - 1]
        stretch.events += quarter.count.events
        visits, exits = split(quarter.t_ns, quarter.count)
        stretch.visits.add(visits)
        stretch.exits.add(exits)
        key = (quarter.t_ns, quarter.entrance or "")
        watched[key] = max(watched[key], 1)  # a count is evidence, if only of its minute
    for cover in coverage:
        entrance = entrance_of.get((cover.unit, cover.sensor))
        if entrance is not None:
            watched[cover.t_ns, entrance] = max(watched[cover.t_ns, entrance], cover.minutes)
    for (t_ns, _entrance), minutes in watched.items():
        stretch = filled[bisect_right(bounds, t_ns) - 1]
        stretch.minutes += min(minutes, QUARTER_MINUTES)
    return filled


def sum_of(parts: Iterable[Stretch]) -> Stretch:
    """All of them together."""
    whole = Stretch()
    for stretch in parts:
        whole.visits.add(stretch.visits)
        whole.exits.add(stretch.exits)
        whole.minutes += stretch.minutes
        whole.events += stretch.events
    return whole
