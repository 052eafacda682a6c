"""The MQTT link by itself: who may connect, and what is said when it cannot."""

from __future__ import annotations

import functools
import socket
import threading
from typing import TYPE_CHECKING

import pytest
from house import wait_until
from mqtt_client import left_to_the_collector, open_sockets
from servers import Mosquitto, TlsMosquitto

from edge.link import Connected, Disconnected, Happening, Identity, Received
from edge.publisher import Publisher
from firmware_cfg.endpoint import TlsFiles, parse_mqtt_url
from firmware_cfg.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

UNIT = Identity("hall", "hall-front", "1.0")
QUICK = (0.05, 0.1)


class Listener:
    """Polls a publisher and keeps what happened."""

    def __init__(self, publisher: Publisher) -> None:
        self.publisher = publisher
        self.seen: list[Happening] = []

    def has(self, kind: type[Happening], count: int = 1) -> bool:
        self.seen += self.publisher.poll()
        return sum(isinstance(happening, kind) for happening in self.seen) >= count


def test_it_hears_its_own_ack_and_cmd_and_nothing_else(mosquitto: Mosquitto) -> None:
    publisher = Publisher(parse_mqtt_url(mosquitto.url), backoff_s=QUICK)
    assert not publisher.publish("foyer/v1/hall/hall-front/events", b"{}")
    publisher.open(UNIT)
    listener = Listener(publisher)
    wait_until("connected", lambda: listener.has(Connected))
    for topic in ("hall/hall-front/state", "hall/other/ack", "barn/hall-front/ack", "hall/hall-front/cmd"):
        assert publisher.publish(f"foyer/v1/{topic}", topic.encode())
    wait_until("both", lambda: listener.has(Received, 2))
    received = [happening for happening in listener.seen if isinstance(happening, Received)]
    assert {(message.channel, message.payload) for message in received} == {
        ("ack", b"barn/hall-front/ack"),
        ("cmd", b"hall/hall-front/cmd"),
    }
    publisher.close()
    assert not publisher.publish("foyer/v1/hall/hall-front/events", b"{}")


def test_each_connection_is_a_session_of_its_own(mosquitto: Mosquitto) -> None:
    publisher = Publisher(parse_mqtt_url(mosquitto.url), backoff_s=QUICK)
    publisher.open(UNIT)
    listener = Listener(publisher)
    wait_until("connected", lambda: listener.has(Connected))
    mosquitto.restart()
    wait_until("gone", lambda: listener.has(Disconnected))
    wait_until("connected again", lambda: listener.has(Connected, 2))
    first, second = [happening.session for happening in listener.seen if isinstance(happening, Connected)]
    assert first != second
    publisher.close()


