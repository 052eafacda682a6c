"""Broker and store go and come: nothing is lost, and it is said once."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest
from collector_rig import EPOCH, FLEET, HUB, UNIT, Make, Unit, event, ready, until
from servers import Influx, Mosquitto, free_port

from collector import subscriber
from collector.service import Collector
from collector.store.base import Tally
from firmware_cfg.endpoint import MqttEndpoint, parse_mqtt_url


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


def test_a_broker_that_restarts_is_found_again(
    mosquitto: Mosquitto, make: Make, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriber, "_STEADY_S", 0.0)  # as if it had been there for long
    collector = ready(make())
    with Unit(mosquitto) as unit:
        mosquitto.stop()
        until(lambda: "broker" in collector.condition().reasons, "loss seen")
        assert (
            f"lost the broker at {mosquitto.url}: the line broke; trying again, nothing is lost meanwhile"
            in caplog.messages
        )
        mosquitto.start()
        ready(collector)
        until(lambda: unit.publish("events", "{}", wait=False) is None and collector.ledger.dead_counts(), "message")
