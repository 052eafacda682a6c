from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector import ranges
from collector.ranges import RangeSet

SPANS = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 8)).map(lambda pair: (pair[0], pair[0] + pair[1])))


@given(SPANS)
def test_it_is_a_set_of_integers(spans: list[tuple[int, int]]) -> None:
    found = RangeSet()
    model: set[int] = set()
    for first, last in spans:
        new = set(range(first, last + 1)) - model
        assert found.add(first, last) == bool(new)
        model |= new
    assert {number for first, last in found for number in range(first, last + 1)} == model
    assert len(found) == len(model)
    assert all((number in found) == (number in model) for number in range(70))
    gaps = [(last + 1, first - 1) for (_, last), (first, _) in zip(list(found), list(found)[1:], strict=False)]
    assert all(first <= last for first, last in gaps)  # no two ranges touch
    missing = {number for first, last in found.holes() for number in range(first, last + 1)}
    assert missing == set(range(1, max(model, default=0) + 1)) - model


@given(SPANS, SPANS)
def test_numbers_can_be_taken_out(spans: list[tuple[int, int]], removed: list[tuple[int, int]]) -> None:
    found = RangeSet(spans)
    model = {number for first, last in spans for number in range(first, last + 1)}
    for first, last in removed:
        gone = set(range(first, last + 1))
        assert found.remove(first, last) == bool(model & gone)
        model -= gone
    assert found == RangeSet((number, number) for number in model)


@given(SPANS)
def test_a_range_of_which_none_was_in_is_put_in(spans: list[tuple[int, int]]) -> None:
    found = RangeSet()
    model: set[int] = set()
    for first, last in spans:
        fresh = set(range(first, last + 1))
        assert found.add_new(first, last) == (not model & fresh)
        model |= fresh if not model & fresh else set()
    assert found == RangeSet((number, number) for number in model)


def test_a_range_that_runs_backwards_is_refused() -> None:
    with pytest.raises(ValueError, match="backwards"):
        RangeSet().add(3, 2)


def test_it_stays_bounded_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "RANGES_MAX", 3)
    found = RangeSet((number, number) for number in (1, 3, 5, 7, 9))
    assert list(found) == [(1, 5), (7, 7), (9, 9)]
    assert found.holes_forgotten == 2
