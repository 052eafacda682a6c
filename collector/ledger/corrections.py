"""The book of corrections: entries are added and never changed or deleted; taking one back is an entry too."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, replace

from collector.corrections import Correction, Version
from collector.ledger.database import Database
from firmware_cfg.errors import FoyerError

_SELECT = """SELECT c.id, c.made_ns, c.author, c.reason, c.undoes, c.body, u.id
    FROM correction c LEFT JOIN correction u ON u.undoes = c.id"""


class CorrectionRefused(FoyerError, ValueError):  # noqa: N818 - as ConnectionRefused is
    """It contradicts one that holds, or what is to be taken back does not hold."""


class Corrections:
    """Every method raises StoreUnavailable where the ledger cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, correction: Correction, author: str, reason: str, made_ns: int) -> Version:
        """Raises CorrectionRefused where it contradicts one that holds."""
        with self._database.writing() as db:
            for other in _of(db, correction.hub):
                if other.active and correction.contradicts(other.correction):
                    raise CorrectionRefused(f"it contradicts correction {other}; undo that first")
            body = json.dumps(asdict(correction))
            return _insert(db, Version(0, made_ns, author, reason, correction), body)

    def undo(self, number: int, author: str, reason: str, made_ns: int) -> Version:
        """Take a correction back. Raises CorrectionRefused where there is none that holds."""
        with self._database.writing() as db:
            row = db.execute(f"{_SELECT} WHERE c.id = ?", (number,)).fetchone()
            if row is None:
                raise CorrectionRefused(f"there is no correction {number}")
            found = _version(row)
            if found.undoes is not None:
                raise CorrectionRefused(f"{number} takes back {found.undoes}; to have that again, add it again")
            if found.undone_by is not None:
                raise CorrectionRefused(f"correction {number} was taken back already, by {found.undone_by}")
            undoing = Version(0, made_ns, author, reason, found.correction, undoes=number)
            return _insert(db, undoing, row[5])

    def newest(self) -> int:
        """The number of the last entry, 0 where there is none: while it is the same, so is the book."""
        with self._database.reading() as db:
            return int(db.execute("SELECT coalesce(max(id), 0) FROM correction").fetchone()[0])

    def versions(self, hub: str | None = None) -> list[Version]:
        """Every entry, of one hub or of all, in the order in which they were made."""
        with self._database.reading() as db:
            return _of(db, hub)

    def active(self, hub: str | None = None) -> Sequence[Version]:
        """The corrections that hold, of one hub or of all."""
        return [version for version in self.versions(hub) if version.active]


def _of(db: sqlite3.Connection, hub: str | None) -> list[Version]:
    rows = db.execute(f"{_SELECT} WHERE ? IS NULL OR c.hub = ? ORDER BY c.id", (hub, hub))
    return [_version(row) for row in rows]


def _insert(db: sqlite3.Connection, version: Version, body: str) -> Version:
    cursor = db.execute(
        "INSERT INTO correction (made_ns, author, reason, undoes, hub, body) VALUES (?, ?, ?, ?, ?, ?)",
        (version.made_ns, version.author, version.reason, version.undoes, version.correction.hub, body),
    )
    return replace(version, id=int(cursor.lastrowid or 0))


def _version(row: tuple[int, int, str, str, int | None, str, int | None]) -> Version:
    number, made_ns, author, reason, undoes, body, undone_by = row
    return Version(number, made_ns, author, reason, Correction(**json.loads(body)), undoes, undone_by)
