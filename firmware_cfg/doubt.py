"""How far off a total may be, by what its passages say of themselves."""

from __future__ import annotations

import math
from collections.abc import Iterable

Z_95 = 1.959964
"""Standard deviations on either side that hold 95 % of a normal distribution."""
_TOGETHER, _SHARED, _MISSED = 1.5, 0.2, 0.25


def doubt(persons: int, confidence: float) -> float:
    """The variance of one passage's persons, in persons²."""
    return persons * persons * confidence * (1.0 - confidence)


def doubts_of_one(confidences: Iterable[float]) -> list[float]:
    """That of each of many passages of one person."""
    return [confidence * (1.0 - confidence) for confidence in confidences]


def interval(value: int, variance: float) -> tuple[int, int]:
    """The 95 % interval of a total whose passages' doubts add up to `variance` persons², in whole persons outwards.

    Passages are wrong together: people come in groups, and what a door takes for usual is off by some all day long. So
    the variance counts one and a half times, and a fifth of it is an error that all share. And who is hidden is more
    often missed than somebody is made up: a quarter of it reaches upwards. `foyer simulate totals` measures how many
    days such intervals hold (docs/accuracy.md). Of no doubt it is the total itself.
    """
    shared = _SHARED * variance
    off = Z_95 * math.sqrt(_TOGETHER * variance + shared * shared)
    return max(0, math.floor(value - off)), math.ceil(value + off + _MISSED * variance)
