"""The pulses to explain, as a search sees them: seconds since the first rise, and all edges in the order of time.

Compiled by Cython with the types in `scene.pxd`; the same source runs uncompiled.
"""

from __future__ import annotations

from array import array

from cython import compiled

from edge.counting.terms import BOTH, FOREVER_S, LAG_S_MIN, LINE_MAX, SLOWEST_M_S

_EDGES_MAX = 4 * LINE_MAX
_EVENLY, _BRISKLY = 1, 2
_APART, _APART_BRISKLY, _BRISK_M_S = 0.15, 0.7, 0.9  # of the sum of two lags: what one body's may differ by


class Scene:
    """Some pulses of both lines. A pulse still open has no fall yet.

    Line 0 is here the line that saw something first, `line0` on the door: swapping the beams swaps the directions and
    no more. `alike`: both saw just the same. An edge is a bit of a mask; bit n is `edge_pulse[n]`, rising or falling.

    Pulses are `even` where each has its like on the other line: then nobody hid half of somebody. They are `whole`
    where, besides, nobody who walks as fast as most may have made two that are not each other's like: then nobody hid
    a single edge. `weigh` says so.
    """

    __slots__ = (
        "alike",
        "bit_of",
        "count",
        "edge_falls",
        "edge_pulse",
        "edges",
        "even",
        "fall_bit",
        "fall_s",
        "line0",
        "open",
        "origin_ns",
        "rise_bit",
        "rise_s",
        "whole",
    )

    def __init__(self) -> None:
        self.line0 = self.edges = 0
        self.alike = self.even = self.whole = False
        self.origin_ns = 0
        if not compiled:  # else they are C arrays of the object's own, as its .pxd says
            self.count = array("i", [0, 0])
            self.open = array("i", [-1, -1])
            """Which pulse of a line is still open; -1 where none is."""
            self.rise_s = array("d", [0.0]) * (2 * LINE_MAX)
            self.fall_s = array("d", [0.0]) * (2 * LINE_MAX)
            self.rise_bit = array("q", [0]) * (2 * LINE_MAX)
            self.fall_bit = array("q", [0]) * (2 * LINE_MAX)
            self.edge_pulse = array("i", [0]) * _EDGES_MAX
            self.edge_falls = array("b", [0]) * _EDGES_MAX
            self.bit_of = array("b", [0]) * 37
            """Which bit a power of two is, by what 37 leaves of it: a loop would be a branch to guess for each."""
        power = 1
        for bit in range(_EDGES_MAX):
            self.bit_of[power] = bit
            power = power * 2 % 37

    def take(self, rises: array[int], falls: array[int], waiting: array[int], open0_ns: int, open1_ns: int) -> None:
        """Look at so many `waiting` pulses of each line, and at those that are open (since when, else -1).

        Pulse k of line l stands at l * LINE_MAX + k; an open one is written behind those that wait.
        """
        for line in range(2):
            opened_ns = open1_ns if line else open0_ns
            self.open[line] = -1
            self.count[line] = waiting[line]
            if opened_ns >= 0:
                self.open[line] = waiting[line]
                self.count[line] = waiting[line] + 1
                rises[line * LINE_MAX + waiting[line]] = opened_ns
        order = self._compare(rises, falls)
        self.line0 = 1 if order > 0 else 0
        self.alike = order == 0
        if self.line0:
            self.count[0], self.count[1] = self.count[1], self.count[0]
            self.open[0], self.open[1] = self.open[1], self.open[0]
        first0_ns, first1_ns = rises[self.line0 * LINE_MAX], rises[(1 - self.line0) * LINE_MAX]
        self.origin_ns = first0_ns if self.count[1] == 0 or (self.count[0] and first0_ns < first1_ns) else first1_ns
        for line in range(2):
            start, door = line * LINE_MAX, (line ^ self.line0) * LINE_MAX
            for pulse in range(self.count[line]):
                self.rise_s[start + pulse] = (rises[door + pulse] - self.origin_ns) * 1e-9
                self.fall_s[start + pulse] = (falls[door + pulse] - self.origin_ns) * 1e-9
            if self.open[line] >= 0:
                self.fall_s[start + self.open[line]] = FOREVER_S
        self._order()

    def _compare(self, rises: array[int], falls: array[int]) -> int:
        """Which line's pulses are earlier, edge by edge: -1 line 0's, 1 line 1's; 0 where they are alike."""
        for pulse in range(max(self.count[0], self.count[1])):
            if pulse >= self.count[0] or pulse >= self.count[1]:
                return -1 if pulse < self.count[0] else 1
            other = LINE_MAX + pulse
            if rises[pulse] != rises[other]:
                return -1 if rises[pulse] < rises[other] else 1
            if self.open[0] == pulse or self.open[1] == pulse:
                return 0 if self.open[0] == self.open[1] else (-1 if self.open[1] == pulse else 1)
            if falls[pulse] != falls[other]:
                return -1 if falls[pulse] < falls[other] else 1
        return 0

    def _order(self) -> None:
        """Number the edges of both lines in the order of time; a line's own are in it already."""
        at0, at1 = 0, 2 * LINE_MAX  # twice the pulse, and one more for its fall
        end0 = 2 * self.count[0] - (1 if self.open[0] >= 0 else 0)
        end1 = 2 * LINE_MAX + 2 * self.count[1] - (1 if self.open[1] >= 0 else 0)
        edge, one = 0, 1
        while at0 < end0 or at1 < end1:
            if at1 >= end1 or (at0 < end0 and self._time(at0) <= self._time(at1)):
                which = at0
                at0 += 1
            else:
                which = at1
                at1 += 1
            pulse = which >> 1
            self.edge_pulse[edge] = pulse
            self.edge_falls[edge] = which & 1
            if which & 1:
                self.fall_bit[pulse] = one << edge
            else:
                self.rise_bit[pulse] = one << edge
                self.fall_bit[pulse] = 0
            edge += 1
        self.edges = edge

    def _time(self, which: int) -> float:
        return self.fall_s[which >> 1] if which & 1 else self.rise_s[which >> 1]

    def weigh(self, separation_m: float) -> None:
        """Find out whether the pulses are `even` and `whole`, at beams so far apart."""
        count = self.count[0]
        self.even = count == self.count[1] and self.open[0] < 0 and self.open[1] < 0
        for pulse in range(count):
            self.even = self.even and self.like(pulse, LINE_MAX + pulse, separation_m) & _EVENLY != 0
        self.whole = self.even
        if self.even:
            for pulse0 in range(count):
                for pulse1 in range(count):
                    if pulse0 != pulse1 and self.like(pulse0, LINE_MAX + pulse1, separation_m) & _BRISKLY:
                        self.whole = False

    def second(self, edge: int) -> bool:
        """Whether the rise of the pulse that is its like on the other line came before."""
        pulse = self.edge_pulse[edge]
        other = pulse - LINE_MAX if pulse >= LINE_MAX else pulse + LINE_MAX
        return self.rise_s[other] < self.rise_s[pulse]

    def like(self, pulse0: int, pulse1: int, separation_m: float) -> int:
        """How one body may have made all of both pulses: _EVENLY, _BRISKLY (and less evenly), both or 0."""
        rise_lag = self.rise_s[pulse1] - self.rise_s[pulse0]
        fall_lag = self.fall_s[pulse1] - self.fall_s[pulse0]
        lags, apart = abs(rise_lag) + abs(fall_lag), abs(rise_lag - fall_lag)
        if (rise_lag < 0.0) != (fall_lag < 0.0) or not 2.0 * LAG_S_MIN < lags < 2.0 * separation_m / SLOWEST_M_S:
            return 0
        evenly = _EVENLY if apart <= _APART * lags else 0
        brisk = lags * _BRISK_M_S < 2.0 * separation_m and apart <= _APART_BRISKLY * lags
        return evenly | _BRISKLY if brisk else evenly

    def first(self, mask: int) -> int:
        """The earliest edge of a mask."""
        return self.bit_of[(mask & -mask) % 37]

    def edges_of(self, pulse: int, seen: int) -> int:
        """The mask of a pulse's edges that were `seen`: 1 its rise, 2 its fall, 3 both."""
        return (seen & 1) * self.rise_bit[pulse] + (seen >> 1) * self.fall_bit[pulse]

    def shared(self, pulse: int, seen: int) -> int:
        """Both edges of a pulse where only one was seen of a body: somebody else made the other. Else 0."""
        if seen == BOTH or not self.fall_bit[pulse]:
            return 0
        return self.rise_bit[pulse] | self.fall_bit[pulse]


def middle(left0_s: float, left1_s: float) -> float:
    """Of when a wanderer left each line, as far as it was there and has left."""
    if left0_s <= -FOREVER_S or left0_s >= FOREVER_S:
        return left1_s if -FOREVER_S < left1_s < FOREVER_S else 0.0
    if left1_s <= -FOREVER_S or left1_s >= FOREVER_S:
        return left0_s
    return 0.5 * (left0_s + left1_s)
