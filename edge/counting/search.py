# cython: boundscheck=False, wraparound=False, initializedcheck=False
# The columns are as long as their bounds, which the pure build checks in every test.
"""What the pulses of two beams mean: a search for the likeliest people.

Compiled by Cython with the types in `search.pxd`; the same source runs uncompiled.

A hypothesis says who made which edge. It grows by explaining its earliest unexplained edge in every way there is: as
the edge of a person, of an arm or wheels that belong to one, of a wanderer, or of nobody. The few likeliest hypotheses
are kept at each edge.
"""

from __future__ import annotations

from array import array

from cython.cimports.libc.math import exp, log, log1p, sqrt

from edge.counting.terms import (
    ARM_M_MAX,
    FOREVER_S,
    JITTER_S,
    KEPT,
    LINE_MAX,
    MEETING_S,
    PART,
    PERSON,
    PERSON_RATE,
    RECENT0,
    RECENT1,
    STRAIGHT,
    WANDERER,
)

from .bodies import Bodies
from .company import (
    abreast_density,
    arm_gap,
    follow_density,
    follow_gap_density,
    odds,
    piece_gap,
)
from .habits import Habits, below, fellow_density, normal
from .scene import Scene

try:
    SOURCE_SHA256: str = FOYER_SOURCE_SHA256.decode()  # type: ignore[name-defined]  # a C macro set by setup.py
except NameError:
    SOURCE_SHA256 = ""

_ROOT, _FIRST = 2, 3
_PLACES = _FIRST + KEPT * (4 * LINE_MAX + 1)
_NONE = -1

_EDGE_WORTH = 1.0  # about what an explained edge adds to a score: hypotheses that are ahead are not better for it
_LONE_PART = -4.0
_COMPANY_M = 1.2
_CHANCE = 0.1  # the shares hold those, too, who come close by chance
_USUAL_MEETING = 0.05
_RARE = 1e-9
_COVER_SD_S, _NEVER = 0.01, 1e-9
_ARM_LAG_SD = 0.25
_PIECE_LAG_SD = 0.035
_CHAIR_M = 0.5
_MORE_PIECES = 0.8  # where there are wheels, so likely is one more piece, or who pushes or pulls
_LINK_LOG = 1.2
_FOLLOWER_SD, _COMPANION_SD = 0.055, 0.03  # of a lag, as a log ratio to that of who is in front or abreast


