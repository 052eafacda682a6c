"""How likely people are in each other's company, and with something in their hands.

Compiled by Cython with the types in `company.pxd`; the same source runs uncompiled.

All are densities per metre, but for those whose names say otherwise.
"""

from __future__ import annotations

from edge.counting.terms import ARM_M_MAX, ARM_M_MIN, STAGGER_SD_M

from .curves import Curve, below, normal

_PIECE_M_MIN, _PIECE_M_MAX = 0.04, 1.1
_ARM_GAP_M, _ARM_GAP_SD_M = 0.07, 0.06


def odds(share: float) -> float:
    return share / (1.0 - share)


def follow_density(apart_m: float) -> float:
    """Of the distance between the middles of someone and the next behind, who leaves 0.15 to 0.8 m clear."""
    return _FOLLOW.at(apart_m) if 0.1 < apart_m < 1.8 else 0.0  # noqa: PLR2004 - six standard deviations off


def follow_gap_density(gap_m: float) -> float:
    """Of what is clear between them, where both bodies' ends were seen."""
    return _FOLLOW_GAP.at(gap_m) if -0.04 < gap_m < 1.4 else 0.0  # noqa: PLR2004 - six standard deviations off


def abreast_density(apart_m: float) -> float:
    """Of the distance between the middles of two who walk side by side, whoever is ahead."""
    return _ABREAST.at(apart_m)


def arm_density(length_m: float) -> float:
    return 1.0 / (ARM_M_MAX - ARM_M_MIN) if ARM_M_MIN < length_m < ARM_M_MAX else 0.0


def arm_shorter(length_m: float) -> float:
    """The probability that an arm or bag is shorter."""
    return min(1.0, max(0.0, (length_m - ARM_M_MIN) / (ARM_M_MAX - ARM_M_MIN)))


def piece_density(length_m: float) -> float:
    """Of a piece of something on wheels."""
    return 1.0 / (_PIECE_M_MAX - _PIECE_M_MIN) if _PIECE_M_MIN < length_m < _PIECE_M_MAX else 0.0


def piece_shorter(length_m: float) -> float:
    """The probability that a piece of something on wheels is shorter."""
    return min(1.0, max(0.0, (length_m - _PIECE_M_MIN) / (_PIECE_M_MAX - _PIECE_M_MIN)))


def arm_gap(gap_m: float) -> float:
    return normal(gap_m, _ARM_GAP_M, _ARM_GAP_SD_M)


def piece_gap(gap_m: float) -> float:
    """Half of the gaps are within what rolls, half between it and who pushes or pulls."""
    return _PIECE_GAP.at(gap_m) if -0.2 < gap_m < 0.7 else 0.0  # noqa: PLR2004 - six standard deviations off


def _follow(apart_m: float) -> float:
    return (below(apart_m, 0.46, 0.06) - below(apart_m, 1.1, 0.12)) / 0.64


def _follow_gap(gap_m: float) -> float:
    return (below(gap_m, 0.14, 0.03) - below(gap_m, 0.8, 0.1)) / 0.66


def _abreast(apart_m: float) -> float:
    return 2.0 * normal(apart_m, 0.0, STAGGER_SD_M)


def _piece_gap(gap_m: float) -> float:
    within = below(gap_m, 0.0, 0.02) - below(gap_m, 0.09, 0.02)
    between = below(gap_m, 0.0, 0.03) - below(gap_m, 0.4, 0.05)
    return 0.5 * within / 0.09 + 0.5 * between / 0.4


_FOLLOW, _FOLLOW_GAP = Curve(_follow, 0.1, 1.8), Curve(_follow_gap, -0.04, 1.4)
_ABREAST, _PIECE_GAP = Curve(_abreast, 0.0, 3.0), Curve(_piece_gap, -0.2, 0.7)
