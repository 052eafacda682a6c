"""Passages in columns: judged, shown and told of as if each had come by itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from collector_samples import T0_NS, in_columns, parcel, passage
from hypothesis import given, settings
from hypothesis import strategies as st
from ingest_samples import EPOCH, FLEET, NOW_NS, batch, dead_seqs, event, judge, stored_seqs

from collector.answers import Live as LiveAnswer
from collector.ingest import AHEAD_NS_MAX, DeadLetter, Ingest, Verdict
from collector.live import Live
from collector.pipeline import Batch
from collector.store.base import Parcel
from collector.store.lines import event_lines
from collector.store.runs import COLUMNS, passages, singly
from collector.subscriber import Delivery
from firmware_cfg.wire import Event, Passage, PassageRun

ALIKE = {"clock": "synced", "kind": "passage", "sensor": "beams", "hub": "north", "entrance": "front"}


def run_of(events: list[dict[str, Any]], **alike: Any) -> dict[str, Any]:
    """In columns; every event says the same things."""
    columns = {name: [each[name] for each in events] for name in COLUMNS if name in events[0]}
    return {
        **{key: value for key, value in (ALIKE | {"role": "counting"} | alike).items() if value is not ...},
        **columns,
    }


def told(verdict: Verdict) -> tuple[list[Event], list[tuple[Any, ...]]]:
    """What is stored and what is dead, in the order of their numbers."""
    stored = [] if verdict.parcel is None else verdict.parcel.events
    dead = [(letter.seqs, letter.code, letter.reason, json.loads(letter.payload)) for letter in verdict.dead]
    return sorted(stored, key=lambda each: each.seq), sorted(dead, key=lambda each: each[0])


BAD: dict[str, list[Any]] = {
    "t_ns": [5, NOW_NS + AHEAD_NS_MAX + 1, 2**63, -1, 1.5, "soon", None],
    "direction": ["up", 7, None],
    "persons": [0, 1001, "1", 1.5, None, True],
    "speed_m_s": ["fast", True],
    "length_m": [[], {}],
    "confidence": [1.01, -0.1, "sure", None],
}


@st.composite
def passages_said(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Some of them wrong, in their own ways."""
    names = sorted(draw(st.sets(st.sampled_from(COLUMNS[3:]))))
    good = {
        "persons": st.integers(1, 9),
        "speed_m_s": st.none() | st.floats(0.1, 3),
        "length_m": st.none() | st.floats(0.1, 3),
        "confidence": st.floats(0, 1),
    }
    events = []
    for seq in range(1, draw(st.integers(1, 12)) + 1):
        said = {"seq": seq, "t_ns": NOW_NS - seq, "direction": draw(st.sampled_from(["in", "out", "unknown"]))}
        said |= {name: draw(good[name]) for name in names}
        wrong = draw(st.sampled_from([*[None] * 6, *(name for name in BAD if name in said)]))
        if wrong is not None:
            said[wrong] = draw(st.sampled_from(BAD[wrong]))
        events.append(said)
    return events


PLACES = st.fixed_dictionaries(
    {},
    optional={
        "clock": st.sampled_from(["unsynced", "stopped"]),
        "sensor": st.sampled_from(["radar", "bogus", "No Name"]),
        "hub": st.sampled_from(["south", "nowhere"]),
        "entrance": st.sampled_from([None, "garden"]),
        "room": st.sampled_from([None, "hall", "attic"]),
        "role": st.sampled_from(["reference", "judge", ...]),
        "kind": st.sampled_from(["counter", "selfie"]),
        "colour": st.just("red"),
    },
)


@settings(deadline=None)
@given(passages_said(), PLACES | st.just({}), st.booleans())
def test_the_verdict_is_the_same_as_if_they_had_come_singly(
    said: list[dict[str, Any]], place: dict[str, Any], beside: bool
) -> None:
    alike = {key: value for key, value in (ALIKE | {"role": "counting"} | place).items() if value is not ...}
    others = [event(100), event(101, persons=0)] if beside else []
    one_by_one = judge(batch(*others, *({**alike, **each} for each in said)))
    columns = judge(batch(*others, runs=[run_of(said, **place)]))
    assert told(columns) == told(one_by_one)


def test_good_ones_stay_in_columns() -> None:
    verdict = judge(batch(event(1, role="counting"), runs=[run_of([event(seq) for seq in range(2, 12)])]))
    assert verdict.parcel is not None
    assert ([each.seq for each in verdict.parcel.single], len(verdict.parcel.runs)) == ([1], 1)
    assert (verdict.parcel.count, verdict.dead) == (11, ())
    assert stored_seqs(verdict) == list(range(1, 12))
    alone = judge(batch(runs=[run_of([event(1)])])).parcel
    assert alone is not None
    assert ([*alone.single], len(alone.runs)) == ([], 1)


