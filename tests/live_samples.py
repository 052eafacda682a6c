"""A hub with everything in it, and what its units may say."""

from __future__ import annotations

from itertools import count
from typing import Any

from collector.live import Live
from collector.store.base import Parcel
from firmware_cfg.load import Fleet
from firmware_cfg.schema import Hub
from firmware_cfg.wire import Event, Health, State, event_adapter

EPOCH = "0123456789abcdef"
S = 10**9
MINUTE = 60 * S
HOUR = 60 * MINUTE
NOW_NS = 1_789_999_200 * S  # 2026-09-21T14:00:00Z, 15:00 in London
HUB = Hub.model_validate(
    {
        "id": "north",
        "name": "North",
        "type": "local",
        "entrances": [{"id": "front", "name": "Front", "counting": "beams"}],
        "rooms": [{"id": "hall", "name": "Hall"}, {"id": "attic", "name": "Attic"}],
        "cabinet": {"pads_expire": "2026-10-01", "battery_expires": "2026-09-20"},
        "units": [
            {
                "id": "door",
                "since": "2020-01-01T00:00:00Z",
                "sensors": [
                    {"name": "beams", "kind": "beam-pair", "entrance": "front", "outer_pin": 1, "inner_pin": 2},
                    {"name": "radar", "kind": "terabee-evo", "entrance": "front", "port": "/dev/ttyUSB0"},
                    {"name": "aed", "kind": "cabinet", "door_pin": 5, "aed_pin": 6},
                ],
            },
            {
                "id": "inside",
                "since": "2020-01-01T00:00:00Z",
                "sensors": [{"name": "presence", "kind": "room", "room": "hall", "pir_pin": 7, "heartbeat_min": 10}],
            },
        ],
    }
)
_seqs = count(1)
FLEET = Fleet({"north": HUB})


class Clock:
    def __init__(self) -> None:
        self.now_ns = NOW_NS

    def __call__(self) -> int:
        return self.now_ns


def ago(minutes: float) -> int:
    return NOW_NS - round(minutes * MINUTE)


def event(kind: str, t_ns: int, **fields: Any) -> Event:
    base = {"seq": next(_seqs), "t_ns": t_ns, "clock": "synced", "kind": kind, "hub": "north"}
    return event_adapter.validate_python(base | fields)


def room(minutes_ago: float, state: str, **fields: Any) -> Parcel:
    base = {"sensor": "presence", "room": "hall", "state": state, "probability": 0.75}
    return Parcel("inside", EPOCH, [event("room", ago(minutes_ago), **(base | fields))])


def cabinet(minutes_ago: float, level: str = "ok", **fields: Any) -> Parcel:
    base = {"sensor": "aed", "level": level, "door": "closed", "aed": "present", "mains": "unknown"}
    return Parcel("door", EPOCH, [event("cabinet", ago(minutes_ago), **(base | fields))])


def fault(minutes_ago: float, kind: str = "sensor_silent", *, active: bool = True, **fields: Any) -> Parcel:
    base = {"sensor": "radar", "fault": kind, "active": active}
    return Parcel("door", EPOCH, [event("fault", ago(minutes_ago), **(base | fields))])


def passage(minutes_ago: float, **fields: Any) -> Parcel:
    base = {"sensor": "beams", "entrance": "front", "direction": "in", "persons": 1}
    return Parcel("door", EPOCH, [event("passage", ago(minutes_ago), **(base | fields))])


def counter(minutes_ago: float, in_: int, out: int) -> Parcel:
    fields = {"in": in_, "out": out, "raw_in": in_, "raw_out": out, "role": "reference"}
    return Parcel("door", EPOCH, [event("counter", ago(minutes_ago), sensor="radar", entrance="front", **fields)])


def health(minutes_ago: float, unit: str = "door", sensors: dict[str, Any] | None = None, **fields: Any) -> Health:
    base: dict[str, Any] = {
        "v": 1,
        "unit": unit,
        "hub": "north",
        "session": "s1",
        "epoch": EPOCH,
        "t_ns": ago(minutes_ago),
        "clock": "synced",
        "uptime_s": 60.0,
        "version": "1.2",
        "sensors": sensors or {},
        "outbox": {"depth": 0},
    }
    return Health.model_validate(base | fields)


def state(unit: str, what: str) -> State:
    return State.model_validate({"v": 1, "unit": unit, "session": "s1", "state": what})


def fed(*parcels: Parcel, clock: Clock | None = None) -> Live:
    """A live view that was told these."""
    live = Live(FLEET, clock or Clock())
    live.stored(parcels)
    return live


def well(live: Live) -> None:
    """Both units report, and their sensors have worked since yesterday."""
    sensors = {name: {"ok_since_ns": NOW_NS - 24 * HOUR} for name in ("beams", "radar", "aed")}
    live.stored([], [health(0, sensors=sensors), health(0, "inside", {"presence": {}})])


def hub_with(*when: str, **fields: Any) -> Hub:
    """The hub with an alert to staff for each of these."""
    rules = [{"when": each, "to": ["staff"]} for each in when]
    return Hub.model_validate(HUB.model_dump(mode="json") | {"capacity": 2, "alerts": rules} | fields)
