"""The pages over a real collector, and units that report to it."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from mqtt_client import end
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from servers import Mosquitto, Server, answers

from firmware_cfg.load import EXAMPLE_FLEET
from firmware_cfg.wire import Address, Channel, EventBatch, Health, State

if TYPE_CHECKING:
    from browser import Chromium

WAIT_S = 10
EPOCH = "00000000000000aa"


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
        self._port = broker.port
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=unit)

    def __enter__(self) -> Self:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        state = State(v=1, unit=self.unit, session="session-1", state="online")
        self._publish("state", state.model_dump_json(by_alias=True), retain=True)
        return self

    def __exit__(self, *_: object) -> None:
        end(self._client)

    def passes(self, *directions: Literal["in", "out", "unknown"], confidence: float = 1.0, **fields: Any) -> None:
        """One batch with a passage a direction, now; returns when the broker has it."""
        base = {"sensor": f"{self.entrance}-beams", "entrance": self.entrance, "confidence": confidence}
        self.says(*({"kind": "passage", "direction": way} | base | fields for way in directions))

    def says(self, *events: dict[str, Any]) -> None:
        """One batch of events, now; returns when the broker has it."""
        now_ns = time.time_ns()
        dated = []
        for index, event in enumerate(events):
            self._seq += 1
            dated.append({"seq": self._seq, "t_ns": now_ns + index, "clock": "synced", "hub": self.hub} | event)
        raw = {"v": 1, "unit": self.unit, "epoch": EPOCH, "sent_ns": now_ns, "events": dated}
        self._publish("events", EventBatch.model_validate(raw).model_dump_json(by_alias=True))

    def reports(self, sensors: dict[str, Any], **fields: Any) -> None:
        """One health report, now."""
        base = {"v": 1, "unit": self.unit, "hub": self.hub, "session": "session-1", "epoch": EPOCH}
        state = {"t_ns": time.time_ns(), "clock": "synced", "uptime_s": 60.0, "version": "1.0", "outbox": {"depth": 0}}
        report = Health.model_validate(base | state | {"sensors": sensors} | fields)
        self._publish("health", report.model_dump_json(by_alias=True))

    def watches(self) -> None:
        """Its counting sensor has worked for days, it says."""
        self.reports({f"{self.entrance}-beams": {"ok_since_ns": time.time_ns() - 5 * 86_400 * 10**9}})

    def goes(self) -> None:
        """Its last will, as the broker publishes it."""
        state = State(v=1, unit=self.unit, session="session-1", state="offline")
        self._publish("state", state.model_dump_json(by_alias=True), retain=True)

    def _publish(self, channel: Channel, payload: str, *, retain: bool = False) -> None:
        topic = Address(self.hub, self.unit, channel).topic
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(WAIT_S)


def open_live(chromium: Chromium, pages: Pages, view: Literal["cards", "table"] = "cards") -> None:
    """Open the live page and wait until it is connected and has figures."""
    chromium.driver.get(f"{pages.url}/#as-{view}")
    cards = "[...document.querySelectorAll('.card')]"
    shown = f"{cards}.length && {cards}.every((card) => card.querySelector('.value'))"
    chromium.wait_for(f"document.body.dataset.connection === 'live' && {shown}")
