"""Edges made to cost the counting core as much as they can: patterns that repeat, and a search for worse ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import cycle, islice
from random import Random
from time import thread_time_ns
from typing import TYPE_CHECKING, Any

from edge.counting.terms import LINE_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

MS = 1_000_000
Step = tuple[int, int]
"""So many ns later that line turns over."""
_GAPS_NS = (8 * MS + 1, 9 * MS, 12 * MS, 20 * MS, 35 * MS, 60 * MS, 90 * MS, 120 * MS, 200 * MS, 350 * MS, 600 * MS)
_LONGEST = 52
_FULL = 2 * (LINE_MAX - 1)
"""Changes of as many pulses as may wait on a line."""
_SEPARATIONS_M = (0.08, 0.12, 0.3, 0.6, None)


@dataclass(frozen=True, slots=True)
class Pattern:
    """Steps over and over at beams so far apart."""

    steps: tuple[Step, ...]
    separation_m: float | None = 0.12

    def edges(self) -> Iterator[tuple[int, int, int]]:
        t_ns, levels = 0, [0, 0]
        for gap_ns, line in cycle(self.steps):
            t_ns += gap_ns
            levels[line] ^= 1
            yield t_ns, line, levels[line]


def alternating(gap_ns: int, separation_m: float | None = 0.12) -> Pattern:
    """Both lines in turn, so that pulses overlap by half and none is anybody's in particular."""
    return Pattern(((gap_ns, 0), (gap_ns, 1)), separation_m)


def in_runs(gap_ns: int, changes: int, separation_m: float | None = 0.12, pause_ns: int = 0) -> Pattern:
    """So many changes of one line, then of the other: each pulse may go with each of the other line's."""
    pause = ((pause_ns, 1), (gap_ns, 1)) if pause_ns else ()
    return Pattern(((gap_ns, 0),) * changes + ((gap_ns, 1),) * changes + pause, separation_m)


def written(text: str, separation_m: float) -> Pattern:
    """Steps such as `60o 9i`: the outer line turns over 60 ms later, then the inner one after 9 ms."""
    lines = {"o": 0, "i": 1}
    return Pattern(tuple((int(step[:-1]) * MS, lines[step[-1]]) for step in text.split()), separation_m)


PATTERNS = {
    "within the debounce time": Pattern(((7 * MS, 0), (0, 1))),
    "just beyond the debounce time": alternating(8 * MS + 1),
    "in turn, 20 ms": alternating(20 * MS),
    "in turn, 60 ms": alternating(60 * MS),
    "in turn, 120 ms": alternating(120 * MS),
    "in turn, 120 ms, wide beams": alternating(120 * MS, 0.6),
    "both at once": Pattern(((60 * MS, 0), (0, 1))),
    "a shuffle, then a pause": Pattern(((60 * MS, 0), (60 * MS, 1)) * _FULL + ((2_000 * MS, 0), (0, 1))),
    "one line held, the other flickers": Pattern(((9 * MS, 0), *((30 * MS, 1),) * 50, (9 * MS, 0))),
    "one line full, then the other": in_runs(30 * MS, _FULL),
    "the same, faster, and beams further apart": in_runs(20 * MS, _FULL, 0.3),
    "one line nearly full, then the other, then a pause": in_runs(20 * MS, _FULL - 2, 0.3, 600 * MS),
    "more than a line holds, then of the other": in_runs(20 * MS, _FULL + 8, 0.3),
    "found by a search: an uneven shuffle, then a pause": written(
        "60o 60i 60o 60i 9i 60o 60i 60o 9i 60o 60i 60o 60i 9o 60i 60o 60i 40o 60i 50o 60i 60i 9o 60i 9o 60i "
        "9o 60o 60i 60o 60i 60o 60o 700o 0i",
        0.12,
    ),
    "found by a search: two who dance between wide beams": written(
        "40i 90o 40o 120o 90o 200i 40i 40i 120o 110o 60i 350i 40i 40o 120o 90o 200i 40i 40i 120o 90o 120i "
        "350i 40i 90o 40o 120o 90o 200i 70i 120o 110o 120i 350i 40i 40o 60i 120o 90o 200i 40i 40i 120o 90o "
        "240i 350i",
        0.6,
    ),
}


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor time of `feed`."""

    mean_us: float
    worst_us: float


def cost(core: ModuleType, settings: Any, pattern: Pattern, count: int, *, runs: int = 1) -> Cost:
    """Of so many edges, each as fast as the fastest of so many runs took it: what another process does is not ours."""
    edges = list(islice(pattern.edges(), count))
    best: list[int] = []
    for _ in range(runs):
        door = core.Door(settings(pattern.separation_m))
        taken = []
        before = thread_time_ns()
        for edge in edges:
            door.feed(*edge)
            now = thread_time_ns()
            taken.append(now - before)
            before = now
        best = [min(pair) for pair in zip(best, taken, strict=True)] if best else taken
    return Cost(sum(best) / count / 1e3, max(best) / 1e3)


def clock_us() -> float:
    """What reading the clock costs, which is in every measured call."""
    start = thread_time_ns()
    for _ in range(10_000):
        thread_time_ns()
    return (thread_time_ns() - start) / 10_000 / 1e3


def mutated(pattern: Pattern, draw: Random) -> Pattern:
    """Another one, near or far."""
    steps = list(pattern.steps)
    for _ in range(draw.choice((1, 1, 2, 4, 8))):
        at = draw.randrange(len(steps))
        kind = draw.random()
        if kind < 0.4:
            scale = draw.choice((0.5, 0.8, 0.95, 1.05, 1.25, 2.0))
            gap_ns = draw.choice(_GAPS_NS) if draw.random() < 0.5 else int(steps[at][0] * scale)
            steps[at] = min(gap_ns, 700 * MS), steps[at][1]
        elif kind < 0.55:
            steps[at] = steps[at][0], 1 - steps[at][1]
        elif kind < 0.75 and len(steps) < _LONGEST:
            steps.insert(at, (draw.choice(_GAPS_NS), draw.randrange(2)))
        elif kind < 0.85 and len(steps) > 2:
            del steps[at]
        elif len(steps) * 2 <= _LONGEST:
            steps *= 2
    metres = draw.choice(_SEPARATIONS_M) if draw.random() < 0.1 else pattern.separation_m
    return replace(pattern, steps=tuple(steps), separation_m=metres)


def search(core: ModuleType, settings: Any, tries: int, seed: int, by: str, count: int = 600) -> tuple[Pattern, Cost]:
    """The costliest found by changing the costliest so far, by `mean_us` or `worst_us`."""
    draw = Random(seed)  # noqa: S311 - a search

    def judged(pattern: Pattern) -> tuple[float, Pattern]:
        return getattr(cost(core, settings, pattern, count, runs=2), by), pattern

    pool = sorted((judged(pattern) for pattern in PATTERNS.values()), key=lambda pair: -pair[0])[:4]
    for _ in range(tries):
        pool.append(judged(mutated(draw.choice(pool)[1], draw)))
        pool = sorted(pool, key=lambda pair: -pair[0])[:4]
    worst = pool[0][1]
    return worst, cost(core, settings, worst, count, runs=3)
