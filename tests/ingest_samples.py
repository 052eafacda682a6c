"""Messages to be judged, and a fleet to judge them by."""

from __future__ import annotations

import json
from typing import Any

from collector_samples import EPOCH, PASSAGE

from collector.ingest import Ingest, Verdict
from firmware_cfg.load import Fleet
from firmware_cfg.schema import Hub

NOW_NS = 1_790_000_000 * 10**9  # 2026-09-21


def hub(name: str, *units: dict[str, Any]) -> Hub:
    return Hub.model_validate(
        {
            "id": name,
            "name": name,
            "type": "local",
            "entrances": [{"id": "front", "name": "Front", "counting": "beams"}],
            "rooms": [{"id": "hall", "name": "Hall"}],
            "units": [
                {
                    "sensors": [
                        {"name": "beams", "kind": "beam-pair", "entrance": "front", "outer_pin": 17, "inner_pin": 27},
                        {"name": "radar", "kind": "terabee-evo", "entrance": "front", "port": "/dev/ttyUSB0"},
                    ]
                }
                | unit
                for unit in units
            ],
        }
    )


FLEET = Fleet(
    {
        "north": hub(
            "north",
            {"id": "door", "since": "2020-01-01T00:00:00Z"},
            {"id": "pop-up", "since": "2026-01-01T00:00:00Z", "until": "2026-06-01T00:00:00Z"},
        ),
        "south": hub("south", {"id": "pop-up", "since": "2026-07-01T00:00:00Z"}),
    }
)


def event(seq: int = 1, **fields: Any) -> dict[str, Any]:
    said = {"seq": seq, "t_ns": NOW_NS - seq} | PASSAGE | fields
    return {key: value for key, value in said.items() if value is not ...}


def batch(*events: Any, **fields: Any) -> dict[str, Any]:
    """Without `events` where there are only runs."""
    given = {"events": list(events)} if events or not fields.get("runs") else {}
    return {"v": 1, "unit": "door", "epoch": EPOCH, "sent_ns": NOW_NS} | given | fields


def judge(message: Any, topic: str = "foyer/v1/north/door/events", *, retained: bool = False) -> Verdict:
    payload = message if isinstance(message, bytes) else json.dumps(message).encode()
    return Ingest(FLEET).judge(topic, payload, NOW_NS, retained=retained)


def stored_seqs(verdict: Verdict) -> list[int]:
    return [] if verdict.parcel is None else [found.seq for found in verdict.parcel.events]


def dead_seqs(verdict: Verdict) -> list[int]:
    return [seq for letter in verdict.dead for seq in letter.seqs]
