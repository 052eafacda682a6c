"""Ranges asked for again, against sets of numbers."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from edge.resending import held, merged
from firmware_cfg.wire import RANGES_MAX

RANGES = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 12)).map(lambda pair: (pair[0], pair[0] + pair[1])))


def numbers(ranges: list[tuple[int, int]]) -> list[int]:
    return [number for first, last in ranges for number in range(first, last + 1)]


@given(RANGES)
def test_merged_ranges_are_the_same_numbers_in_order_and_apart(ranges: list[tuple[int, int]]) -> None:
    found = list(merged(ranges))
    assert numbers(found) == sorted(set(numbers(ranges)))
    assert all(first[1] + 1 < second[0] for first, second in pairwise(found))


@given(RANGES, st.sets(st.integers(1, 80)))
def test_what_is_asked_for_is_held_or_gone(ranges: list[tuple[int, int]], there: set[int]) -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE TABLE event (seq INTEGER PRIMARY KEY)")
        db.executemany("INSERT INTO event VALUES (?)", [(seq,) for seq in there])
        found = held(db, "SELECT seq FROM event WHERE seq BETWEEN ? AND ? ORDER BY seq", merged(ranges))
    asked = set(numbers(ranges))
    assert found.events == len(asked & there)
    assert numbers(found.gone) == sorted(asked - there)


def test_the_answer_is_bounded() -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE TABLE event (seq INTEGER PRIMARY KEY)")
        db.executemany("INSERT INTO event VALUES (?)", [(2 * number,) for number in range(3 * RANGES_MAX)])
        found = held(db, "SELECT seq FROM event WHERE seq BETWEEN ? AND ? ORDER BY seq", [(1, 2**53 - 1)])
    assert len(found.gone) == RANGES_MAX
    assert found.events == 3 * RANGES_MAX - 1
