"""What the pulses of two beams mean: a search for the likeliest people.

Compiled by Cython with the types in `explain.pxd`; the same source runs uncompiled.

A hypothesis says who made which edge. It grows by explaining its earliest unexplained edge in every way there is: as
the edge of a person, of an arm or wheels that belong to one, of a wanderer, or of nobody. The few likeliest hypotheses
are kept at each edge.
"""

from __future__ import annotations

from math import exp, log, sqrt

from .bodies import WIDTH_BOUNDED, WIDTH_SEEN, WIDTH_UNSEEN, Measure
from .company import ARM_M_MAX, arm_density, arm_gap, arm_shorter, arrive, piece_density, piece_gap, piece_shorter
from .habits import Habits, below, fellow_density, lag_density, normal
from .hypotheses import FOREVER_S, NOBODY, PART, PERSON, WANDERER, Body, Hypothesis, Pulses, Stay

try:
    SOURCE_SHA256: str = FOYER_SOURCE_SHA256.decode()  # type: ignore[name-defined]  # a C macro set by setup.py
except NameError:
    SOURCE_SHA256 = ""

_KEPT = 8
_PERSON_RATE = 0.05  # per second
_NOBODY_RATE = 0.02
_GLITCH_S = 0.06
_LOG_RANGE = 8.0  # of times between 5 ms and 20 s: a wanderer's may be any
_SHORTEST_S, _LAG_S_MAX = 0.005, 5.0
_LONE_EDGE = -12.0
_LONE_PART = -4.0
_OPEN_PULSE = -6.0  # what explains it may still come
_SLOWEST_M_S = 0.3
_BODY_S = 0.1  # what nobody is shorter than
_USUAL_M, _USUAL_PART_M, _WIDTH_SD_M = 0.30, 0.09, 0.06
_COVER_SD_S, _NEVER = 0.01, 1e-9

_ARM_LAG_SD = 0.25
_PIECE_LAG_SD = 0.08
_CHAIR_M = 0.5
_MORE_PIECES = 0.8  # where there are wheels, so likely is one more piece, or who pushes or pulls


