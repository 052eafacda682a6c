"""One body that moves straight, tried on some edges of two pulses: how likely it is that it made them.

Compiled by Cython with the types in `measure.pxd`; the same source runs uncompiled.
"""

from __future__ import annotations

from array import array

from cython import compiled
from cython.cimports.libc.math import exp, log, sqrt

from edge.counting.terms import FALLS, LAG_S_MIN, RISES, STRAIGHT, UNSEEN, USUAL_M

from .curves import below, normal
from .habits import Habits, lag_density, speed_density

_ALL, _NO_FALL1, _NO_FALL0, _NO_RISE1, _NO_RISE0 = 15, 7, 13, 11, 14  # sums of 1 rise0, 2 fall0, 4 rise1, 8 fall1
_FIRST_AND_LAST, _MIDDLE = 9, 6
_CHANGE_SD = 0.06  # of a lag from front to back, as a share of it: people do not walk evenly
_ODD_CHANGE, _ODD_SHARE = 3.0, 0.03
_SWING_SD = 0.15  # the same of an arm
_GRID = 16
_SPEED_LOG_MIN, _SPEED_LOG_STEP = -1.1, 0.14  # 0.33 to 2.7 m/s
_TINY_FIT = 1e-12
_NOBODY_WALKS = 5e-8  # a density of lags: whatever the rest of a body is like, it is impossible


