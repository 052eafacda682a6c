"""A whole unit in one thread: mock pins, an injected clock, a network that comes and goes."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from edge_rig import HOUR_NS, HUB, INNER_PIN, OUTER_PIN, SECOND_SENSOR, T0_NS, Network, Rig, fleet_of
from house import wait_until

from collector.ingest import Ingest, Verdict
from collector.pipeline import Batch
from collector.store.embedded import EmbeddedStore
from collector.subscriber import Delivery
from edge.clock import ManualClock
from edge.eventfile import OutboxSettings
from firmware_cfg.errors import ConfigError
from firmware_cfg.times import NS_PER_MS, NS_PER_S
from firmware_cfg.wire import T_NS_MAX

if TYPE_CHECKING:
    from firmware_cfg.load import Fleet

QUICK = OutboxSettings(durable=False)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    rig = Rig(tmp_path, fleet_of(tmp_path / "fleet", HUB), outbox=QUICK)
    rig.network.connect()
    return rig


def directions(rig: Rig) -> list[str]:
    return [event["direction"] for event in rig.network.passages()]


def test_people_are_counted_dated_placed_and_forgotten_once_acked(rig: Rig) -> None:
    began_ns = rig.clock.wall_ns()
    rig.walk(inward=True)
    rig.walk(inward=False)
    assert directions(rig) == ["in", "out"]
    first = rig.network.passages()[0]
    assert first["t_ns"] == began_ns + 170 * NS_PER_MS
    assert (first["hub"], first["entrance"], first["role"]) == ("hall", "front", "counting")
    assert (first["clock"], first["sensor"], first["seq"]) == ("synced", "front-beams", 1)
    stats = rig.unit.stats()
    assert (stats.open_, stats.acked, stats.max_seq) == (0, 2, 2)
    assert [len(batch["events"]) for batch in rig.network.messages("events")] == [1, 1]


def test_health_tells_totals_each_minute_and_at_once_on_connecting(rig: Rig) -> None:
    rig.walk()
    rig.run(125 * NS_PER_S)
    healths = rig.network.messages("health")
    assert len(healths) == 3
    beams = healths[-1]["sensors"]["front-beams"]
    assert (beams["in"], beams["out"], beams["edges"], beams["ok"]) == (1, 0, 4, True)
    assert healths[-1]["outbox"]["depth"] == 0
    assert healths[-1]["session"] == "session-1"


@dataclass
class RealCollector(Network):
    """The network with the collector's own judging and storing behind it."""

    fleet: Fleet | None = None
    folder: Path = Path()
    reads_runs: bool = True
    in_runs: int = 0
    """Events that came in columns."""
    lost_acks: int = 0
    """So many answers are lost on the way, and then no more."""

    def __post_init__(self) -> None:
        assert self.fleet is not None
        self.ingest = Ingest(self.fleet)
        self.store = EmbeddedStore(self.folder / "store.db")

    def publish(self, topic: str, payload: bytes) -> bool:
        if not self.up:
            return False
        batch = Batch()
        batch.add(Delivery(topic, payload, retained=False, mid=1, qos=1, connection=1), self._judged(topic, payload))
        assert not batch.dead
        self.in_runs += sum(len(run.seq) for parcel in batch.parcels for run in parcel.runs)
        assert not self.store.write(batch.parcels, batch.reports)
        for (_, epoch), answer in batch.answers.items():
            if self.lost_acks and answer.done:
                self.lost_acks -= 1
            else:
                self.ack(epoch, [list(range_) for range_ in answer.done])
        return True

    def _judged(self, topic: str, payload: bytes) -> Verdict:
        return self.ingest.judge(topic, payload, self.now_ns)


