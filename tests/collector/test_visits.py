"""Answers about long stretches come from rollups and are what the raw events say."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from collector_samples import counter, health, parcel, passage
from rollup_rig import FLEET, MakeStores, hub

from collector.analysis import visits
from collector.analysis.buckets import midnight_ns
from collector.analysis.footfall import footfall
from collector.analysis.rollup import roll_up
from collector.store import open_store
from collector.store.base import QUARTER_NS, Store
from firmware_cfg.load import Fleet

LONDON = ZoneInfo("Europe/London")
HOUR_NS = 4 * QUARTER_NS
LATER_NS = 2**62


def day_ns(year: int, month: int, day: int) -> int:
    return midnight_ns(date(year, month, day), LONDON)


@pytest.fixture
def store(make_stores: MakeStores) -> Store:
    return make_stores().again()


def open_days(store: Store, name: str, first: date, days: int, persons: int) -> None:
    """At 9:00 and at 17:00 local time so many come, each day; out at 17:00 goes one fewer."""
    found = []
    for number in range(days):
        day = first + timedelta(days=number)
        for hour in (9, 17):
            at_ns = int(datetime(day.year, day.month, day.day, hour, tzinfo=LONDON).timestamp()) * 10**9
            out = persons - 1 if hour == 17 else 0
            seq = day.toordinal() * 24 + hour
            found.append(counter(seq, at_ns, persons, out, hub=name, sensor="beams"))
    store.write([parcel(*found, unit=f"{name}-door")])


def test_the_hours_of_a_day_of_25(store: Store) -> None:
    start_ns, end_ns = day_ns(2026, 10, 25), day_ns(2026, 10, 26)
    found = [passage(n + 1, start_ns + n * HOUR_NS, persons=n + 1, confidence=0.9) for n in range(25) if n != 3]
    store.write([parcel(*found, unit="north-door")])
    roll_up(store, FLEET)
    answer = visits.by_hour(store, FLEET, "north", start_ns, end_ns, now_ns=LATER_NS)
    assert answer.visits.value == [n + 1 if n != 3 else None for n in range(25)]
    assert answer.exits.value == [0 if n != 3 else None for n in range(25)]
    assert [start[11:] for start in answer.starts[:4]] == [
        "00:00:00+01:00",
        "01:00:00+01:00",
        "01:00:00+00:00",
        "02:00:00+00:00",
    ]
    raw = footfall(store, FLEET, "north", start_ns, end_ns, "1h", now_ns=LATER_NS)
    for column in ("value", "low", "high", "completeness"):
        assert getattr(answer.visits, column) == [getattr(bucket.visits, column) for bucket in raw.buckets]
    assert answer.lineage.raw_events == raw.lineage.raw_events == 24


def test_days_of_every_hub_and_of_all_together(store: Store) -> None:
    open_days(store, "north", date(2026, 3, 27), 4, 5)
    open_days(store, "south", date(2026, 3, 28), 1, 7)
    roll_up(store, FLEET)
    answer = visits.by_day(store, FLEET, day_ns(2026, 3, 27), day_ns(2026, 3, 31), now_ns=LATER_NS)
    assert answer.days == ["2026-03-27", "2026-03-28", "2026-03-29", "2026-03-30"]
    assert answer.hubs["north"].visits.value == [10, 10, 10, 10]
    assert answer.hubs["south"].visits.value == [None, 14, None, None]
    assert answer.all.visits.value == [10, 24, 10, 10]
    assert answer.all.exits.value == [4, 4 + 6, 4, 4]
    assert answer.hubs["north"].visits.completeness[0] == round(2 / (24 * 60), 4)
    assert answer.all.visits.completeness[1] == round(4 / (24 * 60 * 2), 4)


def test_a_heat_map_adds_up_weekdays_and_local_hours(store: Store) -> None:
    open_days(store, "north", date(2026, 3, 23), 14, 3)  # two weeks, over the clock change
    store.write([], [health(day_ns(2026, 3, 23) + 3 * HOUR_NS, unit="north-door")])
    roll_up(store, FLEET)
    answer = visits.heat_map(store, FLEET, None, day_ns(2026, 3, 23), day_ns(2026, 4, 6), now_ns=LATER_NS)
    cells = {(cell.weekday, cell.hour): cell for cell in answer.cells}
    assert len(cells) == len(answer.cells) == 168
    seen = {place: cell.visits.value for place, cell in cells.items() if cell.visits.value is not None}
    assert seen == {(weekday, hour): 6 for weekday in range(1, 8) for hour in (9, 17)} | {(1, 3): 0}
    assert (cells[7, 9].hours, cells[1, 3].hours, cells[1, 4].hours) == (2, 1, 0)
    assert cells[7, 9].visits.completeness == round(2 / (2 * 60 * 2), 4)
    assert answer.lineage.raw_events == 28
    north = visits.heat_map(store, FLEET, "north", day_ns(2026, 3, 23), day_ns(2026, 4, 6), now_ns=LATER_NS)
    assert [cell.visits.value for cell in north.cells] == [cell.visits.value for cell in answer.cells]


def test_a_year_is_compared_with_the_same_dates_of_the_last(store: Store) -> None:
    open_days(store, "north", date(2027, 2, 1), 28, 10)
    open_days(store, "north", date(2028, 2, 1), 31, 11)  # a leap year: 29 February, and two days of March
    roll_up(store, FLEET)
    now_ns = day_ns(2028, 3, 2) + 9 * HOUR_NS
    answer = visits.year_on_year(store, FLEET, "north", 2028, now_ns=now_ns)
    february, march = answer.months[1], answer.months[2]
    assert (february.visits.value, february.before.value) == (29 * 22, 28 * 20)
    assert february.change_percent == round(100 * (29 * 22 - 28 * 20) / (28 * 20), 1)
    assert (march.visits.value, march.before.value, march.change_percent) == (22, None, None)  # only the first is over
    assert (answer.whole.visits.value, answer.whole.before.value) == (30 * 22, 28 * 20)
    assert answer.months[0].visits.value is None
    assert answer.months[3].visits.completeness == 0


def test_hubs_of_different_local_times_are_not_added_up(tmp_path: Path) -> None:
    store = open_store(f"sqlite:{tmp_path}/store.db")
    fleet = Fleet({"north": hub("north"), "delhi": hub("delhi").model_copy(update={"timezone": "Asia/Kolkata"})})
    for ask in (
        lambda: visits.by_day(store, fleet, 0, HOUR_NS, now_ns=0),
        lambda: visits.heat_map(store, fleet, None, 0, HOUR_NS, now_ns=0),
        lambda: visits.year_on_year(store, fleet, None, 2026, now_ns=0),
    ):
        with pytest.raises(ValueError, match="different local times"):
            ask()
    assert visits.year_on_year(store, fleet, "delhi", 2026, now_ns=0).whole.visits.value is None
    store.close()
