"""The collector with a real broker and real stores: nothing is lost, nothing acknowledged before it is stored."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self

import pytest
from collector_rig import EPOCH, HUB, UNIT, Unit, event, until
from servers import Influx, Mosquitto, free_port

from collector import pipeline as pipeline_module
from collector.ingest import Ingest
from collector.ledger import Ledger
from collector.live import Live
from collector.pipeline import Pipeline
from collector.service import SHARED_EVENTS, Collector
from collector.store.base import Parcel, Refused, StoreUnavailable, Tally
from collector.store.embedded import EmbeddedStore
from collector.subscriber import Delivery, Subscriber
from firmware_cfg.endpoint import MqttEndpoint, parse_mqtt_url
from firmware_cfg.load import EXAMPLE_FLEET, load_fleet
from firmware_cfg.wire import Health

FLEET = load_fleet(EXAMPLE_FLEET)
Make = Callable[..., Collector]


@pytest.fixture
def make(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Make]:
    """Starts collectors on one broker, by default with one store and one ledger between them."""
    made: list[Collector] = []

    def start(*, store: str = f"sqlite:{tmp_path}/store.db", state: str = "state", watch: bool = True) -> Collector:
        collector = Collector(FLEET, parse_mqtt_url(mosquitto.url), store, tmp_path / state, watch=watch)
        made.append(collector)
        collector.start()
        return collector

    yield start
    for collector in made:
        collector.close()


def ready(collector: Collector) -> Collector:
    until(lambda: collector.condition().ok, "collector ready")
    return collector


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


class GatedStore(EmbeddedStore):
    """The embedded store, out of reach until the gate opens."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.gate = threading.Event()
        self.asked = 0

    def write(self, *args: object, **kwargs: object) -> list[Refused]:
        self.asked += 1
        if not self.gate.is_set():
            raise StoreUnavailable("the gate is closed")
        return super().write(*args, **kwargs)  # type: ignore[arg-type]  # passed through as it came


class Rig:
    """Pipeline and subscriber around a gated store, with what the broker delivers counted."""

    def __init__(
        self, broker: Mosquitto, folder: Path, receive_max: int = 1000, store: type[EmbeddedStore] = GatedStore
    ) -> None:
        self.store = store(folder / "store.db")
        self.ledger = Ledger(folder / "state")
        self.said: list[str] = []
        self.delivered: list[Delivery] = []
        live = Live(FLEET, time.time_ns)
        self.pipeline = Pipeline(
            Ingest(FLEET), self.store, self.ledger, live, wall_ns=time.time_ns, say=self.said.append
        )
        self.subscriber = Subscriber(
            parse_mqtt_url(broker.url),
            "rig",
            [(SHARED_EVENTS, 1)],
            self,
            durable=True,
            say=self.said.append,
            receive_max=receive_max,
        )

    def open(self) -> None:
        assert isinstance(self.store, GatedStore)
        self.store.gate.set()

    @property
    def asked(self) -> int:
        """How often the gated store was asked to write."""
        assert isinstance(self.store, GatedStore)
        return self.store.asked

    def arrived(self, delivery: Delivery) -> None:
        self.delivered.append(delivery)
        self.pipeline.arrived(delivery)

    def turn(self) -> None:
        self.pipeline.turn()

    def __enter__(self) -> Self:
        self.pipeline.start(self.subscriber)
        self.subscriber.start()
        until(lambda: self.subscriber.connected, "connection")
        return self

    def __exit__(self, *_: object) -> None:
        self.pipeline.close()
        self.subscriber.close()
        self.store.close()
        self.ledger.close()


