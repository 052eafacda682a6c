"""What happens when: one queue, one source of chance, one digest of all that happened."""

from __future__ import annotations

import heapq
import random
import re
from collections.abc import Callable
from hashlib import blake2b
from itertools import count

from firmware_cfg.times import NS_PER_S

T0_NS = 1_780_000_000 * NS_PER_S
_DRAWN = re.compile(rb'[0-9a-f]{16}|"temperature_c":[^,}]*')
"""What is not drawn from the seed: names that the code draws for itself, and this machine's temperature."""


class Stuck(Exception):  # noqa: N818 - what happened to a world
    """Not everything arrived within the limit of time."""


class Timeline:
    """Time passes only in `run`, from one action to the next; of those at the same time the earlier asked for first."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - a world, not a secret
        self.now_ns = T0_NS
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()
        self._digest = blake2b(digest_size=8)
        self._names: dict[bytes, bytes] = {}

    def after(self, delay_ns: int, action: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (self.now_ns + max(0, delay_ns), next(self._order), action))

    def run(self, done: Callable[[], bool], limit_ns: int) -> None:
        """Until `done`, which is asked every second; raises Stuck after `limit_ns`."""
        end_ns = self.now_ns + limit_ns
        while not done():
            if self.now_ns >= end_ns:
                raise Stuck(f"not everything had arrived after {limit_ns // NS_PER_S} s of healing")
            self.pass_until(min(end_ns, self.now_ns + NS_PER_S))

    def pass_until(self, t_ns: int) -> None:
        while self._queue and self._queue[0][0] <= t_ns:
            self.now_ns, _, action = heapq.heappop(self._queue)
            action()
        self.now_ns = max(self.now_ns, t_ns)

    def between(self, low_s: float, high_s: float) -> int:
        """A random duration in ns."""
        return self.chance.randint(int(low_s * NS_PER_S), int(high_s * NS_PER_S))

    def note(self, what: str, payload: bytes = b"") -> None:
        """It happened now."""
        self._digest.update(f"{self.now_ns} {what} ".encode() + _DRAWN.sub(self._name, payload) + b"\n")

    def _name(self, found: re.Match[bytes]) -> bytes:
        drawn = found[0]
        return b"" if drawn.startswith(b'"') else self._names.setdefault(drawn, b"#%d" % len(self._names))

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()
