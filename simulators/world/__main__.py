"""`python -m simulators.world`: many worlds, each from its seed; what was published, stored, lost, stored twice."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator
from multiprocessing import get_context

from simulators.world.faults import FAULTS
from simulators.world.run import PEOPLE, Verdict, one

_SAY_EVERY_S = 10.0


def _all(seeds: range, people: int, jobs: int) -> Iterator[Verdict]:
    work = [(seed, people) for seed in seeds]
    if jobs == 1:
        yield from map(one, work)
        return
    with get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(one, work, chunksize=8)


def table(verdicts: Iterable[Verdict]) -> str:
    """Markdown, a line per kind of fault; a world with several counts in each of their lines, and once in the last."""
    verdicts = list(verdicts)
    columns = {name: name.replace("_", " ") for name in ("published", "stored", "in_runs", "lost", "twice", "refused")}
    lines = [f"| fault | worlds | {' | '.join(columns.values())} |", f"|---|---|{'---|' * len(columns)}"]
    rows = [(name, [one for one in verdicts if name in one.faults]) for name in FAULTS]
    rows += [("none", [one for one in verdicts if not one.faults]), ("all worlds", verdicts)]
    for name, of in rows:
        sums = (f"{sum(getattr(one, column) for one in of):,}" for column in columns)
        lines.append(f"| {name} | {len(of):,} | {' | '.join(sums)} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m simulators.world", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many worlds (default 1000)")
    parser.add_argument("--first", type=int, default=1, help="the first seed (default 1)")
    parser.add_argument("--jobs", type=int, default=1, help="so many processes (default 1)")
    parser.add_argument("--events", type=int, default=PEOPLE[1], help=f"people per unit at most (default {PEOPLE[1]})")
    given = parser.parse_args()
    began_s = told_s = time.monotonic()
    verdicts = []
    for verdict in _all(range(given.first, given.first + given.seeds), given.events, given.jobs):
        verdicts.append(verdict)
        if verdict.bad:
            print(f"world {verdict.seed}: {'; '.join(verdict.wrong)} (faults: {', '.join(verdict.faults) or 'none'})")
            print(f"again: python -m simulators.world --seeds 1 --first {verdict.seed} --events {given.events}")
        if time.monotonic() - told_s >= _SAY_EVERY_S:
            told_s = time.monotonic()
            print(f"world: {len(verdicts)} of {given.seeds}", file=sys.stderr, flush=True)
    took_s = time.monotonic() - began_s
    print(table(verdicts))
    print(f"\n{len(verdicts)} worlds in {took_s:.0f} s, {len(verdicts) / took_s:.1f} a second")
    if len(verdicts) == 1:
        print(f"digest {verdicts[0].digest}")
    return 1 if any(verdict.bad for verdict in verdicts) else 0


if __name__ == "__main__":
    sys.exit(main())
