"""What is done of each unit's outboxes, what is missing, and what is lost for good."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from collector.ledger.database import Database
from collector.ranges import RangeSet

_CACHED_MAX = 4096

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class OutboxState:
    """How complete an outbox is: the highest number heard of, holes still open, ranges that the unit has no more.

    `missing` and `lost` count numbers; `holes_forgotten` holes were so many that they were closed unfilled.
    """

    unit: str
    epoch: str
    highest: int
    missing: int
    lost: int
    holes: tuple[Range, ...]
    gone: tuple[Range, ...]
    holes_forgotten: int


class Outboxes:
    """Sets of sequence numbers a (unit, epoch). Reading raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._done: dict[tuple[str, str], RangeSet] = {}
        with database.reading() as db:
            self._lossy = {(unit, epoch) for unit, epoch in db.execute("SELECT unit, epoch FROM lost")}
            self._awaiting = {(unit, epoch) for unit, epoch in db.execute("SELECT unit, epoch FROM awaited")}

    def forget_cached(self) -> None:
        """They ran ahead of what is on disk."""
        self._done.clear()

    def add(self, db: sqlite3.Connection, done: Iterable[tuple[str, str, int, int]]) -> None:
        """Within a transaction: (unit, epoch, first, last) are done; none of them is lost any more."""
        touched = {}
        for unit, epoch, first, last in done:
            outbox = self._of(db, unit, epoch)
            if outbox.add(first, last):
                touched[unit, epoch] = outbox
            if (unit, epoch) in self._awaiting:
                sql = "DELETE FROM awaited WHERE unit = ? AND epoch = ? AND seq BETWEEN ? AND ?"
                db.execute(sql, (unit, epoch, first, last))
            if (unit, epoch) in self._lossy:
                lost = _lost(db, unit, epoch)
                if lost.remove(first, last):
                    _put_lost(db, unit, epoch, lost)
        self._put(db, touched)

    def _put(self, db: sqlite3.Connection, touched: Mapping[tuple[str, str], RangeSet]) -> None:
        db.executemany(
            "INSERT OR REPLACE INTO done VALUES (?, ?, ?, ?)",
            [(*key, json.dumps(list(ranges)), ranges.holes_forgotten) for key, ranges in touched.items()],
        )

    def _of(self, db: sqlite3.Connection, unit: str, epoch: str) -> RangeSet:
        key = (unit, epoch)
        if key not in self._done:
            if len(self._done) >= _CACHED_MAX:
                self._done.clear()
            row = db.execute("SELECT ranges, holes_forgotten FROM done WHERE unit = ? AND epoch = ?", key).fetchone()
            ranges = RangeSet(json.loads(row[0]) if row else ())
            ranges.holes_forgotten = row[1] if row else 0
            self._done[key] = ranges
        return self._done[key]

    def lose(self, unit: str, epoch: str, ranges: Iterable[Range]) -> None:
        """The unit has these no more. Only what is a hole is lost: what is done stays done."""
        with self._database.writing(self.forget_cached) as db:
            done = self._of(db, unit, epoch)
            lost = _lost(db, unit, epoch)
            for first, last in ranges:
                for hole in _within(done.holes(), first, last):
                    lost.add(*hole)
            self.add(db, [(unit, epoch, *each) for each in lost])
            _put_lost(db, unit, epoch, lost)
            self._lossy.add((unit, epoch))

    def claimed(self, unit: str, epoch: str) -> list[Range]:
        """What is done and neither lost for good nor only awaited."""
        with self._database.reading() as db:
            done = RangeSet(self._of(db, unit, epoch))
            awaited = _awaited(db, unit, epoch)
            for first, last in (*_lost(db, unit, epoch), *([(awaited, awaited)] if awaited else ())):
                done.remove(first, last)
        return list(done)

    def take_back(self, unit: str, epoch: str, ranges: Iterable[Range]) -> None:
        """These are not done after all.

        Where the highest is among them the number after it is awaited, and counts as done: else what is missing at the
        end would be no hole until the unit's next event. That one comes anyway.
        """
        with self._database.writing(self.forget_cached) as db:
            done = self._of(db, unit, epoch)
            highest = max((last for _, last in done), default=0)
            for first, last in ranges:
                done.remove(first, last)
            if highest not in done:
                done.add(highest + 1)
                db.execute("INSERT OR REPLACE INTO awaited VALUES (?, ?, ?)", (unit, epoch, highest + 1))
                self._awaiting.add((unit, epoch))
            self._put(db, {(unit, epoch): done})

    def has_losses(self, unit: str, epoch: str) -> bool:
        """Whether anything of it was ever lost for good."""
        return (unit, epoch) in self._lossy

    def done(self, unit: str, epoch: str) -> RangeSet:
        """Numbers that are stored, dead-lettered, declared as dropped, or lost for good. A copy."""
        with self._database.reading() as db:
            return RangeSet(self._of(db, unit, epoch))

    def known(self) -> list[tuple[str, str]]:
        """Every (unit, epoch) ever heard of."""
        with self._database.reading() as db:
            return [(unit, epoch) for unit, epoch in db.execute("SELECT unit, epoch FROM done")]

    def incomplete(self) -> list[tuple[str, str]]:
        """Every (unit, epoch) of which something is missing or lost."""
        with self._database.reading() as db:
            rows = db.execute("SELECT unit, epoch, ranges FROM done ORDER BY unit, epoch").fetchall()
        return [
            (unit, epoch)
            for unit, epoch, ranges in rows
            if (unit, epoch) in self._lossy or RangeSet(json.loads(ranges)).holes()
        ]

    def of_unit(self, unit: str, ranges_max: int = 100) -> list[OutboxState]:
        """Each outbox of the unit, at most `ranges_max` ranges of each sort, the oldest."""
        with self._database.reading() as db:
            epochs = [row[0] for row in db.execute("SELECT epoch FROM done WHERE unit = ? ORDER BY epoch", (unit,))]
            states = []
            for epoch in epochs:
                done = self._of(db, unit, epoch)
                holes, lost = done.holes(), _lost(db, unit, epoch)
                highest = max((last for _, last in done), default=0)
                states.append(
                    OutboxState(
                        unit=unit,
                        epoch=epoch,
                        highest=highest - (highest == _awaited(db, unit, epoch)),
                        missing=sum(last - first + 1 for first, last in holes),
                        lost=len(lost),
                        holes=tuple(holes[:ranges_max]),
                        gone=tuple(lost)[:ranges_max],
                        holes_forgotten=done.holes_forgotten,
                    )
                )
            return states


def _lost(db: sqlite3.Connection, unit: str, epoch: str) -> RangeSet:
    row = db.execute("SELECT ranges FROM lost WHERE unit = ? AND epoch = ?", (unit, epoch)).fetchone()
    return RangeSet(json.loads(row[0]) if row else ())


def _awaited(db: sqlite3.Connection, unit: str, epoch: str) -> int | None:
    row = db.execute("SELECT seq FROM awaited WHERE unit = ? AND epoch = ?", (unit, epoch)).fetchone()
    return int(row[0]) if row else None


def _put_lost(db: sqlite3.Connection, unit: str, epoch: str, lost: RangeSet) -> None:
    db.execute("INSERT OR REPLACE INTO lost VALUES (?, ?, ?)", (unit, epoch, json.dumps(list(lost))))


def _within(holes: Iterable[Range], first: int, last: int) -> list[Range]:
    return [(max(first, low), min(last, high)) for low, high in holes if low <= last and high >= first]
