"""What a hub's present means by its rules: which alarms there are now. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from collector.answers import CabinetLive, Expiry, Live, SensorLive, UnitLive
from firmware_cfg.schema import Hub
from firmware_cfg.times import NS_PER_S

REMIND_DAYS = (90, 30, 0)
_AFTER_MIN = {"cabinet": 0.0, "capacity": 2.0, "silent": 10.0, "expiry": 0.0}
"""How long each kind must last before anybody is told, where the rule does not say."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that is wrong now. `key` names it for ever; a `stage` that differs is news.

    `decided` False: nobody knows whether it still is, or is at all. Then whatever stood goes on to stand.
    """

    key: str
    to: tuple[str, ...]
    title: str
    body: str
    stage: int = 1
    critical: bool = False
    after_ns: int = 0
    decided: bool = True


def alarms(hub: Hub, live: Live, *, settled: bool) -> Iterator[Alarm]:
    """By every rule of the hub. `settled`: units had the time to be heard of since the collector's start."""
    kinds = {"cabinet": _cabinet, "capacity": _capacity, "silent": _silent, "expiry": _expiry}
    for rule in hub.alerts:
        after_min = _AFTER_MIN[rule.when] if rule.after_min is None else rule.after_min
        after_ns = round(after_min * 60 * NS_PER_S)
        for found in kinds[rule.when](hub, live):
            yield Alarm(
                key=f"{hub.id}/{rule.when}/{found.about}/{'+'.join(rule.to)}",
                to=tuple(rule.to),
                title=f"{hub.name}: {found.title}",
                body=found.body,
                stage=found.stage,
                critical=found.critical,
                after_ns=after_ns,
                decided=found.sure and (settled or not found.by_silence),
            )


def rule_of(key: str) -> tuple[str, str, str]:
    """Hub, kind and receivers of the rule that an alarm of this key came from."""
    hub, when, _, to = key.split("/")
    return hub, when, to


@dataclass(frozen=True, slots=True)
class _Found:
    about: str
    title: str
    body: str
    stage: int = 1
    critical: bool = False
    by_silence: bool = False
    sure: bool = True


def _cabinet(_hub: Hub, live: Live) -> Iterator[_Found]:
    box = live.cabinet
    if box is None or box.level == "ok":
        return
    critical = "critical" in (box.level, box.was)
    title = "defibrillator critical" if critical else f"defibrillator {box.level}"
    body = _sentences(box)
    yield _Found("cabinet", title, body, 2 if critical else 1, critical=critical, by_silence=box.level == "unknown")


def _sentences(box: CabinetLive) -> str:
    return "; ".join(reason.replace("aed:", "AED").replace(":", "") for reason in box.reasons) or "No reason is known"


def _capacity(hub: Hub, live: Live) -> Iterator[_Found]:
    inside = live.occupancy
    title = f"more people inside than the {hub.capacity} allowed"
    if inside.value is None:
        yield _Found("inside", title, f"People inside unknown: {inside.reason}", sure=False)
    elif hub.capacity is not None and inside.value > hub.capacity:
        body = f"{inside.value} people inside ({inside.low} to {inside.high})"
        yield _Found("inside", title, body, critical=True)


def _silent(_hub: Hub, live: Live) -> Iterator[_Found]:
    for unit in live.units:
        if not unit.online:
            body = f"Last heard {unit.last_heard}" if unit.last_heard else "Never heard"
            yield _Found(unit.id, f"unit {unit.id} is silent", body, by_silence=unit.online is None)
            continue
        for sensor in unit.sensors:
            if trouble := _sensor_trouble(unit, sensor):
                yield _Found(f"{unit.id}.{sensor.name}", f"sensor {sensor.name} of {unit.id} does not work", trouble)


def _sensor_trouble(unit: UnitLive, sensor: SensorLive) -> str:
    faults = [fault.fault.replace("_", " ") for fault in unit.faults if fault.lasting and fault.sensor == sensor.name]
    if faults:
        return ", ".join(faults).capitalize()
    return "It reports a fault" if sensor.ok is False else ""


def _expiry(_hub: Hub, live: Live) -> Iterator[_Found]:
    box = live.cabinet
    due: dict[str, Expiry | None] = {"pads": box.pads, "battery": box.battery} if box else {}
    for what, date in due.items():
        stages = [days for days in REMIND_DAYS if date is not None and date.days_left <= days]
        if date is None or not stages:
            continue
        title = f"defibrillator's {what} to be replaced" + ("" if stages[-1] == 0 else f" within {stages[-1]} days")
        yield _Found(what, title, f"Good until {date.until.isoformat()}, {date.days_left} days left", len(stages))