@pytest.mark.timeout(400)  # 20 s on idle cores
def test_fourteen_days_without_a_broker_at_thurrocks_rate_are_stored_once(tmp_path: Path) -> None:
    """10,404 in and out, a power cut each night; half of the answers get lost, and the connection twice."""
    fleet = fleet_of(tmp_path / "fleet", HUB)
    network = RealCollector(fleet=fleet, folder=tmp_path, lost_acks=12)
    rig = Rig(tmp_path, fleet, outbox=QUICK, network=network)
    days, events = 14, 10_404
    for day in range(days):
        for number in range(events * day // days, events * (day + 1) // days):
            rig.walk(inward=number % 2 == 0, after_ns=600 * NS_PER_MS)
        rig.run(2 * NS_PER_S)
        rig.crash()
        rig.clock.advance(10 * HOUR_NS)
        rig.network.now_ns += 10 * HOUR_NS
        rig.start()
    assert rig.unit.stats().open_ == events
    for session in ("one", "two", "three"):
        network.connect(session)
        rig.run(2 * NS_PER_S)
        network.cut()
    network.connect("four")
    rig.run(60 * NS_PER_S)
    assert rig.unit.stats().open_ == 0
    assert network.in_runs > events / 2
    stored = network.store.events("passage", "hall", 0, T_NS_MAX, limit=2 * events)
    network.store.close()
    assert len(stored) == events == 10_404
    assert [each.event.seq for each in stored] == list(range(1, events + 1)), "in the order in which they came"
    assert Counter(each.event.direction for each in stored) == {"in": events // 2, "out": events // 2}


def test_what_is_not_acked_is_sent_again_the_same(rig: Rig) -> None:
    rig.network.answering = False
    rig.walk()
    rig.run(65 * NS_PER_S)
    sent = [batch["events"] for batch in rig.network.messages("events")]
    assert len(sent) == 3
    assert all(events == sent[0] for events in sent)
    rig.network.cut()
    rig.run(NS_PER_S)
    rig.network.answering = True
    rig.network.connect("session-2")
    rig.run(NS_PER_S)
    assert rig.unit.stats().open_ == 0


def test_a_refused_event_is_kept_with_its_reason_and_not_sent_again(rig: Rig) -> None:
    rig.network.refuse[1] = "no such hub"
    rig.walk()
    rig.run(100 * NS_PER_S)
    assert len(rig.network.messages("events")) == 1
    assert rig.unit.stats().rejected == 1


def test_an_ack_of_another_epoch_changes_nothing(rig: Rig) -> None:
    rig.network.answering = False
    rig.walk()
    rig.network.ack("0" * 16, [[1, 1]])
    rig.run(NS_PER_S)
    assert rig.unit.stats().open_ == 1


def test_somebody_half_way_through_when_the_unit_dies_is_counted_once(rig: Rig) -> None:
    rig.drive(OUTER_PIN, 1)
    rig.run(90 * NS_PER_MS)
    rig.drive(INNER_PIN, 1)
    rig.run(250 * NS_PER_MS)
    rig.crash()
    rig.start(levels=(1, 1))
    rig.drive(OUTER_PIN, 0)
    rig.run(90 * NS_PER_MS)
    rig.drive(INNER_PIN, 0)
    rig.run(4 * NS_PER_S)
    assert directions(rig) == ["in"]


@pytest.mark.parametrize("stopping", ["crash", "stop"])
def test_a_passage_not_yet_decided_outlives_the_boot(rig: Rig, stopping: str) -> None:
    rig.walk(after_ns=10 * NS_PER_MS)
    rig.drive(OUTER_PIN, 1)  # the next one follows so closely that nothing is certain yet
    rig.run(300 * NS_PER_MS)
    getattr(rig, stopping)()
    assert directions(rig) == []
    seen_ns = rig.clock.wall_ns()
    rig.clock.reboot("boot-2", wall_ns=seen_ns + 60 * NS_PER_S, synced=True)
    rig.network.connect("session-2")
    rig.start()
    rig.run(3 * NS_PER_S)
    rig.walk()
    times = [event["t_ns"] for event in rig.network.passages()]
    assert directions(rig) == ["in", "in"]
    assert times[0] < seen_ns < seen_ns + 60 * NS_PER_S < times[1]


def test_without_a_clock_events_wait_for_it(tmp_path: Path) -> None:
    clock = ManualClock(5 * NS_PER_S, mono_ns=20 * NS_PER_S, synced=False)
    rig = Rig(tmp_path, fleet_of(tmp_path / "fleet", HUB), clock, QUICK)
    rig.network.connect()
    rig.walk()
    assert rig.network.events == []
    rig.clock.step_wall(T0_NS)
    rig.clock.set_synced(synced=True)
    rig.run(2 * NS_PER_S)
    (event,) = rig.network.events
    assert (event["t_ns"], event["clock"]) == (T0_NS + 5 * NS_PER_S + 170 * NS_PER_MS, "synced")


def test_a_clock_that_is_never_set_is_replaced_by_the_collectors_after_fifteen_minutes(tmp_path: Path) -> None:
    clock = ManualClock(5 * NS_PER_S, mono_ns=0, synced=False)
    rig = Rig(tmp_path, fleet_of(tmp_path / "fleet", HUB), clock, QUICK)
    rig.network.connect()
    rig.walk()
    epoch = rig.network.messages("health")[0]["epoch"]
    rig.network.ack(epoch, [])
    rig.run(14 * 60 * NS_PER_S)
    assert rig.network.events == []
    rig.run(60 * NS_PER_S)
    (event,) = rig.network.events
    assert (event["t_ns"], event["clock"]) == (T0_NS + 170 * NS_PER_MS, "unsynced")


def test_a_sensor_that_cannot_open_is_a_fault_is_tried_again_and_leaves_the_others_alone(tmp_path: Path) -> None:
    broken = {"now": True}

    def pins() -> Any:
        if broken["now"]:
            raise OSError("no GPIO here")
        return rig.pins

    fleet = fleet_of(tmp_path / "fleet", HUB)
    network = Network()
    network.connect()
    rig = Rig(tmp_path, fleet, outbox=QUICK, network=network, extra={"pin_factory": pins})
    rig.run(60 * NS_PER_S)
    (fault,) = rig.network.events
    assert (fault["kind"], fault["fault"], fault["sensor"]) == ("fault", "sensor_unavailable", "front-beams")
    assert fault["detail"].startswith("outer_pin 17: no GPIO here; is this a Raspberry Pi")
    assert rig.network.messages("health")[-1]["sensors"]["front-beams"]["ok"] is False
    rig.crash()
    rig.start()
    rig.run(10 * NS_PER_S)
    assert len(rig.network.events) == 1, "it is told again only when it changes"
    broken["now"] = False
    rig.run(60 * NS_PER_S)
    assert rig.network.events[-1]["active"] is False
    rig.walk()
    assert directions(rig) == ["in"]


def test_two_sensors_on_one_pin_factory_count_apart(tmp_path: Path) -> None:
    network = Network()
    network.connect()
    rig = Rig(tmp_path, fleet_of(tmp_path / "fleet", HUB + SECOND_SENSOR), outbox=QUICK, network=network)
    for pin in (5, 6):
        rig.drive(pin, 1)
        rig.run(80 * NS_PER_MS)
    for pin in (5, 6):
        rig.drive(pin, 0)
        rig.run(80 * NS_PER_MS)
    rig.walk()
    found = {(event["sensor"], event["role"]) for event in rig.network.passages()}
    assert found == {("spare-beams", "reference"), ("front-beams", "counting")}


def test_a_flood_of_edges_is_bounded_counted_and_told(rig: Rig) -> None:
    for _ in range(3000):
        rig.clock.advance(1000)
        rig.drive(OUTER_PIN, 1)
        rig.clock.advance(1000)
        rig.drive(OUTER_PIN, 0)
    rig.run(70 * NS_PER_S)
    faults = [event for event in rig.network.events if event["kind"] == "fault" and event["fault"] == "edges_lost"]
    assert [fault["count"] for fault in faults] == [6000 - 4096]
    beams = rig.network.messages("health")[-1]["sensors"]["front-beams"]
    assert beams["lost_edges"] >= 6000 - 4096
    assert beams["chatter"] > 4000


def test_commands_are_answered_once_and_expired_ones_refused(rig: Rig) -> None:
    rig.walk()
    rig.network.command("ping", number="a")
    rig.network.command("ping", number="a")
    rig.network.command("ping", number="b", expires_ns=T0_NS - 1)
    rig.network.command("dance", number="c")
    rig.network.command("resend", number="d", epoch="0" * 16, ranges=[[5, 1]])
    rig.network.command("resend", number="e", first=1, last=5)
    rig.run(NS_PER_S)
    rig.crash()
    rig.start()
    rig.network.command("ping", number="a")
    rig.run(NS_PER_S)
    replies = {reply["id"]: (reply["ok"], reply["detail"]) for reply in rig.network.messages("reply")}
    assert len(rig.network.messages("reply")) == 5
    assert replies["a"] == (True, "")
    assert replies["b"] == (False, "it has expired")
    assert "no command 'dance'; there are ping, resend" in replies["c"][1]
    assert "the range 5 to 1 runs backwards" in replies["d"][1]
    assert "epoch: is missing" in replies["e"][1]


def test_a_collector_can_ask_again_for_what_it_lost_and_learns_what_is_gone(rig: Rig) -> None:
    for _ in range(5):
        rig.walk()
    before = rig.network.events
    epoch = rig.unit.stats().epoch
    rig.network.stored.clear()
    rig.network.command("resend", number="a", epoch=epoch, ranges=[[4, 4], [2, 3], [3, 4]])
    rig.network.command("resend", number="b", epoch=epoch, ranges=[[5, 7], [9, 2**53 - 1]])
    rig.network.command("resend", number="c", epoch="f" * 16, ranges=[[1, 2], [3, 3]])
    rig.run(3 * NS_PER_S)
    assert rig.network.events == before[1:5]
    replies = {reply["id"]: reply for reply in rig.network.messages("reply")}
    assert replies["a"] == {"v": 1, "id": "a", "ok": True, "detail": "", "args": {"events": 3, "gone": []}}
    assert replies["b"]["args"] == {"events": 1, "gone": [[6, 7], [9, 2**53 - 1]]}
    assert replies["c"]["args"] == {"events": 0, "gone": [[1, 3]]}
    assert rig.unit.stats().open_ == 0


def test_what_the_collector_has_had_for_a_week_is_gone(rig: Rig) -> None:
    rig.walk()
    rig.clock.advance(6 * 24 * HOUR_NS)
    rig.network.now_ns += 6 * 24 * HOUR_NS
    rig.walk()
    rig.clock.advance(2 * 24 * HOUR_NS)
    rig.network.now_ns += 2 * 24 * HOUR_NS
    rig.walk()
    rig.run(2 * HOUR_NS)
    before = rig.network.events
    rig.network.stored.clear()
    rig.network.command("resend", epoch=rig.unit.stats().epoch, ranges=[[1, 3]])
    rig.run(3 * NS_PER_S)
    assert rig.network.messages("reply")[-1]["args"] == {"events": 2, "gone": [[1, 1]]}
    assert rig.network.events == before[1:]


def test_rubbish_from_the_network_does_no_harm(rig: Rig) -> None:
    for channel in ("ack", "cmd"):
        for payload in (b"", b"\xff", b"[]", b'{"id": 7}', b'{"id": "x"}', json.dumps({"epoch": "x" * 16}).encode()):
            rig.network.receive(channel, payload)
    rig.walk()
    assert directions(rig) == ["in"]
    assert [reply["id"] for reply in rig.network.messages("reply")] == ["x"]


def test_a_unit_that_moves_counts_for_the_new_hub_from_that_moment(tmp_path: Path) -> None:
    there = HUB.replace("since = 2020-01-01", "since = 2020-01-01\nuntil = 2026-05-28T20:27:00Z")
    then = HUB.replace('"hall"', '"barn"').replace("since = 2020-01-01", "since = 2026-05-28T20:27:00Z")
    network = Network()
    network.connect()
    rig = Rig(tmp_path, fleet_of(tmp_path / "fleet", there, then), outbox=QUICK, network=network)
    rig.walk()
    rig.run(60 * NS_PER_S)
    rig.walk()
    assert [event["hub"] for event in rig.network.passages()] == ["hall", "barn"]
    assert rig.network.identity is not None
    assert rig.network.identity.topic("events") == "foyer/v1/barn/hall-front/events"


def test_an_unknown_unit_is_told_which_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such unit; there are hall-front"):
        Rig(tmp_path, fleet_of(tmp_path / "fleet", HUB), unit_id="nobody")


def test_stopping_stores_what_is_pending_and_says_goodbye(rig: Rig) -> None:
    rig.network.cut()
    rig.walk()
    assert rig.stop()
    assert rig.network.closed
    rig.network.connect("session-2")
    rig.pins.reset()
    rig.start()
    rig.run(NS_PER_S)
    assert directions(rig) == ["in"]


def test_pins_driven_from_another_thread_are_counted_while_it_runs(rig: Rig) -> None:
    thread = threading.Thread(target=rig.unit.run)
    thread.start()
    for pin, level in ((OUTER_PIN, 1), (INNER_PIN, 1), (OUTER_PIN, 0), (INNER_PIN, 0)):
        rig.drive(pin, level)
        rig.clock.advance(90 * NS_PER_MS)
    rig.clock.advance(3 * NS_PER_S)
    wait_until("the passage", rig.network.passages)
    rig.unit.stop()
    thread.join(20)
    assert not thread.is_alive()
    assert directions(rig) == ["in"]
    assert rig.stop()
