"""Where a sensor's raw signals go besides to its core: nowhere, unless the unit records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edge.clock import Instant

Zero = tuple[int, bool]
"""UTC at the present boot's monotonic zero, and whether a time server vouches for it."""


@dataclass(frozen=True, slots=True)
class Signals:
    """What a recording needs to know of a sensor besides its rows.

    `t0_ns` is the UTC from which its times count, None where that is the unit's monotonic clock. `snapshot` gives the
    core's state after all rows so far; the rest is for a core that begins anew.
    """

    snapshot: Callable[[], Any]
    t0_ns: int | None = None
    separation_m: float | None = None
    debounce_ns: int | None = None
    levels: tuple[int, int] = (0, 0)


class Tap:
    """Takes one sensor's signals, in the order in which its core takes them; this one lets them go."""

    def begin(self, signals: Signals, state: Any, now_ns: int) -> None:
        """The sensor is open; its core goes on from `state`, or begins anew where that is None."""

    def edge(self, t_ns: int, line: int, level: int) -> None:
        """An edge that the core is given next."""

    def data(self, t_ns: int, data: bytes) -> None:
        """Bytes that the device's core is given next."""


NO_TAP = Tap()


class Taps:
    """A unit's recording, as the unit drives it; this one records nothing. Not for several threads."""

    def __init__(self) -> None:
        self._memo: Any = None

    def resume(self, memo: Any, now: Instant, zero: Zero) -> None:
        """Before all else: what the last `memo` gave that was stored, and the present time."""
        del now, zero
        self._memo = memo

    def tap(self, sensor: str) -> Tap:
        del sensor
        return NO_TAP

    def look(self, now: Instant, zero: Zero) -> list[str]:
        """Once a second: the clock may have been set, time has passed. Gives back troubles, each once."""
        del now, zero
        return []

    def memo(self) -> Any:
        """Where the recording stands, in JSON's types, to be stored together with what came of it."""
        return self._memo

    def close(self) -> None:
        """Nothing more will come."""
