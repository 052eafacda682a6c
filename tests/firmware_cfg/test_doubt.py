"""Intervals of totals."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from firmware_cfg.doubt import Z_95, doubt, interval, margin


def test_a_passage_that_is_sure_leaves_no_doubt() -> None:
    assert doubt(3, 1.0) == 0.0
    assert doubt(2, 0.5) == 1.0
    assert interval(7, 0.0) == (7, 7)


def test_a_small_doubt_counts_twice_and_a_great_one_is_shared() -> None:
    assert math.isclose(margin(0.02), Z_95 * math.sqrt(0.04), rel_tol=1e-3)
    assert math.isclose(margin(1e6), Z_95 * 250_000, rel_tol=1e-3)


@given(st.integers(0, 10**9), st.floats(0, 1e6), st.floats(0, 1e6))
def test_more_doubt_is_never_a_narrower_interval(value: int, variance: float, more: float) -> None:
    low, high = interval(value, variance)
    assert 0 <= low <= value <= high
    wider = interval(value, variance + more)
    assert wider[0] <= low
    assert high <= wider[1]
