"""What a door knows of its people: how fast, how long and how close they are, and what it learns of that as it goes.

Compiled by Cython with the types in `habits.pxd`; the same source runs uncompiled.

Densities are in SI units. A body's *lag* is the time from one beam to the other, its *width* the time it blocks one;
`separation / lag` is its speed and `speed x width` its length.
"""

from __future__ import annotations

from typing import Any

from cython.cimports.libc.math import exp, log, sqrt

from edge.counting.terms import CHAIR_M, HALF, JITTER_S, MEETING_S, STAGGER_SD_M

from .curves import Curve, below, normal

# Walkers, and slower ones: children, the elderly, those with something in their hands.
_BRISK_SHARE, _BRISK_LOG, _BRISK_SD = 0.8, 0.27, 0.2
_SLOW_SHARE, _SLOW_LOG, _SLOW_SD = 0.2, -0.16, 0.33
_ODD_SPEED = 1e-8
_FELLOW_SHARE = 0.8

# A body's length; now and then an arm or a bag adds to it, or it sits in a chair.
_LENGTH_M, _LENGTH_SD_M, _LENGTH_SHARE = 0.30, 0.042, 0.999
_MORE_M, _MORE_SD_M, _MORE_SHARE = 0.42, 0.06, 0.001
_CHAIR_M_MIN, _CHAIR_M_MAX = 0.35, 1.15
_CHAIR_SHARE = 0.3  # of wheels that somebody sits in
_ODD_LENGTH = 1e-3
_LENGTH_M_MIN, _TINY_LENGTH = 0.1, 1e-7

_LOW_LENGTH_M = 0.262  # one person in five is shorter: a share of pairs or prams hardly moves it
_LOW_SHARE = 0.2
_FIRST = 8
_UNKNOWN_SEPARATION_M = 0.12
_LEARN_LEAST = 0.012
_USUAL_M_S = 1.22  # half of all people are slower
_DOUBT_LOG, _DOUBTED, _ALONE_OF = 0.22, 30, 10.0  # off by so much, after so many bodies, one of so many people at least
_LENGTH_TRUST = 0.8
_SINGLE_MIN = 0.25
_SCALE_SD, _SHARP = 0.15, 1_000  # of a separation that is not known yet; after so many bodies it is
_SEPARATION_M_MIN, _SEPARATION_M_MAX = 0.03, 2.0

_HURRY = 3.5  # standard deviations: hardly anybody is so much faster
_MEMORY, _PRIOR_PEOPLE = 0.005, 12.0
_FOLLOWED, _ALONE_MIN = 0.2, 0.4  # of followers are seen together with whom they follow
_RECENT_S = 300.0
_SHARE_MIN, _SHARE_MAX = 0.002, 0.97

_FIRST_LOG, _LOW_LOG, _USUAL_LOG = log(_LENGTH_M / _LOW_LENGTH_M), log(_LOW_LENGTH_M), log(_USUAL_M_S)
_PAIR_NOISE = 0.5 * _LENGTH_SD_M * _LENGTH_SD_M  # of the mean of two bodies
_PAIR_SPREAD = sqrt(STAGGER_SD_M * STAGGER_SD_M + _PAIR_NOISE)
_PAIR_AHEAD = sqrt(_PAIR_NOISE) * _PAIR_SPREAD


def _usual_length(length_m: float) -> float:
    torso = _LENGTH_SHARE * normal(length_m, _LENGTH_M, _LENGTH_SD_M)
    return torso + _MORE_SHARE * normal(length_m, _MORE_M, _MORE_SD_M)


_USUAL_LENGTH = Curve(_usual_length, 0.0, 1.0)


def _exact_speed_density(speed_log: float) -> float:
    brisk = _BRISK_SHARE * normal(speed_log, _BRISK_LOG, _BRISK_SD)
    slow = _SLOW_SHARE * normal(speed_log, _SLOW_LOG, _SLOW_SD)
    return brisk + slow + _ODD_SPEED


_SPEED = Curve(_exact_speed_density, -2.5, 2.5)


def speed_density(speed_log: float) -> float:
    """Of the logarithm of the speed, m/s, of someone alone."""
    return _SPEED.at(speed_log)


def lag_density(lag_s: float, separation_m: float) -> float:
    """Of someone alone, per second."""
    return speed_density(log(separation_m / lag_s)) / lag_s


