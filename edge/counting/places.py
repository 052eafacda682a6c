"""The hypotheses of a search, and which of them are kept.

Compiled by Cython with the types in `places.pxd`; the same source runs uncompiled.
"""

from __future__ import annotations

from array import array

from cython import compiled
from cython.cimports.libc.math import exp

from edge.counting.terms import FIRST, KEPT, LINE_MAX, NONE, ROOT

_PLACES = FIRST + KEPT * (4 * LINE_MAX + 1)
INWARD, OUTWARD = 2**36, 2**44  # beyond the bits of all edges
HOPE = 1e-5  # of the best that explains as much: who is further behind hardly ever catches up
_LONE_PART = exp(-4.0)  # so much less likely is a part of nobody


class Places:
    """Hypotheses about a scene. Each has a place, and is what its `parent` said and one body more.

    Those that explain all edges up to one, and not that one, are kept together, a few of each: `kept` of them, of which
    `best` is the highest score. A further one must be above `bar`; where no more are kept, it takes the place of the
    `least`. `found` are the places of those that explain all, likeliest first, `found_count` of them.

    Of a place: `score`, the density of its edges, each per `EDGE_DENSITY`; `claim`, which edges are explained and how
    many persons that takes (`explained`, `inward` and `outward` say it), to compare all three at once; its last `body`
    and what that is, `kind`; and of the person or part that it belongs to, numbered `group`, the lag and the centre (of
    the torso, where there is one) and from when to when it is halfway between the beams. `new_…`: of the one that looks
    for a place now, up to which edge it explains all, and so on.
    """

    __slots__ = (
        "abreast",
        "bar",
        "best",
        "body",
        "centre_s",
        "claim",
        "end_s",
        "follows",
        "found",
        "found_count",
        "group",
        "groups",
        "has_person",
        "has_wheels",
        "kept",
        "kind",
        "lag_s",
        "last",
        "least",
        "length_m",
        "loose_parts",
        "meets",
        "near0",
        "near1",
        "new_edge",
        "new_mask",
        "parent",
        "part_m",
        "score",
        "speed_log",
        "start_s",
        "width_s",
        "width_sd_s",
    )

    def __init__(self) -> None:
        self.new_mask = self.new_edge = 0
        self.last = self.found_count = 0
        if not compiled:  # else they are C arrays of the object's own, as its .pxd says
            self.found = array("i", [0]) * KEPT
            self.kept = array("i", [0]) * (4 * LINE_MAX + 1)
            self.best = array("d", [0.0]) * (4 * LINE_MAX + 1)
            self.bar = array("d", [0.0]) * (4 * LINE_MAX + 1)
            self.least = array("i", [0]) * (4 * LINE_MAX + 1)
            self.parent = array("i", [0]) * _PLACES
            self.body = array("i", [0]) * _PLACES
            self.kind = array("i", [0]) * _PLACES
            self.group = array("i", [0]) * _PLACES
            self.groups = array("i", [0]) * _PLACES
            self.loose_parts = array("i", [0]) * _PLACES
            self.near0 = array("i", [0]) * _PLACES
            self.near1 = array("i", [0]) * _PLACES
            self.has_person = array("i", [0]) * _PLACES
            self.has_wheels = array("i", [0]) * _PLACES
            self.claim = array("q", [0]) * _PLACES
            self.score = array("d", [0.0]) * _PLACES
            self.lag_s = array("d", [0.0]) * _PLACES
            self.speed_log = array("d", [0.0]) * _PLACES
            self.centre_s = array("d", [0.0]) * _PLACES
            self.start_s = array("d", [0.0]) * _PLACES
            self.end_s = array("d", [0.0]) * _PLACES
            self.length_m = array("d", [0.0]) * _PLACES
            self.part_m = array("d", [0.0]) * _PLACES
            self.width_s = array("d", [0.0]) * _PLACES
            self.width_sd_s = array("d", [0.0]) * _PLACES
            self.follows = array("d", [0.0]) * _PLACES
            self.abreast = array("d", [0.0]) * _PLACES
            self.meets = array("d", [0.0]) * _PLACES

    def clear(self, edges: int) -> None:
        """Forget all hypotheses but that nothing is explained yet, of so many edges."""
        self.new_mask = self.new_edge = 0
        self.last = edges
        for edge in range(edges + 1):
            self.kept[edge], self.best[edge], self.bar[edge] = 0, 0.0, 0.0
        self.score[ROOT] = 1.0
        self.claim[ROOT] = self.groups[ROOT] = self.loose_parts[ROOT] = 0
        self.parent[ROOT] = NONE

    def explained(self, place: int) -> int:
        """The mask of the edges that a hypothesis explains."""
        return self.claim[place] & (INWARD - 1)

    def inward(self, place: int) -> int:
        """How many persons from line 0 to line 1 it has."""
        return (self.claim[place] & (OUTWARD - 1)) // INWARD

    def outward(self, place: int) -> int:
        """How many persons from line 1 to line 0."""
        return self.claim[place] // OUTWARD

    def place(self, parent: int, body: int, score: float, persons: int, loose: int) -> int:
        """Find a place among the likeliest that have explained as much, or -1.

        Of two that explain the same edges and count the same, the likelier stands for both. `persons`: INWARD or
        OUTWARD where the body is one more, else 0.
        """
        edge = self.new_edge
        if edge == self.last:
            for _ in range(loose):
                score *= _LONE_PART
        end = FIRST + edge * KEPT + self.kept[edge]
        claim = self.claim[parent] // INWARD * INWARD + persons + self.new_mask
        place = end
        for same in range(FIRST + edge * KEPT + KEPT - 1, FIRST + edge * KEPT - 1, -1):
            place = same if self.claim[same] == claim else place  # all of them: when to stop would be a guess
        chosen = NONE
        if place < end:
            chosen = place if score > self.score[place] else NONE
            self.score[place] += score
            score = self.score[place]
        elif self.kept[edge] < KEPT:
            chosen = end
            self.kept[edge] += 1
        elif score > self.score[self.least[edge]]:
            chosen = self.least[edge]
        if chosen >= 0:
            self.score[chosen], self.claim[chosen] = score, claim
            self.best[edge] = max(self.best[edge], score)
            self.parent[chosen], self.body[chosen], self.loose_parts[chosen] = parent, body, loose
            self.group[chosen], self.groups[chosen] = self.groups[parent], self.groups[parent] + 1
        self._set_bar(edge)
        return chosen

    def _set_bar(self, edge: int) -> None:
        """Note how likely a further hypothesis must be to be worth it, and to be kept."""
        self.bar[edge] = HOPE * self.best[edge]
        if self.kept[edge] == KEPT:
            least = FIRST + edge * KEPT
            for place in range(FIRST + edge * KEPT + 1, FIRST + edge * KEPT + KEPT):
                least = place if self.score[place] < self.score[least] else least
            self.least[edge] = least
            self.bar[edge] = max(self.bar[edge], self.score[least])

    def rank_found(self) -> None:
        """Put those that explain all edges into `found`."""
        start = FIRST + self.last * KEPT
        self.found_count = self.kept[self.last]
        for number in range(self.found_count):
            place, at = start + number, number
            while at > 0 and self.score[self.found[at - 1]] < self.score[place]:
                self.found[at] = self.found[at - 1]
                at -= 1
            self.found[at] = place
