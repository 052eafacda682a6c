"""Visits per stretch of local time, over both clock changes, with gaps that are no zeros."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from collector_samples import EPOCH, MINUTE_NS, counter, health, parcel, passage

from collector.analysis.buckets import edges, local_rfc3339, midnight_ns
from collector.analysis.footfall import BUCKETS_MAX, footfall
from collector.answers import Bucket, Footfall
from collector.store import open_store
from collector.store.base import QUARTER_NS, Store
from firmware_cfg.load import Fleet
from firmware_cfg.schema import Hub

LONDON = ZoneInfo("Europe/London")
HOUR_NS = 4 * QUARTER_NS


def beams(entrance: str) -> dict[str, object]:
    return {"name": "beams", "kind": "beam-pair", "entrance": entrance, "outer_pin": 17, "inner_pin": 27}


def fleet(*entrances: str) -> Fleet:
    hub = {
        "id": "north",
        "name": "North",
        "type": "local",
        "entrances": [{"id": entrance, "name": entrance, "counting": "beams"} for entrance in entrances],
        "units": [
            {
                "id": "door" if entrance == "front" else f"{entrance}-door",
                "since": "2020-01-01T00:00:00Z",
                "sensors": [beams(entrance)],
            }
            for entrance in entrances
        ],
    }
    return Fleet({"north": Hub.model_validate(hub)})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:{tmp_path}/store.db")) as opened:
        yield opened


def ask(store: Store, start_ns: int, end_ns: int, bucket: Bucket, *entrances: str, now_ns: int = 2**62) -> Footfall:
    return footfall(store, fleet(*(entrances or ("front",))), "north", start_ns, end_ns, bucket, now_ns=now_ns)


@pytest.mark.parametrize(
    ("day", "hours", "first_offset", "last_offset"),
    [(date(2026, 3, 29), 23, "+00:00", "+01:00"), (date(2026, 10, 25), 25, "+01:00", "+00:00")],
)
def test_a_day_of_a_clock_change_has_its_own_hours(
    store: Store, day: date, hours: int, first_offset: str, last_offset: str
) -> None:
    start_ns = midnight_ns(day, LONDON)
    end_ns = midnight_ns(day + timedelta(days=1), LONDON)
    assert end_ns - start_ns == hours * HOUR_NS
    # one visit in every quarter of an hour of the day and of both its neighbours
    quarters = range(start_ns - 24 * HOUR_NS, end_ns + 24 * HOUR_NS, QUARTER_NS)
    store.write([parcel(*(passage(seq, t_ns) for seq, t_ns in enumerate(quarters, 1)))])

    (whole,) = ask(store, start_ns, end_ns, "1d").buckets
    assert whole.visits.value == 4 * hours
    assert whole.start == f"{day.isoformat()}T00:00:00{first_offset}"
    assert whole.end == f"{(day + timedelta(days=1)).isoformat()}T00:00:00{last_offset}"
    hourly = ask(store, start_ns, end_ns, "1h")
    assert len(hourly.buckets) == hours
    assert {bucket.visits.value for bucket in hourly.buckets} == {4}
    quarterly = ask(store, start_ns, end_ns, "15m")
    assert len(quarterly.buckets) == 4 * hours
    assert hourly.total == quarterly.total == whole.visits
    neighbours = ask(store, start_ns - 24 * HOUR_NS, end_ns + 24 * HOUR_NS, "1d")
    assert [bucket.visits.value for bucket in neighbours.buckets] == [96, 4 * hours, 96]


def test_local_hours_of_the_day_the_clocks_go_back_are_told_apart() -> None:
    start_ns = midnight_ns(date(2026, 10, 25), LONDON)
    hours = [local_rfc3339(t_ns, LONDON) for t_ns in edges(start_ns, start_ns + 4 * HOUR_NS, "1h", LONDON, 10)]
    assert hours == [
        "2026-10-25T00:00:00+01:00",
        "2026-10-25T01:00:00+01:00",
        "2026-10-25T01:00:00+00:00",
        "2026-10-25T02:00:00+00:00",
        "2026-10-25T03:00:00+00:00",
    ]


def test_hours_begin_on_the_local_clock_where_the_offset_is_a_half() -> None:
    start_ns = int(datetime(2026, 3, 2, 9, 40, tzinfo=UTC).timestamp()) * 10**9
    kolkata = ZoneInfo("Asia/Kolkata")
    assert [local_rfc3339(t_ns, kolkata)[11:16] for t_ns in edges(start_ns, start_ns + HOUR_NS, "1h", kolkata, 10)] == [
        "15:00",
        "16:00",
        "17:00",
    ]


def test_weeks_begin_on_monday_and_bounds_widen_to_whole_buckets(store: Store) -> None:
    wednesday_ns = midnight_ns(date(2026, 3, 25), LONDON)
    store.write([parcel(passage(1, wednesday_ns), passage(2, wednesday_ns + 6 * 24 * HOUR_NS))])
    answer = ask(store, wednesday_ns, wednesday_ns + 7 * 24 * HOUR_NS, "1w")
    assert [(bucket.start, bucket.visits.value) for bucket in answer.buckets] == [
        ("2026-03-23T00:00:00+00:00", 1),
        ("2026-03-30T00:00:00+01:00", 1),
    ]
    assert (answer.start, answer.end) == ("2026-03-23T00:00:00+00:00", "2026-04-06T00:00:00+01:00")
    assert "start=2026-03-23T00:00:00%2B00:00" in answer.lineage.query


def test_a_gap_is_not_a_zero(store: Store) -> None:
    nine_ns = midnight_ns(date(2026, 3, 2), LONDON) + 9 * HOUR_NS
    watched = [health(nine_ns + minute * MINUTE_NS) for minute in range(60)]
    broken = [health(nine_ns + (60 + minute) * MINUTE_NS, ok=False) for minute in range(60)]
    store.write([parcel(passage(1, nine_ns + 3 * HOUR_NS))], watched + broken)
    nine, ten, eleven, twelve = ask(store, nine_ns, nine_ns + 4 * HOUR_NS, "1h").buckets
    assert (nine.visits.value, nine.visits.low, nine.visits.high, nine.visits.completeness) == (0, 0, 0, 1.0)
    assert (ten.visits.value, ten.exits.value, ten.visits.completeness) == (None, None, 0.0)  # it reported a fault
    assert (eleven.visits.value, eleven.visits.completeness) == (None, 0.0)  # nothing was heard
    assert (twelve.visits.value, twelve.exits.value) == (1, 0)
    assert twelve.visits.completeness == pytest.approx(1 / 60, abs=1e-4)


def test_completeness_is_of_the_stretch_so_far_and_of_every_entrance(store: Store) -> None:
    nine_ns = midnight_ns(date(2026, 3, 2), LONDON) + 9 * HOUR_NS
    store.write([], [health(nine_ns + minute * MINUTE_NS) for minute in range(30)])
    half_past_ns = nine_ns + 2 * QUARTER_NS
    (one,) = ask(store, nine_ns, nine_ns + HOUR_NS, "1h", now_ns=half_past_ns).buckets
    assert one.visits.completeness == 1.0
    (two,) = ask(store, nine_ns, nine_ns + HOUR_NS, "1h", "front", "garden", now_ns=half_past_ns).buckets
    assert two.visits.completeness == 0.5
    future = ask(store, nine_ns + HOUR_NS, nine_ns + 2 * HOUR_NS, "1h", now_ns=half_past_ns).buckets
    assert [(bucket.visits.value, bucket.visits.completeness) for bucket in future] == [(None, 0.0)]


def test_breaks_without_a_direction_are_halved_and_sums_add_up(store: Store) -> None:
    nine_ns = midnight_ns(date(2026, 3, 2), LONDON) + 9 * HOUR_NS
    unknown = [passage(i + 1, nine_ns + i * QUARTER_NS, direction="unknown", persons=3) for i in range(8)]
    store.write([parcel(*unknown)])
    quarters = ask(store, nine_ns, nine_ns + 2 * HOUR_NS, "15m")
    assert [bucket.visits.value for bucket in quarters.buckets] == [2, 1] * 4
    assert [bucket.exits.value for bucket in quarters.buckets] == [1, 2] * 4
    assert quarters.total.value == 12
    hours = ask(store, nine_ns, nine_ns + 2 * HOUR_NS, "1h")
    assert [(bucket.visits.value, bucket.exits.value) for bucket in hours.buckets] == [(6, 6), (6, 6)]
    assert quarters.total == hours.total
    assert quarters.total.low is not None
    assert quarters.total.high is not None
    assert quarters.total.low < 12 < quarters.total.high


def test_unsure_passages_widen_the_interval_outwards(store: Store) -> None:
    nine_ns = midnight_ns(date(2026, 3, 2), LONDON) + 9 * HOUR_NS
    store.write([parcel(*(passage(seq, nine_ns + seq, confidence=0.9) for seq in range(1, 101)))])
    (hour,) = ask(store, nine_ns, nine_ns + HOUR_NS, "1h").buckets
    # 100 x 0.09 = 9; 1.96 x sqrt(1.5 x 9 + (9 / 5)^2) = 8.02, and 9 / 4 upwards
    assert (hour.visits.low, hour.visits.value, hour.visits.high) == (91, 100, 111)
    assert (hour.exits.low, hour.exits.value, hour.exits.high) == (0, 0, 0)


def test_entrances_sum_to_the_site_and_the_lineage_names_them(store: Store) -> None:
    nine_ns = midnight_ns(date(2026, 3, 2), LONDON) + 9 * HOUR_NS
    store.write(
        [
            parcel(passage(1, nine_ns), passage(2, nine_ns + 1, role="reference", sensor="second")),
            parcel(counter(1, nine_ns, 5, 2, sensor="beams", entrance="garden"), unit="garden-door"),
        ]
    )
    answer = ask(store, nine_ns, nine_ns + HOUR_NS, "1h", "front", "garden")
    assert answer.total.value == 6
    assert answer.lineage.sensors == ["door/beams", "garden-door/beams"]
    assert answer.lineage.raw_events == 2
    assert answer.lineage.store == store.name


def test_too_many_buckets_are_refused(store: Store) -> None:
    start_ns = midnight_ns(date(2026, 1, 1), LONDON)
    with pytest.raises(ValueError, match=f"more than {BUCKETS_MAX} buckets of 15m"):
        ask(store, start_ns, start_ns + (BUCKETS_MAX + 1) * QUARTER_NS, "15m")
    assert len(ask(store, start_ns, start_ns + BUCKETS_MAX * QUARTER_NS, "15m").buckets) == BUCKETS_MAX


def test_a_learning_fair_is_its_share_of_the_year(store: Store) -> None:
    """Thurrock: a fair of 2,000 is 1.48 % of the year's 135,238 visits."""
    fair_ns = midnight_ns(date(2026, 6, 6), LONDON) + 10 * HOUR_NS
    rest = [counter(i + 1, fair_ns + (i - 36) * 9 * 24 * HOUR_NS // 10, 1850, 1850) for i in range(72)]
    fair = counter(100, fair_ns + QUARTER_NS, 2000, 2000)
    last = counter(101, fair_ns + 2 * QUARTER_NS, 135_238 - 2000 - 72 * 1850, 0)
    store.write([parcel(*rest, fair, last, epoch=EPOCH)])
    year = ask(store, midnight_ns(date(2026, 1, 1), LONDON), midnight_ns(date(2027, 1, 1), LONDON), "1d")
    assert year.total.value is not None
    assert sum(bucket.visits.value or 0 for bucket in year.buckets) == year.total.value == 135_238
    assert round(2000 / year.total.value * 100, 2) == 1.48
