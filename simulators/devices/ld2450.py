"""HLK-LD2450: people walking before a radar, with its ghosts, stale slots and swaps."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass

NS_PER_S = 1_000_000_000
FRAME_NS = NS_PER_S // 10
SLOTS = 3
RESOLUTION_MM = 360
SEES_FROM_MM, SEES_TO_MM = 150.0, 6000.0


@dataclass(frozen=True, slots=True)
class Walk:
    """Somebody who goes from point to point, mm before the radar, at one speed, and is then gone."""

    start_ns: int
    points: tuple[tuple[float, float], ...]
    speed_mm_s: float = 1300.0

    @property
    def end_ns(self) -> int:
        steps = zip(self.points, self.points[1:], strict=False)
        return self.start_ns + round(sum(math.dist(a, b) for a, b in steps) / self.speed_mm_s * NS_PER_S)

    def at(self, t_ns: int) -> tuple[float, float, float, float] | None:
        """x, y and velocity then, or None before and after."""
        if t_ns < self.start_ns:
            return None
        gone_mm = (t_ns - self.start_ns) / NS_PER_S * self.speed_mm_s
        for (x1, y1), (x2, y2) in zip(self.points, self.points[1:], strict=False):
            step_mm = math.dist((x1, y1), (x2, y2))
            if step_mm and gone_mm < step_mm:
                ux, uy = (x2 - x1) / step_mm, (y2 - y1) / step_mm
                return x1 + ux * gone_mm, y1 + uy * gone_mm, ux * self.speed_mm_s, uy * self.speed_mm_s
            gone_mm -= step_mm
        return None


@dataclass(frozen=True, slots=True)
class RadarFaults:
    """What this radar gets wrong.

    `miss` is the chance that a person is not in a frame, `swap` that two slots change places for good; a ghost is seen
    at its place for ever; a slot keeps the coordinates of who has gone for `stale_s`.
    """

    miss: float = 0.0
    swap: float = 0.0
    stale_s: float = 0.0
    ghosts: tuple[tuple[float, float], ...] = ()


def encode(slots: Iterable[tuple[float, float, float] | None]) -> bytes:
    """A frame of three slots of x mm, y mm and speed cm/s."""
    frame = bytearray((0xAA, 0xFF, 0x03, 0x00))
    for slot in slots:
        for number in (0, 0, 0) if slot is None else slot:
            size = min(abs(round(number)), 0x7FFF)
            positive = slot is not None and number >= 0
            frame += bytes((size % 256, size // 256 + (128 if positive else 0)))
        resolution = 0 if slot is None else RESOLUTION_MM
        frame += bytes((resolution % 256, resolution // 256))
    return bytes(frame + bytes((0x55, 0xCC)))


class Ld2450Radar:
    """Sends a frame each 100 ms of whoever is in its field of view (60 degrees to either side), three at most."""

    def __init__(self, seed: int, faults: RadarFaults | None = None, noise_mm: float = 40.0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a simulation wants the same each time
        self.faults = faults or RadarFaults()
        self._noise_mm = noise_mm
        self._people: list[Walk | tuple[float, float]] = list(self.faults.ghosts)
        self._slots: list[Walk | tuple[float, float] | None] = [None] * SLOTS
        self._stale: list[tuple[int, tuple[float, float, float]] | None] = [None] * SLOTS
        self._next_ns: int | None = None

    def add(self, walk: Walk) -> None:
        """Somebody who will walk; to be told before they start."""
        self._people.append(walk)

    def due(self, now_ns: int) -> bytes:
        if self._next_ns is None:
            self._next_ns = now_ns
        sent = bytearray()
        while self._next_ns <= now_ns:
            sent += self.frame(self._next_ns)
            self._next_ns += FRAME_NS
        return bytes(sent)

    def receive(self, data: bytes, now_ns: int) -> bytes:
        """It takes commands, of which units send none."""
        del data, now_ns
        return b""

    def frame(self, t_ns: int) -> bytes:
        self._people = [who for who in self._people if not isinstance(who, Walk) or who.end_ns >= t_ns]
        seen = {who: target for who in self._people if (target := self._see(who, t_ns))}
        for slot, who in enumerate(self._slots):
            if who is not None and who not in seen:
                self._slots[slot] = None
        for who in seen:
            if who not in self._slots and None in self._slots:
                self._slots[self._slots.index(None)] = who
        if self._happens(self.faults.swap):
            one, other = self._random.sample(range(SLOTS), 2)
            self._slots[one], self._slots[other] = self._slots[other], self._slots[one]
        return encode([self._said(slot, who, seen, t_ns) for slot, who in enumerate(self._slots)])

    def _said(
        self,
        slot: int,
        who: Walk | tuple[float, float] | None,
        seen: dict[Walk | tuple[float, float], tuple[float, float, float]],
        t_ns: int,
    ) -> tuple[float, float, float] | None:
        if who is not None:
            self._stale[slot] = (t_ns + round(self.faults.stale_s * NS_PER_S), seen[who])
            return None if self._happens(self.faults.miss) else seen[who]
        stale = self._stale[slot]
        return stale[1] if stale and t_ns < stale[0] else None

    def _see(self, who: Walk | tuple[float, float], t_ns: int) -> tuple[float, float, float] | None:
        place = who.at(t_ns) if isinstance(who, Walk) else (*who, 0.0, 0.0)
        if place is None:
            return None
        x, y, vx, vy = place
        away_mm = math.hypot(x, y)
        if not SEES_FROM_MM <= away_mm <= SEES_TO_MM or abs(math.atan2(x, y)) > math.radians(60):
            return None
        sight_cm_s = (vx * x + vy * y) / away_mm / 10 + self._random.gauss(0, 3)
        return (
            x + self._random.gauss(0, self._noise_mm),
            max(0.0, y + self._random.gauss(0, self._noise_mm)),
            sight_cm_s,
        )

    def _happens(self, chance: float) -> bool:
        return chance > 0 and self._random.random() < chance
