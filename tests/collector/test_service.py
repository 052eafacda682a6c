"""The collector with a real broker and a real store: what comes is stored, answered, recorded and shown."""

from __future__ import annotations

import json
import time

import pytest
from collector_rig import EPOCH, HUB, UNIT, Make, Unit, event, ready, until
from servers import Mosquitto

from collector.store.base import Tally


def test_an_event_is_stored_answered_recorded_and_shown(mosquitto: Mosquitto, make: Make) -> None:
    collector = ready(make())
    with Unit(mosquitto) as unit:
        before_ns = time.time_ns()
        unit.send(event(1), event(2, direction="out"))
        until(lambda: unit.done() == {1, 2}, "ack")
        assert collector.store.tally(UNIT, EPOCH) == {"passage": Tally(2, 2)}
        assert list(collector.ledger.done(UNIT, EPOCH)) == [(1, 2)]
        assert before_ns < unit.acks[-1]["now_ns"] < time.time_ns()
        until(lambda: len(collector.live.snapshot(HUB).last_passages) == 2, "live")
        assert collector.live.snapshot(HUB).visits_today.value in (1, 2)  # the other may be of yesterday


def test_what_cannot_be_stored_is_kept_told_and_forgotten_by_the_unit(mosquitto: Mosquitto, make: Make) -> None:
    collector = ready(make())
    with Unit(mosquitto) as unit:
        unit.send(event(1), event(2, entrance="chimney"), event(3))
        until(lambda: unit.done() == {1, 2, 3}, "ack")
        (rejected,) = [pair for ack in unit.acks for pair in ack["rejected"]]
        assert rejected == [2, "entrance 'chimney' is not in hub 'strood'"]
        (kept,) = collector.ledger.dead_letters()
        assert (kept.letter.code, kept.letter.seqs, kept.letter.unit) == ("entrance", (2,), UNIT)
        unit.publish("events", "nonsense")
        until(lambda: collector.ledger.dead_counts() == {"entrance": 1, "json": 1}, "dead letter")
        assert collector.store.tally(UNIT, EPOCH) == {"passage": Tally(2, 2)}


@pytest.mark.parametrize(
    "topic",
    ["foyer/v1/strood/strood-front/evnts", "foyer/v2/strood/strood-front/events", "foyer/v1/strood/events", "foyer"],
)
def test_what_comes_on_a_topic_that_is_nobodys_is_kept(mosquitto: Mosquitto, make: Make, topic: str) -> None:
    collector = ready(make())
    with Unit(mosquitto) as unit:
        until(lambda: unit.publish_on(topic, '{"v": 1}') is None and collector.ledger.dead_counts(), "dead letter")
        assert collector.ledger.dead_counts() == {"topic": 1}
        (kept,) = collector.ledger.dead_letters()
        assert (kept.letter.topic, kept.letter.payload) == (topic, b'{"v": 1}')
        assert kept.letter.reason == "topic is not one of foyer/v1/{hub}/{unit}/{channel}"


def test_what_others_say_on_our_topics_is_no_dead_letter(mosquitto: Mosquitto, make: Make) -> None:
    collector = ready(make())
    with Unit(mosquitto) as unit:
        until(lambda: unit.publish_on("foyer/first", "{}") is None and collector.ledger.dead_counts(), "watching")
        for channel in ("recording", "cmd", "state"):
            unit.publish(channel, "{}" if channel != "state" else "")
        unit.publish("events", "nonsense")
        unit.publish_on("foyer/last", "{}")
        until(lambda: collector.ledger.dead_counts() == {"json": 1, "topic": 2}, "the others")


def test_dropped_ranges_that_are_declared_are_no_holes(mosquitto: Mosquitto, make: Make) -> None:
    collector = ready(make())
    with Unit(mosquitto) as unit:
        fault = {"kind": "fault", "fault": "events_dropped", "first_seq": 2, "last_seq": 5}
        unit.send(event(1), event(8, **fault))
        until(lambda: unit.done() == {1, 8}, "ack")
        assert collector.ledger.done(UNIT, EPOCH).holes() == [(6, 7)]


def test_health_is_stored_and_answered_with_the_time(mosquitto: Mosquitto, make: Make) -> None:
    collector = ready(make())
    with Unit(mosquitto) as unit:
        now_ns = time.time_ns()
        report = {
            "v": 1,
            "unit": UNIT,
            "hub": HUB,
            "session": "s",
            "epoch": EPOCH,
            "t_ns": now_ns,
            "clock": "synced",
            "uptime_s": 1.0,
            "version": "1",
            "outbox": {"depth": 0},
            "sensors": {"front-beams": {}},
        }
        unit.publish("health", json.dumps(report))
        until(lambda: unit.acks, "ack")
        assert (unit.acks[0]["done"], unit.acks[0]["rejected"]) == ([], [])
        covered = collector.store.coverage_15m(HUB, now_ns - 900 * 10**9, now_ns + 900 * 10**9)
        assert {(found.unit, found.sensor) for found in covered} == {(UNIT, "unit"), (UNIT, "front-beams")}


def test_a_stale_will_does_not_take_a_unit_offline(mosquitto: Mosquitto, make: Make) -> None:
    collector = ready(make())

    def state(session: str, what: str) -> str:
        return json.dumps({"v": 1, "unit": UNIT, "session": session, "state": what})

    def online() -> bool | None:
        return collector.live.snapshot(HUB).units[0].online

    with Unit(mosquitto) as unit:
        unit.publish("state", state("two", "online"), retain=True)
        until(lambda: online() is True, "birth")
        unit.publish("state", state("one", "offline"), retain=True)
        unit.send(event(1))
        until(lambda: unit.done() == {1}, "ack")
        assert online() is True
        unit.publish("state", state("two", "offline"), retain=True)
        until(lambda: online() is False, "will")
        assert collector.ledger.births() == {UNIT: "two"}


def test_a_flood_is_stored_whole(mosquitto: Mosquitto, make: Make) -> None:
    collector = ready(make())
    with Unit(mosquitto) as unit:
        for first in range(1, 20_001, 100):
            unit.send(*(event(seq) for seq in range(first, first + 100)))
        for seq in range(20_001, 20_501):
            unit.publish("events", "not json") if seq % 100 == 0 else unit.send(event(seq))
        expected = set(range(1, 20_501)) - set(range(20_100, 20_501, 100))
        until(lambda: unit.done() == expected, "acks")
        assert collector.store.tally(UNIT, EPOCH) == {"passage": Tally(len(expected), len(expected))}


def test_a_restarted_collector_shows_today_again(mosquitto: Mosquitto, make: Make) -> None:
    with Unit(mosquitto) as unit:
        first = ready(make())
        unit.send(event(1), event(2))
        until(lambda: unit.done() == {1, 2}, "ack")
        shown = first.live.snapshot(HUB).visits_today.value
        first.close()
    again = ready(make())
    until(lambda: again.live.snapshot(HUB).visits_today.value == shown, "seeded")
