"""The pages over a real collector, and units that report to it."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from servers import Mosquitto, Server, answers

from firmware_cfg.load import EXAMPLE_FLEET
from firmware_cfg.wire import Address, Channel, Event, EventBatch, Passage, State

if TYPE_CHECKING:
    from browser import Chromium

WAIT_S = 10


class Pages(Server):
    """`foyer collector` on the example fleet and an embedded store."""

    binary = sys.executable

    def __init__(self, folder: Path, broker: Mosquitto) -> None:
        super().__init__(folder)
        self.broker = broker

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        options = {
            "--fleet": EXAMPLE_FLEET,
            "--mqtt": self.broker.url,
            "--store": f"sqlite:{self.data / 'store.db'}",
            "--state": self.data,
            "--http": f"127.0.0.1:{self.port}",
        }
        return ["-m", "foyer", "collector", *(str(word) for pair in options.items() for word in pair)]

    def ready(self) -> bool:
        return answers(f"{self.url}/healthz")


class Unit:
    """What a unit says, without its sensors: who came through its door."""

    def __init__(self, broker: Mosquitto, hub: str, unit: str, entrance: str = "front") -> None:
        self.hub, self.unit, self.entrance = hub, unit, entrance
        self._seq = 0
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=unit)
        self._client.connect("127.0.0.1", broker.port)

    def __enter__(self) -> Self:
        self._client.loop_start()
        state = State(v=1, unit=self.unit, session="session-1", state="online")
        self._publish("state", state.model_dump_json(by_alias=True), retain=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def passes(self, *directions: Literal["in", "out", "unknown"], confidence: float = 1.0) -> None:
        """One batch with a passage a direction, now; returns when the broker has it."""
        now_ns = time.time_ns()
        events: list[Event] = []
        for index, direction in enumerate(directions):
            self._seq += 1
            events.append(
                Passage(
                    kind="passage",
                    seq=self._seq,
                    t_ns=now_ns + index,
                    clock="synced",
                    sensor=f"{self.entrance}-beams",
                    hub=self.hub,
                    entrance=self.entrance,
                    direction=direction,
                    confidence=confidence,
                )
            )
        batch = EventBatch(v=1, unit=self.unit, epoch="00000000000000aa", sent_ns=now_ns, events=events)
        self._publish("events", batch.model_dump_json(by_alias=True))

    def _publish(self, channel: Channel, payload: str, *, retain: bool = False) -> None:
        topic = Address(self.hub, self.unit, channel).topic
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(WAIT_S)


def open_live(chromium: Chromium, pages: Pages, view: Literal["cards", "table"] = "cards") -> None:
    """Open the live page and wait until it is connected and has figures."""
    chromium.driver.get(f"{pages.url}/#as-{view}")
    chromium.wait_for("document.body.dataset.connection === 'live' && document.querySelectorAll('.card .value').length")
