"""What holds for every store: the embedded one, InfluxDB by its own write address, and by that of 2.x."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from collector_samples import (
    EPOCH,
    MINUTE_NS,
    OTHER_EPOCH,
    T0_NS,
    counter,
    health,
    in_columns,
    parcel,
    passage,
    recount,
)
from event_samples import every_kind
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers import Influx, InfluxV2Front

from collector.store import open_store
from collector.store.base import QUARTER_NS, Coverage, Parcel, Store, StoreUnavailable, Tally
from firmware_cfg.wire import Event

HOUR_NS = 4 * QUARTER_NS
Open = Callable[[str], Store]
"""Opens the store of that name: the same again for the same name, an empty one for a new name."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Influx, InfluxV2Front]]:
    with (
        Influx(tmp_path_factory.mktemp("influx")) as influx,
        InfluxV2Front(tmp_path_factory.mktemp("front"), influx) as front,
    ):
        yield influx, front


@pytest.fixture(params=["embedded", "influx 1.x", "influx 2.x"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    opened: list[Store] = []
    unique = f"{abs(hash(tmp_path)):x}"

    def open_named(name: str) -> Store:
        if request.param == "embedded":
            store = open_store(f"sqlite:{tmp_path / name}.db")
        else:
            influx, front = request.getfixturevalue("servers")
            influx.create_database(f"{unique}-{name}")
            server = influx if request.param == "influx 1.x" else front
            store = open_store(f"influxdb+{server.url}/{unique}-{name}")
        opened.append(store)
        return store

    yield open_named
    for store in opened:
        store.close()


@pytest.fixture
def store(opener: Open) -> Store:
    return opener("store")


def counted(store: Store, hub: str = "north") -> dict[tuple[int, str, str, str | None], tuple[int, int, int, int]]:
    return {
        (quarter.t_ns, quarter.unit, quarter.sensor, quarter.entrance): (
            quarter.count.in_,
            quarter.count.out,
            quarter.count.unknown,
            quarter.count.events,
        )
        for quarter in store.counts_15m(hub, T0_NS - HOUR_NS, T0_NS + 24 * HOUR_NS)
    }


def test_what_is_written_is_read_back_equal(store: Store) -> None:
    events = every_kind()
    assert store.write([parcel(*events)]) == []
    for event in events:
        found = store.events(event.kind, "north", event.t_ns, event.t_ns + 1, limit=10)
        assert [(stored.unit, stored.epoch, stored.event) for stored in found] == [("door", EPOCH, event)]


def test_events_are_ordered_and_limited(store: Store) -> None:
    store.write([parcel(*(passage(seq) for seq in (3, 1, 2)))])
    everything = ("passage", "north", T0_NS, T0_NS + HOUR_NS)
    assert [found.event.seq for found in store.events(*everything, limit=2)] == [1, 2]
    assert [found.event.seq for found in store.events(*everything, limit=2, newest_first=True)] == [3, 2]
    assert store.events("passage", "south", T0_NS, T0_NS + HOUR_NS, limit=2) == []


def test_a_resend_stores_nothing_new(store: Store) -> None:
    parcels = [parcel(*every_kind()), parcel(passage(1), passage(2), unit="window")]
    reports = [health(T0_NS)]
    store.write(parcels, reports)
    before = (counted(store), store.tally("door", EPOCH), store.coverage_15m("north", T0_NS, T0_NS + QUARTER_NS))
    store.write(list(reversed(parcels)), reports)
    assert (
        counted(store),
        store.tally("door", EPOCH),
        store.coverage_15m("north", T0_NS, T0_NS + QUARTER_NS),
    ) == before
    assert store.tally("window", EPOCH) == {"passage": Tally(2, 2)}


def many_passages() -> list[Event]:
    """Of two sensors in three quarters of an hour, some of which leave out what others say."""
    knows = {"speed_m_s": 1.25, "length_m": 0.5, "confidence": 0.75, "persons": 2}
    return [
        passage(
            seq,
            T0_NS + seq * 3 * MINUTE_NS + seq,
            direction=("in", "out", "unknown")[seq % 3],
            sensor="beams" if seq % 4 else "spare-beams",
            role="counting" if seq % 4 else "reference",
            clock="synced" if seq % 5 else "unsynced",
            **(knows if seq % 7 else {}),
        )
        for seq in range(1, 13)
    ]


def test_passages_in_columns_are_stored_as_if_they_had_come_singly(opener: Open) -> None:
    whole = parcel(*many_passages(), counter(13, T0_NS + 13, 1, 0))
    singly, columns = opener("singly"), opener("columns")
    singly.write([whole])
    columns.write([in_columns(whole)])
    assert len(in_columns(whole).runs) > 2
    for kind in ("passage", "counter"):
        found = [store.events(kind, "north", T0_NS, T0_NS + HOUR_NS, limit=100) for store in (singly, columns)]
        assert found[0] == found[1]
        assert {stored.event.seq for stored in found[0]} == {e.seq for e in whole.events if e.kind == kind}
    assert singly.counts_15m("north", T0_NS, T0_NS + HOUR_NS) == columns.counts_15m("north", T0_NS, T0_NS + HOUR_NS)
    assert singly.touched().quarters == columns.touched().quarters != {}


@pytest.mark.parametrize("again", ["singly", "in columns", "half of each"])
def test_passages_in_columns_and_the_same_singly_are_the_same(store: Store, again: str) -> None:
    events = many_passages()
    first, second = parcel(*events[:8]), parcel(*events[4:])
    if again == "half of each":
        store.write([in_columns(first), second])
        store.write([first, in_columns(second)])
    else:
        store.write([in_columns(first), second] if again == "singly" else [first, in_columns(second)])
    assert counted(store) == recount([parcel(*events)], "north")
    assert store.tally("door", EPOCH) == {"passage": Tally(12, 12)}


def test_only_counting_sensors_are_summed_and_directions_kept_apart(store: Store) -> None:
    store.write(
        [
            parcel(
                passage(1, persons=2),
                passage(2, direction="out"),
                passage(3, direction="unknown", persons=3),
                passage(4, role="reference", sensor="camera-beams"),
                passage(5, T0_NS + QUARTER_NS),
                counter(6, T0_NS + 6, 4, 1, role="reference"),
                passage(7, hub="south"),
            ),
            parcel(counter(1, T0_NS + 1, 7, 5, entrance="garden"), unit="garden-door"),
        ]
    )
    assert counted(store) == {
        (T0_NS, "door", "beams", "front"): (2, 1, 3, 3),
        (T0_NS + QUARTER_NS, "door", "beams", "front"): (1, 0, 0, 1),
        (T0_NS, "garden-door", "radar", "garden"): (7, 5, 0, 1),
    }


def test_the_variance_is_that_of_unsure_passages(store: Store) -> None:
    store.write(
        [parcel(passage(1, confidence=0.5), passage(2, persons=2, confidence=0.9), passage(3, confidence=1.0))],
    )
    (quarter,) = store.counts_15m("north", T0_NS, T0_NS + QUARTER_NS)
    assert quarter.count.variance_in == pytest.approx(0.25 + 4 * 0.09)
    assert quarter.count.variance_out == 0


def test_counts_are_bounded_by_start_and_end(store: Store) -> None:
    store.write([parcel(*(passage(index + 1, T0_NS + index * QUARTER_NS) for index in range(4)))])
    found = store.counts_15m("north", T0_NS + QUARTER_NS, T0_NS + 3 * QUARTER_NS)
    assert [quarter.t_ns for quarter in found] == [T0_NS + QUARTER_NS, T0_NS + 2 * QUARTER_NS]


def test_coverage_counts_minutes_of_units_and_of_working_sensors(store: Store) -> None:
    reports = [health(T0_NS + minute * MINUTE_NS, ok=minute != 2) for minute in range(4)]
    reports.append(health(T0_NS + MINUTE_NS + 30 * 10**9))  # a second one in the same minute
    reports.append(health(T0_NS + QUARTER_NS))
    assert store.write([], reports) == []
    assert sorted(
        store.coverage_15m("north", T0_NS, T0_NS + HOUR_NS), key=lambda found: (found.t_ns, found.sensor)
    ) == [
        Coverage(T0_NS, "door", "beams", 3),
        Coverage(T0_NS, "door", "unit", 4),
        Coverage(T0_NS + QUARTER_NS, "door", "beams", 1),
        Coverage(T0_NS + QUARTER_NS, "door", "unit", 1),
    ]


def test_a_report_vouches_for_the_time_since_its_sensor_works(store: Store) -> None:
    since_ns = T0_NS + 5 * MINUTE_NS
    store.write([], [health(T0_NS + 4 * QUARTER_NS, ok_since_ns=since_ns)])
    expected = [(0, 10), (1, 15), (2, 15), (3, 15), (4, 1)]

    def beams(start_ns: int, end_ns: int) -> list[tuple[int, int]]:
        found = store.coverage_15m("north", start_ns, end_ns)
        return [((cover.t_ns - T0_NS) // QUARTER_NS, cover.minutes) for cover in found if cover.sensor == "beams"]

    assert beams(T0_NS, T0_NS + 5 * QUARTER_NS) == expected
    assert beams(T0_NS + QUARTER_NS, T0_NS + 3 * QUARTER_NS) == expected[1:3]  # the report itself came later
    store.write([], [health(T0_NS + 8 * QUARTER_NS, ok_since_ns=since_ns)])
    store.write([], [health(T0_NS + 6 * QUARTER_NS, ok_since_ns=since_ns)])  # late
    full = [(number, 15) for number in range(1, 8)]
    assert beams(T0_NS, T0_NS + 9 * QUARTER_NS) == [(0, 10), *full, (8, 1)]


def test_a_tally_is_of_one_outbox_and_range(store: Store) -> None:
    store.write([parcel(*(passage(seq) for seq in range(1, 11)), counter(11, T0_NS + 11, 1, 0))])
    store.write([parcel(passage(1, T0_NS + 100), epoch=OTHER_EPOCH)])
    assert store.tally("door", EPOCH) == {"passage": Tally(10, 10), "counter": Tally(1, 1)}
    assert store.tally("door", EPOCH, 3, 5) == {"passage": Tally(3, 3)}
    assert store.tally("door", OTHER_EPOCH) == {"passage": Tally(1, 1)}
    assert store.tally("window", EPOCH) == {}


def test_an_empty_store_answers_nothing(store: Store) -> None:
    store.ping()
    assert store.write([]) == []
    assert counted(store) == {}
    assert store.coverage_15m("north", T0_NS, T0_NS + HOUR_NS) == []


@st.composite
def histories(draw: st.DrawFn) -> list[list[Parcel]]:
    """Batches as they may arrive: in any order, parts of them twice."""
    events = [
        draw(
            st.one_of(
                st.builds(
                    passage,
                    st.just(seq),
                    st.integers(0, 40).map(lambda minutes, seq=seq: T0_NS + minutes * MINUTE_NS + seq),
                    direction=st.sampled_from(["in", "out", "unknown"]),
                    persons=st.integers(1, 5),
                    role=st.sampled_from(["counting", "reference"]),
                    hub=st.sampled_from(["north", "south"]),
                ),
                st.builds(
                    counter,
                    st.just(seq),
                    st.integers(0, 40).map(lambda minutes, seq=seq: T0_NS + minutes * MINUTE_NS + seq),
                    st.integers(0, 9),
                    st.integers(0, 9),
                ),
            )
        )
        for seq in range(1, draw(st.integers(2, 12)))
    ]
    again = draw(st.lists(st.sampled_from(events), max_size=6))
    order = draw(st.permutations([*events, *again]))
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=3)))
    bounds = [0, *cuts, len(order)]
    parcels = [parcel(*order[a:b]) for a, b in itertools.pairwise(bounds)]
    return [[in_columns(each) if draw(st.booleans()) else each] for each in parcels]


numbers = itertools.count()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories())
def test_any_order_any_repeats_and_restarts_equal_a_recount(opener: Open, history: list[list[Parcel]]) -> None:
    name = f"history-{next(numbers)}"
    for number, parcels in enumerate(history, 1):
        store = opener(name)  # a restart before every batch
        store.write(parcels)
        so_far = [found for parcels in history[:number] for found in parcels]
        assert counted(store) == recount(so_far, "north")
        store.close()
    store = opener(name)
    written = [found for parcels in history for found in parcels]
    assert counted(store) == recount(written, "north")
    assert counted(store, "south") == recount(written, "south")
    identities = {event.seq for found in written for event in found.events}
    tally = store.tally("door", EPOCH)
    assert sum(found.rows for found in tally.values()) == sum(found.distinct for found in tally.values())
    assert sum(found.rows for found in tally.values()) == len(identities)


