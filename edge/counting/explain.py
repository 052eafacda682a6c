"""What the pulses of two beams mean: their cheapest explanation.

Compiled by Cython with the types in `explain.pxd`; the same source runs uncompiled.

The pulses of both lines are covered, oldest first, by steps: a *match* (one body: its rise lag and its fall lag
agree), a *wanderer* (one body that dwelt or turned: only where it came from and where it left to is judged), or an
*orphan* (a pulse nobody explains). A step's cost is about the negative log of how likely it is.
"""

from __future__ import annotations

from math import exp, log

from edge.counting.model import Passage

try:
    SOURCE_SHA256: str = FOYER_SOURCE_SHA256.decode()  # type: ignore[name-defined]  # a C macro set by setup.py
except NameError:
    SOURCE_SHA256 = ""

_SPAN_MAX = 3  # pulses of one line in one wanderer
_SIMULTANEOUS_NS = 2_000_000  # what moves both beams this close together moved across neither

_ORPHAN_COST = 4.0
_YOUNG_ORPHAN_COST = 1.0  # what explains it may still come
_WANDERER_COST = 5.0
_WANDERER_PULSE_COST = 0.5
_OPEN_WANDERER_COST = 3.0
_IMPOSSIBLE_COST = 1e9
_DISAGREEMENT_SD = 0.12  # of (rise lag - fall lag) over their sum: bodies accelerate
_LAG_SD_NS = 3e6  # and edges are not sharp
_SPEED_M_S, _SPEED_LOG_SD = 1.25, 0.5
_LENGTH_M, _LENGTH_LOG_SD = 0.30, 0.6
_PRIOR_COST_MAX = 3.0
_PART_RATIO = 0.5  # an arm or a bag: at most this share of its body's width, and as close to it
_CONFIDENCE_MAX, _CONFIDENCE_COST = 0.99, 4.0


class Step:
    """Pulses `first0` to before `end0` of one line and `first1` to before `end1` of the other, explained together.

    `direction` is 1 from the former line to the latter, -1 the other way round, 0 for what is no passage.
    """

    __slots__ = ("cost", "direction", "end0", "end1", "first0", "first1", "matched")

    def __init__(self, first0: int, end0: int, first1: int, end1: int, cost: float) -> None:
        self.first0 = first0
        self.end0 = end0
        self.first1 = first1
        self.end1 = end1
        self.cost = cost
        self.direction = 0
        self.matched = False


