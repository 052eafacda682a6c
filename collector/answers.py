"""What the API answers. Times are RFC 3339, since nanoseconds do not fit a JavaScript number."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from firmware_cfg.schema import HubType

Bucket = Literal["15m", "1h", "1d", "1w"]


class Total(BaseModel):
    """A number of persons with its 95 % interval; None where nothing is known: a gap is not a zero.

    `completeness` is the share (0..1) of the stretch in which the counting sensors are known to have worked.
    Where corrections are applied `value` is net: `gross` is what the sensors counted (None: nothing watched),
    `correction` what was added to it, and `corrections` has the numbers of those that concern the stretch.
    """

    value: int | None
    low: int | None
    high: int | None
    completeness: Annotated[float, Field(ge=0, le=1)]
    gross: int | None = None
    correction: int = 0
    corrections: list[int] = []


class PeopleInside(Total):
    """People inside now. Where that is unknown, `reason` says why.

    `completeness` is the watched share of the time since `empty`, when nobody was inside last. `balances` is how many
    stretches between two such times taught how the doors miscount.
    """

    reason: str | None
    empty: str | None
    balances: int


class Place(BaseModel):
    id: str
    name: str


class HubSummary(BaseModel):
    id: str
    name: str
    type: HubType
    nearest_extra: str | None
    timezone: str
    hours: dict[str, list[str]]
    entrances: list[Place]
    rooms: list[Place]
    cabinet: bool
    units: list[str]


class LastPassage(BaseModel):
    t: str
    direction: Literal["in", "out", "unknown"]
    persons: int
    entrance: str | None
    sensor: str


class SensorLive(BaseModel):
    """A sensor of a unit's present place. `ok` None: unknown, since the unit is not heard of."""

    name: str
    kind: str
    entrance: str | None
    room: str | None
    ok: bool | None
    lost_edges: int | None


class FaultLive(BaseModel):
    """Something that is wrong now (`lasting`), or went wrong within the last hour.

    `sensor` is `unit` where it concerns the unit itself; `since` is the first and `last` the latest report of it.
    """

    sensor: str
    fault: str
    line: str | None
    detail: str
    lasting: bool
    since: str
    last: str
    count: int | None


class OutboxLive(BaseModel):
    """Events that wait to be delivered, the age of the oldest, and how many had to be given up.

    `trouble`: why the unit's disk takes none now, in one sentence; empty where it does.
    """

    depth: int
    oldest_age_s: float
    dropped: int
    trouble: str


class UnitLive(BaseModel):
    """`online` None: nothing was heard of it yet. What it reported of itself is as of `reported`.

    `missing` of its events have not come though they were asked for again, and `lost` never will, as the unit says.
    """

    id: str
    online: bool | None
    last_heard: str | None
    reported: str | None = None
    version: str | None = None
    clock: Literal["synced", "unsynced"] | None = None
    temperature_c: float | None = None
    outbox: OutboxLive | None = None
    missing: int = 0
    lost: int = 0
    sensors: list[SensorLive] = []
    faults: list[FaultLive] = []


class RoomLive(BaseModel):
    """`state` since `since`, by a reading of `as_of`. Unknown has a `reason`, and no probability where all is silent.

    A reading older than three of its sensor's heartbeats, of a sensor that does not work or of a unit that is offline
    says nothing any more.
    """

    id: str
    name: str
    state: Literal["occupied", "vacant", "unknown"]
    probability: float | None
    since: str | None
    as_of: str | None
    reason: str | None


class Expiry(BaseModel):
    """From the day `until` on it is to be replaced: in `days_left`, 0 or fewer where that day has come."""

    until: date
    days_left: int


class CabinetLive(BaseModel):
    """The defibrillator's cabinet by its reading of `as_of`; unknown where that is too old or its unit offline.

    Each of `reasons` begins with a part's name, or with `cabinet`. `was` is the level of that last reading, where it
    says nothing any more: who saw it critical must not forget it because it fell silent.
    """

    level: Literal["ok", "warning", "critical", "unknown"]
    was: Literal["ok", "warning", "critical", "unknown"] | None
    door: Literal["open", "closed", "unknown"]
    aed: Literal["present", "absent", "unknown"]
    mains: Literal["on", "off", "unknown"]
    temperature_c: float | None
    reasons: list[str]
    as_of: str | None
    pads: Expiry | None
    battery: Expiry | None


class SensorCount(BaseModel):
    """Whom one sensor saw today."""

    sensor: str
    kind: str
    visits: Total
    exits: Total


class Difference(BaseModel):
    """Persons that a reference sensor saw more (or fewer, below zero) than the counting one.

    Compared are the quarters of an hour which both watched equally long: `completeness` is their share of today.
    `percent` is both differences, whatever their signs, of all whom the counting sensor saw then; None: it saw nobody.
    """

    visits: int
    exits: int
    percent: float | None
    completeness: Annotated[float, Field(ge=0, le=1)]


class ReferenceCount(SensorCount):
    """`difference` None: unknown, as at no time today did both watch."""

    difference: Difference | None


class EntranceLive(BaseModel):
    id: str
    name: str
    counting: SensorCount
    references: list[ReferenceCount]


class Live(BaseModel):
    """One hub now. `visits_today` counts persons entering (ISO 2789) since local midnight, corrections applied.

    Sensors' own counts are as they were counted, and people inside are estimated from those.
    """

    hub: str
    name: str
    as_of: str
    occupancy: PeopleInside
    visits_today: Total
    last_passages: list[LastPassage]
    entrances: list[EntranceLive]
    rooms: list[RoomLive]
    cabinet: CabinetLive | None
    units: list[UnitLive]


class FootfallBucket(BaseModel):
    """`start` inclusive, `end` exclusive, with the hub's local offset: a local day may have 23 or 25 hours."""

    start: str
    end: str
    visits: Total
    exits: Total


class Lineage(BaseModel):
    """How to get the same numbers again: the query, the store, which raw events went in, and which corrections."""

    query: str
    store: str
    sensors: list[str]
    raw_events: int
    corrections: list[str] = []


class Footfall(BaseModel):
    hub: str
    start: str
    end: str
    bucket: Bucket
    timezone: str
    total: Total
    buckets: list[FootfallBucket]
    lineage: Lineage
