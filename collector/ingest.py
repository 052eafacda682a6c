"""Judging messages: what to store, what to keep as a dead letter and why, whom to tell. Pure: time is an argument."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from collector.store.base import SEQ_MAX, Parcel
from firmware_cfg.load import Fleet, explain
from firmware_cfg.times import NS_PER_S, to_rfc3339
from firmware_cfg.wire import (
    BATCH_BYTES_MAX,
    BATCH_EVENTS_MAX,
    KINDS,
    Address,
    Counter,
    Event,
    EventBatch,
    Health,
    Passage,
    RawBatch,
    Reply,
    Role,
    State,
    WireModel,
    event_adapter,
    parse_topic,
)

EARLIEST_NS = 1_577_836_800 * NS_PER_S  # 2020-01-01: no unit is older
AHEAD_NS_MAX = 3600 * NS_PER_S
PARSED_BYTES_MAX = 1024 * 1024  # an oversized batch is still read for its sequence numbers, up to here
REASON_CHARS_MAX = 300

_COUNTED = (Passage, Counter)
_COUNTED_KINDS = frozenset(("passage", "counter"))

_GIVEN = {"role"}
"""In place of each event's own set of the fields that were given, which takes as much memory as the event."""

_M = TypeVar("_M", bound=WireModel)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What could not be stored: one event as JSON, or a whole message (`seqs` as far as they could be read).

    `code` groups letters for counting; `reason` is for the unit and for people.
    """

    topic: str
    payload: bytes
    code: str
    reason: str
    unit: str | None = None
    epoch: str | None = None
    seqs: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one message. Each of its events is in `parcel` or named by one of `dead`, never in both.

    `address` is where the answer goes, if one does; `stale` marks a will that a later birth has overtaken.
    """

    address: Address | None = None
    parcel: Parcel | None = None
    report: Health | None = None
    state: State | None = None
    reply: Reply | None = None
    dead: tuple[DeadLetter, ...] = ()
    stale: bool = False


@dataclass(frozen=True, slots=True)
class _Place:
    """A unit's stay at a hub, as integers and sets; None is in both sets, for what has no entrance or room.

    `roles` has each sensor that is configured there.
    """

    since_ns: int
    until_ns: int
    hub: str
    entrances: frozenset[str | None]
    rooms: frozenset[str | None]
    roles: Mapping[str, Role]


class _Bad(Exception):  # noqa: N818 - leaves this module only as a DeadLetter
    def __init__(self, code: str, reason: str) -> None:
        self.code = code
        self.reason = reason


