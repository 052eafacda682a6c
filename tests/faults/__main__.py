"""`make faults`: real processes, killed at seeded random moments; what was published, stored, lost, stored twice."""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from faults.kinds import KINDS, place, possible
from faults.site import people

RUNS = 200


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run; `failure` says what went wrong besides the counts, and `folder` is kept where something did."""

    kind: str
    seed: int
    struck: int
    published: int = 0
    stored: int = 0
    lost: int = 0
    twice: int = 0
    failure: str = ""

    @property
    def bad(self) -> bool:
        return bool(self.lost or self.twice or self.failure)


def run(kind: str, seed: int, folder: Path, *, full: bool = False) -> Outcome:
    """One site, one kind of fault, in `folder`; the seed decides the moments."""
    chance = random.Random(f"{kind} {seed}")  # noqa: S311 - moments, not secrets
    trace, expected = people(folder.parent)
    folder.mkdir()
    struck = 0
    try:
        with place(KINDS[kind], folder, trace) as site:
            site.begin()
            struck = KINDS[kind].attack(site, chance, full)
            site.end()
            account = site.account(expected)
    except Exception as error:  # noqa: BLE001 - whatever goes wrong in a run is its outcome
        return Outcome(kind, seed, struck, failure=f"{type(error).__name__}: {error}")
    return Outcome(kind, seed, struck, account.published, account.stored, len(account.lost), len(account.twice))


def shares(runs: int, kinds: list[str]) -> list[str]:
    """The kind of each run: every kind by its share and at least once, mixed."""
    total = sum(KINDS[kind].share for kind in kinds)
    chosen = [kind for kind in kinds for _ in range(max(1, round(runs * KINDS[kind].share / total)))]
    random.Random(0).shuffle(chosen)  # noqa: S311 - an order, not a secret
    return chosen


def table(outcomes: Iterable[Outcome]) -> str:
    """Markdown, a line per kind of fault."""
    lines = ["| fault | runs | faults made | published | stored | lost | twice |", "|---|---|---|---|---|---|---|"]
    by_kind: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_kind.setdefault(outcome.kind, []).append(outcome)
    for kind in [*(kind for kind in KINDS if kind in by_kind), "all"]:
        of = [one for some in by_kind.values() for one in some] if kind == "all" else by_kind[kind]
        numbers = [sum(getattr(one, name) for one in of) for name in ("struck", "published", "stored", "lost", "twice")]
        lines.append(f"| {kind} | {len(of)} | " + " | ".join(f"{number:,}" for number in numbers) + " |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make faults ARGS=", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help=f"how many in all (default {RUNS})")
    parser.add_argument("--seed", type=int, default=1, help="of the first run; the next ones have the next seeds")
    parser.add_argument("--kind", choices=[*KINDS], help="this kind alone")
    parser.add_argument("--jobs", type=int, default=2, help="so many runs at a time (default 2)")
    parser.add_argument("--full", action="store_true", help="InfluxDB away for ten minutes, every cut 50 s")
    given = parser.parse_args()
    kinds = [given.kind] if given.kind else list(KINDS)
    for kind in [kind for kind in kinds if not possible(KINDS[kind])]:
        print(f"faults: {kind}: left out, only an administrator (root) can do that", file=sys.stderr)
        kinds.remove(kind)
    if not kinds:
        return 2
    root = Path(tempfile.mkdtemp(prefix="foyer-faults-"))
    people(root)
    began_s = time.monotonic()
    outcomes: list[Outcome] = []

    def one(number: int, kind: str) -> Outcome:
        outcome = run(kind, given.seed + number, root / f"{number}", full=given.full)
        if not outcome.bad:
            shutil.rmtree(root / f"{number}", ignore_errors=True)
        return outcome

    with ThreadPoolExecutor(given.jobs) as pool:
        planned = shares(given.runs, kinds)
        for outcome in pool.map(one, range(len(planned)), planned):
            outcomes.append(outcome)
            print(
                f"faults: {len(outcomes)}/{len(planned)} {outcome}"
                if outcome.bad
                else f"faults: {len(outcomes)}/{len(planned)} {outcome.kind}: {outcome.stored} stored, as published",
                file=sys.stderr,
                flush=True,
            )
            if outcome.bad:
                print(
                    f"again: make faults ARGS='--kind \"{outcome.kind}\" --seed {outcome.seed} --runs 1'; "
                    f"logs in {root / str(len(outcomes) - 1)}",
                    file=sys.stderr,
                    flush=True,
                )
    print(table(outcomes))
    print(f"\n{len(outcomes)} runs in {time.monotonic() - began_s:.0f} s")
    bad = [outcome for outcome in outcomes if outcome.bad]
    if not bad:
        shutil.rmtree(root, ignore_errors=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
