"""Events to put into stores, and a recount of them that shares no code with any store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from collector.store.base import QUARTER_NS, Parcel
from collector.store.runs import COLUMNS
from firmware_cfg.wire import Event, Health, Passage, PassageRun, event_adapter

EPOCH = "0123456789abcdef"
OTHER_EPOCH = "fedcba9876543210"
T0_NS = 1_789_999_200 * 10**9  # 2026-09-21T14:00:00Z, a quarter's start
MINUTE_NS = 60 * 10**9


PASSAGE = {
    "clock": "synced",
    "kind": "passage",
    "sensor": "beams",
    "hub": "north",
    "entrance": "front",
    "direction": "in",
}
"""All that one says but its number and time."""


def passage(seq: int, t_ns: int | None = None, **fields: Any) -> Event:
    when = {"seq": seq, "t_ns": T0_NS + seq if t_ns is None else t_ns}
    return event_adapter.validate_python(when | PASSAGE | {"persons": 1} | fields)


def counter(seq: int, t_ns: int, in_: int, out: int, **fields: Any) -> Event:
    base = {
        "seq": seq,
        "t_ns": t_ns,
        "clock": "synced",
        "kind": "counter",
        "sensor": "radar",
        "hub": "north",
        "entrance": "front",
        "in": in_,
        "out": out,
        "raw_in": in_,
        "raw_out": out,
    }
    return event_adapter.validate_python(base | fields)


def parcel(*events: Event, unit: str = "door", epoch: str = EPOCH) -> Parcel:
    return Parcel(unit, epoch, events)


def in_columns(whole: Parcel) -> Parcel:
    """The same, with all of its passages in runs."""
    alike: dict[tuple[object, ...], list[Passage]] = defaultdict(list)
    for each in whole.events:
        if isinstance(each, Passage):
            alike[each.clock, each.sensor, each.hub, each.entrance, each.room, each.role].append(each)
    runs = [
        PassageRun.model_validate(
            found[0].model_dump(include={"kind", "clock", "sensor", "hub", "entrance", "room", "role"})
            | {name: [getattr(each, name) for each in found] for name in COLUMNS}
        )
        for found in alike.values()
    ]
    return Parcel(whole.unit, whole.epoch, [each for each in whole.events if each.kind != "passage"], runs)


def health(t_ns: int, *, ok: bool = True, ok_since_ns: int | None = None, unit: str = "door", **fields: Any) -> Health:
    base: dict[str, Any] = {
        "v": 1,
        "unit": unit,
        "hub": "north",
        "session": "s1",
        "epoch": EPOCH,
        "t_ns": t_ns,
        "clock": "synced",
        "uptime_s": 60.0,
        "version": "1",
        "sensors": {"beams": {"in": 3, "out": 2, "edges": 20, "ok": ok, "ok_since_ns": ok_since_ns}},
        "outbox": {"depth": 0},
    }
    return Health.model_validate(base | fields)


def recount(parcels: Iterable[Parcel], hub: str) -> dict[tuple[int, str, str, str | None], tuple[int, int, int, int]]:
    """(quarter, unit, sensor, entrance) -> persons in, out, unknown, and events; each identity once."""
    seen = set()
    counts: dict[tuple[int, str, str, str | None], tuple[int, int, int, int]] = {}
    for found in parcels:
        for event in found.events:
            identity = (found.unit, found.epoch, event.seq)
            if identity in seen or event.hub != hub or event.kind not in ("passage", "counter"):
                continue
            seen.add(identity)
            if event.role != "counting":  # type: ignore[union-attr]  # both kinds have a role
                continue
            key = (event.t_ns // QUARTER_NS * QUARTER_NS, found.unit, event.sensor, event.entrance)
            in_, out, unknown, events = counts.get(key, (0, 0, 0, 0))
            if event.kind == "counter":
                counts[key] = (in_ + event.in_, out + event.out, unknown, events + 1)
            elif event.kind == "passage":
                counts[key] = (
                    in_ + event.persons * (event.direction == "in"),
                    out + event.persons * (event.direction == "out"),
                    unknown + event.persons * (event.direction == "unknown"),
                    events + 1,
                )
    return counts