def test_a_wrong_password_is_told_once_and_a_right_one_connects(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Mosquitto(tmp_path, users={"hall-front": "right"}) as broker:
        wrong = Publisher(parse_mqtt_url(f"mqtt://hall-front:wrong@127.0.0.1:{broker.port}"), backoff_s=QUICK)
        wrong.open(UNIT)
        wait_until("its complaint", lambda: "Not authorized" in caplog.text)
        wrong.close()
        assert "wrong" not in caplog.text
        right = Publisher(parse_mqtt_url(broker.url_for("hall-front")), backoff_s=QUICK)
        right.open(UNIT)
        listener = Listener(right)
        wait_until("connected", lambda: listener.has(Connected))
        right.close()
    assert caplog.text.count("Not authorized") == 1


def test_two_units_of_one_name_are_told_so(mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture) -> None:
    """Mosquitto closes the older connection without a word."""
    pair = [Publisher(parse_mqtt_url(mosquitto.url), backoff_s=QUICK) for _ in range(2)]
    for publisher in pair:
        publisher.open(UNIT)
    wait_until("its complaint", lambda: "soon after it was made: is a second agent running?" in caplog.text)
    for publisher in pair:
        publisher.close()


def test_a_broker_that_says_who_took_the_session_over_is_quoted(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        publisher = Publisher(parse_mqtt_url(f"mqtt://127.0.0.1:{server.getsockname()[1]}"))
        publisher.open(UNIT)
        with server.accept()[0] as connection:
            connection.recv(1000)
            connection.sendall(bytes.fromhex("2003000000e0028e00"))  # CONNACK, and DISCONNECT because of a takeover
            wait_until(
                "its complaint",
                lambda: "(another client connected as hall-front: is a second agent running?)" in caplog.text,
            )
        publisher.close()


@pytest.mark.parametrize(("steady_s", "complaints"), [(0.0, 3), (1e9, 1)], ids=["steady", "short"])
def test_only_a_connection_that_lasted_is_worth_a_new_complaint_and_a_short_wait(
    mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture, steady_s: float, complaints: int
) -> None:
    publisher = Publisher(parse_mqtt_url(mosquitto.url), backoff_s=QUICK, steady_s=steady_s)
    publisher.open(UNIT)
    listener = Listener(publisher)
    for number in range(1, 4):
        wait_until("connected", lambda number=number: listener.has(Connected, number))  # type: ignore[misc]  # a lambda
        publisher._connection.end.set()  # type: ignore[union-attr]  # it is connected
    wait_until("connected again", lambda: listener.has(Connected, 4))
    publisher.close()
    assert caplog.text.count("is lost") == complaints


def test_a_thread_of_paho_that_ends_while_it_is_stopped_does_not_end_the_publisher(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library asks whether its thread is there, and then joins it; one whose connection is lost ends by itself."""
    publisher = Publisher(parse_mqtt_url(mosquitto.url), backoff_s=QUICK)
    looked, plain = threading.Event(), threading.current_thread
    publisher.open(UNIT)
    listener = Listener(publisher)
    wait_until("connected", lambda: listener.has(Connected))
    end: threading.Event = publisher._connection.end  # type: ignore[union-attr]  # it is connected
    set_now = end.set

    def held() -> None:
        """Called by paho's thread, which then goes no further."""
        set_now()
        looked.wait(10)

    def between() -> threading.Thread:
        """Called by `loop_stop` after the look and before the join."""
        if plain().name == "publisher" and end.is_set() and not looked.is_set():
            looked.set()
            wait_until("its end", lambda: not any("paho" in thread.name for thread in threading.enumerate()))
        return plain()

    monkeypatch.setattr(end, "set", held)
    monkeypatch.setattr(threading, "current_thread", between)
    mosquitto.kill()
    assert looked.wait(10)
    mosquitto.start()
    wait_until("connected again", lambda: listener.has(Connected, 2))
    publisher.close()


def test_a_subscription_confirmed_while_the_connection_ends_leaves_no_client(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_to_the_collector()
    before = open_sockets()
    publisher = Publisher(parse_mqtt_url(mosquitto.url), backoff_s=QUICK)
    post, plain = publisher._post, publisher._post.disconnected
    publisher.open(UNIT)
    listener = Listener(publisher)
    wait_until("connected", lambda: listener.has(Connected))
    late = [functools.partial(post.connected, post.client, "late")]  # type: ignore[arg-type]  # it is connected

    def disconnected(reason: str) -> None:
        plain(reason)
        if late:
            late.pop()()

    monkeypatch.setattr(post, "disconnected", disconnected)
    publisher.close()
    assert [type(happening) for happening in publisher.poll()] == [Disconnected, Connected, Disconnected]
    assert not publisher.publish("foyer/v1/hall/hall-front/events", b"{}")
    assert open_sockets() == before


# paho leaves a socket whose handshake failed to the garbage collector, which closes it and warns.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning")
def test_tls_needs_a_broker_whose_signer_is_known(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with TlsMosquitto(tmp_path / "broker") as broker:
        url = f"mqtts://127.0.0.1:{broker.port}"
        stranger = Publisher(parse_mqtt_url(url), backoff_s=QUICK)
        stranger.open(UNIT)
        wait_until("its complaint", lambda: "certificate" in caplog.text)
        stranger.close()
        known = Publisher(parse_mqtt_url(url, TlsFiles(ca=broker.certificate)), backoff_s=QUICK)
        known.open(UNIT)
        listener = Listener(known)
        wait_until("connected", lambda: listener.has(Connected))
        known.close()


def test_a_certificate_that_cannot_be_read_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--tls-ca, --tls-cert or --tls-key cannot be used"):
        Publisher(parse_mqtt_url("mqtts://localhost", TlsFiles(ca=tmp_path / "missing.pem")))