def test_embedded_keeps_two_events_of_the_same_nanosecond(tmp_path: Path) -> None:
    store = open_store(f"sqlite:{tmp_path}/store.db")
    store.write([parcel(passage(1, T0_NS), passage(2, T0_NS)), parcel(passage(1, T0_NS), epoch=OTHER_EPOCH)])
    assert store.tally("door", EPOCH) == {"passage": Tally(2, 2)}
    assert counted(store) == {(T0_NS, "door", "beams", "front"): (3, 0, 0, 3)}
    store.close()


def test_influx_refuses_of_passages_in_columns_only_those_that_do_not_fit(influx: Influx) -> None:
    influx.write('passage,sensor=other persons="text" 5', 'passage,sensor=other confidence="text" 1789999200000000000')
    store = open_store(f"influxdb+{influx.url}/foyer")
    whole = parcel(counter(1, T0_NS, 1, 0), passage(2, 5), passage(3, 30 * 86_400 * 10**9), passage(4, 7))
    refused = store.write([in_columns(whole)])
    assert [(found.unit, found.epoch, found.event) for found in refused] == [
        ("door", EPOCH, event) for event in (passage(2, 5), passage(4, 7))
    ]
    assert "persons" in refused[0].reason
    assert store.tally("door", EPOCH) == {"passage": Tally(1, 1), "counter": Tally(1, 1)}
    store.close()


