"""What a unit makes of what happens to it: events, health, answers to commands. Pure: time is an argument."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import ValidationError

from edge.drafts import Draft, Mark, Noticed, OutboxStats, Reading, SensorStats, When
from firmware_cfg.load import Fleet, explain, sensors_of
from firmware_cfg.schema import Hub, Sensor
from firmware_cfg.times import NS_PER_S
from firmware_cfg.wire import (
    UNIT_ITSELF,
    VERSION,
    Channel,
    Command,
    Health,
    OutboxHealth,
    Reply,
    Resend,
    Resent,
    SensorHealth,
    WireModel,
)

FAULT_EVERY_NS = 60 * NS_PER_S
COMMANDS_REMEMBERED = 256
COUNT_MAX = 2**53 - 1
COMMAND_ID_MAX = 64


@dataclass(frozen=True, slots=True)
class Now:
    """The present as the agent needs it: the boot's monotonic time, the best guess of UTC, and which boot."""

    boot: str
    mono_ns: int
    wall_ns: int
    synced: bool

    @property
    def mark(self) -> Mark:
        return Mark(self.boot, self.mono_ns)

    def guess(self, when: When) -> int:
        """UTC of a moment, well enough to know where the unit was."""
        if isinstance(when, int):
            return when
        return self.wall_ns + when.mono_ns - self.mono_ns if when.boot == self.boot else self.wall_ns


@dataclass(frozen=True, slots=True)
class Seen:
    """A sensor of this unit delivered something."""

    sensor: str
    what: Reading | Noticed


@dataclass(frozen=True, slots=True)
class SensorDown:
    """A sensor cannot be opened or went away; `detail` says what and how to mend it."""

    sensor: str
    detail: str


@dataclass(frozen=True, slots=True)
class SensorUp:
    sensor: str


@dataclass(frozen=True, slots=True)
class UnitNoticed:
    """The unit itself has something to say once, such as that its outbox was damaged. `active=False`: it is over."""

    fault: str
    detail: str
    count: int | None = None
    active: bool = True


@dataclass(frozen=True, slots=True)
class Minute:
    """Time to tell how things are."""

    session: str
    started_ns: int
    outbox: OutboxStats
    sensors: Mapping[str, SensorStats]
    temperature_c: float | None = None


@dataclass(frozen=True, slots=True)
class Tick:
    """A second has passed: faults held back may be due. `working` names the sensors that are open and well."""

    working: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CommandCame:
    payload: bytes


AgentEvent = Seen | SensorDown | SensorUp | UnitNoticed | Minute | Tick | CommandCame


@dataclass(frozen=True, slots=True)
class Message:
    """To be published at once or not at all; only events are kept."""

    channel: Channel
    payload: bytes


@dataclass(frozen=True, slots=True)
class Execute:
    """A command to carry out once its id is safely remembered: `resend`, or nothing but to answer.

    `answer` tells what came of it, `refuse` that it cannot be carried out.
    """

    id: str
    resend: Resend | None = None


Output = Draft | Message | Execute


@dataclass(slots=True)
class _Held:
    """A kind of fault of a sensor's line that may come thousands of times: told at once, then once a minute."""

    told_ns: int
    count: int = 0
    latest: Noticed | None = None


@dataclass(slots=True)
class _Totals:
    in_: int = 0
    out: int = 0


@dataclass(frozen=True, slots=True)
class AgentSettings:
    unit: str
    version: str
    fleet: Fleet
    hub: str
    """Where the unit is now, and was at times for which the registry does not know."""
    sensors: tuple[Sensor, ...] = field(default=())


