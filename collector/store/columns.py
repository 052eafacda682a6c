"""The fields of each kind of event, read off the wire models once, so that no store lists them again."""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import Any, Literal, Union, get_args, get_origin

from firmware_cfg.wire import KINDS, Audit, Cabinet, Counter, Event, Fault, Health, Kind, Passage, Room, WireModel

Type = Literal["int", "float", "bool", "word", "str", "json"]
"""`word`: one of a few fixed words, in which nothing needs escaping."""

MODELS: dict[Kind, type[Event]] = {
    "passage": Passage,
    "counter": Counter,
    "room": Room,
    "cabinet": Cabinet,
    "fault": Fault,
    "audit": Audit,
}
IDENTITY = ("seq", "t_ns", "sensor", "hub", "entrance", "room", "kind")
"""What a row is found by: key or tag in a store, and no column of its own."""


@dataclass(frozen=True, slots=True)
class Column:
    """A field's name on the wire, which is its name in a store, and how to get at it in a model."""

    name: str
    attribute: str
    type: Type
    words: tuple[str, ...] = ()


def _words(annotation: Any) -> tuple[str, ...]:
    """The words of a Literal, also where it may be None."""
    if get_origin(annotation) is Literal:
        return tuple(get_args(annotation))
    return tuple(word for part in get_args(annotation) for word in _words(part))


def _type(annotation: Any) -> Type:
    if get_origin(annotation) in (Union, types.UnionType):
        return _type(next(part for part in get_args(annotation) if part is not types.NoneType))
    if get_origin(annotation) is Literal:
        return "word"
    if get_origin(annotation) is list:
        return "json"
    if hasattr(annotation, "__metadata__"):
        return _type(get_args(annotation)[0])
    names: dict[Any, Type] = {int: "int", float: "float", bool: "bool", str: "str"}
    return names[annotation]


def _columns(model: type[WireModel]) -> tuple[Column, ...]:
    return tuple(
        Column(field.alias or attribute, attribute, _type(field.annotation), _words(field.annotation))
        for attribute, field in model.model_fields.items()
        if attribute not in IDENTITY
    )


COLUMNS: dict[Kind, tuple[Column, ...]] = {kind: _columns(MODELS[kind]) for kind in KINDS}

_HEALTH_FIELDS = (
    Column("epoch", "epoch", "str"),
    Column("session", "session", "str"),
    Column("clock", "clock", "word", _words(Health.model_fields["clock"].annotation)),
    Column("version", "version", "str"),
    Column("uptime_s", "uptime_s", "float"),
    Column("temperature_c", "temperature_c", "float"),
    Column("outbox_depth", "outbox.depth", "int"),
    Column("outbox_oldest_age_s", "outbox.oldest_age_s", "float"),
    Column("outbox_dropped", "outbox.dropped", "int"),
    Column("outbox_bytes", "outbox.bytes", "int"),
)
_SENSOR_FIELDS = (
    Column("in", "in_", "int"),
    Column("out", "out", "int"),
    Column("edges", "edges", "int"),
    Column("lost_edges", "lost_edges", "int"),
    Column("chatter", "chatter", "int"),
    Column("ok_since_ns", "ok_since_ns", "int"),
    Column("ok", "ok", "bool"),
)
HEALTH_COLUMNS = (*_HEALTH_FIELDS, *_SENSOR_FIELDS)
_OF_UNIT = attrgetter(*(column.attribute for column in _HEALTH_FIELDS))
_OF_SENSOR = attrgetter(*(column.attribute for column in _SENSOR_FIELDS))
_NO_UNIT = (None,) * len(_HEALTH_FIELDS)
_NO_SENSOR = (None,) * len(_SENSOR_FIELDS)

PLACE = ("sensor", "hub", "entrance", "room")

Alike = tuple[Any, ...]
"""The values of PLACE, then those of the columns that are words."""
WORDS = {kind: tuple(column for column in COLUMNS[kind] if column.type == "word") for kind in KINDS}
OTHERS = {kind: tuple(column for column in COLUMNS[kind] if column.type != "word") for kind in KINDS}
ALIKE: dict[Kind, Callable[[dict[str, Any]], Alike]] = {
    kind: itemgetter(*PLACE, *(column.attribute for column in WORDS[kind])) for kind in KINDS
}
"""From what an event says to what thousands of events say alike, so that it is looked up at once."""

UNIT_ROW = "unit"
"""The `sensor` of the health row that is about the unit itself; its `ok` is empty."""


def health_rows(report: Health) -> list[tuple[str, tuple[Any, ...]]]:
    """One row for the unit and one a sensor: (sensor, values of HEALTH_COLUMNS)."""
    rows: list[tuple[str, tuple[Any, ...]]] = [(UNIT_ROW, _OF_UNIT(report) + _NO_SENSOR)]
    rows += [(name, _NO_UNIT + _OF_SENSOR(sensor)) for name, sensor in report.sensors.items()]
    return rows
