"""What a door notices about its own beams: blocked, dead, out of line, chattering, losing edges, swapped.

Compiled by Cython with the types in `health.pxd`; the same source runs uncompiled.

All but a blocked beam are judged by Page's test: each observation adds the logarithm of how much likelier it is with
the fault than without, the sum never falls below zero, and the fault is raised at `enough` and over at zero. Without
the fault that takes exp(enough) observations on average, or more. Sums are integers, in thousandths. While a fault is
raised, what lies between is taken for it, so that it is not over and raised again.
"""

from __future__ import annotations

from typing import Any

from cython.cimports.libc.math import sqrt

from edge.counting.model import FOREVER_NS, LINES, DoorSettings, Fault, Passage
from edge.counting.terms import SLOWEST_M_S

from .evidence import Evidence, Line

_BLOCKED_NS = 60_000_000_000
_GIVEN_UP_NS = 3_600_000_000_000  # a beam blocked for so long is as good as dead
_QUIET_NS_MIN = 1_000_000_000  # between those who are judged apart
_BODY_NS_MIN, _BODY_NS_MAX = 70_000_000, 1_500_000_000
_COUNTED_NS_MAX = 5_000_000_000
_ONE_BEAM_CONFIDENCE = 0.5

# Dead: nobody whom one beam sees is seen by the other. Without it, up to 35 in 100 turn back in time.
_MISSED, _MET, _DWELT = 1_048, -6_500, -3_000  # once dead, a dwelling one says nothing
# Out of line: whoever walks through is seen for longer than usual by one beam: 60 in 100, else up to 15.
_LONGER, _NOT_LONGER, _NOT_LONGER_NOW = 1_386, -754, -400
_LONGER_BY = 180  # thousandths of a pulse
_ALONE_NS_MAX = 600_000_000  # a longer pulse may be of two who meet
_NORM_OF, _NORM_MAX = 256, 250
# Chatter: 80 in 100 blocks of edges are above the limit, else up to 1.
_BLOCK, _NORM_BLOCKS = 64, 8
_NOISY, _NOT_NOISY = 4_382, -1_600
_CHATTER_MAX, _CHATTER_MIN, _CHATTER_TIMES, _EXTRA_MAX = 6_000, 500, 3, 16
# Losing edges: 1 in 100, else up to 1 in 2,000.
_LOST, _NOT_LOST, _NOT_LOST_NOW = 2_996, -609, -300  # an edge; a block of them
# Swapped: a day's z is around -1.5 or less, else 0 or more; once swapped, that or 1.5.
_DAY_ENOUGH = 9_210  # 10,000 days
_NIGHT_NS = 14_400_000_000_000
_DAY_PEOPLE_MIN, _DAY_PEOPLE_MAX = 10, 1_000_000
_DAY_SHIFT, _DAY_Z_MAX = 1.5, 4.0


