"""InfluxDB's line protocol and the quoting of InfluxQL, as text. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from collector.store.columns import Column, Type

TAGS = ("entrance", "hub", "room", "sensor", "unit")
"""In the order in which a server sorts them."""

_CACHE_MAX = 50_000
_heads: dict[tuple[str | None, ...], str] = {}


def _tag(text: str) -> str:
    """A tag's value: what would end it is escaped; a line break or trailing backslash cannot be said and is a blank."""
    text = text.replace("\n", " ").replace("\r", " ").rstrip("\\")
    return text.replace(",", "\\,").replace("=", "\\=").replace(" ", "\\ ")


def _string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


_FORMATS: dict[Type, Callable[[Any], str]] = {
    "int": lambda value: f"{value}i",
    "float": repr,
    "bool": lambda value: "true" if value else "false",
    "str": _string,
    "json": lambda value: _string(json.dumps(value)),
}


def line(
    measurement: str,
    tags: tuple[str | None, ...],
    columns: Sequence[Column],
    values: Sequence[Any],
    t_ns: int,
    first: str = "",
) -> str:
    """One point. `tags` are the values of TAGS, None for one it has not; fields that are None are left out.

    `first` is a field or fields already formatted.
    """
    key = (measurement, *tags)
    head = _heads.get(key)
    if head is None:
        if len(_heads) >= _CACHE_MAX:
            _heads.clear()
        head = measurement + "".join(
            f",{name}={_tag(value)}" for name, value in zip(TAGS, tags, strict=True) if value is not None
        )
        _heads[key] = head
    fields = [
        f"{column.name}={_FORMATS[column.type](value)}"
        for column, value in zip(columns, values, strict=True)
        if value is not None
    ]
    if first:
        fields.append(first)
    return f"{head} {','.join(fields)} {t_ns}"


def literal(text: str) -> str:
    """A string in InfluxQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def key_text(text: str) -> str:
    """An identifier in InfluxQL."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
