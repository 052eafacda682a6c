"""Judging messages: every rule, with the reason that the unit is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ingest_samples import EPOCH, FLEET, NOW_NS, batch, dead_seqs, event, judge, stored_seqs

from collector.ingest import AHEAD_NS_MAX, Ingest, Verdict
from firmware_cfg.wire import BATCH_BYTES_MAX


def test_a_good_batch_is_stored_whole() -> None:
    verdict = judge(batch(event(1), event(2)))
    assert stored_seqs(verdict) == [1, 2]
    assert verdict.dead == ()
    assert verdict.address is not None
    assert verdict.address.unit == "door"


@pytest.mark.parametrize(
    ("bad", "code", "reason"),
    [
        (event(2, t_ns=1_577_836_799_999_999_999), "too_early", "before 2020"),
        (event(2, t_ns=NOW_NS + AHEAD_NS_MAX + 1), "too_late", "more than an hour ahead"),
        (event(2, hub="south"), "place", "the registry did not give 'door' to hub 'south'"),
        (event(2, hub="nowhere"), "place", "it was at 'north'"),
        (event(2, entrance="garden"), "entrance", "entrance 'garden' is not in hub 'north'"),
        (event(2, room="attic"), "room", "room 'attic' is not in hub 'north'"),
        (event(2, sensor="bogus"), "sensor", "sensor 'bogus' is not configured at unit 'door' in hub 'north' at 2026-"),
        (event(2, kind="selfie"), "unknown_kind", "kind: 'selfie' is not known; known: passage, counter"),
        (event(2, kind=7), "unknown_kind", "kind: 7 is not known; known: passage, counter"),
        (event(2, kind=...), "invalid", "kind: is missing; known: passage, counter"),
        (event(2, sensor="Radar"), "invalid", "sensor: 'Radar' is no name: lower-case letters and digits"),
        (
            event(2, kind="fault", fault="lost-edges"),
            "invalid",
            "fault: 'lost-edges' is no fault's name: lower-case letters and digits, parted by single underscores",
        ),
        (event(2, persons=0), "invalid", "persons"),
        (event(2, persons="1"), "invalid", "persons"),
        (event(2, direction=...), "invalid", "direction: is missing"),
        (event(2, speed_m_s=float("nan")), "invalid", "speed_m_s"),
        (event(2, t_ns=2**63), "invalid", "t_ns"),
        (event(2, clock=...), "invalid", "clock: is missing"),
    ],
)
def test_a_bad_event_goes_and_the_rest_of_its_batch_stays(bad: dict[str, Any], code: str, reason: str) -> None:
    verdict = judge(batch(event(1), bad, event(3)))
    assert stored_seqs(verdict) == [1, 3]
    (letter,) = verdict.dead
    assert (letter.code, letter.seqs, letter.epoch, letter.unit) == (code, (2,), EPOCH, "door")
    assert reason in letter.reason
    assert json.loads(letter.payload)["seq"] == 2


@pytest.mark.parametrize("raw", [17, None, [], {}, "event", {"seq": True}, {"seq": 0}, {"seq": 2**53}])
def test_an_event_without_a_usable_seq_is_kept_all_the_same(raw: Any) -> None:
    verdict = judge(batch(event(1), raw))
    assert stored_seqs(verdict) == [1]
    (letter,) = verdict.dead
    assert letter.seqs == ()
    assert json.loads(letter.payload) == raw
    if not isinstance(raw, dict):
        assert letter.reason == "event: is not a JSON object"


@pytest.mark.parametrize(
    ("message", "topic", "code", "reason"),
    [
        (batch(event()), "foyer/v2/north/door/events", "topic", "topic is not one of"),
        (batch(event()), "foyer/v1/north/door/gossip", "topic", "topic is not one of"),
        (batch(event()), "foyer/v1/west/door/events", "unknown_hub", "hub 'west'"),
        (batch(event()), "foyer/v1/north/window/events", "unknown_unit", "unit 'window'"),
        (batch(event()), "foyer/v1/north/door/cmd", "channel", "'cmd' is not a channel"),
        (batch(event(), unit="pop-up"), "foyer/v1/north/door/events", "wrong_unit", "says unit 'pop-up'"),
        (
            batch(event(), event(seq=1, kind=0), unit="pop-up"),
            "foyer/v1/north/door/events",
            "wrong_unit",
            "its topic 'door'",
        ),
        (b"{not json", "foyer/v1/north/door/events", "json", "is not JSON"),
        (b"\xff\xfe", "foyer/v1/north/door/events", "json", "is not JSON"),
        (b"", "foyer/v1/north/door/events", "json", "is not JSON"),
        ([1], "foyer/v1/north/door/events", "invalid", "is not a JSON object"),
        (batch(event(), v=2), "foyer/v1/north/door/events", "version", "v: 2 is not a version"),
        (
            batch(event(), epoch="x"),
            "foyer/v1/north/door/events",
            "invalid",
            "epoch: 'x' is no epoch: 16 characters of",
        ),
        (batch(), "foyer/v1/north/door/events", "invalid", "events"),
        (batch(*map(event, range(1, 202))), "foyer/v1/north/door/events", "too_many", "201 events; at most 200"),
        (
            batch(event(), pad="x" * BATCH_BYTES_MAX),
            "foyer/v1/north/door/events",
            "too_large",
            f"at most {BATCH_BYTES_MAX}",
        ),
    ],
)
def test_a_hopeless_message_is_one_dead_letter(message: Any, topic: str, code: str, reason: str) -> None:
    verdict = judge(message, topic)
    assert verdict.parcel is None
    (letter,) = verdict.dead
    assert letter.code == code
    assert reason in letter.reason
    assert letter.topic == topic


def test_a_hopeless_message_names_its_events_so_that_the_unit_forgets_them() -> None:
    verdict = judge(batch(event(7), event(9), v=2))
    assert dead_seqs(verdict) == [7, 9]
    assert verdict.dead[0].epoch == EPOCH


def test_a_batch_too_large_names_its_events_too() -> None:
    verdict = judge(batch(event(7), pad="x" * BATCH_BYTES_MAX))
    assert dead_seqs(verdict) == [7]
    assert len(verdict.dead[0].payload) > BATCH_BYTES_MAX  # kept whole, as the unit forgets it


def test_a_retained_batch_is_refused_and_its_unit_told() -> None:
    verdict = judge(batch(event(4)), retained=True)
    assert verdict.parcel is None
    assert [(letter.code, letter.seqs) for letter in verdict.dead] == [("retained", (4,))]


def test_a_unit_that_moves_is_where_the_registry_says_at_that_time() -> None:
    may, june, august = (1_777_600_000 * 10**9, 1_781_000_000 * 10**9, 1_786_000_000 * 10**9)
    events = (
        event(1, t_ns=may, hub="north"),
        event(2, t_ns=may, hub="south"),
        event(3, t_ns=june, hub="north"),
        event(4, t_ns=august, hub="south"),
        event(5, t_ns=august, hub="north"),
    )
    verdict = judge(batch(*events, unit="pop-up"), "foyer/v1/south/pop-up/events")
    assert stored_seqs(verdict) == [1, 4]
    assert dead_seqs(verdict) == [2, 3, 5]
    assert "it was nowhere" in verdict.dead[1].reason


def counted(seq: int, **fields: Any) -> dict[str, Any]:
    counts = {"in": 1, "out": 0, "raw_in": 1, "raw_out": 0}
    return event(seq, kind="counter", direction=...) | counts | fields


def test_a_role_is_the_events_own_or_else_the_registrys() -> None:
    verdict = judge(
        batch(
            event(1),
            event(2, role="reference"),
            event(3, sensor="radar"),
            event(4, sensor="radar", role="counting"),
            counted(5, sensor="radar"),
        )
    )
    assert verdict.dead == ()
    assert verdict.parcel is not None
    roles = [getattr(found, "role", None) for found in verdict.parcel.events]
    assert roles == ["counting", "reference", "reference", "counting", "reference"]


def test_what_a_sensor_says_of_itself_needs_no_place_in_the_registry() -> None:
    fault = event(1, kind="fault", fault="unplugged", sensor="former", direction=..., entrance=...)
    assert stored_seqs(judge(batch(fault))) == [1]


def health(**fields: Any) -> dict[str, Any]:
    base = {
        "v": 1,
        "unit": "door",
        "hub": "north",
        "session": "s1",
        "epoch": EPOCH,
        "t_ns": NOW_NS,
        "clock": "synced",
        "uptime_s": 60.0,
        "version": "1",
        "outbox": {"depth": 0},
    }
    return base | fields


def test_health_is_kept_and_answered() -> None:
    verdict = judge(health(), "foyer/v1/north/door/health")
    assert verdict.report is not None
    assert verdict.report.t_ns == NOW_NS
    assert verdict.address is not None


def test_a_sensor_worked_at_a_hub_no_longer_than_its_unit_was_there() -> None:
    arrived_ns = 1_782_864_000 * 10**9  # 2026-07-01
    report = health(unit="pop-up", hub="south", sensors={"beams": {"ok_since_ns": 5}, "radar": {}})
    verdict = judge(report, "foyer/v1/south/pop-up/health")
    assert verdict.report is not None
    assert verdict.report.sensors["beams"].ok_since_ns == arrived_ns
    assert verdict.report.sensors["radar"].ok_since_ns is None


def test_health_of_a_unit_without_a_clock_is_dated_on_arrival() -> None:
    verdict = judge(health(clock="unsynced", t_ns=5), "foyer/v1/north/door/health")
    assert verdict.report is not None
    assert verdict.report.t_ns == NOW_NS


def test_health_dated_wrongly_by_a_synced_clock_is_refused_but_still_answered() -> None:
    verdict = judge(health(t_ns=5), "foyer/v1/north/door/health")
    assert verdict.report is None
    (letter,) = verdict.dead
    assert (letter.code, letter.epoch) == ("too_early", EPOCH)
    assert verdict.address is not None


def state(session: str, what: str = "online") -> bytes:
    return json.dumps({"v": 1, "unit": "door", "session": session, "state": what}).encode()


def test_a_will_of_an_earlier_session_is_stale() -> None:
    ingest = Ingest(FLEET)
    topic = "foyer/v1/north/door/state"
    assert ingest.judge(topic, state("one"), NOW_NS, retained=True).state is not None
    assert ingest.judge(topic, state("two"), NOW_NS).state is not None
    assert ingest.judge(topic, state("one", "offline"), NOW_NS) == Verdict(stale=True)
    death = ingest.judge(topic, state("two", "offline"), NOW_NS)
    assert death.state is not None
    assert death.state.state == "offline"


def test_births_are_known_over_a_restart() -> None:
    ingest = Ingest(FLEET, {"door": "two"})
    assert ingest.judge("foyer/v1/north/door/state", state("one", "offline"), NOW_NS).stale


def test_a_cleared_state_says_nothing() -> None:
    assert judge(b"", "foyer/v1/north/door/state", retained=True) == Verdict()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
TOPICS = st.sampled_from([f"foyer/v1/north/door/{channel}" for channel in ("events", "health", "state", "cmd")])
FIELDS = st.dictionaries(
    st.sampled_from(["seq", "t_ns", "kind", "hub", "entrance", "room", "persons", "direction", "speed_m_s", "clock"]),
    JSON | st.integers(-1, 2**64) | st.sampled_from(["north", "south", "front", "hall", "counter", "unknown"]),
    max_size=3,
)


@given(TOPICS | st.text(), st.binary() | JSON.map(lambda value: json.dumps(value).encode()), st.booleans())
def test_nothing_raises(topic: str, payload: bytes, retained: bool) -> None:
    verdict = Ingest(FLEET).judge(topic, payload, NOW_NS, retained=retained)
    kept = (verdict.parcel, verdict.report, verdict.state, *verdict.dead)
    assert any(kept) or (payload == b"" and topic.endswith("state"))


@given(st.lists(JSON | FIELDS, min_size=1, max_size=20))
def test_every_event_of_a_batch_is_stored_or_dead_never_both(parts: list[Any]) -> None:
    events = [event(index) | part if isinstance(part, dict) else part for index, part in enumerate(parts, 1)]
    verdict = judge(batch(*events))
    stored = len(verdict.parcel.events) if verdict.parcel else 0
    assert stored + len(verdict.dead) == len(events)
    expected = [found["seq"] for found in events if isinstance(found, dict) and type(found.get("seq")) is int]
    told = stored_seqs(verdict) + dead_seqs(verdict)
    assert sorted(told) == sorted(seq for seq in expected if 1 <= seq < 2**53)
