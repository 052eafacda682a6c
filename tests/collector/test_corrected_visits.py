"""One day has one number, whichever question it is asked by: corrections work on answers from rollups too."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from datetime import date, datetime, timedelta
from math import isnan
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from api_rig import Served
from collector_rig import HUB, Unit, event, until
from collector_samples import counter, health, parcel, passage
from hypothesis import given, settings
from hypothesis import strategies as st
from rollup_rig import FLEET
from servers import Mosquitto

from collector.analysis import visits
from collector.analysis.buckets import midnight_ns
from collector.analysis.footfall import footfall
from collector.analysis.rollup import roll_up
from collector.analysis.visits_answers import Totals
from collector.answers import Bucket, Total
from collector.corrections import Correction, Version
from collector.ledger import CorrectionRefused, Ledger
from collector.store import open_store
from collector.store.base import QUARTER_NS, Store

LONDON = ZoneInfo("Europe/London")
HUBS = ("north", "south")
START_NS, END_NS = (midnight_ns(date(2026, 3, day), LONDON) for day in (28, 31))  # 71 hours
FIVE_NS = QUARTER_NS // 3
FIVES = (END_NS - START_NS) // FIVE_NS
LATER_NS = 2**62
VALUES = ("value", "low", "high", "completeness", "gross")


@st.composite
def corrections(draw: st.DrawFn) -> Correction:
    first, last = sorted(draw(st.lists(st.integers(0, FIVES), min_size=2, max_size=2, unique=True)))
    if draw(st.booleans()):  # whole hours, so that some are excluded as a whole
        first, last = first // 12 * 12, -(-last // 12) * 12
    kind, hub = draw(st.sampled_from(["audit", "manual", "exclusion", "redating"])), draw(st.sampled_from(HUBS))
    fields: dict[str, Any] = {"start_ns": START_NS + first * FIVE_NS, "end_ns": START_NS + last * FIVE_NS}
    if kind == "redating":
        fields |= {"unit": f"{hub}-door", "shift_ns": draw(st.sampled_from([-300, -7, 7, 300])) * FIVE_NS}
    elif kind != "exclusion":
        low = 0 if kind == "audit" else -5
        fields |= {"visits": draw(st.integers(low, 30)), "exits": draw(st.none() | st.integers(low, 30))}
    return Correction(kind=kind, hub=hub, **fields)  # type: ignore[arg-type]  # one of the kinds


def fill(store: Store, seen: Sequence[tuple[int, str, str]]) -> None:
    for hub in HUBS:
        events = [
            passage(seq, START_NS + five * FIVE_NS, hub=hub, direction=way, confidence=0.9)
            for seq, (five, where, way) in enumerate(seen, 1)
            if where == hub
        ]
        reports = [health(START_NS + 30 * 4 * QUARTER_NS, hub=hub, unit=f"{hub}-door", ok_since_ns=START_NS)]
        store.write([parcel(*events, unit=f"{hub}-door")] if events else [], reports)
    roll_up(store, FLEET)


def column(totals: Totals) -> list[tuple[Any, ...]]:
    return list(zip(*(getattr(totals, name) for name in VALUES), strict=True))


def row(total: Total) -> tuple[Any, ...]:
    return tuple(getattr(total, name) for name in VALUES)


SEEN = st.lists(
    st.tuples(st.integers(0, FIVES - 1), st.sampled_from(HUBS), st.sampled_from(["in", "out"])), max_size=30
)


@settings(max_examples=40, deadline=None)
@given(SEEN, st.lists(corrections(), max_size=6))
def test_every_question_gives_the_same_number_after_corrections(
    seen: list[tuple[int, str, str]], wanted: list[Correction]
) -> None:
    with TemporaryDirectory() as folder, closing(open_store(f"sqlite:{folder}/store.db")) as store:
        fill(store, seen)
        with closing(Ledger(Path(folder))) as ledger:
            for correction in wanted:
                with suppress(CorrectionRefused):
                    ledger.corrections.add(correction, "Ann", "because", 1)
            active = ledger.corrections.active()

        def raw(hub: str, bucket: Bucket) -> Any:
            own = [version for version in active if version.correction.hub == hub]
            return footfall(store, FLEET, hub, START_NS, END_NS, bucket, now_ns=LATER_NS, active=own)

        days = visits.by_day(store, FLEET, START_NS, END_NS, now_ns=LATER_NS, active=active)
        for hub in HUBS:
            hours = visits.by_hour(store, FLEET, hub, START_NS, END_NS, now_ns=LATER_NS, active=active)
            for bucket, answer in (("1h", hours), ("1d", days.hubs[hub])):
                want = raw(hub, bucket).buckets  # type: ignore[arg-type]  # one of the buckets
                assert column(answer.visits) == [row(each.visits) for each in want]
                assert column(answer.exits) == [row(each.exits) for each in want]
            assert hours.lineage.corrections == raw(hub, "1h").lineage.corrections
            cells = visits.heat_map(store, FLEET, hub, START_NS, END_NS, now_ns=LATER_NS, active=active).cells
            known = [value for value in hours.visits.value if value is not None]
            assert sum(cell.hours for cell in cells) == len(known)
            total = raw(hub, "1d").total
            assert sum((cell.visits.gross or 0) + cell.visits.correction for cell in cells) == (
                (total.gross or 0) + total.correction
            )
            assert {number for cell in cells for number in cell.visits.corrections} == set(total.corrections)
        for way in ("visits", "exits"):
            each = [getattr(days.hubs[hub], way) for hub in HUBS]
            for name in ("value", "gross"):
                both = zip(*(getattr(totals, name) for totals in each), strict=True)
                sums = [
                    sum(day for day in found if day is not None) if any(day is not None for day in found) else None
                    for found in both
                ]
                assert [value or 0 for value in getattr(getattr(days.all, way), name)] == [value or 0 for value in sums]
        together = visits.heat_map(store, FLEET, None, START_NS, END_NS, now_ns=LATER_NS, active=active)
        assert together.lineage.corrections == days.lineage.corrections == [str(version) for version in active]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:{tmp_path}/store.db")) as opened:
        yield opened


def version(number: int, **fields: Any) -> Version:
    return Version(number, 1, "Ann", "because", Correction(**fields))


def test_a_day_excluded_as_a_whole_is_a_gap_in_every_answer(store: Store) -> None:
    fill(store, [(12 * 24 + 5, "north", "in"), (12 * 24 + 6, "south", "in"), (12 * 24 + 7, "south", "in")])
    day = {"start_ns": START_NS + 24 * 12 * FIVE_NS, "end_ns": START_NS + 47 * 12 * FIVE_NS}  # of 23 hours
    both = [version(number, kind="exclusion", hub=hub, **day) for number, hub in enumerate(HUBS, 1)]
    for active, north, together in ((both[:1], None, 2), (both, None, None), ([], 1, 3)):
        asked: dict[str, Any] = {"now_ns": LATER_NS, "active": active}
        days = visits.by_day(store, FLEET, START_NS, END_NS, **asked)
        assert (days.hubs["north"].visits.value[1], days.all.visits.value[1]) == (north, together)
        assert (days.hubs["north"].visits.gross[1], days.all.visits.gross[1]) == (1, 3)
        year = visits.year_on_year(
            store, FLEET, "north", 2027, **(asked | {"now_ns": midnight_ns(date(2028, 1, 1), LONDON)})
        )
        assert year.months[2].before.gross == 1
        assert year.months[2].before.value == (0 if active else 1), "the days beside it were watched"
        sunday = [
            cell
            for cell in visits.heat_map(store, FLEET, "north", START_NS, END_NS, **asked).cells
            if cell.weekday == 7
        ]
        assert sum(cell.hours for cell in sunday) == (0 if active else 7)  # until 6:00, whose report is the last
        assert {cell.visits.value for cell in sunday} == ({None} if active else {None, 0, 1})


def test_what_was_counted_by_hand_one_way_says_nothing_of_the_other(store: Store) -> None:
    audit = version(1, kind="audit", hub="north", start_ns=START_NS, end_ns=START_NS + 4 * QUARTER_NS, visits=7)
    hours = visits.by_hour(store, FLEET, "north", START_NS, END_NS, now_ns=LATER_NS, active=[audit])
    raw = footfall(store, FLEET, "north", START_NS, END_NS, "1h", now_ns=LATER_NS, active=[audit]).buckets[0]
    assert (hours.visits.value[0], hours.exits.value[0]) == (raw.visits.value, raw.exits.value) == (7, None)


def test_a_year_in_which_each_month_was_audited_is_soon_answered(store: Store) -> None:
    """It took 26 s of a core, since each quarter of an hour looked at all others."""
    start_ns, end_ns = (midnight_ns(date(year, 1, 1), LONDON) for year in (2025, 2026))
    quarters = range(start_ns, end_ns, QUARTER_NS)
    store.write(
        [
            parcel(
                *(counter(seq, t_ns, 3, 2, hub="north", sensor="beams") for seq, t_ns in enumerate(quarters, 1)),
                unit="north-door",
            )
        ]
    )
    roll_up(store, FLEET)
    audits = [
        version(
            month,
            kind="audit",
            hub="north",
            start_ns=midnight_ns(date(2025, month, 1), LONDON),
            end_ns=midnight_ns(date(2025, month, 28), LONDON),
            visits=5000,
        )
        for month in range(1, 13)
    ]
    began_s = time.process_time()
    answer = visits.year_on_year(store, FLEET, None, 2025, now_ns=end_ns, active=audits)
    assert time.process_time() - began_s < 8
    left = sum(1 for t_ns in quarters if not any(each.correction.touches(t_ns, t_ns + 1) for each in audits))
    assert (answer.whole.visits.value, answer.whole.visits.gross) == (12 * 5000 + 3 * left, 3 * len(quarters))


def test_the_live_view_and_every_answer_show_the_same_day(mosquitto: Mosquitto, tmp_path: Path) -> None:
    with Served(mosquitto, f"sqlite:{tmp_path}/store.db", tmp_path / "state") as http:
        with Unit(mosquitto) as unit:
            unit.send(*(event(seq) for seq in range(1, 4)))
            until(lambda: unit.done() == {1, 2, 3}, "ack")
        today = datetime.now(LONDON).date()
        span = {"start": str(today), "end": str(today + timedelta(days=1))}

        def told() -> dict[str, tuple[Any, Any]]:
            ask = {"hub": HUB, **span}
            live = http.get(f"/api/v1/hubs/{HUB}/live").json()["visits_today"]
            raw = http.get("/api/v1/footfall", params=ask).json()["total"]
            hours = http.get("/api/v1/visits/hours", params=ask).json()["visits"]
            days = http.get("/api/v1/visits/days", params=span).json()
            cells = [cell["visits"] for cell in http.get("/api/v1/visits/heatmap", params=ask).json()["cells"]]
            metrics = http.get("/metrics").text
            persons = next(
                line for line in metrics.splitlines() if line.startswith(f'foyer_visits_today_persons{{hub="{HUB}"')
            )
            both = [(live["value"], live["gross"]), (raw["value"], raw["gross"])]
            both += [
                (found["value"][0], found["gross"][0]) for found in (days["all"]["visits"], days["hubs"][HUB]["visits"])
            ]
            for column in (hours, {key: [cell[key] for cell in cells] for key in ("value", "gross")}):
                sums = [[each for each in column[key] if each is not None] for key in ("value", "gross")]
                both.append((sum(sums[0]) if sums[0] else None, sum(sums[1]) if sums[1] else None))
            gauge = float(persons.split()[-1])
            both.append((None if isnan(gauge) else int(gauge), live["gross"]))
            return dict(zip(("live", "footfall", "all", "day", "hours", "heat map", "metrics"), both, strict=True))

        def all_say(value: int | None) -> None:
            until(lambda: set(told().values()) == {(value, 3)}, f"{value} everywhere, not {told()}")

        all_say(3)
        body = {"author": "Ann", "reason": "test", "hub": HUB, **span}
        assert http.post("/api/v1/corrections", json={**body, "kind": "exclusion"}).status_code == 201
        all_say(None)
        assert http.delete("/api/v1/corrections/1", params={"author": "Ann", "reason": "no"}).status_code == 200
        assert http.post("/api/v1/corrections", json={**body, "kind": "manual", "visits": -2}).status_code == 201
        all_say(1)
        assert http.get(f"/api/v1/hubs/{HUB}/live").json()["visits_today"]["corrections"] == [3]
