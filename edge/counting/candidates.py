"""What may have made some edges, in columns, by the first edge of each.

Compiled by Cython with the types in `candidates.pxd`; the same source runs uncompiled.
"""

from __future__ import annotations

from array import array

from cython import compiled

from edge.counting.terms import EDGE_DENSITY, LINE_MAX, WANDERER

from .scene import Scene

_BODIES_MAX, _STRAIGHTS_MAX = 1024, 768
"""There is room for all others: three of nobody for each of 18 pulses, a wanderer for each run of them, 243 in all."""


class Candidates:
    """Bodies, `count` of them: those whose earliest edge is `n` are `head[n]`, `following[head[n]]` and so on to -1.

    Of each: its `kind`, its earliest `edge`, the `mask` of its edges and their `number`; `needs`: edges that must be
    explained already; the pulses that it touches, from `low` to below `high` on each line; its `direction`, 1 from line
    0 to line 1, else -1 (0 of wanderers who leave where they came from, and of nobody); lag, width and centre in
    seconds. `person`, `arm` and `piece` are the densities of its edges as such, but for the lag's: `alone` for a person
    in nobody's company. Of all others `gain` is the density of its edges. All but the lag's are per `EDGE_DENSITY` for
    each edge (`worth`). `most…`: what a search makes of it, at most. Those that move straight come first, `straights`
    of them.
    """

    __slots__ = (
        "alone",
        "arm",
        "centre_s",
        "count",
        "direction",
        "edge",
        "following",
        "gain",
        "head",
        "high",
        "kind",
        "lag_s",
        "low",
        "mask",
        "most",
        "most_far",
        "most_joined",
        "needs",
        "number",
        "opened",
        "person",
        "piece",
        "shared",
        "speed_log",
        "straights",
        "width_part_s",
        "width_s",
        "width_sd_s",
        "worth",
    )

    def __init__(self) -> None:
        self.count = self.straights = 0
        if not compiled:  # else they are C arrays of the object's own, as its .pxd says
            self.head = array("i", [-1]) * (4 * LINE_MAX)
            self.following = array("i", [0]) * _BODIES_MAX
            self.edge = array("b", [0]) * _BODIES_MAX
            self.kind = array("b", [0]) * _BODIES_MAX
            self.number = array("b", [0]) * _BODIES_MAX
            self.direction = array("b", [0]) * _BODIES_MAX
            self.opened = array("b", [0]) * _BODIES_MAX
            self.low = array("b", [0]) * (2 * _BODIES_MAX)
            self.high = array("b", [0]) * (2 * _BODIES_MAX)
            self.mask = array("q", [0]) * _BODIES_MAX
            self.shared = array("q", [0]) * (2 * _BODIES_MAX)
            self.needs = array("q", [0]) * _BODIES_MAX
            self.lag_s = array("d", [0.0]) * _BODIES_MAX
            self.speed_log = array("d", [0.0]) * _BODIES_MAX
            self.width_s = array("d", [0.0]) * _BODIES_MAX
            self.width_part_s = array("d", [0.0]) * _BODIES_MAX
            self.width_sd_s = array("d", [0.0]) * _BODIES_MAX
            self.centre_s = array("d", [0.0]) * _BODIES_MAX
            self.person = array("d", [0.0]) * _BODIES_MAX
            self.arm = array("d", [0.0]) * _BODIES_MAX
            self.piece = array("d", [0.0]) * _BODIES_MAX
            self.alone = array("d", [0.0]) * _BODIES_MAX
            self.gain = array("d", [0.0]) * _BODIES_MAX
            self.most = array("f", [0.0]) * _BODIES_MAX
            self.most_far = array("f", [0.0]) * _BODIES_MAX
            self.most_joined = array("f", [0.0]) * _BODIES_MAX
            self.worth = array("d", [0.0]) * (4 * LINE_MAX + 1)
        for number in range(4 * LINE_MAX + 1):
            self.worth[number] = EDGE_DENSITY**-number

    def add(self, kind: int, edge: int, mask: int, number: int) -> int:
        """One more body, not filled in yet; -1 where there is no room for one more that moves straight."""
        body = self.count
        if body == _STRAIGHTS_MAX and kind < WANDERER:
            return -1
        self.count = body + 1
        self.kind[body], self.mask[body], self.number[body] = kind, mask, number
        self.needs[body] = self.direction[body] = self.opened[body] = 0
        self.edge[body] = edge
        for line in range(2):
            self.low[2 * body + line], self.high[2 * body + line] = LINE_MAX, 0
        self.lag_s[body] = self.width_s[body] = self.width_part_s[body] = self.width_sd_s[body] = 0.0
        self.centre_s[body] = 0.0
        return body

    def touch(self, scene: Scene, body: int, pulse: int) -> None:
        """It made edges of that pulse, and of no other one of that line."""
        line = 1 if pulse >= LINE_MAX else 0
        at, place = pulse - line * LINE_MAX, 2 * body + line
        self.low[place], self.high[place] = at, at + 1
        if at == scene.open[line]:
            self.opened[body] = 1

    def link(self, edges: int) -> None:
        """Put each where its earliest edge finds it, of so many edges: those that move straight before all others."""
        for edge in range(edges):
            self.head[edge] = -1
        for body in range(self.straights, self.count):
            self._put_first(body)
        for body in range(self.straights):
            self._put_first(body)

    def _put_first(self, body: int) -> None:
        edge = self.edge[body]
        self.following[body], self.head[edge] = self.head[edge], body
