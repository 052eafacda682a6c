"""Events of outboxes that were set aside: they are sent under their old epoch until the collector has them.

It may have had them before the damage; under another name they would be counted twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.resending import held

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from firmware_cfg.wire import Resent

DROP_EVENTS = 100


class Leftovers:
    """The table of them in the file in use; its transactions are that file's. `epochs` are those with any left."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.epochs: list[str] = []
        self.refresh()

    def refresh(self) -> None:
        """Look again after a commit or a rollback."""
        self.epochs = [epoch for (epoch,) in self._db.execute("SELECT DISTINCT epoch FROM leftover ORDER BY epoch")]

    def add(self, epoch: str, events: Iterable[tuple[int, str]]) -> None:
        rows = ((epoch, seq, text) for seq, text in events)
        self._db.executemany("INSERT OR IGNORE INTO leftover (epoch, seq, text) VALUES (?, ?, ?)", rows)

    def count(self) -> int:
        count: int = self._db.execute("SELECT count(*) FROM leftover").fetchone()[0]
        return count

    def window(self, epoch: str, limit: int) -> list[int]:
        rows = self._db.execute("SELECT seq FROM leftover WHERE epoch = ? ORDER BY seq LIMIT ?", (epoch, limit))
        return [seq for (seq,) in rows]

    def load(self, epoch: str, seqs: Sequence[int]) -> list[tuple[int, str]]:
        marks = ",".join("?" * len(seqs))
        sql = f"SELECT seq, text FROM leftover WHERE epoch = ? AND seq IN ({marks}) ORDER BY seq"  # noqa: S608 - marks only
        return self._db.execute(sql, (epoch, *seqs)).fetchall()

    def settle(self, epoch: str, first: int, last: int) -> int:
        to = "DELETE FROM leftover WHERE epoch = ? AND seq BETWEEN ? AND ?"
        return self._db.execute(to, (epoch, first, last)).rowcount

    def held(self, epoch: str, ranges: Iterable[tuple[int, int]]) -> Resent:
        """Those that come again anyhow, and those of `ranges` (in order and apart) that are gone."""
        of_epoch = "SELECT seq FROM leftover WHERE epoch = ? AND seq BETWEEN ? AND ? ORDER BY seq"
        return held(self._db, of_epoch, ranges, epoch)

    def drop(self) -> list[tuple[str, int, str]]:
        """Drop some, the lowest numbers first, and give them back: epoch, number, JSON."""
        to = (
            "DELETE FROM leftover WHERE (epoch, seq) IN (SELECT epoch, seq FROM leftover ORDER BY epoch, seq LIMIT ?) "
            "RETURNING epoch, seq, text"
        )
        return self._db.execute(to, (DROP_EVENTS,)).fetchall()