@pytest.mark.parametrize("front", [False, True])
def test_influx_refuses_only_what_does_not_fit(influx: Influx, influx_v2: InfluxV2Front, front: bool) -> None:
    influx.write('passage,hub=north,sensor=beams,unit=door,entrance=side persons="text" 1')
    store = open_store(f"influxdb+{(influx_v2 if front else influx).url}/foyer")
    store.write([parcel(passage(1), passage(2))])  # integers now, in the shard of this week
    influx.write('counter,hub=north,sensor=other,unit=door,entrance=side raw_in="text" 1789999200000000000')
    refused = store.write([parcel(passage(3), counter(4, T0_NS + 4, 1, 0), passage(5)), parcel(passage(6))])
    assert [(found.unit, found.epoch, found.event.seq) for found in refused] == [("door", EPOCH, 4)]
    assert "raw_in" in refused[0].reason
    assert store.tally("door", EPOCH) == {"passage": Tally(5, 5)}
    store.close()


def test_a_point_that_influx_has_in_part_is_not_there_yet(influx: Influx) -> None:
    store = open_store(f"influxdb+{influx.url}/{influx.database}")
    store.write([parcel(passage(1), passage(3))])
    tags = "passage,hub=north,sensor=beams,unit=door,entrance=front"
    influx.write(f"{tags} seq=2i {T0_NS + 2}", f'{tags} epoch="{EPOCH}",direction="in" {T0_NS + 4}')
    influx.write(f'{tags} seq=5i,epoch="{EPOCH}",direction="in",persons=1i {T0_NS + 5}')
    for newest_first in (False, True):
        found = store.events("passage", "north", T0_NS, T0_NS + 10, limit=10, newest_first=newest_first)
        assert sorted(stored.event.seq for stored in found) == [1, 3]
    store.close()


