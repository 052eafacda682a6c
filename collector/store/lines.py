"""InfluxDB's line protocol and the quoting of InfluxQL, as text. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter, itemgetter, mod
from typing import Any

from pydantic_core import to_json

from collector.store.base import Parcel
from collector.store.columns import ALIKE, OTHERS, PLACE, WORDS, Alike, Column, Type
from collector.store.runs import filled
from firmware_cfg.wire import KINDS, Event, Kind, PassageRun

TAGS = ("entrance", "hub", "room", "sensor", "unit")
"""In the order in which a server sorts them."""

_CACHE_MAX = 50_000
_BEGINS_MAX = 1_000
"""Of one outbox: the words of a few sensors."""


def _tag(text: str) -> str:
    """A tag's value: what would end it is escaped; a line break or trailing backslash cannot be said and is a blank."""
    text = text.replace("\n", " ").replace("\r", " ").rstrip("\\")
    return text.replace(",", "\\,").replace("=", "\\=").replace(" ", "\\ ")


def _string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _json(value: Any) -> str:
    return _string(json.dumps(value))


_PLACEHOLDERS: dict[Type, str] = {"int": "%di", "float": "%r", "word": '"%s"', "bool": "%s", "str": "%s", "json": "%s"}
_PREPARE: dict[Type, Callable[[Any], str]] = {"bool": _boolean, "str": _string, "json": _json}
"""What must be done to a value before it goes into a template; the other types go in as they are."""


class Measurement:
    """Formats the points of one measurement; fields that are None are left out."""

    def __init__(self, name: str, columns: Sequence[Column]) -> None:
        self._name = name
        self._columns = columns
        self._prepared = [(index, _PREPARE[c.type]) for index, c in enumerate(columns) if c.type in _PREPARE]
        self._heads: dict[tuple[str | None, ...], str] = {}
        self._whole = self.template(range(len(columns)))
        self._templates: dict[tuple[int, ...], str] = {}

    def template(self, indices: Iterable[int]) -> str:
        """Those of its fields, in which `%` puts values that need no preparing."""
        chosen = [self._columns[index] for index in indices]
        return ",".join(f"{column.name}={_PLACEHOLDERS[column.type]}" for column in chosen)

    def head(self, tags: tuple[str | None, ...]) -> str:
        """Name and tags; `tags` are the values of TAGS, None for one that the point has not."""
        head = self._heads.get(tags)
        if head is None:
            if len(self._heads) >= _CACHE_MAX:
                self._heads.clear()
            head = self._heads[tags] = self._name + "".join(
                f",{name}={_tag(value)}" for name, value in zip(TAGS, tags, strict=True) if value is not None
            )
        return head

    def fields(self, values: tuple[Any, ...]) -> str:
        """The fields of a point, in the order of the columns."""
        if self._prepared:
            changed = list(values)
            for index, prepare in self._prepared:
                if changed[index] is not None:
                    changed[index] = prepare(changed[index])
            values = tuple(changed)
        if None not in values:
            return self._whole % values
        present = tuple(index for index, value in enumerate(values) if value is not None)
        template = self._templates.get(present)
        if template is None:  # there are as many as a unit has ways not to know something: few
            if len(self._templates) >= _CACHE_MAX:
                self._templates.clear()
            template = self._templates[present] = self.template(present)
        return template % tuple(values[index] for index in present)


def _texts(column: list[Any]) -> list[Any]:
    """Floats as texts, for which `repr` takes several times as long; other numbers as they are."""
    return to_json(column)[1:-1].decode().split(",") if type(column[0]) is float else column


class EventLines:
    """The points of events of one kind. What thousands of them say alike, tags and words, is written down once."""

    def __init__(self, kind: Kind) -> None:
        self._alike = ALIKE[kind]
        self._take = itemgetter("seq", *(column.attribute for column in OTHERS[kind]))
        self._words = Measurement(kind, WORDS[kind])
        self._rest = Measurement(kind, (Column("seq", "seq", "int"), *OTHERS[kind]))
        self._begins: dict[tuple[str, str], dict[Alike, str]] = {}

    def lines(self, unit: str, epoch: str, events: Iterable[Event]) -> Iterator[str]:
        """One for each, in their order."""
        begins, fields = self._begins_of(unit, epoch), self._rest.fields
        for event in events:
            said = event.__dict__  # read in half the time of as many attributes
            alike = self._alike(said)
            begin = begins.get(alike)
            if begin is None:
                if len(begins) >= _BEGINS_MAX:
                    begins.clear()
                begin = begins[alike] = self._begin(unit, epoch, alike)
            yield f"{begin}{fields(self._take(said))} {said['t_ns']}"

    def run_lines(self, unit: str, epoch: str, run: PassageRun) -> Iterator[str]:
        """The same of passages in columns."""
        said, alike = filled(run), run.__dict__
        columns = [said[name] for name in ("seq", *(column.attribute for column in OTHERS["passage"]))]
        known = [index for index, column in enumerate(columns) if column.count(None) < len(column)]
        begins = {
            direction: self._begin(unit, epoch, self._alike({**alike, "direction": direction}))
            for direction in set(run.direction)
        }
        if any(None in columns[index] for index in known):
            for direction, values, t_ns in zip(run.direction, zip(*columns, strict=True), run.t_ns, strict=True):
                yield f"{begins[direction]}{self._rest.fields(values)} {t_ns}"
            return
        rest = f"{self._rest.template(known).replace('%r', '%s')} %d"
        wholes = {direction: begin.replace("%", "%%") + rest for direction, begin in begins.items()}
        rows = zip(*(_texts(columns[index]) for index in known), run.t_ns, strict=True)
        yield from map(mod, map(wholes.__getitem__, run.direction), rows)

    def _begins_of(self, unit: str, epoch: str) -> dict[Alike, str]:
        known = self._begins.get((unit, epoch))
        if known is None:
            if len(self._begins) >= _CACHE_MAX:
                self._begins.clear()
            known = self._begins[unit, epoch] = {}
        return known

    def _begin(self, unit: str, epoch: str, alike: Alike) -> str:
        said = dict(zip(PLACE, alike, strict=False)) | {"unit": unit}
        head = self._words.head(tuple(said[tag] for tag in TAGS))
        return f'{head} {self._words.fields(alike[len(PLACE) :])},epoch="{epoch}",'


_EVENTS = {kind: EventLines(kind) for kind in KINDS}
_KIND = attrgetter("kind")


def event_lines(parcel: Parcel) -> Iterator[str]:
    """One for each of its events, in the order of `Parcel.events`."""
    for kind, events in groupby(parcel.single, _KIND):
        yield from _EVENTS[kind].lines(parcel.unit, parcel.epoch, events)
    for run in parcel.runs:
        yield from _EVENTS["passage"].run_lines(parcel.unit, parcel.epoch, run)


def literal(text: str) -> str:
    """A string in InfluxQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def key_text(text: str) -> str:
    """An identifier in InfluxQL."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
