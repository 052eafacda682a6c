"""How far each door's counts are off, learned from stretches that began and ended with nobody inside.

A door has two weights: how many persons one that was counted stands for, inward and outward. Over such a stretch the
weighted counts of all doors must be 0; each one is a linear observation of the weights, as in recursive least squares.
A balance tells the two ways of a door apart and not what both miss alike: that remains the prior's width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

PRIOR_WEIGHT = 1.03
"""Sensors miss some rather than see some twice."""
PRIOR_SD = 0.025
DRIFT_SD = 0.002
"""By so much a weight may change from one balance to the next."""
SHOCK_SD = 0.015
"""By so much after a balance that cannot be believed: a sensor may have been moved, or the building was not empty."""
UNBELIEVABLE_SD = 4.0
NOISE = 0.04
"""Variance of the persons that one counted person stands for, before any balance told more."""
LINGERING_PERSONS2 = 0.5
"""Variance of who is inside when a building is taken to be empty."""
_NOISE_PRIOR_DAYS = 5
_NOISE_SCALE = (0.3, 30.0)


@dataclass(slots=True)
class Learned:
    """The weights of `doors` doors, in then out of each: mean and covariance. `balances` is how many taught them."""

    doors: int
    balances: int = 0
    weights: list[float] = field(default_factory=list)
    covariance: list[list[float]] = field(default_factory=list)
    surprise: float = float(_NOISE_PRIOR_DAYS)
    """Sum of the balances' squared errors, each over the variance that was expected of it."""

    def __post_init__(self) -> None:
        size = 2 * self.doors
        self.weights = self.weights or [PRIOR_WEIGHT] * size
        self.covariance = self.covariance or [
            [PRIOR_SD**2 if row == column else 0.0 for column in range(size)] for row in range(size)
        ]

    def copy(self) -> Learned:
        return Learned(self.doors, self.balances, self.weights[:], [row[:] for row in self.covariance], self.surprise)

    @property
    def noise(self) -> float:
        """Variance of the persons that one counted person stands for."""
        low, high = _NOISE_SCALE
        return NOISE * min(high, max(low, self.surprise / (_NOISE_PRIOR_DAYS + self.balances)))

    def inside(self, counts: Sequence[float]) -> float:
        """Persons more inside by these `counts`: in and out of each door, those out below zero."""
        return sum(weight * count for weight, count in zip(self.weights, counts, strict=True))

    def variance(self, counts: Sequence[float]) -> float:
        """Of what `inside` says, in persons²."""
        spread = self._spread(counts)
        return sum(map(_product, spread, counts)) + self.noise * sum(map(abs, counts))

    def balance(self, counts: Sequence[float], variance: float) -> None:
        """Learn from a stretch that began and ended with nobody inside; `variance` is of what was not counted."""
        spread = self._spread(counts)
        known = sum(map(_product, spread, counts))
        scatter = self.noise * sum(map(abs, counts)) + 2 * LINGERING_PERSONS2 + variance
        error = self.inside(counts)
        z2 = error**2 / (known + scatter)
        believed = z2 <= UNBELIEVABLE_SD**2
        self._forget(DRIFT_SD if believed else SHOCK_SD)
        if not believed:
            return
        self.balances += 1
        self.surprise += z2
        gain = [each / (known + scatter) for each in spread]
        self.weights = [weight - each * error for weight, each in zip(self.weights, gain, strict=True)]
        for row, row_gain in zip(self.covariance, gain, strict=True):
            row[:] = [value - row_gain * each for value, each in zip(row, spread, strict=True)]

    def _spread(self, counts: Sequence[float]) -> list[float]:
        return [sum(map(_product, row, counts)) for row in self.covariance]

    def _forget(self, sd: float) -> None:
        """Each weight may have moved, but not so far that less is known of it than in the beginning."""
        for index, row in enumerate(self.covariance):
            added = min(sd**2, max(0.0, PRIOR_SD**2 - row[index]))
            row[index] += added


def _product(first: float, second: float) -> float:
    return first * second
