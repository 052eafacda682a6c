"""The collector's end of MQTT by itself."""

from __future__ import annotations

import pytest
from collector_rig import until
from mqtt_client import left_to_the_collector, open_sockets, running
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from servers import Mosquitto

from collector.subscriber import Delivery, Subscriber
from firmware_cfg.endpoint import parse_mqtt_url


class Faulty:
    """A handler that works until it is told not to."""

    broken = False

    def arrived(self, delivery: Delivery) -> None:
        """Not looked at."""

    def turn(self) -> None:
        if self.broken:
            raise ZeroDivisionError("a bug of ours")


@pytest.mark.parametrize("broken", [False, True])
# The thread's death is the test's own doing.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_closed_subscriber_leaves_nothing_open_even_where_its_thread_failed(
    mosquitto: Mosquitto,
    broken: bool,
) -> None:
    left_to_the_collector()
    before = open_sockets()
    said: list[str] = []
    handler = Faulty()
    subscriber = Subscriber(parse_mqtt_url(mosquitto.url), "faulty", [("t", 1)], handler, durable=True, say=said.append)
    subscriber.start()
    until(lambda: subscriber.connected, "connected")
    handler.broken = broken
    if broken:
        until(lambda: subscriber.failure, "its failure")
        assert said[-1] == "the subscriber failed: ZeroDivisionError('a bug of ours')"
    handler.broken = False
    subscriber.close()
    subscriber.publish("t", b"too late")
    subscriber.acknowledge([Delivery("t", b"", retained=False, mid=1, qos=1, connection=subscriber.connection)])
    assert subscriber.answers_dropped == 1
    assert open_sockets() == before


class Taking:
    """A handler that keeps what comes and acknowledges it at its turn."""

    subscriber: Subscriber

    def __init__(self) -> None:
        self.came: list[Delivery] = []
        self._acknowledged = 0

    def arrived(self, delivery: Delivery) -> None:
        self.came.append(delivery)

    def turn(self) -> None:
        self.subscriber.acknowledge(self.came[self._acknowledged :])
        self._acknowledged = len(self.came)


def test_a_flood_of_all_sizes_comes_once_and_in_order_while_answers_go_out(mosquitto: Mosquitto) -> None:
    handler = Taking()
    endpoint = parse_mqtt_url(mosquitto.url)
    payloads = [bytes([number % 251]) * (number * 37 % 1_500 if number % 40 else 200_000) for number in range(2_000)]
    handler.subscriber = subscriber = Subscriber(
        endpoint, "flooded", [("t", 1)], handler, durable=True, say=lambda _: None, receive_max=100
    )
    subscriber.start()
    try:
        until(lambda: subscriber.connected, "connected")
        publisher = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        publisher.connect("127.0.0.1", mosquitto.port)
        with running(publisher):
            for payload in payloads:
                publisher.publish("t", payload, qos=1)
                subscriber.publish_soon("other", payload)
            until(lambda: len(handler.came) >= len(payloads), "all messages")
        assert [delivery.payload for delivery in handler.came] == payloads
        assert {(delivery.topic, delivery.qos, delivery.retained) for delivery in handler.came} == {("t", 1, False)}
        assert subscriber.answers_dropped == 0
    finally:
        subscriber.close()
