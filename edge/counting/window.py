"""The pulses that wait for an explanation, and when they get one.

Compiled by Cython with the types in `window.pxd`; the same source runs uncompiled.
"""

from __future__ import annotations

from array import array
from math import nan
from typing import Any

from cython import cast, compiled, longlong

from edge.counting.model import FOREVER_NS, DoorSettings
from edge.counting.terms import HALF, JITTER_S, LINE_MAX, RECENT0, RECENT1, SLOWEST_M_S, WANDERER, WANDERER_CONFIDENCE

from .found import Found
from .groups import Groups
from .habits import Habits
from .search import Search
from .teller import Teller

_DECIDE_NS = 1_500_000_000  # the oldest pulse waits no longer than this for company
_BLOCKED_NS_MAX = 10_000_000_000  # a longer pulse is somebody who stands there, or no body
_BY_BOTH = 2  # both lines at once: which way they came is not known
_GONE_NS = 1_200_000_000  # who stood there has gone when both beams are clear for so long
_PULSES_MAX = LINE_MAX - 1  # waiting on one line; the oldest are then settled as they stand

_PAUSE_NS_MIN, _PAUSE_NS_MAX = 300_000_000, 1_200_000_000
_SURE_NS_MIN = 120_000_000
_SURE_M = 0.42  # what belongs to a body follows no further behind
_SURE_CHANGE = 0.3  # of the rise lag and the fall lag, over their mean
_LAG_NS_MIN = 2_000_000
_LEFT_NS_MAX = 5_000_000_000  # who leaves walks from one beam to the other in less
_BEYOND_NS = 3_600_000_000_000  # who dwelt may stand there for so long
_FINE_NS, _HEARD = 1_000_000, 4
_ROUNDED = 0.41  # of a tick: the standard deviation of the difference of two rounded times


