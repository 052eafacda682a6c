"""The messages between units and collectors, and the topics they travel on.

Everything is JSON under `foyer/v1/{hub}/{unit}/{channel}`. Models ignore fields they do not know, so that a newer
unit can talk to an older collector; what would change the meaning of a known field raises `VERSION`.
`docs/wire/` holds the same as AsyncAPI 3 and JSON Schema, written by `firmware_cfg.asyncapi`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationInfo,
    field_validator,
    model_validator,
)

VERSION: Literal[1] = 1
BATCH_EVENTS_MAX = 200
BATCH_BYTES_MAX = 64 * 1024
RANGES_MAX = 1000
T_NS_MAX = 2**63 - 1

NAME_PATTERN = r"^[a-z0-9]+(-[a-z0-9]+)*$"
EPOCH_PATTERN = r"^[0-9a-f]{16}$"
FAULT_PATTERN = r"^[a-z0-9]+(_[a-z0-9]+)*$"

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=64)]
Epoch = Annotated[str, StringConstraints(pattern=EPOCH_PATTERN)]
Nanoseconds = Annotated[int, Field(ge=0, le=T_NS_MAX)]
Count = Annotated[int, Field(ge=0, le=2**53 - 1)]
Sequence = Annotated[int, Field(ge=1, le=2**53 - 1)]

Channel = Literal["events", "ack", "health", "state", "cmd", "reply", "recording"]
Kind = Literal["passage", "counter", "room", "cabinet", "fault", "audit"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Role = Literal["counting", "reference"]
ClockState = Literal["synced", "unsynced"]
Direction = Literal["in", "out", "unknown"]
Persons = Annotated[int, Field(ge=1, le=1000)]
Confidence = Annotated[float, Field(ge=0, le=1)]

UNIT_ITSELF = "unit"
"""The `sensor` of a fault that concerns the unit and none of its sensors."""


class WireModel(BaseModel):
    # A unit reads few of these and would pay for all: what nobody reads is not built.
    model_config = ConfigDict(
        frozen=True, strict=True, allow_inf_nan=False, extra="ignore", populate_by_name=True, defer_build=True
    )


class _Event(WireModel):
    """What every event carries: its identity, its time (UTC), and the place as it was when it happened."""

    seq: Sequence
    t_ns: Nanoseconds
    clock: ClockState
    sensor: Name
    hub: Name
    entrance: Name | None = None
    room: Name | None = None


class Passage(_Event):
    """One crossing. `direction` is `unknown` while one beam is dead; lengths and speeds may not be known.

    A `role` that is left out is the one that the collector's registry gives the sensor, here and in counters.
    """

    kind: Literal["passage"]
    direction: Direction
    persons: Persons = 1
    speed_m_s: float | None = None
    length_m: float | None = None
    confidence: Confidence = 1.0
    role: Role = "counting"


class Counter(_Event):
    """Persons since the last reading of a cumulative counter (`in`, `out`), and that reading as it was."""

    kind: Literal["counter"]
    in_: Annotated[Count, Field(alias="in")]
    out: Count
    raw_in: Count
    raw_out: Count
    reset: bool = False
    role: Role = "counting"


class Room(_Event):
    kind: Literal["room"]
    state: Literal["occupied", "vacant", "unknown"]
    probability: Annotated[float, Field(ge=0, le=1)]


class Cabinet(_Event):
    """The defibrillator cabinet. What is not known is `unknown`, never fine."""

    kind: Literal["cabinet"]
    level: Literal["ok", "warning", "critical", "unknown"]
    door: Literal["open", "closed", "unknown"]
    aed: Literal["present", "absent", "unknown"]
    mains: Literal["on", "off", "unknown"]
    temperature_c: float | None = None
    reasons: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=20)] = []


class Fault(_Event):
    """Something is wrong (or no longer: `active` false). `first_seq`..`last_seq` were dropped on purpose: no hole."""

    kind: Literal["fault"]
    fault: Annotated[str, StringConstraints(pattern=FAULT_PATTERN, max_length=64)]
    active: bool = True
    line: Annotated[str, Field(max_length=64)] | None = None
    detail: Annotated[str, Field(max_length=500)] = ""
    count: Count | None = None
    first_seq: Sequence | None = None
    last_seq: Sequence | None = None


class Audit(_Event):
    """What a person counted or noted at the door."""

    kind: Literal["audit"]
    author: Annotated[str, Field(min_length=1, max_length=100)]
    note: Annotated[str, Field(max_length=500)] = ""
    in_: Annotated[Count | None, Field(alias="in")] = None
    out: Count | None = None


Event = Annotated[Passage | Counter | Room | Cabinet | Fault | Audit, Field(discriminator="kind")]
event_adapter: TypeAdapter[Event] = TypeAdapter(Event, config=ConfigDict(defer_build=True))


class PassageRun(WireModel):
    """Passages of one sensor in columns; what they have alike is said once.

    The first passage has the first value of each column, and so on. `seq`, `t_ns` and `direction` are as long as each
    other; so is any other column, or it is left out, and each passage has then what a `Passage` has without that field.
    """

    kind: Literal["passage"]
    clock: ClockState
    sensor: Name
    hub: Name
    entrance: Name | None = None
    room: Name | None = None
    role: Role = "counting"
    seq: Annotated[list[Sequence], Field(min_length=1, max_length=BATCH_EVENTS_MAX)]
    t_ns: list[Nanoseconds]
    direction: list[Direction]
    persons: Annotated[list[Persons], Field(default_factory=list)]
    speed_m_s: Annotated[list[float | None], Field(default_factory=list)]
    length_m: Annotated[list[float | None], Field(default_factory=list)]
    confidence: Annotated[list[Confidence], Field(default_factory=list)]

    @model_validator(mode="after")
    def _equally_long(self) -> Self:
        length = len(self.seq)
        if not len(self.t_ns) == len(self.direction) == length:
            raise ValueError("its columns are not equally long")
        for column in (self.persons, self.speed_m_s, self.length_m, self.confidence):
            if column and len(column) != length:
                raise ValueError("its columns are not equally long")
        return self


class _Batch(WireModel):
    v: Literal[1]
    unit: Name
    epoch: Epoch
    sent_ns: Nanoseconds


class EventBatch(_Batch):
    """At most `BATCH_EVENTS_MAX` events, those in runs among them, and `BATCH_BYTES_MAX` bytes; and not none.

    `events`, `runs` or both are given, neither of them empty. Runs go only to a collector whose last `Ack` said that it
    reads them.
    """

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["events"]}, {"required": ["runs"]}]})

    events: Annotated[list[Event], Field(default_factory=list, min_length=1, max_length=BATCH_EVENTS_MAX)]
    runs: Annotated[list[PassageRun], Field(default_factory=list, min_length=1, max_length=BATCH_EVENTS_MAX)]

    @field_validator("runs")
    @classmethod
    def _not_too_many(cls, runs: list[PassageRun], info: ValidationInfo) -> list[PassageRun]:
        if len(info.data.get("events", ())) + sum(len(run.seq) for run in runs) > BATCH_EVENTS_MAX:
            raise ValueError(f"together with events at most {BATCH_EVENTS_MAX} are allowed")
        return runs


class RawBatch(_Batch):
    """A batch whose events are judged one by one, so that a bad one does not take the rest with it."""

    events: list[Any] = []
    runs: list[Any] = []


class Ack(WireModel):
    """The collector's word. `done` ranges are stored, already stored, or kept as dead letters: the unit may forget.

    `runs`: this collector reads passages in runs.
    """

    epoch: Epoch
    done: list[tuple[Sequence, Sequence]] = []
    rejected: list[tuple[Sequence, str]] = []
    now_ns: Nanoseconds
    runs: bool = False


class SensorHealth(WireModel):
    """Cumulative since the outbox was created, in persons and edges.

    `ok_since_ns`: it has worked without a break since then, whatever health reports got lost meanwhile.
    """

    in_: Annotated[Count, Field(alias="in")] = 0
    out: Count = 0
    edges: Count = 0
    lost_edges: Count = 0
    chatter: Count = 0
    ok: bool = True
    ok_since_ns: Nanoseconds | None = None


class OutboxHealth(WireModel):
    """`trouble`: why events cannot be stored now and wait in memory, in one sentence."""

    depth: Count
    oldest_age_s: Annotated[float, Field(ge=0)] = 0.0
    dropped: Count = 0
    bytes: Count = 0
    trouble: Annotated[str, Field(max_length=500)] = ""


class Health(WireModel):
    v: Literal[1]
    unit: Name
    hub: Name
    session: Annotated[str, Field(min_length=1, max_length=64)]
    epoch: Epoch
    t_ns: Nanoseconds
    clock: ClockState
    uptime_s: Annotated[float, Field(ge=0)]
    version: Annotated[str, Field(max_length=64)]
    sensors: Annotated[dict[Name, SensorHealth], Field(max_length=64)] = {}
    outbox: OutboxHealth
    temperature_c: float | None = None


class State(WireModel):
    """Retained birth, and by last will death. A will whose `session` is not the last birth's is stale."""

    v: Literal[1]
    unit: Name
    session: Annotated[str, Field(min_length=1, max_length=64)]
    state: Literal["online", "offline"]
    version: Annotated[str, Field(max_length=64)] = ""


