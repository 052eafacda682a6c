"""Corrections lie beside the raw events, can be taken back, and give the same numbers whatever their order."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from api_rig import Served
from collector_rig import EPOCH, HUB, UNIT, Unit, event, until
from collector_samples import MINUTE_NS, T0_NS, health, parcel, passage
from hypothesis import given, settings
from hypothesis import strategies as st
from servers import Mosquitto
from starlette.datastructures import Headers
from starlette.requests import Request

from collector.analysis.footfall import footfall
from collector.analysis.overlay import spread
from collector.answers import Footfall, Total
from collector.api_corrections import TOKEN_VARIABLE, may_write
from collector.corrections import Correction, NewCorrection, Version
from collector.ledger import CorrectionRefused, Ledger
from collector.store import open_store
from collector.store.base import QUARTER_NS, Store
from firmware_cfg.load import EXAMPLE_FLEET, Fleet, load_fleet
from firmware_cfg.schema import Hub

ROOT = Path(__file__).parents[2]
QUARTERS = 8  # the stretch that is asked about: two hours
END_NS = T0_NS + QUARTERS * QUARTER_NS
UNITS = {"front": "door", "side": "side-door"}


def north() -> Fleet:
    beams = {"name": "beams", "kind": "beam-pair", "outer_pin": 17, "inner_pin": 27}
    hub = {
        "id": "north",
        "name": "North",
        "type": "local",
        "entrances": [{"id": entrance, "name": entrance, "counting": "beams"} for entrance in UNITS],
        "units": [
            {"id": unit, "since": "2020-01-01T00:00:00Z", "sensors": [{**beams, "entrance": entrance}]}
            for entrance, unit in UNITS.items()
        ],
    }
    return Fleet({"north": Hub.model_validate(hub)})


FLEET = north()


def ask(store: Store, active: Sequence[Version] = (), *, start_ns: int = T0_NS, end_ns: int = END_NS) -> Footfall:
    return footfall(store, FLEET, "north", start_ns, end_ns, "15m", now_ns=2**62, active=active)


def at(minute: int) -> int:
    return T0_NS + minute * MINUTE_NS


def version(number: int, **fields: Any) -> Version:
    return Version(number, 1, "Ann", "because", Correction(hub="north", **fields))


# What a raw event is to the model below: (minute, entrance, direction, persons).
RAW = st.lists(
    st.tuples(
        st.integers(0, 3 * QUARTERS - 1).map(lambda five: 5 * five),
        st.sampled_from(list(UNITS)),
        st.sampled_from(["in", "out"]),
        st.integers(1, 4),
    ),
    max_size=25,
)
MINUTES = st.integers(0, 3 * QUARTERS).map(lambda five: 5 * five)  # coarse, so that ends and events often meet
SPAN = st.tuples(MINUTES, MINUTES).filter(lambda pair: pair[0] != pair[1]).map(lambda pair: (min(pair), max(pair)))
ENTRANCE = st.sampled_from([None, *UNITS])


@st.composite
def corrections(draw: st.DrawFn, kinds: Sequence[str]) -> Correction:
    start, end = draw(SPAN)
    kind = draw(st.sampled_from(kinds))
    fields: dict[str, Any] = {"kind": kind, "hub": "north", "start_ns": at(start), "end_ns": at(end)}
    if kind == "redating":
        shift = 5 * draw(st.integers(-start // 5, 3 * QUARTERS - end // 5))
        if shift:
            return Correction(**fields, unit=draw(st.sampled_from(list(UNITS.values()))), shift_ns=shift * MINUTE_NS)
        fields["kind"] = "exclusion"
    elif kind != "exclusion":
        low = 0 if kind == "audit" else -5
        fields |= {"visits": draw(st.integers(low, 30)), "exits": draw(st.none() | st.integers(low, 30))}
    return Correction(**fields, entrance=draw(ENTRANCE))


def in_span(correction: Correction, minute: int, entrance: str) -> bool:
    return correction.start_ns <= at(minute) < correction.end_ns and correction.entrance in (None, entrance)


def survivors(raw: list[tuple[int, str, str, int]], active: list[Correction]) -> list[tuple[int, str, str, int]]:
    """The events after re-dating and exclusion, one by one."""
    moved = []
    for minute, entrance, direction, persons in raw:
        shifts = [
            each.shift_ns // MINUTE_NS
            for each in active
            if each.kind == "redating" and each.unit == UNITS[entrance] and in_span(each, minute, entrance)
        ]
        moved.append((minute + sum(shifts), entrance, direction, persons))
    excluded = [each for each in active if each.kind == "exclusion"]
    return [event for event in moved if not any(in_span(each, event[0], event[1]) for each in excluded)]


def recount(left: list[tuple[int, str, str, int]], active: list[Correction]) -> dict[str, int]:
    """What audits and manual counts make of them, for the whole stretch: direction -> persons."""
    totals = {"in": 0, "out": 0}
    for direction, field in (("in", "visits"), ("out", "exits")):
        audits = [each for each in active if each.kind == "audit" and getattr(each, field) is not None]
        for minute, entrance, way, persons in left:
            if way == direction and not any(in_span(each, minute, entrance) for each in audits):
                totals[direction] += persons
        totals[direction] += sum(getattr(each, field) for each in audits)
        totals[direction] += sum(getattr(each, field) or 0 for each in active if each.kind == "manual")
    return totals


def numbers(answer: Footfall) -> list[tuple[int | None, int | None, int, int]]:
    return [(b.visits.value, b.exits.value, b.visits.correction, b.exits.correction) for b in answer.buckets]


KINDS = st.sampled_from([("exclusion", "redating"), ("audit", "manual", "exclusion", "redating")])
STEPS = KINDS.flatmap(lambda kinds: st.lists(corrections(kinds) | st.integers(0, 12), min_size=1, max_size=12))


@settings(max_examples=40, deadline=None)
@given(RAW, STEPS, st.randoms(use_true_random=False))
def test_made_and_taken_back_in_any_order_they_give_what_a_recount_gives(
    raw: list[tuple[int, str, str, int]], steps: list[Correction | int], shuffle: random.Random
) -> None:
    with TemporaryDirectory() as folder, closing(open_store(f"sqlite:{folder}/store.db")) as store:
        for entrance, unit in UNITS.items():
            events = [
                passage(seq, at(minute), entrance=entrance, direction=direction, persons=persons)
                for seq, (minute, where, direction, persons) in enumerate(raw, 1)
                if where == entrance
            ]
            store.write(
                [parcel(*events, unit=unit)] if events else [], [health(END_NS - 1, ok_since_ns=T0_NS, unit=unit)]
            )
        gross = ask(store)
        with closing(Ledger(Path(folder) / "one")) as one, closing(Ledger(Path(folder) / "two")) as two:
            for step in steps:
                try:
                    if isinstance(step, int):
                        one.corrections.undo(step, "Bob", "a mistake", 2)
                    else:
                        one.corrections.add(step, "Ann", "because", 1)
                except CorrectionRefused:
                    pass
            answer = ask(store, one.corrections.active("north"))
            again = [found.correction for found in one.corrections.active("north")]
            shuffle.shuffle(again)
            for correction in again:
                two.corrections.add(correction, "Ann", "because", 1)
            assert numbers(ask(store, two.corrections.active("north"))) == numbers(answer)
            for found in list(one.corrections.active("north")):
                one.corrections.undo(found.id, "Bob", "all of it", 3)
            assert ask(store, one.corrections.active("north")) == gross
    left = survivors(raw, again)
    totals = recount(left, again)
    by_hand = any(correction.kind in ("audit", "manual") for correction in again)
    for way, field in (("in", "visits"), ("out", "exits")):
        found = [getattr(bucket, field) for bucket in answer.buckets]
        assert sum((total.gross or 0) + total.correction for total in found) == totals[way]
        assert all(total.value in (None, (total.gross or 0) + total.correction) for total in found)
        for index, total in enumerate(found if not by_hand else ()):
            persons = sum(event[3] for event in left if event[0] // 15 == index and event[2] == way)
            assert (total.gross or 0) + total.correction == persons
    assert [bucket.visits.gross for bucket in answer.buckets] == [bucket.visits.value for bucket in gross.buckets]


@given(st.integers(-40, 40), st.lists(st.integers(0, 9), min_size=1, max_size=12))
def test_an_amount_is_spread_whole(amount: int, weights: list[int]) -> None:
    parts = spread(amount, weights)
    assert sum(parts) == amount
    if any(weights):
        assert all(part == 0 for part, weight in zip(parts, weights, strict=True) if weight == 0)
        if amount >= -sum(weights):
            assert all(weight + part >= 0 for part, weight in zip(parts, weights, strict=True))
    else:
        assert max(parts) - min(parts) <= 1


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:{tmp_path}/store.db")) as opened:
        watched = [health(END_NS - 1, ok_since_ns=T0_NS)]
        opened.write([parcel(*(passage(seq, at(5 * seq), confidence=0.9) for seq in range(1, 10)))], watched)
        yield opened


def test_each_total_says_gross_correction_net_and_which(store: Store) -> None:
    active = [
        version(3, kind="exclusion", start_ns=at(10), end_ns=at(20)),
        version(5, kind="manual", start_ns=at(30), end_ns=at(45), visits=7),
    ]
    answer = ask(store, active)
    first, second, third, *_ = [bucket.visits for bucket in answer.buckets]
    assert (first.gross, first.correction, first.value, first.corrections) == (2, -1, 1, [3])
    assert (second.gross, second.correction, second.value, second.corrections) == (3, -1, 2, [3])
    assert (third.gross, third.correction, third.value, third.corrections) == (3, 7, 10, [5])
    total = answer.total
    assert (total.gross, total.correction, total.value, total.corrections) == (9, 5, 14, [3, 5])
    assert answer.lineage.corrections == ["3: exclusion by Ann: because", "5: manual by Ann: because"]
    assert answer.lineage.raw_events == 9


def test_an_audit_is_exact_and_holds_whatever_comes_later(store: Store) -> None:
    active = [version(1, kind="audit", start_ns=at(0), end_ns=at(30), visits=6, entrance="front")]
    for late in range(2):
        answer = ask(store, active)
        first, second = (answer.buckets[index].visits for index in (0, 1))
        assert (first.value or 0) + (second.value or 0) == 6
        assert (first.low, first.high) == (first.value, first.value)
        store.write([parcel(passage(100 + late, at(7)))])


def test_a_time_that_nobody_watched_can_be_counted_by_hand_and_one_that_is_excluded_is_a_gap(tmp_path: Path) -> None:
    with closing(open_store(f"sqlite:{tmp_path}/store.db")) as empty:
        audit = version(1, kind="audit", start_ns=at(0), end_ns=at(15), visits=4)
        total = ask(empty, [audit]).buckets[0].visits
        assert (total.gross, total.correction, total.value) == (None, 4, 4)
        empty.write([parcel(passage(1, at(1)))])
        excluded = version(2, kind="exclusion", start_ns=at(0), end_ns=at(15))
        total = ask(empty, [excluded]).buckets[0].visits
        assert (total.gross, total.correction, total.value, total.high) == (1, -1, None, None)
        assert ask(empty).buckets[0].visits == Total(value=1, low=1, high=1, completeness=total.completeness, gross=1)


def test_a_redating_moves_events_and_what_lies_outside_the_question_counts_too(store: Store) -> None:
    yesterday_ns = T0_NS - 96 * QUARTER_NS
    redating = version(1, kind="redating", start_ns=at(0), end_ns=at(60), unit="door", shift_ns=yesterday_ns - T0_NS)
    audit = version(2, kind="audit", start_ns=yesterday_ns, end_ns=yesterday_ns + QUARTER_NS, visits=1)
    moved = ask(store, [redating, audit], start_ns=yesterday_ns, end_ns=yesterday_ns + 4 * QUARTER_NS)
    assert [bucket.visits.value for bucket in moved.buckets] == [1, 3, 3, 1]
    assert sum(bucket.visits.value or 0 for bucket in ask(store, [redating, audit]).buckets) == 0


def test_nothing_in_the_book_is_ever_changed_or_deleted(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    made = ledger.corrections.add(version(0, kind="exclusion", start_ns=1, end_ns=2).correction, "Ann", "drill", 7)
    undone = ledger.corrections.undo(made.id, "Bob", "was none", 8)
    assert [(found.id, found.active, found.undoes) for found in ledger.corrections.versions("north")] == [
        (made.id, False, None),
        (undone.id, False, made.id),
    ]
    for number, sentence in ((made.id, "was taken back already"), (undone.id, "takes back"), (99, "there is no")):
        with pytest.raises(CorrectionRefused, match=sentence):
            ledger.corrections.undo(number, "Bob", "again", 9)
    ledger.close()
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as db:
        for statement in ("DELETE FROM correction", "UPDATE correction SET author = 'Eve'"):
            with pytest.raises(sqlite3.IntegrityError, match="never"):
                db.execute(statement)


def test_audits_and_redatings_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    with closing(Ledger(tmp_path)) as ledger:
        span = {"start_ns": at(0), "end_ns": at(60)}
        audit = version(0, kind="audit", visits=1, entrance="front", **span).correction
        ledger.corrections.add(audit, "Ann", "counted", 1)
        ledger.corrections.add(version(0, kind="audit", visits=1, entrance="side", **span).correction, "A", "b", 1)
        with pytest.raises(CorrectionRefused, match="contradicts correction 1: audit by Ann: counted; undo that first"):
            ledger.corrections.add(version(0, kind="audit", visits=2, **span).correction, "Ann", "counted", 1)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"hub": "atlantis"}, "hub"),
        ({"entrance": "chimney"}, "entrance"),
        ({"start": "yesterday"}, "'yesterday'"),
        ({"end": "2026-03-01"}, "end"),
        ({"end": "2028-03-01"}, "end"),
        ({"kind": "audit"}, "visits"),
        ({"visits": 3}, "visits"),
        ({"kind": "audit", "visits": -1}, "visits"),
        ({"kind": "redating", "shift_s": 60}, "unit"),
        ({"kind": "redating", "unit": "armley-front", "shift_s": 60}, "unit"),
        ({"kind": "redating", "unit": UNIT, "shift_s": 0}, "unit"),
        ({"shift_s": 60}, "unit"),
    ],
)
def test_a_correction_that_does_not_fit_says_what_and_where(change: dict[str, Any], where: str) -> None:
    fields = {"kind": "exclusion", "author": "Ann", "reason": "drill", "hub": HUB}
    fields |= {"start": "2026-03-02", "end": "2026-03-03"}
    fleet = load_fleet(EXAMPLE_FLEET)
    NewCorrection.model_validate(fields).inside(fleet)
    with pytest.raises(ValueError, match=f"^{where}"):
        NewCorrection.model_validate(fields | change).inside(fleet)


def foyer(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "foyer", "collector", "corrections", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def test_they_are_made_listed_and_taken_back_over_http_and_by_command(
    mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    t_ns = 1_772_442_000 * 10**9  # 2026-03-02T09:00:00Z
    question = {"hub": HUB, "start": "2026-03-02", "end": "2026-03-03"}
    with Served(mosquitto, f"sqlite:{tmp_path}/store.db", tmp_path / "state") as http:
        with Unit(mosquitto) as unit:
            unit.send(event(1, t_ns=t_ns), event(2, t_ns=t_ns + 1))
            until(lambda: unit.done(EPOCH) == {1, 2}, "ack")

        def total() -> tuple[int, int, int]:
            found = http.get("/api/v1/footfall", params=question).json()["total"]
            return found["gross"], found["correction"], found["value"]

        body = {"kind": "manual", "author": "Ann", "reason": "side door", "visits": 5, **question}
        made = http.post("/api/v1/corrections", json=body)
        assert made.status_code == 201
        assert (made.json()["id"], made.json()["active"]) == (1, True)
        assert total() == (2, 5, 7)
        options = ("--state", tmp_path / "state", "--author", "Bob", "--reason", "drill")
        span = ("--hub", HUB, "--start", "2026-03-02T09:00:00Z", "--end", "2026-03-02T09:15:00Z")
        added = foyer("add", *options, "--fleet", EXAMPLE_FLEET, "exclusion", *span)
        assert (added.returncode, added.stdout) == (0, "2\n"), added.stderr
        assert total() == (2, 3, 5)
        refused = foyer("add", *options, "--fleet", EXAMPLE_FLEET, "audit", *span)
        assert refused.returncode == 2
        assert refused.stderr.startswith("foyer: --visits: an audit or manual count needs visits")
        assert foyer("undo", *options, 1).stdout == "3\n"
        assert total() == (2, -2, 0)
        gone = http.delete("/api/v1/corrections/2", params={"author": "Ann", "reason": "no drill"})
        assert gone.json()["undoes"] == 2
        assert total() == (2, 0, 2)
        listed = [json.loads(line) for line in foyer("list", "--state", tmp_path / "state").stdout.splitlines()]
        assert [(each["id"], each["author"], each["active"], each.get("undone_by")) for each in listed] == [
            (1, "Ann", False, 3),
            (2, "Bob", False, 4),
            (3, "Bob", False, None),
            (4, "Ann", False, None),
        ]
        assert [each["id"] for each in http.get("/api/v1/corrections", params={"hub": HUB}).json()] == [1, 2, 3, 4]
        assert http.delete("/api/v1/corrections/2", params={"author": "A", "reason": "b"}).status_code == 409
        assert http.post("/api/v1/corrections", json={**body, "hub": "atlantis"}).json()["detail"]["where"] == "hub"
        assert http.post("/api/v1/corrections", json={**body, "author": ""}).status_code == 422
        monkeypatch.setenv(TOKEN_VARIABLE, "secret")
        assert http.post("/api/v1/corrections", json=body).status_code == 401
        bearer = {"Authorization": "Bearer secret"}
        assert http.post("/api/v1/corrections", json=body, headers=bearer).status_code == 201


@pytest.mark.parametrize(
    ("client", "headers", "allowed"),
    [
        ("127.0.0.1", {"host": "127.0.0.1:8000"}, True),
        ("::1", {"host": "[::1]:8000"}, True),
        ("127.0.0.1", {"host": "localhost"}, True),
        ("192.0.2.7", {"host": "127.0.0.1:8000"}, False),
        ("127.0.0.1", {"host": "127.0.0.1:8000", "x-forwarded-for": "192.0.2.7"}, False),
        ("127.0.0.1", {"host": "evil.example"}, False),
        ("127.0.0.1", {"host": "127.0.0.1:8000", "sec-fetch-site": "cross-site"}, False),
    ],
)
def test_without_a_token_changes_are_taken_from_this_machine_only(
    client: str, headers: dict[str, str], allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    scope = {"type": "http", "method": "POST", "scheme": "http", "path": "/", "query_string": b"", "server": None}
    request = Request({**scope, "client": (client, 1), "headers": Headers(headers).raw})
    if allowed:
        may_write(request)
    else:
        with pytest.raises(Exception, match="changes are") as refused:
            may_write(request)
        assert getattr(refused.value, "status_code", None) == 403
