"""How likely it is that one straight-moving body made some of the edges of two pulses.

Compiled by Cython with the types in `bodies.pxd`; the same source runs uncompiled.

A body has four edges: it blocks its first beam, then the other, and clears them in turn. Each edge is *seen*, or
*hidden*: another body blocked the beam at that moment already, or still. Two to four are seen, one a beam at least;
what is hidden is integrated out.
"""

from __future__ import annotations

from math import exp, log, sqrt

from .habits import Habits, below, lag_density, normal

try:
    SOURCE_SHA256: str = FOYER_SOURCE_SHA256.decode()  # type: ignore[name-defined]  # a C macro set by setup.py
except NameError:
    SOURCE_SHA256 = ""

WIDTH_SEEN, WIDTH_BOUNDED, WIDTH_UNSEEN = 0, 1, 2
_ALL, _NO_FALL1, _NO_FALL0, _NO_RISE1, _NO_RISE0 = 15, 7, 13, 11, 14  # sums of what `take` calls seen
_RISES, _FALLS, _FIRST_AND_LAST, _MIDDLE = 5, 10, 9, 6
_LAG_S_MIN = 0.002  # what moves both beams closer together than this moved across neither
_CHANGE_SD, _JITTER_S = 0.10, 0.002  # of a lag from front to back, as a share of it: people do not walk evenly
_ODD_CHANGE, _ODD_SHARE = 3.0, 0.03
_TINY = 1e-12

_GRID = 16
_SPEED_LOG_MIN, _SPEED_LOG_STEP = -1.1, 0.14  # 0.33 to 2.7 m/s


class Measure:
    """One body's edges, tried on pulses: `fit` is a log density of what is seen but for lag and width.

    `loose` is the same for an arm, which swings. Where `kind` is WIDTH_UNSEEN, lag and width are integrated out for a
    person, and `fit` includes both; `lag_s` is then the likeliest. Where it is WIDTH_BOUNDED, the width is anything up
    to `width_s`.
    """

    __slots__ = ("centre_s", "fit", "habits", "kind", "lag_s", "loose", "width_s")

    def __init__(self, habits: Habits) -> None:
        self.habits = habits
        self.kind = WIDTH_SEEN
        self.fit = self.loose = 0.0
        self.lag_s = self.width_s = self.centre_s = 0.0

    def take(self, rise0: float, fall0: float, rise1: float, fall1: float, seen: int) -> bool:
        """Pulses of the first and the second beam, seconds; `seen`: 1 rise0, 2 fall0, 4 rise1, 8 fall1.

        False where no body can have made those edges.
        """
        self.kind = WIDTH_SEEN
        rise_lag, fall_lag = rise1 - rise0, fall1 - fall0
        width0, width1 = fall0 - rise0, fall1 - rise1
        possible = False
        if seen == _ALL:
            possible = self._all(rise_lag, fall_lag, width0, width1, rise0)
        elif seen == _NO_FALL1:
            possible = self._three(rise_lag, width0, width1 - width0, rise0)
        elif seen == _NO_FALL0:
            possible = self._three(rise_lag, width1, width0 - width1, rise0)
        elif seen == _NO_RISE1:
            possible = self._three(fall_lag, width0, width1 - width0, rise0)
        elif seen == _NO_RISE0:
            possible = self._three(fall_lag, width1, width0 - width1, fall0 - width1)
        elif seen == _RISES:
            possible = self._bounded(rise_lag, min(width0, width1), rise0, 1.0)
        elif seen == _FALLS:
            possible = self._bounded(fall_lag, min(width0, width1), fall0, -1.0)
        elif seen == _FIRST_AND_LAST:
            possible = self._unseen(fall1 - rise0, 1.0, rise_lag, width0, 0.5 * (rise0 + fall1))
        elif seen == _MIDDLE:
            possible = self._unseen(fall0 - rise1, -1.0, _LAG_S_MIN, min(width0, width1), 0.5 * (rise1 + fall0))
        return possible

    def _all(self, rise_lag: float, fall_lag: float, width0: float, width1: float, from_s: float) -> bool:
        if rise_lag < _LAG_S_MIN or fall_lag < _LAG_S_MIN:
            return False
        self.lag_s = lag = 0.5 * (rise_lag + fall_lag)
        self.width_s = 0.5 * (width0 + width1)
        self.centre_s = from_s + 0.5 * (rise_lag + self.width_s + 0.5 * (fall_lag - rise_lag))
        change = fall_lag - rise_lag
        sd = sqrt(_CHANGE_SD * _CHANGE_SD * lag * lag + _JITTER_S * _JITTER_S)
        even = (1.0 - _ODD_SHARE) * normal(change, 0.0, sd) + _ODD_SHARE * normal(change, 0.0, _ODD_CHANGE * sd)
        self.fit = log(even + _TINY)
        self.loose = log(normal(change, 0.0, 0.35 * lag + _JITTER_S) + _TINY)
        return True

    def _three(self, lag: float, width: float, room: float, from_s: float) -> bool:
        """`room`: how far inside its pulse the hidden edge would be."""
        if lag < _LAG_S_MIN or width <= 0.0:
            return False
        self.lag_s, self.width_s = lag, width
        self.centre_s = from_s + 0.5 * (lag + self.width_s)
        sd = sqrt(_CHANGE_SD * _CHANGE_SD * lag * lag + _JITTER_S * _JITTER_S)
        self.fit = log(below(room, 0.0, sd) + _TINY)
        self.loose = log(below(room, 0.0, 0.35 * lag + _JITTER_S) + _TINY)
        return True

    def _bounded(self, lag: float, width_max: float, from_s: float, sign: float) -> bool:
        if lag < _LAG_S_MIN or width_max <= 0.0:
            return False
        self.kind = WIDTH_BOUNDED
        self.lag_s = lag
        self.width_s = width_max
        usual = 0.3 * lag / self.habits.separation_m
        # rises: the middle is half a width after them; falls: half a width before
        middle = 0.5 * (min(usual, width_max) + lag)
        self.centre_s = from_s + middle if sign > 0.0 else from_s + lag - middle
        self.fit = self.loose = 0.0
        return True

    def _unseen(self, total: float, sign: float, lag_min: float, width_max: float, centre: float) -> bool:
        """Integrate over speeds: `total` is width + sign x lag."""
        separation = self.habits.separation_m
        sum_density = best = 0.0
        for step in range(_GRID):
            speed = exp(_SPEED_LOG_MIN + _SPEED_LOG_STEP * step)
            lag = separation / speed
            width = total - sign * lag
            if width <= 0.0 or width > width_max or lag < lag_min:
                continue
            density = lag * lag_density(lag, separation) * self.habits.length_density(width * speed) * speed
            sum_density += density
            if density > best:
                best = density
                self.lag_s, self.width_s = lag, width
        if best == 0.0:
            return False
        self.kind = WIDTH_UNSEEN
        self.centre_s = centre
        self.fit = self.loose = log(sum_density * _SPEED_LOG_STEP)
        return True
