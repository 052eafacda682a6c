"""Real servers as fixtures. Those that start in no time are a test's own; the browser is shared and reset."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from browser import Chromium
from hypothesis import settings
from servers import Influx, InfluxV2Front, Mosquitto

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# How long an example takes is for benchmarks to say: on a busy machine it is no failure.
settings.register_profile("patient", settings.default, deadline=None)
settings.load_profile("patient")


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker of the test's own, open to anybody on loopback."""
    with Mosquitto(tmp_path / "mosquitto") as broker:
        yield broker


@pytest.fixture
def influx(tmp_path: Path) -> Iterator[Influx]:
    """An InfluxDB 1.x of the test's own, with the empty database `influx.database`."""
    with Influx(tmp_path / "influx") as database:
        yield database


@pytest.fixture
def influx_v2(tmp_path: Path, influx: Influx) -> Iterator[InfluxV2Front]:
    """The same database as `influx`, spoken to by the 2.x write API."""
    with InfluxV2Front(tmp_path / "influx-v2", influx) as front:
        yield front


@pytest.fixture(scope="session")
def _browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def chromium(_browser: Chromium) -> Iterator[Chromium]:
    """A headless browser, desktop size, light, with an empty page and no memory of other tests."""
    _browser.reset()
    yield _browser
    _browser.reset()
