"""How far off a total may be, by what its passages say of themselves."""

from __future__ import annotations

import math

Z_95 = 1.959964
"""Standard deviations on either side that hold 95 % of a normal distribution."""
_TOGETHER, _SHARED = 2.0, 0.25


def doubt(persons: int, confidence: float) -> float:
    """The variance of one passage's persons, in persons²."""
    return persons * persons * confidence * (1.0 - confidence)


def margin(variance: float) -> float:
    """Half of a total's 95 % interval, where its passages' doubts add up to `variance` persons².

    Passages are wrong together: people come in groups, and what a door takes for usual is off by some all day long. So
    the variance counts twice, and a quarter of it is an error that all share. `foyer simulate totals` measures how many
    days the interval holds (docs/accuracy.md).
    """
    shared = _SHARED * variance
    return Z_95 * math.sqrt(_TOGETHER * variance + shared * shared)


def interval(value: int, variance: float) -> tuple[int, int]:
    """The 95 % interval of a total, in whole persons outwards; of no doubt, the total itself."""
    off = margin(variance)
    return max(0, math.floor(value - off)), math.ceil(value + off)
