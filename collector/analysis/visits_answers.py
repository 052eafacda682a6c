"""What is answered about long stretches of time."""

from __future__ import annotations

from pydantic import BaseModel

from collector.analysis.counts import Sum
from collector.answers import Lineage, Total
from firmware_cfg.doubt import interval


class Totals(BaseModel):
    """Many totals in columns, so that a year of hours stays small: the n-th of each belongs to the n-th time.

    `value` is net, `gross` what the sensors counted: they differ by what corrections say.
    """

    value: list[int | None] = []
    low: list[int | None] = []
    high: list[int | None] = []
    completeness: list[float] = []
    gross: list[int | None] = []

    def add(self, value: int, variance: float, completeness: float | None) -> None:
        """As it was counted. `completeness` None: a gap."""
        if completeness is None:
            self._put(None, None, None, 0.0)
        else:
            self._put(value, *interval(value, variance), completeness)
        self.gross.append(self.value[-1])

    def add_corrected(self, net: Sum | None, gross: int, completeness: float | None) -> None:
        """`net` None: nothing is known of it any more."""
        if net is None:
            self._put(None, None, None, completeness or 0.0)
        else:
            self._put(net.value, *interval(net.value, net.variance), completeness or 0.0)
        self.gross.append(None if completeness is None else gross)

    def _put(self, value: int | None, low: int | None, high: int | None, completeness: float) -> None:
        self.value.append(value)
        self.low.append(low)
        self.high.append(high)
        self.completeness.append(completeness)


class Both(BaseModel):
    visits: Totals
    exits: Totals


class VisitsByHour(Both):
    """`starts`: the local hours; on the day the clocks go back one of them is there twice, with another offset."""

    hub: str
    timezone: str
    starts: list[str]
    lineage: Lineage


class VisitsByDay(BaseModel):
    """`days`: local dates. `all` sums up every hub; `hubs` has each by its id."""

    timezone: str
    days: list[str]
    all: Both
    hubs: dict[str, Both]
    lineage: Lineage


class HeatCell(BaseModel):
    """`weekday` 1 is Monday, `hour` is the local one. `hours`: in how many such hours anything was known."""

    weekday: int
    hour: int
    hours: int
    visits: Total


class HeatMap(BaseModel):
    """`hub` None: all together. 168 cells, Monday's first hour first."""

    hub: str | None
    start: str
    end: str
    timezone: str
    cells: list[HeatCell]
    lineage: Lineage


class MonthCompared(BaseModel):
    """`before`: the same dates of the year before. `change_percent` None where either is unknown or `before` is 0."""

    visits: Total
    before: Total
    change_percent: float | None


class YearOnYear(BaseModel):
    """`months` has January first. Of the present year only the days that are over are compared."""

    hub: str | None
    year: int
    timezone: str
    whole: MonthCompared
    months: list[MonthCompared]
    lineage: Lineage
