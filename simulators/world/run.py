"""One world: built from a seed, broken, healed, judged."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from edge.eventfile import OutboxSettings
from firmware_cfg.load import EXAMPLE_FLEET, Fleet, load_fleet
from firmware_cfg.times import NS_PER_S
from firmware_cfg.wire import T_NS_MAX
from simulators.world.faults import FAULTS, Parts
from simulators.world.hosts import CollectorHost, Unbounded, UnitHost
from simulators.world.network import Broker
from simulators.world.parts import Disk, WorldLedger, WorldStore
from simulators.world.timeline import Stuck, Timeline

UNITS = ("strood-front", "armley-front")
PEOPLE = (5, 40)
HEAL_NS = 4 * 3600 * NS_PER_S
FAULTS_MAX = 5
MEMORY = Path("/dev/shm")  # noqa: S108 - a private folder is made in it


@dataclass(slots=True)
class Verdict:
    """What came of a world. `published`: events that units committed; `wrong`: what must never be, in sentences.

    `in_runs`: events that came to the store in columns, resends among them.
    """

    seed: int
    faults: tuple[str, ...] = ()
    published: int = 0
    stored: int = 0
    lost: int = 0
    twice: int = 0
    refused: int = 0
    in_runs: int = 0
    wrong: list[str] = field(default_factory=list)
    digest: str = ""

    @property
    def bad(self) -> bool:
        return bool(self.lost or self.twice or self.wrong)


def small_fleet() -> Fleet:
    """Two of the example's hubs, each with one unit that has one pair of beams."""
    fleet = load_fleet(EXAMPLE_FLEET)
    hubs = {}
    for unit in UNITS:
        hub, stay = fleet.stays(unit)[0]
        beams = [sensor for sensor in stay.sensors if sensor.name == "front-beams"]
        hubs[hub.id] = hub.model_copy(update={"units": [stay.model_copy(update={"sensors": beams})]})
    return Fleet(hubs)


def run(seed: int, fleet: Fleet, *, people: tuple[int, int] = PEOPLE, store: type[WorldStore] = WorldStore) -> Verdict:
    """The same seed, the same world: `digest` says whether two were. Nothing outlives it."""
    folder = Path(tempfile.mkdtemp(prefix="foyer-world-", dir=MEMORY if MEMORY.is_dir() else None))
    before = logging.root.manager.disable
    logging.disable()  # worlds are full of trouble
    try:
        return _World(seed, fleet, folder, people, store).run()
    finally:
        logging.disable(before)
        shutil.rmtree(folder, ignore_errors=True)


@cache
def _fleet() -> Fleet:
    return small_fleet()


def one(job: tuple[int, int]) -> Verdict:
    """A world of its seed with at most so many people a unit; for pools of processes."""
    seed, people = job
    return run(seed, _fleet(), people=(min(PEOPLE[0], people), people))


