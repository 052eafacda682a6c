"""What a hypothesis about some pulses is made of: who made which edge.

Compiled by Cython with the types in `hypotheses.pxd`; the same source runs uncompiled.
"""

from __future__ import annotations

from typing import Any

try:
    SOURCE_SHA256: str = FOYER_SOURCE_SHA256.decode()  # type: ignore[name-defined]  # a C macro set by setup.py
except NameError:
    SOURCE_SHA256 = ""

PERSON, PART, WANDERER, NOBODY = 1, 2, 3, 4
FOREVER_S = 1e6
_EDGE_WORTH = 1.0  # about what an explained edge adds to a score: hypotheses that are ahead are not better for it
_RECENT_NS = 3_000_000_000
_ARM_M = 0.16
_SIMULTANEOUS_S = 0.002  # what moves both beams this close together moved across neither
_HALF_BODY_S = 0.12


class Body:
    """Who made some edges. A group of bodies is one person with an arm, a bag or wheels; `group` numbers it.

    `lag_s`, `centre_s`, `start_s` and `end_s` are the group's, the latter two halfway between the beams. `low` and
    `high` bound the pulses it touches on each line. `follows`, `abreast` and `meets` are chances.
    """

    __slots__ = (
        "abreast",
        "before",
        "centre_s",
        "direction",
        "end_s",
        "follows",
        "group",
        "has_person",
        "has_wheels",
        "high0",
        "high1",
        "kind",
        "lag_s",
        "length_m",
        "low0",
        "low1",
        "meets",
        "middle_s",
        "opened",
        "part_m",
        "start_s",
        "width_s",
        "width_sd_s",
    )

    def __init__(self, kind: int, direction: int, group: int, before: Body | None) -> None:
        self.kind = kind
        self.direction = direction
        self.group = group
        self.before = before
        self.has_person = kind == PERSON
        self.has_wheels = False
        self.opened = False
        self.lag_s = self.width_s = self.length_m = self.centre_s = self.start_s = self.end_s = 0.0
        self.middle_s = self.part_m = self.width_sd_s = 0.0
        self.low0 = self.low1 = 1_000_000
        self.high0 = self.high1 = 0
        self.follows = self.abreast = self.meets = 0.0

    def touch(self, line: int, pulse: int) -> None:
        if line:
            self.low1, self.high1 = min(self.low1, pulse), max(self.high1, pulse + 1)
        else:
            self.low0, self.high0 = min(self.low0, pulse), max(self.high0, pulse + 1)


class Hypothesis:
    """Bodies, the last one first, and the edges they explain. `inward`: persons from line 0 to line 1."""

    __slots__ = (
        "edges",
        "group0",
        "group1",
        "groups",
        "inward",
        "last",
        "loose_parts",
        "mask",
        "outward",
        "rank",
        "score",
    )

    def __init__(self) -> None:
        self.score = self.rank = 0.0
        self.mask = 0
        self.edges = 0
        self.last: Body | None = None
        self.group0: Body | None = None
        """The last group from line 0 to line 1."""
        self.group1: Body | None = None
        self.inward = self.outward = 0
        self.loose_parts = self.groups = 0

    def grown(self, body: Body, gain: float, mask: int, edges: int) -> Hypothesis:
        new = Hypothesis()
        new.score = self.score + gain
        new.mask = self.mask | mask
        new.edges = self.edges + edges
        new.rank = new.score - _EDGE_WORTH * new.edges
        new.last = body
        new.group0, new.group1 = self.group0, self.group1
        new.inward, new.outward = self.inward, self.outward
        new.loose_parts = self.loose_parts
        new.groups = self.groups + 1
        return new


