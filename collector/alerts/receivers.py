"""Who is told, by name, and at which addresses. Addresses hold secrets: they are never printed."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

from firmware_cfg.errors import ConfigError
from firmware_cfg.load import Fleet

ENVIRONMENT = "FOYER_RECEIVER_"
_CHECK_S = 60.0

Receivers = dict[str, list[str]]
"""Name to Apprise addresses."""


def receivers(fleet: Fleet, file: Path | None, environment: Mapping[str, str]) -> Receivers:
    """Those of the file and of the environment (`FOYER_RECEIVER_CARE_TAKER` is `care-taker`), which wins.

    Raises ConfigError where the file cannot be used, an address is none, or a rule names a receiver that is not there,
    unless none are given at all: then nobody is told anything.
    """
    found = _from_file(file) if file is not None else {}
    for variable, text in environment.items():
        if variable.startswith(ENVIRONMENT):
            found[variable.removeprefix(ENVIRONMENT).lower().replace("_", "-")] = text.split()
    if not found:
        return {}
    for hub in fleet.hubs.values():
        for rule in hub.alerts:
            for name in rule.to:
                if name not in found:
                    allowed = ", ".join(sorted(found))
                    raise ConfigError(f"hub {hub.id!r}: alerts: no receiver {name!r}; there are: {allowed}")
    _check(found)
    return found


def _from_file(file: Path) -> Receivers:
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"--receivers {file}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise ConfigError(f'--receivers {file}: is not TOML; lines are: name = ["address", …]') from None
    found: Receivers = {}
    for name, value in raw.items():
        addresses = [value] if isinstance(value, str) else value
        if not isinstance(addresses, list) or not all(isinstance(each, str) for each in addresses):
            raise ConfigError(f"--receivers {file}: {name}: is no address, nor a list of them")
        found[name] = addresses
    return found


def _check(found: Receivers) -> None:
    named = [(name, index, url) for name, urls in found.items() for index, url in enumerate(urls)]
    asked = json.dumps({"check": [url for _, _, url in named]})
    done = subprocess.run(
        [sys.executable, "-P", "-m", "collector.alerts.notify"],
        input=asked,
        capture_output=True,
        text=True,
        timeout=_CHECK_S,
        check=False,
    )
    if done.returncode != 0:
        raise ConfigError("receivers are given, but Apprise cannot be used: install foyer-hub[collector]")
    for number in json.loads(done.stdout):
        name, index, _ = named[number]
        raise ConfigError(f"receiver {name!r}: address {index + 1} is none that Apprise knows, such as mailto://…")
