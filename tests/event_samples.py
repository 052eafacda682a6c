"""One event of every kind, with what is hard to write down in it."""

from __future__ import annotations

from collector_samples import T0_NS

from firmware_cfg.wire import Event, event_adapter

EVERY_KIND: list[dict[str, object]] = [
    {"kind": "passage", "direction": "out", "persons": 2, "speed_m_s": 1.25, "length_m": 0.5, "confidence": 0.75},
    {"kind": "passage", "direction": "unknown", "role": "reference", "confidence": 1.0},
    {"kind": "counter", "in": 3, "out": 0, "raw_in": 65535, "raw_out": 12, "reset": True},
    {"kind": "room", "state": "occupied", "probability": 0.875, "entrance": None, "room": "hall"},
    {
        "kind": "cabinet",
        "level": "warning",
        "door": "open",
        "aed": "present",
        "mains": "on",
        "temperature_c": 4.5,
        "reasons": ['a "quoted" reason', "back\\slash, comma = blank", "naïve ☃"],
        "entrance": None,
    },
    {
        "kind": "fault",
        "fault": "events_dropped",
        "active": False,
        "detail": 'line one\nline "two" \\ end\\',
        "count": 3,
        "first_seq": 1,
        "last_seq": 3,
        "entrance": None,
    },
    {"kind": "audit", "author": "J. O'Neill", "note": "", "in": 12, "out": 0},
]


def every_kind() -> list[Event]:
    base = {"clock": "unsynced", "sensor": "beams", "hub": "north", "entrance": "front"}
    return [
        event_adapter.validate_python(base | {"seq": seq, "t_ns": T0_NS + seq} | fields)
        for seq, fields in enumerate(EVERY_KIND, 1)
    ]
