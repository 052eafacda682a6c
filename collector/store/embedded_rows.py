"""From events to the embedded store's rows and back. Pure but for the numbers of words, which are given."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, repeat
from operator import itemgetter
from typing import Any

from collector.store.base import Stored
from collector.store.columns import COLUMNS, HEALTH_COLUMNS, MODELS, OTHERS, PLACE, WORDS, Alike, Column
from collector.store.runs import filled
from firmware_cfg.wire import KINDS, Event, Kind, PassageRun

_ROWS_AT_ONCE = (1000, 100, 10, 1)
"""In one statement: while SQLite works on it Python's other threads go on, and do not let it back soon."""


def _names(kind: Kind) -> list[str]:
    """A row's columns in the order in which they are written: series, outbox and words, then what REST gives."""
    words, rest = ([column.name for column in columns[kind]] for columns in (WORDS, OTHERS))
    return ["series", "epoch_id", *words, "t_ns", "seq", *rest]


def _values_sql(names: Sequence[str], rows: int = 1) -> str:
    """Columns by name and holes for `rows` rows."""
    named = ", ".join(f'"{name}"' for name in names)
    row = f"({', '.join('?' * len(names))})"
    return f"({named}) VALUES {', '.join([row] * rows)}"


_WIDTH = {kind: len(_names(kind)) for kind in KINDS}
_INSERTS = {
    kind: [(rows, f'INSERT OR IGNORE INTO "{kind}" {_values_sql(_names(kind), rows)}') for rows in _ROWS_AT_ONCE]
    for kind in KINDS
}
INSERT_HEALTH = (
    f"INSERT OR IGNORE INTO health {_values_sql(['series', 't_ns', *(column.name for column in HEALTH_COLUMNS)])}"
)


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


def word_numbers(alike: Alike, words: Mapping[str, int]) -> tuple[int | None, ...]:
    """Those of the columns that are words."""
    return tuple(None if word is None else words[word] for word in alike[len(PLACE) :])


def _rest(kind: Kind) -> Callable[[dict[str, Any]], Sequence[Any]]:
    take = itemgetter("t_ns", "seq", *(column.attribute for column in OTHERS[kind]))
    texts = [index for index, column in enumerate(OTHERS[kind], 2) if column.type == "json"]

    def take_and_write(said: dict[str, Any]) -> Sequence[Any]:
        row = list(take(said))
        for index in texts:
            row[index] = json.dumps(row[index])
        return row

    return take_and_write if texts else take


REST = {kind: _rest(kind) for kind in KINDS}
"""From what an event says to the rest of its row: the time first."""
_RUN_NAMES = _names("passage")[2:]


def run_values(run: PassageRun, series: int, epoch_id: int, words: Mapping[str, int]) -> Iterator[Any]:
    """The values of a run's rows, row after row."""
    said = filled(run)
    said["direction"] = [words[direction] for direction in run.direction]
    alike = {"clock": repeat(words[run.clock]), "role": repeat(words[run.role])}
    columns = (said[name] if name in said else alike[name] for name in _RUN_NAMES)
    return chain.from_iterable(zip(repeat(series), repeat(epoch_id), *columns, strict=False))


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
