from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_cfg.load import EXAMPLE_FLEET, load_fleet
from simulators import hubs

FLEET = load_fleet(EXAMPLE_FLEET)
YEAR_START = date(2025, 11, 21)


def test_south_ockendons_year_is_thurrocks_to_the_person() -> None:
    hub = FLEET.hubs["south-ockendon"]
    days = dict(hubs.visits(hub, YEAR_START, 365, hubs.visits_a_year(hub), seed=1))
    assert sum(map(len, days.values())) == 135_238
    fair = max(days, key=lambda day: len(days[day]))
    assert (fair.month, fair.weekday()) == (6, 5)
    assert len(days[fair]) > 2000
    for day, visits in days.items():
        spans = hubs.opening(hub, day)
        assert spans[0][0].timestamp() * 1e9 <= visits[0].in_ns
        assert all(visit.in_ns < visit.out_ns for visit in visits)
        assert max(visit.out_ns for visit in visits) <= (spans[-1][1].timestamp() + 600) * 1e9


def test_the_same_seed_gives_the_same_days() -> None:
    hub = FLEET.hubs["micklefield"]
    once, again, other = (list(hubs.visits(hub, YEAR_START, 30, 500, seed)) for seed in (3, 3, 4))
    assert once == again
    assert once != other


def test_nobody_comes_on_christmas_day() -> None:
    hub = FLEET.hubs["armley"]
    assert hubs.opening(hub, date(2025, 12, 25)) == []
    assert date(2025, 12, 25) not in dict(hubs.visits(hub, date(2025, 12, 20), 10, 100, seed=1))


def test_a_hub_that_never_opens_is_told() -> None:
    hub = FLEET.hubs["micklefield"].model_copy(update={"hours": {}})
    with pytest.raises(ValueError, match=r"'micklefield' is closed on all 7 days"):
        list(hubs.visits(hub, YEAR_START, 7, 100, seed=1))


@given(st.integers(0, 10_000), st.lists(st.floats(0.01, 100), min_size=1, max_size=50))
def test_shares_add_up_and_follow_the_weights(total: int, weights: list[float]) -> None:
    shares = hubs.share_out(total, weights)
    assert sum(shares) == total
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share - total * weight / sum(weights)) <= 1