class Search:
    """Hypotheses about a scene. Each has a place, and is what its `parent` said and one body more.

    `run` leaves the places of those that explain all edges in `found`, likeliest first, `found_count` of them. Of a
    place: `score`, a log density; `mask`, the edges explained; `inward`, the persons from line 0 to line 1, and
    `outward`; its last `body` and what that is, `kind`; and of the person or part that it belongs to, numbered `group`,
    the lag and the centre (of the torso, where there is one) and from when to when it is halfway between the beams.
    """

    __slots__ = (
        "abreast",
        "bodies",
        "body",
        "centre_s",
        "edges",
        "end_s",
        "follows",
        "found",
        "found_count",
        "group",
        "groups",
        "habits",
        "has_person",
        "has_wheels",
        "inward",
        "jitter_s",
        "kept",
        "kind",
        "lag_s",
        "length_m",
        "loose_parts",
        "mask",
        "meets",
        "near0",
        "near1",
        "new_abreast",
        "new_follows",
        "new_meets",
        "outward",
        "parent",
        "part_m",
        "scene",
        "score",
        "separation_m",
        "start_s",
        "width_s",
        "width_sd_s",
    )

    def __init__(self) -> None:
        self.scene = Scene()
        self.bodies = Bodies()
        self.separation_m = self.jitter_s = 0.0
        self.new_follows = self.new_abreast = self.new_meets = 0.0
        self.found = array("i", [0]) * KEPT
        self.found_count = 0
        self.kept = array("i", [0]) * (4 * LINE_MAX + 1)
        self.parent = array("i", [0]) * _PLACES
        self.body = array("i", [0]) * _PLACES
        self.kind = array("i", [0]) * _PLACES
        self.group = array("i", [0]) * _PLACES
        self.groups = array("i", [0]) * _PLACES
        self.inward = array("i", [0]) * _PLACES
        self.outward = array("i", [0]) * _PLACES
        self.edges = array("i", [0]) * _PLACES
        self.loose_parts = array("i", [0]) * _PLACES
        self.near0 = array("i", [0]) * _PLACES
        self.near1 = array("i", [0]) * _PLACES
        self.has_person = array("i", [0]) * _PLACES
        self.has_wheels = array("i", [0]) * _PLACES
        self.mask = array("q", [0]) * _PLACES
        self.score = array("d", [0.0]) * _PLACES
        self.lag_s = array("d", [0.0]) * _PLACES
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

    def run(self, habits: Habits, came: int, recent0: bool, recent1: bool) -> None:
        """Explain `scene`. `came`: the line by which a wanderer came before, or -1.

        `recent0` and `recent1` say whether the places of who passed last each way were filled.
        """
        self.habits = habits
        self.separation_m = habits.separation_m
        self.jitter_s = habits.jitter_s - JITTER_S
        scene, bodies = self.scene, self.bodies
        bodies.fill(scene, habits, came)
        for edge in range(scene.edges + 1):
            self.kept[edge] = 0
        self.score[_ROOT] = 0.0
        self.mask[_ROOT] = self.inward[_ROOT] = self.outward[_ROOT] = 0
        self.groups[_ROOT] = self.edges[_ROOT] = self.loose_parts[_ROOT] = 0
        self.parent[_ROOT] = _NONE
        self.near0[_ROOT] = RECENT0 if recent0 else _NONE
        self.near1[_ROOT] = RECENT1 if recent1 else _NONE
        if scene.edges:
            self._expand(_ROOT, 0, came >= 0)
        for edge in range(1, scene.edges):
            for place in range(_FIRST + edge * KEPT, _FIRST + edge * KEPT + self.kept[edge]):
                self._expand(place, edge, False)
        self._rank_found()

    def _rank_found(self) -> None:
        start = _FIRST + self.scene.edges * KEPT
        self.found_count = self.kept[self.scene.edges]
        for number in range(self.found_count):
            place, at = start + number, number
            while at > 0 and self.score[self.found[at - 1]] < self.score[place]:
                self.found[at] = self.found[at - 1]
                at -= 1
            self.found[at] = place

    def _expand(self, place: int, edge: int, stays: bool) -> None:
        """Explain the edge in every way; `stays`: only as a wanderer's."""
        bodies, mask = self.bodies, self.mask[place]
        body = bodies.head[edge]
        while body >= 0:
            kind = bodies.kind[body]
            if not mask & bodies.mask[body] and (mask & bodies.needs[body]) == bodies.needs[body]:
                if stays:
                    if kind == WANDERER:
                        self._other(place, body, kind)
                elif kind >= WANDERER:
                    self._other(place, body, kind)
                else:
                    self._straight(place, body, kind)
            body = bodies.following[body]

    def _other(self, parent: int, body: int, kind: int) -> None:
        """A wanderer, or nobody."""
        direction = self.bodies.direction[body]
        inward = self.inward[parent] + (1 if direction > 0 else 0)
        outward = self.outward[parent] + (1 if direction < 0 else 0)
        score = self.score[parent] + self.bodies.gain[body]
        place = self._place(parent, body, score, inward, outward, self.loose_parts[parent])
        if place >= 0:
            self.kind[place] = kind
            self.has_person[place] = self.has_wheels[place] = 0
            self.width_s[place], self.width_sd_s[place] = FOREVER_S, 0.0
            self.near0[place], self.near1[place] = self.near0[parent], self.near1[parent]
            self.follows[place] = self.abreast[place] = self.meets[place] = 0.0

    def _straight(self, parent: int, body: int, kind: int) -> None:
        """A body as a person, as a part of one, or as a part of one yet to come."""
        bodies, habits = self.bodies, self.habits
        inwards = bodies.direction[body] > 0
        near = self.near0[parent] if inwards else self.near1[parent]
        against = self.near1[parent] if inwards else self.near0[parent]
        centre_s, width_s, lag_s = bodies.centre_s[body], bodies.width_s[body], bodies.lag_s[body]
        arrival = self.arrival(centre_s, width_s, bodies.width_sd_s[body], lag_s, near, against)
        person = bodies.person[body]
        if kind != STRAIGHT:
            self._add(parent, body, PERSON, log(arrival * person), _NONE)
            return
        alone = lag = bodies.alone[body]
        company = self.new_follows + self.new_abreast
        if near >= 0 and company > 0.0:
            behind = fellow_density(lag_s, self.lag_s[near], self._spread(_FOLLOWER_SD, lag_s), alone)
            beside = fellow_density(lag_s, self.lag_s[near], self._spread(_COMPANION_SD, lag_s), alone)
            lag = self.new_follows * behind + self.new_abreast * beside + (1.0 - company) * alone
        self._add(parent, body, PERSON, log(arrival * lag * person + _RARE * _RARE), _NONE)
        if near >= 0:
            self._join(parent, body, near)
        begins = arrival * alone * (habits.arm * bodies.arm[body] + habits.wheel * bodies.piece[body])
        if begins > 0.0:
            self._add(parent, body, PART, log(0.5 * begins), _NONE)

    def arrival(
        self, centre_s: float, width_s: float, width_sd_s: float, lag_s: float, near: int, against: int
    ) -> float:
        """The rate, per second, at which such a body comes; notes why in `new_…`.

        `near` is the place of who came before the same way, `against` of who came the other way; -1 of nobody.
        """
        habits = self.habits
        rate = PERSON_RATE
        follows = abreast = meets = 0.0
        if near >= 0 and self.has_person[near]:
            speed = 2.0 * self.separation_m / (lag_s + self.lag_s[near])
            apart_m = abs(centre_s - self.centre_s[near]) * speed
            if width_sd_s > 0.0 or self.width_sd_s[near] > 0.0:
                follows = follow_density(apart_m)
            else:
                follows = follow_gap_density((centre_s - 0.5 * width_s - self.end_s[near]) * speed)
            follows *= odds(habits.follow) * speed
            abreast = odds(habits.abreast) * abreast_density(apart_m) * speed
            if apart_m < _COMPANY_M:
                rate *= _CHANCE
        if against >= 0 and abs(centre_s - self.centre_s[against]) < MEETING_S:
            rate *= _CHANCE
            # Whom somebody before has met already is met by a second one no more often than at any other door.
            met = near >= 0 and abs(self.centre_s[near] - self.centre_s[against]) < MEETING_S
            meets = odds(min(habits.opposite, _USUAL_MEETING) if met else habits.opposite) / MEETING_S
        rate += follows + abreast + meets + _RARE
        self.new_follows, self.new_abreast, self.new_meets = follows / rate, abreast / rate, meets / rate
        return rate

    def _spread(self, sd: float, lag_s: float) -> float:
        """A standard deviation of a lag, as a log ratio, with what a slow clock adds."""
        if self.jitter_s <= 0.0:
            return sd
        rounded = self.jitter_s / lag_s
        spread: float = sqrt(sd * sd + rounded * rounded)
        return spread

    def _join(self, parent: int, body: int, near: int) -> None:
        """A body as one more part of a group, or as the person whom its parts announced."""
        bodies, habits = self.bodies, self.habits
        lag_s = bodies.lag_s[body]
        lag_log = log(lag_s / self.lag_s[near])
        if abs(lag_log) > _LINK_LOG:
            return
        speed = self.separation_m / lag_s
        half_s = 0.5 * (self.end_s[near] - self.start_s[near] + bodies.width_part_s[body])
        gap_m = (abs(bodies.centre_s[body] - 0.5 * (self.start_s[near] + self.end_s[near])) - half_s) * speed
        arm_link = arm_gap(gap_m) * speed * normal(lag_log, 0.0, self._spread(_ARM_LAG_SD, lag_s)) / lag_s
        piece_link = piece_gap(gap_m) * speed * normal(lag_log, 0.0, self._spread(_PIECE_LAG_SD, lag_s)) / lag_s
        person = bodies.person[body]
        joins = habits.arm * bodies.arm[body] * arm_link
        if self.has_wheels[near]:
            joins += _MORE_PIECES * 0.5 * (bodies.piece[body] + person) * piece_link
        else:
            joins += habits.wheel * bodies.piece[body] * piece_link
        if joins > 0.0:
            self._add(parent, body, PART, log(joins), near)
        link = (arm_link if self.length_m[near] < ARM_M_MAX else piece_link) * person
        if not self.has_person[near] and link > 0.0:
            self._add(parent, body, PERSON, log(link), near)

    def _add(self, parent: int, body: int, kind: int, gain: float, joins: int) -> None:
        """A hypothesis with one straight body more, as a person or part; `joins`: the group it belongs to, or -1."""
        bodies = self.bodies
        inwards = bodies.direction[body] > 0
        inward, outward, loose = self.inward[parent], self.outward[parent], self.loose_parts[parent]
        if kind == PERSON:
            inward += 1 if inwards else 0
            outward += 0 if inwards else 1
            loose -= 1 if joins >= 0 else 0
        elif joins < 0:
            loose += 1
        width_s = bodies.width_s[body] if kind == PERSON else bodies.width_part_s[body]
        score = self.score[parent] + gain
        if self._hopeless(parent, body, score):
            return
        score += self._cover(parent, body, width_s)
        place = self._place(parent, body, score, inward, outward, loose)
        if place < 0:
            return
        self.kind[place] = kind
        self.width_s[place], self.width_sd_s[place] = width_s, bodies.width_sd_s[body]
        self._describe(place, body, kind, joins, width_s)
        self.near0[place], self.near1[place] = self.near0[parent], self.near1[parent]
        if inwards:
            self.near0[place] = place
        else:
            self.near1[place] = place

    def _describe(self, place: int, body: int, kind: int, joins: int, width_s: float) -> None:
        """Of the group that a person or part belongs to."""
        centre_s, lag_s = self.bodies.centre_s[body], self.bodies.lag_s[body]
        length_m = width_s * self.separation_m / lag_s
        wheels = length_m > (_CHAIR_M if kind == PERSON else ARM_M_MAX)
        person = kind == PERSON
        start_s, end_s = centre_s - 0.5 * width_s, centre_s + 0.5 * width_s
        self.part_m[place] = length_m
        self.follows[place], self.abreast[place], self.meets[place] = self.new_follows, self.new_abreast, self.new_meets
        if joins >= 0:
            self.group[place] = self.group[joins]
            self.follows[place], self.abreast[place] = self.follows[joins], self.abreast[joins]
            self.meets[place] = self.meets[joins]
            wheels = wheels or self.has_wheels[joins] != 0
            start_s, end_s = min(start_s, self.start_s[joins]), max(end_s, self.end_s[joins])
            if kind == PART and self.has_person[joins]:
                person = True
                centre_s, lag_s, length_m = self.centre_s[joins], self.lag_s[joins], self.length_m[joins]
        self.has_wheels[place], self.has_person[place] = wheels, person
        self.start_s[place], self.end_s[place] = start_s, end_s
        self.centre_s[place], self.lag_s[place], self.length_m[place] = centre_s, lag_s, length_m

    def _cover(self, parent: int, body: int, width_s: float) -> float:
        """Pulses that several bodies made together are no longer than those bodies are."""
        bodies, scene = self.bodies, self.scene
        mask = self.mask[parent] | bodies.mask[body]
        worst = 0.0
        for line in range(2):
            at = bodies.low[2 * body + line]
            pulse = line * LINE_MAX + at
            bits = scene.rise_bit[pulse] | scene.fall_bit[pulse]
            if at == scene.open[line] or bodies.mask[body] & bits == bits or mask & bits != bits:
                continue
            wide_s = width_s
            variance = (
                _COVER_SD_S * _COVER_SD_S
                + self.jitter_s * self.jitter_s
                + bodies.width_sd_s[body] * bodies.width_sd_s[body]
            )
            place = parent
            while place > _ROOT:
                theirs = 2 * self.body[place] + line
                if bodies.low[theirs] <= at < bodies.high[theirs]:
                    wide_s += self.width_s[place]
                    variance += self.width_sd_s[place] * self.width_sd_s[place]
                place = self.parent[place]
            spare_s = wide_s - (scene.fall_s[pulse] - scene.rise_s[pulse])
            worst = min(worst, log(below(spare_s, 0.0, sqrt(variance)) + _NEVER))
        return worst

    def _hopeless(self, parent: int, body: int, score: float) -> bool:
        """Whether that would not be kept anyway."""
        edge = self._earliest(self.mask[parent] | self.bodies.mask[body])
        if self.kept[edge] < KEPT:
            return False
        rank = score - _EDGE_WORTH * (self.edges[parent] + self.bodies.number[body])
        for place in range(_FIRST + edge * KEPT, _FIRST + (edge + 1) * KEPT):
            if rank > self.score[place] - _EDGE_WORTH * self.edges[place]:
                return False
        return True

    def _earliest(self, mask: int) -> int:
        """The earliest edge that it does not explain."""
        edge = 0
        while mask & 1:
            mask >>= 1
            edge += 1
        return edge

    def _place(self, parent: int, body: int, score: float, inward: int, outward: int, loose: int) -> int:
        """Find a place among the likeliest that have explained as much, or -1.

        Of two that explain the same edges and count the same, the likelier stands for both.
        """
        mask, edges = self.mask[parent] | self.bodies.mask[body], self.edges[parent] + self.bodies.number[body]
        edge = self._earliest(mask)
        if edge == self.scene.edges:
            score += _LONE_PART * loose
        rank = score - _EDGE_WORTH * edges
        start, count = _FIRST + edge * KEPT, self.kept[edge]
        chosen, worst = _NONE, rank
        for place in range(start, start + count):
            if self.mask[place] == mask and self.inward[place] == inward and self.outward[place] == outward:
                apart = score - self.score[place]
                if apart <= 0.0:
                    self.score[place] += log1p(exp(apart))
                    return _NONE
                score += log1p(exp(-apart))
                chosen = place
                break
            if self.score[place] - _EDGE_WORTH * self.edges[place] < worst:
                worst = self.score[place] - _EDGE_WORTH * self.edges[place]
                chosen = place
        else:
            if count < KEPT:
                chosen = start + count
                self.kept[edge] = count + 1
        if chosen < 0:
            return _NONE
        self.score[chosen], self.mask[chosen], self.edges[chosen] = score, mask, edges
        self.parent[chosen], self.body[chosen] = parent, body
        self.inward[chosen], self.outward[chosen], self.loose_parts[chosen] = inward, outward, loose
        self.group[chosen], self.groups[chosen] = self.groups[parent], self.groups[parent] + 1
        return chosen