def test_a_unit_that_moved_meanwhile_is_where_it_was_at_each_time() -> None:
    may, june, august = (1_777_600_000 * 10**9, 1_781_000_000 * 10**9, 1_786_000_000 * 10**9)
    said = [event(seq, t_ns=t_ns) for seq, t_ns in enumerate((may, june, august), 1)]
    verdict = judge(batch(unit="pop-up", runs=[run_of(said)]), "foyer/v1/south/pop-up/events")
    assert (stored_seqs(verdict), dead_seqs(verdict)) == ([1], [2, 3])


def test_a_role_that_is_left_out_is_the_registrys() -> None:
    said = [event(seq) for seq in (1, 2)]
    verdict = judge(batch(runs=[run_of(said, role=...), run_of([event(3)], role=..., sensor="radar")]))
    assert verdict.parcel is not None
    assert [(each.seq, getattr(each, "role", None)) for each in verdict.parcel.events] == [
        (1, "counting"),
        (2, "counting"),
        (3, "reference"),
    ]


GOOD = run_of([event(7), event(8)])


@pytest.mark.parametrize(
    ("bad", "seqs", "reason"),
    [
        (GOOD | {"t_ns": [NOW_NS]}, (7, 8), "run: its columns are not lists of one length"),
        (GOOD | {"persons": [1, 1, 1]}, (7, 8), "run: its columns are not lists of one length"),
        (GOOD | {"persons": 1}, (7, 8), "run: its columns are not lists of one length"),
        (GOOD | {"seq": []}, (), "run: its columns are not lists of one length"),
        (GOOD | {"seq": 7}, (7,), "run: its columns are not lists of one length"),
        ("run", (), "event: is not a JSON object"),
    ],
)
def test_what_is_no_run_is_kept_whole_and_stays_what_it_is(bad: Any, seqs: tuple[int, ...], reason: str) -> None:
    verdict = judge(batch(event(1), runs=[bad, run_of([event(2)])]))
    assert stored_seqs(verdict) == [1, 2]
    (letter,) = verdict.dead
    assert (letter.code, letter.seqs, json.loads(letter.payload)) == ("invalid", seqs, bad)
    assert reason in letter.reason
    again = Ingest(FLEET).judge_again(letter, NOW_NS)
    assert again.parcel is None
    assert [(each.code, each.reason, each.seqs) for each in again.dead] == [(letter.code, letter.reason, letter.seqs)]


@pytest.mark.parametrize(
    ("message", "code", "seqs"),
    [
        (batch(event(1), runs=[run_of([event(2), event(3)])], unit="pop-up"), "wrong_unit", (1, 2, 3)),
        (batch(event(1), runs=[run_of([event(seq) for seq in range(2, 202)])]), "too_many", tuple(range(1, 202))),
        (batch(runs=[run_of([event(2)])], v=2), "version", (2,)),
        (batch(event(1), runs=7), "invalid", (1,)),
        (batch(runs=[]), "invalid", ()),
        ({key: value for key, value in batch().items() if key != "events"}, "invalid", ()),
    ],
)
def test_a_hopeless_message_names_those_in_runs_too(message: Any, code: str, seqs: tuple[int, ...]) -> None:
    verdict = judge(message)
    assert verdict.parcel is None
    assert [(letter.code, letter.seqs) for letter in verdict.dead] == [(code, seqs)]


def test_an_event_with_many_numbers_is_no_run() -> None:
    verdict = judge(batch(event(1), event(2) | {"seq": [2, 3]}))
    assert (stored_seqs(verdict), dead_seqs(verdict)) == ([1], [])
    assert "seq: Input should be a valid integer" in verdict.dead[0].reason


def test_a_batch_that_was_too_large_is_judged_again_singly() -> None:
    message = batch(event(1), runs=[run_of([event(seq) for seq in range(2, 203)])])
    letter = DeadLetter("foyer/v1/north/door/events", json.dumps(message).encode(), "too_many", "", "door", EPOCH)
    assert stored_seqs(Ingest(FLEET).judge_again(letter, NOW_NS)) == list(range(1, 203))