class Pulses:
    """The pulses to explain, seconds from the first rise. An open pulse has no fall yet.

    `line0` is the door's line that is line 0 here: the one that saw something first, so that swapping the beams swaps
    the directions and no more.
    """

    __slots__ = ("alike", "falls", "line0", "opens", "origin_ns", "rises")

    def __init__(self, rises: list[list[int]], falls: list[list[int]], opens: list[int]) -> None:
        pulses = [(list(rises[line]), list(falls[line])) for line in (0, 1)]
        ends = [-1, -1]
        for line in (0, 1):
            if opens[line] >= 0:
                ends[line] = len(rises[line])
                pulses[line][0].append(opens[line])
        self.line0 = first = 0 if pulses[0] <= pulses[1] else 1
        self.alike = pulses[0] == pulses[1]
        both = (pulses[first], pulses[1 - first])
        self.origin_ns = min([line[0][0] for line in both if line[0]], default=0)
        self.opens = [ends[first], ends[1 - first]]
        self.rises = [[(t_ns - self.origin_ns) * 1e-9 for t_ns in line[0]] for line in both]
        self.falls = [[(t_ns - self.origin_ns) * 1e-9 for t_ns in line[1]] for line in both]
        for line in (0, 1):
            if self.opens[line] >= 0:
                self.falls[line].append(FOREVER_S)

    def first_line(self, pulse0: int, pulse1: int) -> int:
        """The line of the first of two pulses."""
        if pulse0 >= len(self.rises[0]) or pulse1 >= len(self.rises[1]):
            return 0 if pulse1 >= len(self.rises[1]) else 1
        return 0 if self.rises[0][pulse0] <= self.rises[1][pulse1] else 1


class Stay:
    """A wanderer so far: by which line they came, when they left each, and all edges between."""

    __slots__ = (
        "clearly",
        "count",
        "entered_s",
        "first",
        "first_s",
        "last_s",
        "left_s",
        "longest_s",
        "mask",
        "rises_s",
        "second_s",
        "times",
        "touched",
    )

    def __init__(self, came: int) -> None:
        self.first = came
        self.clearly = came >= 0
        """Whether they came by one line before the other, and not by both at once."""
        self.count = self.mask = 0
        self.first_s = self.second_s = self.last_s = -FOREVER_S
        self.left_s = [-FOREVER_S, -FOREVER_S]
        self.rises_s = [-FOREVER_S, -FOREVER_S]
        """The last rise of each line."""
        self.entered_s = self.longest_s = 0.0
        """How long the first pulse was, and the longest one."""
        self.times: list[float] = []
        self.touched = Body(WANDERER, 0, 0, None)

    def take(self, line: int, pulse: int, rise_s: float, fall_s: float, bits: int) -> None:
        if self.first < 0:
            self.first, self.first_s = line, rise_s
            self.entered_s = fall_s - rise_s
        elif line != self.first and self.second_s < 0.0:
            self.second_s = rise_s
            self.clearly = self.clearly or rise_s > self.first_s + _SIMULTANEOUS_S
        self.times.append(rise_s)
        if fall_s < FOREVER_S:
            self.times.append(fall_s)
        else:
            self.touched.opened = True
        self.mask |= bits
        self.count += 1
        self.last_s = max(self.last_s, fall_s)
        self.left_s[line] = max(self.left_s[line], fall_s)
        self.rises_s[line] = rise_s
        self.longest_s = max(self.longest_s, fall_s - rise_s)
        self.touched.touch(line, pulse)

    def body(self, hypothesis: Hypothesis) -> Body:
        """As one more body of a hypothesis; its direction is 0 if they left where they came from."""
        body = Body(WANDERER, 0, hypothesis.groups, hypothesis.last)
        body.low0, body.high0, body.low1, body.high1 = (
            self.touched.low0,
            self.touched.high0,
            self.touched.low1,
            self.touched.high1,
        )
        body.opened = self.touched.opened
        later_s = self.left_s[1 - self.first] - self.left_s[self.first]
        if body.high0 and body.high1 and later_s > _SIMULTANEOUS_S and self.clearly:
            body.direction = 1 if self.first == 0 else -1
        seen_s = [t_s for t_s in self.left_s if -FOREVER_S < t_s < FOREVER_S]
        if seen_s:
            body.middle_s = sum(seen_s) / len(seen_s) - _HALF_BODY_S
        return body


