"""Dead letters: what could not be stored, and why."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from collector.ingest import DeadLetter
from collector.ledger.database import Database
from collector.store.base import StoreUnavailable

DEAD_LETTERS_MAX = 100_000
DEAD_BYTES_MAX = 256 * 1024 * 1024
LETTER_BYTES_MAX = 1024 * 1024
_PAGE = 100

_COLUMNS = "id, t_ns, topic, payload, code, reason, unit, epoch, seqs"


@dataclass(frozen=True, slots=True)
class KeptLetter:
    """A dead letter as it was kept at `t_ns`, under a number of its own."""

    id: int
    t_ns: int
    letter: DeadLetter


class Letters:
    """The newest are kept, at most `DEAD_LETTERS_MAX` of them and `DEAD_BYTES_MAX`, the older ones only counted.

    Of a longer one the first `LETTER_BYTES_MAX` are kept, as its reason then says. Reading and removing raise
    StoreUnavailable.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._bytes = 0
        self._changed = 0
        """SQLite's word for what other connections did."""
        self.recount()

    def recount(self) -> None:
        with contextlib.suppress(StoreUnavailable), self._database.reading() as db:
            self._bytes = _sum_bytes(db)

    def keep(self, db: sqlite3.Connection, now_ns: int, letters: Sequence[DeadLetter], *, counted: bool = True) -> None:
        """Within a transaction. A letter that is there already is neither kept nor counted again."""
        for letter in letters:
            self._keep(db, now_ns, letter, counted=counted)
        if letters:
            self._forget_oldest(db)

    def _keep(self, db: sqlite3.Connection, now_ns: int, letter: DeadLetter, *, counted: bool) -> None:
        digest = blake2b(letter.payload, digest_size=16, key=letter.code.encode())
        digest.update(f"\n{letter.topic}\n{letter.epoch}".encode())
        payload, reason = letter.payload[:LETTER_BYTES_MAX], letter.reason
        if len(payload) < len(letter.payload):
            reason += f" (only the first {len(payload)} of its {len(letter.payload)} bytes are kept)"
        seqs = json.dumps(letter.seqs)
        inserted = db.execute(
            "INSERT OR IGNORE INTO dead_letter (digest, t_ns, topic, payload, code, reason, unit, epoch, seqs)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (digest.digest(), now_ns, letter.topic, payload, letter.code, reason, letter.unit, letter.epoch, seqs),
        )
        if inserted.rowcount:
            self._bytes += len(payload)
            if counted:
                sql = "INSERT INTO dead_count VALUES (?, 1) ON CONFLICT (code) DO UPDATE SET count = count + 1"
                db.execute(sql, (letter.code,))

    def _forget_oldest(self, db: sqlite3.Connection) -> None:
        changed = db.execute("PRAGMA data_version").fetchone()[0]
        if changed != self._changed:  # by another process, which may have taken some out
            self._changed = changed
            self._bytes = _sum_bytes(db)
        newest = db.execute("SELECT max(id) FROM dead_letter").fetchone()[0] or 0
        oldest_first = db.execute("SELECT id, length(payload) FROM dead_letter ORDER BY id")
        gone = 0
        for number, size in oldest_first:
            if number > newest - DEAD_LETTERS_MAX and self._bytes <= DEAD_BYTES_MAX:
                break
            gone = number
            self._bytes -= size
        oldest_first.close()
        db.execute("DELETE FROM dead_letter WHERE id <= ?", (gone,))

    def newest(self, limit: int = 100) -> list[KeptLetter]:
        """The newest first."""
        sql = f"SELECT {_COLUMNS} FROM dead_letter ORDER BY id DESC LIMIT ?"  # noqa: S608 - our own words
        with self._database.reading() as db:
            return [_kept(row) for row in db.execute(sql, (limit,))]

    def oldest_first(
        self, *, numbers: Sequence[int] = (), code: str | None = None, unit: str | None = None
    ) -> Iterator[KeptLetter]:
        """Those of now, a few in memory at a time; `numbers`, `code` and `unit` choose, and all are chosen without."""
        after = 0
        wanted = "" if not numbers else f" AND id IN ({','.join('?' * len(numbers))})"
        sql = f"""SELECT {_COLUMNS} FROM dead_letter WHERE id > ?{wanted} AND (? IS NULL OR code = ?)
            AND (? IS NULL OR unit = ?) AND id <= ? ORDER BY id LIMIT {_PAGE}"""  # noqa: S608 - our own words
        with self._database.reading() as db:
            last = db.execute("SELECT coalesce(max(id), 0) FROM dead_letter").fetchone()[0]
        while True:
            with self._database.reading() as db:
                values = (after, *numbers, code, code, unit, unit, last)
                page = [_kept(row) for row in db.execute(sql, values)]
            if not page:
                return
            after = page[-1].id
            yield from page

    def replace(self, changes: Sequence[tuple[KeptLetter, Sequence[DeadLetter]]], now_ns: int) -> None:
        """Take letters out and keep what is still dead of each, which is no news and is not counted again."""
        with self._database.writing(self.recount) as db:
            for kept, rest in changes:
                if db.execute("DELETE FROM dead_letter WHERE id = ?", (kept.id,)).rowcount:
                    self._bytes -= len(kept.letter.payload)
                    self.keep(db, now_ns, rest, counted=False)

    def counts(self) -> dict[str, int]:
        """Letters ever kept, by code; more than there are where old ones had to go, or were stored after all."""
        with self._database.reading() as db:
            return dict(db.execute("SELECT code, count FROM dead_count ORDER BY code").fetchall())


def _sum_bytes(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT coalesce(sum(length(payload)), 0) FROM dead_letter").fetchone()[0])


def _kept(row: tuple[int, int, str, bytes, str, str, str | None, str | None, str]) -> KeptLetter:
    number, t_ns, *parts, seqs = row
    topic, payload, code, reason, unit, epoch = parts
    letter = DeadLetter(topic, payload, code, reason, unit, epoch, tuple(json.loads(seqs)))  # type: ignore[arg-type]  # a row's columns are of their types
    return KeptLetter(number, t_ns, letter)
