"""MQTT 5 by paho: the only room of the unit that knows it."""

from __future__ import annotations

import contextlib
import logging
import secrets
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from edge.link import Connected, Disconnected, Happening, Identity, Received
from firmware_cfg.endpoint import MqttEndpoint
from firmware_cfg.wire import Channel

log = logging.getLogger(__name__)

KEEPALIVE_S = 30
CONNECT_TIMEOUT_S = 10.0
BACKOFF_S = (1.0, 60.0)
INCOMING_MAX = 1000
OUTGOING_MAX = 2000  # a window of events one by one, and as much again
STOP_S = 5.0
STEADY_S = 5.0
"""A connection that lived shorter does not make the next one come sooner."""
TAKEN_OVER = 0x8E
SECOND = "is a second agent running?"
_OWN: tuple[Channel, ...] = ("ack", "cmd")


class Publisher:
    """Keeps a connection to one broker for ever. `wake` is called, from another thread, when `poll` has something.

    Each connection has a client of its own, so that nothing that was in flight on the last one is sent behind our
    back: what must be sent again is the outbox's decision.
    """

    def __init__(
        self,
        endpoint: MqttEndpoint,
        wake: Callable[[], None] = lambda: None,
        *,
        backoff_s: tuple[float, float] = BACKOFF_S,
        steady_s: float = STEADY_S,
    ) -> None:
        self._endpoint = endpoint
        self._context = endpoint.tls.context() if endpoint.tls else None
        self._backoff_s = backoff_s
        self._steady_s = steady_s
        self._post = _Post(wake)
        self._stop = threading.Event()
        self._connection: _Connection | None = None
        self._thread: threading.Thread | None = None
        self._complaint = ""

    @property
    def dropped(self) -> int:
        return self._post.dropped

    def open(self, identity: Identity) -> None:
        self._stop.clear()
        self._thread = threading.Thread(target=self._keep_connected, args=(identity,), name="publisher", daemon=True)
        self._thread.start()

    def poll(self) -> list[Happening]:
        return self._post.take()

    def publish(self, topic: str, payload: bytes) -> bool:
        client = self._post.client
        return client is not None and client.publish(topic, payload, qos=1).rc == MQTTErrorCode.MQTT_ERR_SUCCESS

    def close(self) -> None:
        self._stop.set()
        if self._connection is not None:
            self._connection.end.set()
        if self._thread is not None:
            self._thread.join(CONNECT_TIMEOUT_S + 2 * STOP_S)
            self._thread = None

    def _keep_connected(self, identity: Identity) -> None:
        wait_s, longest_s = self._backoff_s
        while not self._stop.is_set():
            connection = self._connection = _Connection(self._post, identity, self._stop)
            try:
                reason = connection.run(self._endpoint, self._context)
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            if self._stop.is_set():
                return
            if connection.useful_s() >= self._steady_s:
                wait_s, self._complaint = self._backoff_s[0], ""
            elif connection.useful_s() and SECOND not in reason:  # not every broker says why it closes a connection
                reason = f"{reason}, soon after it was made: {SECOND}"
            what = "is lost" if connection.useful_s() else "cannot be reached"
            self._complain(f"broker {self._endpoint} {what} ({reason}); trying again until it answers")
            self._stop.wait(wait_s * (0.75 + secrets.randbelow(1000) / 2000))  # so that a fleet does not come at once
            wait_s = min(2 * wait_s, longest_s)

    def _complain(self, sentence: str) -> None:
        if sentence != self._complaint:
            self._complaint = sentence
            log.warning("%s", sentence)