class Ingest:
    """The judge. Its only state is each unit's last birth, by which stale wills are known."""

    def __init__(self, fleet: Fleet, births: Mapping[str, str] | None = None) -> None:
        self._hubs = frozenset(fleet.hubs)
        self._places = {unit: _places(fleet, unit) for unit in fleet.units}
        self._births = dict(births or {})

    def judge(self, topic: str, payload: bytes, now_ns: int, *, retained: bool = False) -> Verdict:
        """Never raises, whatever arrives."""
        address = parse_topic(topic)
        try:
            return self._judge(address, payload, now_ns, retained=retained)
        except _Bad as bad:
            return _whole(topic, address, payload, bad)

    def judge_again(self, letter: DeadLetter, now_ns: int) -> Verdict:
        """A dead letter, after its cause was mended. Never raises.

        An oversized batch is judged event by event; a letter that is one event belongs to the letter's own outbox.
        """
        address = parse_topic(letter.topic)
        if address is None or address.channel != "events":
            return self.judge(letter.topic, letter.payload, now_ns)
        try:
            self._check_known(address)
            raw = _json(letter.payload)
            if not isinstance(raw, dict) or not isinstance(raw.get("events"), list) or not raw["events"]:
                if letter.epoch is None:
                    return self.judge(letter.topic, letter.payload, now_ns)
                return self._sort(address, letter.epoch, [raw], now_ns)
            head = _parsed(RawBatch, to_json({**raw, "events": raw["events"][:1]}))
            _check_unit(address, head.unit)
            return self._sort(address, head.epoch, raw["events"], now_ns)
        except _Bad as bad:
            return _whole(letter.topic, address, letter.payload, bad)

    def _judge(self, address: Address | None, payload: bytes, now_ns: int, *, retained: bool) -> Verdict:
        if address is None:
            raise _Bad("topic", "topic is not one of foyer/v1/{hub}/{unit}/{channel}")
        self._check_known(address)
        if retained and address.channel != "state":
            raise _Bad("retained", f"{address.channel} messages must not be retained; clear the topic")
        if len(payload) > BATCH_BYTES_MAX:
            raise _Bad("too_large", f"message of {len(payload)} bytes; at most {BATCH_BYTES_MAX} are allowed")
        if address.channel == "events":
            return self._events(address, payload, now_ns)
        if address.channel == "health":
            return self._health(address, payload, now_ns)
        if address.channel == "state":
            return self._state(address, payload)
        if address.channel == "reply":
            return Verdict(address=address, reply=_parsed(Reply, payload))
        raise _Bad("channel", f"{address.channel!r} is not a channel that units send to the collector on")

    def _check_known(self, address: Address) -> None:
        if address.hub not in self._hubs:
            raise _Bad("unknown_hub", f"topic: hub {address.hub!r} is not in the registry")
        if address.unit not in self._places:
            raise _Bad("unknown_unit", f"topic: unit {address.unit!r} is not in the registry")

    def _events(self, address: Address, payload: bytes, now_ns: int) -> Verdict:
        try:
            batch = EventBatch.model_validate_json(payload)
        except ValidationError:
            return self._one_by_one(address, payload, now_ns)
        _check_unit(address, batch.unit)
        place = self._current(address.unit, batch.events[0].t_ns)
        events = batch.events
        if place is not None:
            low = max(place.since_ns, EARLIEST_NS)
            high = min(place.until_ns - 1, now_ns + AHEAD_NS_MAX)
            hub, entrances, rooms, roles = place.hub, place.entrances, place.rooms, place.roles
            for event in events:
                said = event.__dict__  # read in half the time of as many attributes
                if (
                    not low <= said["t_ns"] <= high
                    or said["hub"] != hub
                    or said["entrance"] not in entrances
                    or said["room"] not in rooms
                    or (said["kind"] in _COUNTED_KINDS and (said["sensor"] not in roles or not _says_role(event)))
                ):
                    break
            else:
                for event in events:
                    object.__setattr__(event, "__pydantic_fields_set__", _GIVEN)
                return Verdict(address=address, parcel=Parcel(batch.unit, batch.epoch, events))
        return self._sort(address, batch.epoch, events, now_ns)

    def _one_by_one(self, address: Address, payload: bytes, now_ns: int) -> Verdict:
        """The slow path: a batch of which something is wrong."""
        try:
            batch = RawBatch.model_validate_json(payload)
        except ValidationError as error:
            raise _why(error, payload) from error
        _check_unit(address, batch.unit)
        return self._sort(address, batch.epoch, batch.events, now_ns)

    def _sort(self, address: Address, epoch: str, events: Iterable[Any], now_ns: int) -> Verdict:
        """Judge each event, given as a model or as plain JSON values."""
        good: list[Event] = []
        dead: list[DeadLetter] = []
        for raw in events:
            try:
                event = raw if isinstance(raw, WireModel) else _validated(raw)
                good.append(self._placed(address.unit, cast("Event", event), now_ns))
            except _Bad as bad:
                text = to_json(raw, by_alias=True, exclude_none=isinstance(raw, WireModel))
                seq = raw.seq if isinstance(raw, WireModel) else _seq(raw)  # type: ignore[attr-defined]  # events have one
                seqs = () if seq is None else (seq,)
                dead.append(DeadLetter(address.topic, text, bad.code, bad.reason, address.unit, epoch, seqs))
        parcel = Parcel(address.unit, epoch, good) if good else None
        return Verdict(address=address, parcel=parcel, dead=tuple(dead))

    def _placed(self, unit: str, event: Event, now_ns: int) -> Event:
        """The event, whose role is the registry's where it does not say one."""
        _check_time(event.t_ns, now_ns)
        place = self._place(unit, event.hub, event.t_ns)
        if event.entrance not in place.entrances:
            raise _Bad("entrance", f"entrance {event.entrance!r} is not in hub {event.hub!r}")
        if event.room not in place.rooms:
            raise _Bad("room", f"room {event.room!r} is not in hub {event.hub!r}")
        if not isinstance(event, _COUNTED):
            return event
        if event.sensor not in place.roles:
            when = to_rfc3339(event.t_ns)
            raise _Bad(
                "sensor", f"sensor {event.sensor!r} is not configured at unit {unit!r} in hub {event.hub!r} at {when}"
            )
        return event if _says_role(event) else event.model_copy(update={"role": place.roles[event.sensor]})

    def _place(self, unit: str, hub: str, t_ns: int) -> _Place:
        place = self._current(unit, t_ns)
        if place is None or place.hub != hub:
            where = f"it was at {place.hub!r}" if place else "it was nowhere"
            raise _Bad("place", f"the registry did not give {unit!r} to hub {hub!r} at {to_rfc3339(t_ns)}: {where}")
        return place

    def _current(self, unit: str, t_ns: int) -> _Place | None:
        return next((place for place in self._places[unit] if place.since_ns <= t_ns < place.until_ns), None)

    def _health(self, address: Address, payload: bytes, now_ns: int) -> Verdict:
        report = _parsed(Health, payload)
        _check_unit(address, report.unit)
        if report.clock == "unsynced" and not EARLIEST_NS <= report.t_ns <= now_ns + AHEAD_NS_MAX:
            report = report.model_copy(update={"t_ns": now_ns})  # a unit without a clock is well all the same
        _check_time(report.t_ns, now_ns)
        place = self._place(address.unit, report.hub, report.t_ns)
        return Verdict(address=address, report=_within(report, max(place.since_ns, EARLIEST_NS)))

    def _state(self, address: Address, payload: bytes) -> Verdict:
        if not payload:
            return Verdict()  # a retained state was cleared
        state = _parsed(State, payload)
        _check_unit(address, state.unit)
        if state.state == "online":
            self._births[state.unit] = state.session
        elif self._births.get(state.unit, state.session) != state.session:
            return Verdict(stale=True)
        return Verdict(state=state)