class Health:
    """Call it with each debounced edge, each lost one and each passage; `take` what it found.

    While `out` is a line, that beam sees nothing: the other one's pulses are found as passages without direction, and
    are no window's.
    """

    __slots__ = (
        "clear_ns",
        "deadline_ns",
        "found",
        "inner",
        "learned",
        "margin_ns",
        "night_ns",
        "out",
        "outer",
        "people_in",
        "people_out",
        "quiet_ns",
        "ranks",
        "swapped",
        "wider",
    )

    def __init__(self, settings: DoorSettings, levels: tuple[int, int], since_ns: int) -> None:
        metres = settings.separation_m or 0.0
        self.margin_ns = settings.debounce_ns  # an edge is known this much later than it happened
        self.quiet_ns = max(_QUIET_NS_MIN, int(metres / SLOWEST_M_S * 1e9))
        self.outer, self.inner = Line(), Line()
        if levels[0]:
            self.outer.open_ns = since_ns
        if levels[1]:
            self.inner.open_ns = since_ns
        self.clear_ns = -1
        """When a beam last cleared."""
        self.out = -1
        self.wider = self.learned = 0
        """By how much a body is usually longer in the inner beam, in thousandths, as learned from so many."""
        self.people_in = self.people_out = self.ranks = 0
        """Of this day, and the sum of the places of those who came in among all."""
        self.night_ns = -1
        """When somebody last passed."""
        self.swapped = Evidence(_DAY_ENOUGH)
        self.found: list[Passage | Fault] = []
        self.deadline_ns = FOREVER_NS
        self._schedule()

    def rise(self, line: int, t_ns: int, changes: int) -> None:
        mine, other = self.inner if line else self.outer, self.outer if line else self.inner
        if (other.open_ns < 0 or other.blocked) and self.clear_ns >= 0 and t_ns - self.clear_ns >= self.quiet_ns:
            self._judge(t_ns)
        if other.blocked and t_ns - other.open_ns > _GIVEN_UP_NS:
            self.out = 1 - line
        mine.open_ns = t_ns
        self._burst(line, mine, t_ns, changes)
        self._schedule()

    def fall(self, line: int, t_ns: int, changes: int) -> None:
        mine = self.inner if line else self.outer
        rise_ns = mine.open_ns
        long_ns = t_ns - rise_ns
        mine.open_ns = -1
        self.clear_ns = max(self.clear_ns, t_ns)
        if mine.blocked:
            mine.blocked = False
            self._tell(t_ns, "beam_blocked", line, -1, f"clear again after {long_ns // 1_000_000_000} s")
            if self.out == line and not mine.dead.active:
                self.out = -1
        elif long_ns >= _BODY_NS_MIN:
            if mine.bodies == 0:
                mine.first_ns = rise_ns
            mine.bodies = min(3, mine.bodies + 1)
            mine.last_ns = t_ns
            mine.longest_ns = max(mine.longest_ns, long_ns)
            if self.out == 1 - line and long_ns <= _COUNTED_NS_MAX:
                middle_ns = rise_ns + long_ns // 2
                self.found.append(Passage(middle_ns, "unknown", 1, None, None, _ONE_BEAM_CONFIDENCE))
        self._burst(line, mine, t_ns, changes)
        self._schedule()

    def flicker(self, line: int, changes: int) -> None:
        """So many changes came to nothing; they count where the beam is blocked: insects do not chatter."""
        mine = self.inner if line else self.outer
        if mine.open_ns >= 0:
            mine.flicker = min(_EXTRA_MAX, mine.flicker + changes)

    def lost(self, line: int, t_ns: int) -> None:
        """An edge of that line never came."""
        mine = self.inner if line else self.outer
        self._losing(line, mine, t_ns, mine.losing.add(_LOST, 0, 1))

    def wake(self, now_ns: int) -> None:
        """Time is `deadline_ns`: a beam has been blocked for too long."""
        for line, mine in enumerate((self.outer, self.inner)):
            if mine.open_ns >= 0 and not mine.blocked and now_ns - mine.open_ns >= _BLOCKED_NS + self.margin_ns:
                mine.blocked = True
                self._tell(
                    mine.open_ns + _BLOCKED_NS,
                    "beam_blocked",
                    line,
                    1,
                    f"blocked for over {_BLOCKED_NS // 1_000_000_000} s",
                )
        self._schedule()

    def passed(self, t_ns: int, inward: bool, persons: int) -> None:
        """So many passed; a night that nobody passes ends a day."""
        if self.night_ns >= 0 and t_ns - self.night_ns >= _NIGHT_NS:
            self._night(t_ns)
        self.night_ns = max(self.night_ns, t_ns)
        for _each in range(persons):
            place = self.people_in + self.people_out + 1
            if place > _DAY_PEOPLE_MAX:
                break
            if inward:
                self.people_in += 1
                self.ranks += place
            else:
                self.people_out += 1

    def take(self) -> list[Passage | Fault]:
        found, self.found = self.found, []
        return found

    def succeed(self, before: dict[str, Any], now_ns: int) -> None:
        """Take over what was learned and what was wrong in another boot, of whose times nothing is known.

        The day goes on: only the order of those who pass counts in it.
        """
        open0, open1 = self.outer.open_ns, self.inner.open_ns
        self.restore(before)
        self.clear_ns = -1
        self.night_ns = now_ns
        self.out = 0 if self.outer.dead.active else 1 if self.inner.dead.active else -1
        for line, mine, open_ns in ((0, self.outer, open0), (1, self.inner, open1)):
            mine.begin()
            mine.flicker = 0
            mine.open_ns = open_ns
            if mine.blocked and open_ns < 0:
                mine.blocked = False
                self._tell(now_ns, "beam_blocked", line, -1, "clear after a restart")
        self._schedule()

    def _schedule(self) -> None:
        self.deadline_ns = FOREVER_NS
        if self.outer.open_ns >= 0 and not self.outer.blocked:
            self.deadline_ns = self.outer.open_ns + _BLOCKED_NS + self.margin_ns
        if self.inner.open_ns >= 0 and not self.inner.blocked:
            self.deadline_ns = min(self.deadline_ns, self.inner.open_ns + _BLOCKED_NS + self.margin_ns)

    def _burst(self, line: int, mine: Line, t_ns: int, changes: int) -> None:
        """A debounced edge took so many changes."""
        mine.extra += min(_EXTRA_MAX, changes - 1 + mine.flicker)
        mine.flicker = 0
        mine.edges += 1
        if mine.edges >= _BLOCK:
            self._judge_block(line, mine, t_ns)

    def _judge_block(self, line: int, mine: Line, t_ns: int) -> None:
        """Does it chatter, does it lose edges?"""
        mean = mine.extra * 1_000 // _BLOCK
        limit = _CHATTER_MAX
        if mine.blocks < _NORM_BLOCKS:
            mine.norm += min(mean, _CHATTER_MAX // _CHATTER_TIMES) // _NORM_BLOCKS
            mine.blocks += 1
        else:
            limit = max(_CHATTER_MIN, _CHATTER_TIMES * mine.norm)
        noisy = mean > (2 * limit // 3 if mine.chatter.active else limit)
        mine.edges = mine.extra = 0
        turn = mine.chatter.add(_NOISY if noisy else _NOT_NOISY, 1, 1 if noisy else 0)
        if turn:
            usual = f"{mine.norm / 1_000.0:.1f}" if mine.blocks == _NORM_BLOCKS else "fewer"
            each = f"{mean / 1_000.0:.1f} changes too many at each edge, {usual} are usual"
            self._tell(t_ns, "beam_chatters", line, turn, each)
        self._losing(line, mine, t_ns, mine.losing.add(_NOT_LOST_NOW if mine.losing.active else _NOT_LOST, _BLOCK, 0))

    def _losing(self, line: int, mine: Line, t_ns: int, turn: int) -> None:
        if turn:
            count = mine.losing.odd
            detail = f"{count} missing among some {mine.losing.seen + _BLOCK} edges" if turn > 0 else "no more of late"
            self._tell(t_ns, "losing_edges", line, turn, detail, max(1, count))

    def _judge(self, t_ns: int) -> None:
        """Who was there has gone: what does it say about the beams?"""
        outer, inner = self.outer, self.inner
        seen0, seen1 = outer.bodies, inner.bodies
        if seen0 or seen1:
            self._judge_dead(0, outer, seen1, inner.longest_ns, t_ns)
            self._judge_dead(1, inner, seen0, outer.longest_ns, t_ns)
        if seen0 == 1 and seen1 == 1 and max(outer.longest_ns, inner.longest_ns) <= _ALONE_NS_MAX:
            inward = outer.first_ns < inner.first_ns and outer.last_ns < inner.last_ns
            outward = inner.first_ns < outer.first_ns and inner.last_ns < outer.last_ns
            if inward or outward:
                self._judge_aim(t_ns)
        outer.begin()
        inner.begin()

    def _judge_dead(self, line: int, mine: Line, others: int, longest_ns: int, t_ns: int) -> None:
        turn = 0
        if mine.bodies:
            turn = mine.dead.add(_MET, 1, 0)
        elif others and mine.open_ns < 0:
            walked = longest_ns <= _BODY_NS_MAX
            against = 0 if mine.dead.active else _DWELT
            turn = mine.dead.add(_MISSED if walked else against, 1, 1 if walked else 0)
        if turn:
            self._tell_dead(line, mine, turn, t_ns)

    def _tell_dead(self, line: int, mine: Line, turn: int, t_ns: int) -> None:
        if turn > 0:
            if self.out < 0:
                self.out = line
            missed = f"it saw none of the last {mine.dead.odd} who broke the other beam"
            self._tell(t_ns, "beam_dead", line, 1, f"{missed}; counting without direction")
        else:
            if self.out == line:
                self.out = -1
            self._tell(t_ns, "beam_dead", line, -1, "it sees people again; counting with direction")

    def _judge_aim(self, t_ns: int) -> None:
        """Somebody walked through: which beam saw them longer than usual?"""
        long0, long1 = self.outer.longest_ns, self.inner.longest_ns
        by = (max(long0, long1) - min(long0, long1)) * 2_000 // (long0 + long1)
        wider = by if long1 > long0 else -by
        if self.learned < _NORM_OF:
            self._learn_wider(wider)
        longer = wider - self.wider
        self._aimed(0, self.outer, -longer, t_ns)
        self._aimed(1, self.inner, longer, t_ns)

    def _aimed(self, line: int, mine: Line, more: int, t_ns: int) -> None:
        """Somebody was longer than usual in that beam by so much."""
        odd = more > _LONGER_BY
        against = _NOT_LONGER_NOW if mine.misaligned.active else _NOT_LONGER
        turn = mine.misaligned.add(_LONGER if odd else against, 1, 1 if odd else 0)
        if turn:
            self._tell_aim(line, mine, more, turn, t_ns)

    def _tell_aim(self, line: int, mine: Line, more: int, turn: int, t_ns: int) -> None:
        usual = -self.wider if line == 0 else self.wider
        seen = f"{mine.misaligned.odd} of the last {mine.misaligned.seen} bodies"
        detail = f"{seen} were over {_LONGER_BY // 10} % longer in it than usual, {round(more / 10.0)} % at the last"
        if turn < 0:
            detail = "bodies are as long in it as usual"
        self._tell(t_ns, "beam_misaligned", line, turn, f"{detail}; usual are {round(usual / 10.0)} %")

    def _learn_wider(self, wider: int) -> None:
        """The median of the first few, in smaller and smaller steps."""
        step = max(2, 32 * 16 // (16 + self.learned))
        self.learned += 1
        if wider > self.wider:
            self.wider = min(_NORM_MAX, self.wider + step)
        elif wider < self.wider:
            self.wider = max(-_NORM_MAX, self.wider - step)

    def _night(self, t_ns: int) -> None:
        """A day is over: were those who came in earlier in it than those who went out?

        Over a day that begins and ends with nobody inside they are, through whichever doors, as each stays a while.
        Their rank sum would be normal if they did not; its variance is doubled, as people come in groups.
        """
        came, went = self.people_in, self.people_out
        if came >= _DAY_PEOPLE_MIN and went >= _DAY_PEOPLE_MIN:
            people = came + went + 1
            z = (0.5 * came * people - self.ranks) / sqrt(came * went / 6.0 * people)
            z = min(_DAY_Z_MAX, max(-_DAY_Z_MAX, z))
            amount = int(1_000.0 * _DAY_SHIFT * (-z if self.swapped.active else -z - 0.5 * _DAY_SHIFT))
            turn = self.swapped.add(amount, 1, 1 if amount > 0 else 0)
            if turn > 0:
                days = f"on {self.swapped.odd} of the last {self.swapped.seen} days"
                self._tell(t_ns, "beams_swapped", -1, 1, f"{days} people went out before they came in")
            elif turn < 0:
                self._tell(t_ns, "beams_swapped", -1, -1, "people come in before they go out")
        self.people_in = self.people_out = self.ranks = 0

    def _tell(self, t_ns: int, kind: str, line: int, turn: int, detail: str, count: int = 1) -> None:
        self.found.append(Fault(t_ns, kind, LINES[line] if line >= 0 else None, turn > 0, detail, count))

    def snapshot(self) -> dict[str, Any]:
        return {
            "lines": [self.outer.snapshot(), self.inner.snapshot()],
            "clear_ns": self.clear_ns,
            "out": self.out,
            "wider": [self.wider, self.learned],
            "day": [self.people_in, self.people_out, self.ranks, self.night_ns],
            "swapped": self.swapped.snapshot(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `snapshot` gave; raises KeyError, TypeError or ValueError where it is something else."""
        self.outer.restore(state["lines"][0])
        self.inner.restore(state["lines"][1])
        self.clear_ns = state["clear_ns"]
        self.out = state["out"]
        self.wider, self.learned = state["wider"]
        self.people_in, self.people_out, self.ranks, self.night_ns = state["day"]
        self.swapped.restore(state["swapped"])
        self._schedule()
