"""What one edge costs a live door at worst: python tests/benchmarks/bench_feed.py [--edges 1000000] [--search 0].

Prints a JSON line a pattern of edges that were made to be costly (`adversary.py`): processor time of `feed`, mean and
worst, each call as fast as the fastest of three runs took it. `--search N` looks for worse ones, N steps for the mean
and N for the worst call. Then the pattern with the worst call is fed for a million edges, once, and what one call took
is told as it was, whatever else the machine did. Reading the clock is in all of them (`clock_us`).
"""

from __future__ import annotations

import argparse
import json
import sys
from itertools import islice
from pathlib import Path
from time import thread_time_ns

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]

from adversary import PATTERNS, Pattern, clock_us, cost, search  # noqa: E402 - after the path

from edge.counting import BUILD, Door, DoorSettings, build  # noqa: E402 - after the path

_PATTERN_EDGES = 2_000


def told(name: str, pattern: Pattern, **figures: float) -> None:
    shown = {name: round(figure, 1) for name, figure in figures.items()}
    print(json.dumps({"pattern": name, "separation_m": pattern.separation_m, "build": BUILD} | shown), flush=True)


def million(name: str, pattern: Pattern, count: int) -> None:
    door = Door(DoorSettings(pattern.separation_m))
    taken, over = [0] * count, 0
    before = thread_time_ns()
    for at, edge in enumerate(islice(pattern.edges(), count)):
        door.feed(*edge)
        now = thread_time_ns()
        taken[at] = now - before
        before = now
    taken.sort()
    over = sum(each > 2_000_000 for each in taken)
    figures = {"mean_us": sum(taken) / count / 1e3, "worst_us": taken[-1] / 1e3, "p999_us": taken[-count // 1000] / 1e3}
    told(name, pattern, edges=count, **figures, calls_over_2_ms=over, clock_us=clock_us())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edges", type=int, default=1_000_000)
    parser.add_argument("--search", type=int, default=0, help="steps of a search for worse patterns")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    core = build.load_compiled()
    patterns = dict(PATTERNS)
    for by in ("mean_us", "worst_us") if options.search else ():
        found, _ = search(core, DoorSettings, options.search, options.seed, by)
        patterns[f"found by {by}"] = found
        print(json.dumps({"found": by, "separation_m": found.separation_m, "steps": found.steps}), flush=True)
    costs = {}
    for name, pattern in patterns.items():
        costs[name] = cost(core, DoorSettings, pattern, _PATTERN_EDGES, runs=3)
        told(name, pattern, edges=_PATTERN_EDGES, mean_us=costs[name].mean_us, worst_us=costs[name].worst_us)
    worst = max(costs, key=lambda name: costs[name].worst_us)
    million(worst, patterns[worst], options.edges)


if __name__ == "__main__":
    main()
