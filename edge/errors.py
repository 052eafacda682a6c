"""What a person can mend about a unit."""

from __future__ import annotations

from firmware_cfg.errors import FolderError, FoyerError


class StateError(FolderError):
    """The unit's state folder cannot be used."""


class SensorError(FoyerError, OSError):
    """A sensor cannot be opened; the unit raises a fault, tries again later and goes on with the others."""

    def __init__(self, sensor: str, key: str, what: str, mend: str) -> None:
        super().__init__(f"sensor {sensor!r}: {key}: {what}; {mend}")
        self.detail = f"{key}: {what}; {mend}"
