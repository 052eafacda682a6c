"""How well the number of people inside is estimated in simulated months: `python -m simulators.occupancy_score`."""

from __future__ import annotations

import argparse
import random
import sys
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time
from multiprocessing import Pool

from collector.occupancy import Move, Occupancy
from collector.store.base import MINUTE_NS, QUARTER_NS
from firmware_cfg.schema import Hub
from firmware_cfg.times import NS_PER_S
from simulators.hubs import DAY, opening, visits

HOUR_NS = 60 * MINUTE_NS
FIRST_SCORED_SEED = 1_000
"""Smaller seeds are for looking at and tuning on; what is published comes from this one on."""
FIRST_DAY = date(2026, 9, 7)
LEARN_DAYS, SCORE_DAYS = 28, 28
VISITS_A_DAY = (120, 450)
STAFF = 4
LATE_SHARE, LUNCH_SHARE, CLEANED_SHARE = 0.04, 0.6, 0.5
"""Of staff: who stays for hours after closing, who goes out for lunch; of nights: in which a cleaner comes."""
SIDESTEPS = 0.005
"""Of all crossings: somebody is counted who only stepped into the beams."""
DAY_LOG_SD = 0.3
"""How much what a door misses differs from day to day."""


@dataclass(frozen=True, slots=True)
class Profile:
    """How the doors miscount. `missed`: share of those entering and leaving, per door; None: 1 to 8 % at random."""

    about: str
    doors: int = 1
    missed: tuple[float, float] | None = None
    later: tuple[float, float] | None = None
    dead: bool = False
    courses: bool = False
    learn: bool = True


PROFILES = {
    "even": Profile("1 to 8 % missed each way"),
    "new": Profile("the same, its first month", learn=False),
    "out": Profile("1 % missed entering, 8 % leaving", missed=(0.01, 0.08)),
    "in": Profile("8 % missed entering, 1 % leaving", missed=(0.08, 0.01)),
    "good": Profile("1 % missed each way", missed=(0.01, 0.01)),
    "bad": Profile("8 % missed each way", missed=(0.08, 0.08)),
    "moved": Profile("2 % missed each way, from mid-month on 7 % leaving", missed=(0.02, 0.02), later=(0.02, 0.07)),
    "courses": Profile("1 to 8 % missed each way; courses begin and end together", courses=True),
    "two": Profile("two doors, 1 to 8 % missed at each", doors=2),
    "two-out": Profile("two doors, 1 % missed entering, 8 % leaving", doors=2, missed=(0.01, 0.08)),
    "dead": Profile("two doors, one dead for an afternoon a week", doors=2, dead=True),
}


