"""A counting door with what a beam sensor keeps beside it: which boot its times are of, and how its lines behave."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from edge.counting import Door, DoorSettings, Fault, Passage, SnapshotError
from edge.drafts import Noticed, Reading, SensorStats, When

log = logging.getLogger(__name__)

Found = list[Passage | Fault]
ToWhen = Callable[[int], When]
_FORGOTTEN = "another version had left what it had learned; it begins anew"


@dataclass(slots=True)
class Tally:
    """How two lines behave: `chatter` are edges within the debounce time of the one before on the same line."""

    debounce_ns: int
    edges: int = 0
    lost: int = 0
    chatter: int = 0
    outer_ns: int | None = None
    inner_ns: int | None = None
    standing: list[tuple[str, str | None]] = field(default_factory=list)
    """Kinds and lines of the faults that last."""

    def edge(self, t_ns: int, line: int) -> None:
        before_ns = self.inner_ns if line else self.outer_ns
        self.edges += 1
        if before_ns is not None and t_ns - before_ns < self.debounce_ns:
            self.chatter += 1
        if line:
            self.inner_ns = t_ns
        else:
            self.outer_ns = t_ns

    def memo(self) -> list[Any]:
        return [self.edges, self.lost, self.chatter, [list(each) for each in self.standing]]

    def restore(self, memo: list[Any]) -> None:
        self.edges, self.lost, self.chatter, *standing = memo  # nothing more in those of before 2026-12
        self.standing = [(kind, line) for kind, line in standing[0]] if standing else []

    def noticed(self, fault: Fault) -> None:
        if fault.kind == "repeated_level":
            self.lost += 1
        elif fault.active:
            self.standing.append((fault.kind, fault.line))
        elif (fault.kind, fault.line) in self.standing:
            self.standing.remove((fault.kind, fault.line))

    def stats(self) -> SensorStats:
        return SensorStats(edges=self.edges, lost_edges=self.lost, chatter=self.chatter)


def restored_door(snapshot: dict[str, Any] | None, sensor: str) -> Door | None:
    """The door as it was left, or None where there was none or this version cannot read it."""
    if snapshot is None:
        return None
    try:
        return Door.restore(snapshot)
    except SnapshotError as error:
        log.warning("sensor %s: what it was in the middle of and had learned is lost: %s", sensor, error)
        return None


def begun_anew(tally: Tally, when: When) -> list[Reading | Noticed]:
    """What is to be told where the door as it was left cannot be read: no fault is known to last any more."""
    told: list[Reading | Noticed] = [Noticed("door_forgotten", when, None, _FORGOTTEN)]
    told += [Noticed(kind, when, line, _FORGOTTEN, active=False) for kind, line in tally.standing]
    tally.standing.clear()
    return told


def same_settings(snapshot: dict[str, Any], settings: DoorSettings) -> bool:
    return (snapshot["separation_m"], snapshot["debounce_ns"]) == (settings.separation_m, settings.debounce_ns)


def readings(found: Found, to_when: ToWhen, tally: Tally) -> list[Reading | Noticed]:
    """What a door found, as what the agent takes."""
    out: list[Reading | Noticed] = []
    for item in found:
        if isinstance(item, Fault):
            tally.noticed(item)
            out.append(Noticed(item.kind, to_when(item.t_ns), item.line, item.detail, item.count, item.active))
            continue
        fields = {
            "direction": item.direction,
            "persons": item.persons,
            "speed_m_s": item.speed_m_s,
            "length_m": item.length_m,
            "confidence": item.confidence,
        }
        persons_in = item.persons if item.direction == "in" else 0
        persons_out = item.persons if item.direction == "out" else 0
        out.append(Reading("passage", to_when(item.t_ns), fields, persons_in, persons_out))
    return out
