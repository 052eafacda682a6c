"""What is read off a table is what it is a table of."""

from __future__ import annotations

import sys
from math import erf, exp, pi, sqrt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.counting import build

build.load_pure()
curves, habits, company = (sys.modules[f"edge.counting.pure.{name}"] for name in ("curves", "habits", "company"))


@given(z=st.floats(-20.0, 20.0))
def test_the_probability_to_be_below(z: float) -> None:
    assert curves.below(z, 0.0, 1.0) == pytest.approx(0.5 * (1.0 + erf(z / sqrt(2.0))), abs=5e-6)


@given(z=st.floats(-20.0, 20.0), sd=st.floats(0.001, 10.0))
def test_the_normal_density(z: float, sd: float) -> None:
    exact = exp(-0.5 * z * z) / (sd * sqrt(2.0 * pi))
    assert curves.normal(5.0 + z * sd, 5.0, sd) == pytest.approx(exact, rel=3e-3, abs=1e-13 / sd)


@given(length_m=st.floats(0.1, 1.5))
def test_the_density_of_a_length(length_m: float) -> None:
    def bell(mean: float, sd: float) -> float:
        return exp(-0.5 * ((length_m - mean) / sd) ** 2) / (sd * sqrt(2.0 * pi))

    known = habits.Habits(0.12)
    odd = 1e-3
    assert known.length_density(length_m, 0.1, 0.7) - known._chair_density(length_m, 0.7) == pytest.approx(
        0.999 * bell(0.30, 0.042) + 0.001 * bell(0.42, 0.06) + odd, rel=2e-3
    )


@pytest.mark.parametrize(
    ("read", "of", "low", "high"),
    [
        (company.follow_density, company._follow, 0.11, 1.79),
        (company.follow_gap_density, company._follow_gap, -0.03, 1.39),
        (company.abreast_density, company._abreast, 0.0, 3.0),
        (company.piece_gap, company._piece_gap, -0.19, 0.69),
        (habits.pair_length_density, habits._pair_length, 0.0, 2.0),
        (habits.speed_density, habits._exact_speed_density, -2.5, 2.5),
    ],
)
def test_densities_of_people_and_of_company(read: Any, of: Any, low: float, high: float) -> None:
    most = max(of(low + (high - low) * step / 500) for step in range(501))
    for step in range(3001):
        x = low + (high - low) * step / 3000
        assert read(x) == pytest.approx(of(x), abs=2e-3 * most)


def test_beyond_its_ends_a_curve_stays_as_it_is_there() -> None:
    curve = curves.Curve(lambda x: x * x, 1.0, 3.0)
    assert [curve.at(x) for x in (-5.0, 1.0, 3.0, 9.0)] == pytest.approx([1.0, 1.0, 9.0, 9.0])
    assert curve.at(2.0) == pytest.approx(4.0)
    assert curve.at(float("nan")) == pytest.approx(1.0)
