"""When each door's counting sensor is known to have worked, and how many people pass there at such times."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from collector.occupancy.hours import Hours
from collector.store.base import MINUTE_NS, QUARTER_MINUTES, QUARTER_NS, minutes_between

REPORT_LATE_NS = 5 * MINUTE_NS
"""A report of the last minutes may still be on its way."""
_SHUT = 1
"""So many minutes of a quarter may lack a report without anything having been missed."""
_USUAL = {True: (30.0, 60.0), False: (1.0, 60.0)}
"""Persons and minutes of an open hour, and of a closed one, until a door is known better."""


class Watched:
    """Minutes watched per door and quarter of an hour. Not thread-safe."""

    def __init__(self, doors: int) -> None:
        self._bits: list[dict[int, int]] = [defaultdict(int) for _ in range(doors)]
        self._seeded: list[dict[int, int]] = [{} for _ in range(doors)]
        self.version = 0
        """Another one after each change."""

    def between(self, door: int, since_ns: int, until_ns: int) -> None:
        self.version += 1
        for quarter_ns, bits in minutes_between(since_ns, until_ns):
            self._bits[door][quarter_ns] |= bits

    def seed(self, door: int, quarter_ns: int, minutes: int) -> None:
        """What the store knows of a quarter, in place of what was known."""
        self.version += 1
        self._seeded[door][quarter_ns] = min(QUARTER_MINUTES, minutes)
        self._bits[door].pop(quarter_ns, None)

    def forget(self, before_ns: int) -> None:
        for known in (*self._bits, *self._seeded):
            for quarter_ns in [each for each in known if each + QUARTER_NS <= before_ns]:
                del known[quarter_ns]

    def minutes(self, door: int, quarter_ns: int) -> int:
        bits = self._bits[door].get(quarter_ns, 0)
        return min(QUARTER_MINUTES, self._seeded[door].get(quarter_ns, 0) + bits.bit_count())

    def missing(self, door: int, since_ns: int, until_ns: int) -> Iterable[tuple[int, float]]:
        """Each quarter of the time from `since_ns` to `until_ns` that was not watched, with how many minutes of it."""
        quarter_ns = since_ns // QUARTER_NS * QUARTER_NS
        while quarter_ns < until_ns:
            wanted = (min(until_ns, quarter_ns + QUARTER_NS) - max(since_ns, quarter_ns)) / MINUTE_NS
            lacking = wanted - self.minutes(door, quarter_ns)
            if lacking > _SHUT:
                yield quarter_ns, lacking
            quarter_ns += QUARTER_NS


class Flow:
    """Persons a minute through each door, while open and while closed."""

    def __init__(self, doors: int) -> None:
        self._seen = [{is_open: list(usual) for is_open, usual in _USUAL.items()} for _ in range(doors)]

    def add(self, door: int, persons: float, minutes: int, *, is_open: bool) -> None:
        seen = self._seen[door][is_open]
        seen[0] += persons
        seen[1] += minutes

    def unseen(self, door: int, missing: Iterable[tuple[int, float]], hours: Hours) -> float:
        """How many persons will have passed in the `missing` minutes."""
        rates = {is_open: persons / minutes for is_open, (persons, minutes) in self._seen[door].items()}
        return sum(rates[hours.is_open(quarter_ns)] * minutes for quarter_ns, minutes in missing)
