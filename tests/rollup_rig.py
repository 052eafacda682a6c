"""Two hubs, and stores that are opened again and again."""

from __future__ import annotations

from collections.abc import Callable

from collector.store import open_store
from collector.store.base import Store
from firmware_cfg.load import Fleet
from firmware_cfg.schema import Hub


def hub(name: str) -> Hub:
    beams = {"name": "beams", "kind": "beam-pair", "entrance": "front", "outer_pin": 17, "inner_pin": 27}
    return Hub.model_validate(
        {
            "id": name,
            "name": name,
            "type": "local",
            "entrances": [{"id": "front", "name": "Front", "counting": "beams"}],
            "units": [{"id": f"{name}-door", "since": "2020-01-01T00:00:00Z", "sensors": [beams]}],
        }
    )


FLEET = Fleet({name: hub(name) for name in ("north", "south")})


class Stores:
    """The same store again and again, as after restarts: embedded or in InfluxDB."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._open: list[Store] = []

    def again(self) -> Store:
        for store in self._open:
            store.close()
        self._open = [open_store(self._url)]
        return self._open[0]


MakeStores = Callable[[], Stores]
"""An empty one."""
