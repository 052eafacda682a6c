"""Many doors for a benchmark: a fleet of hubs with a unit each, and what those send at a steady rate."""

from __future__ import annotations

import heapq
import json
import os
import random
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mqtt_client import end
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from servers import Mosquitto

EPOCH = "0123456789abcdef"
HEALTH_EVERY_S = 60.0
RESEND_S = 20.0
_HUB = """
id = "{name}"
name = "{name}"
type = "local"
[[entrances]]
id = "front"
name = "Front"
counting = "beams"
[[units]]
id = "{name}-door"
since = 2020-01-01
[[units.sensors]]
name = "beams"
kind = "beam-pair"
entrance = "front"
outer_pin = 17
inner_pin = 27
separation_m = 0.12
"""


def hub_names(hubs: int) -> list[str]:
    return [f"hub-{number:02}" for number in range(hubs)]


def write_fleet(folder: Path, hubs: int) -> Path:
    folder.mkdir()
    for name in hub_names(hubs):
        (folder / f"{name}.toml").write_text(_HUB.format(name=name), encoding="utf-8")
    return folder


class Town:
    """Units that send passages, one a message, and their health each minute.

    They keep what no collector said it stored, and send it again as real ones do: after `RESEND_S`, then twice as late.
    """

    def __init__(self, broker: Mosquitto, hubs: int, seed: int = 1) -> None:
        self._names = hub_names(hubs)
        self._random = random.Random(seed)  # noqa: S311 - people, not secrets
        self._seqs = dict.fromkeys(self._names, 0)
        self._lock = threading.Lock()
        self._open: dict[tuple[str, int], bytes] = {}
        self._due: list[tuple[float, float, str, int]] = []  # a heap: when, how long it waited, hub, number
        self._health_s = 0.0
        self.resent = 0
        self._client = Client(CallbackAPIVersion.VERSION2, "town", protocol=MQTTProtocolVersion.MQTTv5)
        self._client.max_inflight_messages_set(1000)
        self._client.on_message = self._on_ack
        subscribed = threading.Event()
        self._client.on_connect = lambda client, *_: client.subscribe("foyer/v1/+/+/ack", 1)
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.connect("127.0.0.1", broker.port)
        sock = self._client.socket()
        assert isinstance(sock, socket.socket)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # each unit has a line of its own, and seldom speaks
        self._client.loop_start()
        subscribed.wait(10)

    @property
    def sent(self) -> int:
        return sum(self._seqs.values())

    @property
    def waiting(self) -> int:
        """Events of which no collector has said that it has them."""
        with self._lock:
            return len(self._open)

    def seqs(self) -> dict[str, int]:
        """The last number of each unit: it sent 1 up to that."""
        return {f"{name}-door": seq for name, seq in self._seqs.items()}

    def run(self, rate: float, seconds: float, each_turn: Callable[[], None] = lambda: None) -> None:
        """People come at random, `rate` a second on average."""
        at_s = time.monotonic()
        until_s = at_s + seconds
        while at_s < until_s:
            at_s += self._random.expovariate(rate)
            while (left_s := at_s - time.monotonic()) > 0:
                self.tend()
                each_turn()
                time.sleep(min(left_s, 0.05))
            self._send(self._random.choice(self._names))

    def tend(self) -> None:
        """Resends and reports that are due."""
        now_s = time.monotonic()
        while self._due and self._due[0][0] <= now_s:
            _, waited_s, name, seq = heapq.heappop(self._due)
            with self._lock:
                payload = self._open.get((name, seq))
            if payload is not None:
                self.resent += 1
                self._publish(name, seq, payload, 2 * waited_s)
        if now_s - self._health_s >= HEALTH_EVERY_S:
            self._health_s = now_s
            for name in self._names:
                self._client.publish(f"foyer/v1/{name}/{name}-door/health", self._health(name), qos=1)

    def _send(self, name: str) -> None:
        seq = self._seqs[name] = self._seqs[name] + 1
        event = {
            "seq": seq,
            "t_ns": time.time_ns(),
            "clock": "synced",
            "kind": "passage",
            "sensor": "beams",
            "hub": name,
            "entrance": "front",
            "direction": "in" if seq % 2 else "out",
            "persons": 1,
            "speed_m_s": 1.21,
            "length_m": 0.31,
            "confidence": 0.98,
        }
        payload = self._message(name, events=[event])
        with self._lock:
            self._open[name, seq] = payload
        self._publish(name, seq, payload, RESEND_S)

    def _publish(self, name: str, seq: int, payload: bytes, wait_s: float) -> None:
        heapq.heappush(self._due, (time.monotonic() + wait_s, wait_s, name, seq))
        self._client.publish(f"foyer/v1/{name}/{name}-door/events", payload, qos=1)

    def _health(self, name: str) -> bytes:
        now_ns = time.time_ns()
        head = {"hub": name, "session": "s", "t_ns": now_ns, "clock": "synced", "uptime_s": 60.0, "version": "1"}
        sensors = {"beams": {"ok_since_ns": now_ns - 3600 * 10**9}}
        return self._message(name, **head, sensors=sensors, outbox={"depth": 0})

    def _message(self, name: str, **fields: Any) -> bytes:
        head = {"v": 1, "unit": f"{name}-door", "epoch": EPOCH}
        if "events" in fields:
            head["sent_ns"] = time.time_ns()
        return json.dumps(head | fields, separators=(",", ":")).encode()

    def _on_ack(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        name = message.topic.split("/")[2]
        with self._lock:
            for first, last in json.loads(message.payload)["done"]:
                for seq in range(first, last + 1):
                    self._open.pop((name, seq), None)

    def close(self) -> None:
        end(self._client)


def cpu_s(pid: int) -> float:
    """Processor time that a process has taken, its own and the kernel's for it."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) * 1024 / 1e6