class Agent:
    """The unit's mind. What it must not forget is in `memo`, to be stored together with the drafts it gave."""

    def __init__(self, settings: AgentSettings, memo: dict[str, Any] | None = None) -> None:
        self._settings = settings
        self._sensors = {sensor.name: sensor for sensor in settings.sensors}
        self._stays = settings.fleet.stays(settings.unit)[::-1]
        memo = memo or {}
        self._totals = {name: _Totals(**totals) for name, totals in memo.get("totals", {}).items()}
        self._down: dict[str, str] = dict(memo.get("down", {}))
        self._commands: list[str] = list(memo.get("commands", []))
        self._held: dict[tuple[str, str, str | None], _Held] = {}
        self._well_since: dict[str, int] = {}
        """Monotonic ns from which on a sensor has been working at each tick."""

    def memo(self) -> dict[str, Any]:
        """In JSON's types: cumulative totals, sensors known to be down, ids of commands seen."""
        totals = {name: asdict(totals) for name, totals in self._totals.items()}
        return {"totals": totals, "down": dict(self._down), "commands": list(self._commands)}

    def handle(self, event: AgentEvent, now: Now) -> list[Output]:
        return list(self._handle(event, now))

    def _handle(self, event: AgentEvent, now: Now) -> Iterable[Output]:  # noqa: C901 - one line a case
        match event:
            case Seen(sensor, Reading() as reading):
                yield self._counted(sensor, reading, now)
            case Seen(sensor, Noticed() as noticed):
                yield from self._noticed(sensor, noticed, now)
            case SensorDown(sensor, detail):
                if self._down.get(sensor) != detail:
                    self._down[sensor] = detail
                    yield self._fault(sensor, now.mark, {"fault": "sensor_unavailable", "detail": detail[:500]}, now)
            case SensorUp(sensor):
                if self._down.pop(sensor, None) is not None:
                    yield self._fault(sensor, now.mark, {"fault": "sensor_unavailable", "active": False}, now)
            case UnitNoticed():
                yield self._fault(UNIT_ITSELF, now.mark, _said(event), now)
            case Minute():
                yield self._health(event, now)
            case Tick(working):
                self._well_since = {name: self._well_since.get(name, now.mono_ns) for name in working}
                yield from self._release(now)
            case CommandCame(payload):
                yield from self._command(payload, now)

    def answer(self, command_id: str, resent: Resent | None = None) -> Message:
        """The reply to a command that was carried out."""
        args = {} if resent is None else resent.model_dump(mode="json")
        return _message("reply", Reply(id=command_id, ok=True, args=args))

    def refuse(self, command_id: str, why: str) -> Message:
        return _message("reply", Reply(id=command_id, ok=False, detail=why[:500]))

    # Events

    def _counted(self, sensor: str, reading: Reading, now: Now) -> Draft:
        totals = self._totals.setdefault(sensor, _Totals())
        totals.in_ = min(totals.in_ + reading.persons_in, COUNT_MAX)
        totals.out = min(totals.out + reading.persons_out, COUNT_MAX)
        fields = dict(reading.fields)
        if reading.kind in {"passage", "counter"}:
            fields["role"] = self._role(sensor, reading.when, now)
        return self._draft(reading.kind, sensor, reading.when, fields, now, urgent=reading.urgent)

    def _noticed(self, sensor: str, noticed: Noticed, now: Now) -> Iterable[Draft]:
        key = (sensor, noticed.fault, noticed.line)
        held = self._held.pop(key, None) if not noticed.active else self._held.get(key)
        if not noticed.active:
            if held and held.latest:
                yield self._fault(sensor, held.latest.when, _fields(held.latest, held.count), now)
            yield self._fault(sensor, noticed.when, {**_fields(noticed, noticed.count), "active": False}, now)
            return
        if held is None:
            self._held[key] = _Held(now.mono_ns)
            yield self._fault(sensor, noticed.when, _fields(noticed, noticed.count), now)
            return
        held.count += noticed.count
        held.latest = noticed
        yield from self._release(now)

    def _release(self, now: Now) -> Iterable[Draft]:
        for key, held in list(self._held.items()):
            if now.mono_ns - held.told_ns < FAULT_EVERY_NS:
                continue
            if held.latest is None:
                del self._held[key]
                continue
            self._held[key] = _Held(now.mono_ns)
            yield self._fault(key[0], held.latest.when, _fields(held.latest, held.count), now)

    def _fault(self, sensor: str, when: When, fields: dict[str, Any], now: Now) -> Draft:
        return self._draft("fault", sensor, when, fields, now)

    def _draft(
        self, kind: Any, sensor: str, when: When, fields: dict[str, Any], now: Now, *, urgent: bool = False
    ) -> Draft:
        hub, config = self._place(sensor, when, now)
        return Draft(
            kind=kind,
            sensor=sensor,
            when=when,
            hub=hub.id,
            entrance=config.entrance if config else None,
            room=config.room if config else None,
            fields=fields,
            urgent=urgent,
        )

    def _role(self, sensor: str, when: When, now: Now) -> str:
        hub, config = self._place(sensor, when, now)
        return hub.role(config.entrance if config else None, sensor)

    def _place(self, sensor: str, when: When, now: Now) -> tuple[Hub, Sensor | None]:
        """Hub and sensor as they were; where the registry does not know, as they are."""
        t_ns = now.guess(when)
        for hub, stay in self._stays:
            if stay.holds(t_ns):
                return hub, sensors_of(stay).get(sensor)
        return self._settings.fleet.hubs[self._settings.hub], self._sensors.get(sensor)

    # Health and commands

    def _health(self, minute: Minute, now: Now) -> Message:
        stats = minute.outbox
        age_ns = 0 if stats.oldest_open_ns is None else max(0, now.wall_ns - stats.oldest_open_ns)
        return _message(
            "health",
            Health(
                v=VERSION,
                unit=self._settings.unit,
                hub=self._settings.hub,
                session=minute.session,
                epoch=stats.epoch,
                t_ns=max(0, now.wall_ns),
                clock="synced" if now.synced else "unsynced",
                uptime_s=(now.mono_ns - minute.started_ns) / NS_PER_S,
                version=self._settings.version,
                sensors={name: self._sensor_health(name, sensor, now) for name, sensor in minute.sensors.items()},
                outbox=OutboxHealth(
                    depth=stats.open_,
                    oldest_age_s=age_ns / NS_PER_S,
                    dropped=stats.dropped,
                    bytes=stats.bytes_,
                    trouble=stats.trouble[:500],
                ),
                temperature_c=minute.temperature_c,
            ),
        )

    def _sensor_health(self, name: str, stats: SensorStats, now: Now) -> SensorHealth:
        totals = self._totals.get(name, _Totals())
        ok = stats.ok and name not in self._down
        since_ns = self._well_since.get(name) if ok else None
        return SensorHealth(
            in_=totals.in_,
            out=totals.out,
            edges=stats.edges,
            lost_edges=stats.lost_edges,
            chatter=stats.chatter,
            ok=ok,
            ok_since_ns=None if since_ns is None else max(0, now.wall_ns - now.mono_ns + since_ns),
        )

    def _command(self, payload: bytes, now: Now) -> list[Output]:
        try:
            command = Command.model_validate_json(payload)
        except ValidationError as error:
            known = _id_of(payload)
            return [self.refuse(known, explain(error)[0])] if known else []
        if command.id in self._commands:
            return []  # delivered again; it was answered, or the unit died of it
        if command.expires_ns <= now.wall_ns:
            return [self.refuse(command.id, "it has expired")]
        try:
            execute = _checked(command)
        except ValueError as error:
            return [self.refuse(command.id, str(error))]
        self._commands = [*self._commands, command.id][-COMMANDS_REMEMBERED:]
        return [execute]


