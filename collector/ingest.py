"""Judging messages: what to store, what to keep as a dead letter and why, whom to tell. Pure: time is an argument."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import to_json

from collector.parsing import Bad, event_of, events_of, message_of, named_in, numbers_in, value_of
from collector.store.base import Parcel
from collector.store.runs import NoRun, passages, spread
from firmware_cfg.load import Fleet
from firmware_cfg.times import NS_PER_S, to_rfc3339
from firmware_cfg.wire import (
    BATCH_BYTES_MAX,
    Address,
    Counter,
    Event,
    EventBatch,
    Health,
    Passage,
    PassageRun,
    RawBatch,
    Reply,
    Role,
    State,
    WireModel,
    parse_topic,
)

EARLIEST_NS = 1_577_836_800 * NS_PER_S  # 2020-01-01: no unit is older
AHEAD_NS_MAX = 3600 * NS_PER_S

_COUNTED = (Passage, Counter)
_COUNTED_KINDS = frozenset(("passage", "counter"))

_GIVEN = {"role"}
"""In place of each event's own set of the fields that were given, which takes as much memory as the event."""


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
        except Bad as bad:
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
            raw = value_of(letter.payload)
            if not isinstance(raw, dict) or not any(_is_filled_list(raw.get(key)) for key in ("events", "runs")):
                if letter.epoch is None:
                    return self.judge(letter.topic, letter.payload, now_ns)
                was_run = isinstance(raw, dict) and any(isinstance(raw.get(key), list) for key in ("seq", "t_ns"))
                return self._sort(address, letter.epoch, [NoRun(raw) if was_run else raw], now_ns)
            batch = message_of(RawBatch, letter.payload)
            _check_unit(address, batch.unit)
            return self._sort(address, batch.epoch, [*batch.events, *spread(batch.runs)], now_ns)
        except Bad as bad:
            return _whole(letter.topic, address, letter.payload, bad)

    def _judge(self, address: Address | None, payload: bytes, now_ns: int, *, retained: bool) -> Verdict:
        if address is None:
            raise Bad("topic", "topic is not one of foyer/v1/{hub}/{unit}/{channel}")
        self._check_known(address)
        if retained and address.channel != "state":
            raise Bad("retained", f"{address.channel} messages must not be retained; clear the topic")
        if len(payload) > BATCH_BYTES_MAX:
            raise Bad("too_large", f"message of {len(payload)} bytes; at most {BATCH_BYTES_MAX} are allowed")
        if address.channel == "events":
            return self._events(address, payload, now_ns)
        if address.channel == "health":
            return self._health(address, payload, now_ns)
        if address.channel == "state":
            return self._state(address, payload)
        if address.channel == "reply":
            return Verdict(address=address, reply=message_of(Reply, payload))
        raise Bad("channel", f"{address.channel!r} is not a channel that units send to the collector on")

    def _check_known(self, address: Address) -> None:
        if address.hub not in self._hubs:
            raise Bad("unknown_hub", f"topic: hub {address.hub!r} is not in the registry")
        if address.unit not in self._places:
            raise Bad("unknown_unit", f"topic: unit {address.unit!r} is not in the registry")

    def _events(self, address: Address, payload: bytes, now_ns: int) -> Verdict:
        try:
            batch = EventBatch.model_validate_json(payload)
        except ValidationError:
            return self._one_by_one(address, payload, now_ns)
        _check_unit(address, batch.unit)
        events, runs = batch.events, batch.runs
        if not events and not runs:
            return self._one_by_one(address, payload, now_ns)
        place = self._current(address.unit, events[0].t_ns if events else runs[0].t_ns[0])
        if place is not None and _fit(place, events, now_ns) and (not runs or _runs_fit(place, runs, now_ns)):
            for event in events:
                object.__setattr__(event, "__pydantic_fields_set__", _GIVEN)
            return Verdict(address=address, parcel=Parcel(batch.unit, batch.epoch, events, runs))
        return self._sort(address, batch.epoch, [*events, *(each for run in runs for each in passages(run))], now_ns)

    def _one_by_one(self, address: Address, payload: bytes, now_ns: int) -> Verdict:
        """The slow path: a batch of which something is wrong."""
        batch = message_of(RawBatch, payload)
        events = events_of(batch)
        _check_unit(address, batch.unit)
        return self._sort(address, batch.epoch, events, now_ns)

    def _sort(self, address: Address, epoch: str, events: Iterable[Any], now_ns: int) -> Verdict:
        """Judge each event, given as a model or as plain JSON values."""
        good: list[Event] = []
        dead: list[DeadLetter] = []
        for raw in events:
            try:
                event = raw if isinstance(raw, WireModel) else event_of(raw)
                good.append(self._placed(address.unit, cast("Event", event), now_ns))
            except Bad as bad:
                text = to_json(raw, by_alias=True, exclude_none=isinstance(raw, WireModel))
                seqs = (raw.seq,) if isinstance(raw, WireModel) else numbers_in(raw)  # type: ignore[attr-defined]  # events have one
                dead.append(DeadLetter(address.topic, text, bad.code, bad.reason, address.unit, epoch, seqs))
        parcel = Parcel(address.unit, epoch, good) if good else None
        return Verdict(address=address, parcel=parcel, dead=tuple(dead))

    def _placed(self, unit: str, event: Event, now_ns: int) -> Event:
        """The event, whose role is the registry's where it does not say one."""
        _check_time(event.t_ns, now_ns)
        place = self._place(unit, event.hub, event.t_ns)
        if event.entrance not in place.entrances:
            raise Bad("entrance", f"entrance {event.entrance!r} is not in hub {event.hub!r}")
        if event.room not in place.rooms:
            raise Bad("room", f"room {event.room!r} is not in hub {event.hub!r}")
        if not isinstance(event, _COUNTED):
            return event
        if event.sensor not in place.roles:
            when = to_rfc3339(event.t_ns)
            raise Bad(
                "sensor", f"sensor {event.sensor!r} is not configured at unit {unit!r} in hub {event.hub!r} at {when}"
            )
        return event if _says_role(event) else event.model_copy(update={"role": place.roles[event.sensor]})

    def _place(self, unit: str, hub: str, t_ns: int) -> _Place:
        place = self._current(unit, t_ns)
        if place is None or place.hub != hub:
            where = f"it was at {place.hub!r}" if place else "it was nowhere"
            raise Bad("place", f"the registry did not give {unit!r} to hub {hub!r} at {to_rfc3339(t_ns)}: {where}")
        return place

    def _current(self, unit: str, t_ns: int) -> _Place | None:
        return next((place for place in self._places[unit] if place.since_ns <= t_ns < place.until_ns), None)

    def _health(self, address: Address, payload: bytes, now_ns: int) -> Verdict:
        report = message_of(Health, payload)
        _check_unit(address, report.unit)
        if report.clock == "unsynced" and not EARLIEST_NS <= report.t_ns <= now_ns + AHEAD_NS_MAX:
            report = report.model_copy(update={"t_ns": now_ns})  # a unit without a clock is well all the same
        _check_time(report.t_ns, now_ns)
        place = self._place(address.unit, report.hub, report.t_ns)
        return Verdict(address=address, report=_within(report, max(place.since_ns, EARLIEST_NS)))

    def _state(self, address: Address, payload: bytes) -> Verdict:
        if not payload:
            return Verdict()  # a retained state was cleared
        state = message_of(State, payload)
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


