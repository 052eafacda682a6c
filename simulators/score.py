"""How well the counting core does on simulated people, beside the common ways to count: `foyer simulate score`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from statistics import fmean, stdev

from edge.counting import Door, DoorSettings, Fault, Passage
from firmware_cfg.errors import ConfigError
from simulators.decoders import REFERENCES, Debounced
from simulators.oracle import informed, law
from simulators.people import SCENARIOS, BeamEdge, meetings, simulate
from simulators.people.bodies import NS_PER_S

WINDOW_NS = 300 * NS_PER_S
SEPARATIONS_M = (0.08, 0.12, 0.30, 0.60)
SCORED = tuple(SCENARIOS)[: tuple(SCENARIOS).index("standing") + 1]
"""The others are faults of the beams: what can be counted then is another question."""
DECODERS = ("foyer", *REFERENCES)
INFORMED = "informed"
"""The oracle of `simulators.oracle`, which is no decoder: it knows the bodies."""


@dataclass(frozen=True, slots=True)
class Task:
    """One simulated door. `known`: the core is told the separation. `oracle`: the informed oracle counts, too."""

    scenario: str
    separation_m: float
    seed: int
    hours: float
    known: bool = True
    oracle: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What each decoder made of it, over windows of five minutes and both directions."""

    task: Task
    crossings: int
    errors: dict[str, int]
    counted: dict[str, int]

    def score(self, decoder: str) -> float:
        """1 - what was miscounted, as a share of the true crossings."""
        return 1.0 - self.errors[decoder] / self.crossings


def judge(task: Task) -> Outcome:
    """All decoders on the same edges."""
    door = Door(DoorSettings(task.separation_m if task.known else None))
    peers = {name: Debounced(made()) for name, made in REFERENCES.items()}
    names = (*DECODERS, INFORMED) if task.oracle else DECODERS
    differences: dict[str, Counter[tuple[int, str]]] = {name: Counter() for name in names}
    counted = dict.fromkeys(names, 0)
    crossings = 0

    def count(name: str, found: Iterable[tuple[int, str, int]]) -> None:
        for t_ns, way, persons in found:
            differences[name][t_ns // WINDOW_NS, way] -= persons
            counted[name] += persons

    for event in simulate(task.scenario, task.seed, task.hours, task.separation_m):
        if isinstance(event, BeamEdge):
            count("foyer", _passages(door.feed(*event)))
            for name, peer in peers.items():
                count(name, ((t_ns, way, 1) for t_ns, way in peer.feed(event)))
            continue
        crossings += event.persons
        for difference in differences.values():
            difference[event.t_ns // WINDOW_NS, event.direction] += event.persons
    count("foyer", _passages(door.finish()))
    for name, peer in peers.items():
        count(name, ((t_ns, way, 1) for t_ns, way in peer.finish()))
    if task.oracle:
        bodies = meetings(task.scenario, task.seed, task.hours, task.separation_m)
        count(INFORMED, informed(bodies, law(task.scenario, task.separation_m), task.separation_m, WINDOW_NS))
    errors = {name: sum(map(abs, difference.values())) for name, difference in differences.items()}
    return Outcome(task, crossings, errors, counted)


def _passages(found: list[Passage | Fault]) -> Iterator[tuple[int, str, int]]:
    return ((item.t_ns, item.direction, item.persons) for item in found if isinstance(item, Passage))


def tasks_of(
    scenarios: list[str],
    separations_m: list[float],
    seeds: int,
    hours: float,
    first_seed: int,
    *,
    known: bool = True,
    oracle: bool = False,
) -> list[Task]:
    """Every seed at every separation in every scenario, all where none are named; raises ConfigError."""
    for name in scenarios:
        if name not in SCORED:
            raise ConfigError(f"scenario {name!r}: expected one of {', '.join(SCORED)}")
    every = product(scenarios or SCORED, separations_m or SEPARATIONS_M, range(first_seed, first_seed + seeds))
    tasks = [Task(name, metres, seed, hours, known, oracle) for name, metres, seed in every]
    for task in tasks:
        simulate(task.scenario, task.seed, task.hours, task.separation_m)  # refuses what cannot be, before any work
    return tasks


def table(outcomes: list[Outcome]) -> Iterator[str]:
    """Markdown: a row a scenario and separation, mean and spread over the seeds; counts where nobody crosses."""
    names = [name for name in (DECODERS[0], INFORMED, *DECODERS[1:]) if all(name in one.errors for one in outcomes)]
    yield "| scenario | beams apart | " + " | ".join(names) + " |"
    yield "|---|---|" + "---|" * len(names)
    groups: dict[tuple[str, float], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.task.scenario, outcome.task.separation_m), []).append(outcome)
    for (scenario, metres), group in groups.items():
        cells = (_cell(name, group) for name in names)
        yield f"| {scenario} | {metres:.2f} m | " + " | ".join(cells) + " |"


def _cell(decoder: str, group: list[Outcome]) -> str:
    if not all(outcome.crossings for outcome in group):
        return f"{sum(outcome.counted[decoder] for outcome in group)} counted"
    scores = [outcome.score(decoder) for outcome in group]
    spread = stdev(scores) if len(scores) > 1 else 0.0
    return f"{fmean(scores):.3f} ± {spread:.3f}"