class Explanation:
    """The steps that cover some pulses at the least cost, from the oldest on.

    `rises` and `falls` hold one list of times a line. `opens` holds since when a line has been blocked, -1 for never:
    a pulse still open is explained together with the others as far as it is known at `now_ns`. Pulses further apart
    than `gap_ns_max` are not of one body. A `separation_m` of 0 is not known.
    """

    __slots__ = (
        "alike",
        "fall0",
        "fall1",
        "gap_ns_max",
        "line0",
        "now_ns",
        "open0",
        "open1",
        "rise0",
        "rise1",
        "separation_m",
        "steps",
    )

    def __init__(
        self,
        rises: list[list[int]],
        falls: list[list[int]],
        opens: list[int],
        now_ns: int,
        separation_m: float,
        gap_ns_max: int,
    ) -> None:
        pulses = [(list(rises[line]), list(falls[line])) for line in (0, 1)]
        ends = [-1, -1]
        for line in (0, 1):
            if opens[line] >= 0:
                ends[line] = len(rises[line])
                pulses[line][0].append(opens[line])
                pulses[line][1].append(now_ns)
        # The line that saw something first is line 0 here: swapping the beams then swaps the directions and no more.
        self.line0 = first = 0 if pulses[0] <= pulses[1] else 1
        self.rise0, self.fall0 = pulses[first]
        self.rise1, self.fall1 = pulses[1 - first]
        self.open0, self.open1 = ends[first], ends[1 - first]
        self.alike = pulses[0] == pulses[1]
        self.now_ns = now_ns
        self.separation_m = separation_m
        self.gap_ns_max = gap_ns_max
        self.steps: list[Step] = self._cover()

    def _cover(self) -> list[Step]:
        """Dynamic programming over how many pulses of each line are explained."""
        count0, count1 = len(self.rise0), len(self.rise1)
        width = count1 + 1
        best = [_IMPOSSIBLE_COST] * ((count0 + 1) * width)
        best[0] = 0.0
        last: list[Step | None] = [None] * len(best)
        for i in range(count0 + 1):
            for j in range(width):
                for step in self._steps_from(i, j, count0, count1):
                    target = step.end0 * width + step.end1
                    cost = best[i * width + j] + step.cost
                    if cost < best[target]:
                        best[target] = cost
                        last[target] = step
        steps: list[Step] = []
        step_back = last[-1]
        while step_back is not None:
            steps.append(step_back)
            step_back = last[step_back.first0 * width + step_back.first1]
        steps.reverse()
        return steps

    def _steps_from(self, i: int, j: int, count0: int, count1: int) -> list[Step]:
        steps: list[Step] = []
        if i < count0:
            steps.append(Step(i, i + 1, j, j, self._orphan_cost(i == self.open0, self.fall0[i])))
        if j < count1:
            steps.append(Step(i, i, j, j + 1, self._orphan_cost(j == self.open1, self.fall1[j])))
        if i < count0 and j < count1:
            self._add_match(steps, i, j)
            steps += [
                self._wanderer(i, end0, j, end1)
                for end0 in range(i + 1, min(i + _SPAN_MAX, count0) + 1)
                for end1 in range(j + 1, min(j + _SPAN_MAX, count1) + 1)
                if self._touching(i, end0, j, end1)
            ]
        return steps

    def _orphan_cost(self, is_open: bool, fall_ns: int) -> float:
        if is_open:
            return 0.0
        return _YOUNG_ORPHAN_COST if fall_ns > self.now_ns - self.gap_ns_max else _ORPHAN_COST

    def _add_match(self, steps: list[Step], i: int, j: int) -> None:
        """One body that made both pulses, where that can be."""
        rise_lag = self.rise1[j] - self.rise0[i]
        fall_lag = self.fall1[j] - self.fall0[i]
        if (j == self.open1 and rise_lag > 0 and fall_lag < rise_lag) or (
            i == self.open0 and rise_lag < 0 and rise_lag < fall_lag
        ):
            fall_lag = rise_lag  # not over yet: it may still agree
        gap_ns = max(self.rise0[i], self.rise1[j]) - min(self.fall0[i], self.fall1[j])
        lags_ns = float(abs(rise_lag) + abs(fall_lag))
        if gap_ns > self.gap_ns_max or lags_ns < 2 * _SIMULTANEOUS_NS or (rise_lag < 0) != (fall_lag < 0):
            return
        disagreement = (rise_lag - fall_lag) / lags_ns
        jitter = _LAG_SD_NS / lags_ns
        cost = 0.5 * disagreement * disagreement / (_DISAGREEMENT_SD * _DISAGREEMENT_SD + jitter * jitter)
        step = Step(i, i + 1, j, j + 1, cost)
        step.direction = 1 if rise_lag > 0 else -1
        step.matched = True
        if self.separation_m > 0.0:
            step.cost += self._prior_cost(0.5 * lags_ns, self.width_ns(step))
        steps.append(step)

    def _prior_cost(self, lag_ns: float, width_ns: float) -> float:
        """How unlike a person a speed and a length are."""
        speed = log(self.separation_m / (lag_ns * 1e-9) / _SPEED_M_S) / _SPEED_LOG_SD
        length = log(max(width_ns, 1.0) / lag_ns * self.separation_m / _LENGTH_M) / _LENGTH_LOG_SD
        return min(_PRIOR_COST_MAX, 0.5 * (speed * speed + length * length))

    def _touching(self, i: int, end0: int, j: int, end1: int) -> bool:
        """Whether at least one beam was blocked all along these pulses."""
        reach = min(self.rise0[i], self.rise1[j])
        while i < end0 or j < end1:
            if j == end1 or (i < end0 and self.rise0[i] <= self.rise1[j]):
                rise, fall = self.rise0[i], self.fall0[i]
                i += 1
            else:
                rise, fall = self.rise1[j], self.fall1[j]
                j += 1
            if rise > reach:
                return False
            reach = max(reach, fall)
        return True

    def _wanderer(self, i: int, end0: int, j: int, end1: int) -> Step:
        """One body on a path of its own: in by the beam it broke first, out by the beam it cleared last."""
        cost = _OPEN_WANDERER_COST if end0 - 1 == self.open0 or end1 - 1 == self.open1 else _WANDERER_COST
        step = Step(i, end0, j, end1, cost + _WANDERER_PULSE_COST * (end0 - i + end1 - j - 2))
        came = self.rise1[j] - self.rise0[i]
        left = self.fall1[end1 - 1] - self.fall0[end0 - 1]
        if came > -_SIMULTANEOUS_NS and left > -_SIMULTANEOUS_NS and max(came, left) >= _SIMULTANEOUS_NS:
            step.direction = 1
        elif came < _SIMULTANEOUS_NS and left < _SIMULTANEOUS_NS and min(came, left) <= -_SIMULTANEOUS_NS:
            step.direction = -1
        return step

    def oldest_fall_ns(self, step: Step) -> int:
        """The first fall among a step's pulses."""
        if step.first0 == step.end0:
            return self.fall1[step.first1]
        if step.first1 == step.end1:
            return self.fall0[step.first0]
        return min(self.fall0[step.first0], self.fall1[step.first1])

    def is_open(self, step: Step) -> bool:
        """Whether one of a step's pulses has not ended."""
        return (step.first0 <= self.open0 < step.end0) or (step.first1 <= self.open1 < step.end1)

    def width_ns(self, step: Step) -> float:
        """How long a match blocked a beam, averaged over both."""
        i, j = step.first0, step.first1
        return 0.5 * ((self.fall0[i] - self.rise0[i]) + (self.fall1[j] - self.rise1[j]))

    def body_end(self, index: int) -> int:
        """The end of the run of steps from `index` on that are one body: a torso with its arms or bags."""
        widest = self.steps[index]
        end = index + 1
        while end < len(self.steps) and widest.matched:
            step, before = self.steps[end], self.steps[end - 1]
            if not step.matched or step.direction != widest.direction:
                break
            width, other = self.width_ns(widest), self.width_ns(step)
            close = _PART_RATIO * max(width, other)
            gap0 = self.rise0[step.first0] - self.fall0[before.first0]
            gap1 = self.rise1[step.first1] - self.fall1[before.first1]
            if min(width, other) > close or max(gap0, gap1) > close:
                break
            if other > width:
                widest = step
            end += 1
        return end

    def passage(self, index: int, end: int) -> Passage | None:
        """What the body of steps `index` to before `end` is, or None if it crossed nothing."""
        step = self.steps[index]
        for part in range(index + 1, end):
            if self.width_ns(self.steps[part]) > self.width_ns(step):
                step = self.steps[part]
        if step.direction == 0 or self.alike:  # beams that do the same at the same time share a cable, not a body
            return None
        rise0, fall0 = self.rise0[step.first0], self.fall0[step.end0 - 1]
        rise1, fall1 = self.rise1[step.first1], self.fall1[step.end1 - 1]
        speed_m_s = length_m = None
        if step.matched and self.separation_m > 0.0:
            lag_ns = 0.5 * abs((rise1 - rise0) + (fall1 - fall0))
            speed_m_s = self.separation_m / lag_ns * 1e9
            length_m = speed_m_s * self.width_ns(step) * 1e-9
        inward = step.direction == (1 if self.line0 == 0 else -1)
        return Passage(
            t_ns=rise0 + ((fall0 - rise0) + (rise1 - rise0) + (fall1 - rise0)) // 4,
            direction="in" if inward else "out",
            persons=1,
            speed_m_s=speed_m_s,
            length_m=length_m,
            confidence=_CONFIDENCE_MAX * exp(-step.cost / _CONFIDENCE_COST),
        )
