"""The tables of an outbox file."""

SCHEMA_VERSION = 2

TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS memo (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS anchor (
    id INTEGER PRIMARY KEY, boot TEXT NOT NULL, mono_ns INTEGER NOT NULL, wall_ns INTEGER NOT NULL, source TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS event (
    rank INTEGER NOT NULL,              -- what is dropped first lies together, so that dropping it frees pages
    seq INTEGER NOT NULL,
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
    body TEXT NOT NULL,
    PRIMARY KEY (rank, seq)
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS event_seq ON event (seq);
CREATE UNIQUE INDEX IF NOT EXISTS event_time ON event (sensor, kind, t_ns) WHERE t_ns IS NOT NULL;
CREATE INDEX IF NOT EXISTS event_sendable ON event (seq) WHERE status = 0 AND t_ns IS NOT NULL;
CREATE INDEX IF NOT EXISTS event_undated ON event (boot, seq) WHERE t_ns IS NULL;
CREATE INDEX IF NOT EXISTS event_settled ON event (status, settled_ns) WHERE status <> 0;
CREATE TABLE IF NOT EXISTS leftover (
    epoch TEXT NOT NULL, seq INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY (epoch, seq)
) WITHOUT ROWID;
"""
