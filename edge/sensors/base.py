"""What the unit asks of every sensor, and of whatever delivers the edges of a pair of lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from edge.clock import Clock, Instant
from edge.drafts import Noticed, Reading, SensorStats
from edge.sensors.taps import Taps
from firmware_cfg.schema import Hub

if TYPE_CHECKING:
    import gpiod

Chips = Callable[[], "Iterator[gpiod.Chip]"]
"""Gives the machine's GPIO chips, each opened when it is asked for; raises OSError."""


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
    """A line's change: monotonic ns, the line's place among its sensor's, and the level it has now.

    Of a pair of beams: line 0 (outer) or 1 (inner), level 1 where the beam is blocked.
    """

    t_ns: int
    line: int
    level: int


class EdgeSource(Protocol):
    """Delivers the edges of one sensor's lines, whatever thread sees them. No call waits for an edge."""

    def open(self) -> tuple[int, ...]:
        """Begin, and give back the lines' levels now; raises SensorError naming the key and how to mend it."""
        ...

    def take(self, until_ns: int) -> list[Edge]:
        """Edges up to that time which were not taken before, in the order of time; also after `close`.

        Raises SensorError, and is closed, where the lines went away and nothing is left to take.
        """
        ...

    def waiting_ns(self) -> int | None:
        """The time of the oldest edge not taken."""
        ...

    @property
    def lost(self) -> int:
        """How many edges are known to have been lost since `open`: there was no room, or their numbers are missing."""
        ...

    def close(self) -> None: ...


@dataclass(slots=True)
class Surroundings:
    """What a sensor is made with besides its configuration."""

    clock: Clock
    wake: Callable[[], None] = lambda: None
    """To be called, from any thread, when `poll` has something."""
    pin_factory: Callable[[], Any] | None = None
    """Gives the gpiozero factory of all pins, in place of the drivers that are configured; raises FactoryError or what
    its libraries raise."""
    memos: dict[str, Any] = field(default_factory=dict)
    hub: Hub | None = None
    """The building that the sensors are in, where that is known."""
    chips: Chips | None = None
    """In place of the machine's GPIO chips."""
    taps: Taps = field(default_factory=Taps)
    """Where raw signals go besides."""
