"""What every store can do. One contract suite, `tests/collector/test_store_contract.py`, holds for all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal

from collector.store.runs import passages
from firmware_cfg.errors import FoyerError
from firmware_cfg.wire import Event, Health, Kind, PassageRun

MINUTE_NS = 60 * 1_000_000_000
QUARTER_MINUTES = 15
QUARTER_NS = QUARTER_MINUTES * MINUTE_NS
SEQ_MAX = 2**53 - 1
ALL_HUBS = "*"
"""The `hub` of rollups that sum up every hub; no hub can be named so."""

Grain = Literal["hour", "day"]


class StoreUnavailable(FoyerError, ConnectionError):  # noqa: N818 - a state of the world, as ConnectionRefused is
    """Nothing was lost: keep what was to be written, wait, and try again."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """Events of one unit's outbox: `single` ones in the order in which they came, and passages in `runs`.

    What a run says of itself is right, and its `role` is given.
    """

    unit: str
    epoch: str
    single: Sequence[Event]
    runs: Sequence[PassageRun] = ()

    @property
    def count(self) -> int:
        """How many events there are in all."""
        return len(self.single) + (sum(len(run.seq) for run in self.runs) if self.runs else 0)

    @property
    def events(self) -> list[Event]:
        """All of them singly, those of runs last. Takes time: they are made at each call."""
        return [*self.single, *(event for run in self.runs for event in passages(run))]


@dataclass(frozen=True, slots=True)
class Refused:
    """An event or health report that the store will never take, and why."""

    unit: str
    epoch: str
    event: Event | Health
    reason: str


@dataclass(frozen=True, slots=True)
class Stored:
    """An event read back, with the rest of its identity."""

    unit: str
    epoch: str
    event: Event


@dataclass(slots=True)
class Count:
    """Persons by direction. `variance` sums persons² x c x (1 - c) over passages of confidence c.

    `events` is how many raw events went in.
    """

    in_: int = 0
    out: int = 0
    unknown: int = 0
    variance_in: float = 0.0
    variance_out: float = 0.0
    events: int = 0


@dataclass(frozen=True, slots=True)
class Quarter:
    """Whom one counting sensor saw in the 15 minutes from `t_ns`."""

    t_ns: int
    unit: str
    sensor: str
    entrance: str | None
    count: Count


@dataclass(frozen=True, slots=True)
class Coverage:
    """In how many minutes of the 15 from `t_ns` the sensor is known to have worked, or the unit, as sensor `unit`.

    Those in which it was reported to work, and those from `ok_since_ns` of such a report until that report.
    """

    t_ns: int
    unit: str
    sensor: str
    minutes: int


@dataclass(frozen=True, slots=True)
class Rollup:
    """Whom a hub's counting sensors saw in the local hour or day that begins at `t_ns`.

    `visits`, `exits` in persons, with the variance of their errors in persons²; `minutes` in which the entrances were
    watched, summed over entrances (0: a gap, nothing is known); `events`: how many raw events went in.
    """

    hub: str
    t_ns: int
    visits: int
    exits: int
    variance_visits: float
    variance_exits: float
    minutes: int
    events: int


@dataclass(frozen=True, slots=True)
class Touched:
    """The quarters of an hour, by hub, that writes touched since they were last settled. `token` is the store's own.

    `complete` False: there are more, which come when these are settled.
    """

    quarters: Mapping[str, AbstractSet[int]]
    token: object
    complete: bool = True


@dataclass(frozen=True, slots=True)
class HealthRow:
    """What a unit said of itself (`sensor` is `unit`) or of a sensor: `values` are those of HEALTH_COLUMNS."""

    hub: str
    unit: str
    sensor: str
    t_ns: int
    values: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """How many rows a store holds of an outbox, and how many different sequence numbers they have: equal, if right."""

    rows: int
    distinct: int


def minutes_between(since_ns: int, until_ns: int) -> Iterator[tuple[int, int]]:
    """The minutes that `since_ns`..`until_ns` touches, newest first: start of the quarter, a bit for each minute in it.

    Nothing where `since_ns` is later than `until_ns`.
    """
    first, last = since_ns // MINUTE_NS, until_ns // MINUTE_NS
    quarter = last // QUARTER_MINUTES * QUARTER_MINUTES
    while last >= first:
        low = max(first, quarter) - quarter
        yield quarter * MINUTE_NS, (2 << (last - quarter)) - (1 << low)
        last, quarter = quarter - 1, quarter - QUARTER_MINUTES


def steps_of(times_ns: Sequence[int], step_ns: int) -> set[int]:
    """In which steps, such as minutes, these times lie, which are in order: numbers counted from 1970."""
    first, last = times_ns[0] // step_ns, times_ns[-1] // step_ns
    return {first} if first == last else {t_ns // step_ns for t_ns in times_ns}


class Store(ABC):
    """Raw events and health, kept for ever and never changed. Every method may be called from any thread.

    Methods raise StoreUnavailable where the store cannot be reached or has no room.
    """

    name: str
    """The address for people: no secrets in it."""
    batch_events: int = 5_000
    """More in one write is no quicker, and only takes memory."""

    @abstractmethod
    def write(self, parcels: Sequence[Parcel], reports: Sequence[Health] = ()) -> list[Refused]:
        """Durable on return, but for what it returns. Writing the same again changes nothing."""

    @abstractmethod
    def ping(self) -> None:
        """Return where the store would take a write now."""

    @abstractmethod
    def counts_15m(self, hub: str, start_ns: int, end_ns: int) -> list[Quarter]:
        """Persons per quarter of an hour (UTC) and counting sensor, from `start_ns` until before `end_ns`.

        Both ends are multiples of 15 minutes. Quarters without an event are left out. `reference` sensors are not in.
        """

    @abstractmethod
    def coverage_15m(self, hub: str, start_ns: int, end_ns: int) -> list[Coverage]:
        """Watched minutes per quarter, unit and sensor; quarters without any are left out."""

    @abstractmethod
    def events(
        self,
        kind: Kind,
        hub: str,
        start_ns: int,
        end_ns: int,
        *,
        limit: int,
        newest_first: bool = False,
    ) -> list[Stored]:
        """Events of a kind, ordered by time, from `start_ns` until before `end_ns`."""

    @abstractmethod
    def tally(self, unit: str, epoch: str, first: int = 1, last: int = SEQ_MAX) -> dict[Kind, Tally]:
        """What is held of an outbox's sequence numbers `first`..`last`, per kind; kinds without a row are left out."""

    @abstractmethod
    def touched(self) -> Touched:
        """What is to be rolled up: empty where nothing is, or where another collector does it.

        Every write that `write` returned from before is in it until it is settled.
        """

    @abstractmethod
    def recount_15m(self, hub: str, start_ns: int, end_ns: int) -> list[Quarter]:
        """Count the raw events of that stretch (whole quarters) anew, keep the sums as rollups, and return them all."""

    @abstractmethod
    def rolled_15m(self, hub: str, start_ns: int, end_ns: int) -> list[Quarter]:
        """As `counts_15m`, but what the last recount kept."""

    @abstractmethod
    def keep(self, grain: Grain, rollups: Sequence[Rollup]) -> None:
        """Put these in place of those of the same hub and time. Durable on return."""

    @abstractmethod
    def rollups(self, grain: Grain, start_ns: int, end_ns: int, hub: str | None = None) -> list[Rollup]:
        """Of one hub, or of each but ALL_HUBS, by hub and time, from `start_ns` until before `end_ns`."""

    @abstractmethod
    def settle(self, touched: Touched) -> None:
        """All of it is rolled up; what was touched again since then stays to be done."""

    @abstractmethod
    def touch_all(self) -> None:
        """Have everything rolled up anew."""

    @abstractmethod
    def scan(self, kind: Kind) -> Iterator[list[Stored]]:
        """Every event of a kind, of all hubs, in pieces of some thousand and in no order that means anything."""

    @abstractmethod
    def scan_health(self) -> Iterator[list[HealthRow]]:
        """Every row of every health report, likewise."""

    @abstractmethod
    def health(self, unit: str, start_ns: int, end_ns: int) -> list[HealthRow]:
        """What a unit reported, by time, from `start_ns` until before `end_ns`."""

    @abstractmethod
    def put_health(self, rows: Sequence[HealthRow]) -> None:
        """Rows that `scan_health` of another store gave. Durable on return; putting them again changes nothing."""

    @abstractmethod
    def close(self) -> None:
        """Let go of files and connections; the store is not used afterwards."""
