"""What goes where the outbox is full, and which ranges of numbers say so."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from firmware_cfg.wire import Kind

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator

DROP_ORDER: tuple[Kind, ...] = ("fault", "room", "cabinet", "audit", "counter", "passage")
DECLARATION = "outbox_dropped"
DROP_EVENTS = 100
RUN_EVENTS_MIN = 8
"""A declaration takes the room of an event: fewer in a row are not worth one."""
_MARK = f'"fault":"{DECLARATION}"'
_RUNS = """
SELECT min(seq), max(seq) FROM (
    SELECT seq, body, seq - row_number() OVER (ORDER BY seq) AS run FROM event WHERE rank <= ? AND status = 0
) GROUP BY run HAVING sum(instr(body, ?) = 0) >= ? ORDER BY 1
"""


@dataclass(slots=True)
class Dropped:
    """`count` events were dropped of those numbered `first`..`last`, and none of these is there any more."""

    first: int
    last: int
    count: int


def drop_settled(db: sqlite3.Connection) -> int:
    """Drop some of what the collector has or refused; how many those were."""
    return db.execute(
        "DELETE FROM event WHERE seq IN (SELECT seq FROM event WHERE status <> 0 ORDER BY status, settled_ns LIMIT ?)",
        (DROP_EVENTS,),
    ).rowcount


def drop_open(db: sqlite3.Connection, full: Callable[[int], bool]) -> tuple[list[tuple[int, str]], list[Dropped]]:
    """Drop while it is `full`, given how many declarations are to come: number and body of each event, and the ranges.

    Ranges which dropped declarations had declared are among them. Nothing settled is left when this begins.
    """
    lost: list[tuple[int, str]] = []
    ranges: list[Dropped] = []
    chunks = _in_a_row(db)
    while full(len(ranges)) and (chunk := next(chunks, None)):
        db.executemany("DELETE FROM event WHERE seq = ?", [(seq,) for seq, _ in chunk])
        lost += chunk
        declared = [json.loads(body) for _, body in chunk if _MARK in body]
        ranges += [Dropped(body["first_seq"], body["last_seq"], body["count"]) for body in declared]
        ranges = list(_joined(db, [*ranges, Dropped(chunk[0][0], chunk[-1][0], len(chunk))]))
    return lost, ranges


def _in_a_row(db: sqlite3.Connection) -> Iterator[list[tuple[int, str]]]:
    """Open events with no other between them: of the least precious kinds first, at last the oldest of any kind.

    What stands alone among more precious ones goes with them: to declare it would take the room that it gives.
    """
    of_range = "SELECT seq, body FROM event WHERE seq BETWEEN ? AND ? ORDER BY seq"
    for rank in range(len(DROP_ORDER) - 1):
        for first, last in db.execute(_RUNS, (rank, _MARK, RUN_EVENTS_MIN)).fetchall():
            for start in range(first, last + 1, DROP_EVENTS):
                yield db.execute(of_range, (start, min(last, start + DROP_EVENTS - 1))).fetchall()
    oldest = "SELECT seq, body FROM event WHERE status = 0 ORDER BY seq LIMIT ?"
    while chunk := db.execute(oldest, (DROP_EVENTS,)).fetchall():
        yield chunk


def _joined(db: sqlite3.Connection, ranges: Iterable[Dropped]) -> Iterator[Dropped]:
    """Those between which nothing is held, as one: what is missing there the collector has."""
    between = "SELECT 1 FROM event WHERE seq > ? AND seq < ? LIMIT 1"
    so_far: Dropped | None = None
    for range_ in sorted(ranges, key=lambda range_: range_.first):
        if so_far is None:
            so_far = range_
        elif db.execute(between, (so_far.last, range_.first)).fetchone():
            yield so_far
            so_far = range_
        else:
            so_far = Dropped(so_far.first, max(so_far.last, range_.last), so_far.count + range_.count)
    if so_far is not None:
        yield so_far
