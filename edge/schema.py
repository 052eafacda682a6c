"""The outbox's tables, and how SQLite is told to keep them through a power cut and within a bound."""

from __future__ import annotations

import sqlite3

SCHEMA_VERSION = 1

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS memo (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS anchor (
    id INTEGER PRIMARY KEY, boot TEXT NOT NULL, mono_ns INTEGER NOT NULL, wall_ns INTEGER NOT NULL, source TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS event (
    seq INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    sensor TEXT NOT NULL,
    status INTEGER NOT NULL DEFAULT 0,  -- 0 open, 1 the collector has it, 2 the collector refused it
    t_ns INTEGER,                       -- NULL until dated; never changed afterwards
    clock TEXT,
    boot TEXT,
    mono_ns INTEGER,
    made_ns INTEGER NOT NULL,           -- the wall clock, right or wrong, when it was stored
    settled_ns INTEGER,
    reason TEXT,
    body TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS event_time ON event (sensor, kind, t_ns) WHERE t_ns IS NOT NULL;
CREATE INDEX IF NOT EXISTS event_sendable ON event (seq) WHERE status = 0 AND t_ns IS NOT NULL;
CREATE INDEX IF NOT EXISTS event_undated ON event (boot, seq) WHERE t_ns IS NULL;
CREATE INDEX IF NOT EXISTS event_settled ON event (settled_ns) WHERE status <> 0;
"""


def prepare(db: sqlite3.Connection, limit_bytes: int, *, durable: bool) -> int:
    """Make the tables where they are missing; gives back how many pages may be in use before events are dropped.

    An eighth of the bound, at most 16 MiB, is left to the write-ahead log.
    """
    page_bytes = db.execute("PRAGMA page_size").fetchone()[0]
    log_bytes = min(limit_bytes // 8, 16 * 1024 * 1024)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
    db.execute(f"PRAGMA wal_autocheckpoint = {max(16, min(1000, log_bytes // 4 // page_bytes))}")
    db.execute(f"PRAGMA journal_size_limit = {log_bytes}")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise sqlite3.OperationalError(
            f"a newer version of this program wrote it: {version}, known is {SCHEMA_VERSION}"
        )
    if version < SCHEMA_VERSION:
        db.executescript(f"BEGIN IMMEDIATE;{_TABLES}PRAGMA user_version = {SCHEMA_VERSION};COMMIT;")
    return int((limit_bytes - log_bytes) // page_bytes)
