"""What waits goes out in columns, and says the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from edge_rig import HUB, Rig, events_in, fleet_of
from hypothesis import given
from hypothesis import strategies as st

from collector.store.runs import spread
from edge.delivery import RESEND_NS, batches
from edge.eventfile import OutboxSettings
from edge.runs import RUN_MIN, content
from firmware_cfg.times import NS_PER_S
from firmware_cfg.wire import BATCH_BYTES_MAX, BATCH_EVENTS_MAX, EventBatch

PLACE = {"clock": "synced", "kind": "passage", "sensor": "beams", "hub": "north", "entrance": "front"}


def passage(seq: int, **fields: Any) -> dict[str, Any]:
    base = {"direction": "in", "persons": 1, "speed_m_s": 1.25, "length_m": None, "confidence": 0.9, "role": "counting"}
    return {"seq": seq, "t_ns": 5 * seq, **PLACE, **base, **fields}


def coded(events: list[dict[str, Any]]) -> list[bytes]:
    return [json.dumps(each, separators=(",", ":"), ensure_ascii=False).encode() for each in events]


def message(events: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(b"{" + content(coded(events)) + b"}")
    return found


def test_passages_alike_go_as_one_run_whatever_comes_between() -> None:
    fault = {"seq": 5, "t_ns": 5, "clock": "synced", "kind": "fault", "sensor": "unit", "hub": "north", "fault": "x"}
    here = [passage(seq) for seq in (*range(1, 5), *range(6, 6 + RUN_MIN))]
    there = [passage(seq, sensor="radar", role="reference") for seq in range(30, 30 + RUN_MIN)]
    found = message([*here[:4], fault, *there, *here[4:]])
    assert found["events"] == [fault]
    assert [run["seq"] for run in found["runs"]] == [[each["seq"] for each in run] for run in (here, there)]
    assert found["runs"][0] == {
        **PLACE,
        "role": "counting",
        "seq": [each["seq"] for each in here],
        "t_ns": [each["t_ns"] for each in here],
        "direction": ["in"] * len(here),
        "speed_m_s": [1.25] * len(here),
        "confidence": [0.9] * len(here),
    }, "what is said anyhow is left out"


def test_a_few_go_singly() -> None:
    events = [passage(seq) for seq in range(1, RUN_MIN)]
    assert message(events) == {"events": events}


def test_what_is_no_passage_as_we_know_it_goes_singly() -> None:
    odd = [
        {**passage(1), "note": 'a "quoted", "seq":5, {word}'},
        {**passage(1), 'x"seq': 5},
        {key: value for key, value in passage(1).items() if key != "role"},
        {**passage(1), "persons": [1]},
        {**passage(1), "what": {"t_ns": 5}},
        {**passage(1), "kind": "counter", "note": '"kind":"passage"'},
    ]
    for each in odd:
        events = [each] * RUN_MIN
        assert message(events) == {"events": events}


VALUES = {
    "direction": st.sampled_from(["in", "out", "unknown"]),
    "persons": st.integers(1, 9) | st.just(1),
    "speed_m_s": st.none() | st.floats(0, 9),
    "length_m": st.none() | st.floats(0, 9, allow_subnormal=True),
    "confidence": st.floats(0, 1),
    "sensor": st.sampled_from(["beams", "radar"]),
    "clock": st.sampled_from(["synced", "synced", "unsynced"]),
}


@st.composite
def waiting(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Passages and faults, in whatever order their fields are said, some of which are left out."""
    events = []
    for seq in range(1, draw(st.integers(1, 60)) + 1):
        if draw(st.integers(0, 9)) == 0:
            place = {"clock": "synced", "kind": "fault", "sensor": "unit", "hub": "north"}
            events.append({"seq": seq, "t_ns": seq, **place, "fault": "x", "detail": draw(st.text(max_size=20))})
            continue
        fields = {name: draw(values) for name, values in VALUES.items()}
        said = passage(seq, **fields)
        if draw(st.integers(0, 9)) == 0:
            del said[draw(st.sampled_from(["persons", "speed_m_s", "length_m", "confidence"]))]
        events.append(dict(reversed(said.items())) if draw(st.integers(0, 9)) == 0 else said)
    return events