def _fields(noticed: Noticed, count: int) -> dict[str, Any]:
    line = {} if noticed.line is None else {"line": noticed.line}
    detail = {"detail": noticed.detail[:500]} if noticed.detail else {}
    return {"fault": noticed.fault, **line, **detail, "count": count}


def _said(noticed: UnitNoticed) -> dict[str, Any]:
    count = {} if noticed.count is None else {"count": noticed.count}
    over = {} if noticed.active else {"active": False}
    return {"fault": noticed.fault, "detail": noticed.detail[:500], **count, **over}


def _message(channel: Channel, model: WireModel) -> Message:
    return Message(channel, model.model_dump_json(by_alias=True).encode())


def _id_of(payload: bytes) -> str:
    """The id of a command that is otherwise wrong, so that its sender can be told."""
    try:
        raw = json.loads(payload)
    except ValueError:
        return ""
    known = raw.get("id") if isinstance(raw, dict) else None
    return known if isinstance(known, str) and 1 <= len(known) <= COMMAND_ID_MAX else ""


def _checked(command: Command) -> Execute:
    """What to do; raises ValueError, which says what is wrong with the command."""
    if command.name == "ping":
        if command.args:
            raise ValueError(f"ping: it takes no arguments, given were {', '.join(sorted(command.args))}")
        return Execute(command.id)
    if command.name == "resend":
        try:
            return Execute(command.id, Resend.model_validate_json(json.dumps(command.args)))
        except ValidationError as error:
            raise ValueError(f"resend: {explain(error)[0]}") from error
    raise ValueError(f"no command {command.name!r}; there are ping, resend")
