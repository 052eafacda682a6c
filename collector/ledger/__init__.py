"""What the collector must remember beside the store: dead letters, what is done of each outbox, births, corrections."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path

from collector.ingest import DeadLetter
from collector.ledger.corrections import CorrectionRefused, Corrections
from collector.ledger.database import Database
from collector.ledger.letters import KeptLetter, Letters
from collector.ledger.outboxes import Outboxes
from collector.ranges import RangeSet

__all__ = ["CorrectionRefused", "KeptLetter", "Ledger"]


class Ledger:
    """A small SQLite database in a folder of its own. Durable on return; usable from any thread.

    Another process may read it and take out dead letters meanwhile. Raises ConfigError where the folder cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self._database = Database(folder)
        self.letters = Letters(self._database)
        self.outboxes = Outboxes(self._database)
        self.corrections = Corrections(self._database)

    @property
    def client_id(self) -> str:
        """A name for this collector at the broker: made once, so that the broker knows its session again."""
        with self._database.writing() as db:
            fresh = f"collector-{secrets.token_hex(6)}"
            db.execute("INSERT OR IGNORE INTO setting VALUES ('client_id', ?)", (fresh,))
            return str(db.execute("SELECT value FROM setting WHERE name = 'client_id'").fetchone()[0])

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
        with self._database.writing(self._undone) as db:
            self.letters.keep(db, now_ns, dead)
            self.outboxes.add(db, done)
            db.executemany(
                "INSERT OR REPLACE INTO birth VALUES (?, ?, ?)", [(unit, session, now_ns) for unit, session in births]
            )

    def _undone(self) -> None:
        self.outboxes.forget_cached()
        self.letters.recount()

    def ping(self, now_ns: int) -> None:
        """Return where it could be written now. Raises StoreUnavailable, soon."""
        self._database.ping(now_ns)

    def done(self, unit: str, epoch: str) -> RangeSet:
        """The sequence numbers that are stored, dead-lettered, declared as dropped, or lost for good. A copy."""
        return self.outboxes.done(unit, epoch)

    def dead_letters(self, limit: int = 100) -> list[KeptLetter]:
        """The newest first. Raises StoreUnavailable."""
        return self.letters.newest(limit)

    def dead_counts(self) -> dict[str, int]:
        """Dead letters ever kept, by code. Raises StoreUnavailable."""
        return self.letters.counts()

    def store_identity(self) -> str:
        """Of the store that this ledger belongs to, as it was kept last; "" where none was. Raises StoreUnavailable."""
        with self._database.reading() as db:
            row = db.execute("SELECT value FROM setting WHERE name = 'store'").fetchone()
        return str(row[0]) if row else ""

    def keep_store_identity(self, identity: str) -> None:
        with self._database.writing() as db:
            db.execute("INSERT OR REPLACE INTO setting VALUES ('store', ?)", (identity,))

    def births(self) -> dict[str, str]:
        """Each unit's session as of its last birth."""
        with self._database.reading() as db:
            return dict(db.execute("SELECT unit, session FROM birth").fetchall())

    def close(self) -> None:
        self._database.close()
