"""The pulses that wait for an explanation, and when they get one.

Compiled by Cython with the types in `window.pxd`; the same source runs uncompiled.
"""

from __future__ import annotations

from math import exp
from typing import Any

from edge.counting.model import FOREVER_NS, DoorSettings, Passage

from .company import arrive
from .explain import Search
from .habits import Habits, Traits
from .hypotheses import PERSON, WANDERER, Body, Group, Hypothesis, Pulses, Recent, groups_of, segment_end

try:
    SOURCE_SHA256: str = FOYER_SOURCE_SHA256.decode()  # type: ignore[name-defined]  # a C macro set by setup.py
except NameError:
    SOURCE_SHA256 = ""

_FOREVER_NS = FOREVER_NS
_DECIDE_NS = 1_500_000_000  # the oldest pulse waits no longer than this for company
_BLOCKED_NS_MAX = 60_000_000_000  # a longer pulse is no body
_PULSES_MAX = 12  # waiting on one line; the oldest are then settled as they stand

_QUIET_NS_MIN, _QUIET_NS_MAX = 300_000_000, 1_200_000_000
_SLOWEST_M_S = 0.3
_SURE_NS_MIN = 120_000_000
_SURE_WIDTHS = 0.7  # a body's arm or bag follows it within this share of its width
_SURE_CHANGE = 0.3  # of the rise lag and the fall lag, over their mean
_LAG_NS_MIN = 2_000_000
_LIKELY, _LIKELY_LOG = 0.1, -2.3
_SHORT_M, _LONG_M = 0.15, 0.5
_WIDTH_NS_MIN = 70_000_000  # of anybody
_SLOW_M_S, _FAST_M_S = 0.4, 2.8
_CHAIR_M = 0.55
_CONFIDENCE_MAX, _WANDERER_CONFIDENCE = 0.99, 0.45  # of a wanderer two beams see only where it came and left
_CARRY_MAX = 2.0
_WHEELS_S = 1.0  # who comes so soon behind wheels may push them


