"""The normal distribution, and densities read off tables.

Compiled by Cython with the types in `curves.pxd`; the same source runs uncompiled.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable

from cython import cast, compiled, longlong
from cython.cimports.libc.math import erf, exp

_STEPS = 1024
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
            self.values = array("d", [0.0]) * (_STEPS + 1)
        for step in range(_STEPS + 1):
            self.values[step] = function(low + step / self.per_step)

    def at(self, x: float) -> float:
        """Its value at `x`, by a straight line between two of the table."""
        place = (x - self.low) * self.per_step
        if not place > 0.0:  # nor is what is no number
            return self.values[0]
        if place >= _STEPS:
            return self.values[_STEPS]
        step: int = cast(longlong, place)
        return self.values[step] + (place - step) * (self.values[step + 1] - self.values[step])


def _below(z: float) -> float:
    probability: float = 0.5 * (1.0 + erf(z * _PER_ROOT_TWO))
    return probability


_BELOW = Curve(_below, -6.0, 6.0)


def normal(x: float, mean: float, sd: float) -> float:
    z = (x - mean) / sd
    density: float = _PER_ROOT_TWO_PI / sd * exp(-0.5 * z * z)
    return density


def below(x: float, mean: float, sd: float) -> float:
    """The probability that a normal variable is less than `x`."""
    return _BELOW.at((x - mean) / sd)
