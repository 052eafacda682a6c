"""One broker and one collector with its pages for each module of tests, and its live page open in the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pages import Pages, open_live
from servers import Mosquitto

if TYPE_CHECKING:
    from collections.abc import Iterator

    from browser import Chromium


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, broker: Mosquitto) -> Iterator[Pages]:
    """Shared by a module's tests: each looks only at how its own hub's figures change."""
    with Pages(tmp_path_factory.mktemp("pages"), broker) as served:
        yield served


@pytest.fixture
def live(chromium: Chromium, pages: Pages) -> Chromium:
    """The live page, open and connected."""
    open_live(chromium, pages)
    return chromium
