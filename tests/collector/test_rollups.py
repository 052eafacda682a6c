"""Rollups equal a recount of the raw events, whatever order, repeats and crashes they came through."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from collector_samples import EPOCH, MINUTE_NS, OTHER_EPOCH, counter, health, parcel, passage, recount
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rollup_rig import FLEET, MakeStores, Stores
from servers import Influx

from collector.analysis.footfall import footfall
from collector.analysis.rollup import roll_up
from collector.store import open_store
from collector.store.base import ALL_HUBS, QUARTER_NS, Grain, Parcel, Rollup, Store

LONDON = ZoneInfo("Europe/London")
HOUR_NS = 4 * QUARTER_NS
DAY_NS = 24 * HOUR_NS
SPRING_NS = int(datetime(2026, 3, 29, tzinfo=LONDON).timestamp()) * 10**9
AUTUMN_NS = int(datetime(2026, 10, 25, tzinfo=LONDON).timestamp()) * 10**9
LONG_NS = 40 * DAY_NS
WHOLE = 10_000
QUARTERS = (-1, 0, 3, 4, 5, 8, 91, 92, 95, 96, 99, 100)
"""After a local midnight: few, so that events meet; on both sides of the clock change, and of the end of either day."""


def expected(parcels: Sequence[Parcel], name: str, grain: Grain) -> dict[int, tuple[int, int, int]]:
    """Start of the local hour or day -> visits, exits, events; by Python's own calendar, from the raw events alone."""
    found: dict[int, tuple[int, int, int]] = {}
    for (t_ns, *_), (in_, out, unknown, events) in recount(parcels, name).items():
        local = datetime.fromtimestamp(t_ns // 10**9, LONDON)
        start = local.replace(minute=0) if grain == "hour" else local.replace(hour=0, minute=0, fold=0)
        start_ns = int(start.timestamp()) * 10**9
        to_visits = unknown // 2 + (unknown % 2 if t_ns // QUARTER_NS % 2 == 0 else 0)
        visits, exits, so_far = found.get(start_ns, (0, 0, 0))
        found[start_ns] = (visits + in_ + to_visits, exits + out + unknown - to_visits, so_far + events)
    return found


def rolled(store: Store, name: str, grain: Grain) -> dict[int, tuple[int, int, int]]:
    """What is rolled up, without the hours and days in which nothing was counted."""
    found = store.rollups(grain, SPRING_NS - LONG_NS, AUTUMN_NS + LONG_NS, name)
    assert len({rollup.t_ns for rollup in found}) == len(found)
    return {rollup.t_ns: (rollup.visits, rollup.exits, rollup.events) for rollup in found if rollup.events}


def check(store: Store, parcels: Sequence[Parcel]) -> None:
    grains: tuple[Grain, ...] = ("hour", "day")
    for grain in grains:
        whole: dict[int, tuple[int, int, int]] = {}
        for name in FLEET.hubs:
            assert rolled(store, name, grain) == expected(parcels, name, grain)
            for t_ns, sums in expected(parcels, name, grain).items():
                had = whole.get(t_ns, (0, 0, 0))
                whole[t_ns] = (had[0] + sums[0], had[1] + sums[1], had[2] + sums[2])
        assert rolled(store, ALL_HUBS, grain) == whole
    for name in FLEET.hubs:
        window = (name, SPRING_NS - LONG_NS, AUTUMN_NS + LONG_NS)
        quarters = store.rolled_15m(*window)
        assert quarters == store.counts_15m(*window)
        assert {
            (found.t_ns, found.unit, found.sensor, found.entrance): (
                found.count.in_,
                found.count.out,
                found.count.unknown,
                found.count.events,
            )
            for found in quarters
        } == recount(parcels, name)


class _KilledError(Exception):
    pass


def roll_up_until_killed(store: Store, calls: int) -> None:
    """As if the process ended at the `calls`th time that it wanted something of its store."""
    left = itertools.count(calls, -1)

    class Dying:
        def __getattr__(self, name: str) -> Any:
            if next(left) <= 0:
                raise _KilledError
            return getattr(store, name)

    with suppress(_KilledError):
        roll_up(Dying(), FLEET)  # type: ignore[arg-type]  # it is one, as long as it lives


@st.composite
def events(draw: st.DrawFn) -> list[Any]:
    """Around both clock changes, and days apart."""
    found = []
    for seq in range(1, draw(st.integers(2, 14))):
        base_ns = draw(st.sampled_from([SPRING_NS, AUTUMN_NS, AUTUMN_NS + 5 * DAY_NS]))
        t_ns = (
            base_ns + draw(st.sampled_from(QUARTERS)) * QUARTER_NS + draw(st.sampled_from([0, QUARTER_NS - 20])) + seq
        )
        name = draw(st.sampled_from(list(FLEET.hubs)))
        if draw(st.booleans()):
            direction = draw(st.sampled_from(["in", "out", "unknown"]))
            role = draw(st.sampled_from(["counting", "counting", "reference"]))
            found.append(passage(seq, t_ns, hub=name, direction=direction, persons=draw(st.integers(1, 5)), role=role))
        else:
            found.append(counter(seq, t_ns, draw(st.integers(0, 9)), draw(st.integers(0, 9)), hub=name))
    return found


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[Parcel, int | None]]:
    """Batches in any order, parts of them twice; after each a roll-up, whole or killed after some steps, or none."""
    all_events = draw(events())
    again = draw(st.lists(st.sampled_from(all_events), max_size=5))
    order = draw(st.permutations([*all_events, *again]))
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=3)))
    batches = [order[a:b] for a, b in itertools.pairwise([0, *cuts, len(order)]) if a < b]
    return [(parcel(*batch), draw(st.sampled_from([None, WHOLE]) | st.integers(0, 30))) for batch in batches]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories())
