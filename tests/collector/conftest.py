from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from collector_rig import FLEET, Make
from rollup_rig import MakeStores, Stores
from servers import Influx, Mosquitto

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


numbers = itertools.count()


@pytest.fixture(scope="session")
def influx_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx]:
    with Influx(tmp_path_factory.mktemp("influx")) as influx:
        yield influx


@pytest.fixture(params=["embedded", "influx"])
def make_stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeStores]:
    made: list[Stores] = []

    def fresh() -> Stores:
        number = next(numbers)
        if request.param == "embedded":
            stores = Stores(f"sqlite:{tmp_path}/{number}.db")
        else:
            stores = Stores(f"influxdb+{request.getfixturevalue('influx_server').url}/rollups-{number}")
        made.append(stores)
        return stores

    yield fresh
    for stores in made:
        stores.again().close()