def _fit(place: _Place, events: Sequence[Event], now_ns: int) -> bool:
    """Whether nothing is wrong with any of them."""
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
            return False
    return True


def _runs_fit(place: _Place, runs: Sequence[PassageRun], now_ns: int) -> bool:
    """The same of runs, without looking at each passage."""
    low = max(place.since_ns, EARLIEST_NS)
    high = min(place.until_ns - 1, now_ns + AHEAD_NS_MAX)
    return all(
        low <= min(run.t_ns)
        and max(run.t_ns) <= high
        and run.hub == place.hub
        and run.entrance in place.entrances
        and run.room in place.rooms
        and run.sensor in place.roles
        and _says_role(run)
        for run in runs
    )


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


def _is_filled_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value)


def _check_unit(address: Address, unit: str) -> None:
    if unit != address.unit:
        raise Bad("wrong_unit", f"the message says unit {unit!r}, its topic {address.unit!r}")


def _check_time(t_ns: int, now_ns: int) -> None:
    if t_ns < EARLIEST_NS:
        raise Bad("too_early", f"t_ns: {to_rfc3339(t_ns)} is before 2020; was the clock set?")
    if t_ns > now_ns + AHEAD_NS_MAX:
        raise Bad("too_late", f"t_ns: {to_rfc3339(t_ns)} is more than an hour ahead of {to_rfc3339(now_ns)}")


def _whole(topic: str, address: Address | None, payload: bytes, bad: Bad) -> Verdict:
    """Nothing of the message can be used; what it names is read as far as possible, so that its unit can be told."""
    epoch, seqs = named_in(payload)
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
