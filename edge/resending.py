"""Events asked for again by their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firmware_cfg.wire import RANGES_MAX, Resent

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator


def merged(ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The same numbers in ranges that are in order and apart."""
    so_far: tuple[int, int] | None = None
    for first, last in sorted(ranges):
        if so_far is None:
            so_far = first, last
        elif first <= so_far[1] + 1:
            so_far = so_far[0], max(so_far[1], last)
        else:
            yield so_far
            so_far = first, last
    if so_far is not None:
        yield so_far


def held(db: sqlite3.Connection, seqs_sql: str, ranges: Iterable[tuple[int, int]], *values: str) -> Resent:
    """Which of `ranges` (in order and apart) are there: `seqs_sql`, with `values`, gives those from first to last."""
    events = 0
    gone: list[tuple[int, int]] = []
    for first, last in ranges:
        expected = first
        for (seq,) in db.execute(seqs_sql, (*values, first, last)):
            events += 1
            if seq > expected and len(gone) < RANGES_MAX:
                gone.append((expected, seq - 1))
            expected = seq + 1
        if expected <= last and len(gone) < RANGES_MAX:
            gone.append((expected, last))
    return Resent(events=events, gone=gone)


def reopen(db: sqlite3.Connection, ranges: Iterable[tuple[int, int]]) -> Resent:
    """Open what is held in these ranges, which are in order and apart; what is not is gone for ever."""
    ranges = list(ranges)
    to = "UPDATE event SET status = 0, reason = NULL, settled_ns = NULL WHERE seq BETWEEN ? AND ? AND status <> 0"
    db.executemany(to, ranges)
    return held(db, "SELECT seq FROM event WHERE seq BETWEEN ? AND ? ORDER BY seq", ranges)
