"""A pipeline on a real broker, with a store that a test can hold up."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Self

from collector_rig import FLEET, until
from servers import Mosquitto

from collector.ingest import Ingest
from collector.ledger import Ledger
from collector.live import Live
from collector.pipeline import Pipeline
from collector.service import SHARED_EVENTS
from collector.store.base import Refused, StoreUnavailable
from collector.store.embedded import EmbeddedStore
from collector.subscriber import Delivery, Subscriber
from firmware_cfg.endpoint import parse_mqtt_url


class GatedStore(EmbeddedStore):
    """The embedded store, out of reach until the gate opens."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.gate = threading.Event()
        self.asked = 0

    def write(self, *args: object, **kwargs: object) -> list[Refused]:
        self.asked += 1
        if not self.gate.is_set():
            raise StoreUnavailable("the gate is closed")
        return super().write(*args, **kwargs)  # type: ignore[arg-type]  # passed through as it came


class Rig:
    """Pipeline and subscriber around a gated store, with what the broker delivers counted."""

    def __init__(
        self, broker: Mosquitto, folder: Path, receive_max: int = 1000, store: type[EmbeddedStore] = GatedStore
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.store = store(folder / "store.db")
        self.ledger = Ledger(folder / "state")
        self.said: list[str] = []
        self.delivered: list[Delivery] = []
        live = Live(FLEET, time.time_ns)
        self.pipeline = Pipeline(
            Ingest(FLEET), self.store, self.ledger, live, wall_ns=time.time_ns, say=self.said.append
        )
        self.subscriber = Subscriber(
            parse_mqtt_url(broker.url),
            "rig",
            [(SHARED_EVENTS, 1)],
            self,
            durable=True,
            say=self.said.append,
            receive_max=receive_max,
        )

    def open(self) -> None:
        assert isinstance(self.store, GatedStore)
        self.store.gate.set()

    @property
    def asked(self) -> int:
        """How often the gated store was asked to write."""
        assert isinstance(self.store, GatedStore)
        return self.store.asked

    def arrived(self, delivery: Delivery) -> None:
        self.delivered.append(delivery)
        self.pipeline.arrived(delivery)

    def turn(self) -> None:
        self.pipeline.turn()

    def __enter__(self) -> Self:
        self.pipeline.start(self.subscriber)
        self.subscriber.start()
        until(lambda: self.subscriber.connected, "connection")
        return self

    def __exit__(self, *_: object) -> None:
        self.pipeline.close()
        self.subscriber.close()
        self.store.close()
        self.ledger.close()