def fellow_density(lag_log: float, lag_s: float, sd: float, alone: float) -> float:
    """Of someone in company, per second; `lag_log`: of the ratio of the lags; `alone`: the same of someone alone."""
    alike = normal(lag_log, 0.0, sd) / lag_s
    return _FELLOW_SHARE * alike + (1.0 - _FELLOW_SHARE) * alone


def _pair_length(length_m: float) -> float:
    stagger_m = length_m - _LENGTH_M
    ahead = below(stagger_m * STAGGER_SD_M / _PAIR_AHEAD, 0.0, 1.0)
    return 2.0 * normal(stagger_m, 0.0, _PAIR_SPREAD) * ahead


_PAIR_LENGTH = Curve(_pair_length, 0.0, 2.0)


def pair_length_density(length_m: float) -> float:
    """Of two people abreast who look like one body: a length and their stagger, per metre."""
    return _PAIR_LENGTH.at(length_m)


def _room_left(room_s: float, quick: float, sd: float, mean_s: float) -> float:
    """The mean of what is left of some time after a walker of `mean_s`, where anything is; seconds.

    `quick`: so many standard deviations `sd` of the logarithm a walker is quicker who leaves nothing.
    """
    left_s: float = room_s * below(quick, 0.0, 1.0) - mean_s * below(quick - sd, 0.0, 1.0)
    return max(0.0, left_s)


def _share(share: float) -> float:
    return min(_SHARE_MAX, max(_SHARE_MIN, share))


_LEARNED = (
    "abreast",
    "arm",
    "blurred",
    "clean",
    "follow",
    "given_m",
    "jitter_s",
    "lag_log",
    "low_log",
    "opposite",
    "people",
    "recent",
    "recent_ns",
    "separation_m",
    "wander",
    "wheel",
)

_WORKED_OUT = ("brisk_s", "brisk_sd", "given_log", "room_s_min", "slow_s", "slow_sd", "span_log", "span_of_m")


