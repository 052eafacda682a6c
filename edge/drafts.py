"""What passes between the unit's rooms: readings from sensors, drafts of events on their way to the outbox."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from firmware_cfg.wire import UNIT_ITSELF, Kind


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment on one boot's monotonic clock. What UTC it was may become known only later."""

    boot: str
    mono_ns: int


When = Mark | int
"""A moment: a `Mark`, or UTC in ns where that is known for certain, as in a recording."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a sensor saw: `fields` are those of the event `kind` without time and place.

    `persons_in` and `persons_out` go into the sensor's cumulative totals. An `urgent` reading is not kept waiting for
    others to be committed with.
    """

    kind: Kind
    when: When
    fields: dict[str, Any]
    persons_in: int = 0
    persons_out: int = 0
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Noticed:
    """A sensor noticed something wrong with itself, such as `repeated_level` on a line; often the same many times.

    `active=False` says that it is over.
    """

    fault: str
    when: When
    line: str | None = None
    detail: str = ""
    count: int = 1
    active: bool = True


@dataclass(frozen=True, slots=True)
class Draft:
    """An event as it will be published, but for `seq`, `t_ns` and `clock`, which the outbox gives it."""

    kind: Kind
    when: When
    hub: str
    fields: dict[str, Any]
    sensor: str = UNIT_ITSELF
    entrance: str | None = None
    room: str | None = None
    urgent: bool = False

    def body(self) -> dict[str, Any]:
        places = {"entrance": self.entrance, "room": self.room}
        given = {key: value for key, value in places.items() if value is not None}
        return {"kind": self.kind, "sensor": self.sensor, "hub": self.hub, **given, **self.fields}


@dataclass(frozen=True, slots=True)
class SensorStats:
    """How a sensor is doing, cumulative since the outbox was created."""

    edges: int = 0
    lost_edges: int = 0
    chatter: int = 0
    ok: bool = True


@dataclass(frozen=True, slots=True)
class OutboxStats:
    """What the outbox holds. `open_` events wait for their ack; `published` ones among them have a date."""

    epoch: str
    max_seq: int
    open_: int
    undated: int
    acked: int
    rejected: int
    dropped: int
    bytes_: int
    oldest_open_ns: int | None = field(default=None)
    trouble: str = ""
    """Why it cannot be written now."""
