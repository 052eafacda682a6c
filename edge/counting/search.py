"""What the pulses of two beams mean: a search for the likeliest people.

Compiled by Cython with the types in `search.pxd`; the same source runs uncompiled.

A hypothesis says who made which edge. It grows by explaining its earliest unexplained edge in every way there is: as
the edge of a person, of an arm or wheels that belong to one, of a wanderer, or of nobody. The few likeliest hypotheses
are kept at each edge.
"""

from __future__ import annotations

from cython.cimports.libc.math import log, sqrt

from edge.counting.terms import (
    ALL_SEEN,
    ARM_M_MAX,
    FIRST,
    FOREVER_S,
    JITTER_S,
    KEPT,
    LINE_MAX,
    MEETING_S,
    NONE,
    PART,
    PERSON,
    PERSON_RATE,
    RECENT0,
    RECENT1,
    ROOT,
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
from .curves import below, normal
from .habits import Habits, fellow_density
from .places import HOPE, INWARD, OUTWARD, Places
from .scene import Scene

_COMPANY_M = 1.2
_CHANCE = 0.1  # the shares hold those, too, who come close by chance
_USUAL_MEETING = 0.05
_RARE = 1e-9
_COVER_SD_S, _NEVER = 0.01, 1e-9
_SURELY, _NEVER_Z2 = 36.0, 121.0  # so many variances off, squared, only `_NEVER` matters
_ABREAST_M_MAX = 3.0  # a companion so far off adds nothing to a score
# A little above the most that densities can be: of a follower's distance and a companion's, of a fellow's lag (but for
# its share of those alone), and of the gap and the lag of what is linked.
_FOLLOW_MOST, _ABREAST_MOST, _FELLOW_MOST, _LINK_MOST = 1.6, 3.3, 11.0, 80.0
_MARGIN = 1.01
_ARM_LAG_SD = 0.25
_PIECE_LAG_SD = 0.035
_CHAIR_M = 0.5
_MORE_PIECES = 0.8  # where there are wheels, so likely is one more piece, or who pushes or pulls
_LINK_LOG = 1.2
_FOLLOWER_SD, _COMPANION_SD = 0.055, 0.03  # of a lag, as a log ratio to that of who is in front or abreast


class Search(Places):
    """Grows hypotheses about its `scene` until they explain all edges; `run` leaves the likeliest in `found`."""

    __slots__ = (
        "abreast_odds",
        "bodies",
        "follow_odds",
        "habits",
        "jitter_s",
        "meet_again_odds",
        "meet_odds",
        "new_abreast",
        "new_follows",
        "new_meets",
        "scene",
        "separation_m",
        "variance",
    )

    def __init__(self) -> None:
        super().__init__()
        self.scene = Scene()
        self.bodies = Bodies()
        self.separation_m = self.jitter_s = self.variance = 0.0
        self.follow_odds = self.abreast_odds = self.meet_odds = self.meet_again_odds = 0.0
        self.new_follows = self.new_abreast = self.new_meets = 0.0

    def begin(self, habits: Habits) -> None:
        """Take over what holds for all bodies: `run` does, and who wants an `arrival` only."""
        self.habits = habits
        self.separation_m = habits.separation_m
        self.jitter_s = habits.jitter_s - JITTER_S
        self.variance = _COVER_SD_S * _COVER_SD_S + self.jitter_s * self.jitter_s
        self.follow_odds, self.abreast_odds = odds(habits.follow), odds(habits.abreast)
        self.meet_odds, self.meet_again_odds = odds(habits.opposite), odds(min(habits.opposite, _USUAL_MEETING))

    def run(self, habits: Habits, came: int, recent0: bool, recent1: bool) -> None:
        """Explain `scene`. `came`: the line by which a wanderer came before, or -1.

        `recent0` and `recent1` say whether the places of who passed last each way were filled.
        """
        self.begin(habits)
        self.bodies.fill(self.scene, habits, came, False)
        self._grow(came, recent0, recent1)
        if self.found_count == 0:
            self.bodies.fill(self.scene, habits, came, True)
            self._grow(came, recent0, recent1)

    def _grow(self, came: int, recent0: bool, recent1: bool) -> None:
        """Explain the scene by its bodies."""
        scene, bodies = self.scene, self.bodies
        for body in range(bodies.straights):
            self._bound(body)
        self.clear(scene.edges)
        self.near0[ROOT] = self.near1[ROOT] = NONE
        if recent0:
            self.near0[ROOT], self.speed_log[RECENT0] = RECENT0, log(self.separation_m / self.lag_s[RECENT0])
        if recent1:
            self.near1[ROOT], self.speed_log[RECENT1] = RECENT1, log(self.separation_m / self.lag_s[RECENT1])
        if scene.edges:
            self._expand(ROOT, 0, came >= 0)
        for edge in range(1, scene.edges):
            for place in range(FIRST + edge * KEPT, FIRST + edge * KEPT + self.kept[edge]):
                if self.score[place] >= HOPE * self.best[edge]:
                    self._expand(place, edge, False)
        self.rank_found()

    def _bound(self, body: int) -> None:
        """Note the most that a straight body can multiply a score by: where that is hopeless, it is not worked out."""
        bodies, habits = self.bodies, self.habits
        lag_s, alone, person = bodies.lag_s[body], bodies.alone[body], bodies.person[body]
        arm, wheel = habits.arm * bodies.arm[body], habits.wheel * bodies.piece[body]
        speed = self.separation_m / lag_s
        rate = PERSON_RATE + self.meet_odds / MEETING_S + _RARE
        near_rate = rate + 2.0 * speed * (_FOLLOW_MOST * self.follow_odds + _ABREAST_MOST * self.abreast_odds)
        part = 0.5 * alone * (arm + wheel)
        linked = arm + wheel + _MORE_PIECES * 0.5 * bodies.piece[body] + person
        bodies.most_far[body] = _MARGIN * rate * max(alone * person, part)
        bodies.most[body] = _MARGIN * near_rate * max((alone + _FELLOW_MOST / lag_s) * person, part)
        bodies.most_joined[body] = _MARGIN * _LINK_MOST * speed / lag_s * linked

    def _expand(self, place: int, edge: int, stays: bool) -> None:
        """Explain the edge in every way; `stays`: only as a wanderer's."""
        bodies, mask = self.bodies, self.explained(place)
        body = bodies.head[edge]
        while body >= 0:
            kind = bodies.kind[body]
            if not mask & bodies.mask[body] and (mask & bodies.needs[body]) == bodies.needs[body]:
                self.new_mask = mask | bodies.mask[body]
                self.new_edge = self.scene.first(~self.new_mask)
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
        persons = INWARD if direction > 0 else OUTWARD if direction < 0 else 0
        score = self.score[parent] * self.bodies.gain[body]
        if self._hopeless(score):
            return
        place = self.place(parent, body, score, persons, self.loose_parts[parent])
        if place >= 0:
            self.kind[place] = kind
            self.has_person[place] = self.has_wheels[place] = 0
            self.width_s[place], self.width_sd_s[place] = FOREVER_S, 0.0
            self.near0[place], self.near1[place] = self.near0[parent], self.near1[parent]
            self.follows[place] = self.abreast[place] = self.meets[place] = 0.0

    def _straight(self, parent: int, body: int, kind: int) -> None:
        """A body as a person, as a part of one, or as a part of one yet to come."""
        inwards = self.bodies.direction[body] > 0
        near = self.near0[parent] if inwards else self.near1[parent]
        against = self.near1[parent] if inwards else self.near0[parent]
        lag_s, score = self.bodies.lag_s[body], self.score[parent]
        far, lag_log, arrival = True, 0.0, 0.0
        joins = False
        if near >= 0:
            gap_s = self.bodies.centre_s[body] - 0.5 * self.bodies.width_s[body] - self.end_s[near]
            far = gap_s * 2.0 * self.separation_m > _ABREAST_M_MAX * (lag_s + self.lag_s[near])
            joins = kind == STRAIGHT and not self._hopeless(score * self.bodies.most_joined[body])
        comes = not self._hopeless(score * (self.bodies.most_far[body] if far else self.bodies.most[body]))
        if near >= 0 and (comes or joins):
            lag_log = self.speed_log[near] - self.bodies.speed_log[body]
        if comes:
            arrival = self._person(parent, body, kind, near, against, lag_log)
        if joins:
            self._join(parent, body, near, lag_log)
        if comes and kind == STRAIGHT:
            begins = self.habits.arm * self.bodies.arm[body] + self.habits.wheel * self.bodies.piece[body]
            begins *= arrival * self.bodies.alone[body]
            self._add(parent, body, PART, 0.5 * begins, NONE)

    def _person(self, parent: int, body: int, kind: int, near: int, against: int, lag_log: float) -> float:
        """A body as somebody; returns the rate at which such bodies come."""
        centre_s, width_s, lag_s = self.bodies.centre_s[body], self.bodies.width_s[body], self.bodies.lag_s[body]
        arrival = self.arrival(centre_s, width_s, self.bodies.width_sd_s[body], lag_s, near, against)
        person = self.bodies.person[body]
        if kind != STRAIGHT:
            self._add(parent, body, PERSON, arrival * person, NONE)
            return arrival
        alone = lag = self.bodies.alone[body]
        company = self.new_follows + self.new_abreast
        if near >= 0 and company > 0.0:
            behind = beside = 0.0
            if self.new_follows > 0.0:
                behind = fellow_density(lag_log, lag_s, self._spread(_FOLLOWER_SD, lag_s), alone)
            if self.new_abreast > 0.0:
                beside = fellow_density(lag_log, lag_s, self._spread(_COMPANION_SD, lag_s), alone)
            lag = self.new_follows * behind + self.new_abreast * beside + (1.0 - company) * alone
        self._add(parent, body, PERSON, arrival * lag * person, NONE)
        return arrival

    def arrival(
        self, centre_s: float, width_s: float, width_sd_s: float, lag_s: float, near: int, against: int
    ) -> float:
        """The rate, per second, at which such a body comes; notes why in `new_…`.

        `near` is the place of who came before the same way, `against` of who came the other way; -1 of nobody.
        """
        rate = PERSON_RATE
        follows = abreast = meets = 0.0
        if near >= 0 and self.has_person[near]:
            speed = 2.0 * self.separation_m / (lag_s + self.lag_s[near])
            apart_m = abs(centre_s - self.centre_s[near]) * speed
            if width_sd_s > 0.0 or self.width_sd_s[near] > 0.0:
                follows = follow_density(apart_m)
            else:
                follows = follow_gap_density((centre_s - 0.5 * width_s - self.end_s[near]) * speed)
            follows *= self.follow_odds * speed
            if apart_m < _ABREAST_M_MAX:
                abreast = self.abreast_odds * abreast_density(apart_m) * speed
            if apart_m < _COMPANY_M:
                rate *= _CHANCE
        if against >= 0 and abs(centre_s - self.centre_s[against]) < MEETING_S:
            rate *= _CHANCE
            # Whom somebody before has met already is met by a second one no more often than at any other door.
            met = near >= 0 and abs(self.centre_s[near] - self.centre_s[against]) < MEETING_S
            meets = (self.meet_again_odds if met else self.meet_odds) / MEETING_S
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

    def _join(self, parent: int, body: int, near: int, lag_log: float) -> None:
        """A body as one more part of a group, or as the person whom its parts announced."""
        lag_s = self.bodies.lag_s[body]
        if abs(lag_log) > _LINK_LOG:
            return
        announced = not self.has_person[near] and self.length_m[near] < ARM_M_MAX
        arms = announced or self.bodies.arm[body] > 0.0
        speed = self.separation_m / lag_s
        half_s = 0.5 * (self.end_s[near] - self.start_s[near] + self.bodies.width_part_s[body])
        gap_m = (abs(self.bodies.centre_s[body] - 0.5 * (self.start_s[near] + self.end_s[near])) - half_s) * speed
        arm_link = piece_link = 0.0
        if arms:
            arm_link = arm_gap(gap_m) * speed * normal(lag_log, 0.0, self._spread(_ARM_LAG_SD, lag_s)) / lag_s
        piece = piece_gap(gap_m)
        if piece != 0.0:
            piece_link = piece * speed * normal(lag_log, 0.0, self._spread(_PIECE_LAG_SD, lag_s)) / lag_s
        person = self.bodies.person[body]
        joins = self.habits.arm * self.bodies.arm[body] * arm_link
        if self.has_wheels[near]:
            joins += _MORE_PIECES * 0.5 * (self.bodies.piece[body] + person) * piece_link
        else:
            joins += self.habits.wheel * self.bodies.piece[body] * piece_link
        self._add(parent, body, PART, joins, near)
        link = (arm_link if announced else piece_link) * person
        if not self.has_person[near]:
            self._add(parent, body, PERSON, link, near)

    def _add(self, parent: int, body: int, kind: int, gain: float, joins: int) -> None:
        """A hypothesis with one straight body more, as a person or part; `joins`: the group it belongs to, or -1."""
        inwards = self.bodies.direction[body] > 0
        persons, loose = 0, self.loose_parts[parent]
        if kind == PERSON:
            persons = INWARD if inwards else OUTWARD
            loose -= 1 if joins >= 0 else 0
        elif joins < 0:
            loose += 1
        width_s = self.bodies.width_s[body] if kind == PERSON else self.bodies.width_part_s[body]
        score = self.score[parent] * gain
        if self._hopeless(score):
            return
        if self.bodies.number[body] < ALL_SEEN:
            score *= self._cover(parent, body, width_s)
        place = self.place(parent, body, score, persons, loose)
        if place < 0:
            return
        self.kind[place] = kind
        self.width_s[place], self.width_sd_s[place] = width_s, self.bodies.width_sd_s[body]
        self._describe(place, body, kind, joins, width_s)
        self.near0[place], self.near1[place] = self.near0[parent], self.near1[parent]
        if inwards:
            self.near0[place] = place
        else:
            self.near1[place] = place

    def _describe(self, place: int, body: int, kind: int, joins: int, width_s: float) -> None:
        """Of the group that a person or part belongs to."""
        centre_s, lag_s, speed_log = self.bodies.centre_s[body], self.bodies.lag_s[body], self.bodies.speed_log[body]
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
                centre_s, lag_s, speed_log = self.centre_s[joins], self.lag_s[joins], self.speed_log[joins]
                length_m = self.length_m[joins]
        self.has_wheels[place], self.has_person[place] = wheels, person
        self.start_s[place], self.end_s[place] = start_s, end_s
        self.centre_s[place], self.lag_s[place], self.speed_log[place] = centre_s, lag_s, speed_log
        self.length_m[place] = length_m

    def _cover(self, parent: int, body: int, width_s: float) -> float:
        """Pulses that several bodies made together are no longer than those bodies are."""
        mask = self.new_mask
        worst = 1.0
        for line in range(2):
            bits = self.bodies.shared[2 * body + line]
            if bits == 0 or mask & bits != bits:
                continue
            at = self.bodies.low[2 * body + line]
            pulse = line * LINE_MAX + at
            wide_s = width_s
            variance = self.variance + self.bodies.width_sd_s[body] * self.bodies.width_sd_s[body]
            place = parent
            while place > ROOT:
                theirs = 2 * self.body[place] + line
                if self.bodies.low[theirs] <= at < self.bodies.high[theirs]:
                    wide_s += self.width_s[place]
                    variance += self.width_sd_s[place] * self.width_sd_s[place]
                place = self.parent[place]
            spare_s = wide_s - (self.scene.fall_s[pulse] - self.scene.rise_s[pulse])
            if spare_s * spare_s < (_SURELY if spare_s > 0.0 else _NEVER_Z2) * variance:
                worst = min(worst, below(spare_s, 0.0, sqrt(variance)) + _NEVER)
            elif spare_s < 0.0:
                worst = _NEVER
        return worst

    def _hopeless(self, score: float) -> bool:
        """Whether that would not be kept anyway, or is not worth it."""
        return score <= self.bar[self.new_edge]
