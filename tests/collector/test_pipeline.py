"""Between a real broker and the store: nothing is acknowledged before it is stored, and all of it is."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from collector_rig import EPOCH, FLEET, HUB, UNIT, Unit, event, until
from pipeline_rig import GatedStore, Rig
from servers import Mosquitto

from collector import pipeline as pipeline_module
from collector.ingest import Ingest
from collector.ledger import Ledger
from collector.live import Live
from collector.pipeline import Pipeline
from collector.store.base import Parcel, Refused, Tally
from collector.store.embedded import EmbeddedStore
from collector.subscriber import Delivery
from firmware_cfg.wire import Health


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
        # Of the first ten, by how many were in work by then.
        until(lambda: rig.pipeline.events_stored >= 11, "what was in work, and all ten again")
        until(lambda: unit.done() >= set(range(1, 11)), "acks")
        assert rig.pipeline.events_stored <= 20
        assert rig.store.tally(UNIT, EPOCH) == {"passage": Tally(10, 10)}
        unit.send(event(11))
        until(lambda: unit.done() >= {11}, "an answer, which the acknowledgements of the ten went before")
        mosquitto.restart()
        until(lambda: rig.subscriber.connected and rig.subscriber.connection > second, "third connection")
        unit.send(event(12))
        until(lambda: unit.done() >= {12}, "ack")
        again = [delivery for delivery in rig.delivered if delivery.connection > second]
        assert {json.loads(delivery.payload)["events"][0]["seq"] for delivery in again} <= {11, 12}


def test_connections_that_come_and_go_while_the_store_is_away_do_not_fill_the_memory(tmp_path: Path) -> None:
    """The broker sends all that is not acknowledged again on each; what an earlier one brought is no more held."""

    class Line:
        def publish(self, *_: object) -> None:
            raise AssertionError("nothing is stored")

        acknowledge = wake = publish

    store, ledger = GatedStore(tmp_path / "store.db"), Ledger(tmp_path / "state")
    live = Live(FLEET, time.time_ns)
    pipeline = Pipeline(Ingest(FLEET), store, ledger, live, wall_ns=time.time_ns, say=lambda _: None)
    pipeline.attach(Line())
    batch = {"v": 1, "unit": UNIT, "epoch": EPOCH, "sent_ns": 1, "events": [event(1)]}
    for connection in range(1, 51):
        for mid in range(1, 11):
            topic = f"foyer/v1/{HUB}/{UNIT}/events"
            payload = json.dumps(batch).encode()
            pipeline.arrived(Delivery(topic, payload, retained=False, mid=mid, qos=1, connection=connection))
            pipeline.turn()
        assert pipeline.attempt() is False
        assert sum(pipeline.queue.values()) <= 20
    assert pipeline.queue["storing"] > 0
    store.close()
    ledger.close()
