"""Hubs, their entrances, rooms and cabinet, and the units placed in them: what a fleet's TOML files may say."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from typing import Annotated, Any, Literal, Self, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, field_validator, model_validator

from firmware_cfg.sensors import (
    BeamPair,
    Cabinet,
    ConfigModel,
    ModbusCounter,
    RadarLine,
    RoomPresence,
    RoomWeights,
    Sensor,
    TerabeeEvo,
)
from firmware_cfg.wire import T_NS_MAX, Name, Role

__all__ = [  # the kinds of sensors too, so that a hub is read from one place
    "WEEKDAYS",
    "AlertRule",
    "BeamPair",
    "Cabinet",
    "ConfigModel",
    "DefibrillatorCabinet",
    "Entrance",
    "Hub",
    "HubType",
    "MeetingRoom",
    "ModbusCounter",
    "OpenHours",
    "RadarLine",
    "RoomPresence",
    "RoomWeights",
    "Sensor",
    "Stay",
    "TerabeeEvo",
    "Weekday",
]

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
HubType = Literal["extra", "local", "mobile"]
Division = Literal["england-and-wales", "scotland", "northern-ireland"]

_T = TypeVar("_T")
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)")


class OpenHours(ConfigModel):
    """One stretch of a day, local time; `closes` 00:00 is the midnight that ends the day. Written `09:00-17:30`."""

    opens: time
    closes: time

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        match = _HOURS.fullmatch(value)
        if match is None:
            raise ValueError(f"{value!r} is not a stretch of opening hours such as 09:00-17:30")
        opens, closes = value.split("-")
        return {"opens": opens, "closes": closes.replace("24:00", "00:00")}

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.closes != time() and self.closes <= self.opens:
            raise ValueError(f"closes at {self.closes:%H:%M}, before it opens at {self.opens:%H:%M}")
        return self


class Entrance(ConfigModel):
    """A doorway. Exactly one of its sensors is counted; others on the same opening are only a reference."""

    id: Name
    name: str
    counting: Name


class MeetingRoom(ConfigModel):
    id: Name
    name: str
    capacity: Annotated[int, Field(ge=1)] | None = None


class DefibrillatorCabinet(ConfigModel):
    """Expiry dates are reminded of 90, 30 and 0 days ahead. `governance`: who is told of use, by a person."""

    id: Name = "cabinet"
    governance: Literal["circuit", "cht", "none"] = "none"
    pads_expire: date | None = None
    battery_expires: date | None = None


class AlertRule(ConfigModel):
    """Whom to tell of what. `to` names receivers, whose addresses are kept outside the fleet's files.

    `cabinet`: it is not OK; `capacity`: more people inside than allowed; `silent`: a unit is, or a sensor does not
    work; `expiry`: pads or battery have 90, 30 or 0 days left. `after_min`: once it has lasted so long.
    """

    when: Literal["cabinet", "capacity", "silent", "expiry"]
    to: Annotated[list[Name], Field(min_length=1)]
    after_min: Annotated[float, Field(ge=0, le=1440)] | None = None


def _utc_midnight(value: Any) -> Any:
    """A date without a time, as TOML has it, means its first moment in UTC; a naive time means UTC too."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return f"{value.isoformat()}T00:00:00Z"
    return value


Moment = Annotated[datetime, BeforeValidator(_utc_midnight)]