def meant(event: dict[str, Any]) -> dict[str, Any]:
    """With what is meant where nothing is said."""
    if event["kind"] != "passage":
        return event
    return {"persons": 1, "speed_m_s": None, "length_m": None, "confidence": 1.0} | event


@given(waiting())
def test_in_columns_they_say_the_same(events: list[dict[str, Any]]) -> None:
    found = message(events)
    singly = [*found.get("events", []), *spread(found.get("runs", []))]
    assert sorted(map(meant, singly), key=lambda each: each["seq"]) == list(map(meant, events))
    assert len(content(coded(events))) <= len(b'"events":[]' + b",".join(coded(events)))


@given(waiting(), st.integers(1, 12))
def test_batches_in_columns_hold_everything_once_within_both_bounds(events: list[dict[str, Any]], times: int) -> None:
    many = [
        (seq, json.dumps({**each, "seq": seq}, separators=(",", ":"), ensure_ascii=False))
        for seq, each in enumerate(events * times, 1)
    ]
    seen: list[int] = []
    for seqs, payload in batches("unit", "0" * 16, many, 7, runs=True):
        batch = EventBatch.model_validate_json(payload)
        inside = [each.seq for each in batch.events] + [seq for run in batch.runs for seq in run.seq]
        assert sorted(inside) == seqs
        assert len(payload) <= BATCH_BYTES_MAX
        assert 1 <= len(seqs) <= BATCH_EVENTS_MAX
        seen += seqs
    assert seen == [seq for seq, _ in many]


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    rig = Rig(tmp_path, fleet_of(tmp_path / "fleet", HUB), outbox=OutboxSettings(durable=False))
    rig.network.reads_runs = True
    return rig


def walks_while_away(rig: Rig, count: int, session: str) -> list[dict[str, Any]]:
    """So many people while nobody can be reached; the messages that come once somebody can."""
    rig.network.cut()
    for _ in range(count):
        rig.walk()
    before = len(rig.network.messages("events"))
    rig.network.connect(session)
    rig.run(NS_PER_S)
    return rig.network.messages("events")[before:]


def lengths(messages: list[dict[str, Any]]) -> list[tuple[int, list[int]]]:
    """Events singly and in each run."""
    return [(len(each.get("events", [])), [len(run["seq"]) for run in each.get("runs", [])]) for each in messages]


def test_a_unit_sends_columns_once_the_collector_has_said_that_it_reads_them(rig: Rig) -> None:
    assert lengths(walks_while_away(rig, RUN_MIN, "one")) == [(RUN_MIN, [])]
    assert lengths(walks_while_away(rig, RUN_MIN + 1, "two")) == [(0, [RUN_MIN + 1])]
    rig.walk()
    assert lengths(rig.network.messages("events")[-1:]) == [(1, [])], "who comes now goes as ever"
    rig.network.reads_runs = False
    rig.walk()
    assert lengths(walks_while_away(rig, RUN_MIN, "three")) == [(RUN_MIN, [])]
    assert [each["seq"] for each in rig.network.events] == list(range(1, 3 * RUN_MIN + 4))
    assert rig.unit.stats().open_ == 0


def test_what_nobody_answers_goes_again_singly(rig: Rig) -> None:
    walks_while_away(rig, 1, "one")
    rig.network.answering = False
    assert lengths(walks_while_away(rig, RUN_MIN, "two")) == [(0, [RUN_MIN])]
    before = len(rig.network.messages("events"))
    rig.run(RESEND_NS)
    again = rig.network.messages("events")[before:]
    assert lengths(again) == [(RUN_MIN, [])]
    rig.network.answering = True
    rig.run(2 * RESEND_NS)
    assert rig.unit.stats().open_ == 0
    assert lengths(walks_while_away(rig, RUN_MIN, "three")) == [(0, [RUN_MIN])]


def test_one_of_a_run_may_be_refused(rig: Rig) -> None:
    walks_while_away(rig, 1, "one")
    rig.network.refuse[4] = "no such hub"
    (message,) = walks_while_away(rig, RUN_MIN, "two")
    assert [each["seq"] for each in events_in(message)] == list(range(2, RUN_MIN + 2))
    assert (rig.unit.stats().rejected, rig.unit.stats().open_) == (1, 0)
