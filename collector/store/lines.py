"""InfluxDB's line protocol and the quoting of InfluxQL, as text. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from collector.store.columns import Column, Type

TAGS = ("entrance", "hub", "room", "sensor", "unit")
"""In the order in which a server sorts them."""

_CACHE_MAX = 50_000


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
        self._whole = self._template(range(len(columns)))
        self._templates: dict[tuple[int, ...], str] = {}

    def _template(self, indices: Iterable[int]) -> str:
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
            template = self._templates[present] = self._template(present)
        return template % tuple(values[index] for index in present)


def literal(text: str) -> str:
    """A string in InfluxQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def key_text(text: str) -> str:
    """An identifier in InfluxQL."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
