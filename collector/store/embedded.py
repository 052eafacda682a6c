"""The store without a server: one SQLite file."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from typing import Any

from collector.store.base import (
    QUARTER_MINUTES,
    QUARTER_NS,
    SEQ_MAX,
    Count,
    Coverage,
    Parcel,
    Quarter,
    Refused,
    Store,
    Stored,
    StoreUnavailable,
    Tally,
    minutes_between,
)
from collector.store.columns import COLUMNS, HEALTH_COLUMNS, MODELS, Column, getter, health_rows
from firmware_cfg.errors import ConfigError
from firmware_cfg.wire import KINDS, Event, Health, Kind

SCHEMA = 1
_SQL_TYPES = {"int": "INTEGER", "float": "REAL", "bool": "INTEGER", "word": "TEXT", "str": "TEXT", "json": "TEXT"}
_WAIT_S = 5.0
_CACHE_MAX = 100_000


def _columns_sql(columns: Sequence[Column]) -> str:
    return ", ".join(f'"{column.name}" {_SQL_TYPES[column.type]}' for column in columns)


def _schema() -> Iterator[str]:
    yield """CREATE TABLE series (
        id INTEGER PRIMARY KEY, kind TEXT NOT NULL, hub TEXT NOT NULL, unit TEXT NOT NULL, sensor TEXT NOT NULL,
        entrance TEXT NOT NULL, room TEXT NOT NULL, UNIQUE (hub, kind, unit, sensor, entrance, room))"""
    yield "CREATE TABLE epoch (id INTEGER PRIMARY KEY, unit TEXT NOT NULL, epoch TEXT NOT NULL, UNIQUE (unit, epoch))"
    for kind in KINDS:
        yield f"""CREATE TABLE "{kind}" (
            series INTEGER NOT NULL, t_ns INTEGER NOT NULL, epoch_id INTEGER NOT NULL, seq INTEGER NOT NULL,
            {_columns_sql(COLUMNS[kind])}, PRIMARY KEY (series, t_ns, epoch_id, seq)) WITHOUT ROWID"""
    yield f"""CREATE TABLE health (
        series INTEGER NOT NULL, t_ns INTEGER NOT NULL, {_columns_sql(HEALTH_COLUMNS)},
        PRIMARY KEY (series, t_ns)) WITHOUT ROWID"""
    yield """CREATE TABLE quarter (
        series INTEGER NOT NULL, t_ns INTEGER NOT NULL,
        persons_in INTEGER, persons_out INTEGER, persons_unknown INTEGER, variance_in REAL, variance_out REAL,
        events INTEGER, PRIMARY KEY (series, t_ns)) WITHOUT ROWID"""
    yield """CREATE TABLE dirty (
        series INTEGER NOT NULL, t_ns INTEGER NOT NULL, PRIMARY KEY (series, t_ns)) WITHOUT ROWID"""
    yield """CREATE TABLE coverage (
        series INTEGER NOT NULL, t_ns INTEGER NOT NULL, minutes INTEGER NOT NULL,
        PRIMARY KEY (series, t_ns)) WITHOUT ROWID"""


def _insert_sql(table: str, columns: Sequence[Column], keys: int) -> str:
    return f'INSERT OR IGNORE INTO "{table}" VALUES ({", ".join("?" * (keys + len(columns)))})'  # noqa: S608 - our own names


_INSERTS = {kind: _insert_sql(kind, COLUMNS[kind], 4) for kind in KINDS}
_INSERT_HEALTH = _insert_sql("health", HEALTH_COLUMNS, 2)
_GETTERS = {kind: getter(kind) for kind in KINDS}
_JSON_KINDS = {kind for kind in KINDS if any(column.type == "json" for column in COLUMNS[kind])}
_PLACE = attrgetter("kind", "hub", "sensor", "entrance", "room")

_COUNTED = frozenset[Kind](("passage", "counter"))
_DIRTY = """FROM dirty d JOIN series s ON s.id = d.series WHERE s.hub = ? AND d.t_ns >= ? AND d.t_ns < ?"""
_SUM = f"""INSERT OR REPLACE INTO quarter
SELECT d.series, d.t_ns, {{persons}}, count(*)
FROM dirty d JOIN series s ON s.id = d.series
JOIN {{kind}} e ON e.series = d.series AND e.t_ns >= d.t_ns AND e.t_ns < d.t_ns + {QUARTER_NS}
WHERE s.hub = ? AND s.kind = '{{kind}}' AND d.t_ns >= ? AND d.t_ns < ? AND e.role = 'counting'
GROUP BY d.series, d.t_ns"""  # noqa: S608 - filled in below with our own words
_SUMS = (
    _SUM.format(
        kind="passage",
        persons="""sum(CASE direction WHEN 'in' THEN persons ELSE 0 END),
        sum(CASE direction WHEN 'out' THEN persons ELSE 0 END),
        sum(CASE direction WHEN 'unknown' THEN persons ELSE 0 END),
        total(CASE direction WHEN 'in' THEN persons * persons * confidence * (1 - confidence) END),
        total(CASE direction WHEN 'out' THEN persons * persons * confidence * (1 - confidence) END)""",
    ),
    _SUM.format(kind="counter", persons='sum("in"), sum("out"), 0, 0.0, 0.0'),
)
_COUNTS_SQL = """
SELECT q.t_ns, s.unit, s.sensor, s.entrance,
       q.persons_in, q.persons_out, q.persons_unknown, q.variance_in, q.variance_out, q.events
