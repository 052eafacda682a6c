"""How far off a day's total is, and whether it says so: `foyer simulate totals`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from statistics import fmean

from edge.counting import Door, DoorSettings, Fault, Passage
from firmware_cfg.doubt import doubt, interval
from firmware_cfg.errors import ConfigError
from simulators.people import SCENARIOS, BeamEdge, simulate
from simulators.people.bodies import NS_PER_S, Crossing
from simulators.people.hub import DAY_S, hub_days
from simulators.score import SCORED

HUB = "hub"
HUB_DAYS = 20
DAY_HOURS = 12.0
KINDS = (HUB, *(name for name in SCORED if SCENARIOS[name].per_hour and name != "standing"))
SEPARATIONS_M = (0.08, 0.12, 0.30, 0.60)
BANDS = (0.0, 0.3, 0.5, 0.7, 0.9, 0.97, 1.0)
_DAY_NS = round(DAY_S * NS_PER_S)
_NEAR_NS = 1_500_000_000
_WAYS = ("in", "out")


@dataclass(frozen=True, slots=True)
class Task:
    """A door: of a hub for `HUB_DAYS` days, or of a scenario for one of `DAY_HOURS`."""

    kind: str
    separation_m: float
    seed: int


@dataclass(slots=True)
class Outcome:
    """Of each day and way the persons who crossed, those counted and their doubt; and passages by confidence."""

    task: Task
    days: list[tuple[int, int, float]] = field(default_factory=list)
    told: Counter[int] = field(default_factory=Counter)
    right: Counter[int] = field(default_factory=Counter)
    """By the number of their band: somebody did cross that way then, and as many as were told."""


def judge(task: Task) -> Outcome:
    """What the core tells of one door."""
    door = Door(DoorSettings(task.separation_m))
    found: list[Passage | Fault] = []
    crossed: list[Crossing] = []
    events = (
        hub_days(HUB_DAYS, task.seed, task.separation_m)
        if task.kind == HUB
        else simulate(task.kind, task.seed, DAY_HOURS, task.separation_m)
    )
    for event in events:
        if isinstance(event, BeamEdge):
            found += door.feed(*event)
        else:
            crossed.append(event)
    passages = [item for item in found + door.finish() if isinstance(item, Passage)]
    outcome = Outcome(task)
    true, counted = Counter[tuple[int, str]](), Counter[tuple[int, str]]()
    doubts: dict[tuple[int, str], float] = defaultdict(float)
    for crossing in crossed:
        true[crossing.t_ns // _DAY_NS, crossing.direction] += crossing.persons
    for passage in passages:
        day = passage.t_ns // _DAY_NS, passage.direction
        counted[day] += passage.persons
        doubts[day] += doubt(passage.persons, passage.confidence)
    outcome.days = [(true[day], counted[day], doubts[day]) for day in sorted(true)]
    for way in _WAYS:
        match(crossed, passages, way, outcome)
    return outcome


def match(crossed: list[Crossing], passages: list[Passage], way: str, outcome: Outcome) -> None:
    """Give each passage the crossings that are due to it, in the order of time."""
    times = sorted(each.t_ns for each in crossed if each.direction == way for _ in range(each.persons))
    at = 0
    for passage in sorted((each for each in passages if each.direction == way), key=lambda each: each.t_ns):
        while at < len(times) and times[at] < passage.t_ns - _NEAR_NS:
            at += 1
        taken = 0
        while taken < passage.persons and at < len(times) and times[at] <= passage.t_ns + _NEAR_NS:
            at, taken = at + 1, taken + 1
        band = max(number for number, least in enumerate(BANDS[:-1]) if passage.confidence >= least)
        outcome.told[band] += 1
        outcome.right[band] += taken == passage.persons


def tasks_of(kinds: list[str], separations_m: list[float], seeds: int, first_seed: int) -> list[Task]:
    """Every seed at every separation of every kind, all where none are named; raises ConfigError."""
    for name in kinds:
        if name not in KINDS:
            raise ConfigError(f"days of {name!r}: expected one of {', '.join(KINDS)}")
    every = product(kinds or KINDS, separations_m or SEPARATIONS_M, range(first_seed, first_seed + seeds))
    return [Task(*each) for each in every]


def table(outcomes: list[Outcome]) -> Iterator[str]:
    """Markdown: how many days' totals lie within their interval and how wide it is; then what confidences are worth."""
    yield "| days of | beams apart | totals | persons | counted | 95 % interval holds | and is, of the total |"
    yield "|---|---|---|---|---|---|---|"
    groups: dict[tuple[str, float], list[tuple[int, int, float]]] = defaultdict(list)
    for outcome in outcomes:
        groups[outcome.task.kind, outcome.task.separation_m] += outcome.days
    for (kind, metres), days in groups.items():
        persons = sum(true for true, _, _ in days)
        off = sum(counted for _, counted, _ in days) / persons - 1.0
        spans = [interval(counted, variance) for _, counted, variance in days]
        held = fmean(low <= true <= high for (true, _, _), (low, high) in zip(days, spans, strict=True))
        wide = sum(high - low for low, high in spans) / 2 / persons
        each = f"{persons / len(days):.0f} each"
        yield f"| {kind} | {metres:.2f} m | {len(days)} | {each} | {off:+.1%} | {held:.1%} | ± {wide:.1%} |"
    told, right = Counter[int](), Counter[int]()
    for outcome in outcomes:
        told.update(outcome.told)
        right.update(outcome.right)
    yield ""
    yield "| confidence | passages | right |"
    yield "|---|---|---|"
    for band in sorted(told):
        yield f"| {BANDS[band]:g} to {BANDS[band + 1]:g} | {told[band]} | {right[band] / told[band]:.1%} |"