def _places(fleet: Fleet, unit: str) -> tuple[_Place, ...]:
    """Latest first, since most events are of today."""
    places = [
        _Place(
            since_ns=stay.since_ns,
            until_ns=stay.until_ns,
            hub=hub.id,
            entrances=frozenset({None, *(entrance.id for entrance in hub.entrances)}),
            rooms=frozenset({None, *(room.id for room in hub.rooms)}),
            roles={sensor.name: hub.role(sensor.entrance, sensor.name) for sensor in stay.sensors},
        )
        for hub, stay in fleet.stays(unit)
    ]
    return tuple(reversed(places))


def _says_role(event: WireModel) -> bool:
    return "role" in event.__pydantic_fields_set__  # as model_fields_set, without the property: for each event


def _within(report: Health, since_ns: int) -> Health:
    """A sensor says since when it works; for this hub that is no longer than the unit has been here."""
    sensors = {
        name: sensor.model_copy(update={"ok_since_ns": max(sensor.ok_since_ns, since_ns)})
        for name, sensor in report.sensors.items()
        if sensor.ok_since_ns is not None and sensor.ok_since_ns < since_ns
    }
    return report.model_copy(update={"sensors": {**report.sensors, **sensors}}) if sensors else report


def _check_unit(address: Address, unit: str) -> None:
    if unit != address.unit:
        raise _Bad("wrong_unit", f"the message says unit {unit!r}, its topic {address.unit!r}")