@dataclass(slots=True)
class Score:
    """Over the minutes from an hour before opening until two after closing."""

    minutes: int = 0
    known: int = 0
    inside: int = 0
    """Minutes in which the interval holds the truth."""
    error: float = 0.0
    naive_error: float = 0.0
    """Both over the minutes in which the estimate is known, in persons."""
    people: int = 0
    width: int = 0
    worst: int = 0

    def add(self, other: Score) -> None:
        for name in ("minutes", "known", "inside", "error", "naive_error", "people", "width"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.worst = max(self.worst, other.worst)


@dataclass(slots=True)
class World:
    """Who really crossed, and what of it was counted, in the order of time."""

    hub: Hub
    crossings: list[tuple[int, int]] = field(default_factory=list)  # time, +1 or -1
    counted: list[Move] = field(default_factory=list)
    dead: list[tuple[int, int, int]] = field(default_factory=list)  # door, from, until


def hub_of(doors: int) -> Hub:
    """Open as a local hub is, its doors with a pair of beams each."""
    weekdays = {day: ["09:00-18:00"] for day in ("mon", "tue", "wed", "thu", "fri")}
    names = [f"door-{number}" for number in range(doors)]
    return Hub.model_validate(
        {
            "id": "simulated",
            "name": "Simulated",
            "type": "local",
            "hours": {**weekdays, "sat": ["09:00-17:00"]},
            "entrances": [{"id": name, "name": name, "counting": f"{name}-beams"} for name in names],
        }
    )


def world(profile: Profile, seed: int) -> World:
    """Eight weeks of visitors, staff and cleaners. The same arguments make the same world."""
    rng = random.Random(f"{seed}/{profile.about}")  # noqa: S311 - a simulation
    hub = hub_of(profile.doors)
    made = World(hub)
    a_day = rng.randint(*VISITS_A_DAY)
    days = LEARN_DAYS + SCORE_DAYS
    open_days = sum(1 for index in range(days) if opening(hub, FIRST_DAY + index * DAY))
    known = dict(visits(hub, FIRST_DAY, days, a_day * open_days, seed))
    missed = [profile.missed or (rng.uniform(0.01, 0.08), rng.uniform(0.01, 0.08)) for _ in range(profile.doors)]
    found: list[tuple[int, int, int]] = []  # time, door, +1 or -1
    for index in range(days):
        day = FIRST_DAY + index * DAY
        for visit in known.get(day, []):
            found += [(visit.in_ns, visit.in_by, 1), (visit.out_ns, visit.out_by, -1)]
        if opening(hub, day):
            found += _staff(hub, day, rng)
            if profile.courses:
                found += _courses(hub, day, rng)
            if profile.dead and index % 7 == rng.randrange(5):
                made.dead.append((0, _at(hub, day, 13) + rng.randrange(HOUR_NS), _at(hub, day, 17)))
    found.sort()
    switch_ns = _at(hub, FIRST_DAY + (LEARN_DAYS + SCORE_DAYS // 2) * DAY, 0)
    factors: dict[int, float] = {}
    for number, (t_ns, door, way) in enumerate(found):
        made.crossings.append((t_ns, way))
        if any(door == dead and start <= t_ns < end for dead, start, end in made.dead):
            continue
        factor = factors.setdefault(t_ns // (24 * HOUR_NS), rng.lognormvariate(0, DAY_LOG_SD))
        shares = profile.later if profile.later and t_ns >= switch_ns else missed[door]
        if rng.random() >= factor * shares[0 if way > 0 else 1]:
            made.counted.append(_move(t_ns, number, door, way))
        if rng.random() < SIDESTEPS:
            made.counted.append(_move(t_ns + 1, number, door, rng.choice((1, -1))))
    return made


def _move(t_ns: int, number: int, door: int, way: int) -> Move:
    return Move(t_ns, "sim", number, door, float(way > 0), float(way < 0))


def _at(hub: Hub, day: date, hour: int) -> int:
    return int(datetime.combine(day, time(hour), hub.zone).timestamp()) * NS_PER_S


def _staff(hub: Hub, day: date, rng: random.Random) -> Iterator[tuple[int, int, int]]:
    """They come before opening, go out for lunch, and stay: some evenings for hours. A cleaner comes at night."""
    opens, closes = (int(moment.timestamp()) * NS_PER_S for moment in opening(hub, day)[0])

    def stay(from_ns: float, until_ns: float) -> Iterator[tuple[int, int, int]]:
        yield int(from_ns), 0, 1
        yield int(until_ns), 0, -1

    for _ in range(STAFF):
        late = rng.random() < LATE_SHARE
        leaves = closes + rng.uniform(90, 180) * MINUTE_NS if late else closes + rng.expovariate(1 / 15) * MINUTE_NS
        comes = opens - rng.uniform(10, 75) * MINUTE_NS
        if rng.random() < LUNCH_SHARE:
            lunch = _at(hub, day, 12) + rng.uniform(0, 90) * MINUTE_NS
            yield from stay(comes, lunch)
            yield from stay(lunch + rng.uniform(15, 50) * MINUTE_NS, leaves)
        else:
            yield from stay(comes, leaves)
    if rng.random() < CLEANED_SHARE:
        begins = _at(hub, day + DAY, 5) + rng.uniform(0, 60) * MINUTE_NS
        yield from stay(begins, begins + rng.uniform(45, 90) * MINUTE_NS)


def _courses(hub: Hub, day: date, rng: random.Random) -> Iterator[tuple[int, int, int]]:
    """Two a day: people come within a quarter of an hour, stay for two hours, and go within five minutes."""
    for hour in (10, 14):
        begins = _at(hub, day, hour)
        for _ in range(rng.randrange(10, 35)):
            yield int(begins - rng.uniform(0, 15) * MINUTE_NS), 0, 1
            yield int(begins + 2 * HOUR_NS + rng.uniform(0, 5) * MINUTE_NS), 0, -1


def _quarters(moves: list[Move]) -> list[Move]:
    """As a store's counts per quarter of an hour have them."""
    sums: dict[tuple[int, int], list[float]] = {}
    for move in moves:
        found = sums.setdefault((move.t_ns // QUARTER_NS * QUARTER_NS, move.door), [0.0, 0.0])
        found[0] += move.in_
        found[1] += move.out
    return [Move(start + QUARTER_NS - 1, "", 0, door, in_, out) for (start, door), (in_, out) in sorted(sums.items())]


def judge(task: tuple[str, int]) -> Score:
    """A month of one building, minute by minute, after one to learn from where the profile has that."""
    name, seed = task
    profile = PROFILES[name]
    made = world(profile, seed)
    hub, occupancy, score = made.hub, Occupancy(made.hub), Score()
    first = FIRST_DAY + (LEARN_DAYS if profile.learn else 0) * DAY
    begin_ns = occupancy.start_ns(_at(hub, first, 7)) or 0
    if profile.learn:
        _teach(occupancy, made, begin_ns)
    scored = [opening(hub, first + index * DAY) for index in range(SCORE_DAYS)]
    stretches = [
        (int(spans[0][0].timestamp() - 3600) * NS_PER_S, int(spans[-1][1].timestamp() + 7200) * NS_PER_S)
        for spans in scored
        if spans
    ]
    crossed = bisect(made.crossings, (begin_ns,))
    counted = bisect(made.counted, (begin_ns,))
    truth = sum(way for _, way in made.crossings[:crossed])
    naive, midnight = 0, date.min
    for now_ns in range(begin_ns, stretches[-1][1], MINUTE_NS):
        broken = {door: "dead" for door, start, end in made.dead if start <= now_ns < end}
        for door in range(profile.doors):
            if door not in broken:
                occupancy.watch(door, now_ns, now_ns)
        while crossed < len(made.crossings) and made.crossings[crossed][0] <= now_ns:
            truth += made.crossings[crossed][1]
            crossed += 1
        today = datetime.fromtimestamp(now_ns // NS_PER_S, hub.zone).date()
        naive, midnight = (naive if today == midnight else 0), today
        while counted < len(made.counted) and made.counted[counted].t_ns <= now_ns:
            move = made.counted[counted]
            occupancy.take(move)
            naive = max(0, naive + int(move.in_) - int(move.out))
            counted += 1
        if stretches and now_ns >= stretches[0][1]:
            del stretches[0]
        if stretches and now_ns >= stretches[0][0]:
            _count(score, occupancy, now_ns, broken, truth, naive)
    return score


def _teach(occupancy: Occupancy, made: World, until_ns: int) -> None:
    first_ns = made.crossings[0][0] // QUARTER_NS * QUARTER_NS
    watched = [
        (door, quarter_ns, 15)
        for quarter_ns in range(first_ns, until_ns, QUARTER_NS)
        for door in range(len(made.hub.entrances))
        if not any(dead == door and start - QUARTER_NS < quarter_ns < end for dead, start, end in made.dead)
    ]
    counts = _quarters([move for move in made.counted if move.t_ns < until_ns])
    occupancy.begin(Occupancy.study(made.hub, counts, watched, until_ns))


def _count(score: Score, occupancy: Occupancy, now_ns: int, broken: dict[int, str], truth: int, naive: int) -> None:
    found = occupancy.estimate(now_ns, broken)
    score.minutes += 1
    if found.value is None or found.low is None or found.high is None:
        return
    score.known += 1
    score.people += truth
    score.error += abs(found.value - truth)
    score.naive_error += abs(naive - truth)
    score.worst = max(score.worst, abs(found.value - truth))
    score.inside += found.low <= truth <= found.high
    score.width += found.high - found.low


def row(name: str, score: Score) -> str:
    """One line of the table in docs/occupancy.md."""
    known = max(1, score.known)
    return (
        f"| {PROFILES[name].about} | {score.people / known:.1f} | {score.error / known:.2f} "
        f"| {score.naive_error / known:.2f} | {score.inside / known:.1%} | {score.width / known:.1f} "
        f"| {score.worst} | {score.known / score.minutes:.1%} |"
    )


HEAD = (
    "| doors | people inside | error | naive error | truth in interval | its width | worst error | known |",
    "|---|---|---|---|---|---|---|---|",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m simulators.occupancy_score", description=__doc__)
    parser.add_argument("--months", type=int, default=20, help="buildings of each kind")
    parser.add_argument("--first-seed", type=int, default=FIRST_SCORED_SEED)
    parser.add_argument("--profile", choices=PROFILES, action="append", help="which doors; all if not given")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    seeds = range(options.first_seed, options.first_seed + options.months)
    names = options.profile or list(PROFILES)
    tasks = [(name, seed) for name in names for seed in seeds]
    scores = {name: Score() for name in names}
    with Pool(options.jobs) as pool:
        for number, ((name, _), score) in enumerate(zip(tasks, pool.imap(judge, tasks), strict=True), 1):
            scores[name].add(score)
            print(f"\r{number} of {len(tasks)} months", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    print(f"{options.months} months of each kind, seeds {seeds[0]} to {seeds[-1]}\n")
    print("\n".join((*HEAD, *(row(name, score) for name, score in scores.items()))))


if __name__ == "__main__":
    main()
