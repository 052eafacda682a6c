"""What an informed oracle could count: it knows the bodies, and sees of the door the two beams alone.

Of an *episode*, from both beams clear to both beams clear, the oracle is told how those are built and move who made any
edge of it: their depth, speed, gait, arms and wheels. It is not told which way they faced nor when they came, and hears
nothing of those who were *hidden*: whom one can leave out and every edge stays where it is, within what sensors jitter.

- **Who was seen** it places so that they make the edges, each facing either way. Where that leaves several ways open,
  it goes by the law of the scenario: how often each was so in other doors' episodes that left the same ways open.
- **Who was hidden** it expects by that law: so many were hidden in other doors' episodes whose seen people are alike
  (as many; if only one, as deep, as fast, and turning or not).

For each window of five minutes and each direction it tells the median of what may have been, so that its expected error
is the least. Edges do not say how deep and fast who made them is, nor how many they are, so that no decoder knows as
much. One thing it does not know that a decoder may learn: it judges each episode by itself, and so is surprised by who
comes seemingly alone where nobody ever does (`opposite`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product

from simulators.people import Body, Crossing, meetings
from simulators.people.beams import Pulse, merged
from simulators.people.bodies import NS_PER_S

JITTER_S = 0.001
"""Sensors report an edge so late, give or take."""
LAW_DOORS, LAW_HOURS, FIRST_LAW_SEED = 10, 8.0, 10_000_000
"""What the law is learned from."""
BODIES_MAX, PULSES_MAX = 3, 6
"""Of more that were seen together, or more pulses of a beam, the oracle is told which way they went."""
_ALIKE_MIN = 100
_DEPTH_STEP_M, _SPEED_STEP_M_S, _LAG_S_MIN = 0.03, 0.2, 0.02

Shadows = tuple[list[Pulse], list[Pulse]]
"""When each beam is blocked."""
Numbers = dict[tuple[int, int], float]
"""How likely so many are, inwards and outwards."""


@dataclass(frozen=True)
class Seen:
    """A body and its shadows on the two beams."""

    body: Body
    shadows: Shadows
    crossing: Crossing | None

    @cached_property
    def from_s(self) -> float:
        return min(pulse[0] for pulses in self.shadows for pulse in pulses)

    @cached_property
    def until_s(self) -> float:
        return max(pulse[1] for pulses in self.shadows for pulse in pulses)

    def ways(self) -> Iterator[tuple[int, int, Shadows]]:
        """Either way it may face: persons inwards and outwards, and the shadows. The first is as it was."""
        inward = outward = 0
        if self.crossing is not None:
            inward = self.crossing.persons if self.crossing.direction == "in" else 0
            outward = self.crossing.persons - inward
        yield inward, outward, self.shadows
        yield outward, inward, (self.shadows[1], self.shadows[0])


def episodes(bodies: list[Body], separation_m: float) -> Iterator[list[Seen]]:
    """Those who are in the beams together; who blocks no beam is in none."""
    seen = []
    for body in bodies:
        shadows = list(body.blocks(0.0)), list(body.blocks(separation_m))
        if any(shadows):
            seen.append(Seen(body, shadows, body.crossing(separation_m)))
    seen.sort(key=lambda one: one.from_s)
    together: list[Seen] = []
    for one in seen:
        if together and one.from_s > max(other.until_s for other in together):
            yield together
            together = []
        together.append(one)
    if together:
        yield together


def part(together: list[Seen]) -> tuple[list[Seen], list[Seen]]:
    """Who is seen, and who is hidden: left out one after the other, the shortest first, while no edge moves."""
    seen, hidden = list(together), []
    edges = _joined([one.shadows for one in seen])
    for one in sorted(together, key=lambda one: one.until_s - one.from_s):
        others = [other for other in seen if other is not one]
        if others and _alike(_joined([other.shadows for other in others]), edges):
            seen = others
            hidden.append(one)
    return seen, hidden


def faces(seen: list[Seen]) -> frozenset[tuple[int, int]]:
    """How many of them may have gone inwards and outwards, for all that the edges say."""
    edges = _joined([one.shadows for one in seen])
    told = len(seen) > BODIES_MAX or max(map(len, edges)) > PULSES_MAX
    found = set()
    for ways in product(*(list(one.ways())[: 1 if told else 2] for one in seen)):
        numbers = sum(way[0] for way in ways), sum(way[1] for way in ways)
        if numbers not in found and (told or _fit([shadows for _, _, shadows in ways], edges)):
            found.add(numbers)
    return frozenset(found)


def _joined(shadows: Sequence[Shadows]) -> Shadows:
    return merged([p for one in shadows for p in one[0]]), merged([p for one in shadows for p in one[1]])


def _alike(one: Shadows, other: Shadows) -> bool:
    """Whether no edge is further off than sensors jitter."""
    for mine, theirs in zip(one, other, strict=True):
        if len(mine) != len(theirs):
            return False
        for (start_s, stop_s), (from_s, until_s) in zip(mine, theirs, strict=True):
            if abs(start_s - from_s) > JITTER_S or abs(stop_s - until_s) > JITTER_S:
                return False
    return True


def _fit(bodies: list[Shadows], edges: Shadows) -> bool:
    """Whether bodies can come at such times that they make the edges together."""
    places = []
    for shadows in bodies:
        choices = {0.0} | {
            round(at - mine, 4)
            for line in (0, 1)
            for end in (0, 1)
            for mine in {pulse[end] for pulse in shadows[line]}
            for at in (pulse[end] for pulse in edges[line])
        }
        moved = [_moved(shadows, by_s) for by_s in sorted(choices)]
        places.append([shadows for shadows in moved if _within(shadows, edges)])
    return any(_alike(_joined(placed), edges) for placed in product(*places))


def _moved(shadows: Shadows, by_s: float) -> Shadows:
    first, second = ([(start_s + by_s, stop_s + by_s) for start_s, stop_s in pulses] for pulses in shadows)
    return first, second


def _within(shadows: Shadows, edges: Shadows) -> bool:
    """Whether the beams were blocked all the while."""
    return all(
        any(start_s >= pulse[0] - JITTER_S and stop_s <= pulse[1] + JITTER_S for pulse in edges[line])
        for line in (0, 1)
        for start_s, stop_s in shadows[line]
    )


class Law:
    """How many are hidden beside whom, and which way people go where the edges leave it open: what usually was so."""

    def __init__(self) -> None:
        self._found: dict[Hashable, Counter[tuple[int, int]]] = {}

    def learn(self, seen: list[Seen], hidden: list[Seen], separation_m: float) -> None:
        """Twice, as inwards and outwards are alike."""
        open_ways, went, others = faces(seen), _numbers(seen), _numbers(hidden)
        for turned in (False, True):
            if len(open_ways) > 1:
                self._count(frozenset(_turned(pair, turned) for pair in open_ways), _turned(went, turned))
            for kind in _kinds(seen, separation_m, turned=turned):
                self._count(kind, _turned(others, turned))

    def _count(self, kind: Hashable, numbers: tuple[int, int]) -> None:
        self._found.setdefault(kind, Counter())[numbers] += 1

    def seen(self, open_ways: frozenset[tuple[int, int]]) -> Numbers:
        """How likely so many of those who are seen went each way; before anything is learned, all alike."""
        found = self._found.get(open_ways, Counter())
        total = found.total() + len(open_ways)
        return {pair: (found[pair] + 1) / total for pair in open_ways}

    def hidden(self, seen: list[Seen], separation_m: float) -> Numbers:
        """How likely so many are hidden: as they were beside the most alike of whom enough came."""
        for kind in _kinds(seen, separation_m, turned=False):
            found = self._found.get(kind, Counter())
            if found.total() >= _ALIKE_MIN:
                return {pair: count / found.total() for pair, count in found.items()}
        return {(0, 0): 1.0}


def _numbers(some: list[Seen]) -> tuple[int, int]:
    inward = sum(one.crossing.persons for one in some if one.crossing and one.crossing.direction == "in")
    return inward, sum(one.crossing.persons for one in some if one.crossing) - inward


def _turned(numbers: tuple[int, int], turned: bool) -> tuple[int, int]:
    return (numbers[1], numbers[0]) if turned else numbers


def _kinds(seen: list[Seen], separation_m: float, *, turned: bool) -> Iterator[Hashable]:
    """What the seen ones are like, ever less closely."""
    people = [one for one in seen if one.body.persons]
    kind = (len(people), *_turned(_numbers(people), turned))
    if len(people) == 1 and all(people[0].shadows):
        first_s, second_s = ((pulses[0][0] + pulses[-1][1]) / 2 for pulses in people[0].shadows)
        speed_m_s = separation_m / max(_LAG_S_MIN, abs(second_s - first_s))
        yield (*kind, round(people[0].body.depth_m / _DEPTH_STEP_M), round(speed_m_s / _SPEED_STEP_M_S))
    yield kind


@cache
def law(scenario: str, separation_m: float) -> Law:
    """Of the scenario, from doors whose seeds nothing else uses."""
    found = Law()
    for seed in range(FIRST_LAW_SEED, FIRST_LAW_SEED + LAW_DOORS):
        for bodies in meetings(scenario, seed, LAW_HOURS, separation_m):
            for together in episodes(bodies, separation_m):
                found.learn(*part(together), separation_m)
    return found


def informed(
    door: Iterable[list[Body]], usual: Law, separation_m: float, window_ns: int
) -> Iterator[tuple[int, str, int]]:
    """What the oracle tells: the beginning of each window, which way, and how many persons."""
    windows: dict[tuple[int, str], list[float]] = {}
    for bodies in door:
        for together in episodes(bodies, separation_m):
            seen, _ = part(together)
            t_ns = next((one.crossing.t_ns for one in seen if one.crossing), round(seen[0].from_s * NS_PER_S))
            for numbers in (usual.seen(faces(seen)), usual.hidden(seen, separation_m)):
                for side, way in enumerate(("in", "out")):
                    key = (t_ns // window_ns, way)
                    windows[key] = _sum(windows.get(key, [1.0]), numbers, side)
    for (window, way), chances in windows.items():
        yield window * window_ns, way, _median(chances)


def _sum(chances: list[float], numbers: Numbers, side: int) -> list[float]:
    """How likely so many are in all; `chances` and the result by number."""
    most = max(pair[side] for pair in numbers)
    total = [0.0] * (len(chances) + most)
    for pair, likely in numbers.items():
        for number, chance in enumerate(chances):
            total[number + pair[side]] += chance * likely
    return total


def _median(chances: list[float]) -> int:
    below = 0.0
    for number, chance in enumerate(chances):
        below += chance
        if below >= 0.5:  # noqa: PLR2004 - one half
            return number
    return len(chances) - 1