def _check_time(t_ns: int, now_ns: int) -> None:
    if t_ns < EARLIEST_NS:
        raise _Bad("too_early", f"t_ns: {to_rfc3339(t_ns)} is before 2020; was the clock set?")
    if t_ns > now_ns + AHEAD_NS_MAX:
        raise _Bad("too_late", f"t_ns: {to_rfc3339(t_ns)} is more than an hour ahead of {to_rfc3339(now_ns)}")


def _validated(raw: Any) -> Event:
    if not isinstance(raw, dict):
        raise _Bad("invalid", "event: is not a JSON object")
    if "kind" not in raw:
        raise _Bad("invalid", f"kind: is missing; known: {', '.join(KINDS)}")
    if raw["kind"] not in KINDS:
        raise _Bad("unknown_kind", f"kind: {raw['kind']!r:.40} is not known; known: {', '.join(KINDS)}")
    try:
        return event_adapter.validate_json(to_json(raw, inf_nan_mode="constants"))
    except ValidationError as error:
        raise _Bad("invalid", explain(error, root="event")[0][:REASON_CHARS_MAX]) from error


def _json(payload: bytes) -> Any:
    try:
        return from_json(payload)
    except ValueError as error:
        raise _Bad("json", f"is not JSON: {error}"[:REASON_CHARS_MAX]) from error


def _parsed(model: type[_M], payload: bytes) -> _M:
    try:
        return model.model_validate_json(payload)
    except ValidationError as error:
        raise _why(error, payload) from error


def _why(error: ValidationError, payload: bytes) -> _Bad:
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return _Bad("json", f"is not JSON: {first['msg']}"[:REASON_CHARS_MAX])
    raw = from_json(payload)
    if not isinstance(raw, dict):
        return _Bad("invalid", "is not a JSON object")
    if "v" in raw and raw["v"] != 1:
        return _Bad("version", f"v: {raw['v']!r:.40} is not a version that this collector knows (1)")
    if isinstance(raw.get("events"), list) and len(raw["events"]) > BATCH_EVENTS_MAX:
        return _Bad("too_many", f"batch of {len(raw['events'])} events; at most {BATCH_EVENTS_MAX} are allowed")
    return _Bad("invalid", explain(error, root="message")[0][:REASON_CHARS_MAX])


def _whole(topic: str, address: Address | None, payload: bytes, bad: _Bad) -> Verdict:
    """Nothing of the message can be used; what it names is read as far as possible, so that its unit can be told."""
    epoch, seqs = _named(payload)
    letter = DeadLetter(
        topic=topic,
        payload=payload,
        code=bad.code,
        reason=bad.reason,
        unit=address.unit if address else None,
        epoch=epoch,
        seqs=seqs,
    )
    return Verdict(address=address, dead=(letter,))


def _named(payload: bytes) -> tuple[str | None, tuple[int, ...]]:
    if len(payload) > PARSED_BYTES_MAX:
        return None, ()
    try:
        raw = from_json(payload)
    except ValueError:
        return None, ()
    if not isinstance(raw, dict):
        return None, ()
    epoch = raw.get("epoch")
    if not isinstance(epoch, str) or len(epoch) != 16 or not set(epoch) <= set("0123456789abcdef"):  # noqa: PLR2004 - the wire's Epoch
        return None, ()
    events = raw.get("events")
    seqs = [_seq(event) for event in events] if isinstance(events, list) else []
    return epoch, tuple(seq for seq in seqs if seq is not None)


def _seq(raw: Any) -> int | None:
    seq = raw.get("seq") if isinstance(raw, dict) else None
    return seq if isinstance(seq, int) and not isinstance(seq, bool) and 1 <= seq <= SEQ_MAX else None
