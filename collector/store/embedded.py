"""The store without a server: one SQLite file."""

from __future__ import annotations

import fcntl
import secrets
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from collector.store import embedded_schema as schema
from collector.store.base import (
    QUARTER_MINUTES,
    QUARTER_NS,
    SEQ_MAX,
    Count,
    Coverage,
    Grain,
    HealthRow,
    Parcel,
    Quarter,
    Refused,
    Rollup,
    Store,
    Stored,
    StoreUnavailable,
    Tally,
    Touched,
    minutes_between,
    steps_of,
)
from collector.store.columns import ALIKE, HEALTH_COLUMNS, PLACE, Alike, health_rows
from collector.store.embedded_rows import (
    INSERT_HEALTH,
    REST,
    coded,
    inserts,
    read_back,
    run_values,
    stored,
    word_numbers,
)
from firmware_cfg.errors import ConfigError
from firmware_cfg.wire import KINDS, Event, Health, Kind

_CACHE_MAX = 100_000
_HEADS_MAX = 10_000
_TOUCHED_MAX = 50_000
_SCAN_ROWS = 5_000
_MARK_BITS = 62
_KIND = attrgetter("kind")

_HEALTH_NAMES = ", ".join(f'e."{column.name}"' for column in HEALTH_COLUMNS)
_HEALTH_ROWS = f"""SELECT e.series, e.t_ns, s.hub, s.unit, s.sensor, {_HEALTH_NAMES}
    FROM health e JOIN series s ON s.id = e.series"""  # noqa: S608 - our own names
_COUNTED = frozenset[Kind](("passage", "counter"))
_PERSONS = {
    "passage": """sum(CASE direction WHEN {in} THEN persons ELSE 0 END),
        sum(CASE direction WHEN {out} THEN persons ELSE 0 END),
        sum(CASE direction WHEN {unknown} THEN persons ELSE 0 END),
        total(CASE direction WHEN {in} THEN persons * persons * confidence * (1 - confidence) END),
        total(CASE direction WHEN {out} THEN persons * persons * confidence * (1 - confidence) END)""",
    "counter": 'sum("in"), sum("out"), 0, 0.0, 0.0',
}
_SUMS = " UNION ALL ".join(
    f"""SELECT d.series, d.t_ns, {persons}, count(*)
    FROM series s JOIN dirty d ON d.series = s.id
    JOIN {kind} e ON e.series = d.series AND e.t_ns >= d.t_ns AND e.t_ns < d.t_ns + {QUARTER_NS}
    WHERE s.hub = :hub AND s.kind = '{kind}' AND d.t_ns >= :start AND d.t_ns < :end AND e.role = {{counting}}
    GROUP BY d.series, d.t_ns"""  # noqa: S608 - filled in with our own words
    for kind, persons in _PERSONS.items()
)
_ROLLED = """SELECT q.* FROM series s JOIN quarter q ON q.series = s.id
    WHERE s.hub = :hub AND q.t_ns >= :start AND q.t_ns < :end"""
_CLEAN = "AND NOT EXISTS (SELECT 1 FROM dirty d WHERE d.series = q.series AND d.t_ns = q.t_ns)"
_QUARTERS = """SELECT q.t_ns, s.unit, s.sensor, s.entrance, sum(q.persons_in), sum(q.persons_out),
    sum(q.persons_unknown), sum(q.variance_in), sum(q.variance_out), sum(q.events)
    FROM ({rows}) q JOIN series s ON s.id = q.series
    GROUP BY q.t_ns, s.unit, s.sensor, s.entrance ORDER BY q.t_ns, s.unit, s.sensor, s.entrance"""
_FULL = (1 << QUARTER_MINUTES) - 1
_COVERAGE_SQL = """
SELECT c.t_ns, s.unit, s.sensor, c.minutes FROM series s JOIN coverage c ON c.series = s.id
WHERE s.hub = ? AND s.kind = 'health' AND c.t_ns >= ? AND c.t_ns < ?
ORDER BY c.t_ns, s.unit, s.sensor"""


def in_use_path(path: Path) -> Path:
    """Locked (shared) by every process that has the store open."""
    return Path(f"{path}.in-use")