class Habits:
    """What is learned at one door. `separation_m` is what lags and widths say, whatever was measured.

    Shares are of people who come alone or first: after whom one follows closely, with whom one walks abreast, whom one
    meets coming the other way; who wander (turn back, loiter), have an arm or bag apart, or wheels.
    """

    __slots__ = (*_LEARNED, *_WORKED_OUT)

    def __init__(self, separation_m: float | None) -> None:
        self.given_m = 0.0 if separation_m is None else separation_m
        self.given_log = log(self.given_m) if self.given_m > 0.0 else 0.0
        self.room_s_min = self.span_of_m = self.span_log = 0.0
        self.brisk_s = self.brisk_sd = self.slow_s = self.slow_sd = 0.0
        self.separation_m = _UNKNOWN_SEPARATION_M if separation_m is None else separation_m
        self.low_log = log(_LOW_LENGTH_M / self.separation_m)
        self.lag_log = log(self.separation_m / _USUAL_M_S)
        self.jitter_s = JITTER_S
        """How far off the time of an edge may be: clocks that tick slowly round it."""
        self.clean = 0
        self.blurred = separation_m is None
        """Whether lengths are less certain than bodies differ."""
        self.people = self.recent = 0.0
        """So many people, and those of late, at `recent_ns`: who came some minutes before counts for less."""
        self.recent_ns = 0
        self.follow = 0.1
        self.abreast = 0.04
        self.opposite = 0.05
        self.wander = 0.05
        self.arm = 0.15
        self.wheel = 0.03

    def length_density(self, length_m: float, lag_s: float, chair_m: float) -> float:
        """Of a person's body, per metre. `chair_m`: chairs are longer, where no pieces of one are seen apart."""
        if length_m < _LENGTH_M_MIN:
            return _TINY_LENGTH
        odd = self._chair_density(length_m, chair_m) + _ODD_LENGTH
        if not self.blurred:
            return _USUAL_LENGTH.at(length_m) + odd
        torso = _LENGTH_SHARE * normal(length_m, _LENGTH_M, self._length_sd_m(lag_s))
        return torso + _MORE_SHARE * normal(length_m, _MORE_M, _MORE_SD_M) + odd

    def _length_sd_m(self, lag_s: float) -> float:
        """Of bodies' lengths: greater where the clock is slow, and while a separation is only being learned."""
        scale = 0.0 if self.given_m > 0.0 else _SCALE_SD / sqrt(1.0 + self.clean)
        rounded = (self.jitter_s - JITTER_S) / lag_s
        spread: float = sqrt(_LENGTH_SD_M * _LENGTH_SD_M + _LENGTH_M * _LENGTH_M * (scale * scale + rounded * rounded))
        return spread

    def _chair_density(self, length_m: float, chair_m: float) -> float:
        if not chair_m < length_m < _CHAIR_M_MAX:
            return 0.0
        return _CHAIR_SHARE * self.wheel / (_CHAIR_M_MAX - _CHAIR_M_MIN)

    def chair_chance(self, length_m: float, lag_s: float, chair_m: float) -> float:
        """The probability that a person's body of that length sits in a chair."""
        return self._chair_density(length_m, chair_m) / self.length_density(length_m, lag_s, chair_m)

    def shorter(self, length_m: float) -> float:
        """The probability that a person's body is shorter."""
        torso = _LENGTH_SHARE * below(length_m, _LENGTH_M, _LENGTH_SD_M)
        return torso + _MORE_SHARE * below(length_m, _MORE_M, _MORE_SD_M) + _TINY_LENGTH

    def _odds_alone(self, share: float, company: float) -> float:
        """The odds of a kind of company that is not seen: where no other is, against those alone and nothing else."""
        others = self.abreast + self.opposite - share + _FOLLOWED * self.follow + self.wander + self.wheel
        return share / (1.0 - share) / max(_ALONE_MIN, 1.0 - (1.0 - company) * others)

    def pair_chance(self, length_m: float, lag_s: float, company: float) -> float:
        """The probability that what looks like one body of that length is two people abreast.

        `company` is the probability that they are seen to be in that of somebody else.
        """
        pair = self._odds_alone(self.abreast, company) * pair_length_density(length_m)
        return pair / (pair + self.length_density(length_m, lag_s, CHAIR_M))

    def meeting_chance(self, lag_s: float, width_s: float, company: float) -> float:
        """The probability that somebody who came the other way was hidden by a body of that lag and width.

        They blocked neither beam before that body did, nor after it: they were faster than it by more than a half.
        """
        room_s = width_s - lag_s
        if self.separation_m != self.span_of_m:
            self._span()
        if room_s <= self.room_s_min:
            return 0.0
        room_log = log(room_s) - self.span_log
        brisk = _room_left(room_s, (room_log + _BRISK_LOG) / self.brisk_sd, self.brisk_sd, self.brisk_s)
        slow = _room_left(room_s, (room_log + _SLOW_LOG) / self.slow_sd, self.slow_sd, self.slow_s)
        hidden = self._odds_alone(self.opposite, company) * (_BRISK_SHARE * brisk + _SLOW_SHARE * slow) / MEETING_S
        return hidden / (1.0 + hidden)

    def _span(self) -> None:
        """Note how long walkers take past both beams, which a separation says."""
        self.span_of_m = self.separation_m
        span_m = _LENGTH_M + self.separation_m
        noise = (_LENGTH_SD_M / span_m) ** 2
        self.span_log = log(span_m)
        self.brisk_sd, self.slow_sd = sqrt(_BRISK_SD * _BRISK_SD + noise), sqrt(_SLOW_SD * _SLOW_SD + noise)
        self.brisk_s = span_m * exp(0.5 * self.brisk_sd * self.brisk_sd - _BRISK_LOG)
        self.slow_s = span_m * exp(0.5 * self.slow_sd * self.slow_sd - _SLOW_LOG)
        quickest_log = max(_BRISK_LOG + _HURRY * self.brisk_sd, _SLOW_LOG + _HURRY * self.slow_sd)
        self.room_s_min = span_m * exp(-quickest_log)

    def came(self, t_ns: int) -> None:
        """One more person passed, at `t_ns`."""
        apart_s = (t_ns - self.recent_ns) * 1e-9
        if apart_s > 0.0:
            self.recent *= exp(-apart_s / _RECENT_S)
            self.recent_ns = t_ns
        self.recent += 1.0

    def rate(self) -> float:
        """So many people pass each way per second, of late."""
        return HALF * self.recent / _RECENT_S

    def learn_scale(self, lag_s: float, width_s: float) -> None:
        """From a body alone that both beams saw well: one in five is shorter than `_LOW_LENGTH_M`."""
        ratio_log = log(width_s / lag_s)
        self.clean = min(self.clean + 1, 1_000_000)
        self.blurred = self.jitter_s > JITTER_S or (self.given_m == 0.0 and self.clean < _SHARP)
        pace = max(_LEARN_LEAST, 0.6 / self.clean)
        if self.clean <= _FIRST:
            step = (ratio_log - _FIRST_LOG - self.low_log) / self.clean
        else:
            step = pace * (_LOW_SHARE * self._single(lag_s, width_s) if ratio_log > self.low_log else _LOW_SHARE - 1.0)
        self.low_log += step
        self.lag_log += pace * (HALF - (1.0 if log(lag_s) < self.lag_log else 0.0))
        if self.given_m > 0.0 and not self._doubted():
            self.separation_m = self.given_m
        else:
            self.separation_m = self._learned_m()

    def _learned_m(self) -> float:
        """The separation that lags and widths say."""
        length_log, speed_log = _LOW_LOG - self.low_log, self.lag_log + _USUAL_LOG
        # Speeds mislead where only the elderly pass, and lengths, by far more, where only prams do.
        apart = (length_log - speed_log) ** 2
        trust = _LENGTH_TRUST / (1.0 + apart * apart * apart * apart)
        learned: float = exp(trust * length_log + (1.0 - trust) * speed_log)
        return min(_SEPARATION_M_MAX, max(_SEPARATION_M_MIN, learned))

    def _single(self, lag_s: float, width_s: float) -> float:
        """How much a long body says of a separation: two abreast would make it seem shorter."""
        if self.given_m > 0.0:
            return 1.0
        return max(_SINGLE_MIN, 1.0 - self.pair_chance(width_s / lag_s * self.separation_m, lag_s, 0.0))

    def _doubted(self) -> bool:
        """Whether what was measured is wrong: people would be too long and too fast, or too short and too slow.

        Crowds that are not average are only one of both: prams are long and slow.
        """
        if self.clean < _DOUBTED or self.clean * _ALONE_OF < self.people:
            return False  # what looks like somebody alone where hardly anybody comes alone is two people's
        by_length = _LOW_LOG - self.given_log - self.low_log
        if abs(by_length) <= _DOUBT_LOG:
            return False
        by_speed: float = self.lag_log + _USUAL_LOG - self.given_log
        return abs(by_speed) > _DOUBT_LOG and (by_length > 0.0) == (by_speed > 0.0)

    def learn(  # noqa: PLR0913, PLR0917 - a chance each
        self,
        weight: float,
        follows: float,
        abreast: float,
        meets: float,
        pair: float,
        met: float,
        wanders: float,
        arm: float,
        wheels: float,
    ) -> None:
        """One more person, with the chances of what they did.

        They followed another, were abreast of one, or met one; they hid one abreast (`pair`) or coming the other way
        (`met`); they wandered, and had an arm or bag apart, or wheels.

        `weight` is how likely it is that there was that person.
        """
        self.people = min(self.people + weight, 1e6)
        pace = weight * max(_MEMORY, 2.5 / (self.people + _PRIOR_PEOPLE))
        first = max(0.0, 1.0 - follows - abreast - meets)
        self.follow = _share(self.follow + pace * (follows - first * self.follow))
        self.abreast = _share(self.abreast + pace * (abreast + pair - first * self.abreast))
        self.opposite = _share(self.opposite + pace * (meets + met - first * self.opposite))
        self.wander = _share(self.wander + pace * (wanders - self.wander))
        self.arm = _share(self.arm + pace * (arm - self.arm))
        self.wheel = _share(self.wheel + pace * (wheels - self.wheel))

    def snapshot(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _LEARNED}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `snapshot` gave; raises KeyError or TypeError where it is something else."""
        self.given_m = state["given_m"]
        self.given_log = log(self.given_m) if self.given_m > 0.0 else 0.0
        self.jitter_s = state["jitter_s"]
        self.separation_m = state["separation_m"]
        self.low_log = state["low_log"]
        self.lag_log = state["lag_log"]
        self.clean = state["clean"]
        self.blurred = state["blurred"]
        self.people = state["people"]
        self.recent, self.recent_ns = state["recent"], state["recent_ns"]
        self.follow = state["follow"]
        self.abreast = state["abreast"]
        self.opposite = state["opposite"]
        self.wander = state["wander"]
        self.arm = state["arm"]
        self.wheel = state["wheel"]
