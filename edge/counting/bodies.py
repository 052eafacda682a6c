"""All that may have made some edges of the waiting pulses, whoever made the others.

Compiled by Cython with the types in `bodies.pxd`; the same source runs uncompiled.

A body that moves straight has four edges: it blocks its first beam, then the other, and clears them in turn. Each edge
is *seen*, or *hidden*: another body blocked the beam at that moment already, or still. Two to four are seen, one a beam
at least; what is hidden is integrated out. A *wanderer* dwells or turns over some pulses; and what is *nobody* is a
glitch, or an edge that nothing explains.
"""

from __future__ import annotations

from array import array

from cython import compiled
from cython.cimports.libc.math import exp, log

from edge.counting.terms import (
    ALL_SEEN,
    BOTH,
    CHAIR_M,
    CHAIR_PIECE_M,
    FALLS,
    FOREVER_S,
    LAG_S_MIN,
    LINE_MAX,
    NOBODY,
    PERSON_RATE,
    RISES,
    SLOWEST_M_S,
    STRAIGHT,
    UNSEEN,
    USUAL_M,
    WANDERER,
)

from .candidates import Candidates
from .company import arm_density, arm_shorter, piece_density, piece_shorter
from .curves import normal
from .habits import Habits, lag_density
from .measure import Measure
from .scene import Scene, middle

_TINY_GAIN, _IMPOSSIBLE = 1e-12, 1e-5
_CERTAIN = 1e4  # times likelier to be one body's than nobody's
_JOINED, _PIECES_JOINED = 0.15, 0.4  # of what people have with them touches them, or another piece of it, at a beam
_USUAL_PART_M, _WIDTH_SD_M = 0.09, 0.06

_NOBODY_RATE = 0.02
_GLITCH_S = 0.06
_LOG_RANGE = 8.0  # of times between 5 ms and 20 s: a wanderer's may be any
_SHORTEST_S, _LAG_S_MAX = 0.005, 5.0
_WALKS, _SHUFFLE_S = 0.8, 0.03
_SWAY_S, _SWAYS = 0.2, exp(-6.0)  # who wanders seldom leaves both beams, and not for longer
_TURN_LOG, _TURN_SD = 0.3, 0.8  # who turns takes about a second
_LONE_EDGE, _OPEN_PULSE = exp(-12.0), exp(-6.0)  # what explains an open one may still come
_BODY_S = 0.1  # what nobody is shorter than
_HALF_BODY_S = 0.12


def _nobody_density(scene: Scene, pulse: int) -> float:
    long_s = scene.fall_s[pulse] - scene.rise_s[pulse]
    return _NOBODY_RATE / _GLITCH_S if long_s < _GLITCH_S else _NOBODY_RATE / (_LOG_RANGE * long_s)


