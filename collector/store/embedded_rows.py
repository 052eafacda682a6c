"""From events to the embedded store's rows and back. Pure but for the numbers of words, which are given."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from collector.store.base import Stored
from collector.store.columns import COLUMNS, HEALTH_COLUMNS, MODELS, Column
from firmware_cfg.wire import KINDS, Event, Kind

_KEYS = {"health": ("series", "t_ns")}
_EVENT_KEY = ("series", "t_ns", "epoch_id", "seq")
_ROWS_AT_ONCE = (1000, 100, 10, 1)
"""In one statement: while SQLite works on it Python's other threads go on, and do not let it back soon."""
_PLACE = 4


def values_sql(table: str, rows: int = 1) -> str:
    """Columns by name and holes for `rows` rows."""
    columns: Sequence[Column] = HEALTH_COLUMNS if table == "health" else COLUMNS[table]  # type: ignore[index]  # a kind
    names = [*_KEYS.get(table, _EVENT_KEY), *(column.name for column in columns)]
    named = ", ".join(f'"{name}"' for name in names)
    row = f"({', '.join('?' * len(names))})"
    return f"({named}) VALUES {', '.join([row] * rows)}"


_WIDTH = {kind: len(_EVENT_KEY) + len(COLUMNS[kind]) for kind in KINDS}
_INSERTS = {
    kind: [(rows, f'INSERT OR IGNORE INTO "{kind}" {values_sql(kind, rows)}') for rows in _ROWS_AT_ONCE]
    for kind in KINDS
}


def inserts(kind: Kind, flat: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    """Statements for these values, row after row: as many as possible in each."""
    first = 0
    for rows, sql in _INSERTS[kind]:
        step = rows * _WIDTH[kind]
        while len(flat) - first >= step:
            yield sql, flat[first : first + step]
            first += step


def coded(columns: Sequence[Column], values: Sequence[Any], words: Mapping[Any, Any]) -> tuple[Any, ...]:
    """Each word's number, or each number's word; what is no word stays as it is, but for SQLite's bools."""
    return tuple(
        value if value is None else words[value] if column.type == "word" else _CASTS.get(column.type, _same)(value)
        for column, value in zip(columns, values, strict=True)
    )


def _same(value: Any) -> Any:
    return value


_CASTS: dict[str, Callable[[Any], Any]] = {"bool": bool}


class EventRows:
    """Values of an event for its table, with words as numbers."""

    def __init__(self, words: Mapping[str, int]) -> None:
        self._words: dict[str | None, int | None] = dict(words.items()) | {None: None}
        self._takers = {kind: _taker(kind) for kind in KINDS}

    def of(self, event: Event) -> tuple[tuple[Any, ...], int, Sequence[Any]]:
        """(sensor, hub, entrance, room), t_ns, and seq with the values of the columns."""
        take, word_places, json_places = self._takers[event.kind]
        values = take(event.__dict__)
        row = list(values[_PLACE + 1 :])
        words = self._words
        for index in word_places:
            row[index] = words[row[index]]
        for index in json_places:
            row[index] = json.dumps(row[index])
        return values[:_PLACE], values[_PLACE], row


def _taker(kind: Kind) -> tuple[Callable[[dict[str, Any]], tuple[Any, ...]], list[int], list[int]]:
    columns = COLUMNS[kind]
    take = itemgetter("sensor", "hub", "entrance", "room", "t_ns", "seq", *(column.attribute for column in columns))
    of_type = {
        wanted: [index for index, column in enumerate(columns, 1) if column.type == wanted]
        for wanted in ("word", "json")
    }
    return take, of_type["word"], of_type["json"]


def read_back(kind: Kind) -> str:
    """A SELECT, as far as its WHERE, of what `stored` takes."""
    names = ", ".join(f'e."{column.name}"' for column in COLUMNS[kind])
    return f"""SELECT e.series, e.t_ns, e.epoch_id, e.seq, s.hub, s.unit, p.epoch, s.sensor, s.entrance, s.room, {names}
        FROM series s JOIN "{kind}" e ON e.series = s.id JOIN epoch p ON p.id = e.epoch_id"""  # noqa: S608 - our own words


def stored(kind: Kind, row: Sequence[Any], texts: Mapping[int, str]) -> Stored:
    _series, t_ns, _epoch_id, seq, hub, unit, epoch, sensor, entrance, room, *values = row
    fields: dict[str, Any] = {"hub": hub, "sensor": sensor, "kind": kind, "seq": seq, "t_ns": t_ns}
    fields |= {"entrance": entrance or None, "room": room or None}
    for column, value in zip(COLUMNS[kind], coded(COLUMNS[kind], values, texts), strict=True):
        if value is not None:
            fields[column.name] = json.loads(value) if column.type == "json" else value
    event: Event = MODELS[kind].model_validate(fields)
    return Stored(unit, epoch, event)
