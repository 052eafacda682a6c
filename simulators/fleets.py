"""The demo's fleet: the example hubs, as many as are asked for, with a past."""

from __future__ import annotations

from datetime import UTC, datetime

from firmware_cfg.errors import ConfigError
from firmware_cfg.load import EXAMPLE_FLEET, Fleet, load_fleet
from firmware_cfg.schema import Hub, Stay
from firmware_cfg.times import NS_PER_S

HUBS_MAX = 48
BEFORE = "-before"
"""What the units were called that counted before the demo first began: their year is history."""


def demo_fleet(count: int, began_ns: int) -> Fleet:
    """The first `count` hubs; beyond the example's six, copies under other names.

    Until `began_ns` each unit's place was another unit's, named with `BEFORE` at the end. Raises ConfigError.
    """
    examples = list(load_fleet(EXAMPLE_FLEET).hubs.values())
    if not 1 <= count <= HUBS_MAX:
        raise ConfigError(f"--hubs {count}: expected 1 to {HUBS_MAX}")
    began = datetime.fromtimestamp(began_ns // NS_PER_S, UTC)
    hubs = [_copy(examples[index % len(examples)], index // len(examples) + 1) for index in range(count)]
    return Fleet({hub.id: _with_past(hub, began) for hub in hubs})


def past_stays(hub: Hub) -> list[Stay]:
    return [stay for stay in hub.units if stay.id.endswith(BEFORE)]


def _copy(hub: Hub, number: int) -> Hub:
    if number == 1:
        return hub
    units = [stay.model_copy(update={"id": f"{stay.id}-{number}"}) for stay in hub.units]
    return hub.model_copy(update={"id": f"{hub.id}-{number}", "name": f"{hub.name} {number}", "units": units})


def _with_past(hub: Hub, began: datetime) -> Hub:
    past = [stay.model_copy(update={"id": stay.id + BEFORE, "until": began}) for stay in hub.units]
    present = [stay.model_copy(update={"since": began}) for stay in hub.units]
    return hub.model_copy(update={"units": past + present})
