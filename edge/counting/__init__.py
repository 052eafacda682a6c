"""Edges in, passages out. Import from here: which build of the core runs is decided by `edge.counting.build`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.counting import build as _build
from edge.counting.build import load_pure
from edge.counting.model import (
    FOREVER_NS,
    INNER,
    LINES,
    OUTER,
    T_NS_LIMIT,
    Columns,
    Direction,
    DoorSettings,
    EdgeError,
    Fault,
    Passage,
    SnapshotError,
)

_door, BUILD = _build.load()
if TYPE_CHECKING:
    from edge.counting.door import Door
else:
    Door = _door.Door

__all__ = [
    "BUILD",
    "FOREVER_NS",
    "INNER",
    "LINES",
    "OUTER",
    "T_NS_LIMIT",
    "Columns",
    "Direction",
    "Door",
    "DoorSettings",
    "EdgeError",
    "Fault",
    "Passage",
    "SnapshotError",
    "load_pure",
]