@given(st.lists(st.integers(1, 30), min_size=1, unique=True), st.lists(st.integers(31, 60), unique=True))
def test_the_answer_names_all_that_came(in_run: list[int], single: list[int]) -> None:
    verdict = judge(batch(*map(event, single), runs=[run_of(list(map(event, in_run)))]))
    handed = Batch()
    handed.add(Delivery("", b"", retained=False, mid=1, qos=1, connection=1), verdict)
    (answer,) = handed.answers.values()
    assert {seq for first, last in answer.done for seq in range(first, last + 1)} == {*in_run, *single}
    assert handed.events == len(in_run) + len(single)


@pytest.mark.parametrize("columns", [True, False])
def test_numbers_far_apart_do_not_fill_the_memory(columns: bool) -> None:
    """Two events of which one has the highest number that there is are no range of 9,007,199,254,740,991."""
    events = [event(1, t_ns=NOW_NS - 2), event(2**53 - 1, t_ns=NOW_NS - 1)]
    verdict = judge(batch(runs=[run_of(events)]) if columns else batch(*events))
    handed = Batch()
    handed.add(Delivery("", b"", retained=False, mid=1, qos=1, connection=1), verdict)
    (answer,) = handed.answers.values()
    assert list(answer.done) == [(1, 1), (2**53 - 1, 2**53 - 1)]
    assert verdict.parcel is not None
    live = Live(FLEET, lambda: NOW_NS)
    live.stored([verdict.parcel])
    assert live.snapshot("north").visits_today.value == 2


@given(passages_said())
def test_in_columns_and_singly_are_the_same_passages(said: list[dict[str, Any]]) -> None:
    good = [each for each in said if all(each[name] not in BAD[name] for name in each if name in BAD)]
    if good:
        run = run_of(good)
        expected = [Passage.model_validate({**ALIKE, "role": "counting", **each}) for each in good]
        assert passages(PassageRun.model_validate(run)) == expected
        assert [Passage.model_validate(each) for each in singly(run)] == expected


def fields(line: str) -> tuple[str, dict[str, str | float]]:
    """Of a line without blanks in its tags: these and the time, and the fields with numbers as numbers."""
    head, said, t_ns = line.split(" ")
    pairs = (pair.split("=") for pair in said.split(","))
    return f"{head} {t_ns}", {key: value if value[0] == '"' else float(value.rstrip("i")) for key, value in pairs}


LENGTHS = st.none() | st.floats(0, allow_infinity=False) | st.sampled_from([1e-7, 1e16, 5e-324, 60.0])


@given(st.lists(st.tuples(LENGTHS, LENGTHS, st.sampled_from(["in", "out"])), min_size=1, max_size=9), st.booleans())
def test_lines_for_influxdb_are_the_same(said: list[tuple[Any, Any, str]], all_known: bool) -> None:
    events = [
        passage(seq, speed_m_s=speed, length_m=1.5 if all_known else length, direction=way)
        for seq, (speed, length, way) in enumerate(said, 1)
    ]
    whole = parcel(*events)
    assert list(map(fields, event_lines(in_columns(whole)))) == list(map(fields, event_lines(whole)))


MINUTE_NS = 60 * 10**9


@st.composite
def histories(draw: st.DrawFn) -> list[Parcel]:
    """Passages of today and yesterday as they may arrive: in any order, parts of them twice."""
    moments = draw(st.lists(st.integers(0, 24 * 60), min_size=1, max_size=40))
    if draw(st.booleans()):
        moments.sort(reverse=True)
    whole = [
        passage(
            seq,
            T0_NS - ago * MINUTE_NS + draw(st.integers(0, 3)),
            direction=draw(st.sampled_from(["in", "in", "out", "out", "out", "unknown"])),
            persons=draw(st.integers(1, 3)),
            confidence=draw(st.sampled_from([0.5, 0.75, 1.0])),
            role=draw(st.sampled_from(["counting", "counting", "reference"])),
        )
        for seq, ago in enumerate(moments, 1)
    ]
    parts = []
    for _ in range(draw(st.integers(1, 6))):
        first = draw(st.integers(0, len(whole) - 1))
        parts.append(parcel(*whole[first : first + draw(st.integers(1, 40))]))
    return [parcel(*whole), *parts] if draw(st.booleans()) else [*parts, parcel(*whole)]


def shown(history: list[Parcel]) -> dict[str, Any]:
    live = Live(FLEET, lambda: T0_NS)
    for each in history:
        live.stored([each])
        live.snapshot("north")  # people who look in between change nothing
    answer: LiveAnswer = live.snapshot("north")
    return answer.model_dump()


@settings(deadline=None)
@given(histories(), st.data())
def test_the_live_view_is_the_same(history: list[Parcel], data: st.DataObject) -> None:
    mixed = [in_columns(each) if data.draw(st.booleans()) else each for each in history]
    assert shown(mixed) == shown(history)
