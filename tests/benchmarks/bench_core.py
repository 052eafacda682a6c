"""How fast the counting core is: python tests/benchmarks/bench_core.py [--rounds 3] [--scale 1] [--only NAME …].

Prints a JSON line a case: who passes (`traffic.py`), the way in (`replay` in columns, or `feed` edge by edge), the
median edges per second of processor time of each build, and ratios. `pure` is the same source uncompiled,
`path_tracker` a plain C program that counts people who come one by one (`path_tracker.c`, gcc -O2), `numpy` one pass
over the columns. All take turns in each round, so that a slow moment of the machine slows all; each ratio is the
median of the rounds' own. Every round checks that both builds found the same passages.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
from pathlib import Path
from statistics import median
from time import process_time
from typing import TYPE_CHECKING, Any

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]

from limits import check_path_tracker, numpy_edges_per_s, path_tracker_edges_per_s  # noqa: E402 - after the path
from traffic import SEPARATION_M, Edges, traffic  # noqa: E402 - after the path

from edge.counting import DoorSettings, build  # noqa: E402 - after the path

if TYPE_CHECKING:
    from types import ModuleType

CASES = {
    "separate": 1.0,
    "day": 1.0,
    "mixed-day": 0.3,
    "hub": 1.0,
    "singles": 1.5,
    "chatter": 1.0,
    "followers": 0.6,
    "turn-backs": 1.5,
    "busy": 0.3,
}
"""Who passes, and how much of it, so that the pure build takes a few seconds."""
_REPEATED_EDGES = 1_000_000  # compiled: a few milliseconds would tell how fast cold caches are


def by_columns(core: ModuleType, edges: Edges) -> tuple[float, list[Any]]:
    """Edges a second, and what was found; the compiled core replays them again and again, at one new door each time."""
    replays = max(1, _REPEATED_EDGES // len(edges)) if core is build.load_compiled() else 1
    taken_s = 0.0
    for _ in range(replays):
        door = core.Door(DoorSettings(SEPARATION_M))
        start = process_time()
        found = door.replay(*edges.columns())
        taken_s += process_time() - start
    return replays * len(edges) / taken_s, [*found.passages(), *door.finish()]


def edge_by_edge(core: ModuleType, edges: Edges) -> tuple[float, list[Any]]:
    """Edges a second, and what was found."""
    door = core.Door(DoorSettings(SEPARATION_M))
    found: list[Any] = []
    rows = edges.rows()
    start = process_time()
    for t_ns, line, level in rows:
        found += door.feed(t_ns, line, level)
    taken_s = process_time() - start
    return len(edges) / taken_s, found + door.finish()


def measured(name: str, edges: Edges, rounds: int) -> None:
    builds = {"compiled": build.load_compiled(), "pure": build.load_pure()}
    check_path_tracker(edges)
    for way, run in (("replay", by_columns), ("feed", edge_by_edge)):
        speeds: dict[str, list[float]] = {}
        for _ in range(rounds):
            found = {}
            for built, core in builds.items():
                gc.collect()
                speed, found[built] = run(core, edges)
                speeds.setdefault(built, []).append(speed)
            if found["compiled"] != found["pure"]:
                raise SystemExit(f"{name}, {way}: the builds do not agree")
            if way == "replay":
                speeds.setdefault("path_tracker", []).append(path_tracker_edges_per_s(edges))
                speeds.setdefault("numpy", []).append(numpy_edges_per_s(edges))
        case: dict[str, Any] = {"traffic": name, "way": way, "edges": len(edges)}
        case["alone_share"] = round(edges.alone_share(), 2)  # of the edges: crossings with nobody else near
        case |= {f"{who}_edges_per_s": float(f"{median(each):.3g}") for who, each in speeds.items()}
        if way == "feed":
            case["compiled_us_an_edge"] = float(f"{1e6 / median(speeds['compiled']):.3g}")
        for who, each in speeds.items():
            if who != "compiled":
                ratios = [mine / theirs for mine, theirs in zip(speeds["compiled"], each, strict=True)]
                case[f"times_{who}"] = float(f"{median(ratios):.3g}")
        print(json.dumps(case), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="times as many edges")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES))
    options = parser.parse_args()
    for name in options.only:
        measured(name, traffic(name, CASES[name] * options.scale), options.rounds)


if __name__ == "__main__":
    main()
