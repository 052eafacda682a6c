from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from collector_rig import FLEET, Make
from servers import Mosquitto

from collector.service import Collector
from firmware_cfg.endpoint import parse_mqtt_url


@pytest.fixture
def make(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Make]:
    """Starts collectors on one broker, by default with one store and one ledger between them."""
    made: list[Collector] = []

    def start(*, store: str = f"sqlite:{tmp_path}/store.db", state: str = "state", watch: bool = True) -> Collector:
        collector = Collector(FLEET, parse_mqtt_url(mosquitto.url), store, tmp_path / state, watch=watch)
        made.append(collector)
        collector.start()
        return collector

    yield start
    for collector in made:
        collector.close()