class Measure:
    """What `take` found: the body's lag, width and centre, seconds; `fit` is the density of the edges but for these.

    `speed_log` is the logarithm of its speed, and `alone` the density of the lag of someone alone.
    """

    __slots__ = (
        "alone",
        "centre_s",
        "chair_m",
        "fit",
        "four",
        "jitter_s",
        "lag_s",
        "lags_s",
        "last_alone",
        "last_lag",
        "last_log",
        "of_lags",
        "other_alone",
        "other_lag",
        "other_log",
        "separation_m",
        "slack_s",
        "speed_log",
        "speeds",
        "width_s",
    )

    def __init__(self) -> None:
        self.separation_m = self.jitter_s = self.chair_m = self.alone = 0.0
        self.last_lag = self.other_lag = -1.0
        self.last_alone = self.other_alone = self.last_log = self.other_log = 0.0
        self.four = False
        self.speed_log = self.slack_s = self.fit = self.lag_s = self.width_s = self.centre_s = 0.0
        if not compiled:  # else they are C arrays of the object's own, as its .pxd says
            self.speeds = array("d", [0.0]) * _GRID
            self.lags_s = array("d", [0.0]) * _GRID
            self.of_lags = array("d", [0.0]) * _GRID

    def begin(self, separation_m: float, jitter_s: float) -> None:
        """Bodies from now on move past beams so far apart, whose edges are so far off."""
        self.jitter_s = jitter_s
        if separation_m == self.separation_m:
            return
        self.separation_m = separation_m
        self.last_lag = self.other_lag = -1.0
        for step in range(_GRID):
            speed = exp(_SPEED_LOG_MIN + _SPEED_LOG_STEP * step)
            lag = separation_m / speed
            self.speeds[step], self.lags_s[step] = speed, lag
            self.of_lags[step] = lag * lag_density(lag, separation_m)

    def take(self, habits: Habits, rise0: float, fall0: float, rise1: float, fall1: float, seen: int) -> int:
        """The kind of body that made the edges `seen` of a pulse of its first beam and of one of its second; 0 if none.

        Of two rises or two falls the width is anything up to `width_s`; where neither
        lag nor width was seen both are integrated out, `fit` includes them, and `lag_s` is the likeliest.
        """
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
        elif seen == RISES:
            possible = self._bounded(rise_lag, min(width0, width1), rise0, 1.0)
        elif seen == FALLS:
            possible = self._bounded(fall_lag, min(width0, width1), fall0, -1.0)
        elif seen == _FIRST_AND_LAST:
            return self._unseen(habits, fall1 - rise0, 1.0, rise_lag, width0, 0.5 * (rise0 + fall1))
        elif seen == _MIDDLE:
            return self._unseen(habits, fall0 - rise1, -1.0, LAG_S_MIN, min(width0, width1), 0.5 * (rise1 + fall0))
        return STRAIGHT if possible else 0

    def swung(self) -> float:
        """What `fit` is for an arm, which swings."""
        sd = _SWING_SD * self.lag_s + self.jitter_s
        return (normal(self.slack_s, 0.0, sd) if self.four else below(self.slack_s, 0.0, sd)) + _TINY_FIT

    def _walks(self, lag: float) -> bool:
        """Whether somebody may have that lag; six bodies of two pulses have one of two lags."""
        if lag == self.other_lag:
            self.alone, self.speed_log = self.other_alone, self.other_log
        else:
            if lag != self.last_lag:
                self.other_lag, self.other_alone, self.other_log = self.last_lag, self.last_alone, self.last_log
                self.last_lag, self.last_log = lag, log(self.separation_m / lag)
                self.last_alone = speed_density(self.last_log) / lag
            self.alone, self.speed_log = self.last_alone, self.last_log
        return self.alone > _NOBODY_WALKS

    def _all(self, rise_lag: float, fall_lag: float, width0: float, width1: float, from_s: float) -> bool:
        if rise_lag < LAG_S_MIN or fall_lag < LAG_S_MIN:
            return False
        self.lag_s = lag = 0.5 * (rise_lag + fall_lag)
        self.speed_log = log(self.separation_m / lag)
        self.alone = speed_density(self.speed_log) / lag
        if self.alone <= _NOBODY_WALKS:
            return False
        self.width_s = 0.5 * (width0 + width1)
        self.centre_s = from_s + 0.5 * (rise_lag + self.width_s + 0.5 * (fall_lag - rise_lag))
        self.slack_s = change = fall_lag - rise_lag
        self.four = True
        sd = sqrt(_CHANGE_SD * _CHANGE_SD * lag * lag + self.jitter_s * self.jitter_s)
        even = (1.0 - _ODD_SHARE) * normal(change, 0.0, sd) + _ODD_SHARE * normal(change, 0.0, _ODD_CHANGE * sd)
        self.fit = even + _TINY_FIT
        return True

    def _three(self, lag: float, width: float, room: float, from_s: float) -> bool:
        """`room`: how far inside its pulse the hidden edge would be."""
        if lag < LAG_S_MIN or width <= 0.0 or not self._walks(lag):
            return False
        self.lag_s, self.width_s, self.slack_s = lag, width, room
        self.four = False
        self.centre_s = from_s + 0.5 * (lag + width)
        sd = sqrt(_CHANGE_SD * _CHANGE_SD * lag * lag + self.jitter_s * self.jitter_s)
        self.fit = below(room, 0.0, sd) + _TINY_FIT
        return True

    def _bounded(self, lag: float, width_max: float, from_s: float, sign: float) -> bool:
        if lag < LAG_S_MIN or width_max <= 0.0 or not self._walks(lag):
            return False
        self.lag_s, self.width_s = lag, width_max
        # rises: the middle is half a width after them; falls: half a width before
        middle = 0.5 * (min(USUAL_M * lag / self.separation_m, width_max) + lag)
        self.centre_s = from_s + middle if sign > 0.0 else from_s + lag - middle
        self.fit = 1.0
        return True

    def _unseen(
        self, habits: Habits, total: float, sign: float, lag_min: float, width_max: float, centre: float
    ) -> int:
        """Integrate over speeds: `total` is width + sign x lag."""
        sum_density = best = 0.0
        if sign > 0.0:
            shortest, longest = max(lag_min, total - width_max), total
        else:
            shortest, longest = max(lag_min, -total), width_max - total
        step = likeliest = 0
        while step < _GRID and self.lags_s[step] >= longest:
            step += 1
        while step < _GRID and self.lags_s[step] >= shortest:
            speed, lag = self.speeds[step], self.lags_s[step]
            width = total - sign * lag
            density = self.of_lags[step] * habits.length_density(width * speed, lag, self.chair_m) * speed
            sum_density += density
            likeliest = step if density > best else likeliest
            best = max(best, density)
            step += 1
        if best == 0.0:
            return 0
        self.lag_s = self.lags_s[likeliest]
        self.width_s, self.speed_log = total - sign * self.lag_s, _SPEED_LOG_MIN + _SPEED_LOG_STEP * likeliest
        self.centre_s, self.alone = centre, 1.0
        self.fit = sum_density * _SPEED_LOG_STEP
        return UNSEEN
