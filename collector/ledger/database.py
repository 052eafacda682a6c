"""The ledger's SQLite file: its schema, and how it is read and written."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from collector.store.base import StoreUnavailable
from firmware_cfg.errors import ConfigError

STEPS = (
    (
        """CREATE TABLE dead_letter (
            id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, t_ns INTEGER NOT NULL, topic TEXT NOT NULL,
            payload BLOB NOT NULL, code TEXT NOT NULL, reason TEXT NOT NULL, unit TEXT, epoch TEXT,
            seqs TEXT NOT NULL)""",
        "CREATE TABLE dead_count (code TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID",
        """CREATE TABLE done (unit TEXT NOT NULL, epoch TEXT NOT NULL, ranges TEXT NOT NULL,
            holes_forgotten INTEGER NOT NULL, PRIMARY KEY (unit, epoch)) WITHOUT ROWID""",
        "CREATE TABLE birth (unit TEXT PRIMARY KEY, session TEXT NOT NULL, t_ns INTEGER NOT NULL) WITHOUT ROWID",
        "CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    ),
    (
        """CREATE TABLE lost (unit TEXT NOT NULL, epoch TEXT NOT NULL, ranges TEXT NOT NULL,
            PRIMARY KEY (unit, epoch)) WITHOUT ROWID""",
        """CREATE TABLE correction (
            id INTEGER PRIMARY KEY AUTOINCREMENT, made_ns INTEGER NOT NULL, author TEXT NOT NULL,
            reason TEXT NOT NULL, undoes INTEGER UNIQUE REFERENCES correction (id), hub TEXT NOT NULL,
            body TEXT NOT NULL)""",
        "CREATE INDEX correction_of_hub ON correction (hub)",
        """CREATE TRIGGER correction_unchanged BEFORE UPDATE ON correction
            BEGIN SELECT raise(ABORT, 'a correction is never changed'); END""",
        """CREATE TRIGGER correction_undeleted BEFORE DELETE ON correction
            BEGIN SELECT raise(ABORT, 'a correction is never deleted'); END""",
    ),
    (
        """CREATE TABLE awaited (unit TEXT NOT NULL, epoch TEXT NOT NULL, seq INTEGER NOT NULL,
            PRIMARY KEY (unit, epoch)) WITHOUT ROWID""",
    ),
)
"""What makes each schema out of the one before; the first out of nothing. Never edited, only added to."""
SCHEMA = len(STEPS)
_WAIT_S = 5.0
_PING_WAIT_S = 1.0


def save(folder: Path, to: Path) -> int:
    """A consistent copy of a folder's ledger, which may be written to meanwhile; its size in bytes.

    `to` is there only when it is complete and on the disk. Put back as `ledger.sqlite`, while no collector runs, it is
    the ledger. Raises ConfigError.
    """
    path = folder / "ledger.sqlite"
    if not path.is_file():
        raise ConfigError(f"--state {folder}: there is no ledger.sqlite; give the folder of a collector")
    if to.exists():
        raise ConfigError(f"{to}: is there already; give a new name")
    partial = to.with_name(f"{to.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)) as db:
            db.execute("VACUUM INTO ?", (str(partial),))
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.rename(to)
    except (OSError, sqlite3.Error) as error:
        raise ConfigError(f"{to}: cannot be written: {error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return to.stat().st_size


class Database:
    """One connection, for any thread; other processes may use the same file. Writes are durable on return.

    Raises ConfigError where the folder cannot be used, or was used by a newer Foyer.
    """

    def __init__(self, folder: Path) -> None:
        self._lock = threading.RLock()
        self._path = folder / "ledger.sqlite"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self._path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            version = self._migrate()
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(f"--state {folder}: cannot be used: {error}; it must be a folder we may write") from error
        if version > SCHEMA:
            self._db.close()
            raise ConfigError(
                f"--state {folder}: ledger has schema {version}, this Foyer knows {SCHEMA}: upgrade Foyer"
            )

    def _migrate(self) -> int:
        version = self._version()
        if version >= SCHEMA:
            return version
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            for step in STEPS[self._version() :]:  # asked again: another process may have done the same meanwhile
                for statement in step:
                    self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {SCHEMA}")
        return SCHEMA

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    @contextlib.contextmanager
    def writing(self, undone: Callable[[], None] | None = None) -> Iterator[sqlite3.Connection]:
        """One transaction, whole or not at all; `undone` is called where it is not. Raises StoreUnavailable."""
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield self._db
                self._db.execute("COMMIT")
            except BaseException as error:
                with contextlib.suppress(sqlite3.Error):
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                if undone is not None:
                    undone()
                if isinstance(error, sqlite3.Error):
                    raise StoreUnavailable(f"ledger {self._path}: {error}") from error
                raise

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Raises StoreUnavailable."""
        with self._lock:
            try:
                yield self._db
            except sqlite3.Error as error:
                raise StoreUnavailable(f"ledger {self._path}: {error}") from error

    def ping(self, now_ns: int) -> None:
        """Return where another writer could write now. Raises StoreUnavailable, after `_PING_WAIT_S` at most."""
        uri = f"{self._path.absolute().as_uri()}?mode=rw"
        try:
            with contextlib.closing(sqlite3.connect(uri, timeout=_PING_WAIT_S, uri=True)) as db, db:
                db.execute("INSERT OR REPLACE INTO setting VALUES ('written', ?)", (str(now_ns),))
        except sqlite3.Error as error:
            raise StoreUnavailable(f"ledger {self._path}: {error}") from error

    def close(self) -> None:
        with self._lock:
            self._db.close()
