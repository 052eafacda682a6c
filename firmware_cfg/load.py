"""Reading a fleet: a folder of TOML files, one a hub."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from firmware_cfg.errors import ConfigError
from firmware_cfg.schema import Hub, Sensor, Stay
from firmware_cfg.wire import EPOCH_PATTERN, FAULT_PATTERN, NAME_PATTERN

EXAMPLE_FLEET = Path(__file__).parent / "hubs"

_PATTERNS = {
    NAME_PATTERN: "is no name: lower-case letters and digits, parted by single hyphens",
    EPOCH_PATTERN: "is no epoch: 16 characters of 0-9 and a-f",
    FAULT_PATTERN: "is no fault's name: lower-case letters and digits, parted by single underscores",
}


@dataclass(frozen=True, slots=True)
class Fleet:
    """The dated registry: which hubs there are, and where each unit was when."""

    hubs: dict[str, Hub]

    def stays(self, unit: str) -> list[tuple[Hub, Stay]]:
        """Every stay of a unit, earliest first."""
        found = [(hub, stay) for hub in self.hubs.values() for stay in hub.units if stay.id == unit]
        return sorted(found, key=lambda pair: pair[1].since)

    def place(self, unit: str, t_ns: int) -> tuple[Hub, Stay] | None:
        """Where the unit was at that time, or None where it was nowhere or is not known."""
        return next(((hub, stay) for hub, stay in self.stays(unit) if stay.holds(t_ns)), None)

    def present(self, unit: str, t_ns: int) -> tuple[Hub, Stay]:
        """Where the unit is, or is to be next where it is nowhere, or was last; raises ConfigError for a stranger."""
        stays = self.stays(unit)
        if not stays:
            raise ConfigError(f"--unit {unit!r}: no such unit; there are {', '.join(self.units)}")
        return next((pair for pair in stays if t_ns < pair[1].until_ns), stays[-1])

    @property
    def units(self) -> list[str]:
        return sorted({stay.id for hub in self.hubs.values() for stay in hub.units})


def load_fleet(folder: Path) -> Fleet:
    """All hubs of a folder's `*.toml`; raises ConfigError naming file, key and what is allowed."""
    if not folder.is_dir():
        raise ConfigError(f"--fleet {folder}: no such folder; it holds one TOML file a hub")
    files = sorted(folder.glob("*.toml"))
    if not files:
        raise ConfigError(f"--fleet {folder}: holds no *.toml file; one a hub is needed")
    hubs: dict[str, Hub] = {}
    for file in files:
        hub = load_hub(file)
        if hub.id in hubs:
            raise ConfigError(f"{file}: id: hub {hub.id!r} is there twice in {folder}; ids are unique")
        hubs[hub.id] = hub
    fleet = Fleet(hubs)
    _check_across(fleet, folder)
    return fleet


def load_hub(file: Path) -> Hub:
    """One hub's file; raises ConfigError naming file and key."""
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: is not TOML: {error}") from error
    try:
        return Hub.model_validate(raw)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{file}: {line}" for line in explain(error, raw))) from error


def explain(error: ValidationError, raw: Any = None, root: str = "file") -> list[str]:
    """One line a mistake: the key's path, what is wrong, what is allowed; which sensor, where the `raw` table tells.

    `root` is what the whole is called, where it is the whole that is wrong.
    """
    return [f"{_sensor(item['loc'], raw)}{_path(item['loc']) or root}: {_reason(item)}" for item in error.errors()]


def _sensor(location: tuple[int | str, ...], raw: Any) -> str:
    if location[:1] != ("units",) or location[2:3] != ("sensors",) or len(location) <= 3:  # noqa: PLR2004 - units, one, its sensors, one
        return ""
    try:
        name = raw["units"][location[1]]["sensors"][location[3]]["name"]
    except (LookupError, TypeError):  # it has no name, or is no table at all
        return ""
    return f"sensor {name!r}: "


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for at, part in enumerate(location):
        if at >= 2 and location[at - 2] == "sensors":  # noqa: PLR2004 - sensors, its index, then pydantic's own: the kind
            continue
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path.lstrip(".")


def _reason(item: Any) -> str:
    given = repr(item.get("input"))
    context = item.get("ctx", {})
    pattern = context.get("pattern")
    reasons = {
        "extra_forbidden": "no such key; check its spelling",
        "missing": "is missing",
        "literal_error": f"{given} is not allowed; allowed: {context.get('expected')}",
        "union_tag_invalid": f"kind {context.get('tag')!r} is not known; allowed: {context.get('expected_tags')}",
        "string_pattern_mismatch": f"{given} {_PATTERNS.get(str(pattern), f'does not match {pattern}')}",
        "value_error": str(context.get("error")),
    }
    return reasons.get(item["type"], f"{item['msg']} (given: {given})")


def _check_across(fleet: Fleet, folder: Path) -> None:
    for hub in fleet.hubs.values():
        extra = fleet.hubs.get(hub.nearest_extra) if hub.nearest_extra else None
        if hub.nearest_extra and (extra is None or extra.type != "extra"):
            allowed = ", ".join(sorted(other.id for other in fleet.hubs.values() if other.type == "extra"))
            raise ConfigError(
                f"{folder}: hub {hub.id!r}: nearest_extra {hub.nearest_extra!r} is no extra hub; allowed: {allowed}"
            )
    for unit in fleet.units:
        stays = fleet.stays(unit)
        for (hub, stay), (next_hub, next_stay) in pairwise(stays):
            if stay.overlaps(next_stay):
                raise ConfigError(
                    f"{folder}: unit {unit!r} is at {hub.id!r} and {next_hub.id!r} at once from "
                    f"{next_stay.since.isoformat()}; end the earlier stay with until"
                )


def sensors_of(stay: Stay) -> dict[str, Sensor]:
    return {sensor.name: sensor for sensor in stay.sensors}