class Window:
    """Call `rise` and `fall` with debounced edges, in order on each line, and `decide` when time is `deadline_ns`."""

    __slots__ = (
        "beyond",
        "beyond_ns",
        "calm_ns",
        "came",
        "clean",
        "deadline_ns",
        "falls",
        "first_ns",
        "groups",
        "habits",
        "heard",
        "left0_ns",
        "left1_ns",
        "margin_ns",
        "open0_ns",
        "open1_ns",
        "quiet_ns",
        "rises",
        "search",
        "stay",
        "teller",
        "tick_ns",
        "waiting",
    )

    def __init__(self, settings: DoorSettings) -> None:
        metres = settings.separation_m
        self.habits = Habits(metres)
        slowest_ns = _PAUSE_NS_MAX if metres is None else int(metres / SLOWEST_M_S * 1e9)
        self.quiet_ns = max(_PAUSE_NS_MIN, min(_PAUSE_NS_MAX, slowest_ns))
        self.margin_ns = settings.debounce_ns  # an edge is known this much later than it happened
        self.open0_ns = self.open1_ns = -1
        """Since when a line is blocked; -1 where it is clear, or was blocked from the start."""
        self.first_ns, self.tick_ns, self.heard = -1, 0, 0
        """The first rise, the clock's tick as far as it is known, and after how many rises."""
        self.clean = False
        """Whether the waiting pulses are, where both beams are clear."""
        self.came = -1
        """The line by which a wanderer came who has been in the beams for longer than pulses are kept."""
        self.stay = -1
        """The line by which somebody came who stands in a beam; -1 where nobody does."""
        self.left0_ns = self.left1_ns = -1
        """When each line was last cleared in a stay."""
        self.beyond, self.beyond_ns = -1, 0
        """The line beyond which somebody swayed who stood there, and when: not told. -1 where nobody did."""
        self.deadline_ns = self.calm_ns = FOREVER_NS
        self.search, self.groups = Search(), Groups()
        self.search.habits = self.habits
        self.teller = Teller(settings, self.habits, self.search, self.groups)
        if not compiled:  # else they are C arrays of the object's own, as its .pxd says
            self.rises = array("q", [0]) * (2 * LINE_MAX)
            self.falls = array("q", [0]) * (2 * LINE_MAX)
            """Pulse k of line l stands at l * LINE_MAX + k."""
            self.waiting = array("i", [0, 0])

    def rise(self, line: int, t_ns: int) -> None:
        if line:
            self.open1_ns = t_ns
        else:
            self.open0_ns = t_ns
        if self.tick_ns == 0 or self.tick_ns > _FINE_NS:
            self._listen(t_ns)
        self._schedule()

    def _listen(self, t_ns: int) -> None:
        """What every rise is a multiple of after the first one is how the clock ticks: a slow one rounds the edges."""
        if self.first_ns < 0:
            self.first_ns = t_ns
            return
        tick_ns, rest_ns = t_ns - self.first_ns, self.tick_ns
        while rest_ns:
            tick_ns, rest_ns = rest_ns, tick_ns % rest_ns
        self.tick_ns = tick_ns
        self.heard += 1
        rounded_s = _ROUNDED * tick_ns * 1e-9 if self.heard >= _HEARD and tick_ns > _FINE_NS else 0.0
        self.habits.jitter_s = JITTER_S + rounded_s

    def fall(self, line: int, t_ns: int) -> None:
        rise_ns = self.open1_ns if line else self.open0_ns
        if line:
            self.open1_ns = -1
        else:
            self.open0_ns = -1
        if self.stay >= 0:
            if line:
                self.left1_ns = t_ns
            else:
                self.left0_ns = t_ns
        elif rise_ns >= 0:
            place = line * LINE_MAX + self.waiting[line]
            self.rises[place], self.falls[place] = rise_ns, t_ns
            self.waiting[line] += 1
        self._schedule()

    def decide(self, now_ns: int, found: Found) -> None:
        """Add the passages that can be told at `now_ns`; sets the next deadline, later than `now_ns`."""
        first = found.count
        while self.deadline_ns <= now_ns:
            if self.stay >= 0:
                self._end_stay(found, first)
            elif self._stands(now_ns):
                self._begin_stay()
            elif self._settle(now_ns, found, first):
                self._schedule()
            else:
                self._schedule()
                if self.deadline_ns <= now_ns:
                    # A pulse still open may explain the oldest: wait until it ends, or somebody stands there.
                    self.deadline_ns = min(now_ns + _DECIDE_NS, self._blocked_ns())
        for number in range(first, found.count):
            self.teller.doubt(found, number)

    def _stands(self, now_ns: int) -> bool:
        return self._blocked_ns() <= now_ns

    def _blocked_ns(self) -> int:
        """When a beam will have been blocked for too long."""
        since_ns = self.open0_ns
        if since_ns < 0 or 0 <= self.open1_ns < since_ns:
            since_ns = self.open1_ns
        return FOREVER_NS if since_ns < 0 else since_ns + _BLOCKED_NS_MAX

    def _begin_stay(self) -> None:
        """From now on it only matters by which line they leave."""
        first0_ns = self.rises[0] if self.waiting[0] else self.open0_ns
        first1_ns = self.rises[LINE_MAX] if self.waiting[1] else self.open1_ns
        if self.came >= 0:
            self.stay = self.came
        else:
            self.stay = 0 if first1_ns < 0 or 0 <= first0_ns < first1_ns else 1
            if first0_ns == first1_ns:
                self.stay = _BY_BOTH
        self.left0_ns = self.falls[self.waiting[0] - 1] if self.waiting[0] else -1
        self.left1_ns = self.falls[LINE_MAX + self.waiting[1] - 1] if self.waiting[1] else -1
        self.waiting[0] = self.waiting[1] = 0
        self.came = -1
        self._schedule()

    def _end_stay(self, found: Found, first: int) -> None:
        """Both beams are clear: a passage if they left by the other line than they came by, walking.

        Who dwelt before they left may stand there still: that they come back and leave is no passage, either.
        """
        apart_ns = self.left1_ns - self.left0_ns
        gone = 1 if apart_ns > 0 else 0
        through = self.left0_ns >= 0 and self.left1_ns >= 0 and self.stay == 1 - gone
        if through and self.beyond == self.stay and self.left0_ns - self.beyond_ns < _BEYOND_NS:
            self.beyond = -1
        elif through and _LAG_NS_MIN < _size(apart_ns) < _LEFT_NS_MAX:
            middle_ns = (self.left0_ns + self.left1_ns) // 2
            found.passage(middle_ns, 1 if gone else -1, 1, nan, nan, WANDERER_CONFIDENCE, first)
        elif through:
            self.beyond, self.beyond_ns = gone, max(self.left0_ns, self.left1_ns)
        self.stay = -1
        self._schedule()

    def _settle(self, now_ns: int, found: Found, first: int) -> bool:
        """Take what is due out of the waiting pulses, its passages into `found`; false if nothing could be."""
        full = self._full()
        everything = now_ns >= self.calm_ns
        if everything and self.clean and self.waiting[0] == 1 and self.came < 0 and self._tell_clean(found, first):
            self.waiting[0] = self.waiting[1] = 0
            return True
        search, groups = self.search, self.groups
        scene = search.scene
        scene.take(self.rises, self.falls, self.waiting, -1 if full else self.open0_ns, -1 if full else self.open1_ns)
        line0 = scene.line0
        if line0:
            near0 = self.teller.recent_out.show(search, RECENT0, scene.origin_ns)
            near1 = self.teller.recent_in.show(search, RECENT1, scene.origin_ns)
        else:
            near0 = self.teller.recent_in.show(search, RECENT0, scene.origin_ns)
            near1 = self.teller.recent_out.show(search, RECENT1, scene.origin_ns)
        search.run(self.habits, self.came if self.came < 0 else self.came ^ line0, near0, near1)
        self.teller.choose(everything)
        groups.unfold(search, self.teller.chosen)
        taken0 = taken1 = index = 0
        while index < groups.count:
            end = groups.segment_end(index)
            high0, high1, opened = taken0, taken1, False
            for group in range(index, end):
                high0, high1 = max(high0, groups.high[2 * group]), max(high1, groups.high[2 * group + 1])
                opened = opened or groups.opened[group] != 0
            due = everything or (full and index == 0) or self._old(taken0, taken1, high0, high1, now_ns)
            if not due or opened:
                break
            stays = full and end == groups.count and self._blocked() and groups.kind[end - 1] == WANDERER
            for group in range(index, end - 1 if stays else end):
                self.teller.tell(group, everything, found, first)
            if stays:
                if self.came < 0 and not scene.alike:
                    self.came = self._first_line(groups.low[2 * end - 2], groups.low[2 * end - 1]) ^ line0
            else:
                self.came = -1
            taken0, taken1, index = high0, high1, end
        self._forget(line0, taken0)
        self._forget(1 - line0, taken1)
        return index > 0

    def _blocked(self) -> bool:
        return self.open0_ns >= 0 or self.open1_ns >= 0

    def _first_line(self, pulse0: int, pulse1: int) -> int:
        """The line of the scene whose pulse is the earlier one."""
        scene = self.search.scene
        if pulse1 >= scene.count[1]:
            return 0
        if pulse0 >= scene.count[0]:
            return 1
        return 0 if scene.rise_s[pulse0] <= scene.rise_s[LINE_MAX + pulse1] else 1

    def _old(self, low0: int, low1: int, high0: int, high1: int, now_ns: int) -> bool:
        """Whether the oldest of these pulses of the scene's lines has waited long enough."""
        line0 = self.search.scene.line0
        if low0 < high0 and self.falls[line0 * LINE_MAX + low0] + _DECIDE_NS <= now_ns:
            return True
        return low1 < high1 and self.falls[(1 - line0) * LINE_MAX + low1] + _DECIDE_NS <= now_ns

    def _clean(self) -> bool:
        """Whether each pulse of a line and its like of the other are one body's, at an even speed."""
        if self.waiting[0] != self.waiting[1]:
            return False
        for pulse in range(self.waiting[0]):
            rise_lag = self.rises[LINE_MAX + pulse] - self.rises[pulse]
            fall_lag = self.falls[LINE_MAX + pulse] - self.falls[pulse]
            lags = _size(rise_lag) + _size(fall_lag)
            uneven = _size(rise_lag - fall_lag) > HALF * _SURE_CHANGE * lags
            if uneven or lags < 2 * _LAG_NS_MIN or (rise_lag < 0) != (fall_lag < 0):
                return False
        return True

    def _tell_clean(self, found: Found, first: int) -> bool:
        return self.teller.tell_clean(
            self.rises[0], self.rises[LINE_MAX], self.falls[0], self.falls[LINE_MAX], found, first
        )

    def _forget(self, line: int, count: int) -> None:
        start = line * LINE_MAX
        self.waiting[line] -= count
        for pulse in range(start, start + self.waiting[line]):
            self.rises[pulse], self.falls[pulse] = self.rises[pulse + count], self.falls[pulse + count]

    def _full(self) -> bool:
        return self.waiting[0] >= _PULSES_MAX or self.waiting[1] >= _PULSES_MAX

    def _schedule(self) -> None:
        """Set the deadline: soon where both beams are clear, else when the oldest pulse has waited long enough."""
        if self.stay >= 0:
            clear = self.open0_ns < 0 and self.open1_ns < 0
            last_ns = max(self.left0_ns, self.left1_ns)
            self.deadline_ns = last_ns + _GONE_NS + self.margin_ns if clear else FOREVER_NS
            return
        self._calm()
        if self._full():
            self.deadline_ns = 0
            return
        deadline_ns = min(self._blocked_ns(), self.calm_ns)
        for line in range(2):
            if self.waiting[line]:
                deadline_ns = min(deadline_ns, self.falls[line * LINE_MAX] + _DECIDE_NS)
        self.deadline_ns = deadline_ns

    def _calm(self) -> None:
        """Note when clear beams mean that nothing more belongs to the waiting pulses: soon after clean ones."""
        count0, count1 = self.waiting[0], self.waiting[1]
        self.calm_ns, self.clean = FOREVER_NS, False
        if self.open0_ns >= 0 or self.open1_ns >= 0 or not (count0 or count1):
            return
        last0_ns = self.falls[count0 - 1] if count0 else -1
        last1_ns = self.falls[LINE_MAX + count1 - 1] if count1 else -1
        wait_ns = self.quiet_ns
        self.clean = count0 > 0 and count1 > 0 and self._clean()
        if self.clean:
            lags_ns = _size(last1_ns - last0_ns) + _size(self.rises[LINE_MAX + count1 - 1] - self.rises[count0 - 1])
            sure_ns = cast(longlong, HALF * lags_ns * _SURE_M / self.habits.separation_m)
            wait_ns = min(wait_ns, max(_SURE_NS_MIN, sure_ns))
        self.calm_ns = max(last0_ns, last1_ns) + wait_ns + self.margin_ns

    def snapshot(self) -> dict[str, Any]:
        return {
            "rises": [self.rises[place] for place in range(2 * LINE_MAX)],
            "falls": [self.falls[place] for place in range(2 * LINE_MAX)],
            "waiting": [self.waiting[0], self.waiting[1]],
            "open": [self.open0_ns, self.open1_ns],
            "came": self.came,
            "tick": [self.first_ns, self.tick_ns, self.heard],
            "stay": [self.stay, self.left0_ns, self.left1_ns],
            "beyond": [self.beyond, self.beyond_ns],
            "teller": self.teller.snapshot(),
            "habits": self.habits.snapshot(),
            "deadline_ns": self.deadline_ns,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `snapshot` gave; raises KeyError, IndexError, TypeError or ValueError for anything else."""
        for place in range(2 * LINE_MAX):
            self.rises[place], self.falls[place] = state["rises"][place], state["falls"][place]
        for line in range(2):
            if not 0 <= state["waiting"][line] <= _PULSES_MAX:
                raise ValueError(f"{state['waiting'][line]} pulses wait")
            self.waiting[line] = state["waiting"][line]
        self.open0_ns, self.open1_ns = state["open"]
        self.came = state["came"]
        self.first_ns, self.tick_ns, self.heard = state["tick"]
        self.stay, self.left0_ns, self.left1_ns = state["stay"]
        self.beyond, self.beyond_ns = state["beyond"]
        self.teller.restore(state["teller"])
        self.habits.restore(state["habits"])
        self.deadline_ns = state["deadline_ns"]
        self._calm()


def _size(time_ns: int) -> int:
    """What `abs` says: Cython makes Python objects of it and of `int`, which took half of a clean passage's time."""
    return -time_ns if time_ns < 0 else time_ns
