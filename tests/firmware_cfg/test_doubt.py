"""Intervals of totals."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from firmware_cfg.doubt import Z_95, doubt, interval


def test_a_passage_that_is_sure_leaves_no_doubt() -> None:
    assert doubt(3, 1.0) == 0.0
    assert doubt(2, 0.5) == 1.0
    assert interval(7, 0.0) == (7, 7)


def test_it_reaches_further_up_than_down() -> None:
    """Of 100 persons² a spread of sqrt(150 + 400), and 25 more upwards."""
    off = Z_95 * math.sqrt(550)
    assert interval(1000, 100.0) == (math.floor(1000 - off), math.ceil(1000 + off + 25))


@given(st.integers(0, 10**9), st.floats(0, 1e6), st.floats(0, 1e6))
def test_more_doubt_is_never_a_narrower_interval(value: int, variance: float, more: float) -> None:
    low, high = interval(value, variance)
    assert 0 <= low <= value <= high
    wider = interval(value, variance + more)
    assert wider[0] <= low
    assert high <= wider[1]