class EmbeddedStore(Store):
    """Rows are clustered by series and time; long names and the words of the wire are integers.

    The key ends with the outbox and sequence number, so that a resend is ignored and another event at the very same
    nanosecond is not. In the same transaction as what it stores, a write

    - sets in `coverage` a bit for each minute in which a sensor was reported to work; again changes nothing;
    - marks in `dirty` the quarters of an hour that it touches, with a mark of its own. `quarter`, the sums of 15
      minutes, is true where there is none; elsewhere questions count the events, and a recount renews it.

    Of several processes with the same file one rolls up: who holds the lock on `PATH.rollup-lock`.
    Raises ConfigError where the file cannot be used, or was made by a newer Foyer.
    """

    batch_events = 3_000

    def __init__(self, path: Path) -> None:
        self.name = f"sqlite:{path}"
        self._path = path
        self._lock = threading.Lock()
        self._read_lock = threading.Lock()
        self._series: dict[tuple[str, Kind | str], dict[tuple[Any, ...], int]] = {}
        self._epochs: dict[tuple[str, str], int] = {}
        self._heads: dict[tuple[str, str, Kind], dict[Alike, tuple[int | None, ...]]] = {}
        """How a row begins, which is the same for thousands of events."""
        self._rolls = False
        try:
            with ExitStack() as held:
                fcntl.flock(held.enter_context(in_use_path(path).open("wb")), fcntl.LOCK_SH | fcntl.LOCK_NB)
                self._db = held.enter_context(closing(schema.connect(path)))
                schema.prepare(self._db, self.name)
                self._reader = held.enter_context(closing(schema.connect(path)))
                self._words = schema.words(self._db)
                self._held = held.pop_all()
        except BlockingIOError as error:
            raise ConfigError(f"--store {self.name}: is being restored; try again when that is done") from error
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(
                f"--store {self.name}: cannot be used: {error}; it must be a file we may write"
            ) from error
        self._texts = {number: text for text, number in self._words.items()}
        self._sums = _SUMS.format(**self._words)
        self._quarters_sql = _QUARTERS.format(rows=f"{_ROLLED} {_CLEAN} UNION ALL {self._sums}")

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
            self._heads.clear()
            if isinstance(error, sqlite3.Error):
                raise StoreUnavailable(f"store {self.name}: {error}") from error
            raise

    def write(self, parcels: Sequence[Parcel], reports: Sequence[Health] = ()) -> list[Refused]:
        with self._lock, self._transaction() as db:
            touched: set[tuple[int, int]] = set()
            values: dict[Kind, list[Any]] = defaultdict(list)
            for parcel in parcels:
                for kind, events in groupby(parcel.single, _KIND):
                    self._add(values[kind], (parcel.unit, parcel.epoch, kind), events, touched)
                for run in parcel.runs:
                    series = self._series_of(parcel.unit, "passage", (run.sensor, run.hub, run.entrance, run.room))
                    epoch_id = self._epoch_id(parcel.unit, parcel.epoch)
                    values["passage"] += run_values(run, series, epoch_id, self._words)
                    touched.update((series, number * QUARTER_NS) for number in steps_of(sorted(run.t_ns), QUARTER_NS))
            for kind, flat in values.items():
                for sql, part in inserts(kind, flat):
                    db.execute(sql, part)
            if reports:
                rows = [(report, sensor, row) for report in reports for sensor, row in health_rows(report)]
                touched |= self._put_health(
                    HealthRow(report.hub, report.unit, sensor, report.t_ns, row) for report, sensor, row in rows
                )
            self._mark(touched)
        return []

    def _add(
        self,
        flat: list[Any],
        which: tuple[str, str, Kind],
        events: Iterable[Event],
        touched: set[tuple[Any, int]],
    ) -> None:
        """Append the values of events of one outbox and kind, and what they touch as (series, quarter)."""
        kind = which[2]
        alike_of, rest_of, counted = ALIKE[kind], REST[kind], kind in _COUNTED
        heads = self._heads.get(which)
        if heads is None:
            if len(self._heads) >= _HEADS_MAX:
                self._heads.clear()
            heads = self._heads[which] = {}
        for event in events:
            said = event.__dict__
            alike = alike_of(said)
            head = heads.get(alike)
            if head is None:
                head = heads[alike] = self._head(which, alike)
            rest = rest_of(said)
            flat += head
            flat += rest
            if counted:
                touched.add((head[0], rest[0] - rest[0] % QUARTER_NS))

    def _head(self, which: tuple[str, str, Kind], alike: Alike) -> tuple[int | None, ...]:
        unit, epoch, kind = which
        series = self._series_of(unit, kind, alike[: len(PLACE)])
        return (series, self._epoch_id(unit, epoch), *word_numbers(alike, self._words))

    def put_health(self, rows: Sequence[HealthRow]) -> None:
        with self._lock, self._transaction():
            self._mark(self._put_health(rows))

    def _put_health(self, rows: Iterable[HealthRow]) -> set[tuple[int, int]]:
        """Returns what they touched, as (series, quarter)."""
        touched: set[tuple[int, int]] = set()
        for row in rows:
            series = self._series_of(row.unit, "health", (row.sensor, row.hub, None, None))
            self._db.execute(INSERT_HEALTH, (series, row.t_ns, *coded(HEALTH_COLUMNS, row.values, self._words)))
            ok_since_ns, ok = row.values[-2:]
            if ok is not False:  # of a sensor that works, or of the unit
                since_ns = row.t_ns if ok_since_ns is None else int(str(ok_since_ns))
                touched.update((series, quarter_ns) for quarter_ns in self._cover(series, row.t_ns, since_ns))
        return touched

    def _cover(self, series: int, t_ns: int, since_ns: int) -> Iterator[int]:
        """Back to `since_ns`, or to the first quarter that is full: whoever filled it went on from there.

        Yields the quarters that it changes.
        """
        for quarter_ns, bits in minutes_between(since_ns, t_ns):
            key = (series, quarter_ns)
            row = self._db.execute("SELECT minutes FROM coverage WHERE series = ? AND t_ns = ?", key).fetchone()
            known = row[0] if row else 0
            if known | bits != known:
                self._db.execute("INSERT OR REPLACE INTO coverage VALUES (?, ?, ?)", (*key, known | bits))
                yield quarter_ns
            elif known == _FULL and quarter_ns + QUARTER_NS <= t_ns:
                return

    def _mark(self, touched: Iterable[tuple[int, int]]) -> None:
        mark = secrets.randbits(_MARK_BITS)
        self._db.executemany("INSERT OR REPLACE INTO dirty VALUES (?, ?, ?)", [(*key, mark) for key in touched])

    def _series_of(self, unit: str, kind: str, place: tuple[Any, ...]) -> int:
        known = self._series.get((unit, kind))
        return (known and known.get(place)) or self._series_id(unit, kind, place)

    def _series_id(self, unit: str, kind: str, place: tuple[Any, ...]) -> int:
        sensor, hub, entrance, room = place
        key = (hub, kind, unit, sensor, entrance or "", room or "")
        sql = "INSERT OR IGNORE INTO series (hub, kind, unit, sensor, entrance, room) VALUES (?, ?, ?, ?, ?, ?)"
        self._db.execute(sql, key)
        sql = "SELECT id FROM series WHERE hub=? AND kind=? AND unit=? AND sensor=? AND entrance=? AND room=?"
        if len(self._series) >= _CACHE_MAX:
            self._series.clear()
        number = int(self._db.execute(sql, key).fetchone()[0])
        self._series.setdefault((unit, kind), {})[place] = number
        return number

    def _epoch_id(self, unit: str, epoch: str) -> int:
        key = (unit, epoch)
        if key not in self._epochs:
            self._db.execute("INSERT OR IGNORE INTO epoch (unit, epoch) VALUES (?, ?)", key)
            if len(self._epochs) >= _CACHE_MAX:
                self._epochs.clear()
            row = self._db.execute("SELECT id FROM epoch WHERE unit = ? AND epoch = ?", key).fetchone()
            self._epochs[key] = row[0]
        return self._epochs[key]

    def _read(self, sql: str, values: Any = ()) -> list[tuple[Any, ...]]:
        try:
            with self._read_lock:
                return self._reader.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise StoreUnavailable(f"store {self.name}: {error}") from error

    def ping(self) -> None:
        self._read("SELECT id FROM series LIMIT 1")

    def counts_15m(self, hub: str, start_ns: int, end_ns: int) -> list[Quarter]:
        return self._quarters(self._quarters_sql, hub, start_ns, end_ns)

    def rolled_15m(self, hub: str, start_ns: int, end_ns: int) -> list[Quarter]:
        return self._quarters(_QUARTERS.format(rows=_ROLLED), hub, start_ns, end_ns)

    def _quarters(self, sql: str, hub: str, start_ns: int, end_ns: int) -> list[Quarter]:
        rows = self._read(sql, {"hub": hub, "start": start_ns, "end": end_ns})
        return [Quarter(row[0], row[1], row[2], row[3] or None, Count(*row[4:])) for row in rows]

    def coverage_15m(self, hub: str, start_ns: int, end_ns: int) -> list[Coverage]:
        rows = self._read(_COVERAGE_SQL, (hub, start_ns, end_ns))
        return [Coverage(t_ns, unit, sensor, minutes.bit_count()) for t_ns, unit, sensor, minutes in rows]

    def events(
        self, kind: Kind, hub: str, start_ns: int, end_ns: int, *, limit: int, newest_first: bool = False
    ) -> list[Stored]:
        order = "DESC" if newest_first else "ASC"
        sql = f"""{read_back(kind)} WHERE s.hub = ? AND s.kind = ? AND e.t_ns >= ? AND e.t_ns < ?
            ORDER BY e.t_ns {order}, e.seq {order} LIMIT ?"""
        return [stored(kind, row, self._texts) for row in self._read(sql, (hub, kind, start_ns, end_ns, limit))]

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

    def touched(self) -> Touched:
        if not self._may_roll():
            return Touched({}, ())
        sql = "SELECT s.hub, d.series, d.t_ns, d.mark FROM dirty d JOIN series s ON s.id = d.series LIMIT ?"
        rows = self._read(sql, (_TOUCHED_MAX,))
        quarters: dict[str, set[int]] = defaultdict(set)
        for hub, _series, t_ns, _mark in rows:
            quarters[hub].add(t_ns)
        return Touched(quarters, [row[1:] for row in rows], complete=len(rows) < _TOUCHED_MAX)

    def _may_roll(self) -> bool:
        if not self._rolls:
            with ExitStack() as held:
                try:
                    lock = held.enter_context(Path(f"{self._path}.rollup-lock").open("wb"))
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return False
                except OSError as error:
                    raise StoreUnavailable(f"store {self.name}: {error}") from error
                self._held.push(held.pop_all())
            self._rolls = True
        return True

    def recount_15m(self, hub: str, start_ns: int, end_ns: int) -> list[Quarter]:
        window = {"hub": hub, "start": start_ns, "end": end_ns}
        with self._lock, self._transaction() as db:
            db.execute(f"INSERT OR REPLACE INTO quarter {self._sums}", window)
        return self.counts_15m(hub, start_ns, end_ns)

    def keep(self, grain: Grain, rollups: Sequence[Rollup]) -> None:
        rows = [
            (r.hub, r.t_ns, r.visits, r.exits, r.variance_visits, r.variance_exits, r.minutes, r.events)
            for r in rollups
        ]
        with self._lock, self._transaction() as db:
            db.executemany(f"INSERT OR REPLACE INTO {grain} VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)  # noqa: S608 - our own words

    def rollups(self, grain: Grain, start_ns: int, end_ns: int, hub: str | None = None) -> list[Rollup]:
        hubs, named = ("SELECT DISTINCT hub FROM series", ()) if hub is None else ("?", (hub,))
        sql = f"SELECT * FROM {grain} WHERE hub IN ({hubs}) AND t_ns >= ? AND t_ns < ? ORDER BY hub, t_ns"  # noqa: S608 - our own words
        return [Rollup(*row) for row in self._read(sql, (*named, start_ns, end_ns))]

    def settle(self, touched: Touched) -> None:
        with self._lock, self._transaction() as db:
            db.executemany("DELETE FROM dirty WHERE series = ? AND t_ns = ? AND mark = ?", touched.token)  # type: ignore[arg-type]  # what `touched` put in

    def touch_all(self) -> None:
        with self._lock, self._transaction() as db:
            schema.mark_all(db, secrets.randbits(_MARK_BITS))

    def scan(self, kind: Kind) -> Iterator[list[Stored]]:
        for rows in self._pages(read_back(kind), "e.series, e.t_ns, e.epoch_id, e.seq", 4):
            yield [stored(kind, row, self._texts) for row in rows]

    def scan_health(self) -> Iterator[list[HealthRow]]:
        for rows in self._pages(_HEALTH_ROWS, "e.series, e.t_ns", 2):
            yield [self._health_row(row) for row in rows]

    def health(self, unit: str, start_ns: int, end_ns: int) -> list[HealthRow]:
        where = "WHERE s.unit = ? AND s.kind = 'health' AND e.t_ns >= ? AND e.t_ns < ? ORDER BY e.t_ns, s.sensor"
        return [self._health_row(row) for row in self._read(f"{_HEALTH_ROWS} {where}", (unit, start_ns, end_ns))]

    def _health_row(self, row: tuple[Any, ...]) -> HealthRow:
        return HealthRow(row[2], row[3], row[4], row[1], coded(HEALTH_COLUMNS, row[5:], self._texts))

    def _pages(self, sql: str, key: str, length: int) -> Iterator[list[tuple[Any, ...]]]:
        """By the key, with which each row begins, so that no transaction stays open in between."""
        last: tuple[Any, ...] = (-1,) * length
        holes = ", ".join("?" * length)
        while rows := self._read(f"{sql} WHERE ({key}) > ({holes}) ORDER BY {key} LIMIT {_SCAN_ROWS}", last):
            yield rows
            last = rows[-1][:length]

    def close(self) -> None:
        with self._lock, self._read_lock:
            self._held.close()
