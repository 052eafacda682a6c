"""Whom a hub's sensors saw since local midnight: visits, and how far reference sensors differ."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from collector.analysis.amend import Amended
from collector.analysis.footfall import Sum, split, unknown_total
from collector.answers import Difference, EntranceLive, ReferenceCount, SensorCount, Total
from collector.ranges import RangeSet
from collector.run_counts import RunCounts
from collector.store.base import MINUTE_NS, QUARTER_MINUTES, QUARTER_NS, Count, Coverage, minutes_between, steps_of
from firmware_cfg.doubt import doubt
from firmware_cfg.schema import Hub, Sensor
from firmware_cfg.wire import Counter, Health, Passage, Role

ALIKE_MINUTES = 2
"""Two sensors watched a quarter of an hour alike where their minutes differ by no more: reports come each minute."""


_Counted = Passage | Counter


@dataclass(slots=True)
class Watch:
    """One sensor at one entrance, by quarter of an hour."""

    counts: dict[int, Count] = field(default_factory=lambda: defaultdict(Count))
    seeded: dict[int, int] = field(default_factory=dict)  # watched minutes, as the store has them
    minutes: dict[int, int] = field(default_factory=lambda: defaultdict(int))  # those heard of since, a bit each

    def quarters(self) -> set[int]:
        return self.seeded.keys() | self.minutes.keys()

    def watched(self, quarter_ns: int) -> int:
        bits = self.minutes.get(quarter_ns, 0)
        return min(QUARTER_MINUTES, self.seeded.get(quarter_ns, 0) + bits.bit_count())

    def sums(self, quarters: Iterable[int]) -> tuple[Sum, Sum]:
        """Visits and exits."""
        visits, exits = Sum(), Sum()
        for quarter_ns in quarters:
            if quarter_ns in self.counts:
                quarter_visits, quarter_exits = split(quarter_ns, self.counts[quarter_ns])
                visits.add(quarter_visits)
                exits.add(quarter_exits)
        return visits, exits


@dataclass(slots=True)
class Today:
    """Counts of one local day, each event once. Not thread-safe."""

    hub: Hub
    start_ns: int = 0
    end_ns: int = 0
    seen: dict[tuple[str, str], RangeSet] = field(default_factory=lambda: defaultdict(RangeSet))
    watches: dict[tuple[Role, str, str], Watch] = field(default_factory=lambda: defaultdict(Watch))  # entrance, sensor

    def holds(self, t_ns: int) -> bool:
        return self.start_ns <= t_ns < self.end_ns

    def take(self, unit: str, epoch: str, events: Iterable[_Counted]) -> list[_Counted]:
        """Those that are news: neither of another day nor counted before."""
        news = [event for event in events if self.start_ns <= event.t_ns < self.end_ns]
        if not news:
            return news
        add = self.seen[unit, epoch].add
        news = [event for event in news if add(event.seq)]
        where = None
        count = Count()
        for event in news:
            here = (event.role, event.entrance, event.sensor, event.t_ns // MINUTE_NS)
            if here != where:
                where = here
                quarter_ns = event.t_ns - event.t_ns % QUARTER_NS
                watch = self.watches[event.role, event.entrance or "", event.sensor]
                watch.minutes[quarter_ns] |= 1 << (event.t_ns - quarter_ns) // MINUTE_NS
                count = watch.counts[quarter_ns]
            _count(event, count)
        return news

    def take_run(self, unit: str, epoch: str, counts: RunCounts) -> bool | None:
        """Whether passages in columns are news; None, and nothing is counted, where some may be and others not."""
        run, times = counts.run, counts.run.t_ns
        if times[-1] < self.start_ns or times[0] >= self.end_ns:
            return False
        if not (self.holds(times[0]) and self.holds(times[-1])) or not self.seen[unit, epoch].add_new(
            run.seq[0], run.seq[-1]
        ):
            return None
        watch = self.watches[run.role, run.entrance or "", run.sensor]
        for minute in steps_of(times, MINUTE_NS):
            watch.minutes[minute // QUARTER_MINUTES * QUARTER_NS] |= 1 << minute % QUARTER_MINUTES
        for quarter in steps_of(times, QUARTER_NS):
            first, end = (bisect_left(times, number * QUARTER_NS) for number in (quarter, quarter + 1))
            counts.add_to(watch.counts[quarter * QUARTER_NS], slice(first, end))
        return True

    def report(self, entrance: str, sensor: str, report: Health) -> None:
        """The sensor works: since when it says so, else at the time of the report."""
        since_ns = report.sensors[sensor].ok_since_ns
        watch = self.watches[self.hub.role(entrance, sensor), entrance, sensor]
        from_ns = report.t_ns if since_ns is None else max(since_ns, self.start_ns)
        for quarter_ns, bits in minutes_between(from_ns, report.t_ns):
            watch.minutes[quarter_ns] |= bits

    def seed(self, entrance: str, covers: Iterable[Coverage]) -> None:
        """What the store knows of one entrance's sensors, in place of what was known of the same quarters."""
        fresh: dict[tuple[str, int], int] = defaultdict(int)
        for cover in covers:
            fresh[cover.sensor, cover.t_ns] += cover.minutes  # of several units, one after another
        for (sensor, quarter_ns), minutes in fresh.items():
            watch = self.watches[self.hub.role(entrance, sensor), entrance, sensor]
            watch.seeded[quarter_ns] = minutes
            watch.minutes.pop(quarter_ns, None)

    # Answers

    def visits(self, now_ns: int, amended: Amended | None = None) -> Total:
        """`amended`: what corrections make of this day."""
        counting = [(entrance, watch) for (role, entrance, _), watch in self.watches.items() if role == "counting"]
        watched: dict[tuple[str, int], int] = defaultdict(int)
        for entrance, watch in counting:
            for quarter_ns in watch.quarters():
                watched[entrance, quarter_ns] += watch.watched(quarter_ns)
        minutes = sum(min(QUARTER_MINUTES, each) for each in watched.values())
        visits = Sum()
        for _, watch in counting:
            visits.add(watch.sums(watch.counts)[0])
        share = self._share(minutes, now_ns, max(1, len(self.hub.entrances)))
        gross = visits.total(share) if minutes else unknown_total()
        if amended is None or (amended.start_ns, amended.end_ns) != (self.start_ns, self.end_ns):
            return gross.model_copy(update={"gross": gross.value})
        found = amended(self.start_ns, self.end_ns, watched=minutes > 0)
        return found.visits.total(gross, visits, found.corrections)

    def entrances(self, now_ns: int) -> list[EntranceLive]:
        """Each entrance's counting sensor, and the reference sensors that are there now beside it."""
        answers = []
        for entrance in self.hub.entrances:
            there = {
                sensor.name: sensor for sensor in present_sensors(self.hub, now_ns) if sensor.entrance == entrance.id
            }
            watch = self.watches.get(("counting", entrance.id, entrance.counting), Watch())
            references = []
            for name, sensor in there.items():
                if name != entrance.counting:
                    other = self.watches.get(("reference", entrance.id, name), Watch())
                    visits, exits = self._seen(other, now_ns)
                    difference = self._difference(watch, other, now_ns)
                    references.append(
                        ReferenceCount(sensor=name, kind=sensor.kind, visits=visits, exits=exits, difference=difference)
                    )
            visits, exits = self._seen(watch, now_ns)
            kind = there[entrance.counting].kind if entrance.counting in there else ""
            counting = SensorCount(sensor=entrance.counting, kind=kind, visits=visits, exits=exits)
            answers.append(EntranceLive(id=entrance.id, name=entrance.name, counting=counting, references=references))
        return answers

    def _seen(self, watch: Watch, now_ns: int) -> tuple[Total, Total]:
        minutes = sum(watch.watched(quarter_ns) for quarter_ns in watch.quarters())
        if not minutes:
            return unknown_total(), unknown_total()
        visits, exits = watch.sums(watch.counts)
        share = self._share(minutes, now_ns)
        return visits.total(share), exits.total(share)

    def _difference(self, counting: Watch, reference: Watch, now_ns: int) -> Difference | None:
        alike = [
            quarter_ns
            for quarter_ns in counting.quarters() & reference.quarters()
            if abs(counting.watched(quarter_ns) - reference.watched(quarter_ns)) <= ALIKE_MINUTES
        ]
        if not alike:
            return None
        visits, exits = counting.sums(alike)
        other_visits, other_exits = reference.sums(alike)
        apart = abs(other_visits.value - visits.value) + abs(other_exits.value - exits.value)
        persons = visits.value + exits.value
        return Difference(
            visits=other_visits.value - visits.value,
            exits=other_exits.value - exits.value,
            percent=round(100 * apart / persons, 1) if persons else None,
            completeness=self._share(sum(reference.watched(quarter_ns) for quarter_ns in alike), now_ns),
        )

    def _share(self, minutes: int, now_ns: int, entrances: int = 1) -> float:
        return min(1.0, round(minutes / (max(1.0, (now_ns - self.start_ns) / MINUTE_NS) * entrances), 4))


def present_sensors(hub: Hub, now_ns: int) -> Iterator[Sensor]:
    """Every sensor of the units that are there now."""
    return (sensor for stay in hub.units if stay.holds(now_ns) for sensor in stay.sensors)


def _count(event: Passage | Counter, count: Count) -> None:
    if event.kind == "counter":
        count.in_ += event.in_
        count.out += event.out
        return
    persons = event.persons
    variance = doubt(persons, event.confidence)
    if event.direction == "in":
        count.in_ += persons
        count.variance_in += variance
    elif event.direction == "out":
        count.out += persons
        count.variance_out += variance
    else:
        count.unknown += persons
