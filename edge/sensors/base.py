"""What the unit asks of every sensor, and of whatever delivers the edges of a pair of lines."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from edge.clock import Clock, Instant
from edge.drafts import Noticed, Reading, SensorStats
from firmware_cfg.schema import Hub


class Driver(Protocol):
    """One sensor. All calls come from one thread and none blocks.

    `memo` is in JSON's types, fits what `poll` has given back so far, and is what the next one is made with.
    """

    name: str
    failed: bool
    """Whether it ended for a reason that a person should look into."""
    can_wait: bool
    """Whether what is not polled is not lost, as with a recording."""

    def open(self, now: Instant) -> None:
        """Begin; raises SensorError naming the key of the configuration and how to mend it."""
        ...

    def poll(self, now: Instant) -> list[Reading | Noticed]:
        """What has become known; raises SensorError where the sensor went away, which closes it."""
        ...

    def due_ns(self) -> int | None:
        """The monotonic time at which to poll although nothing woke the unit; None if there is none."""
        ...

    def memo(self) -> Any: ...

    def stats(self) -> SensorStats: ...

    def close(self) -> None:
        """End; one more `poll` gives what had come until then."""
        ...

    @property
    def finished(self) -> bool:
        """Whether nothing will ever come any more, as at the end of a recording."""
        ...


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """A line's change: monotonic ns, line 0 (outer) or 1 (inner), level 1 where the beam is blocked."""

    t_ns: int
    line: int
    level: int


class EdgeSource(Protocol):
    """Delivers edges from whatever thread sees them."""

    def open(self) -> tuple[int, int]:
        """Begin, and give back both lines' levels now; raises SensorError."""
        ...

    def take(self, until_ns: int) -> list[Edge]:
        """Edges up to that time which were not taken before, in the order of time."""
        ...

    def waiting_ns(self) -> int | None:
        """The time of the oldest edge not taken."""
        ...

    @property
    def lost(self) -> int:
        """How many edges came when there was no room, since `open`."""
        ...

    def close(self) -> None: ...


@functools.cache
def machine_pins() -> Any:
    """The pin factory that gpiozero finds on this machine; kept once it is found."""
    from edge.sensors.gpio import load_factory  # noqa: PLC0415 - only a unit with GPIO sensors needs it

    return load_factory()


@dataclass(slots=True)
class Surroundings:
    """What a sensor is made with besides its configuration."""

    clock: Clock
    wake: Callable[[], None] = lambda: None
    """To be called, from any thread, when `poll` has something."""
    pin_factory: Callable[[], Any] = machine_pins
    """Makes or gives the gpiozero factory of all pins; raises what its libraries raise."""
    memos: dict[str, Any] = field(default_factory=dict)
    hub: Hub | None = None
    """The building that the sensors are in, where that is known."""
