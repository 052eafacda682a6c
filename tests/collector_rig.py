"""A unit's end of MQTT, and waiting, for tests of the collector with a real broker."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

from mqtt_client import end
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from servers import Mosquitto

from collector.service import Collector
from firmware_cfg.load import EXAMPLE_FLEET, load_fleet

EPOCH = "0123456789abcdef"
UNIT = "strood-front"
HUB = "strood"
WAIT_S = 20.0
FLEET = load_fleet(EXAMPLE_FLEET)
Make = Callable[..., Collector]


def until(condition: Callable[[], object], what: str = "condition") -> None:
    """Wait until it holds; fails after `WAIT_S`."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {WAIT_S:.0f} s"
        time.sleep(0.01)


def ready(collector: Collector) -> Collector:
    until(lambda: collector.condition().ok, "collector ready")
    return collector


def event(seq: int, **fields: Any) -> dict[str, Any]:
    base = {
        "seq": seq,
        "t_ns": time.time_ns() // 10**9 * 10**9 - 10**9 + seq,
        "clock": "synced",
        "kind": "passage",
        "sensor": "front-beams",
        "hub": HUB,
        "entrance": "front",
        "direction": "in",
    }
    return base | fields


def run_of(seqs: Iterable[int], **fields: Any) -> dict[str, Any]:
    """Those passages in columns."""
    alike = {"clock", "kind", "sensor", "hub", "entrance", "role"}
    events = [event(seq, role="counting", **fields) for seq in seqs]
    columns = {name: [each[name] for each in events] for name in events[0] if name not in alike}
    return {name: value for name, value in events[0].items() if name in alike} | columns


class Unit:
    """Publishes as a unit does and remembers the answers; it keeps no outbox and sends nothing again by itself."""

    def __init__(self, broker: Mosquitto, unit: str = UNIT, hub: str = HUB) -> None:
        self.unit, self.hub = unit, hub
        self.acks: list[dict[str, Any]] = []
        self.commands: list[dict[str, Any]] = []
        self._subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=unit, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.max_inflight_messages_set(100)
        self._client.on_connect = lambda *_: self._client.subscribe([(self.topic("ack"), 1), (self.topic("cmd"), 1)])
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = lambda _client, _data, message: self._heard(message)
        self._client.reconnect_delay_set(0.1, 0.5)  # type: ignore[arg-type]  # paho says int and takes seconds
        self._port = broker.port

    def _heard(self, message: MQTTMessage) -> None:
        heard = self.acks if message.topic.endswith("/ack") else self.commands
        heard.append(json.loads(message.payload))

    def __enter__(self) -> Self:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        if not self._subscribed.wait(WAIT_S):
            end(self._client)
            raise TimeoutError(f"{self.unit}: not subscribed within {WAIT_S:.0f} s")
        return self

    def __exit__(self, *_: object) -> None:
        end(self._client)

    def topic(self, channel: str) -> str:
        return f"foyer/v1/{self.hub}/{self.unit}/{channel}"

    def send(self, *events: Any, epoch: str = EPOCH, runs: Sequence[Any] = ()) -> None:
        """One batch, with the broker when this returns."""
        self.publish("events", self._batch(events, epoch, runs))

    def send_soon(self, *events: Any, epoch: str = EPOCH) -> None:
        """One batch, on its way when this returns."""
        self.publish("events", self._batch(events, epoch), wait=False)

    def _batch(self, events: Sequence[Any], epoch: str, runs: Sequence[Any] = ()) -> str:
        head = {"v": 1, "unit": self.unit, "epoch": epoch, "sent_ns": time.time_ns()}
        return json.dumps(head | {"events": events} | ({"runs": runs} if runs else {}))

    def publish(self, channel: str, payload: str, *, retain: bool = False, wait: bool = True) -> None:
        self.publish_on(self.topic(channel), payload, retain=retain, wait=wait)

    def publish_on(self, topic: str, payload: str, *, retain: bool = False, wait: bool = True) -> None:
        sent = self._client.publish(topic, payload, qos=1, retain=retain)
        if wait:
            sent.wait_for_publish(WAIT_S)

    def watches(self, *sensors: str) -> None:
        """These have worked for days, it says: else what passed since the morning is unknown, by the time of day."""
        now_ns = time.time_ns()
        since = {"ok": True, "ok_since_ns": now_ns - 5 * 86_400 * 10**9}
        report = {
            "v": 1,
            "unit": self.unit,
            "hub": self.hub,
            "session": "session-1",
            "epoch": EPOCH,
            "t_ns": now_ns,
            "clock": "synced",
            "uptime_s": 5 * 86_400.0,
            "version": "1",
            "sensors": {name: {"in": 0, "out": 0, "edges": 0, **since} for name in sensors},
            "outbox": {"depth": 0},
        }
        self.publish("health", json.dumps(report))

    def done(self, epoch: str = EPOCH) -> set[int]:
        """Every seq that was said to be done."""
        return {
            seq
            for ack in self.acks
            if ack["epoch"] == epoch
            for first, last in ack["done"]
            for seq in range(first, last + 1)
        }
