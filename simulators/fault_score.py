"""How soon the core notices what is wrong with its beams, and how often it is wrong: `foyer simulate faults`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from statistics import median

from edge.counting import Door, DoorSettings, Fault, Passage
from firmware_cfg.errors import ConfigError
from simulators.people import BeamEdge
from simulators.people.beams import NEW, Wear
from simulators.people.bodies import NS_PER_S
from simulators.people.hub import DAY_S, Failure, hub_days

SEPARATIONS_M = (0.12, 0.60)
HEALTHY = "healthy"
MONTH_DAYS = 30
_BEGINS_S = 2 * DAY_S + 10 * 3600.0
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Case:
    """A failure of the inner beam, or of both, and the fault that should be raised."""

    kind: str
    wear: Wear
    lasts_h: float
    days: int
    """So many are simulated; the failure begins on the third at 10 h."""

    @property
    def failure(self) -> Failure:
        if self.wear == NEW:
            return Failure(NEW, 0.0, 0.0)
        return Failure(self.wear, _BEGINS_S, _BEGINS_S + self.lasts_h * _HOUR_S)


CASES = {
    "stuck-beam": Case("beam_blocked", Wear(stuck=(0.0, 1.0)), 4.0, 4),
    "dead-beam": Case("beam_dead", Wear(dead=True), 24.0, 5),
    "drifting-beam": Case("beam_misaligned", Wear(drifting=True), 48.0, 6),
    "chattering": Case("beam_chatters", Wear(chattering=True), 24.0, 6),
    "lost-edges": Case("losing_edges", Wear(lost=0.01), 24.0, 6),
    "swapped-beams": Case("beams_swapped", Wear(swapped=True), 168.0, 13),
    HEALTHY: Case("", NEW, 0.0, MONTH_DAYS),
}


@dataclass(frozen=True, slots=True)
class Task:
    """One simulated door."""

    case: str
    separation_m: float
    seed: int


@dataclass(slots=True)
class Outcome:
    """When the fault was told and taken back, in ns and crossings since its cause came and went; what else was told."""

    task: Task
    raised: list[tuple[int, int]] = field(default_factory=list)
    over: list[tuple[int, int]] = field(default_factory=list)
    again: int = 0
    """How often it was raised anew on a line."""
    others: Counter[str] = field(default_factory=Counter)
    crossings: int = 0
    without: tuple[int, int] = (0, 0)
    """Persons counted without direction, and those who crossed meanwhile."""


def judge(task: Task) -> Outcome:
    """What the core tells of one door."""
    case = CASES[task.case]
    door = Door(DoorSettings(task.separation_m))
    found: list[Passage | Fault] = []
    crossed: list[int] = []
    for event in hub_days(case.days, task.seed, task.separation_m, case.failure):
        if isinstance(event, BeamEdge):
            found += door.feed(*event)
        else:
            crossed += [event.t_ns] * event.persons
    found += door.finish()
    outcome = Outcome(task, crossings=len(crossed))
    unknown = [item.t_ns for item in found if isinstance(item, Passage) and item.direction == "unknown"]
    if unknown:
        outcome.without = len(unknown), sum(unknown[0] <= t_ns <= unknown[-1] for t_ns in crossed)
    _told(case, [item for item in found if isinstance(item, Fault)], crossed, outcome)
    return outcome


def _told(case: Case, faults: list[Fault], crossed: list[int], outcome: Outcome) -> None:
    from_ns, until_ns = (round(t_s * NS_PER_S) for t_s in (case.failure.from_s, case.failure.until_s))
    lines: set[str | None] = set()
    for fault in faults:
        if fault.kind == case.kind and fault.t_ns >= from_ns:
            since_ns, told = (from_ns, outcome.raised) if fault.active else (until_ns, outcome.over)
            told.append((fault.t_ns - since_ns, sum(since_ns <= t_ns < fault.t_ns for t_ns in crossed)))
            if fault.active:
                outcome.again += fault.line in lines
                lines.add(fault.line)
        elif fault.active and fault.kind != "repeated_level":
            outcome.others[fault.kind] += 1


def tasks_of(cases: list[str], separations_m: list[float], seeds: int, first_seed: int) -> list[Task]:
    """Every seed at every separation in every case, all where none are named; raises ConfigError."""
    for name in cases:
        if name not in CASES:
            raise ConfigError(f"case {name!r}: expected one of {', '.join(CASES)}")
    every = product(cases or CASES, separations_m or SEPARATIONS_M, range(first_seed, first_seed + seeds))
    return [Task(name, metres, seed) for name, metres, seed in every]


def table(outcomes: list[Outcome]) -> Iterator[str]:
    """Markdown: what was raised of what failed, and then what was raised of nothing."""
    groups: dict[tuple[str, float], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.task.case, outcome.task.separation_m), []).append(outcome)
    yield "| scenario | beams apart | fault | raised | after: median (worst) | over after mending | without direction |"
    yield "|---|---|---|---|---|---|---|"
    for (name, metres), group in groups.items():
        if name != HEALTHY:
            yield f"| {name} | {metres:.2f} m | {' | '.join(_row(CASES[name].kind, group))} |"
    if not any(name == HEALTHY for name, _ in groups):
        return
    yield ""
    yield "| nothing is wrong | doors, days | crossings | raised falsely | `beam_blocked`, true |"
    yield "|---|---|---|---|---|"
    for (name, metres), group in groups.items():
        if name == HEALTHY:
            blocked = sum(outcome.others["beam_blocked"] for outcome in group)
            false = Counter[str]()
            for outcome in group:
                false.update({kind: count for kind, count in outcome.others.items() if kind != "beam_blocked"})
            told = ", ".join(f"{count} x `{kind}`" for kind, count in sorted(false.items())) or "0"
            days = f"{len(group)} x {MONTH_DAYS}"
            yield f"| {metres:.2f} m | {days} | {sum(each.crossings for each in group)} | {told} | {blocked} |"


def _row(kind: str, group: list[Outcome]) -> Iterator[str]:
    raised = [outcome.raised[0] for outcome in group if outcome.raised]
    over = [outcome.over[-1] for outcome in group if outcome.over]
    again = sum(outcome.again for outcome in group)
    yield f"`{kind}`"
    yield f"{len(raised)} of {len(group)}{f', {again} times again' if again else ''}"
    yield _delays(raised)
    yield f"{len(over)} of {len(group)}: {_delays(over)}" if over else "-"
    counted, crossed = (sum(outcome.without[at] for outcome in group) for at in (0, 1))
    yield f"{counted} counted of {crossed}" if crossed else "-"


def _delays(told: list[tuple[int, int]]) -> str:
    if not told:
        return "-"
    times_h = [t_ns / NS_PER_S / _HOUR_S for t_ns, _ in told]
    crossings = [count for _, count in told]
    return f"{_span(median(times_h))}, {median(crossings):.0f} crossings ({_span(max(times_h))}, {max(crossings)})"


def _span(hours: float) -> str:
    if abs(hours) < 0.1:  # noqa: PLR2004 - six minutes
        return f"{hours * _HOUR_S:.0f} s"
    return f"{hours:.1f} h" if hours < 24 else f"{hours / 24:.1f} days"  # noqa: PLR2004 - a day