class Stay(ConfigModel):
    """A unit's time at this hub, `since` inclusive, `until` exclusive or open, with its sensors as they are there."""

    id: Name
    since: Moment
    until: Moment | None = None
    sensors: list[Sensor] = []

    @field_validator("since", "until")
    @classmethod
    def _aware(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no offset; write {value.isoformat()}Z for UTC")
        return value

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.until is not None and self.until <= self.since:
            raise ValueError("until is not after since")
        return self

    @property
    def since_ns(self) -> int:
        return _ns(self.since)

    @property
    def until_ns(self) -> int:
        """`T_NS_MAX` where the stay is open."""
        return T_NS_MAX if self.until is None else _ns(self.until)

    def holds(self, t_ns: int) -> bool:
        return self.since_ns <= t_ns < self.until_ns

    def overlaps(self, other: Stay) -> bool:
        return (other.until is None or self.since < other.until) and (self.until is None or other.since < self.until)


def _ns(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1000


class Hub(ConfigModel):
    """A building. Every name in it is its own; sensors and entrances must fit together."""

    id: Name
    name: str
    type: HubType
    nearest_extra: Name | None = None
    timezone: str = "Europe/London"
    division: Division = "england-and-wales"
    hours: dict[Weekday, list[OpenHours]] = {}
    entrances: list[Entrance] = []
    rooms: list[MeetingRoom] = []
    cabinet: DefibrillatorCabinet | None = None
    capacity: Annotated[int, Field(ge=1)] | None = None  # persons allowed inside at once
    alerts: list[AlertRule] = []
    units: list[Stay] = []

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{value!r} is no IANA time zone such as Europe/London") from error
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for what, names in (
            ("entrance", [entrance.id for entrance in self.entrances]),
            ("room", [room.id for room in self.rooms]),
        ):
            if twice := _twice(names):
                raise ValueError(f"{what} {twice!r} is there twice")
        for rule in self.alerts:
            missing = {
                "capacity": self.capacity is None,
                "cabinet": self.cabinet is None,
                "expiry": self.cabinet is None,
            }
            if missing.get(rule.when):
                needed = "capacity = PERSONS" if rule.when == "capacity" else "[cabinet]"
                raise ValueError(f"alerts: when {rule.when!r} needs {needed} in this file")
        for index, stay in enumerate(self.units):
            self._check_stay(stay, f"units[{index}] ({stay.id})")
        for entrance in self.entrances:
            sensors = [sensor for stay in self.units for sensor in stay.sensors if sensor.entrance == entrance.id]
            if self.units and entrance.counting not in {sensor.name for sensor in sensors}:
                allowed = ", ".join(sorted(sensor.name for sensor in sensors)) or "none is configured"
                raise ValueError(
                    f"entrance {entrance.id!r} counts by {entrance.counting!r}, which is no sensor of it; "
                    f"sensors there: {allowed}"
                )
        return self

    def _check_stay(self, stay: Stay, where: str) -> None:
        if twice := _twice([sensor.name for sensor in stay.sensors]):
            raise ValueError(f"{where}: sensor {twice!r} is there twice")
        _check_own(where, "pin", {sensor.name: sensor.pins() for sensor in stay.sensors})
        _check_own(where, "port", {sensor.name: sensor.ports() for sensor in stay.sensors})
        for sensor in stay.sensors:
            if sensor.kind == "cabinet" and self.cabinet is None:
                raise ValueError(f"{where}: sensor {sensor.name!r} watches a cabinet, but the hub has no [cabinet]")
            for key, value, known in (
                ("entrance", sensor.entrance, [entrance.id for entrance in self.entrances]),
                ("room", sensor.room, [room.id for room in self.rooms]),
            ):
                if value is not None and value not in known:
                    allowed = ", ".join(known) or "none is configured"
                    raise ValueError(f"{where}: sensor {sensor.name!r}: no {key} {value!r} here; allowed: {allowed}")

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    def role(self, entrance: str | None, sensor: str) -> Role:
        """Whether persons seen by this sensor are summed, or only compared."""
        counted = any(known.id == entrance and known.counting == sensor for known in self.entrances)
        return "counting" if counted else "reference"


def _check_own(where: str, what: str, used: dict[str, list[_T]]) -> None:
    """Raise where two sensors use one pin or port."""
    value = _twice([value for values in used.values() for value in values])
    if value is not None:
        users = " and ".join(name for name, values in used.items() if value in values)
        raise ValueError(f"{where}: {what} {value} is used by {users}; each needs its own")


def _twice(values: list[_T]) -> _T | None:
    seen: set[_T] = set()
    for value in values:
        if value in seen:
            return value
        seen.add(value)
    return None