def test_rollups_equal_a_recount_whatever_came_when_and_was_killed(
    make_stores: MakeStores, history: list[tuple[Parcel, int | None]]
) -> None:
    stores: Stores = make_stores()
    written = []
    for found, steps in history:
        store = stores.again()
        store.write([found])
        written.append(found)
        if steps is not None:
            roll_up_until_killed(store, steps)
    store = stores.again()
    roll_up(store, FLEET)
    check(store, written)
    store = stores.again()
    roll_up(store, FLEET)
    check(store, written)


def test_late_events_land_in_the_hours_and_days_in_which_they_happened(make_stores: MakeStores) -> None:
    store = make_stores().again()
    today = [passage(seq, AUTUMN_NS + 9 * DAY_NS + seq * HOUR_NS) for seq in range(1, 5)]
    store.write([parcel(*today)])
    roll_up(store, FLEET)
    late = [passage(seq, AUTUMN_NS + seq * HOUR_NS, direction="out") for seq in range(1, 26)]
    store.write([parcel(*late, epoch=OTHER_EPOCH)])
    roll_up(store, FLEET)
    check(store, [parcel(*today), parcel(*late, epoch=OTHER_EPOCH)])
    (day,) = store.rollups("day", AUTUMN_NS, AUTUMN_NS + 1, "north")
    assert (day.exits, day.events) == (24, 24)  # of its 25 hours the first and the last are
    assert len(store.rollups("hour", AUTUMN_NS, AUTUMN_NS + 25 * HOUR_NS, "north")) == 25


def test_what_is_written_during_a_roll_up_is_rolled_up_by_the_next(make_stores: MakeStores) -> None:
    store = make_stores().again()
    store.write([parcel(passage(1, SPRING_NS))])
    touched = store.touched()
    store.recount_15m("north", SPRING_NS, SPRING_NS + DAY_NS)
    store.write([parcel(passage(2, SPRING_NS + 1))])
    store.settle(touched)
    roll_up(store, FLEET)
    check(store, [parcel(passage(1, SPRING_NS), passage(2, SPRING_NS + 1))])


