"""A client that a test has ended leaves nothing to the garbage collector."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from mqtt_client import end, left_to_the_collector, open_sockets, running
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

if TYPE_CHECKING:
    from servers import Mosquitto

PROTOCOLS = [MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5]


class Peer:
    """A cycle, as most clients in the tests are: its callbacks hold it, and it holds the client."""

    def __init__(self, protocol: MQTTProtocolVersion) -> None:
        self.client = Client(CallbackAPIVersion.VERSION2, protocol=protocol)
        self.client.on_connect = self._on_connect
        self.client.on_disconnect = lambda *_: self.seen.append("disconnect")
        self.seen: list[str] = []

    def _on_connect(self, *_: object) -> None:
        self.seen.append("connect")


@pytest.fixture(autouse=True)
def before() -> int:
    """How many sockets are open, with the garbage of other tests gone."""
    left_to_the_collector()
    return open_sockets()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_ended_client_leaves_nothing_open(mosquitto: Mosquitto, protocol: MQTTProtocolVersion, before: int) -> None:
    peer = Peer(protocol)
    peer.client.connect("127.0.0.1", mosquitto.port)
    with running(peer.client) as client:
        client.publish("t", "x", qos=1).wait_for_publish(10)
    assert peer.seen == ["connect", "disconnect"]
    assert open_sockets() == before
    del peer, client
    assert left_to_the_collector() == []


def test_a_client_of_a_test_that_fails_leaves_nothing_open(mosquitto: Mosquitto, before: int) -> None:
    peer = Peer(MQTTProtocolVersion.MQTTv5)
    peer.client.connect("127.0.0.1", mosquitto.port)
    with pytest.raises(AssertionError, match="it fails"), running(peer.client):
        raise AssertionError("it fails")
    assert open_sockets() == before
    del peer
    assert left_to_the_collector() == []


@pytest.mark.parametrize("started", [False, True])
def test_a_client_whose_broker_is_gone_leaves_nothing_open(
    mosquitto: Mosquitto,
    started: bool,
    before: int,
) -> None:
    peer = Peer(MQTTProtocolVersion.MQTTv5)
    peer.client.connect("127.0.0.1", mosquitto.port)
    if started:
        peer.client.loop_start()
    mosquitto.kill()
    end(peer.client)
    end(peer.client)
    assert open_sockets() == before
    del peer
    assert left_to_the_collector() == []


def test_what_is_not_ended_is_seen(mosquitto: Mosquitto, before: int) -> None:
    peer = Peer(MQTTProtocolVersion.MQTTv5)
    peer.client.connect("127.0.0.1", mosquitto.port)
    peer.client.loop_start()
    peer.client.disconnect()
    peer.client.loop_stop()
    assert open_sockets() == before + 2
    end(peer.client)


def test_what_is_left_to_the_collector_is_seen() -> None:
    cycle: list[object] = [socket.socket()]
    cycle.append(cycle)
    del cycle
    assert len(left_to_the_collector()) == 1
