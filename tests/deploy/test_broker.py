"""The real broker with the very configuration that is deployed: who may say and hear what."""

from __future__ import annotations

import ssl
from contextlib import ExitStack
from queue import Empty, Queue
from threading import Event
from typing import TYPE_CHECKING, Any, Self

import pytest
from deployed import SECRET, Deployed, authority
from mqtt_client import end, running
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

if TYPE_CHECKING:
    from pathlib import Path

WAIT_S = 10
NOT_AUTHORIZED = 0x87


class Peer:
    """A client of the broker: a unit or a collector with a certificate, or anybody without."""

    def __init__(self, broker: Deployed, certificate: str | None, *, client_id: str = "", lasting_s: int = 0) -> None:
        self.lasting_s = lasting_s
        self.heard: Queue[tuple[str, bytes]] = Queue()
        self.session_present: bool | None = None
        self._results: Queue[tuple[int, int]] = Queue()
        self._connected, self._refused, self._subscribed = Event(), Event(), Event()
        self.client = Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=MQTTProtocolVersion.MQTTv5)
        folder = broker.certificates
        context = ssl.create_default_context(cafile=folder / "ca.crt")
        if certificate:
            context.load_cert_chain(folder / f"{certificate}.crt", folder / f"{certificate}.key")
        self.client.tls_set_context(context)
        self.client.on_connect = self._on_connect
        self.client.on_connect_fail = self.client.on_disconnect = lambda *_: self._refused.set()
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.on_publish = lambda _client, _userdata, mid, reason, _: self._results.put((mid, reason.value))
        self.client.on_message = self._on_message
        self.port = broker.port

    def _on_connect(self, _client: Client, _userdata: object, flags: Any, reason: Any, _properties: object) -> None:
        if reason.is_failure:
            self._refused.set()
        else:
            self.session_present = flags.session_present
            self._connected.set()

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        self.heard.put((message.topic, bytes(message.payload)))

    def connect(self) -> bool:
        """Whether the broker let it in; with `lasting_s` back into the session it left, which outlasts it that long."""
        expiry = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves it untyped
        expiry.SessionExpiryInterval = self.lasting_s
        try:
            self.client.connect("127.0.0.1", self.port, clean_start=not self.lasting_s, properties=expiry)
        except (ssl.SSLError, ConnectionError):
            return False
        self.client.loop_start()
        while not (self._connected.is_set() or self._refused.is_set()):
            self._refused.wait(0.01)
        return self._connected.is_set()

    def __enter__(self) -> Self:
        if not self.connect():
            self.close()
            raise ConnectionError("the broker did not let it in")
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        end(self.client)

    def may_publish(self, topic: str, payload: str = "{}", *, retain: bool = False) -> bool:
        """What the broker's acknowledgement says."""
        self.client.publish(topic, payload, qos=1, retain=retain)
        return self._results.get(timeout=WAIT_S)[1] != NOT_AUTHORIZED

    def subscribe(self, topic: str) -> None:
        self._subscribed.clear()
        self.client.subscribe(topic, qos=1)
        assert self._subscribed.wait(WAIT_S)

    def hears_until(self, topic: str) -> list[str]:
        """The topics of all that came, up to that one."""
        topics: list[str] = []
        while not topics or topics[-1] != topic:
            topics.append(self.heard.get(timeout=WAIT_S)[0])
        return topics


UNIT_WRITES = ("events", "health", "state", "reply", "recording")
UNIT_READS = ("ack", "cmd")


@pytest.mark.parametrize("channel", UNIT_WRITES)
def test_a_unit_writes_its_own_at_any_hub(broker: Deployed, channel: str) -> None:
    with Peer(broker, "armley-front") as unit:
        assert unit.may_publish(f"foyer/v1/armley/armley-front/{channel}")
        assert unit.may_publish(f"foyer/v1/strood/armley-front/{channel}")


@pytest.mark.parametrize(
    "topic",
    [
        *(f"foyer/v1/strood/strood-front/{channel}" for channel in (*UNIT_WRITES, *UNIT_READS)),
        *(f"foyer/v1/armley/armley-front/{channel}" for channel in UNIT_READS),
        "foyer/v1/armley/armley-front/anything",
        "foyer/v1/armley/armley-front",
        "foyer/v1/armley/armley-front/events/more",
        "elsewhere",
        "$SYS/broker/version",
    ],
)
def test_a_unit_writes_nothing_else(broker: Deployed, topic: str) -> None:
    with Peer(broker, "armley-front") as unit:
        assert not unit.may_publish(topic)


