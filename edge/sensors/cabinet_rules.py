"""When a defibrillator's cabinet is fine and when it is not. Pure: times and dates are arguments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal, get_args

from edge.sensors.contact import Contact
from firmware_cfg.times import NS_PER_S

Level = Literal["ok", "warning", "unknown", "critical"]
LEVELS: tuple[Level, ...] = get_args(Level)
"""From best to worst: what is not known may be critical, so it is worse than what is known to need attention."""

Part = Literal["door", "aed", "mains", "light", "temperature"]
Found = tuple[Level, str]

REMIND_DAYS = (30, 90)
_MINUTE_NS = 60 * NS_PER_S
_PERIODS_MISSED = 3


@dataclass(frozen=True, slots=True)
class CabinetSettings:
    """What is fitted, and the limits."""

    fitted: frozenset[Part]
    door_open_ns: int = 2 * _MINUTE_NS
    cold_c: float = 5.0
    cold_ns: int = 10 * _MINUTE_NS
    frost_c: float = 0.0
    heat_c: float = 50.0
    temperature_silent_ns: int = 5 * _MINUTE_NS
    light_period_ns: int = 5 * NS_PER_S
    heartbeat_ns: int = 5 * _MINUTE_NS
    pads_expire: date | None = None
    battery_expires: date | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """A cabinet at `t_ns`; `changed` tells news from a sign of life. Each reason begins with its part's name."""

    t_ns: int
    level: Level
    door: Literal["open", "closed", "unknown"]
    aed: Literal["present", "absent", "unknown"]
    mains: Literal["on", "off", "unknown"]
    temperature_c: float | None
    reasons: tuple[str, ...]
    changed: bool = True

    def fields(self) -> dict[str, Any]:
        """As a `cabinet` event carries it."""
        return {
            "level": self.level,
            "door": self.door,
            "aed": self.aed,
            "mains": self.mains,
            "temperature_c": self.temperature_c,
            "reasons": list(self.reasons),
        }


