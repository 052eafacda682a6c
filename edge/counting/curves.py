"""The normal distribution, and densities read off tables.

Compiled by Cython with the types in `curves.pxd`; the same source runs uncompiled.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable

from cython import cast, compiled, longlong
from cython.cimports.libc.math import erf, exp

_STEPS, _LAST = 1024, 1024.0
_PER_ROOT_TWO_PI = 0.3989422804014327
_PER_ROOT_TWO = 0.7071067811865476


class Curve:
    """A function that is smooth from `low` to `high` and stays as it is there beyond, read off a table.

    Exact ones took a quarter to a third of all time in `replay`.
    """

    __slots__ = ("low", "per_step", "values")

    def __init__(self, function: Callable[[float], float], low: float, high: float) -> None:
        self.low, self.per_step = low, _STEPS / (high - low)
        if not compiled:  # else it is a C array of the object's own, as its .pxd says
            self.values = array("f", [0.0]) * (_STEPS + 2)
        for step in range(_STEPS + 2):
            self.values[step] = function(low + min(step, _STEPS) / self.per_step)

    def at(self, x: float) -> float:
        """Its value at `x`, by a straight line between two of the table."""
        place = (x - self.low) * self.per_step
        place = max(0.0, place)  # so is what is no number
        place = min(_LAST, place)  # both without a branch to guess
        step: int = cast(longlong, place)
        value, following = self.values[step], self.values[step + 1]
        return value + (place - step) * (following - value)


def _below(z: float) -> float:
    probability: float = 0.5 * (1.0 + erf(z * _PER_ROOT_TWO))
    return probability


def _bell(z: float) -> float:
    density: float = _PER_ROOT_TWO_PI * exp(-0.5 * z * z)
    return density


_BELOW, _BELL = Curve(_below, -6.0, 6.0), Curve(_bell, -8.0, 8.0)


def normal(x: float, mean: float, sd: float) -> float:
    return _BELL.at((x - mean) / sd) / sd


def below(x: float, mean: float, sd: float) -> float:
    """The probability that a normal variable is less than `x`."""
    return _BELOW.at((x - mean) / sd)
