"""Persons with the variance of their error."""

from __future__ import annotations

from dataclasses import dataclass

from collector.answers import Total
from collector.store.base import QUARTER_NS, Count
from firmware_cfg.doubt import interval


@dataclass(slots=True)
class Sum:
    """Persons one way in some stretch. `variance` is of the error; halves of unknown direction add to it."""

    value: int = 0
    variance: float = 0.0

    def add(self, other: Sum) -> None:
        self.value += other.value
        self.variance += other.variance

    def total(self, completeness: float) -> Total:
        low, high = interval(self.value, self.variance)
        return Total(value=self.value, low=low, high=high, completeness=completeness)


def unknown_total() -> Total:
    """A gap: nothing watched, so nothing is said."""
    return Total(value=None, low=None, high=None, completeness=0.0)


def split(quarter_ns: int, count: Count) -> tuple[Sum, Sum]:
    """Visits and exits of a quarter. Half of those whose direction is unknown went each way, as far as anybody knows.

    The odd one is a visit in every other quarter of an hour, so that sums over any stretch add up and lean neither way.
    """
    half, odd = divmod(count.unknown, 2)
    visitor = odd if quarter_ns // QUARTER_NS % 2 == 0 else 0
    variance = count.unknown / 4
    return (
        Sum(count.in_ + half + visitor, count.variance_in + variance),
        Sum(count.out + half + odd - visitor, count.variance_out + variance),
    )
