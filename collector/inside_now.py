"""One hub's people inside: its sensors' events and reports as the estimate of its occupancy takes them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from sys import intern

from collector.analysis.footfall import counting_sensors, split
from collector.answers import PeopleInside
from collector.occupancy import Move, Occupancy, Past
from collector.occupancy.state import MoveRun, Plain
from collector.run_counts import RunCounts
from collector.store.base import QUARTER_NS, Coverage, Quarter
from collector.unit_now import UnitNow
from firmware_cfg.doubt import doubt
from firmware_cfg.schema import Hub
from firmware_cfg.times import to_rfc3339
from firmware_cfg.wire import Counter, Health, Passage


class InsideNow:
    """Not thread-safe. `units` are shared with other hubs."""

    def __init__(self, hub: Hub, units: Mapping[str, UnitNow]) -> None:
        self._hub = hub
        self._units = units
        self._occupancy = Occupancy(hub)
        self._doors = {name: door for door, name in enumerate(self._occupancy.entrances)}
        self._door_of = {
            pair: self._doors[entrance] for entrance, pairs in counting_sensors(hub).items() for pair in pairs
        }

    def start_ns(self, now_ns: int) -> int:
        """From when on single events matter, at the start of a quarter of an hour; `now_ns` where none do."""
        start_ns = self._occupancy.start_ns(now_ns)
        return (now_ns if start_ns is None else start_ns) // QUARTER_NS * QUARTER_NS

    def take(self, epoch: str, events: Iterable[Passage | Counter]) -> bool:
        """True where one of them is news."""
        epoch = intern(epoch)  # else moves would keep the copy that came with each message
        occupancy, since_ns, news = self._occupancy, self._occupancy.since_ns, False
        for event in events:
            if event.role == "counting" and event.t_ns >= since_ns:
                door = self._doors.get(event.entrance or "")
                if door is not None and occupancy.take(_move(epoch, door, event)):
                    news = True
        return news

    def take_run(self, epoch: str, counts: RunCounts) -> bool:
        """The same of passages in columns."""
        run = counts.run
        door = self._doors.get(run.entrance or "")
        if run.role != "counting" or door is None or run.t_ns[-1] < self._occupancy.since_ns:
            return False
        return self._occupancy.take_run(MoveRun(intern(epoch), door, run.t_ns, run.seq, *counts.moves()))

    def report(self, report: Health) -> None:
        for name, sensor in report.sensors.items():
            door = self._door_of.get((report.unit, name))
            if door is not None and sensor.ok:
                since_ns = report.t_ns if sensor.ok_since_ns is None else sensor.ok_since_ns
                self._occupancy.watch(door, since_ns, report.t_ns)

    def watched(self, coverage: Iterable[Coverage]) -> None:
        """What the store knows of how long the counting sensors worked."""
        for door, quarter_ns, minutes in self._minutes(coverage):
            self._occupancy.seeded(door, quarter_ns, minutes)

    def study(self, quarters: Iterable[Quarter], coverage: Iterable[Coverage], end_ns: int) -> Past:
        """What is to be learned from all that was counted before `end_ns`, which is a `start_ns`. Changes nothing."""
        counts = []
        for quarter in sorted(quarters, key=lambda each: each.t_ns):
            door = self._doors.get(quarter.entrance or "")
            if door is not None:
                visits, exits = split(quarter.t_ns, quarter.count)
                at_ns = quarter.t_ns + QUARTER_NS - 1
                both = visits.variance + exits.variance
                counts.append(Move(at_ns, "", 0, door, visits.value, exits.value, both))
        return Occupancy.study(self._hub, counts, self._minutes(coverage), end_ns)

    def begin(self, past: Past) -> None:
        """Go on with what was studied."""
        self._occupancy.begin(past)

    def answer(self, now_ns: int) -> PeopleInside:
        found = self._occupancy.estimate(now_ns, self._broken(now_ns))
        return PeopleInside(
            value=found.value,
            low=found.low,
            high=found.high,
            completeness=found.completeness,
            reason=found.reason,
            empty=None if found.empty_ns is None else to_rfc3339(found.empty_ns),
            balances=found.balances,
        )

    def _minutes(self, coverage: Iterable[Coverage]) -> list[tuple[int, int, int]]:
        minutes: dict[tuple[int, int], int] = defaultdict(int)
        for cover in coverage:
            door = self._door_of.get((cover.unit, cover.sensor))
            if door is not None:
                minutes[door, cover.t_ns] += cover.minutes  # of several units, one after another
        return [(door, quarter_ns, each) for (door, quarter_ns), each in minutes.items()]

    def _broken(self, now_ns: int) -> dict[int, str]:
        """Doors at which nobody counts now, with the reason."""
        there = {(stay.id, sensor.name) for stay in self._hub.units if stay.holds(now_ns) for sensor in stay.sensors}
        reasons = dict.fromkeys(self._doors.values(), "no sensor counts there")
        for (unit, sensor), door in self._door_of.items():
            if (unit, sensor) in there:
                trouble = self._trouble(unit, sensor, now_ns)
                if trouble is None:
                    reasons.pop(door, None)
                else:
                    reasons[door] = trouble
        return reasons

    def _trouble(self, unit: str, sensor: str, now_ns: int) -> str | None:
        known = self._units[unit]
        if away := known.away(now_ns):
            return away
        if known.sensor_ok(sensor, now_ns) is False:
            return "its sensor reports a fault"
        return "its sensor is not available" if known.unavailable(sensor) else None


def _move(epoch: str, door: int, event: Passage | Counter) -> Plain:
    """Half of those whose direction is not known went each way, as far as anybody knows."""
    if event.kind == "counter":
        return (event.t_ns, epoch, event.seq, door, float(event.in_), float(event.out), 0.0)
    persons, direction = event.persons, event.direction
    moved = float(persons)
    if direction == "in":
        return (event.t_ns, epoch, event.seq, door, moved, 0.0, doubt(persons, event.confidence))
    if direction == "out":
        return (event.t_ns, epoch, event.seq, door, 0.0, moved, doubt(persons, event.confidence))
    return (event.t_ns, epoch, event.seq, door, moved / 2, moved / 2, moved)
