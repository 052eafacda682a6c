"""People at the doors of a whole fleet, live: they move the mock pins of real units."""

from __future__ import annotations

import heapq
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from edge.clock import Clock
from firmware_cfg.schema import BeamPair
from firmware_cfg.times import NS_PER_S
from simulators.people import BeamEdge, Body, Crossing, Draw, edges_of, turn_back, walk

AHEAD_NS = 200_000_000
"""Pins are moved this long before the time their edges carry, so that a busy machine does not blur them."""
_PARTY_EVERY_S = 6.0
_HEADWAY_S = 1.0
_INSIDE_AIM = 24
_INSIDE_MIN = 2
_GAP_M = (0.2, 0.8)
_TURN_BACK_SHARE = 0.08
_FOLLOWER_SHARE = 0.25


class StampedClock:
    """The world's clock as the pins see it: while `stamp_ns` is set, everything happens at that time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.stamp_ns: int | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._clock, name)

    def monotonic_ns(self) -> int:
        return self._clock.monotonic_ns() if self.stamp_ns is None else self.stamp_ns


@dataclass(slots=True)
class _Door:
    sensor: BeamPair
    draw: Draw
    rng: random.Random
    drive: Callable[[BeamEdge], None]
    hub: str
    free_s: float = 0.0
    edges: list[BeamEdge] = field(default_factory=list)


class Crowd:
    """Parties of people at each door added, seeded. They tend to keep some two dozen people inside each hub."""

    def __init__(self, clock: Clock, seed: int, crossed: Callable[[str, str, Crossing], None]) -> None:
        """`crossed` is told hub, entrance and who is about to cross, on the clock's monotonic time."""
        self._clock = clock
        self._seed = seed
        self._crossed = crossed
        self._doors: list[_Door] = []
        self._inside: dict[str, int] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="crowd", daemon=True)
        self.last_edge_ns = 0
        """When the last beam was moved, on the clock's monotonic time."""

    def add_door(self, hub: str, unit: str, sensor: BeamPair, pins: Any, stamped: StampedClock) -> None:
        """A door whose beams are the pins of that gpiozero factory; `stamped` is the clock that factory reads."""

        def drive(edge: BeamEdge) -> None:
            pin = pins.pin(sensor.inner_pin if edge.line else sensor.outer_pin)
            stamped.stamp_ns = edge.t_ns
            (pin.drive_high if edge.level == (sensor.blocked == "high") else pin.drive_low)()
            stamped.stamp_ns = None

        name = f"{self._seed}/{unit}/{sensor.name}"
        rng = random.Random(name)  # noqa: S311 - a simulation
        self._doors.append(_Door(sensor, Draw(rng.getrandbits(32)), rng, drive, hub))

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Nobody new comes; those at a door finish their way. Returns when the last one has."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        queue: list[tuple[float, int]] = []
        for index, door in enumerate(self._doors):
            door.free_s = self._clock.monotonic_ns() / NS_PER_S
            heapq.heappush(queue, (self._next_party_s(door), index))
        while queue:
            at_s, index = heapq.heappop(queue)
            door = self._doors[index]
            self._wait_until(int(at_s * NS_PER_S) - AHEAD_NS, door)
            if door.edges:
                edge = door.edges.pop(0)
                door.drive(edge)
                self.last_edge_ns = max(self.last_edge_ns, edge.t_ns)
            elif not self._ending.is_set():
                door.edges = self._party(door, at_s)
            if door.edges:
                heapq.heappush(queue, (door.edges[0].t_ns / NS_PER_S, index))
            elif not self._ending.is_set():
                heapq.heappush(queue, (self._next_party_s(door), index))

    def _wait_until(self, t_ns: int, door: _Door) -> None:
        """Sleep until then; a door where nobody is is not waited for any more once the crowd is ending."""
        while (left_ns := t_ns - self._clock.monotonic_ns()) > 0:
            if not self._ending.is_set():
                self._ending.wait(self._clock.real_s(left_ns))
            elif door.edges:
                threading.Event().wait(self._clock.real_s(left_ns))
            else:
                return

    def _next_party_s(self, door: _Door) -> float:
        return max(door.free_s, self._clock.monotonic_ns() / NS_PER_S) + door.rng.expovariate(1 / _PARTY_EVERY_S)

    def _party(self, door: _Door, start_s: float) -> list[BeamEdge]:
        separation_m = door.sensor.separation_m or 0.12
        bodies = self._bodies(door, start_s, separation_m)
        door.free_s = max(body.way[-1].t_s for body in bodies) + _HEADWAY_S
        for crossing in (body.crossing(separation_m) for body in bodies):
            if crossing is not None:
                step = crossing.persons if crossing.direction == "in" else -crossing.persons
                self._inside[door.hub] = self._inside.get(door.hub, 0) + step
                self._crossed(door.hub, door.sensor.entrance, crossing)
        return edges_of(door.draw, bodies, separation_m)

    def _bodies(self, door: _Door, start_s: float, separation_m: float) -> list[Body]:
        draw = door.draw
        if draw.chance(_TURN_BACK_SHARE):
            return turn_back(draw, start_s, separation_m)
        inside = self._inside.get(door.hub, 0)
        inward = inside < _INSIDE_MIN or draw.chance(
            min(0.8, max(0.2, 0.5 + 0.4 * (_INSIDE_AIM - inside) / _INSIDE_AIM))
        )
        count = 2 if draw.chance(_FOLLOWER_SHARE) and (inward or inside >= _INSIDE_MIN) else 1
        bodies: list[Body] = []
        speed_m_s = draw.speed_m_s()
        for _ in range(count):
            depth_m = draw.depth_m()
            if bodies:
                start_s += (draw.between(*_GAP_M) + depth_m) / speed_m_s
            bodies.append(Body(walk(draw, start_s, separation_m, speed_m_s, inward), depth_m))
        return bodies