@pytest.mark.parametrize("bucket", ["15m", "1h", "1d", "1w"])
def test_footfall_from_raw_events_agrees_with_the_rollups(make_stores: MakeStores, bucket: Any) -> None:
    store: Store = make_stores().again()
    reports = [health(SPRING_NS + minute * MINUTE_NS, unit="north-door") for minute in range(20 * 60)]
    seqs = itertools.count(1)
    sure = [
        passage(next(seqs), SPRING_NS + hour * HOUR_NS + 7 * MINUTE_NS, persons=hour % 4 + 1, confidence=0.9)
        for hour in range(23)
    ]
    unsure = [passage(next(seqs), SPRING_NS + n * QUARTER_NS, direction="unknown", persons=3) for n in range(50)]
    store.write([parcel(*sure, *unsure, unit="north-door")], reports)
    roll_up(store, FLEET)
    answer = footfall(store, FLEET, "north", SPRING_NS, SPRING_NS + DAY_NS - HOUR_NS, bucket, now_ns=2**62)
    (day,) = store.rollups("day", SPRING_NS, SPRING_NS + 1, "north")
    hours = store.rollups("hour", SPRING_NS, SPRING_NS + 23 * HOUR_NS, "north")
    assert day.minutes == sum(found.minutes for found in hours) == 20 * 60 + 3
    assert [answer.total.value, sum(found.exits.value or 0 for found in answer.buckets)] == [day.visits, day.exits]
    if bucket == "1h":
        assert [(found.visits.value, found.exits.value) for found in answer.buckets] == [
            (rollup.visits, rollup.exits) for rollup in hours
        ]
    if bucket == "15m":
        quarters = {q.t_ns: q.count for q in store.rolled_15m("north", SPRING_NS, SPRING_NS + DAY_NS)}
        assert sum(count.in_ + count.out + count.unknown for count in quarters.values()) == day.visits + day.exits


def test_a_report_that_vouches_backwards_is_rolled_up_where_it_does(make_stores: MakeStores) -> None:
    store: Store = make_stores().again()
    store.write([parcel(passage(1, AUTUMN_NS + HOUR_NS), unit="north-door")])
    roll_up(store, FLEET)
    report = health(AUTUMN_NS + 20 * HOUR_NS, ok_since_ns=AUTUMN_NS + 4 * HOUR_NS, unit="north-door")
    store.write([], [report])
    roll_up(store, FLEET)
    (day,) = store.rollups("day", AUTUMN_NS, AUTUMN_NS + 1, "north")
    assert (day.visits, day.minutes) == (1, 1 + 16 * 60 + 1)


def test_everything_is_rolled_up_again_when_asked_for(make_stores: MakeStores) -> None:
    stores: Stores = make_stores()
    store = stores.again()
    written = [parcel(*(passage(n, SPRING_NS + n * 7 * HOUR_NS) for n in range(1, 9)))]
    store.write(written)
    roll_up(store, FLEET)
    store.keep("day", [Rollup("north", SPRING_NS, 99, 0, 0.0, 0.0, 1, 99)])  # as of an older registry
    roll_up(store, FLEET)
    store.touch_all()
    roll_up(stores.again(), FLEET)
    check(stores.again(), written)


def test_of_two_processes_with_one_file_only_one_rolls_up(tmp_path: Path) -> None:
    one, two = (open_store(f"sqlite:{tmp_path}/store.db") for _ in range(2))
    two.write([parcel(passage(1, SPRING_NS))])
    assert roll_up(one, FLEET) == 1
    two.write([parcel(passage(2, SPRING_NS))])
    assert roll_up(two, FLEET) == 0
    one.close()
    assert roll_up(two, FLEET) == 1
    check(two, [parcel(passage(1, SPRING_NS), passage(2, SPRING_NS))])
    two.close()


def test_influx_of_an_older_foyer_is_rolled_up_from_the_beginning(influx_server: Influx) -> None:
    url = f"influxdb+{influx_server.url}/older"
    store = open_store(url)
    written = [parcel(*(passage(n, SPRING_NS + n * 9 * HOUR_NS) for n in range(1, 30)), epoch=EPOCH)]
    store.write(written)
    influx_server.query("DROP MEASUREMENT touched", database="older")
    roll_up(store, FLEET)
    check(store, written)
    store.close()
