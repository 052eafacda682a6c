"""What the collector must remember beside the store: dead letters, what is done of each outbox, last births."""

from __future__ import annotations

import contextlib
import json
import secrets
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from collector.ingest import DeadLetter
from collector.ranges import RangeSet
from collector.store.base import StoreUnavailable
from firmware_cfg.errors import ConfigError

SCHEMA = 1
DEAD_LETTERS_MAX = 100_000
DEAD_BYTES_MAX = 256 * 1024 * 1024
LETTER_BYTES_MAX = 1024 * 1024
_OUTBOXES_CACHED_MAX = 4096

_SCHEMA = """
CREATE TABLE dead_letter (
    id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, t_ns INTEGER NOT NULL, topic TEXT NOT NULL,
    payload BLOB NOT NULL, code TEXT NOT NULL, reason TEXT NOT NULL, unit TEXT, epoch TEXT, seqs TEXT NOT NULL);
CREATE TABLE dead_count (code TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE done (unit TEXT NOT NULL, epoch TEXT NOT NULL, ranges TEXT NOT NULL,
    holes_forgotten INTEGER NOT NULL, PRIMARY KEY (unit, epoch)) WITHOUT ROWID;
CREATE TABLE birth (unit TEXT PRIMARY KEY, session TEXT NOT NULL, t_ns INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class KeptLetter:
    """A dead letter as it was kept at `t_ns`."""

    t_ns: int
    letter: DeadLetter


class Ledger:
    """A small SQLite database in a folder of its own. Durable on return; usable from any thread.

    The newest dead letters are kept, at most `DEAD_LETTERS_MAX` of them and `DEAD_BYTES_MAX`, the older ones only
    counted; of a longer one the first `LETTER_BYTES_MAX`, as its reason then says. Raises ConfigError where the folder
    cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        self._outboxes: dict[tuple[str, str], RangeSet] = {}
        path = self._path = folder / "ledger.sqlite"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=5.0, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                self._db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA}; COMMIT;")
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(f"--state {folder}: cannot be used: {error}; it must be a folder we may write") from error
        self._dead_bytes = self._count_dead_bytes() if version <= SCHEMA else 0
        if version > SCHEMA:
            self._db.close()
            raise ConfigError(
                f"--state {folder}: ledger has schema {version}, this Foyer knows {SCHEMA}: upgrade Foyer"
            )

    @property
    def client_id(self) -> str:
        """A name for this collector at the broker: made once, so that the broker knows its session again."""
        with self._lock, self._db:
            fresh = f"collector-{secrets.token_hex(6)}"
            self._db.execute("INSERT OR IGNORE INTO setting VALUES ('client_id', ?)", (fresh,))
            row = self._db.execute("SELECT value FROM setting WHERE name = 'client_id'").fetchone()
            return str(row[0])

    def record(
        self,
        now_ns: int,
        *,
        dead: Sequence[DeadLetter] = (),
        done: Iterable[tuple[str, str, int, int]] = (),
        births: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Keep dead letters, done ranges (unit, epoch, first, last) and births (unit, session) in one transaction.

        A letter that is there already is neither kept nor counted again. Raises StoreUnavailable (disk full, locked).
        """
        with self._lock:
            try:
                with self._db:
                    self._record(now_ns, dead, done, births)
            except sqlite3.Error as error:
                self._outboxes.clear()  # they ran ahead of what is on disk
                with contextlib.suppress(sqlite3.Error):
                    self._dead_bytes = self._count_dead_bytes()
                raise StoreUnavailable(f"ledger {self._path}: {error}") from error

    def _record(
        self,
        now_ns: int,
        dead: Sequence[DeadLetter],
        done: Iterable[tuple[str, str, int, int]],
        births: Sequence[tuple[str, str]],
    ) -> None:
        for letter in dead:
            self._keep(now_ns, letter)
        if dead:
            self._forget_oldest()
        touched = {}
        for unit, epoch, first, last in done:
            outbox = self._outbox(unit, epoch)
            if outbox.add(first, last):
                touched[unit, epoch] = outbox
        self._db.executemany(
            "INSERT OR REPLACE INTO done VALUES (?, ?, ?, ?)",
            [(*key, json.dumps(list(ranges)), ranges.holes_forgotten) for key, ranges in touched.items()],
        )
        self._db.executemany(
            "INSERT OR REPLACE INTO birth VALUES (?, ?, ?)", [(unit, session, now_ns) for unit, session in births]
        )

    def _keep(self, now_ns: int, letter: DeadLetter) -> None:
        digest = blake2b(letter.payload, digest_size=16, key=letter.code.encode())
        digest.update(f"\n{letter.topic}\n{letter.epoch}".encode())
        payload, reason = letter.payload[:LETTER_BYTES_MAX], letter.reason
        if len(payload) < len(letter.payload):
            reason += f" (only the first {len(payload)} of its {len(letter.payload)} bytes are kept)"
        inserted = self._db.execute(
            "INSERT OR IGNORE INTO dead_letter (digest, t_ns, topic, payload, code, reason, unit, epoch, seqs)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                digest.digest(),
                now_ns,
                letter.topic,
                payload,
                letter.code,
                reason,
                letter.unit,
                letter.epoch,
                json.dumps(letter.seqs),
            ),
        )
        if inserted.rowcount:
            self._dead_bytes += len(payload)
            self._db.execute(
                "INSERT INTO dead_count VALUES (?, 1) ON CONFLICT (code) DO UPDATE SET count = count + 1",
                (letter.code,),
            )

    def _forget_oldest(self) -> None:
        newest = self._db.execute("SELECT max(id) FROM dead_letter").fetchone()[0]
        oldest_first = self._db.execute("SELECT id, length(payload) FROM dead_letter ORDER BY id")
        gone = 0
        for number, size in oldest_first:
            if number > newest - DEAD_LETTERS_MAX and self._dead_bytes <= DEAD_BYTES_MAX:
                break
            gone = number
            self._dead_bytes -= size
        oldest_first.close()
        self._db.execute("DELETE FROM dead_letter WHERE id <= ?", (gone,))

    def _count_dead_bytes(self) -> int:
        row = self._db.execute("SELECT coalesce(sum(length(payload)), 0) FROM dead_letter").fetchone()
        return int(row[0])

    def _outbox(self, unit: str, epoch: str) -> RangeSet:
        key = (unit, epoch)
        if key not in self._outboxes:
            if len(self._outboxes) >= _OUTBOXES_CACHED_MAX:
                self._outboxes.clear()
            row = self._db.execute(
                "SELECT ranges, holes_forgotten FROM done WHERE unit = ? AND epoch = ?", key
            ).fetchone()
            ranges = RangeSet(json.loads(row[0]) if row else ())
            ranges.holes_forgotten = row[1] if row else 0
            self._outboxes[key] = ranges
        return self._outboxes[key]

    def done(self, unit: str, epoch: str) -> RangeSet:
        """The sequence numbers that are stored, dead-lettered or declared as dropped. A copy."""
        with self._lock:
            return RangeSet(self._outbox(unit, epoch))

    def outboxes(self) -> list[tuple[str, str]]:
        """Every (unit, epoch) ever heard of."""
        with self._lock:
            return [(unit, epoch) for unit, epoch in self._db.execute("SELECT unit, epoch FROM done")]

    def dead_letters(self, limit: int = 100) -> list[KeptLetter]:
        """The newest first. Raises StoreUnavailable."""
        sql = "SELECT t_ns, topic, payload, code, reason, unit, epoch, seqs FROM dead_letter ORDER BY id DESC LIMIT ?"
        with self._reading():
            rows = self._db.execute(sql, (limit,)).fetchall()
        return [KeptLetter(row[0], _letter(*row[1:])) for row in rows]

    def dead_counts(self) -> dict[str, int]:
        """Dead letters ever kept, by code; more than there are where old ones had to go. Raises StoreUnavailable."""
        with self._reading():
            return dict(self._db.execute("SELECT code, count FROM dead_count ORDER BY code").fetchall())

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except sqlite3.Error as error:
                raise StoreUnavailable(f"ledger {self._path}: {error}") from error

    def births(self) -> dict[str, str]:
        """Each unit's session as of its last birth."""
        with self._lock:
            return dict(self._db.execute("SELECT unit, session FROM birth").fetchall())

    def close(self) -> None:
        with self._lock:
            self._db.close()


def _letter(
    topic: str, payload: bytes, code: str, reason: str, unit: str | None, epoch: str | None, seqs: str
) -> DeadLetter:
    return DeadLetter(topic, payload, code, reason, unit, epoch, tuple(json.loads(seqs)))