def test_a_forged_ack_reaches_nobody(broker: Deployed) -> None:
    with (
        Peer(broker, "armley-front") as victim,
        Peer(broker, "strood-front") as forger,
        Peer(broker, "collector.1") as collector,
    ):
        victim.subscribe("foyer/v1/armley/armley-front/ack")
        assert not forger.may_publish("foyer/v1/armley/armley-front/ack", "forged")
        assert collector.may_publish("foyer/v1/armley/armley-front/ack", "true")
        assert victim.heard.get(timeout=WAIT_S) == ("foyer/v1/armley/armley-front/ack", b"true")
        assert victim.heard.empty()


def test_a_unit_hears_its_own_ack_and_cmd_and_nothing_else(broker: Deployed) -> None:
    with (
        Peer(broker, "armley-front") as unit,
        Peer(broker, "strood-front") as other,
        Peer(broker, "collector.1") as collector,
    ):
        unit.subscribe("#")
        for channel in UNIT_WRITES:
            assert other.may_publish(f"foyer/v1/strood/strood-front/{channel}")
            assert unit.may_publish(f"foyer/v1/armley/armley-front/{channel}")
        for who in ("strood-front", "armley-front"):
            for channel in UNIT_READS:
                assert collector.may_publish(f"foyer/v1/armley/{who}/{channel}")
        assert unit.hears_until("foyer/v1/armley/armley-front/cmd") == [
            "foyer/v1/armley/armley-front/ack",
            "foyer/v1/armley/armley-front/cmd",
        ]


def test_a_collector_hears_every_unit_through_a_shared_subscription(broker: Deployed) -> None:
    with Peer(broker, "armley-front") as unit, Peer(broker, "collector.1") as collector:
        collector.subscribe("$share/collectors/foyer/v1/+/+/events")
        collector.subscribe("foyer/v1/+/+/state")
        assert unit.may_publish("foyer/v1/armley/armley-front/events", "batch")
        assert collector.hears_until("foyer/v1/armley/armley-front/events")
        assert not collector.may_publish("foyer/v1/armley/armley-front/events", "invented")


def test_a_taken_client_id_takes_nobodys_session(broker: Deployed) -> None:
    topic = "foyer/v1/armley/armley-front/ack"
    with Peer(broker, "armley-front", lasting_s=60) as unit:
        unit.subscribe(topic)
    with Peer(broker, "collector.1") as collector:
        assert collector.may_publish(topic, "waiting")
    with Peer(broker, "strood-front", client_id="armley-front", lasting_s=60) as thief:
        assert not thief.session_present
    with Peer(broker, "armley-front", lasting_s=60) as unit:
        assert unit.session_present
        assert unit.heard.get(timeout=WAIT_S) == (topic, b"waiting")


@pytest.mark.parametrize("certificate", [None, "kept"], ids=["no certificate", "revoked certificate"])
def test_who_cannot_say_who_it_is_stays_out(broker: Deployed, certificate: str | None) -> None:
    peer = Peer(broker, certificate)
    try:
        assert not peer.connect()
    finally:
        peer.close()


def test_another_authoritys_certificate_stays_out(broker: Deployed, tmp_path: Path) -> None:
    authority(tmp_path / "other", "init")
    authority(tmp_path / "other", "client", "collector.1")
    for kind in ("crt", "key"):
        (broker.certificates / f"foreign.{kind}").write_bytes((tmp_path / f"other/collector.1.{kind}").read_bytes())
    peer = Peer(broker, "foreign")
    try:
        assert not peer.connect()
    finally:
        peer.close()


@pytest.mark.parametrize(
    ("user", "password", "enters"),
    [("collector.1", SECRET, True), ("collector.1", "guess", False), ("armley-front", "", False), (None, None, False)],
)
def test_on_loopback_only_a_password_enters(
    broker: Deployed, user: str | None, password: str | None, enters: bool
) -> None:
    answers: Queue[bool] = Queue()
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.username_pw_set(user, password)
    client.on_connect = lambda _client, _userdata, _flags, reason, _properties: answers.put(not reason.is_failure)
    client.connect("127.0.0.1", broker.local_port)
    with running(client):
        try:
            assert answers.get(timeout=WAIT_S) is enters
        except Empty:
            pytest.fail(broker.log_tail())


def test_a_collector_on_this_machine_may_connect_twice(broker: Deployed) -> None:
    """Once to store and once to watch."""
    dropped = Event()
    clients = []
    with ExitStack() as stack:
        for name in ("foyer-1", "foyer-1-live"):
            connected = Event()
            client = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5)
            client.username_pw_set("collector.1", SECRET)
            client.on_connect = lambda *_, connected=connected: connected.set()
            client.on_disconnect = lambda *_: dropped.set()
            client.connect("127.0.0.1", broker.local_port)
            clients.append(stack.enter_context(running(client)))
            assert connected.wait(WAIT_S)
        for client in clients:
            client.publish("foyer/v1/armley/armley-front/cmd", "{}", qos=1).wait_for_publish(WAIT_S)
        assert not dropped.is_set()