class _Post:
    """What goes between paho's threads and the unit's, in both directions."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self.client: mqtt.Client | None = None
        """The connected one."""
        self.dropped = 0
        self._wake = wake
        self._lock = threading.Lock()
        self._incoming: deque[Happening] = deque()

    def take(self) -> list[Happening]:
        with self._lock:
            happenings = list(self._incoming)
            self._incoming.clear()
        return happenings

    def put(self, happening: Happening) -> None:
        """Messages beyond the bound are dropped: the collector says again what it is told again."""
        with self._lock:
            if isinstance(happening, Received) and len(self._incoming) >= INCOMING_MAX:
                self.dropped += 1
            else:
                self._incoming.append(happening)
        self._wake()

    def connected(self, client: mqtt.Client, session: str) -> None:
        self.client = client
        self.put(Connected(session))

    def disconnected(self, reason: str) -> None:
        if self.client is not None:
            self.client = None
            self.put(Disconnected(reason))


class _Connection:
    """One client from connecting until it is gone. Its callbacks run in paho's thread."""

    def __init__(self, post: _Post, identity: Identity, stop: threading.Event) -> None:
        self._post = post
        self._identity = identity
        self._stop = stop
        self._session = secrets.token_hex(8)
        self._reason = ""
        self._refused: set[str] = set()
        self.end = threading.Event()
        """The connection is gone, or should go."""
        self._useful_since: float | None = None

    def useful_s(self) -> float:
        """How long ago it got as far as publishing; 0 where it never did."""
        return 0.0 if self._useful_since is None else time.monotonic() - self._useful_since

    def run(self, endpoint: MqttEndpoint, context: ssl.SSLContext | None) -> str:
        """Connect, stay until the connection is gone or `stop` is set, and say why it went; raises OSError."""
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._identity.unit,
            protocol=mqtt.MQTTv5,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_queued_messages_set(OUTGOING_MAX)
        client.will_set(self._identity.topic("state"), self._state(online=False), qos=1, retain=True)
        if context is not None:
            client.tls_set_context(context)
        if endpoint.username is not None:
            client.username_pw_set(endpoint.username, endpoint.password)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.connect(endpoint.host, endpoint.port, keepalive=KEEPALIVE_S, clean_start=True)
        client.loop_start()
        self.end.wait()
        self._post.disconnected(self._reason)
        if self._stop.is_set() and client.is_connected():
            self._say_goodbye(client)
        client.disconnect()
        with contextlib.suppress(AttributeError):  # paho looks at its thread twice; between, it may end by itself
            client.loop_stop()
        self._post.disconnected(self._reason)  # again: what the thread did last may have been to connect
        return self._reason

    def _state(self, *, online: bool) -> bytes:
        return self._identity.state(self._session, online=online)

    def _say_goodbye(self, client: mqtt.Client) -> None:
        try:
            farewell = client.publish(self._identity.topic("state"), self._state(online=False), qos=1, retain=True)
            farewell.wait_for_publish(STOP_S)
        except (RuntimeError, ValueError) as error:
            log.warning("the broker did not take the farewell: %s", error)

    def _on_connect(
        self, client: mqtt.Client, _data: object, _flags: object, reason: ReasonCode, _properties: object
    ) -> None:
        if reason.is_failure:
            self._reason = str(reason)
            self.end.set()
            return
        # Wherever the unit was: what is meant for it may still be under the hub it has left.
        client.subscribe([(f"foyer/v1/+/{self._identity.unit}/{channel}", 1) for channel in _OWN])

    def _on_subscribe(
        self, client: mqtt.Client, _data: object, _mid: int, reasons: list[ReasonCode], _properties: object
    ) -> None:
        for reason, channel in zip(reasons, _OWN, strict=False):
            if reason.is_failure:
                log.error("the broker does not let %s read its own %s: %s", self._identity.unit, channel, reason)
        client.publish(self._identity.topic("state"), self._state(online=True), qos=1, retain=True)
        self._useful_since = time.monotonic()
        self._post.connected(client, self._session)

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        channel = next((name for name in _OWN if message.topic.endswith(f"/{name}")), None)
        if channel and not message.retain:
            self._post.put(Received(channel, bytes(message.payload)))

    def _on_publish(
        self, _client: mqtt.Client, _data: object, _mid: int, reason: ReasonCode, _properties: object
    ) -> None:
        if reason.is_failure and str(reason) not in self._refused:
            self._refused.add(str(reason))
            log.error("the broker does not take what %s publishes: %s", self._identity.unit, reason)

    def _on_disconnect(
        self, _client: mqtt.Client, _data: object, _flags: object, reason: ReasonCode, _properties: object
    ) -> None:
        taken = f"another client connected as {self._identity.unit}: {SECOND}"
        self._reason = self._reason or (taken if reason.value == TAKEN_OVER else str(reason))
        self.end.set()