def test_influx_that_is_away_is_unavailable_and_comes_back(influx: Influx) -> None:
    store = open_store(f"influxdb+{influx.url}/foyer")
    influx.stop()
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="does not answer"):
            store.write([parcel(passage(1))])
    with pytest.raises(StoreUnavailable, match="does not answer"):
        store.ping()
    influx.start()
    assert store.write([parcel(passage(1))]) == []
    influx.stop()
    with pytest.raises(StoreUnavailable, match="does not answer"):
        store.write([parcel(passage(2))])
    influx.start()
    assert store.write([parcel(passage(2))]) == []
    assert store.tally("door", EPOCH) == {"passage": Tally(2, 2)}
    store.close()


def test_influx_behind_a_front_whose_database_is_away(influx: Influx, influx_v2: InfluxV2Front) -> None:
    store = open_store(f"influxdb+{influx_v2.url}/foyer")
    store.write([parcel(passage(1))])
    influx.stop()
    with pytest.raises(StoreUnavailable, match="502"):
        store.write([parcel(passage(2))])
    influx.start()
    assert store.write([parcel(passage(2))]) == []
    store.close()


def test_health_is_read_back_by_unit_and_time(store: Store) -> None:
    reports = [health(T0_NS + minute * MINUTE_NS, outbox={"depth": minute}) for minute in range(3)]
    store.write([], [*reports, health(T0_NS, unit="other")])
    rows = store.health("door", T0_NS, T0_NS + 2 * MINUTE_NS)
    assert [(row.t_ns, row.sensor) for row in rows] == [
        (T0_NS + minute * MINUTE_NS, sensor) for minute in range(2) for sensor in ("beams", "unit")
    ]
    assert [(row.unit, row.hub) for row in rows] == [("door", "north")] * 4
    assert sorted(rows, key=lambda row: row.t_ns) == sorted(
        (row for page in store.scan_health() for row in page if row in rows), key=lambda row: (row.t_ns, row.sensor)
    )
    assert store.health("nobody", 0, 2**62) == []
