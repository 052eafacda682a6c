"""How likely people are in each other's company, and with something in their hands.

Compiled by Cython with the types in `company.pxd`; the same source runs uncompiled.
"""

from __future__ import annotations

from .habits import Habits, below, normal
from .hypotheses import PART, Body

try:
    SOURCE_SHA256: str = FOYER_SOURCE_SHA256.decode()  # type: ignore[name-defined]  # a C macro set by setup.py
except NameError:
    SOURCE_SHA256 = ""

ARM_M_MIN, ARM_M_MAX = 0.02, 0.16
_PERSON_RATE = 0.05  # per second
_MEETING_S = 0.8
_COMPANY_M = 1.2
_CHANCE = 0.1  # the shares hold those, too, who come close by chance
_STAGGER_SD_M = 0.25
_PIECE_M_MIN, _PIECE_M_MAX = 0.04, 1.1
_ARM_GAP_M, _ARM_GAP_SD_M = 0.07, 0.06
_RARE = 1e-9


def arrive(body: Body, near: Body | None, against: Body | None, habits: Habits) -> float:
    """The rate, per second, at which people come there, given who else is about; notes why in `body`."""
    rate = _PERSON_RATE
    follows = abreast = meets = 0.0
    if near is not None and near.has_person:
        speed = 2.0 * habits.separation_m / (body.lag_s + near.lag_s)
        apart_m = abs(body.centre_s - near.centre_s) * speed
        if body.width_sd_s > 0.0 or near.width_sd_s > 0.0 or body.kind == PART:
            follows = _follow_density(apart_m)
        else:
            follows = _follow_gap_density((body.start_s - near.end_s) * speed)
        follows *= _odds(habits.follow) * speed
        abreast = 2.0 * _odds(habits.abreast) * normal(apart_m, 0.0, _STAGGER_SD_M) * speed
        if apart_m < _COMPANY_M:
            rate *= _CHANCE
    if against is not None and abs(body.centre_s - against.centre_s) < _MEETING_S:
        rate *= _CHANCE
        meets = _odds(habits.opposite) / _MEETING_S
    rate += follows + abreast + meets + _RARE
    body.follows, body.abreast, body.meets = follows / rate, abreast / rate, meets / rate
    return rate


def _odds(share: float) -> float:
    return share / (1.0 - share)


def _follow_density(apart_m: float) -> float:
    """Of the distance between the middles of someone and the next behind, who leaves 0.15 to 0.8 m clear."""
    return (below(apart_m, 0.46, 0.06) - below(apart_m, 1.1, 0.12)) / 0.64


def _follow_gap_density(gap_m: float) -> float:
    """Of what is clear between them, where both bodies' ends were seen."""
    return (below(gap_m, 0.14, 0.03) - below(gap_m, 0.8, 0.1)) / 0.66


def arm_density(length_m: float) -> float:
    return 1.0 / (ARM_M_MAX - ARM_M_MIN) if ARM_M_MIN < length_m < ARM_M_MAX else 0.0


def arm_shorter(length_m: float) -> float:
    return min(1.0, max(0.0, (length_m - ARM_M_MIN) / (ARM_M_MAX - ARM_M_MIN)))


def piece_density(length_m: float) -> float:
    return 1.0 / (_PIECE_M_MAX - _PIECE_M_MIN) if _PIECE_M_MIN < length_m < _PIECE_M_MAX else 0.0


def piece_shorter(length_m: float) -> float:
    return min(1.0, max(0.0, (length_m - _PIECE_M_MIN) / (_PIECE_M_MAX - _PIECE_M_MIN)))


def arm_gap(gap_m: float) -> float:
    return normal(gap_m, _ARM_GAP_M, _ARM_GAP_SD_M)


def piece_gap(gap_m: float) -> float:
    """Half of the gaps are within what rolls, half between it and who pushes or pulls."""
    within = below(gap_m, 0.0, 0.02) - below(gap_m, 0.09, 0.02)
    between = below(gap_m, 0.0, 0.03) - below(gap_m, 0.4, 0.05)
    return 0.5 * within / 0.09 + 0.5 * between / 0.4
