"""Days of a defibrillator's cabinet: what its sensors say, and the level that a person who was there would give it.

Times are seconds since the day's beginning. The truth is written down with each script, not worked out by the rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Literal

Script = Literal["quiet", "opened", "left open", "used", "frost night", "hard frost", "mains cut", "thermometer dies"]
SCRIPTS: tuple[Script, ...] = (
    "quiet",
    "opened",
    "left open",
    "used",
    "frost night",
    "hard frost",
    "mains cut",
    "thermometer dies",
)
Level = Literal["ok", "warning", "unknown", "critical"]
Contact = Literal["door", "aed", "mains"]

MEASURE_EVERY_S = 30
DAY_S = 86_400
_MINUTE_S = 60


@dataclass(frozen=True, slots=True)
class Input:
    """A contact that closes (all is well) or opens, a temperature in Celsius, or None: a thermometer that fails."""

    at_s: float
    part: Contact | Literal["temperature"]
    value: bool | float | None


@dataclass(frozen=True, slots=True)
class CabinetDay:
    """`inputs` in the order of time; `truth` is the level from each time on."""

    script: Script
    inputs: list[Input]
    truth: list[tuple[float, Level]]

    def level(self, at_s: float) -> Level:
        return [level for from_s, level in self.truth if from_s <= at_s][-1]


def cabinet_day(script: Script, seed: int = 0) -> CabinetDay:
    """A day on which that happens, somewhen between 8 and 16 h; a frost is at night."""
    rng = Random(f"{script} {seed}")  # noqa: S311 - a simulation
    contacts = [Input(0.0, "door", True), Input(0.0, "aed", True), Input(0.0, "mains", True)]
    truth: list[tuple[float, Level]] = [(0.0, "ok")]
    at_s = rng.uniform(8, 16) * 3_600
    low_c, dies_s = 12.0, float(DAY_S)
    match script:
        case "quiet":
            pass
        case "opened":
            contacts += _away("door", at_s, at_s + rng.uniform(10, 110))
        case "left open":
            shut_s = at_s + rng.uniform(5, 60) * _MINUTE_S
            contacts += _away("door", at_s, shut_s)
            truth += [(at_s + 2 * _MINUTE_S, "critical"), (shut_s, "ok")]
        case "used":
            back_s = at_s + rng.uniform(1, 5) * 3_600
            contacts += _away("door", at_s, at_s + 25) + _away("aed", at_s + 8, back_s + 9)
            contacts += _away("door", back_s, back_s + 30)
            truth += [(at_s + 8, "critical"), (back_s + 9, "ok")]
        case "frost night":
            low_c = rng.uniform(1.5, 4.0)
        case "hard frost":
            low_c = rng.uniform(-6.0, -1.0)
        case "mains cut":
            on_s = at_s + rng.uniform(0.2, 6) * 3_600
            contacts += _away("mains", at_s, on_s)
            truth += [(at_s, "warning"), (on_s, "ok")]
        case "thermometer dies":
            dies_s = at_s
            truth.append((_measured_before(dies_s) + 5 * _MINUTE_S, "unknown"))
    heat = [Input(float(s), "temperature", _celsius(s, low_c) if s < dies_s else None) for s in _measurements()]
    truth += _frost(low_c)
    return CabinetDay(script, sorted(contacts + heat, key=lambda given: given.at_s), truth)


def w1_slave(celsius: float) -> str:
    """The file in which Linux shows a DS18B20's reading."""
    raw = round(celsius * 16)
    scratchpad = [raw & 0xFF, raw >> 8 & 0xFF, 0x4B, 0x46, 0x7F, 0xFF, 0x0C, 0x10]
    remainder = 0
    for bit in (byte >> place & 1 for byte in scratchpad for place in range(8)):
        remainder = remainder >> 1 ^ (0x8C if (remainder ^ bit) & 1 else 0)
    shown = " ".join(f"{byte:02x}" for byte in [*scratchpad, remainder])
    return f"{shown} : crc={remainder:02x} YES\n{shown} t={raw * 1000 // 16}\n"


def _away(part: Contact, from_s: float, until_s: float) -> list[Input]:
    return [Input(from_s, part, False), Input(until_s, part, True)]


def _measurements() -> range:
    return range(0, DAY_S, MEASURE_EVERY_S)


def _measured_before(at_s: float) -> int:
    return max(s for s in _measurements() if s < at_s)


def _celsius(at_s: float, low_c: float) -> float:
    """Down from 14 C in the first three hours, three hours at the lowest, up again in three."""
    hours = at_s / 3_600
    share = min(1.0, max(0.0, min(hours / 3, (9 - hours) / 3)))
    return round((14 + (low_c - 14) * share) * 16) / 16


def _frost(low_c: float) -> Iterator[tuple[float, Level]]:
    """From the temperatures alone: below 5 C for ten minutes, below 0 C, and back."""
    before: Level = "ok"
    cold_s: int | None = None
    for at_s in _measurements():
        celsius = _celsius(at_s, low_c)
        if celsius >= 5:  # noqa: PLR2004 - the AED's lowest comfortable temperature
            cold_s = None
        elif cold_s is None:
            cold_s = at_s
        long_cold = cold_s is not None and at_s - cold_s >= 10 * _MINUTE_S
        level: Level = "critical" if celsius < 0 else "warning" if long_cold else "ok"
        if level != before:
            yield float(at_s), level
        before = level
