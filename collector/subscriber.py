"""The collector's end of MQTT, and the only module here that knows paho.

One thread owns each connection: it reads, calls the handler, and writes. Nothing else touches the client, so that a
message is acknowledged in the order of arrival and only on the connection that delivered it.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MessageType, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from collector.mqtt_stream import Publish, acknowledgements, messages
from firmware_cfg.endpoint import MqttEndpoint

KEEPALIVE_S = 30
CONNECT_TIMEOUT_S = 5.0
SESSION_EXPIRY_S = 300
"""After a crash. A session that nobody comes back to still gets its share of what units send.

So of several collectors those that only take a share wait for `FURTHER_EXPIRY_S`: then the others have it. Who may be
alone has nobody to leave it to, and after minutes away is sooner done with what waited than with what comes again.
"""
FURTHER_EXPIRY_S = 60
RECEIVE_MAX = 1000
ANSWERS_QUEUED_MAX = 10_000
_READ_BURST = 250
_READ_BYTES = 65_536
_IDLE_S = 0.5
_BACKOFF_S = (0.2, 10.0)
_STEADY_S = 5.0
"""A connection that lived for less is no reason to be quicker with the next one."""
_LINGER_S = 2.0
_FAILURE = 0x80
_TAKEN_OVER = 0x8E


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as it came, with what is needed to acknowledge it."""

    topic: str
    payload: bytes
    retained: bool
    mid: int
    qos: int
    connection: int


class Handler(Protocol):
    """What is done with messages. Both methods are called in the subscriber's own thread and must not wait."""

    def arrived(self, delivery: Delivery) -> None:
        """Take a message."""

    def turn(self) -> None:
        """Called after each burst of messages, after each `wake`, and at least twice a second."""


class _Client(Client):
    """paho's client, but messages are taken out of all that has come at once, and acknowledged many at once.

    paho asks the system for each byte of a packet's head, and writes each acknowledgement by itself, which takes longer
    than all that is done with an event. What is no whole message is paho's, and everything would be where its inner
    parts were others than those that are overridden here.
    """

    take: Callable[[Publish], None]
    handled = 0
    """Bytes of which something was made."""
    _come = b""

    def forget(self) -> None:
        """What has come on an earlier connection."""
        self._come = b""

    @property
    def holds(self) -> bool:
        """Whether something has come of which nothing was made yet."""
        return bool(self._come)

    def acknowledge(self, mids: list[int]) -> None:
        """Messages of QoS 1 and no other, since we ask for no more."""
        if mids:
            self._packet_queue(MessageType.PUBACK, acknowledgements(mids), mids[-1], 1)

    def _packet_read(self) -> MQTTErrorCode:
        if self._in_packet["command"] == 0:  # else paho is amid one
            if not self._come:
                try:
                    self._come = super()._sock_recv(_READ_BYTES)
                except BlockingIOError:
                    return MQTTErrorCode.MQTT_ERR_AGAIN
                except OSError:
                    return super()._packet_read()  # paho meets the same, and knows what to do
            found, end = messages(self._come)
            self._come = self._come[end:]
            self.handled += end
            for message in found:
                self.take(message)
            if found:
                return MQTTErrorCode.MQTT_ERR_SUCCESS
        return super()._packet_read()

    def _sock_recv(self, bufsize: int) -> bytes:
        if self._come:
            part, self._come = self._come[:bufsize], self._come[bufsize:]
        else:
            part = super()._sock_recv(bufsize)
        self.handled += len(part)
        return part