class Bodies(Candidates):
    """`fill` it from a scene.

    Where that is whole, it is `plain`: bodies that leave one pulse of two that are each other's like, or an edge of
    either, to somebody else are not tried, and nobody is not where two pulses are `sure` to be one body's (bit k of
    pulse k of each line).
    """

    __slots__ = ("chair_m", "measure", "plain", "reach_s", "separation_m", "stay_density", "stay_s", "sure")

    def __init__(self) -> None:
        super().__init__()
        self.separation_m = self.reach_s = self.chair_m = 0.0
        self.measure = Measure()
        self.plain, self.sure = False, 0
        if not compiled:  # else they are C arrays of the object's own, as its .pxd says
            self.stay_s = array("d", [0.0]) * (4 * LINE_MAX)
            self.stay_density = array("d", [0.0]) * (4 * LINE_MAX)
            """Of the time since the one before, which may be any in a range of logarithms."""

    def fill(self, scene: Scene, habits: Habits, came: int, thorough: bool) -> None:
        """Find all bodies of a scene; `thorough`: even if it is plain.

        `came`: the line by which a wanderer came before, or -1.
        """
        self.separation_m = habits.separation_m
        self.measure.begin(habits.separation_m, habits.jitter_s)
        lone = scene.count[0] == 1 and scene.count[1] == 1
        self.chair_m = self.measure.chair_m = CHAIR_M if lone else CHAIR_PIECE_M
        self.reach_s = min(2.0, self.separation_m / SLOWEST_M_S + 0.1)
        self.count = self.sure = 0
        scene.weigh(self.separation_m)
        self._pairs(scene, habits)
        self.straights = self.count
        self.plain = scene.whole and came < 0 and not thorough
        for edge in range(scene.edges):
            self._nobody(scene, edge)
            if not scene.edge_falls[edge] and not (self.plain and scene.second(edge)):
                self._wanderers(scene, habits, edge, -1)
        if came >= 0:
            self._wanderers(scene, habits, 0, came)
        self.link(scene.edges)

    def _pairs(self, scene: Scene, habits: Habits) -> None:
        """All that move straight."""
        for pulse0 in range(scene.count[0]):
            for pulse1 in range(scene.count[1]):
                other = LINE_MAX + pulse1
                if scene.rise_s[other] > scene.fall_s[pulse0] + self.reach_s:
                    break
                if scene.even and pulse0 != pulse1 and not scene.like(pulse0, other, self.separation_m):
                    continue
                if scene.fall_s[other] >= scene.rise_s[pulse0] - self.reach_s:
                    self._pair(scene, habits, pulse0, other)

    def _nobody(self, scene: Scene, edge: int) -> None:
        pulse, falls = scene.edge_pulse[edge], scene.edge_falls[edge]
        rise_bit, fall_bit = scene.rise_bit[pulse], scene.fall_bit[pulse]
        if not self.plain:
            body = self.add(NOBODY, edge, fall_bit if falls else rise_bit, 1)
            self.needs[body] = 0 if falls else fall_bit
            self.gain[body] = (_LONE_EDGE if fall_bit else _OPEN_PULSE) * self.worth[1]
            self.touch(scene, body, pulse)
        surely = self.plain and self.sure >> pulse % LINE_MAX & 1
        if fall_bit and not falls and not surely:
            body = self.add(NOBODY, edge, rise_bit | fall_bit, 2)
            self.gain[body] = _nobody_density(scene, pulse) * self.worth[2]
            self.touch(scene, body, pulse)

    def _wanderers(  # noqa: C901, PLR0912, PLR0915 - one pass over the pulses, all of whose sums the gain needs
        self, scene: Scene, habits: Habits, edge: int, came: int
    ) -> None:
        """One body dwells or turns over the next pulses, however many: in by the first beam, out by the last.

        With `came`, it began before and came by that line.
        """
        first, clearly = came, came >= 0
        count = times = 0
        number = mask = 0
        low0 = low1 = LINE_MAX
        high0 = high1 = opened = 0
        first_s = second_s = last_s = left0_s = left1_s = -FOREVER_S
        risen0_s = risen1_s = -FOREVER_S
        entered_s = longest_s = came_gain = 0.0
        swayed, came_s = 1.0, FOREVER_S
        for index in range(edge, scene.edges):
            if scene.edge_falls[index]:
                continue
            pulse = scene.edge_pulse[index]
            line = 1 if pulse >= LINE_MAX else 0
            rise_s, fall_s = scene.rise_s[pulse], scene.fall_s[pulse]
            if count and rise_s > last_s:
                if rise_s > last_s + _SWAY_S:
                    break
                swayed *= _SWAYS
            if first < 0:
                first, first_s, entered_s = line, rise_s, fall_s - rise_s
            elif line != first and second_s < 0.0:
                second_s = rise_s
                clearly = clearly or rise_s > first_s + LAG_S_MIN
            times = self._note(times, rise_s)
            number += 1
            at = pulse - line * LINE_MAX
            if fall_s < FOREVER_S:
                times = self._note(times, fall_s)
                number += 1
            else:
                opened = 1
            mask |= scene.rise_bit[pulse] | scene.fall_bit[pulse]
            count += 1
            last_s, longest_s = max(last_s, fall_s), max(longest_s, fall_s - rise_s)
            if line:
                left1_s, risen1_s, low1, high1 = max(left1_s, fall_s), rise_s, min(low1, at), max(high1, at + 1)
            else:
                left0_s, risen0_s, low0, high0 = max(left0_s, fall_s), rise_s, min(low0, at), max(high0, at + 1)
            if self.plain and (low0 != low1 or high0 != high1):
                continue
            if (count == 1 or longest_s < _BODY_S) and came < 0:
                continue  # that is nobody
            gain = self._dwelt(times) * swayed * self.worth[number]
            if count <= 2:  # noqa: PLR2004 - one who turns at once: more pulses are one who loiters
                gain *= self._as_turned(times)
            if came < 0:
                if came_s != second_s:  # else it came as it did a pulse before
                    came_s = second_s
                    came_gain = PERSON_RATE * habits.wander * self._as_walked(habits, second_s - first_s, entered_s)
                gain *= came_gain
            left_s, left_other_s = (left1_s, left0_s) if first else (left0_s, left1_s)
            if count > 2 or left_s == last_s:  # noqa: PLR2004 - two may be one who walks through
                risen_s = risen0_s if left0_s >= left1_s else risen1_s
                gone_s = max(left0_s, left1_s)
                gain *= self._as_walked(habits, gone_s - min(left0_s, left1_s), gone_s - risen_s)
            body = self.add(WANDERER, edge, mask, number)
            self.gain[body], self.opened[body] = gain, opened
            self.low[2 * body], self.high[2 * body] = low0, high0
            self.low[2 * body + 1], self.high[2 * body + 1] = low1, high1
            if high0 and high1 and clearly and left_other_s - left_s > LAG_S_MIN:
                self.direction[body] = -1 if first else 1
            self.centre_s[body] = middle(left0_s, left1_s) - _HALF_BODY_S

    def _note(self, times: int, t_s: float) -> int:
        """Keep a wanderer's times in order; returns how many there are."""
        at = times
        while at > 0 and self.stay_s[at - 1] > t_s:
            self.stay_s[at], self.stay_density[at] = self.stay_s[at - 1], self.stay_density[at - 1]
            at -= 1
        self.stay_s[at] = t_s
        for index in range(max(1, at), min(at + 2, times + 1)):
            apart_s = max(_SHORTEST_S, self.stay_s[index] - self.stay_s[index - 1])
            self.stay_density[index] = 1.0 / (_LOG_RANGE * apart_s)
        return times + 1

    def _dwelt(self, times: int) -> float:
        density = 1.0
        for index in range(1, times):
            density *= self.stay_density[index]
        return density

    def _as_turned(self, times: int) -> float:
        """What is gained by knowing how long people take to turn: the longest time between two edges."""
        longest_s = _SHORTEST_S
        for index in range(1, times):
            longest_s = max(longest_s, self.stay_s[index] - self.stay_s[index - 1])
        return _LOG_RANGE * normal(log(longest_s), _TURN_LOG, _TURN_SD) + _TINY_GAIN

    def _as_walked(self, habits: Habits, lag_s: float, width_s: float) -> float:
        """What is gained by knowing that those who wander come and leave walking: most of them keep a walker's lag.

        The others are slow. Half of those whose pulse ends before the lag does keep a body's width, too.
        """
        if not 0.0 <= lag_s < _LAG_S_MAX:
            return 1.0
        walks = lag_density(max(lag_s, _SHORTEST_S), self.separation_m) * _LOG_RANGE * max(lag_s, _SHORTEST_S)
        slow = min(1.0, lag_s * lag_s / (_SHUFFLE_S * _SHUFFLE_S))
        gain = _WALKS * walks + (1.0 - _WALKS) * slow + _TINY_GAIN
        if width_s < lag_s:
            speed = self.separation_m / lag_s
            length = habits.length_density(width_s * speed, lag_s, self.chair_m) * speed
            gain *= 0.5 + 0.5 * length * _LOG_RANGE * width_s
        return gain

    def _pair(self, scene: Scene, habits: Habits, pulse0: int, pulse1: int) -> None:
        """Straight bodies that made edges of a pulse of line 0 and of one of line 1, either way."""
        for way in range(2):
            direction = -1 if way else 1
            first, second = (pulse1, pulse0) if way else (pulse0, pulse1)
            never = 0 if scene.rise_s[second] - scene.rise_s[first] >= LAG_S_MIN else 1
            never |= 0 if scene.fall_s[second] - scene.fall_s[first] >= LAG_S_MIN else 2
            for seen0 in range(1, 4):
                if seen0 & 2 and not scene.fall_bit[first]:
                    break
                for seen1 in range(1, 4):
                    if seen1 & 2 and not scene.fall_bit[second]:
                        break
                    three = (seen0 == BOTH) != (seen1 == BOTH)
                    if not seen0 & seen1 & never and not (scene.whole and three):
                        self._straight(scene, habits, first, second, seen0, seen1, direction)

    def _straight(
        self, scene: Scene, habits: Habits, first: int, second: int, seen0: int, seen1: int, direction: int
    ) -> None:
        measure = self.measure
        kind = measure.take(
            habits,
            scene.rise_s[first],
            scene.fall_s[first],
            scene.rise_s[second],
            scene.fall_s[second],
            seen0 | seen1 << 2,
        )
        if kind == 0:
            return
        mask = scene.edges_of(first, seen0) | scene.edges_of(second, seen1)
        number = (seen0 & 1) + (seen0 >> 1) + (seen1 & 1) + (seen1 >> 1)
        speed = self.separation_m / measure.lag_s
        bounded = kind == STRAIGHT and (seen0 | seen1 << 2 in (RISES, FALLS))
        if kind == UNSEEN:
            person, arm, piece = measure.fit, 0.0, 0.0
        elif bounded:
            length_m = measure.width_s * speed
            person = habits.shorter(length_m)
            arm, piece = _JOINED * arm_shorter(length_m), _PIECES_JOINED * piece_shorter(length_m)
        else:
            length_m, fit = measure.width_s * speed, measure.fit
            person = habits.length_density(length_m, measure.lag_s, self.chair_m) * speed * fit
            arm, piece = arm_density(length_m) * speed, piece_density(length_m) * speed * fit
            if arm > 0.0:
                arm *= measure.swung()
        alone = measure.alone
        if alone * (person + arm + piece) < _IMPOSSIBLE:
            return
        body = self.add(kind, scene.first(mask), mask, number)
        if body < 0:
            return
        if scene.whole and number == ALL_SEEN:
            most = max(person, habits.arm * arm, 0.5 * habits.wheel * piece)
            self._certain(scene, first, second, PERSON_RATE * alone * most)
        self.touch(scene, body, first)
        self.touch(scene, body, second)
        way = 1 if direction < 0 else 0
        self.shared[2 * body + way] = scene.shared(first, seen0)
        self.shared[2 * body + 1 - way] = scene.shared(second, seen1)
        worth = self.worth[number]
        self.person[body], self.arm[body], self.piece[body] = person * worth, arm * worth, piece * worth
        self.alone[body] = alone
        self.direction[body] = direction
        self.lag_s[body], self.centre_s[body], self.speed_log[body] = measure.lag_s, measure.centre_s, measure.speed_log
        self.width_s[body] = self.width_part_s[body] = measure.width_s
        if bounded:
            self.width_s[body] = min(measure.width_s, USUAL_M / speed)
            self.width_part_s[body] = min(measure.width_s, _USUAL_PART_M / speed)
        if bounded or kind == UNSEEN:
            self.width_sd_s[body] = _WIDTH_SD_M / speed

    def _certain(self, scene: Scene, first: int, second: int, density: float) -> None:
        """Note whether two pulses are sure to be one body's, of that density."""
        at, nobody = first % LINE_MAX, _nobody_density(scene, first) * _nobody_density(scene, second)
        if at == second % LINE_MAX and density > _CERTAIN * nobody:
            self.sure |= 1 << at
