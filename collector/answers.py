"""What the API answers. Times are RFC 3339, since nanoseconds do not fit a JavaScript number."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from firmware_cfg.schema import HubType

Bucket = Literal["15m", "1h", "1d", "1w"]


class Total(BaseModel):
    """A number of persons with its 95 % interval; None where nothing is known: a gap is not a zero.

    `completeness` is the share (0..1) of the stretch in which the counting sensors are known to have worked.
    """

    value: int | None
    low: int | None
    high: int | None
    completeness: Annotated[float, Field(ge=0, le=1)]


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


class UnitLive(BaseModel):
    """`online` None: nothing was heard of it yet."""

    id: str
    online: bool | None
    last_heard: str | None


class Live(BaseModel):
    """One hub now. `visits_today` counts persons entering (ISO 2789) since local midnight."""

    hub: str
    name: str
    as_of: str
    occupancy: Total
    visits_today: Total
    last_passages: list[LastPassage]
    units: list[UnitLive]


class FootfallBucket(BaseModel):
    """`start` inclusive, `end` exclusive, with the hub's local offset: a local day may have 23 or 25 hours."""

    start: str
    end: str
    visits: Total
    exits: Total


class Lineage(BaseModel):
    """How to get the same numbers again: the query, the store, and which raw events went in."""

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