class Subscriber:
    """Keeps one MQTT 5 connection up for ever and hands what arrives to a handler.

    `durable` asks for a session that outlives a lost connection by `expiry_s`, with manual acknowledgement; else the
    session is clean.
    `say` is told in a sentence when the broker cannot be reached and when it can again; "" means that all is well.
    """

    def __init__(
        self,
        endpoint: MqttEndpoint,
        client_id: str,
        filters: Sequence[tuple[str, int]],
        handler: Handler,
        *,
        durable: bool,
        say: Callable[[str], None],
        receive_max: int = RECEIVE_MAX,
        expiry_s: int = SESSION_EXPIRY_S,
    ) -> None:
        self._endpoint = endpoint
        self._name = client_id
        self._filters = list(filters)
        self._handler = handler
        self._durable = durable
        self._say = say
        self._receive_max = receive_max
        self._expiry_s = expiry_s
        self._connection = 0
        self._lost_connection = 0
        self._ready = False
        self._ready_s = 0.0
        self._backoff_s = _BACKOFF_S[0]
        self._retry_at_s = 0.0
        self._closing = threading.Event()
        self._waker, self._woken = socket.socketpair()
        self._waker.setblocking(False)
        self._woken.setblocking(False)
        self._seen = 0
        self._outgoing: deque[tuple[str, bytes]] = deque(maxlen=ANSWERS_QUEUED_MAX)
        self.answers_dropped = 0
        self.failure: BaseException | None = None
        self._client = self._make_client(client_id)
        self._thread = threading.Thread(target=self._main, name=f"mqtt {client_id}", daemon=True)

    def _make_client(self, client_id: str) -> _Client:
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=self._durable,
        )
        client.take = self._taken
        if self._endpoint.username is not None:
            client.username_pw_set(self._endpoint.username, self._endpoint.password)
        if self._endpoint.tls:
            client.tls_set_context(self._endpoint.tls.context())
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_queued_messages_set(ANSWERS_QUEUED_MAX)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_socket_register_write = lambda _client, _userdata, _socket: None  # writes wait for our own loop
        return client

    @property
    def connected(self) -> bool:
        """Connected and subscribed."""
        return self._ready

    @property
    def connection(self) -> int:
        """Rises by one with each connection made."""
        return self._connection

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Have `turn` called soon. From any thread."""
        with contextlib.suppress(BlockingIOError, OSError):  # full: it will wake anyway; closed: it is over
            self._waker.send(b"\0")

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Tell the broker that these are done with, in this order; silent for those of an earlier connection."""
        self._client.acknowledge(
            [delivery.mid for delivery in deliveries if delivery.connection == self._connection and delivery.qos]
        )

    def publish(self, topic: str, payload: bytes) -> None:
        """QoS 1 while connected; dropped and counted otherwise, since whoever waits for it will ask again."""
        if (
            not self._client.is_connected()
            or self._client.publish(topic, payload, qos=1).rc != MQTTErrorCode.MQTT_ERR_SUCCESS
        ):
            self.answers_dropped += 1

    def publish_soon(self, topic: str, payload: bytes) -> None:
        """The same, from any thread."""
        self._outgoing.append((topic, payload))
        self.wake()

    def close(self) -> None:
        """Disconnect and end, and the session too, so that the broker gives others what comes from now on."""
        self._closing.set()
        self.wake()
        if self._thread.ident is not None:
            self._thread.join()
        self._client.reinitialise()  # where the thread failed its socket is open still
        self._waker.close()
        self._woken.close()

    def _main(self) -> None:
        try:
            self._run()
        except BaseException as error:  # a bug of ours must not look like silence
            self.failure = error
            self._ready = False
            self._say(f"the subscriber failed: {error!r}")
            raise

    def _run(self) -> None:
        while not self._closing.is_set():
            if self._client.socket() is None and time.monotonic() >= self._retry_at_s:
                self._connect()
            self._wait()
            self._read()
            self._handler.turn()
            while self._outgoing:
                self.publish(*self._outgoing.popleft())
            self._write()
            self._client.loop_misc()
        self._handler.turn()  # what was stored meanwhile is acknowledged before we go
        self._disconnect()

    def _connect(self) -> None:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho left it so
        properties.ReceiveMaximum = self._receive_max
        if self._durable:
            properties.SessionExpiryInterval = self._expiry_s
        self._connection += 1
        self._client.forget()
        try:
            self._client.connect(
                self._endpoint.host,
                self._endpoint.port,
                KEEPALIVE_S,
                clean_start=not self._durable,
                properties=properties,
            )
        except (OSError, ValueError) as error:
            self._lost(f"cannot reach the broker at {self._endpoint}: {error}")

    def _lost(self, sentence: str) -> None:
        """What went wrong first with this connection is what is said; the rest follows from it."""
        if self._steady():
            self._backoff_s = _BACKOFF_S[0]
        self._ready = False
        if self._lost_connection == self._connection:
            return
        self._lost_connection = self._connection
        self._say(f"{sentence}; trying again, nothing is lost meanwhile")
        self._retry_at_s = time.monotonic() + self._backoff_s
        self._backoff_s = min(2 * self._backoff_s, _BACKOFF_S[1])

    def _steady(self) -> bool:
        return self._ready and time.monotonic() - self._ready_s > _STEADY_S

    def _wait(self) -> None:
        sock = self._client.socket()
        timeout_s = _IDLE_S
        if sock is None:
            timeout_s = min(timeout_s, max(0.0, self._retry_at_s - time.monotonic()))
        elif self._client.holds or (isinstance(sock, ssl.SSLSocket) and sock.pending()):
            timeout_s = 0.0
        with selectors.DefaultSelector() as selector:
            selector.register(self._woken, selectors.EVENT_READ)
            if sock is not None:
                want = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._client.want_write() else 0)
                selector.register(sock, want)
            selector.select(timeout_s)
        with contextlib.suppress(BlockingIOError):
            while self._woken.recv(4096):
                pass

    def _read(self) -> None:
        last = self._seen + _READ_BURST
        while self._seen < last:
            before = self._client.handled
            if self._client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS or self._client.handled == before:
                return

    def _write(self) -> None:
        if self._client.want_write():
            self._client.loop_write()

    def _disconnect(self) -> None:
        """Say what is left to say, within `_LINGER_S`, then goodbye."""
        self._ready = False
        sock = self._client.socket()
        if sock is None:
            return
        # paho closes its socket after the goodbye. Closed with something unread, the system would reset the connection
        # and lose the last acknowledgements; so we hold the line until the broker has hung up.
        with socket.socket(fileno=os.dup(sock.fileno())) as line, contextlib.suppress(OSError):
            self._client.disconnect(properties=_ending() if self._durable else None)
            deadline_s = time.monotonic() + _LINGER_S
            while self._client.want_write() and self._client.socket() is not None and time.monotonic() < deadline_s:
                self._client.loop_write()
            line.shutdown(socket.SHUT_WR)
            line.settimeout(_LINGER_S)
            while time.monotonic() < deadline_s and line.recv(65536):
                pass
        sock.close()

    def _on_connect(self, client: Client, _data: Any, _flags: ConnectFlags, reason: ReasonCode, _props: Any) -> None:
        if reason.is_failure:
            self._lost(f"the broker at {self._endpoint} refuses the collector: {reason}")
        else:
            client.subscribe([(topic, qos) for topic, qos in self._filters])

    def _on_subscribe(self, _client: Client, _data: Any, _mid: int, reasons: list[ReasonCode], _props: Any) -> None:
        refused = [
            topic for (topic, _), reason in zip(self._filters, reasons, strict=False) if int(reason.value) >= _FAILURE
        ]
        if refused:
            self._say(f"the broker at {self._endpoint} refuses the subscription to {', '.join(refused)}; see its ACL")
            return
        self._ready_s = time.monotonic()
        self._ready = True
        self._say("")

    def _on_disconnect(
        self, _client: Client, _data: Any, flags: DisconnectFlags, reason: ReasonCode, _props: Any
    ) -> None:
        if self._closing.is_set():
            return
        why = str(reason)
        if reason.value == _TAKEN_OVER:
            why = f"another client took over the name {self._name!r}; each collector needs a name of its own"
        elif not flags.is_disconnect_packet_from_server and self._ready and not self._steady():
            why = f"the line broke soon after it was made; if that goes on, another client may be named {self._name!r}"
        elif not flags.is_disconnect_packet_from_server and reason.value == _FAILURE:
            why = "the line broke"  # the client itself has only "Unspecified error" for that
        self._lost(f"lost the broker at {self._endpoint}: {why}")

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        """One that came in pieces, or in a way that only paho knows."""
        payload = bytes(message.payload)
        self._taken(Publish(message.topic, payload, message.retain, message.mid, message.qos))

    def _taken(self, message: Publish) -> None:
        self._seen += 1
        self._handler.arrived(Delivery(*message, self._connection))


def _ending() -> Properties:
    """The session ends with this goodbye."""
    properties = Properties(PacketTypes.DISCONNECT)  # type: ignore[no-untyped-call]  # paho left it so
    properties.SessionExpiryInterval = 0
    return properties
