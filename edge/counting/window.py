"""The pulses that wait for an explanation, and when they get one.

Compiled by Cython with the types in `window.pxd`; the same source runs uncompiled.
"""

from __future__ import annotations

from typing import Any

from edge.counting.model import FOREVER_NS, DoorSettings, Passage

from .explain import Explanation

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
_SURE_COST_MAX = 1.0
_SURE_NS_MIN = 120_000_000
_SURE_WIDTHS = 0.6  # a body's arm or bag follows it within this share of its width


class Window:
    """Call `rise` and `fall` with debounced edges, in order on each line, and `decide` when time is `deadline_ns`."""

    __slots__ = ("clear", "deadline_ns", "falls", "margin_ns", "opens", "quiet_ns", "rises", "separation_m")

    def __init__(self, settings: DoorSettings) -> None:
        metres = settings.separation_m
        self.separation_m = 0.0 if metres is None else metres
        slowest_ns = _QUIET_NS_MAX if metres is None else int(metres / _SLOWEST_M_S * 1e9)
        self.quiet_ns = max(_QUIET_NS_MIN, min(_QUIET_NS_MAX, slowest_ns))
        self.margin_ns = settings.debounce_ns  # an edge is known this much later than it happened
        self.rises: list[list[int]] = [[], []]
        self.falls: list[list[int]] = [[], []]
        self.opens = [-1, -1]
        """Since when a line is blocked; -1 where it is clear, or was blocked from the start."""
        self.clear: Explanation | None = None
        """Of the waiting pulses, while both lines are clear."""
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
                self.deadline_ns = min(until_ns) + _BLOCKED_NS_MAX
        return passages

    def _settle(self, now_ns: int, passages: list[Passage]) -> bool:
        """Take what is due out of the waiting pulses, its passages into `passages`; false if nothing could be."""
        full = self._full()
        explanation = self.clear
        everything = explanation is not None and now_ns >= self._quiet_deadline_ns(explanation)
        if explanation is None or not everything:
            opens = [-1 if full or rise <= now_ns - _BLOCKED_NS_MAX else rise for rise in self.opens]
            explanation = self._explain(opens, now_ns)
        steps = explanation.steps
        due = len(steps) if everything else int(full)
        for index in range(due, len(steps)):
            if explanation.oldest_fall_ns(steps[index]) + _DECIDE_NS <= now_ns:
                due = index + 1
        index = taken0 = taken1 = 0
        while index < due:
            end = explanation.body_end(index)
            if explanation.is_open(steps[end - 1]):
                break
            passage = explanation.passage(index, end)
            if passage is not None:
                passages.append(passage)
            taken0, taken1 = steps[end - 1].end0, steps[end - 1].end1
            index = end
        self._forget(explanation.line0, taken0)
        self._forget(1 - explanation.line0, taken1)
        return index > 0

    def _forget(self, line: int, count: int) -> None:
        del self.rises[line][:count]
        del self.falls[line][:count]

    def _full(self) -> bool:
        return max(len(self.falls[0]), len(self.falls[1])) >= _PULSES_MAX

    def _explain(self, opens: list[int], now_ns: int) -> Explanation:
        return Explanation(self.rises, self.falls, opens, now_ns, self.separation_m, self.quiet_ns)

    def _schedule(self) -> None:
        """Set the deadline: soon where both beams are clear, else when the oldest pulse has waited long enough."""
        self.clear = None
        if not self.falls[0] and not self.falls[1]:
            self.deadline_ns = _FOREVER_NS
            return
        self.deadline_ns = min(falls[0] for falls in self.falls if falls) + _DECIDE_NS
        if self.opens[0] < 0 and self.opens[1] < 0:
            self.clear = self._explain(self.opens, _FOREVER_NS)
            self.deadline_ns = min(self.deadline_ns, self._quiet_deadline_ns(self.clear))
        if self._full():
            self.deadline_ns = 0

    def _quiet_deadline_ns(self, explanation: Explanation) -> int:
        """When clear beams mean that nothing more belongs to the waiting pulses: soon after clean matches."""
        last_ns = max(falls[-1] for falls in self.falls if falls)
        wait_ns = self.quiet_ns
        if all(step.matched and step.cost <= _SURE_COST_MAX for step in explanation.steps):
            width_ns = explanation.width_ns(explanation.steps[-1])
            wait_ns = min(wait_ns, max(_SURE_NS_MIN, int(_SURE_WIDTHS * width_ns)))
        return last_ns + wait_ns + self.margin_ns

    def snapshot(self) -> dict[str, Any]:
        return {
            "rises": [list(line) for line in self.rises],
            "falls": [list(line) for line in self.falls],
            "opens": list(self.opens),
            "deadline_ns": self.deadline_ns,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `snapshot` gave; raises KeyError or TypeError where it is something else."""
        self.rises = [list(line) for line in state["rises"]]
        self.falls = [list(line) for line in state["falls"]]
        self.opens = list(state["opens"])
        self._schedule()
        self.deadline_ns = state["deadline_ns"]