class Command(WireModel):
    """What a collector asks of a unit, once by `id`: `ping` without `args`, or `resend` with those of `Resend`.

    It is never retained. A unit that gets it after `expires_ns` refuses it, and one that had the same `id` before is
    silent.
    """

    v: Literal[1] = VERSION
    id: Annotated[str, Field(min_length=1, max_length=64)]
    expires_ns: Nanoseconds
    name: Annotated[str, Field(min_length=1, max_length=64)]
    args: dict[str, Any] = {}


class Resend(WireModel):
    """The `args` of `resend`: ranges of `seq`, first to last, of an outbox `epoch`; what is left comes again."""

    epoch: Epoch
    ranges: Annotated[list[tuple[Sequence, Sequence]], Field(min_length=1, max_length=RANGES_MAX)]

    @field_validator("ranges")
    @classmethod
    def _in_order(cls, ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
        for first, last in ranges:
            if first > last:
                raise ValueError(f"the range {first} to {last} runs backwards")
        return ranges


class Resent(WireModel):
    """The `args` of the reply to `resend`.

    `events` come again. `gone` will never come: the unit does not hold them any more, or never did. Of more than
    `RANGES_MAX` such ranges these are the first.
    """

    events: Count
    gone: Annotated[list[tuple[Sequence, Sequence]], Field(max_length=RANGES_MAX)] = []


class Reply(WireModel):
    """Whether the command `id` was carried out, in `detail` why not, and in `args` what came of it (see `Resent`)."""

    v: Literal[1] = VERSION
    id: Annotated[str, Field(min_length=1, max_length=64)]
    ok: bool
    detail: Annotated[str, Field(max_length=500)] = ""
    args: dict[str, Any] = {}


class RecordingChunk(WireModel):
    """Part `index` (from 0) of `of` of a recording asked for by the command `id`; `data` is base64."""

    id: Annotated[str, Field(min_length=1, max_length=64)]
    index: Count
    of: Annotated[int, Field(ge=1)]
    data: str


CHANNEL_MODELS: dict[Channel, type[WireModel]] = {
    "events": EventBatch,
    "ack": Ack,
    "health": Health,
    "state": State,
    "cmd": Command,
    "reply": Reply,
    "recording": RecordingChunk,
}
ARGS_MODELS: tuple[type[WireModel], ...] = (Resend, Resent)
"""What travels as `args` of commands and replies."""

_TOPIC = re.compile(r"foyer/v1/([a-z0-9-]{1,64})/([a-z0-9-]{1,64})/([a-z]{1,16})")


@dataclass(frozen=True, slots=True)
class Address:
    """Who a message is from or for, and on which channel."""

    hub: str
    unit: str
    channel: Channel

    @property
    def topic(self) -> str:
        return f"foyer/v1/{self.hub}/{self.unit}/{self.channel}"


def parse_topic(topic: str) -> Address | None:
    """The address a topic stands for, or None where it is not one of ours."""
    match = _TOPIC.fullmatch(topic)
    if match is None or match[3] not in CHANNEL_MODELS:
        return None
    return Address(match[1], match[2], match[3])
