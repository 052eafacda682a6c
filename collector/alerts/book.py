"""What alerting must remember over a restart: the alarms that stand, and the messages that wait to be delivered."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from collector.alerts.standing import Notice, Standing
from collector.store.base import StoreUnavailable

WAITING_MAX = 1_000
"""Of each receiver; beyond it the oldest go."""

_TABLES = """
CREATE TABLE IF NOT EXISTS alarm (key TEXT PRIMARY KEY, standing TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notice (id INTEGER PRIMARY KEY, target TEXT NOT NULL, title TEXT NOT NULL,
    body TEXT NOT NULL, made_ns INTEGER NOT NULL, tries INTEGER NOT NULL, next_ns INTEGER NOT NULL);
"""
_KIND = "ALTER TABLE notice ADD COLUMN kind TEXT NOT NULL DEFAULT 'warning'"  # which ledgers had not at first


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message for one address, made at `made_ns` and tried so often."""

    number: int
    title: str
    body: str
    kind: str
    made_ns: int
    tries: int


class Book:
    """Two tables in the collector's ledger file. Durable on return; usable from any thread.

    Every method raises StoreUnavailable where the file cannot be read or written.
    """

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        self._path = folder / "ledger.sqlite"
        self._db = sqlite3.connect(self._path, timeout=5.0, check_same_thread=False)
        with self._working():
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_TABLES)
            if "kind" not in {name for _, name, *_ in self._db.execute("PRAGMA table_info(notice)")}:
                self._db.execute(_KIND)

    @contextmanager
    def _working(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                with self._db:
                    yield self._db
            except sqlite3.Error as error:
                raise StoreUnavailable(f"ledger {self._path}: {error}") from error

    def standing(self) -> dict[str, Standing]:
        with self._working() as db:
            rows = db.execute("SELECT key, standing FROM alarm").fetchall()
        return {key: Standing(**{**(kept := json.loads(text)), "to": tuple(kept["to"])}) for key, text in rows}

    def record(
        self, standing: Mapping[str, Standing], notices: Sequence[Notice], targets: Mapping[str, int], now_ns: int
    ) -> int:
        """Keep what stands in place of what stood, and each notice for every address of its receiver.

        `targets` has how many addresses each has. One transaction. Returns how many old messages had to go.
        """
        with self._working() as db:
            db.execute("DELETE FROM alarm")
            db.executemany(
                "INSERT INTO alarm VALUES (?, ?)", [(key, json.dumps(asdict(each))) for key, each in standing.items()]
            )
            for notice in notices:
                for index in range(targets.get(notice.to, 0)):
                    db.execute(
                        "INSERT INTO notice (target, title, body, kind, made_ns, tries, next_ns)"
                        " VALUES (?, ?, ?, ?, ?, 0, ?)",
                        (f"{notice.to}/{index}", notice.title, notice.body, notice.kind, now_ns, now_ns),
                    )
            gone = db.execute(
                "DELETE FROM notice WHERE id IN (SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY target"
                " ORDER BY id DESC) AS place FROM notice) WHERE place > ?)",
                (WAITING_MAX,),
            )
            return gone.rowcount

    def due(self, target: str, now_ns: int) -> Waiting | None:
        """The oldest message for that address, where it is to be tried now. One waits for those before it."""
        with self._working() as db:
            row = db.execute(
                "SELECT id, title, body, kind, made_ns, tries, next_ns FROM notice WHERE target = ?"
                " ORDER BY id LIMIT 1",
                (target,),
            ).fetchone()
        return Waiting(*row[:-1]) if row and row[-1] <= now_ns else None

    def settle(self, number: int) -> None:
        """It is delivered, or given up."""
        with self._working() as db:
            db.execute("DELETE FROM notice WHERE id = ?", (number,))

    def postpone(self, number: int, next_ns: int) -> None:
        with self._working() as db:
            db.execute("UPDATE notice SET tries = tries + 1, next_ns = ? WHERE id = ?", (next_ns, number))

    def waiting(self) -> int:
        """Messages that are not delivered yet."""
        with self._working() as db:
            return int(db.execute("SELECT count(*) FROM notice").fetchone()[0])

    def close(self) -> None:
        with self._lock:
            self._db.close()
