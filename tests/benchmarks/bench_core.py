"""How fast the counting core is: python tests/benchmarks/bench_core.py [ROUNDS].

Prints a JSON line a case: the scenario, the way in (`replay` in columns, or `feed` edge by edge), the median edges per
second of each build, and how many times faster the compiled one is. The builds take turns, so that a slow moment of the
machine slows both; each ratio is the median of the rounds' own. Every round checks that both found the same passages.
"""

from __future__ import annotations

import json
import sys
from array import array
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from edge.counting import DoorSettings, build
from simulators.people import BeamEdge, simulate

if TYPE_CHECKING:
    from types import ModuleType

HOURS = 24.0
SCENARIOS = ("singles", "chatter", "followers", "turn-backs", "busy")
SEPARATION_M = 0.12


def by_columns(core: ModuleType, edges: list[BeamEdge]) -> tuple[float, list[Any]]:
    """Seconds taken, and what was found."""
    columns = [array("q", column) for column in zip(*edges, strict=True)]
    door = core.Door(DoorSettings(SEPARATION_M))
    start = perf_counter()
    found = door.replay(*columns)
    taken_s = perf_counter() - start
    return taken_s, [*found.passages(), *door.finish()]


def edge_by_edge(core: ModuleType, edges: list[BeamEdge]) -> tuple[float, list[Any]]:
    """Seconds taken, and what was found."""
    door = core.Door(DoorSettings(SEPARATION_M))
    found: list[Any] = []
    start = perf_counter()
    for t_ns, line, level in edges:
        found += door.feed(t_ns, line, level)
    taken_s = perf_counter() - start
    return taken_s, found + door.finish()


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    builds = {"compiled": build.load_compiled(), "pure": build.load_pure()}
    for scenario in SCENARIOS:
        edges = [event for event in simulate(scenario, 1, HOURS, SEPARATION_M) if isinstance(event, BeamEdge)]
        for way, run in (("replay", by_columns), ("feed", edge_by_edge)):
            taken_s: dict[str, list[float]] = {name: [] for name in builds}
            for _ in range(rounds):
                found = {}
                for name, core in builds.items():
                    seconds, found[name] = run(core, edges)
                    taken_s[name].append(seconds)
                if found["compiled"] != found["pure"]:
                    raise SystemExit(f"{scenario}, {way}: the builds do not agree")
            ratios = [pure / compiled for pure, compiled in zip(taken_s["pure"], taken_s["compiled"], strict=True)]
            speeds = {f"{name}_edges_per_s": round(len(edges) / median(taken_s[name])) for name in builds}
            case = {"scenario": scenario, "way": way, "edges": len(edges)}
            print(json.dumps(case | speeds | {"ratio": round(median(ratios), 2)}), flush=True)


if __name__ == "__main__":
    main()