class Recent:
    """Who passed last in one direction: company for the next."""

    __slots__ = ("centre_ns", "end_ns", "has_wheels", "lag_s", "start_ns", "width_sd_s")

    def __init__(self) -> None:
        self.centre_ns = self.start_ns = self.end_ns = -1
        self.lag_s = self.width_sd_s = 0.0
        self.has_wheels = False

    def note(self, body: Body, origin_ns: int) -> None:
        self.centre_ns = origin_ns + int(body.centre_s * 1e9)
        self.start_ns = origin_ns + int(body.start_s * 1e9)
        self.end_ns = origin_ns + int(body.end_s * 1e9)
        self.lag_s, self.width_sd_s, self.has_wheels = body.lag_s, body.width_sd_s, body.has_wheels

    def body(self, direction: int, origin_ns: int) -> Body | None:
        """As seen from `origin_ns`; None if that is long ago."""
        if self.lag_s == 0.0 or origin_ns - self.end_ns > _RECENT_NS:
            return None
        body = Body(PERSON, direction, -1, None)
        body.centre_s = (self.centre_ns - origin_ns) * 1e-9
        body.start_s = (self.start_ns - origin_ns) * 1e-9
        body.end_s = (self.end_ns - origin_ns) * 1e-9
        body.lag_s, body.width_sd_s, body.has_wheels = self.lag_s, self.width_sd_s, self.has_wheels
        return body

    def snapshot(self) -> list[float]:
        return [self.centre_ns, self.start_ns, self.end_ns, self.lag_s, self.width_sd_s, self.has_wheels]

    def restore(self, state: list[Any]) -> None:
        self.centre_ns, self.start_ns, self.end_ns, self.lag_s, self.width_sd_s, self.has_wheels = state


class Group:
    """Bodies that are one person, or nobody, or a wanderer; and the pulses they touch."""

    __slots__ = ("arm", "high0", "high1", "kind", "last", "low0", "low1", "opened", "person", "wheels")

    def __init__(self) -> None:
        self.kind = NOBODY
        self.person: Body | None = None
        self.last: Body | None = None
        self.opened = self.arm = self.wheels = False
        self.low0 = self.low1 = 1_000_000
        self.high0 = self.high1 = 0

    def take(self, body: Body) -> None:
        self.last = body
        if body.kind == PART:
            self.arm = self.arm or body.part_m < _ARM_M
            self.wheels = self.wheels or body.part_m >= _ARM_M
        else:
            self.kind = body.kind
            self.person = None if body.kind == NOBODY else body
        self.opened = self.opened or body.opened
        self.low0, self.low1 = min(self.low0, body.low0), min(self.low1, body.low1)
        self.high0, self.high1 = max(self.high0, body.high0), max(self.high1, body.high1)


def groups_of(hypothesis: Hypothesis) -> list[Group]:
    """Who made the edges, a group a person, in the order of the first edge of each."""
    found: dict[int, Group] = {}
    bodies = []
    body = hypothesis.last
    while body is not None:
        bodies.append(body)
        body = body.before
    for body in reversed(bodies):
        group = found.get(body.group)
        if group is None:
            group = found[body.group] = Group()
        group.take(body)
    return list(found.values())


def segment_end(groups: list[Group], index: int) -> int:
    """The end of the run of groups from `index` on that share no pulse with the rest."""
    end = index + 1
    high0, high1 = groups[index].high0, groups[index].high1
    while end < len(groups):
        rest = groups[end:]
        if min([group.low0 for group in rest]) >= high0 and min([group.low1 for group in rest]) >= high1:
            break
        high0, high1 = max(high0, groups[end].high0), max(high1, groups[end].high1)
        end += 1
    return end