def test_nothing_is_acknowledged_before_it_is_stored_and_all_comes_again_in_order(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    with Unit(mosquitto) as unit, Rig(mosquitto, tmp_path) as rig:
        for seq in range(1, 51):
            unit.send(event(seq))
        until(lambda: len(rig.delivered) == 50 and rig.asked > 1, "deliveries")
        assert unit.acks == []
        mosquitto.restart()
        until(lambda: len(rig.delivered) == 100, "redelivery")
        sequence = [json.loads(delivery.payload)["events"][0]["seq"] for delivery in rig.delivered]
        assert sequence == [*range(1, 51), *range(1, 51)]
        rig.open()
        until(lambda: unit.done() == set(range(1, 51)), "acks")


def test_a_batch_that_is_stored_early_waits_for_the_one_before(
    mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two writers at work: only the batch that begins with 1 is held up."""
    monkeypatch.setattr(pipeline_module, "BATCH_EVENTS_MAX", 5)
    gate = threading.Event()

    class SlowFirst(EmbeddedStore):
        def write(self, parcels: Sequence[Parcel], reports: Sequence[Health] = ()) -> list[Refused]:
            if parcels[0].events[0].seq == 1:
                gate.wait(20)
            return super().write(parcels, reports)

    with Rig(mosquitto, tmp_path, store=SlowFirst) as rig, Unit(mosquitto) as unit:
        for seq in range(1, 13):
            unit.send(event(seq))
        until(lambda: rig.store.tally(UNIT, EPOCH), "the second batch")
        time.sleep(0.1)
        assert unit.acks == []
        gate.set()
        until(lambda: unit.done() == set(range(1, 13)), "acks")
        firsts = [ack["done"][0][0] for ack in unit.acks]
        assert firsts == sorted(firsts)
        assert rig.store.tally(UNIT, EPOCH) == {"passage": Tally(12, 12)}


def test_the_broker_sends_no_more_than_the_receive_maximum(mosquitto: Mosquitto, tmp_path: Path) -> None:
    with Rig(mosquitto, tmp_path, receive_max=20) as rig, Unit(mosquitto) as unit:
        for seq in range(1, 201):
            unit.send(event(seq))
        until(lambda: rig.asked > 3, "attempts")
        assert len(rig.delivered) == 20
        rig.open()
        until(lambda: unit.done() == set(range(1, 201)), "acks")
        assert rig.store.tally(UNIT, EPOCH) == {"passage": Tally(200, 200)}


def test_acknowledgements_go_only_to_the_connection_that_delivered(mosquitto: Mosquitto, tmp_path: Path) -> None:
    with Rig(mosquitto, tmp_path) as rig, Unit(mosquitto) as unit:
        for seq in range(1, 11):
            unit.send(event(seq))
        until(lambda: len(rig.delivered) == 10, "deliveries")
        time.sleep(1.5)  # Mosquitto saves each second
        mosquitto.restart()
        until(lambda: len(rig.delivered) == 20, "redelivery")
        assert {delivery.connection for delivery in rig.delivered[:10]} == {1}
        second = rig.subscriber.connection
        assert {delivery.connection for delivery in rig.delivered[10:]} == {second}
        rig.open()
        until(lambda: rig.pipeline.events_stored == 20, "stored twice, kept once")
        assert rig.store.tally(UNIT, EPOCH) == {"passage": Tally(10, 10)}
        mosquitto.restart()
        until(lambda: rig.subscriber.connected and rig.subscriber.connection > second, "third connection")
        unit.send(event(11))
        until(lambda: unit.done() >= {11}, "ack")
        assert len(rig.delivered) == 21  # each of the ten was acknowledged by its second delivery


def test_an_influxdb_that_goes_and_comes_loses_nothing(
    mosquitto: Mosquitto, influx: Influx, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    collector = ready(make(store=f"influxdb+{influx.url}/foyer"))
    with Unit(mosquitto) as unit, caplog.at_level(logging.WARNING, "foyer.collector"):
        unit.send(event(1))
        until(lambda: unit.done() == {1}, "ack")
        influx.kill()
        for seq in range(2, 12):
            unit.send(event(seq))
        until(lambda: not collector.condition().ok, "trouble seen")
        assert list(collector.condition().reasons) == ["store"]
        time.sleep(1.0)
        assert unit.done() == {1}
        influx.start()
        until(lambda: unit.done() == set(range(1, 12)), "acks")
        until(lambda: collector.condition().ok, "well again")
        assert collector.store.tally(UNIT, EPOCH) == {"passage": Tally(11, 11)}
    said = [record.getMessage() for record in caplog.records if record.name == "foyer.collector"]
    *away, back = said  # tried many times, said once, or twice where the connection broke before it was refused
    assert 1 <= len(away) <= 2
    assert all("does not answer" in sentence for sentence in away)
    assert back == "store is there again"


def test_a_store_that_is_away_at_the_start_is_waited_for(
    mosquitto: Mosquitto, influx: Influx, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    influx.stop()
    collector = make(store=f"influxdb+{influx.url}/foyer")
    with Unit(mosquitto) as unit:
        until(lambda: list(collector.condition().reasons) == ["store"], "store's reason")
        until(lambda: "does not answer" in caplog.text, "sentence")
        unit.send(event(1))
        influx.start()
        until(lambda: unit.done() == {1}, "ack")
    until(lambda: collector.live.snapshot(HUB).units[0].online, "live")
    said = [record.getMessage() for record in caplog.records if record.name == "foyer.collector"]
    assert len(said) == 2
    assert said[1] == "store is there again"


def test_a_broker_that_is_away_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    nowhere = MqttEndpoint("127.0.0.1", free_port())
    collector = Collector(FLEET, nowhere, f"sqlite:{tmp_path}/store.db", tmp_path / "state")
    collector.start()
    until(lambda: "cannot reach the broker" in collector.condition().reasons.get("broker", ""), "reason")
    time.sleep(1.0)
    collector.close()
    said = [record.getMessage() for record in caplog.records if record.name == "foyer.collector"]
    assert len(said) == 1
    assert f"mqtt://127.0.0.1:{nowhere.port}" in said[0]


def test_a_broker_that_refuses_is_named_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sentence = "refuses the collector: Not authorized"
    with Mosquitto(tmp_path / "broker", users={"collector": "right"}) as broker:
        endpoint = parse_mqtt_url(f"mqtt://collector:wrong@127.0.0.1:{broker.port}")
        collector = Collector(FLEET, endpoint, f"sqlite:{tmp_path}/store.db", tmp_path / "state")
        collector.start()
        until(lambda: sentence in collector.condition().reasons.get("broker", ""), "reason")
        time.sleep(1.5)
        assert sentence in collector.condition().reasons["broker"]
        collector.close()
    assert len([record for record in caplog.records if record.name == "foyer.collector"]) == 1


def test_a_broker_that_restarts_is_found_again(mosquitto: Mosquitto, make: Make) -> None:
    collector = ready(make())
    with Unit(mosquitto) as unit:
        mosquitto.stop()
        until(lambda: "broker" in collector.condition().reasons, "loss seen")
        mosquitto.start()
        ready(collector)
        until(lambda: unit.publish("events", "{}", wait=False) is None and collector.ledger.dead_counts(), "message")


def test_collectors_share_the_work_and_each_shows_all(mosquitto: Mosquitto, make: Make) -> None:
    one, two = ready(make(state="one")), ready(make(state="two"))
    with Unit(mosquitto) as unit:
        for seq in range(1, 201):
            unit.send(event(seq))
        until(lambda: unit.done() == set(range(1, 201)), "acks")
        assert one.store.tally(UNIT, EPOCH) == {"passage": Tally(200, 200)}
        assert one.events_stored + two.events_stored == 200
        assert min(one.events_stored, two.events_stored) > 0
        for collector in (one, two):
            until(lambda collector=collector: len(collector.live.snapshot(HUB).last_passages) == 20, "live")
        until(lambda: one.live.snapshot(HUB).visits_today == two.live.snapshot(HUB).visits_today, "same")


def test_a_restarted_collector_shows_today_again(mosquitto: Mosquitto, make: Make) -> None:
    with Unit(mosquitto) as unit:
        first = ready(make())
        unit.send(event(1), event(2))
        until(lambda: unit.done() == {1, 2}, "ack")
        shown = first.live.snapshot(HUB).visits_today.value
        first.close()
    again = ready(make())
    until(lambda: again.live.snapshot(HUB).visits_today.value == shown, "seeded")


def test_a_collector_that_stops_for_good_gives_up_its_share_at_once(mosquitto: Mosquitto, make: Make) -> None:
    one, two = ready(make(state="one")), ready(make(state="two"))
    with Unit(mosquitto) as unit:
        unit.send(event(1))
        until(lambda: unit.done() == {1}, "ack")
        one.close()
        for seq in range(2, 42):
            unit.send(event(seq))
        until(lambda: unit.done() == set(range(1, 42)), "acks of all, without a resend")
        assert two.events_stored >= 40
