"""How many people are inside a building: weighted counts since it was empty last, and never fewer than none.

Pure: moves, reports and questions carry their time. The same moves in whatever order give the same estimate.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from collector.occupancy.hours import Hours
from collector.occupancy.moves import Moves
from collector.occupancy.state import Columns, Move, MoveRun, Plain, State, quarter_of
from collector.occupancy.watched import REPORT_LATE_NS, Flow, Watched
from collector.store.base import MINUTE_NS, QUARTER_NS, steps_of
from firmware_cfg.schema import Hub
from firmware_cfg.times import NS_PER_S

QUIET_NS = 30 * MINUTE_NS
"""After so long without anybody at the doors, a closed building is taken to be empty."""
NOT_EMPTY_SD = 3.0
"""Unless the estimate is as far above 0: then only at the hour at which it is empty for sure."""
UNSEEN_PERSONS_MAX = 8.0
"""Where more than so many will have passed unwatched, nothing is said until the building is empty again."""
SILENT_NS = 10 * MINUTE_NS
"""A sensor is reported on each minute; one that was not heard of for longer does not count."""
KEPT_NS = 30 * 3600 * NS_PER_S
"""For so long a move may come late, or out of turn."""
WATCH_KEPT_NS = 8 * 24 * 3600 * NS_PER_S
"""What was watched is known for so long: no building that closes at all stays open for longer."""
MOVES_MAX = 2_000
"""More than a day of a busy hub. They take 0.1 MB, which counts where many hubs are as busy for hours."""
_TIDY_EVERY = 256
"""So many moves beyond that are forgotten at once."""
_LEARNABLE_UNSEEN = 1.0
_NORMAL = NormalDist()
_TAIL = 0.025


@dataclass(frozen=True, slots=True)
class Estimate:
    """People inside with the 95 % interval; None where nothing is known, with the `reason`.

    `completeness` (0..1) is the watched share of the time since `empty_ns`, when the building was empty last.
    `balances` is how many stretches from empty to empty taught how the doors miscount.
    """

    value: int | None
    low: int | None
    high: int | None
    completeness: float
    reason: str | None
    empty_ns: int | None
    balances: int


@dataclass(frozen=True, slots=True)
class Past:
    """What a hub's past teaches, and where it ended."""

    state: State
    flow: Flow


