"""Which explanation is told, and what is learned from it.

Compiled by Cython with the types in `teller.pxd`; the same source runs uncompiled.
"""

from __future__ import annotations

from array import array
from math import nan
from typing import Any

from cython import cast, compiled, longlong
from cython.cimports.libc.math import exp

from edge.counting.model import DoorSettings
from edge.counting.terms import HALF, KEPT, LINE_MAX, PERSON, RECENT0, RECENT1, WANDERER, WANDERER_CONFIDENCE

from .found import Found
from .groups import Groups
from .habits import Habits
from .recent import Recent
from .search import Search

_LIKELY, _NOTABLE = 0.1, exp(-5.0)
_TIE = exp(-1.4)  # about as likely
_SHORT_M, _LONG_M = 0.15, 0.5
_WIDTH_NS_MIN = 70_000_000  # of anybody
_SLOW_M_S, _FAST_M_S = 0.4, 2.8
_CONFIDENCE_MAX = 0.99
_CARRY_MAX = 2.0
_PASSING_S, _WAITING_S = 0.25, 3.0
_OFTEN_MET, _MET_M_S = 0.1, 2.0


class Teller:
    """Chooses among the hypotheses of a search, tells of their people in `found`, and learns from them."""

    __slots__ = (
        "carry_in",
        "carry_out",
        "chosen",
        "groups",
        "habits",
        "measured",
        "recent_in",
        "recent_out",
        "search",
        "separation_m",
        "sure",
        "told_in",
        "told_out",
        "variance_in",
        "variance_out",
        "weights",
    )

    def __init__(self, settings: DoorSettings, habits: Habits, search: Search, groups: Groups) -> None:
        metres = settings.separation_m
        self.measured = metres is not None
        self.separation_m = 0.0 if metres is None else metres
        self.habits, self.search, self.groups = habits, search, groups
        self.carry_in = self.carry_out = 0.0
        """Persons expected but not told yet, because what was likelier was told."""
        self.told_in = self.told_out = 0.0
        """The carry of each direction when a passage that way was told last."""
        self.variance_in = self.variance_out = 0.0
        """Of the persons since then."""
        self.recent_in, self.recent_out = Recent(), Recent()
        self.chosen, self.sure = 0, 0.0
        if not compiled:  # else they are C arrays of the object's own, as its .pxd says
            self.weights = array("d", [0.0]) * KEPT

    def choose(self, everything: bool) -> None:
        """The likeliest hypothesis, or of some about as likely the one that keeps totals unbiased; and how sure it is.

        What is expected and not told is carried to the next near-tie.
        """
        search, weights = self.search, self.weights
        best = search.found[0]
        total = mean0 = mean1 = square0 = square1 = 0.0
        likely = 0
        while likely < search.found_count:
            place = search.found[likely]
            weights[likely] = weight = search.score[place] / search.score[best]
            if weight <= _NOTABLE:
                break
            total += weight
            inward, outward = search.inward(place), search.outward(place)
            mean0 += weight * inward
            mean1 += weight * outward
            square0 += weight * inward * inward
            square1 += weight * outward * outward
            likely += 1
        mean0, mean1 = mean0 / total, mean1 / total
        self.chosen = best
        if everything:
            self._vary(square0 / total - mean0 * mean0, square1 / total - mean1 * mean1)
            want0 = mean0 + (self.carry_out if search.scene.line0 else self.carry_in)
            want1 = mean1 + (self.carry_in if search.scene.line0 else self.carry_out)
            least = -1.0
            for number in range(likely):
                place = search.found[number]
                miss0, miss1 = want0 - search.inward(place), want1 - search.outward(place)
                tie = weights[number] > _TIE
                if tie and (least < 0.0 or miss0 * miss0 + miss1 * miss1 < least):
                    least = miss0 * miss0 + miss1 * miss1
                    self.chosen = place
                self.groups.unfold(search, place)
                for group in range(self.groups.count):
                    self._learn(group, weights[number] / total)
            self._carry(want0 - search.inward(self.chosen), want1 - search.outward(self.chosen))
        sure = 0.0
        for number in range(likely):
            place = search.found[number]
            same = search.inward(place) == search.inward(self.chosen)
            if same and search.outward(place) == search.outward(self.chosen):
                sure += weights[number]
        self.sure = sure / total

    def _vary(self, variance0: float, variance1: float) -> None:
        """There is so much more variance each way on the scene's lines."""
        if self.search.scene.line0:
            self.variance_in += max(0.0, variance1)
            self.variance_out += max(0.0, variance0)
        else:
            self.variance_in += max(0.0, variance0)
            self.variance_out += max(0.0, variance1)

    def _carry(self, carry0: float, carry1: float) -> None:
        if self.search.scene.line0:
            self.carry_in, self.carry_out = carry1, carry0
        else:
            self.carry_in, self.carry_out = carry0, carry1
        self._bound()

    def tell(self, group: int, everything: bool, found: Found, first: int) -> None:
        """Tell of one group's person, if it is one who passed."""
        search, groups = self.search, self.groups
        place = groups.person[group]
        if search.scene.alike:
            return
        if everything:
            self._shadow(group, found, first)
        if place < 0:
            return
        if not everything:
            self._learn(group, 1.0)
            self._vary(self.sure * (1.0 - self.sure), 0.0)
        body = search.body[place]
        direction = search.bodies.direction[body]
        if direction == 0:
            if groups.kind[group] == PERSON:
                raise AssertionError("a person has a direction")
            return
        self.habits.came(search.scene.origin_ns)
        inward = (direction > 0) == (search.scene.line0 == 0)
        t_ns = search.scene.origin_ns + cast(longlong, max(0.0, search.bodies.centre_s[body] * 1e9 + HALF))
        sure, speed_m_s, length_m, persons = self.sure, nan, nan, 1
        if groups.kind[group] == PERSON:
            recent = self.recent_in if inward else self.recent_out
            recent.note(search, groups.last[group], search.scene.origin_ns)
            lag_s, width_s = search.bodies.lag_s[body], search.width_s[place]
            if self.measured:
                speed_m_s = self.separation_m / lag_s
                length_m = speed_m_s * width_s
            if search.width_sd_s[place] == 0.0:
                alone = (search.outward(self.chosen) if direction > 0 else search.inward(self.chosen)) == 0
                met = self.habits.meeting_chance(lag_s, width_s, 0.0) if alone else 0.0
                persons = self._unseen(inward, 0.0, sure * met, t_ns, found, first)
        else:
            sure *= WANDERER_CONFIDENCE
        found.passage(t_ns, 1 if inward else -1, persons, speed_m_s, length_m, _CONFIDENCE_MAX * sure, first)

    def _shadow(self, group: int, found: Found, first: int) -> None:
        """Whom somebody hid who turned in the door, either way; people wait for those who take longer."""
        scene, groups = self.search.scene, self.groups
        high0, high1 = groups.high[2 * group], groups.high[2 * group + 1]
        if groups.kind[group] != WANDERER or high0 == 0 or high1 == 0:
            return
        from_s = max(scene.rise_s[groups.low[2 * group]], scene.rise_s[LINE_MAX + groups.low[2 * group + 1]])
        until_s = min(scene.fall_s[high0 - 1], scene.fall_s[LINE_MAX + high1 - 1])
        behind_s = until_s - from_s - _PASSING_S
        if not 0.0 < behind_s < _WAITING_S:
            return
        hidden = self.habits.rate() * behind_s
        t_ns = scene.origin_ns + cast(longlong, HALF * (from_s + until_s) * 1e9)
        self.variance_in += hidden
        self.variance_out += hidden
        self.carry_in, self.carry_out = self.carry_in + hidden, self.carry_out + hidden
        if hidden > _LIKELY and self.carry_in >= HALF:
            self.carry_in -= 1.0
            found.passage(t_ns, 1, 1, nan, nan, _CONFIDENCE_MAX * min(1.0, hidden), first)
        if hidden > _LIKELY and self.carry_out >= HALF:
            self.carry_out -= 1.0
            found.passage(t_ns, -1, 1, nan, nan, _CONFIDENCE_MAX * min(1.0, hidden), first)
        self._bound()

    def _bound(self) -> None:
        """What is beyond the bounds of a carry is not told any more; it is in the corrections alone."""
        carry_in, carry_out = _bounded(self.carry_in), _bounded(self.carry_out)
        self.told_in -= self.carry_in - carry_in
        self.told_out -= self.carry_out - carry_out
        self.carry_in, self.carry_out = carry_in, carry_out

    def _unseen(self, inward: bool, pair: float, met: float, t_ns: int, found: Found, first: int) -> int:
        """Whom a body hid, with chances `pair` (abreast) and `met` (coming the other way): how many it stands for.

        Somebody met is told here. Both are told once as many are expected.
        """
        same = (self.carry_in if inward else self.carry_out) + pair
        other = (self.carry_out if inward else self.carry_in) + met
        persons = 1
        if pair > _LIKELY and same >= HALF:
            persons = 2
            same -= 1.0
        if met > _LIKELY and other >= HALF:
            other -= 1.0
            found.passage(t_ns, -1 if inward else 1, 1, nan, nan, _CONFIDENCE_MAX * met, first)
        if inward:
            self.carry_in, self.carry_out = same, other
            self.variance_in += pair * (1.0 - pair)
            self.variance_out += met * (1.0 - met)
        else:
            self.carry_in, self.carry_out = other, same
            self.variance_in += met * (1.0 - met)
            self.variance_out += pair * (1.0 - pair)
        self._bound()
        return persons

    def doubt(self, found: Found, number: int) -> None:
        """Give a passage the carry and the variance that came up that way since the one before."""
        if found.direction[number] > 0:
            found.correction[number], found.variance[number] = self.carry_in - self.told_in, self.variance_in
            self.told_in, self.variance_in = self.carry_in, 0.0
        else:
            found.correction[number], found.variance[number] = self.carry_out - self.told_out, self.variance_out
            self.told_out, self.variance_out = self.carry_out, 0.0

    def _learn(self, group: int, weight: float) -> None:
        """What this person was like makes the next ones likelier to be so."""
        search, groups = self.search, self.groups
        place = groups.person[group]
        if place < 0:
            return
        if groups.kind[group] == WANDERER:
            self.habits.learn(weight, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0)
            return
        wheels = (
            1.0
            if groups.wheels[group]
            else self.habits.chair_chance(search.length_m[place], search.lag_s[place], search.bodies.chair_m)
        )
        met = 0.0
        if search.width_sd_s[place] == 0.0:
            company = search.follows[place] + search.abreast[place] + search.meets[place]
            lag_s = search.bodies.lag_s[search.body[place]]
            met = self.habits.meeting_chance(lag_s, search.width_s[place], company)
        self.habits.learn(
            weight,
            search.follows[place],
            search.abreast[place],
            search.meets[place],
            0.0,
            met,
            0.0,
            groups.arm[group],
            wheels,
        )

    def tell_clean(self, rise0: int, rise1: int, fall0: int, fall1: int, found: Found, first: int) -> bool:
        """Most of a real day: one clean body alone, with whom it hides. False if it is no person's size."""
        lag_ns = HALF * abs(float((rise1 - rise0) + (fall1 - fall0)))
        width_ns = HALF * ((fall0 - rise0) + (fall1 - rise1))
        habits, search = self.habits, self.search
        if width_ns > _WIDTH_NS_MIN:
            habits.learn_scale(lag_ns * 1e-9, width_ns * 1e-9)
        speed = habits.separation_m / lag_ns * 1e9
        if not _SLOW_M_S < speed < _FAST_M_S:
            return False
        length_m = width_ns / lag_ns * habits.separation_m
        if not _SHORT_M < length_m < _LONG_M:
            return False
        if habits.opposite > _OFTEN_MET and speed * (length_m + habits.separation_m) < _MET_M_S * (
            length_m - habits.separation_m
        ):
            return False  # two who meet look just so where each makes two of the edges
        inward = rise0 < rise1
        recent = self.recent_in if inward else self.recent_out
        against = self.recent_out if inward else self.recent_in
        near_shown = recent.show(search, RECENT0, rise0)
        met_shown = against.show(search, RECENT1, rise0)
        centre_ns = ((fall0 - rise0) + (rise1 - rise0) + (fall1 - rise0)) >> 2  # C divides towards zero
        half_ns = cast(longlong, HALF * width_ns)
        if near_shown and recent.has_wheels:
            return False
        follows = abreast = meets = 0.0
        if near_shown or met_shown:
            search.begin(habits)
            search.arrival(
                centre_ns * 1e-9,
                width_ns * 1e-9,
                0.0,
                lag_ns * 1e-9,
                RECENT0 if near_shown else -1,
                RECENT1 if met_shown else -1,
            )
            follows, abreast, meets = search.new_follows, search.new_abreast, search.new_meets
        recent.note_clean(rise0 + centre_ns - half_ns, rise0 + centre_ns + half_ns, lag_ns * 1e-9)
        company = follows + abreast + meets
        pair = habits.pair_chance(length_m, lag_ns * 1e-9, company)
        met = habits.meeting_chance(lag_ns * 1e-9, width_ns * 1e-9, company)
        habits.came(rise0)
        habits.learn(1.0, follows, abreast, meets, pair, met, 0.0, 0.0, 0.0)
        t_ns = rise0 + centre_ns
        persons = self._unseen(inward, pair, met, t_ns, found, first)
        speed_m_s, measured_m = nan, nan
        if self.measured:
            speed_m_s = self.separation_m / lag_ns * 1e9
            measured_m = speed_m_s * width_ns * 1e-9
        sure = _CONFIDENCE_MAX * (pair if persons > 1 else 1.0 - pair)
        found.passage(t_ns, 1 if inward else -1, persons, speed_m_s, measured_m, sure, first)
        return True

    def snapshot(self) -> dict[str, Any]:
        return {
            "carry": [self.carry_in, self.carry_out, self.told_in, self.told_out],
            "variance": [self.variance_in, self.variance_out],
            "recent": [self.recent_in.snapshot(), self.recent_out.snapshot()],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `snapshot` gave; raises KeyError, TypeError or ValueError for anything else."""
        self.carry_in, self.carry_out, self.told_in, self.told_out = state["carry"]
        self.variance_in, self.variance_out = state["variance"]
        recent_in, recent_out = state["recent"]
        self.recent_in.restore(recent_in)
        self.recent_out.restore(recent_out)


def _bounded(carry: float) -> float:
    return min(_CARRY_MAX, max(-_CARRY_MAX, carry))