class Search:
    """The likeliest explanations of some pulses, best first in `found`.

    `came` is the line by which a wanderer came before, or -1; `near0` and `near1` are who passed last each way.
    """

    __slots__ = (
        "came",
        "edge_fall",
        "edge_line",
        "edge_pulse",
        "fall_bit",
        "found",
        "habits",
        "measure",
        "pulses",
        "reach_s",
        "rise_bit",
        "waiting",
    )

    def __init__(self, pulses: Pulses, habits: Habits, came: int, near0: Body | None, near1: Body | None) -> None:
        self.pulses = pulses
        self.habits = habits
        self.measure = Measure(habits)
        self.came = came
        self.reach_s = min(2.0, habits.separation_m / _SLOWEST_M_S + 0.1)
        self._order_edges()
        self.found: list[Hypothesis] = []
        self.waiting: list[list[Hypothesis]] = [[] for _ in range(len(self.edge_line) + 1)]
        root = Hypothesis()
        root.group0, root.group1 = near0, near1
        if came >= 0:
            self._wander(root, 0, came)
        else:
            self._keep(root)
        for edge in range(len(self.edge_line)):
            for hypothesis in self._best(self.waiting[edge]):
                self._expand(hypothesis, edge)
        self.found = self._best(self.waiting[-1])

    def _order_edges(self) -> None:
        order = []
        for line in (0, 1):
            falls = self.pulses.falls[line]
            for pulse, rise_s in enumerate(self.pulses.rises[line]):
                order.append((rise_s, line, pulse, 0))
                if pulse != self.pulses.opens[line]:
                    order.append((falls[pulse], line, pulse, 1))
        order.sort()
        self.edge_line = [entry[1] for entry in order]
        self.edge_pulse = [entry[2] for entry in order]
        self.edge_fall = [entry[3] for entry in order]
        self.rise_bit = [[0] * len(self.pulses.rises[line]) for line in (0, 1)]
        self.fall_bit = [[0] * len(self.pulses.rises[line]) for line in (0, 1)]
        for index, entry in enumerate(order):
            (self.fall_bit if entry[3] else self.rise_bit)[entry[1]][entry[2]] = 1 << index

    def _keep(self, hypothesis: Hypothesis) -> None:
        """Put it where its earliest unexplained edge is."""
        mask, edge = hypothesis.mask, 0
        while mask & 1:
            mask >>= 1
            edge += 1
        if edge == len(self.edge_line) and hypothesis.loose_parts:
            hypothesis.score += _LONE_PART * hypothesis.loose_parts
            hypothesis.rank += _LONE_PART * hypothesis.loose_parts
        self.waiting[edge].append(hypothesis)

    def _best(self, waiting: list[Hypothesis]) -> list[Hypothesis]:
        """The likeliest few that differ in what they explain or in whom they count."""
        waiting.sort(key=_rank, reverse=True)
        kept: list[Hypothesis] = []
        for new in waiting:
            for old in kept:
                if old.mask == new.mask and old.inward == new.inward and old.outward == new.outward:
                    break
            else:
                kept.append(new)
                if len(kept) == _KEPT:
                    break
        return kept

    def _expand(self, hypothesis: Hypothesis, edge: int) -> None:
        line, pulse = self.edge_line[edge], self.edge_pulse[edge]
        fall_bit = self.fall_bit[line][pulse]
        fall_free = fall_bit != 0 and not hypothesis.mask & fall_bit
        self._nobody(hypothesis, edge, fall_free)
        if self.edge_fall[edge]:
            self._bodies(hypothesis, line, pulse, 2)
            return
        if fall_free:
            self._bodies(hypothesis, line, pulse, 3)
            self._wander(hypothesis, edge, -1)
        self._bodies(hypothesis, line, pulse, 1)

    def _nobody(self, hypothesis: Hypothesis, edge: int, fall_free: bool) -> None:
        line, pulse = self.edge_line[edge], self.edge_pulse[edge]
        body = Body(NOBODY, 0, hypothesis.groups, hypothesis.last)
        body.touch(line, pulse)
        body.opened = pulse == self.pulses.opens[line]
        if self.edge_fall[edge]:
            self._keep(hypothesis.grown(body, _LONE_EDGE, self.fall_bit[line][pulse], 1))
        elif not fall_free:
            cost = _OPEN_PULSE if body.opened else _LONE_EDGE
            self._keep(hypothesis.grown(body, cost, self.rise_bit[line][pulse], 1))
        else:
            long_s = self.pulses.falls[line][pulse] - self.pulses.rises[line][pulse]
            density = 1.0 / _GLITCH_S if long_s < _GLITCH_S else 1.0 / (_LOG_RANGE * long_s)
            mask = self.rise_bit[line][pulse] | self.fall_bit[line][pulse]
            self._keep(hypothesis.grown(body, log(_NOBODY_RATE * density), mask, 2))

    def _wander(self, hypothesis: Hypothesis, edge: int, came: int) -> None:
        """One body dwells or turns over the next pulses, however many: in by the first beam, out by the last.

        With `came`, it began before and came by that line.
        """
        stay = Stay(came)
        for index in range(edge, len(self.edge_line)):
            if self.edge_fall[index]:
                continue
            line, pulse = self.edge_line[index], self.edge_pulse[index]
            rise_s, fall_s = self.pulses.rises[line][pulse], self.pulses.falls[line][pulse]
            bits = self.rise_bit[line][pulse] | self.fall_bit[line][pulse]
            if hypothesis.mask & bits or (stay.count and rise_s > stay.last_s):
                break
            stay.take(line, pulse, rise_s, fall_s, bits)
            if (stay.count == 1 or stay.longest_s < _BODY_S) and came < 0:
                continue  # that is nobody
            gain = _wander_density(stay.times)
            if came < 0:
                gain += log(_PERSON_RATE * self.habits.wander)
                gain += self._as_walked(stay.second_s - stay.first_s, stay.entered_s)
            if stay.count > 2 or stay.left_s[stay.first] == stay.last_s:  # noqa: PLR2004 - two may be one who walks through
                last = 0 if stay.left_s[0] >= stay.left_s[1] else 1
                left_s = stay.left_s[last]
                gain += self._as_walked(left_s - stay.left_s[1 - last], left_s - stay.rises_s[last])
            body = stay.body(hypothesis)
            grown = hypothesis.grown(body, gain, stay.mask, len(stay.times))
            if body.direction > 0:
                grown.inward += 1
            elif body.direction < 0:
                grown.outward += 1
            self._keep(grown)

    def _as_walked(self, lag_s: float, width_s: float) -> float:
        """What is gained by knowing that those who wander come and leave walking: half of them keep a walker's lag.

        Half of those whose pulse ends before the lag does keep a body's width, too.
        """
        if not _SHORTEST_S < lag_s < _LAG_S_MAX:
            return 0.0
        gain = log(0.5 + 0.5 * lag_density(lag_s, self.habits.separation_m) * _LOG_RANGE * lag_s)
        if width_s < lag_s:
            speed = self.habits.separation_m / lag_s
            gain += log(0.5 + 0.5 * self.habits.length_density(width_s * speed) * speed * _LOG_RANGE * width_s)
        return gain

    def _bodies(self, hypothesis: Hypothesis, line: int, pulse: int, own: int) -> None:
        """Bodies with these edges of a pulse (1 rise, 2 fall), and any of a pulse of the other line."""
        other = 1 - line
        rises, falls = self.pulses.rises[other], self.pulses.falls[other]
        rise_s, fall_s = self.pulses.rises[line][pulse], self.pulses.falls[line][pulse]
        mask = (self.rise_bit[line][pulse] if own & 1 else 0) | (self.fall_bit[line][pulse] if own & 2 else 0)
        for facing in range(len(rises)):
            if rises[facing] > fall_s + self.reach_s:
                break
            if falls[facing] < rise_s - self.reach_s:
                continue
            rise_bit, fall_bit = self.rise_bit[other][facing], self.fall_bit[other][facing]
            rise_free = not hypothesis.mask & rise_bit
            fall_free = fall_bit != 0 and not hypothesis.mask & fall_bit
            for theirs in range(1, 4):
                if (theirs & 1 and not rise_free) or (theirs & 2 and not fall_free):
                    continue
                bits = mask | (rise_bit if theirs & 1 else 0) | (fall_bit if theirs & 2 else 0)
                for first in (0, 1):
                    if first == line:
                        possible = self.measure.take(rise_s, fall_s, rises[facing], falls[facing], own | theirs << 2)
                    else:
                        possible = self.measure.take(rises[facing], falls[facing], rise_s, fall_s, theirs | own << 2)
                    if possible:
                        self._classes(hypothesis, first, line, pulse, facing, bits)

    def _classes(self, hypothesis: Hypothesis, first: int, line: int, pulse: int, facing: int, mask: int) -> None:
        """What is measured, as a person, as a part of one, or as a part of one yet to come."""
        near = hypothesis.group1 if first else hypothesis.group0
        against = hypothesis.group0 if first else hypothesis.group1
        measure = self.measure
        lag_s, separation = measure.lag_s, self.habits.separation_m
        speed = separation / lag_s
        edges = 0
        rest = mask
        while rest:
            edges += rest & 1
            rest >>= 1
        body = self._body(PERSON, first, line, pulse, facing, hypothesis)
        arrival = arrive(body, near, against, self.habits)
        if measure.kind == WIDTH_UNSEEN:
            self._add_person(hypothesis, body, log(arrival) + measure.fit, mask, edges, None)
            return
        if measure.kind == WIDTH_BOUNDED:
            person = self.habits.shorter(measure.width_s * speed)
            arm, piece = arm_shorter(measure.width_s * speed), piece_shorter(measure.width_s * speed)
        else:
            person = self.habits.length_density(body.length_m) * speed
            arm, piece = arm_density(body.length_m) * speed, piece_density(body.length_m) * speed
        alone = lag_density(lag_s, separation)
        company = body.follows + body.abreast
        lag = alone
        if near is not None and company > 0.0:
            lag = company * fellow_density(lag_s, near.lag_s, separation) + (1.0 - company) * alone
        self._add_person(hypothesis, body, log(arrival * lag * person) + measure.fit, mask, edges, None)
        if near is not None:
            self._join(hypothesis, near, (line, pulse, facing), (person, arm, piece), mask, edges)
        begins = (
            arrival
            * alone
            * (exp(measure.loose) * self.habits.arm * arm + exp(measure.fit) * self.habits.wheel * piece)
        )
        if begins > 0.0:
            self._add_part(
                hypothesis, self._body(PART, first, line, pulse, facing, hypothesis), 0.5 * begins, mask, edges, None
            )

    def _join(
        self,
        hypothesis: Hypothesis,
        near: Body,
        place: tuple[int, int, int],
        densities: tuple[float, float, float],
        mask: int,
        edges: int,
    ) -> None:
        """What is measured, as one more part of a group, or as the person whom its parts announced."""
        line, pulse, facing = place
        person, arm, piece = densities
        measure = self.measure
        first = 0 if near.direction > 0 else 1
        body = self._body(PART, first, line, pulse, facing, hypothesis)
        speed = self.habits.separation_m / measure.lag_s
        half_s = 0.5 * (near.end_s - near.start_s + body.width_s)
        gap_m = (abs(body.centre_s - 0.5 * (near.start_s + near.end_s)) - half_s) * speed
        lag_log = log(measure.lag_s / near.lag_s)
        arm_link = arm_gap(gap_m) * speed * normal(lag_log, 0.0, _ARM_LAG_SD) / measure.lag_s
        piece_link = piece_gap(gap_m) * speed * normal(lag_log, 0.0, _PIECE_LAG_SD) / measure.lag_s
        joins = exp(measure.loose) * self.habits.arm * arm * arm_link
        if near.has_wheels:
            joins += exp(measure.fit) * _MORE_PIECES * 0.5 * (piece + person) * piece_link
        else:
            joins += exp(measure.fit) * self.habits.wheel * piece * piece_link
        if joins > 0.0:
            self._add_part(hypothesis, body, joins, mask, edges, near)
        link = (arm_link if near.length_m < ARM_M_MAX else piece_link) * person
        if not near.has_person and link > 0.0:
            joined = self._body(PERSON, first, line, pulse, facing, hypothesis)
            self._add_person(hypothesis, joined, log(link) + measure.fit, mask, edges, near)

    def _body(self, kind: int, first: int, line: int, pulse: int, facing: int, hypothesis: Hypothesis) -> Body:
        measure = self.measure
        body = Body(kind, -1 if first else 1, hypothesis.groups, hypothesis.last)
        speed = self.habits.separation_m / measure.lag_s
        body.lag_s, body.centre_s = measure.lag_s, measure.centre_s
        body.width_s = measure.width_s
        if measure.kind == WIDTH_BOUNDED:
            body.width_s = min(measure.width_s, (_USUAL_M if kind == PERSON else _USUAL_PART_M) / speed)
        if measure.kind != WIDTH_SEEN:
            body.width_sd_s = _WIDTH_SD_M / speed
        body.length_m = body.part_m = body.width_s * speed
        body.middle_s = body.centre_s
        body.has_wheels = body.length_m > (_CHAIR_M if kind == PERSON else ARM_M_MAX)
        body.start_s, body.end_s = body.centre_s - 0.5 * body.width_s, body.centre_s + 0.5 * body.width_s
        body.touch(line, pulse)
        body.touch(1 - line, facing)
        body.opened = pulse == self.pulses.opens[line] or facing == self.pulses.opens[1 - line]
        return body

    def _add_person(
        self, hypothesis: Hypothesis, body: Body, gain: float, mask: int, edges: int, parts: Body | None
    ) -> None:
        grown = hypothesis.grown(body, gain, mask, edges)
        if parts is not None:
            body.group = parts.group
            body.has_wheels = body.has_wheels or parts.has_wheels
            body.start_s, body.end_s = min(body.start_s, parts.start_s), max(body.end_s, parts.end_s)
            grown.loose_parts -= 1
        if body.direction > 0:
            grown.inward += 1
            grown.group0 = body
        else:
            grown.outward += 1
            grown.group1 = body
        self._cover(grown, body, mask)
        self._keep(grown)

    def _cover(self, grown: Hypothesis, body: Body, mask: int) -> None:
        """Pulses that several bodies made together are no longer than those bodies are."""
        worst = 0.0
        for line in (0, 1):
            pulse = body.low1 if line else body.low0
            bits = self.rise_bit[line][pulse] | self.fall_bit[line][pulse]
            if pulse == self.pulses.opens[line] or mask & bits == bits or grown.mask & bits != bits:
                continue
            wide_s, variance = 0.0, _COVER_SD_S * _COVER_SD_S
            part: Body | None = body
            while part is not None:
                low, high = (part.low1, part.high1) if line else (part.low0, part.high0)
                if low <= pulse < high:
                    wide_s += part.width_s
                    variance += part.width_sd_s * part.width_sd_s
                    if part.kind >= WANDERER:
                        wide_s += FOREVER_S
                part = part.before
            short_s = self.pulses.falls[line][pulse] - self.pulses.rises[line][pulse] - wide_s
            worst = min(worst, log(below(-short_s, 0.0, sqrt(variance)) + _NEVER))
        grown.score += worst
        grown.rank += worst

    def _add_part(
        self, hypothesis: Hypothesis, body: Body, density: float, mask: int, edges: int, near: Body | None
    ) -> None:
        grown = hypothesis.grown(body, log(density), mask, edges)
        if near is None:
            grown.loose_parts += 1
        else:
            body.group = near.group
            body.has_wheels = body.has_wheels or near.has_wheels
            body.has_person = near.has_person
            body.start_s, body.end_s = min(body.start_s, near.start_s), max(body.end_s, near.end_s)
            if near.has_person:
                body.centre_s, body.lag_s, body.length_m = near.centre_s, near.lag_s, near.length_m
        if body.direction > 0:
            grown.group0 = body
        else:
            grown.group1 = body
        self._cover(grown, body, mask)
        self._keep(grown)


def _rank(hypothesis: Hypothesis) -> float:
    return hypothesis.rank


def _wander_density(times: list[float]) -> float:
    times = sorted(times)
    total = 0.0
    for index in range(1, len(times)):
        total -= log(_LOG_RANGE * max(_SHORTEST_S, times[index] - times[index - 1]))
    return total
