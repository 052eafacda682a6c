"""Why the counting core is wrong where it is: `foyer simulate score --causes`.

Errors are taken episode by episode, before those of a window cancel; each goes to one cause, the first that applies.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from statistics import fmean

from edge.counting import Door, DoorSettings, Passage
from simulators.oracle import Seen, episodes, part
from simulators.people import BeamEdge, Body, meetings, simulate
from simulators.people.bodies import NS_PER_S
from simulators.score import Task

CAUSES = {
    "hidden": "those who made no edge were missed, and all others told",
    "turning": "somebody turned there, or dwelt",
    "way": "as many as there were, but not the ways they went",
    "met": "too few, of people who went both ways, and each of the missing made an edge",
    "together": "too few, of people who went the same way, and each of the missing made an edge",
    "parts": "too many, and there were arms, bags or wheels",
    "others": "too many, and there were none",
}
_APART_S = 0.3
"""Episodes closer together are judged as one: an arm or bag comes before its person."""


def cause(together: list[Seen], excess: tuple[int, int]) -> str:
    """Of an error: `excess` is how many were counted too many inwards and outwards."""
    _, hidden = part(together)
    missed = [one.crossing.direction for one in hidden if one.crossing]
    if missed and excess == (-missed.count("in"), -missed.count("out")):
        return "hidden"
    if any(one.body.persons and one.crossing is None for one in together):
        return "turning"
    if sum(excess) == 0:
        return "way"
    if sum(excess) < 0:
        return "met" if len({one.crossing.direction for one in together if one.crossing}) > 1 else "together"
    return "parts" if any(not one.body.persons for one in together) else "others"


def judge(task: Task) -> Counter[str]:
    """How many persons were miscounted for each cause, and how many there were as `crossings`."""
    known = [
        near
        for bodies in meetings(task.scenario, task.seed, task.hours, task.separation_m)
        for near in _near(bodies, task.separation_m)
    ]
    starts_s = [together[0].from_s for together in known]
    excess = [[0, 0] for _ in known]
    door = Door(DoorSettings(task.separation_m if task.known else None))
    found: Counter[str] = Counter()
    told = []
    for event in simulate(task.scenario, task.seed, task.hours, task.separation_m):
        if isinstance(event, BeamEdge):
            told += door.feed(*event)
    for item in [*told, *door.finish()]:
        if isinstance(item, Passage):
            at = bisect_right(starts_s, item.t_ns / NS_PER_S + _APART_S / 2) - 1
            excess[max(0, at)][item.direction == "out"] += item.persons
    for together, over in zip(known, excess, strict=True):
        for crossing in (one.crossing for one in together if one.crossing):
            over[crossing.direction == "out"] -= crossing.persons
            found["crossings"] += crossing.persons
        if any(over):
            found[cause(together, (over[0], over[1]))] += abs(over[0]) + abs(over[1])
    return found


def _near(bodies: list[Body], separation_m: float) -> Iterator[list[Seen]]:
    """Episodes, joined where hardly anything is between."""
    joined: list[Seen] = []
    for together in episodes(bodies, separation_m):
        if joined and together[0].from_s > max(one.until_s for one in joined) + _APART_S:
            yield joined
            joined = []
        joined = joined + together
    if joined:
        yield joined


def table(tasks: list[Task], found: list[Counter[str]]) -> Iterator[str]:
    """Markdown: what share of the crossings each cause costs, a row a scenario and separation."""
    groups: dict[tuple[str, float], list[Counter[str]]] = {}
    for task, counts in zip(tasks, found, strict=True):
        if counts["crossings"]:
            groups.setdefault((task.scenario, task.separation_m), []).append(counts)
    yield "| scenario | beams apart | " + " | ".join(CAUSES) + " |"
    yield "|---|---|" + "---|" * len(CAUSES)
    for (scenario, metres), group in groups.items():
        cells = (f"{fmean(counts[name] / counts['crossings'] for counts in group):.4f}" for name in CAUSES)
        yield f"| {scenario} | {metres:.2f} m | " + " | ".join(cells) + " |"