class Occupancy:
    """One hub's estimate. Bounded; not thread-safe. `entrances` are the names that `Move.door` counts through."""

    def __init__(self, hub: Hub) -> None:
        self.entrances = [entrance.id for entrance in hub.entrances]
        self._names = [entrance.name for entrance in hub.entrances]
        self._hours = Hours(hub)
        self._watched = Watched(len(self.entrances))
        self._flow = Flow(len(self.entrances))
        self._base: State | None = None
        self._moves = Moves()
        self._state: State | None = None
        """After the first `_stepped` of `_moves`; None where one came out of turn, or none yet."""
        self._stepped = 0
        self._tidy_at = _TIDY_EVERY
        self._heard_ns = [0] * len(self.entrances)
        self._forgotten_ns = 0
        self._marked = [-1] * len(self.entrances)  # the minute of the last move
        self._known: tuple[tuple[int, int, int], tuple[float, dict[int, float], float]] | None = None

    # What happens

    @property
    def since_ns(self) -> int:
        """What is older does not matter any more."""
        return 0 if self._base is None else self._base.moved_ns

    def take(self, move: Plain) -> bool:
        """False where it is known already, or too old to matter."""
        t_ns, door = move[0], move[3]
        base = self._base or self._begin(t_ns)
        if base is None or t_ns < base.moved_ns:
            return False
        moves = self._moves
        at = moves.add(move)
        if at is None:
            return False
        if at < self._stepped:
            self._state = None
        if self._marked[door] != t_ns // MINUTE_NS:
            self._marked[door] = t_ns // MINUTE_NS
            self.watch(door, t_ns, t_ns)
        if len(moves) >= self._tidy_at:
            self._tidy()
        return True

    def take_run(self, run: MoveRun) -> bool:
        """The same of many: False where none is news."""
        times, door, moves = run.times, run.door, self._moves
        base = self._base or self._begin(times[0])
        if base is None:
            return False
        if times[0] < base.moved_ns or not moves.add_later(run):
            news = list(map(self.take, run.singly()))
            return any(news)
        for minute in sorted(steps_of(times, MINUTE_NS)):
            if self._marked[door] != minute:
                self._marked[door] = minute
                t_ns = times[bisect_left(times, minute * MINUTE_NS)]
                self.watch(door, t_ns, t_ns)
        if len(moves) >= self._tidy_at:
            self._tidy()
        return True

    def watch(self, door: int, since_ns: int, until_ns: int) -> None:
        """Its counting sensor worked then."""
        self._heard_ns[door] = max(self._heard_ns[door], until_ns)
        if self._base is not None:
            since_ns = max(since_ns, self._base.empty_ns)
        self._watched.between(door, max(since_ns, until_ns - WATCH_KEPT_NS), until_ns)
        if until_ns > self._forgotten_ns + WATCH_KEPT_NS:
            self._forgotten_ns = until_ns
            self._watched.forget(until_ns - WATCH_KEPT_NS)

    def seeded(self, door: int, quarter_ns: int, minutes: int) -> None:
        """What a store knows of how long its counting sensor worked in that quarter of an hour."""
        if minutes:
            self._heard_ns[door] = max(self._heard_ns[door], quarter_ns + QUARTER_NS)
        self._watched.seed(door, quarter_ns, minutes)

    def begin(self, past: Past) -> None:
        """Begin where the past ended, with what it teaches. Moves known already from then on are kept."""
        self._base, self._flow, self._known = past.state.copy(), past.flow, None
        self._moves.drop(self._moves.before(past.state.empty_ns))
        self._state = None

    @classmethod
    def study(cls, hub: Hub, counts: Sequence[Move], watched: Iterable[tuple[int, int, int]], end_ns: int) -> Past:
        """What is to be learned of a hub from all before `end_ns`, a time at which it is closed.

        `counts` are moves in the order of time, each of a quarter of an hour and dated at its end; `watched` has
        (door, quarter, minutes).
        """
        then = cls(hub)
        persons: dict[tuple[int, int], float] = {}
        for door, quarter_ns, minutes in watched:
            then.seeded(door, quarter_ns, minutes)
            persons[door, quarter_ns] = 0.0
        for move in counts:
            key = (move.door, quarter_of(move.t_ns))
            persons[key] = persons.get(key, 0.0) + move.in_ + move.out
        for (door, quarter_ns), passed in persons.items():
            minutes = then._watched.minutes(door, quarter_ns)
            then._flow.add(door, passed, minutes, is_open=then._hours.is_open(quarter_ns))
        doors = len(then.entrances)
        state = then._fresh(counts[0].t_ns if counts else end_ns) or State.empty_at(end_ns, doors)
        if counts:
            times, _, _, *columns = zip(*counts, strict=True)
            then._walk(state, times, (columns[0], columns[1], columns[2], columns[3]))
        then._pass_time(state, end_ns)
        return Past(State.empty_at(end_ns, doors, state.learned, state.leaving), then._flow)

    # What is asked

    def start_ns(self, now_ns: int) -> int | None:
        """From when on single moves matter; None where the building is never known to be empty."""
        closed = self._hours.last_closed(now_ns)
        return None if closed is None else closed.start_ns

    def estimate(self, now_ns: int, broken: Mapping[int, str]) -> Estimate:
        """At `now_ns`; `broken` has doors whose sensor does not count now, with the reason."""
        base = self._begin(now_ns)
        if base is None:
            return _unknown("the building is never closed for long enough to be known as empty")
        state = self._current(base)
        if now_ns >= min(state.moved_ns + QUIET_NS, state.block_ns + QUARTER_NS):
            state = state.copy()
            self._pass_time(state, now_ns)
        unseen, lacking, completeness = self._unwatched(state.empty_ns, now_ns)
        silent = {door: self._silence(door, now_ns) for door in lacking}
        reasons = [
            f"{self._names[door]}: {reason}"
            for door, reason in sorted({**silent, **broken}.items())
            if reason is not None
        ]
        if not reasons and unseen > UNSEEN_PERSONS_MAX:
            reasons = [
                f"{self._names[door]}: not counted for {_age(lost)} since the building was empty"
                for door, lost in lacking.items()
                if lost
            ]
        if reasons or not self.entrances:
            reason = "; ".join(reasons) or "no entrance is counted"
            return _unknown(reason, completeness, state.empty_ns, state.learned.balances)
        low, value, high = _range(state.mean(), state.sd(unseen))
        return Estimate(value, low, high, completeness, None, state.empty_ns, state.learned.balances)

    # How

    def _unwatched(self, empty_ns: int, now_ns: int) -> tuple[float, dict[int, float], float]:
        """Since it was empty: persons who passed unseen, unwatched minutes of each door, and the watched share."""
        until_ns = max(empty_ns, (now_ns - REPORT_LATE_NS) // MINUTE_NS * MINUTE_NS)
        key = (empty_ns, until_ns, self._watched.version)
        if self._known is None or self._known[0] != key:
            unseen, lacking = 0.0, {}
            for door in range(len(self.entrances)):
                missing = list(self._watched.missing(door, empty_ns, until_ns))
                lacking[door] = sum(lost for _, lost in missing)
                unseen += self._flow.unseen(door, missing, self._hours)
            whole = max(1.0, (until_ns - empty_ns) / MINUTE_NS) * max(1, len(lacking))
            share = max(0.0, round(1 - sum(lacking.values()) / whole, 4))
            self._known = (key, (unseen, lacking, share))
        return self._known[1]

    def _silence(self, door: int, now_ns: int) -> str | None:
        """Why nothing is known by this door's sensor; None where it was heard of just now."""
        heard_ns = self._heard_ns[door]
        if heard_ns == 0:
            return "nothing heard yet"
        silent_ns = now_ns - heard_ns
        return f"nothing heard for {_age(silent_ns / MINUTE_NS)}" if silent_ns > SILENT_NS else None

    def _begin(self, t_ns: int) -> State | None:
        """The state before all moves; made at the first thing that is heard or asked."""
        if self._base is None:
            self._base = self._fresh(t_ns)
        return self._base

    def _fresh(self, t_ns: int) -> State | None:
        closed = self._hours.last_closed(t_ns)
        if closed is None:
            return None
        return State.empty_at(closed.end_ns, len(self.entrances))

    def _current(self, base: State) -> State:
        if self._state is None:
            self._state, self._stepped = base.copy(), 0
        self._walk(self._state, *self._moves.columns(self._stepped, len(self._moves)))
        self._stepped = len(self._moves)
        return self._state

    def _walk(self, state: State, times: Sequence[int], moves: Columns) -> None:
        """Through moves in the order of time, a quarter of an hour at once."""
        doors, ins, outs, doubts = moves
        at = 0
        while at < len(times):
            if times[at] >= min(state.block_ns + QUARTER_NS, state.moved_ns + QUIET_NS):
                self._pass_time(state, times[at])
            end = max(at + 1, bisect_left(times, state.block_ns + QUARTER_NS, at))
            state.add(times[end - 1], (doors[at:end], ins[at:end], outs[at:end], doubts[at:end]))
            at = end

    def _pass_time(self, state: State, until_ns: int) -> None:
        """Nobody moved from the state's last move until then: was the building empty meanwhile?"""
        while until_ns >= state.block_ns + QUARTER_NS:
            state.end_block(self._hours.kind(state.block_ns))
        quiet_ns = state.moved_ns + QUIET_NS
        if until_ns < quiet_ns:
            return
        for closed in self._hours.closed(quiet_ns, until_ns):
            last_ns = min(until_ns, closed.end_ns)
            at_ns = max(quiet_ns, closed.start_ns, state.empty_ns)
            if state.mean() > NOT_EMPTY_SD * state.sd():
                at_ns = max(at_ns, closed.sure_ns)
            if at_ns <= last_ns:
                self._empty(state, at_ns, last_ns)

    def _empty(self, state: State, at_ns: int, last_ns: int) -> None:
        """Nobody was inside from `at_ns` until `last_ns`."""
        if any(state.counts):
            missing = [
                (door, list(self._watched.missing(door, state.empty_ns, at_ns))) for door in range(len(self.entrances))
            ]
            unseen = sum(self._flow.unseen(door, quarters, self._hours) for door, quarters in missing)
            if unseen < _LEARNABLE_UNSEEN:
                state.learned.balance(state.counts, state.variance + unseen)
                state.leaving.learn(state.blocks)
        state.be_empty(last_ns)

    def _tidy(self) -> None:
        """Fold moves into the base that are older than any that may still come."""
        moves = self._moves
        old = max(moves.before(moves.last_ns - KEPT_NS), len(moves) - MOVES_MAX)
        self._tidy_at = len(moves) - old + _TIDY_EVERY
        if old == 0 or self._base is None:
            return
        self._walk(self._base, *moves.columns(0, old))
        moves.drop(old)
        self._stepped -= old
        if self._stepped < 0:
            self._state = None
        self._watched.forget(self._base.empty_ns)


def _unknown(reason: str, completeness: float = 0.0, empty_ns: int | None = None, balances: int = 0) -> Estimate:
    return Estimate(None, None, None, completeness, reason, empty_ns, balances)


def _range(mean: float, sd: float) -> tuple[int, int, int]:
    """The 2.5th, 50th and 97.5th percentile of whole persons, knowing that there cannot be fewer than none."""
    if sd == 0:
        return (max(0, round(mean)),) * 3
    below = _NORMAL.cdf((-0.5 - mean) / sd)

    def quantile(share: float) -> int:
        return max(0, round(mean + sd * _NORMAL.inv_cdf(min(1 - 1e-12, below + share * (1 - below)))))

    return quantile(_TAIL), max(0, round(mean)), quantile(1 - _TAIL)


def _age(minutes: float) -> str:
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.0f} h"  # noqa: PLR2004 - an hour and a half
