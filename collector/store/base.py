"""What every store can do. One contract suite, `tests/collector/test_store_contract.py`, holds for all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from firmware_cfg.errors import FoyerError
from firmware_cfg.wire import Event, Health, Kind

MINUTE_NS = 60 * 1_000_000_000
QUARTER_MINUTES = 15
QUARTER_NS = QUARTER_MINUTES * MINUTE_NS
SEQ_MAX = 2**53 - 1


class StoreUnavailable(FoyerError, ConnectionError):  # noqa: N818 - a state of the world, as ConnectionRefused is
    """Nothing was lost: keep what was to be written, wait, and try again."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """Events of one unit's outbox, in the order in which they came."""

    unit: str
    epoch: str
    events: Sequence[Event]


@dataclass(frozen=True, slots=True)
class Refused:
    """An event that the store will never take, and why."""

    unit: str
    epoch: str
    event: Event
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


class Store(ABC):
    """Raw events and health, kept for ever and never changed. Every method may be called from any thread.

    Methods raise StoreUnavailable where the store cannot be reached or has no room.
    """

    name: str
    """The address for people: no secrets in it."""

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
    def close(self) -> None:
        """Let go of files and connections; the store is not used afterwards."""
