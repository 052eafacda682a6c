"""The embedded store's file: its tables, and how a file that an older Foyer made becomes one of today."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from collector.store.base import StoreUnavailable
from collector.store.columns import COLUMNS, HEALTH_COLUMNS, Column
from firmware_cfg.errors import ConfigError

SCHEMA = 2
WAIT_S = 5.0
_SQL_TYPES = {"int": "INTEGER", "float": "REAL", "bool": "INTEGER", "word": "INTEGER", "str": "TEXT", "json": "TEXT"}
_SUMS = "visits INTEGER, exits INTEGER, variance_visits REAL, variance_exits REAL, minutes INTEGER, events INTEGER"
_EVENT_KEY = "series INTEGER NOT NULL, t_ns INTEGER NOT NULL, epoch_id INTEGER NOT NULL, seq INTEGER NOT NULL"
_HEALTH_KEY = "series INTEGER NOT NULL, t_ns INTEGER NOT NULL"

log = logging.getLogger("foyer.collector")

TABLES: dict[str, Sequence[Column]] = dict(COLUMNS.items()) | {"health": HEALTH_COLUMNS}
"""The tables whose columns are those of a wire model."""


def connect(path: Path) -> sqlite3.Connection:
    """A connection for any thread, one at a time; every transaction is on the disk when it ends."""
    db = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA cache_size = -4096")
    return db


def prepare(db: sqlite3.Connection, name: str) -> None:
    """Make the tables, or bring those of an older Foyer up to date, in one transaction.

    Raises ConfigError where a newer Foyer made them, and sqlite3.Error; either leaves the file as it was.
    """
    if _is_current(db):
        return
    (newer,) = db.execute("PRAGMA user_version").fetchone()
    if newer > SCHEMA:
        raise ConfigError(f"--store {name} has schema {newer}, this Foyer knows {SCHEMA}: upgrade Foyer first")
    db.execute("BEGIN IMMEDIATE")
    try:
        (version,) = db.execute("PRAGMA user_version").fetchone()  # another process may have been quicker
        if version == 0:
            for statement in _tables():
                db.execute(statement)
        if version == 1:
            log.info("%s is brought from schema 1 to %d; 25 million events take some minutes", name, SCHEMA)
            _from_1(db)
        _learn_words(db)
        for table, columns in TABLES.items():
            for column in _missing(db, table, columns):
                db.execute(f'ALTER TABLE "{table}" ADD COLUMN {_column_sql(column)}')
        db.execute(f"PRAGMA user_version = {SCHEMA}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def words(db: sqlite3.Connection) -> dict[str, int]:
    """The number of each word."""
    return dict(db.execute("SELECT text, id FROM word").fetchall())


def check(path: Path) -> int:
    """The schema of a store's file that is whole; raises ConfigError where it is none, or damaged."""
    try:
        db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        try:
            (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
            (version,) = db.execute("PRAGMA user_version").fetchone()
            tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
        finally:
            db.close()
    except sqlite3.Error as error:
        raise ConfigError(f"{path}: cannot be read as a store: {error}") from error
    if verdict != "ok":
        raise ConfigError(f"{path}: is damaged: {verdict}")
    if not {"series", "epoch", *TABLES} <= tables or not 1 <= version <= SCHEMA:
        raise ConfigError(f"{path}: is no embedded store that this Foyer knows (schema {version})")
    return int(version)


def copy(source: sqlite3.Connection, path: Path) -> None:
    """A consistent copy of the whole database as one file, while others write into it; raises StoreUnavailable.

    In one step: that reads one snapshot and keeps no writer waiting, where many steps would begin anew at each write.
    """
    try:
        target = sqlite3.connect(path)
        try:
            source.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")  # nothing is needed beside the file
        finally:
            target.close()
    except sqlite3.Error as error:
        raise StoreUnavailable(f"{path}: cannot be written: {error}") from error


def _is_current(db: sqlite3.Connection) -> bool:
    return (
        db.execute("PRAGMA user_version").fetchone()[0] == SCHEMA
        and not any(_missing(db, table, columns) for table, columns in TABLES.items())
        and all(word in words(db) for word in _all_words())
    )


def _missing(db: sqlite3.Connection, table: str, columns: Sequence[Column]) -> list[Column]:
    there = {row[1] for row in db.execute(f'PRAGMA table_info("{table}")')}
    return [column for column in columns if column.name not in there]


def _column_sql(column: Column) -> str:
    return f'"{column.name}" {_SQL_TYPES[column.type]}'


def _raw_table(table: str, name: str | None = None) -> str:
    key, order = (_HEALTH_KEY, "series, t_ns") if table == "health" else (_EVENT_KEY, "series, t_ns, epoch_id, seq")
    fields = ", ".join(_column_sql(column) for column in TABLES[table])
    return f'CREATE TABLE "{name or table}" ({key}, {fields}, PRIMARY KEY ({order})) WITHOUT ROWID'


def _tables() -> Iterator[str]:
    yield """CREATE TABLE series (
        id INTEGER PRIMARY KEY, kind TEXT NOT NULL, hub TEXT NOT NULL, unit TEXT NOT NULL, sensor TEXT NOT NULL,
        entrance TEXT NOT NULL, room TEXT NOT NULL, UNIQUE (hub, kind, unit, sensor, entrance, room))"""
    yield "CREATE TABLE epoch (id INTEGER PRIMARY KEY, unit TEXT NOT NULL, epoch TEXT NOT NULL, UNIQUE (unit, epoch))"
    for table in TABLES:
        yield _raw_table(table)
    yield """CREATE TABLE quarter (
        series INTEGER NOT NULL, t_ns INTEGER NOT NULL,
        persons_in INTEGER, persons_out INTEGER, persons_unknown INTEGER, variance_in REAL, variance_out REAL,
        events INTEGER, PRIMARY KEY (series, t_ns)) WITHOUT ROWID"""
    yield """CREATE TABLE coverage (
        series INTEGER NOT NULL, t_ns INTEGER NOT NULL, minutes INTEGER NOT NULL,
        PRIMARY KEY (series, t_ns)) WITHOUT ROWID"""
    yield from _tables_of_2()


def _tables_of_2() -> Iterator[str]:
    yield "CREATE TABLE word (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)"
    yield """CREATE TABLE dirty (series INTEGER NOT NULL, t_ns INTEGER NOT NULL, mark INTEGER NOT NULL,
        PRIMARY KEY (series, t_ns)) WITHOUT ROWID"""
    for grain in ("hour", "day"):
        yield f"""CREATE TABLE {grain} (hub TEXT NOT NULL, t_ns INTEGER NOT NULL, {_SUMS},
            PRIMARY KEY (hub, t_ns)) WITHOUT ROWID"""


def _all_words() -> Iterator[str]:
    for columns in TABLES.values():
        for column in columns:
            yield from column.words


def _learn_words(db: sqlite3.Connection) -> None:
    """Numbers are given once and for ever, so that a word more on the wire changes no stored one."""
    db.executemany("INSERT OR IGNORE INTO word (text) VALUES (?)", [(word,) for word in _all_words()])


def _from_1(db: sqlite3.Connection) -> None:
    """Words become numbers, quarters that wait to be recounted get a mark, and everything is to be rolled up."""
    db.execute("ALTER TABLE dirty RENAME TO dirty_1")
    for statement in _tables_of_2():
        db.execute(statement)
    _learn_words(db)
    for table, columns in TABLES.items():
        missing = {column.name for column in _missing(db, table, columns)}
        there = [column for column in columns if column.name not in missing]
        keys = "series, t_ns" if table == "health" else "series, t_ns, epoch_id, seq"
        names = ", ".join(f'"{column.name}"' for column in there)
        values = ", ".join(
            f'(SELECT id FROM word WHERE text = old."{column.name}")' if column.type == "word" else f'"{column.name}"'  # noqa: S608 - our own names
            for column in there
        )
        db.execute(_raw_table(table, f"{table}_2"))
        db.execute(f'INSERT INTO "{table}_2" ({keys}, {names}) SELECT {keys}, {values} FROM "{table}" old')  # noqa: S608 - our own names
        db.execute(f'DROP TABLE "{table}"')
        db.execute(f'ALTER TABLE "{table}_2" RENAME TO "{table}"')
    db.execute("INSERT INTO dirty SELECT series, t_ns, 0 FROM dirty_1")
    db.execute("DROP TABLE dirty_1")
    mark_all(db, 1)


def mark_all(db: sqlite3.Connection, mark: int) -> None:
    """Every quarter of an hour in which anything is known is to be rolled up."""
    for table in ("dirty", "quarter", "coverage"):
        db.execute(f"INSERT OR REPLACE INTO dirty SELECT series, t_ns, ? FROM {table}", (mark,))  # noqa: S608 - our own names
