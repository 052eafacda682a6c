"""When a building is known to be empty: well after it closed, well before it opens again."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise

from collector.analysis.buckets import local_date
from collector.ranges import joined
from firmware_cfg.schema import WEEKDAYS, Hub
from firmware_cfg.times import NS_PER_S

HOUR_NS = 3600 * NS_PER_S
LINGER_NS = 2 * HOUR_NS
"""For so long after closing staff may still be inside."""
EARLY_NS = 2 * HOUR_NS
"""So long before opening they may be inside again."""
SURE_NS = 6 * HOUR_NS
WITHOUT_HOURS = (time(0), time(5))
"""Where a hub's file gives no hours, it is taken to be empty at some time of the night between these."""
_DAYS_KEPT = 80
_AROUND = timedelta(days=9)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Closed:
    """A stretch in which nobody should be inside: who then lingers is seen to leave. At `sure_ns` it is empty."""

    start_ns: int
    sure_ns: int
    end_ns: int


class Hours:
    """A hub's opening hours as stretches of time. Not thread-safe."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._around: tuple[date, date] | None = None
        self._known_ns = (1, 0)  # within these nothing needs to be worked out again
        self._open: list[tuple[int, int]] = []
        self._closed: list[Closed] = []

    def closed(self, since_ns: int, until_ns: int) -> list[Closed]:
        """The stretches that touch `since_ns`..`until_ns`, earliest first."""
        self._know(since_ns, until_ns)
        first = bisect_right(self._closed, since_ns, key=lambda each: each.end_ns)
        last = bisect_right(self._closed, until_ns, key=lambda each: each.start_ns)
        return self._closed[first:last]

    def last_closed(self, now_ns: int) -> Closed | None:
        """The latest stretch that is over; None where there was none in the last week."""
        over = [each for each in self.closed(now_ns - 7 * 24 * HOUR_NS, now_ns) if each.end_ns <= now_ns]
        return over[-1] if over else None

    def is_open(self, t_ns: int) -> bool:
        """Always, where no hours are given."""
        self._know(t_ns, t_ns)
        at = bisect_right(self._open, t_ns, key=lambda stretch: stretch[0]) - 1
        return not self._hub.hours or (at >= 0 and t_ns < self._open[at][1])

    def kind(self, t_ns: int) -> int:
        """The kind of time, as far as people's leaving goes: the hour of the day, or how long it has been closed."""
        if self.is_open(t_ns):
            return datetime.fromtimestamp(t_ns // NS_PER_S, self._hub.zone).hour
        at = bisect_right(self._open, t_ns, key=lambda stretch: stretch[0]) - 1
        closed_ns = t_ns - self._open[at][1] if at >= 0 else HOUR_NS * 24
        return 24 + min(8, closed_ns // (HOUR_NS // 4))

    def _know(self, since_ns: int, until_ns: int) -> None:
        if self._known_ns[0] <= since_ns and until_ns <= self._known_ns[1]:
            return
        first, last = local_date(since_ns, self._hub.zone), local_date(until_ns, self._hub.zone)
        if self._around is not None:
            first = min(first, max(self._around[0] + _AROUND, last - _DAYS_KEPT * _DAY))
        self._around = (first - _AROUND, last + _AROUND + _DAY)
        self._known_ns = (self._at(first, time()), self._at(last + _DAY, time()))
        days = [self._around[0] + index * _DAY for index in range((self._around[1] - self._around[0]).days)]
        self._open = joined([stretch for day in days for stretch in self._opening(day)])
        if any(self._hub.hours.values()):
            self._closed = [
                _closed(closes + LINGER_NS, opens - EARLY_NS)
                for (_, closes), (opens, _) in pairwise(self._open)
                if closes + LINGER_NS < opens - EARLY_NS
            ]
        else:
            self._closed = [_closed(*(self._at(day, moment) for moment in WITHOUT_HOURS)) for day in days]

    def _opening(self, day: date) -> list[tuple[int, int]]:
        weekday = WEEKDAYS[day.weekday()]
        return [
            (
                self._at(day, hours.opens),
                self._at(day + _DAY if hours.closes == time() else day, hours.closes),
            )
            for hours in self._hub.hours.get(weekday, [])  # type: ignore[call-overload]  # a weekday is a weekday
        ]

    def _at(self, day: date, moment: time) -> int:
        return int(datetime.combine(day, moment, self._hub.zone).timestamp()) * NS_PER_S


def _closed(start_ns: int, end_ns: int) -> Closed:
    return Closed(start_ns, min(start_ns + SURE_NS, (start_ns + end_ns) // 2), end_ns)
