"""The collector's end of MQTT by itself."""

from __future__ import annotations

import pytest
from collector_rig import until
from mqtt_client import left_to_the_collector, open_sockets
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
