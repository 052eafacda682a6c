"""Who made the edges, by one hypothesis: a group is a person with an arm, a bag or wheels, a wanderer, or nobody.

Compiled by Cython with the types in `groups.pxd`; the same source runs uncompiled.
"""

from __future__ import annotations

from array import array

from cython import compiled

from edge.counting.terms import ARM_M_MAX, LINE_MAX, NOBODY, PART

from .search import Search

_GROUPS_MAX = 4 * LINE_MAX


class Groups:
    """`unfold` a hypothesis, and there are `count` groups, in the order of the first edge of each.

    Of a group: its `kind`; the places of its `person` (-1 of nobody) and of its `last` body; whether it has an `arm` or
    `wheels` apart, and an edge of an `opened` pulse; and the pulses that it touches, from `low` to below `high` on each
    line, at twice its number and one more.
    """

    __slots__ = ("arm", "chain", "count", "high", "kind", "last", "low", "number", "opened", "person", "wheels")

    def __init__(self) -> None:
        self.count = 0
        if not compiled:  # else they are C arrays of the object's own, as its .pxd says
            self.chain = array("i", [0]) * _GROUPS_MAX
            self.number = array("i", [0]) * _GROUPS_MAX
            self.kind = array("i", [0]) * _GROUPS_MAX
            self.person = array("i", [0]) * _GROUPS_MAX
            self.last = array("i", [0]) * _GROUPS_MAX
            self.arm = array("i", [0]) * _GROUPS_MAX
            self.wheels = array("i", [0]) * _GROUPS_MAX
            self.opened = array("i", [0]) * _GROUPS_MAX
            self.low = array("i", [0]) * (2 * _GROUPS_MAX)
            self.high = array("i", [0]) * (2 * _GROUPS_MAX)

    def unfold(self, search: Search, place: int) -> None:
        long = 0
        while search.parent[place] >= 0:
            self.chain[long] = place
            place = search.parent[place]
            long += 1
        self.count = 0
        for step in range(long):
            self._take(search, self.chain[long - 1 - step])

    def _take(self, search: Search, place: int) -> None:
        body, number = search.body[place], search.group[place]
        group = 0
        while group < self.count and self.number[group] != number:
            group += 1
        if group == self.count:
            self.count += 1
            self.number[group], self.kind[group], self.person[group] = number, NOBODY, -1
            self.arm[group] = self.wheels[group] = self.opened[group] = 0
            for line in range(2):
                self.low[2 * group + line], self.high[2 * group + line] = LINE_MAX, 0
        self.last[group] = place
        kind = search.kind[place]
        if kind != PART:
            self.kind[group] = kind
            self.person[group] = -1 if kind == NOBODY else place
        elif search.part_m[place] < ARM_M_MAX:
            self.arm[group] = 1
        else:
            self.wheels[group] = 1
        if search.bodies.opened[body]:
            self.opened[group] = 1
        for line in range(2):
            at, theirs = 2 * group + line, 2 * body + line
            self.low[at] = min(self.low[at], search.bodies.low[theirs])
            self.high[at] = max(self.high[at], search.bodies.high[theirs])

    def segment_end(self, first: int) -> int:
        """The end of the run of groups from `first` on that share no pulse with the rest."""
        end = first + 1
        high0, high1 = self.high[2 * first], self.high[2 * first + 1]
        while end < self.count:
            apart = True
            for group in range(end, self.count):
                if self.low[2 * group] < high0 or self.low[2 * group + 1] < high1:
                    apart = False
            if apart:
                break
            high0, high1 = max(high0, self.high[2 * end]), max(high1, self.high[2 * end + 1])
            end += 1
        return end
