"""The agent as a process of its own, and a collector that does as little as possible, over a real broker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import paho.mqtt.client as mqtt
from edge_rig import HUB, INNER_PIN, OUTER_PIN, fleet_of
from gpio_chip import Lines
from house import FoyerProcess, replay
from mqtt_client import end
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from firmware_cfg.times import NS_PER_MS, NS_PER_S, from_rfc3339
from firmware_cfg.wire import parse_topic

if TYPE_CHECKING:
    from servers import Mosquitto

T0 = "2026-03-02T09:00:00Z"
T0_NS = from_rfc3339(T0)
PROCESS = Path(__file__).parent / "benchmarks" / "unit_process.py"


class Collector:
    """What a collector does, as little as possible: it stores by identity and says so, and keeps all it was sent."""

    def __init__(self, port: int) -> None:
        self.events: dict[tuple[str, int], dict[str, Any]] = {}
        self.states: list[dict[str, Any]] = []
        self.health: list[dict[str, Any]] = []
        self.replies: list[dict[str, Any]] = []
        self.sendings = 0
        self.refuse: set[int] = set()
        self.answering = threading.Event()
        self.answering.set()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "collector", protocol=mqtt.MQTTv5)
        self._client.on_connect = lambda client, *_: client.subscribe("foyer/v1/#", qos=1)
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 1)
        remembered = Properties(PacketTypes.CONNECT)
        remembered.SessionExpiryInterval = 3600  # type: ignore[attr-defined]  # paho makes it so
        self._client.connect("127.0.0.1", port, clean_start=False, properties=remembered)
        self._client.loop_start()

    def _on_message(self, client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        address = parse_topic(message.topic)
        assert address is not None
        if address.channel == "state":
            self.states.append(json.loads(message.payload))
        if address.channel == "health":
            self.health.append(json.loads(message.payload))
        if address.channel == "reply":
            assert not message.retain
            self.replies.append(json.loads(message.payload))
        if address.channel != "events":
            return
        batch = json.loads(message.payload)
        for event in batch["events"]:
            self.sendings += 1
            key = (batch["epoch"], event["seq"])
            assert self.events.setdefault(key, event) == event
        if self.answering.is_set():
            done = [[event["seq"]] * 2 for event in batch["events"] if event["seq"] not in self.refuse]
            rejected = [[event["seq"], "no such hub"] for event in batch["events"] if event["seq"] in self.refuse]
            word = {"epoch": batch["epoch"], "done": done, "rejected": rejected, "now_ns": time.time_ns()}
            client.publish(f"foyer/v1/{address.hub}/{address.unit}/ack", json.dumps(word), qos=1)

    def command(self, name: str, number: str, *, retain: bool = False, **args: Any) -> None:
        """Ask the unit for something within a minute."""
        expires_ns = time.time_ns() + 60 * NS_PER_S
        word = {"v": 1, "id": number, "expires_ns": expires_ns, "name": name, "args": args}
        self._client.publish("foyer/v1/hall/hall-front/cmd", json.dumps(word), qos=1, retain=retain)

    def passages(self) -> list[dict[str, Any]]:
        return [event for _, event in sorted(self.events.items()) if event["kind"] == "passage"]

    def close(self) -> None:
        end(self._client)


def unit(broker: Mosquitto, folder: Path, *options: str, hub: str = HUB) -> FoyerProcess:
    fleet_of(folder / "fleet", hub)
    common = ["--fleet", str(folder / "fleet"), "--unit", "hall-front", "--mqtt", broker.url]
    return FoyerProcess(["edge", *common, "--state", str(folder / "state"), *options], folder / "unit.log")


def write_trace(folder: Path, people: int) -> Path:
    """A recording of so many people, two seconds apart."""
    rows = [json.dumps({"foyer_trace": 1, "t0": T0, "sensor": "front-beams", "separation_m": 0.12})]
    for number in range(people):
        lines = ("outer", "inner") if number % 3 else ("inner", "outer")
        for after_ms, line, level in ((0, 0, 1), (90, 1, 1), (250, 0, 0), (340, 1, 0)):
            rows.append(json.dumps([number * 2 * NS_PER_S + after_ms * NS_PER_MS, lines[line], level]))
    path = folder / "people.jsonl"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def compared(events: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return sorted((event["t_ns"], event["direction"], event["persons"], event["confidence"]) for event in events)


def expected(trace: Path) -> list[tuple[Any, ...]]:
    return compared([{**passage, "t_ns": passage["t_ns"] + T0_NS} for passage in replay(trace)["passages"]])


@dataclass
class LiveUnit(FoyerProcess):
    """The agent with beams whose edges come through a socket, which outlives it as the door does."""

    env: dict[str, str] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    """A program that runs the agent, such as strace."""
    lines: Lines = field(default_factory=Lines)
    walked_ns: list[int] = field(default_factory=list)
    """When people came, by the machine's clock."""
    _walked_s: float = 0.0

    def start(self) -> Self:
        far = self.lines.far.fileno()
        command = [*self.before, sys.executable, str(PROCESS), f"{OUTER_PIN},{INNER_PIN}={far}", "--", *self.arguments]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(far,),
                env={**os.environ, **self.env},
            )
        return self

    def stop(self) -> int:
        """SIGTERM to the agent, also below another program; the exit code."""
        if self.process is not None and self.before:
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii")
            os.kill(int(children.split()[0]), signal.SIGTERM)
            return self.wait()
        return super().stop()

    def walk(self) -> None:
        """One person, inward, who is through already; all are alike: close behind one another they were a trolley."""
        time.sleep(max(0.0, 1.2 - (time.monotonic() - self._walked_s)))
        self._walked_s = time.monotonic()
        now_ns = time.monotonic_ns()
        self.walked_ns.append(time.time_ns() - 230 * NS_PER_MS)
        steps = ((OUTER_PIN, True, 400), (INNER_PIN, True, 310), (OUTER_PIN, False, 150), (INNER_PIN, False, 60))
        self.lines.drive_all([(pin, high, now_ns - ago_ms * NS_PER_MS) for pin, high, ago_ms in steps])

    def close(self) -> None:
        """The door is gone too."""
        self.lines.far.close()
        self.lines.near.close()

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf-8") if self.log.exists() else ""


class House:
    """Makes live units below a folder; `close` takes their doors away."""

    def __init__(self, broker: Mosquitto, folder: Path) -> None:
        self._broker = broker
        self._folder = folder
        self._made: list[LiveUnit] = []

    def unit(self, state: Path | None = None, **more: Any) -> LiveUnit:
        fleet_of(self._folder / "fleet", HUB)
        common = ["--fleet", str(self._folder / "fleet"), "--unit", "hall-front", "--mqtt", self._broker.url]
        state = state or self._folder / "state"
        self._made.append(LiveUnit([*common, "--state", str(state)], self._folder / "unit.log", **more))
        return self._made[-1]

    def close(self) -> None:
        for made in self._made:
            made.close()
