"""From a message's bytes to what it says, or why it says nothing. Pure."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from collector.store.base import SEQ_MAX
from collector.store.runs import NoRun, spread
from firmware_cfg.load import explain
from firmware_cfg.wire import BATCH_EVENTS_MAX, KINDS, Event, RawBatch, WireModel, event_adapter

PARSED_BYTES_MAX = 1024 * 1024  # an oversized batch is still read for its sequence numbers, up to here
REASON_CHARS_MAX = 300

_M = TypeVar("_M", bound=WireModel)


class Bad(Exception):  # noqa: N818 - it leaves `collector.ingest` only as a DeadLetter
    """What is wrong with a message or event: a `code` for counting, a `reason` for people."""

    def __init__(self, code: str, reason: str) -> None:
        self.code = code
        self.reason = reason


def value_of(payload: bytes) -> Any:
    """Raises Bad, as all here do."""
    try:
        return from_json(payload)
    except ValueError as error:
        raise Bad("json", f"is not JSON: {error}"[:REASON_CHARS_MAX]) from error


def message_of(model: type[_M], payload: bytes) -> _M:
    try:
        return model.model_validate_json(payload)
    except ValidationError as error:
        raise _why(error, payload) from error


def event_of(raw: Any) -> Event:
    """`raw` is an event in JSON's values, or so it should be."""
    if not isinstance(raw, dict):
        raise Bad("invalid", "event: is not a JSON object")
    if isinstance(raw, NoRun):
        raise Bad("invalid", "run: its columns are not lists of one length")
    if "kind" not in raw:
        raise Bad("invalid", f"kind: is missing; known: {', '.join(KINDS)}")
    if raw["kind"] not in KINDS:
        raise Bad("unknown_kind", f"kind: {raw['kind']!r:.40} is not known; known: {', '.join(KINDS)}")
    try:
        return event_adapter.validate_json(to_json(raw, inf_nan_mode="constants"))
    except ValidationError as error:
        raise Bad("invalid", explain(error, root="event")[0][:REASON_CHARS_MAX]) from error


def events_of(batch: RawBatch) -> list[Any]:
    """All of them, those in runs singly; each for `event_of` to judge."""
    events = [*batch.events, *spread(batch.runs)]
    if not events:
        raise Bad("invalid", "events: there are none")
    if len(events) > BATCH_EVENTS_MAX:
        raise Bad("too_many", f"batch of {len(events)} events; at most {BATCH_EVENTS_MAX} are allowed")
    return events


def numbers_in(raw: Any) -> tuple[int, ...]:
    """The sequence number of an event, or those of a `NoRun`, as far as they can be read."""
    seq = raw.get("seq") if isinstance(raw, dict) else None
    seqs = seq if isinstance(raw, NoRun) and isinstance(seq, list) else [seq]
    return tuple(seq for seq in seqs if type(seq) is int and 1 <= seq <= SEQ_MAX)


def named_in(payload: bytes) -> tuple[str | None, tuple[int, ...]]:
    """Epoch and sequence numbers of a message of which nothing else can be used. Never raises."""
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
    events, runs = (raw[key] if isinstance(raw.get(key), list) else [] for key in ("events", "runs"))
    parts = [*events, *(NoRun(run) for run in runs if isinstance(run, dict))]
    return epoch, tuple(seq for part in parts for seq in numbers_in(part))


def _why(error: ValidationError, payload: bytes) -> Bad:
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return Bad("json", f"is not JSON: {first['msg']}"[:REASON_CHARS_MAX])
    raw = from_json(payload)
    if not isinstance(raw, dict):
        return Bad("invalid", "is not a JSON object")
    if "v" in raw and raw["v"] != 1:
        return Bad("version", f"v: {raw['v']!r:.40} is not a version that this collector knows (1)")
    return Bad("invalid", explain(error, root="message")[0][:REASON_CHARS_MAX])