class _World:
    def __init__(self, seed: int, fleet: Fleet, folder: Path, people: tuple[int, int], store: type[WorldStore]) -> None:
        self.fleet = fleet
        self.timeline = timeline = Timeline(seed)
        chance = timeline.chance
        broker = Broker(timeline, receive_max=chance.choice((1, 5, 100, 1000)))
        units = [
            UnitHost(fleet, unit, timeline, Disk(folder / unit), broker, OutboxSettings())
            for unit in UNITS[: chance.randint(1, len(UNITS))]
        ]
        self.parts = Parts(
            timeline, broker, units, CollectorHost(fleet, timeline, Disk(folder / "collector"), broker, store)
        )
        self.verdict = Verdict(seed)
        self.lasts_ns = timeline.between(20, 120)
        for unit in units:
            count = chance.randint(*people)
            moments = sorted(chance.randint(0, self.lasts_ns) for _ in range(count))
            unit.people_come([timeline.now_ns + moment for moment in moments])

    def run(self) -> Verdict:
        parts, timeline = self.parts, self.timeline
        try:
            self._live()
            parts.heal()
            timeline.run(self._settled, HEAL_NS)
        except (Stuck, Unbounded) as error:
            self.verdict.wrong.append(str(error))
        except Exception as error:  # noqa: BLE001 - a process of this world fell over a bug; that is what we look for
            self.verdict.wrong.append(f"{type(error).__name__}: {error}")
            return self.verdict
        self._judge()
        self.verdict.digest = timeline.digest
        return self.verdict

    def _live(self) -> None:
        """People come and faults happen, some one after the other, some at once."""
        parts, timeline = self.parts, self.timeline
        hosts = [*parts.units, parts.collector]
        for host in timeline.chance.sample(hosts, len(hosts)):
            host.start()
        end_ns = timeline.now_ns + self.lasts_ns
        chosen = timeline.chance.choices(list(FAULTS), k=timeline.chance.randint(0, FAULTS_MAX))
        self.verdict.faults = tuple(sorted(set(chosen)))
        for name in chosen:
            begin = FAULTS[name]
            timeline.after(timeline.between(0, self.lasts_ns / NS_PER_S), lambda begin=begin: begin(parts))  # type: ignore[misc]  # mypy does not see a lambda's default
        timeline.pass_until(end_ns)
        last_ns = max(t_ns for unit in parts.units for t_ns in unit.times_ns)
        timeline.pass_until(last_ns)

    def _settled(self) -> bool:
        parts = self.parts
        return parts.broker.idle and parts.collector.settled and all(unit.settled for unit in parts.units)

    def _judge(self) -> None:
        store, ledger = self.parts.collector.open_at_the_end()
        self.verdict.in_runs = self.parts.collector.in_runs
        try:
            for unit in self.parts.units:
                self._judge_people(unit, store, ledger)
                self._judge_events(unit, store, ledger)
        finally:
            store.close()
            ledger.close()

    def _judge_people(self, unit: UnitHost, store: WorldStore, ledger: WorldLedger) -> None:
        """Everybody who came is stored once, or was refused with a reason."""
        hub = self.fleet.stays(unit.name)[0][0].id
        stored = Counter(
            int(one.event.length_m)
            for one in store.events("passage", hub, 0, T_NS_MAX, limit=100_000)
            if one.event.kind == "passage" and one.event.length_m is not None
        )
        refused = {
            int(json.loads(kept.letter.payload)["length_m"])
            for kept in ledger.dead_letters(100_000)
            if kept.letter.unit == unit.name and b'"length_m"' in kept.letter.payload
        }
        came = range(len(unit.times_ns))
        lost = [number for number in came if number not in stored and number not in refused]
        self.verdict.lost += len(lost)
        self.verdict.twice += sum(count - 1 for count in stored.values())
        if lost:
            self.verdict.wrong.append(f"{unit.name}: lost are people {lost}")
        if double := [number for number, count in stored.items() if count > 1]:
            self.verdict.wrong.append(f"{unit.name}: stored twice are people {double}")
        if strangers := [number for number in stored if number not in came]:
            self.verdict.wrong.append(f"{unit.name}: nobody has seen {strangers}")

    def _judge_events(self, unit: UnitHost, store: WorldStore, ledger: WorldLedger) -> None:
        """Every number that the outbox gave is stored once, or refused; the store has no other."""
        epoch, highest = unit.committed()
        tallies = store.tally(unit.name, epoch)
        stored = sum(tally.distinct for tally in tallies.values())
        rows = sum(tally.rows for tally in tallies.values())
        refused = {
            seq
            for kept in ledger.dead_letters(100_000)
            if kept.letter.epoch == epoch
            for seq in kept.letter.seqs
            if not any(store.tally(unit.name, epoch, seq, seq))
        }
        self.verdict.published += highest
        self.verdict.stored += stored
        self.verdict.refused += len(refused)
        if rows != stored:
            self.verdict.twice += rows - stored
            self.verdict.wrong.append(f"{unit.name}: {rows} rows are {stored} events")
        if stored + len(refused) != highest:
            self.verdict.lost += max(0, highest - stored - len(refused))
            self.verdict.wrong.append(
                f"{unit.name}: {highest} events committed, {stored} stored, {len(refused)} refused"
            )
        strangers = sum(
            sum(tally.rows for tally in store.tally(unit.name, other).values())
            for of, other in ledger.outboxes.known()
            if of == unit.name and other != epoch
        )
        if strangers:
            self.verdict.wrong.append(f"{unit.name}: {strangers} events of another outbox")