class Window:
    """Call `rise` and `fall` with debounced edges, in order on each line, and `decide` when time is `deadline_ns`."""

    __slots__ = (
        "came",
        "carry_in",
        "carry_out",
        "deadline_ns",
        "falls",
        "habits",
        "margin_ns",
        "measured",
        "opens",
        "quiet_ns",
        "recent",
        "rises",
        "separation_m",
    )

    def __init__(self, settings: DoorSettings) -> None:
        metres = settings.separation_m
        self.measured = metres is not None
        self.separation_m = 0.0 if metres is None else metres
        self.habits = Habits(metres)
        slowest_ns = _QUIET_NS_MAX if metres is None else int(metres / _SLOWEST_M_S * 1e9)
        self.quiet_ns = max(_QUIET_NS_MIN, min(_QUIET_NS_MAX, slowest_ns))
        self.margin_ns = settings.debounce_ns  # an edge is known this much later than it happened
        self.rises: list[list[int]] = [[], []]
        self.falls: list[list[int]] = [[], []]
        self.opens = [-1, -1]
        """Since when a line is blocked; -1 where it is clear, or was blocked from the start."""
        self.came = -1
        """The line by which a wanderer came who has been in the beams for longer than pulses are kept."""
        self.carry_in = self.carry_out = 0.0
        """Persons expected but not told yet, because what was likelier was told."""
        self.recent = [Recent(), Recent()]
        """Inwards, outwards."""
        self.deadline_ns = _FOREVER_NS

    def rise(self, line: int, t_ns: int) -> None:
        self.opens[line] = t_ns
        self._schedule()

    def fall(self, line: int, t_ns: int) -> None:
        rise_ns = self.opens[line]
        self.opens[line] = -1
        if rise_ns >= 0 and t_ns - rise_ns <= _BLOCKED_NS_MAX:
            self.rises[line].append(rise_ns)
            self.falls[line].append(t_ns)
        elif rise_ns >= 0:
            self.came = -1
        self._schedule()

    def decide(self, now_ns: int) -> list[Passage]:
        """The passages that can be told at `now_ns`, oldest first; sets the next deadline, later than `now_ns`."""
        passages: list[Passage] = []
        while self.deadline_ns <= now_ns:
            settled = self._settle(now_ns, passages)
            self._schedule()
            if not settled and self.deadline_ns <= now_ns:
                # A pulse still open may explain the oldest: wait until it ends, or is no body any more.
                until_ns = [rise for rise in self.opens if rise >= max(0, now_ns - _BLOCKED_NS_MAX + 1)]
                self.deadline_ns = min(until_ns) + _BLOCKED_NS_MAX if until_ns else now_ns + _DECIDE_NS
        passages.sort(key=_time)
        return passages

    def _settle(self, now_ns: int, passages: list[Passage]) -> bool:
        """Take what is due out of the waiting pulses, its passages into `passages`; false if nothing could be."""
        full = self._full()
        everything = self.opens[0] < 0 and self.opens[1] < 0 and now_ns >= self._quiet_deadline_ns()
        if everything and len(self.falls[0]) == 1 and self.came < 0 and self._clean() and self._tell_clean(passages):
            self._forget(0, 1)
            self._forget(1, 1)
            return True
        opens = [-1 if full or rise <= now_ns - _BLOCKED_NS_MAX else rise for rise in self.opens]
        pulses = Pulses(self.rises, self.falls, opens)
        came = self.came if self.came < 0 else self.came ^ pulses.line0
        inward = 0 if pulses.line0 == 0 else 1
        near0 = self.recent[inward].body(1, pulses.origin_ns)
        near1 = self.recent[1 - inward].body(-1, pulses.origin_ns)
        search = Search(pulses, self.habits, came, near0, near1)
        hypothesis, sure = self._choose(search.found, pulses.line0, everything)
        groups = groups_of(hypothesis)
        taken0 = taken1 = index = 0
        while index < len(groups):
            end = segment_end(groups, index)
            high0 = max([group.high0 for group in groups[index:end]] + [taken0])
            high1 = max([group.high1 for group in groups[index:end]] + [taken1])
            due = everything or (full and index == 0) or self._old(pulses.line0, taken0, taken1, high0, high1, now_ns)
            if not due or max([group.opened for group in groups[index:end]]):
                break
            last = groups[end - 1]
            stays = full and end == len(groups) and max(self.opens) >= 0 and last.kind == WANDERER
            for group in groups[index : end - 1 if stays else end]:
                person = group.person
                if person is None or group.last is None or pulses.alike:
                    continue
                if not everything:
                    self._learn(group, 1.0)
                if group.kind == PERSON:
                    self.recent[inward if person.direction > 0 else 1 - inward].note(group.last, pulses.origin_ns)
                if person.direction:
                    passages.append(self._passage(person, pulses, sure))
            if stays:
                self.came = self.came if self.came >= 0 else pulses.first_line(last.low0, last.low1) ^ pulses.line0
            else:
                self.came = -1
            taken0, taken1, index = high0, high1, end
        self._forget(pulses.line0, taken0)
        self._forget(1 - pulses.line0, taken1)
        return index > 0

    def _old(self, line0: int, low0: int, low1: int, high0: int, high1: int, now_ns: int) -> bool:
        """Whether the oldest of these pulses has waited long enough."""
        falls_ns = self.falls[line0][low0:high0] + self.falls[1 - line0][low1:high1]
        return min(falls_ns, default=now_ns) + _DECIDE_NS <= now_ns

    def _choose(self, found: list[Hypothesis], line0: int, everything: bool) -> tuple[Hypothesis, float]:
        """The likeliest hypothesis, or of some about as likely the one that keeps totals unbiased; and how sure it is.

        What is expected and not told is carried to the next near-tie.
        """
        best = found[0]
        likely = [hypothesis for hypothesis in found if hypothesis.score > best.score + _LIKELY_LOG]
        weights = [exp(hypothesis.score - best.score) for hypothesis in likely]
        total = sum(weights)
        chosen = best
        if everything:
            carry0, carry1 = (self.carry_out, self.carry_in) if line0 else (self.carry_in, self.carry_out)
            want0 = carry0 + sum([w * h.inward for w, h in zip(weights, likely, strict=True)]) / total
            want1 = carry1 + sum([w * h.outward for w, h in zip(weights, likely, strict=True)]) / total
            chosen = min(likely, key=lambda hypothesis: _miss(hypothesis, want0, want1))
            for hypothesis, weight in zip(likely, weights, strict=True):
                for group in groups_of(hypothesis):
                    self._learn(group, weight / total)
            carry0, carry1 = _bounded(want0 - chosen.inward), _bounded(want1 - chosen.outward)
            self.carry_in, self.carry_out = (carry1, carry0) if line0 else (carry0, carry1)
        alike = [
            w for w, h in zip(weights, likely, strict=True) if h.inward == chosen.inward and h.outward == chosen.outward
        ]
        return chosen, sum(alike) / total

    def _passage(self, body: Body, pulses: Pulses, sure: float) -> Passage:
        speed_m_s = length_m = None
        if body.kind == PERSON and self.measured:
            speed_m_s = self.separation_m / body.lag_s
            length_m = speed_m_s * body.width_s
        if body.kind == WANDERER:
            sure *= _WANDERER_CONFIDENCE
        inward = body.direction == (1 if pulses.line0 == 0 else -1)
        return Passage(
            t_ns=pulses.origin_ns + max(0, round(body.middle_s * 1e9)),
            direction="in" if inward else "out",
            persons=1,
            speed_m_s=speed_m_s,
            length_m=length_m,
            confidence=_CONFIDENCE_MAX * sure,
        )

    def _learn(self, group: Group, weight: float) -> None:
        """What this person was like makes the next ones likelier to be so."""
        traits, body = Traits(), group.person
        if body is None:
            return
        if group.kind == WANDERER:
            traits.wanders = 1.0
        else:
            traits.follows, traits.abreast, traits.meets = body.follows, body.abreast, body.meets
            traits.arm = 1.0 if group.arm else 0.0
            traits.wheels = 1.0 if group.wheels or body.length_m > _CHAIR_M else 0.0
        self.habits.learn(traits, weight)

    def _clean(self) -> bool:
        """Whether each pulse of a line and its like of the other are one body's, at an even speed."""
        if len(self.falls[0]) != len(self.falls[1]):
            return False
        for index in range(len(self.falls[0])):
            rise_lag = self.rises[1][index] - self.rises[0][index]
            fall_lag = self.falls[1][index] - self.falls[0][index]
            lags = abs(rise_lag) + abs(fall_lag)
            uneven = abs(rise_lag - fall_lag) > 0.5 * _SURE_CHANGE * lags
            if uneven or lags < 2 * _LAG_NS_MIN or (rise_lag < 0) != (fall_lag < 0):
                return False
        return True

    def _tell_clean(self, passages: list[Passage]) -> bool:
        """Most of a real day: one clean body alone, or two abreast. False if it is no person's size."""
        rise0, rise1, fall0, fall1 = self.rises[0][0], self.rises[1][0], self.falls[0][0], self.falls[1][0]
        lag_ns = 0.5 * abs((rise1 - rise0) + (fall1 - fall0))
        width_ns = 0.5 * ((fall0 - rise0) + (fall1 - rise1))
        habits = self.habits
        if width_ns > _WIDTH_NS_MIN:
            habits.learn_scale(lag_ns, width_ns)
        speed = habits.separation_m / lag_ns * 1e9
        if not _SLOW_M_S < speed < _FAST_M_S:
            return False
        length_m = width_ns / lag_ns * habits.separation_m
        if not _SHORT_M < length_m < _LONG_M:
            return False
        inward = rise0 < rise1
        way = 0 if inward else 1
        near = self.recent[way].body(1, rise0)
        if near is not None and near.has_wheels and -near.end_s < _WHEELS_S:
            return False
        pair = habits.pair_chance(length_m)
        carry = (self.carry_in if inward else self.carry_out) + pair
        persons = 2 if pair > _LIKELY and carry >= 0.5 else 1  # noqa: PLR2004 - the nearer whole number
        carry = _bounded(carry - (persons - 1))
        if inward:
            self.carry_in = carry
        else:
            self.carry_out = carry
        body = Body(PERSON, 1, 0, None)
        body.lag_s, body.width_s = lag_ns * 1e-9, width_ns * 1e-9
        body.centre_s = 0.25e-9 * ((fall0 - rise0) + (rise1 - rise0) + (fall1 - rise0))
        body.start_s, body.end_s = body.centre_s - 0.5 * body.width_s, body.centre_s + 0.5 * body.width_s
        arrive(body, near, self.recent[1 - way].body(-1, rise0), habits)
        self.recent[way].note(body, rise0)
        traits = Traits()
        traits.follows, traits.abreast, traits.meets = body.follows, body.abreast + pair, body.meets
        habits.learn(traits, 1.0)
        speed_m_s = self.separation_m / lag_ns * 1e9 if self.measured else None
        passages.append(
            Passage(
                t_ns=rise0 + ((fall0 - rise0) + (rise1 - rise0) + (fall1 - rise0)) // 4,
                direction="in" if inward else "out",
                persons=persons,
                speed_m_s=speed_m_s,
                length_m=None if speed_m_s is None else speed_m_s * width_ns * 1e-9,
                confidence=_CONFIDENCE_MAX * (pair if persons > 1 else 1.0 - pair),
            )
        )
        return True

    def _forget(self, line: int, count: int) -> None:
        del self.rises[line][:count]
        del self.falls[line][:count]

    def _full(self) -> bool:
        return max(len(self.falls[0]), len(self.falls[1])) >= _PULSES_MAX

    def _schedule(self) -> None:
        """Set the deadline: soon where both beams are clear, else when the oldest pulse has waited long enough."""
        if not self.falls[0] and not self.falls[1]:
            self.deadline_ns = _FOREVER_NS
            return
        self.deadline_ns = min([falls[0] for falls in self.falls if falls]) + _DECIDE_NS
        if self.opens[0] < 0 and self.opens[1] < 0:
            self.deadline_ns = min(self.deadline_ns, self._quiet_deadline_ns())
        if self._full():
            self.deadline_ns = 0

    def _quiet_deadline_ns(self) -> int:
        """When clear beams mean that nothing more belongs to the waiting pulses: soon after clean ones."""
        last_ns = max([falls[-1] for falls in self.falls if falls])
        wait_ns = self.quiet_ns
        if self._clean():
            width_ns = 0.5 * ((self.falls[0][-1] - self.rises[0][-1]) + (self.falls[1][-1] - self.rises[1][-1]))
            wait_ns = min(wait_ns, max(_SURE_NS_MIN, int(_SURE_WIDTHS * width_ns)))
        return last_ns + wait_ns + self.margin_ns

    def snapshot(self) -> dict[str, Any]:
        return {
            "rises": [list(line) for line in self.rises],
            "falls": [list(line) for line in self.falls],
            "opens": list(self.opens),
            "came": self.came,
            "carry": [self.carry_in, self.carry_out],
            "recent": [recent.snapshot() for recent in self.recent],
            "habits": self.habits.snapshot(),
            "deadline_ns": self.deadline_ns,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `snapshot` gave; raises KeyError or TypeError where it is something else."""
        self.rises = [list(line) for line in state["rises"]]
        self.falls = [list(line) for line in state["falls"]]
        self.opens = list(state["opens"])
        self.came = state["came"]
        self.carry_in, self.carry_out = state["carry"]
        for recent, told in zip(self.recent, state["recent"], strict=True):
            recent.restore(told)
        self.habits.restore(state["habits"])
        self.deadline_ns = state["deadline_ns"]


def _time(passage: Passage) -> int:
    return passage.t_ns


def _bounded(carry: float) -> float:
    return min(_CARRY_MAX, max(-_CARRY_MAX, carry))


def _miss(hypothesis: Hypothesis, want0: float, want1: float) -> float:
    return (want0 - hypothesis.inward) ** 2 + (want1 - hypothesis.outward) ** 2