class CabinetRules:
    """Inputs in the order of time, statuses out of `advance`.

    A part of which nothing was heard, or no more, is unknown, and then the cabinet is not `ok`. A part that is not
    fitted is unknown in its own field and otherwise left out, but for the AED: where nothing tells that it is there,
    the cabinet is never `ok`.
    """

    def __init__(self, settings: CabinetSettings, now_ns: int) -> None:
        self._settings = settings
        self._start_ns = self._now_ns = now_ns
        self._contacts: dict[Part, Contact] = {part: Contact() for part in ("door", "aed", "mains")}
        self._temperature_c: float | None = None
        self._measured_ns: int | None = None
        self._cold_since_ns: int | None = None
        self._flash_ns: int | None = None
        self._flashes_well_ns: int | None = None
        self._today: date | None = None
        self._told: Status | None = None
        self._out: list[Status] = []

    def contact(self, t_ns: int, part: Literal["door", "aed", "mains"], closed: bool) -> None:
        """Closed means well: the door shut, the AED there, the mains on."""
        t_ns = self._run(t_ns)
        self._contacts[part].feed(t_ns, closed)
        self._tell()

    def temperature(self, t_ns: int, celsius: float) -> None:
        t_ns = self._run(t_ns)
        if not self._measured():
            self._cold_since_ns = None  # nobody knows what it was meanwhile
        self._temperature_c, self._measured_ns = celsius, t_ns
        if celsius >= self._settings.cold_c:
            self._cold_since_ns = None
        elif self._cold_since_ns is None:
            self._cold_since_ns = t_ns
        self._tell()

    def flash(self, t_ns: int) -> None:
        """The AED's status light went on."""
        t_ns = self._run(t_ns)
        period_ns = self._settings.light_period_ns
        if self._flash_ns is not None and period_ns <= 2 * (t_ns - self._flash_ns) <= 3 * period_ns:
            self._flashes_well_ns = t_ns
        self._flash_ns = t_ns
        self._tell()

    def advance(self, now_ns: int, today: date | None) -> list[Status]:
        """What has become known until now. `today` is the date there; None where the unit does not know it yet."""
        now_ns = self._run(now_ns)
        self._today = today or self._today
        self._tell()
        if self._told is None or now_ns - self._told.t_ns >= self._settings.heartbeat_ns:
            self._put(self._status())
        out, self._out = self._out, []
        return out

    def due_ns(self) -> int | None:
        """When to call `advance` at the latest, although nothing came; None before the first call."""
        if self._told is None:
            return None
        return min((*self._deadlines(), self._told.t_ns + self._settings.heartbeat_ns))

    def _run(self, t_ns: int) -> int:
        """Let time pass, telling what it brings at its own time; gives back the time that it is now."""
        t_ns = max(t_ns, self._now_ns)
        while (due_ns := min(self._deadlines(), default=t_ns)) < t_ns:
            self._now_ns = due_ns
            for contact in self._contacts.values():
                contact.advance(due_ns)
            self._tell()
        self._now_ns = t_ns
        for contact in self._contacts.values():
            contact.advance(t_ns)
        return t_ns

    def _deadlines(self) -> Iterator[int]:
        """Times after now at which the cabinet's status may change by itself."""
        settings = self._settings
        door = self._contacts["door"]
        times = [contact.due_ns() for contact in self._contacts.values()]
        if door.closed is False:
            times.append(door.since_ns + settings.door_open_ns + 1)
        if self._cold_since_ns is not None:
            times.append(self._cold_since_ns + settings.cold_ns)
        if self._measured_ns is not None:
            times.append(self._measured_ns + settings.temperature_silent_ns)
        if "light" in settings.fitted:
            times.append(self._light_ends_ns())
        return (t_ns for t_ns in times if t_ns is not None and t_ns > self._now_ns)

    def _tell(self) -> None:
        """Put out the status if it is news; the first comes with the first `advance`."""
        if self._told is not None and self._news(status := self._status()):
            self._put(status)

    def _news(self, status: Status) -> bool:
        """Whether anything but the temperature is not as it was told last."""
        told = self._told
        return told is None or replace(told, t_ns=0, temperature_c=None, changed=True) != replace(
            status, t_ns=0, temperature_c=None
        )

    def _put(self, status: Status) -> None:
        self._told = replace(status, changed=self._news(status))
        self._out.append(self._told)

    # The rules

    def _status(self) -> Status:
        door, aed, mains = (self._known(part) for part in ("door", "aed", "mains"))
        found = [
            *self._door(door),
            *self._aed(aed),
            *self._mains(mains),
            *self._heat(),
            *self._light(aed),
            *self._expiry("pads", self._settings.pads_expire),
            *self._expiry("battery", self._settings.battery_expires),
        ]
        return Status(
            t_ns=self._now_ns,
            level=max((level for level, _ in found), key=LEVELS.index, default="ok"),
            door="unknown" if door is None else "closed" if door else "open",
            aed="unknown" if aed is None else "present" if aed else "absent",
            mains="unknown" if mains is None else "on" if mains else "off",
            temperature_c=self._temperature_c if self._measured() else None,
            reasons=tuple(reason for _, reason in found),
        )

    def _known(self, part: Part) -> bool | None:
        contact = self._contacts[part]
        return None if part not in self._settings.fitted or contact.chatters(self._now_ns) else contact.closed

    def _silent(self, part: Part) -> Found:
        if self._contacts[part].chatters(self._now_ns):
            return "unknown", f"{part}: its contact chatters"
        return "unknown", f"{part}: nothing heard from its contact"

    def _door(self, closed: bool | None) -> Iterator[Found]:
        if "door" not in self._settings.fitted:
            yield "ok", "door: no contact fitted"
        elif closed is None:
            yield self._silent("door")
        elif not closed and self._now_ns - self._contacts["door"].since_ns > self._settings.door_open_ns:
            yield "critical", f"door: open for more than {_duration(self._settings.door_open_ns)}"

    def _aed(self, present: bool | None) -> Iterator[Found]:
        if "aed" not in self._settings.fitted:
            yield "unknown", "aed: no contact fitted, so nobody knows whether it is there"
        elif present is None:
            yield self._silent("aed")
        elif not present:
            yield "critical", "aed: not in its place"

    def _mains(self, on: bool | None) -> Iterator[Found]:
        if "mains" not in self._settings.fitted:
            yield "ok", "mains: no sense fitted"
        elif on is None:
            yield self._silent("mains")
        elif not on:
            yield "warning", "mains: lost"

    def _measured(self) -> bool:
        silent_ns = self._settings.temperature_silent_ns
        fitted = "temperature" in self._settings.fitted
        return fitted and self._measured_ns is not None and self._now_ns - self._measured_ns < silent_ns

    def _heat(self) -> Iterator[Found]:
        settings = self._settings
        if "temperature" not in settings.fitted:
            yield "ok", "temperature: no thermometer fitted"
        elif not self._measured() or self._temperature_c is None:
            yield "unknown", "temperature: the thermometer is silent"
        elif self._temperature_c < settings.frost_c:
            yield "critical", f"temperature: below {settings.frost_c:g} C"
        elif self._temperature_c > settings.heat_c:
            yield "critical", f"temperature: above {settings.heat_c:g} C"
        elif self._cold_since_ns is not None and self._now_ns - self._cold_since_ns >= settings.cold_ns:
            yield "warning", f"temperature: below {settings.cold_c:g} C for {_duration(settings.cold_ns)}"

    def _light_ends_ns(self) -> int:
        since_ns = self._start_ns if self._flashes_well_ns is None else self._flashes_well_ns
        return since_ns + _PERIODS_MISSED * self._settings.light_period_ns

    def _light(self, aed: bool | None) -> Iterator[Found]:
        """Not judged while the AED is away. Steadily on is no better than dark."""
        if "light" not in self._settings.fitted or aed is False:
            return
        if self._now_ns >= self._light_ends_ns():
            yield "warning", f"light: does not flash every {_duration(self._settings.light_period_ns)}"
        elif self._flashes_well_ns is None:
            yield "unknown", "light: not seen yet"

    def _expiry(self, what: str, day: date | None) -> Iterator[Found]:
        """Reminders alone do not change the level: until the day itself the AED is ready."""
        if day is None or self._today is None:
            return
        left = (day - self._today).days
        if left <= 0:
            yield "warning", f"{what}: to be replaced, good until {day}"
        else:
            within = next((days for days in REMIND_DAYS if left <= days), None)
            if within is not None:
                yield "ok", f"{what}: good until {day}, less than {within + 1} days left"


def _duration(ns: int) -> str:
    return f"{ns / _MINUTE_NS:g} min" if ns >= _MINUTE_NS else f"{ns / NS_PER_S:g} s"