FROM series s JOIN quarter q ON q.series = s.id
WHERE s.hub = ? AND q.t_ns >= ? AND q.t_ns < ?
ORDER BY q.t_ns, s.unit, s.sensor, s.entrance"""
_FULL = (1 << QUARTER_MINUTES) - 1
_COVERAGE_SQL = """
SELECT c.t_ns, s.unit, s.sensor, c.minutes FROM series s JOIN coverage c ON c.series = s.id
WHERE s.hub = ? AND s.kind = 'health' AND c.t_ns >= ? AND c.t_ns < ?
ORDER BY c.t_ns, s.unit, s.sensor"""


class EmbeddedStore(Store):
    """Rows are clustered by series and time; every long name is an integer.

    The key ends with the outbox and sequence number, so that a resend is ignored and another event at the very same
    nanosecond is not. Two tables are derived, in the same transactions as what they are derived from:

    - `coverage` has a bit for each minute in which a sensor was reported to work; setting it again changes nothing.
    - `quarter` has the sums of 15 minutes. A write marks those that it touches in `dirty`; the next question that
      needs them sums their events anew. Nothing is ever added to a sum.

    Raises ConfigError where the file cannot be used, or was made by a newer Foyer.
    """

    def __init__(self, path: Path) -> None:
        self.name = f"sqlite:{path}"
        self._lock = threading.Lock()
        self._read_lock = threading.Lock()
        self._series: dict[tuple[Any, ...], int] = {}
        self._epochs: dict[tuple[str, str], int] = {}
        try:
            self._db = _open(path)
            self._reader = _open(path)
            self._prepare(path)
        except sqlite3.Error as error:
            raise ConfigError(
                f"--store {self.name}: cannot be used: {error}; it must be a file we may write"
            ) from error

    def _prepare(self, path: Path) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA:
            raise ConfigError(
                f"--store {self.name}: {path} has schema {version}, this Foyer knows {SCHEMA}: upgrade Foyer first"
            )
        if version == 0:
            with self._transaction() as db:
                for statement in _schema():
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {SCHEMA}")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield self._db
            self._db.execute("COMMIT")
        except BaseException as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self._series.clear()  # ids given out in a transaction that is undone are void
            self._epochs.clear()
            if isinstance(error, sqlite3.Error):
                raise StoreUnavailable(f"store {self.name}: {error}") from error
            raise

    def write(self, parcels: Sequence[Parcel], reports: Sequence[Health] = ()) -> list[Refused]:
        with self._lock, self._transaction() as db:
            for kind, rows in self._rows(parcels).items():
                db.executemany(_INSERTS[kind], rows)
                if kind in _COUNTED:
                    touched = {(row[0], row[1] - row[1] % QUARTER_NS) for row in rows}
                    db.executemany("INSERT OR IGNORE INTO dirty VALUES (?, ?)", touched)
            if reports:
                rows = list(self._health_rows(reports))
                db.executemany(_INSERT_HEALTH, rows)
                for series, t_ns, *values in rows:
                    ok_since_ns, ok = values[-2:]
                    if ok is not False:  # of a sensor that works, or of the unit
                        self._cover(series, t_ns, ok_since_ns)
        return []

    def _rows(self, parcels: Sequence[Parcel]) -> dict[Kind, list[tuple[Any, ...]]]:
        rows: dict[Kind, list[tuple[Any, ...]]] = defaultdict(list)
        for parcel in parcels:
            unit = parcel.unit
            epoch_id = self._epoch_id(unit, parcel.epoch)
            for event in parcel.events:
                kind = event.kind
                values = _GETTERS[kind](event)
                if kind in _JSON_KINDS:
                    values = tuple(json.dumps(value) if isinstance(value, list) else value for value in values)
                place = (unit, *_PLACE(event))
                series = self._series.get(place) or self._series_id(place)
                rows[kind].append((series, event.t_ns, epoch_id, event.seq, *values))
        return rows

    def _health_rows(self, reports: Sequence[Health]) -> Iterator[tuple[Any, ...]]:
        for report in reports:
            for sensor, values in health_rows(report):
                place = (report.unit, "health", report.hub, sensor, None, None)
                series = self._series.get(place) or self._series_id(place)
                yield (series, report.t_ns, *values)

    def _cover(self, series: int, t_ns: int, since_ns: int | None) -> None:
        """Back to `since_ns`, or to the first quarter that is full: whoever filled it went on from there."""
        for quarter_ns, bits in minutes_between(t_ns if since_ns is None else since_ns, t_ns):
            key = (series, quarter_ns)
            row = self._db.execute("SELECT minutes FROM coverage WHERE series = ? AND t_ns = ?", key).fetchone()
            known = row[0] if row else 0
            if known | bits != known:
                self._db.execute("INSERT OR REPLACE INTO coverage VALUES (?, ?, ?)", (*key, known | bits))
            elif known == _FULL and quarter_ns + QUARTER_NS <= t_ns:
                return

    def _series_id(self, place: tuple[Any, ...]) -> int:
        unit, kind, hub, sensor, entrance, room = place
        key = (hub, kind, unit, sensor, entrance or "", room or "")
        sql = "INSERT OR IGNORE INTO series (hub, kind, unit, sensor, entrance, room) VALUES (?, ?, ?, ?, ?, ?)"
        self._db.execute(sql, key)
        sql = "SELECT id FROM series WHERE hub=? AND kind=? AND unit=? AND sensor=? AND entrance=? AND room=?"
        if len(self._series) >= _CACHE_MAX:
            self._series.clear()
        self._series[place] = self._db.execute(sql, key).fetchone()[0]
        return self._series[place]

    def _epoch_id(self, unit: str, epoch: str) -> int:
        key = (unit, epoch)
        if key not in self._epochs:
            self._db.execute("INSERT OR IGNORE INTO epoch (unit, epoch) VALUES (?, ?)", key)
            if len(self._epochs) >= _CACHE_MAX:
                self._epochs.clear()
            row = self._db.execute("SELECT id FROM epoch WHERE unit = ? AND epoch = ?", key).fetchone()
            self._epochs[key] = row[0]
        return self._epochs[key]

    def _read(self, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        try:
            with self._read_lock:
                return self._reader.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise StoreUnavailable(f"store {self.name}: {error}") from error

    def ping(self) -> None:
        self._read("SELECT id FROM series LIMIT 1", ())

    def counts_15m(self, hub: str, start_ns: int, end_ns: int) -> list[Quarter]:
        window = (hub, start_ns, end_ns)
        if self._read(f"SELECT 1 {_DIRTY} LIMIT 1", window):
            with self._lock, self._transaction() as db:
                for sql in _SUMS:
                    db.execute(sql, window)
                db.execute(f"DELETE FROM dirty WHERE (series, t_ns) IN (SELECT d.series, d.t_ns {_DIRTY})", window)  # noqa: S608 - our own words
        rows = self._read(_COUNTS_SQL, window)
        return [Quarter(row[0], row[1], row[2], row[3] or None, Count(*row[4:])) for row in rows]

    def coverage_15m(self, hub: str, start_ns: int, end_ns: int) -> list[Coverage]:
        rows = self._read(_COVERAGE_SQL, (hub, start_ns, end_ns))
        return [Coverage(t_ns, unit, sensor, minutes.bit_count()) for t_ns, unit, sensor, minutes in rows]

    def events(
        self, kind: Kind, hub: str, start_ns: int, end_ns: int, *, limit: int, newest_first: bool = False
    ) -> list[Stored]:
        order = "DESC" if newest_first else "ASC"
        sql = f"""SELECT s.unit, p.epoch, s.sensor, s.entrance, s.room, e.*
            FROM series s JOIN "{kind}" e ON e.series = s.id JOIN epoch p ON p.id = e.epoch_id
            WHERE s.hub = ? AND s.kind = ? AND e.t_ns >= ? AND e.t_ns < ?
            ORDER BY e.t_ns {order}, e.seq {order} LIMIT ?"""  # noqa: S608 - our own words
        return [_stored(kind, hub, row) for row in self._read(sql, (hub, kind, start_ns, end_ns, limit))]

    def tally(self, unit: str, epoch: str, first: int = 1, last: int = SEQ_MAX) -> dict[Kind, Tally]:
        tallies: dict[Kind, Tally] = {}
        for kind in KINDS:
            sql = f"""SELECT count(*), count(DISTINCT e.seq)
                FROM series s JOIN "{kind}" e ON e.series = s.id JOIN epoch p ON p.id = e.epoch_id
                WHERE s.unit = ? AND s.kind = ? AND p.epoch = ? AND e.seq BETWEEN ? AND ?"""  # noqa: S608 - our own words
            ((rows, distinct),) = self._read(sql, (unit, kind, epoch, first, last))
            if rows:
                tallies[kind] = Tally(rows, distinct)
        return tallies

    def close(self) -> None:
        with self._lock, self._read_lock:
            self._reader.close()
            self._db.close()


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA cache_size = -16384")
    return db


def _stored(kind: Kind, hub: str, row: tuple[Any, ...]) -> Stored:
    unit, epoch, sensor, entrance, room, _series, t_ns, _epoch_id, seq, *values = row
    fields: dict[str, Any] = {"hub": hub, "sensor": sensor, "kind": kind, "seq": seq, "t_ns": t_ns}
    fields |= {"entrance": entrance or None, "room": room or None}
    for column, value in zip(COLUMNS[kind], values, strict=True):
        if value is not None:
            fields[column.name] = _read_back(column, value)
    event: Event = MODELS[kind].model_validate(fields)
    return Stored(unit, epoch, event)


def _read_back(column: Column, value: Any) -> Any:
    if column.type == "json":
        return json.loads(value)
    return bool(value) if column.type == "bool" else value
