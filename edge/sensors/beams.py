"""A pair of beams across an entrance: edges from two lines, counted by the core."""

from __future__ import annotations

from typing import Any

from edge.clock import Instant
from edge.counting import FOREVER_NS, Door, DoorSettings, Passage
from edge.drafts import Mark, Noticed, Reading, SensorStats
from edge.errors import SensorError
from edge.sensors.base import Edge, EdgeSource, Surroundings
from edge.sensors.counts import Tally, begun_anew, readings, restored_door, same_settings
from edge.sensors.lines import GpioLine, edge_source
from edge.sensors.taps import NO_TAP, Signals, Tap
from firmware_cfg.schema import BeamPair
from firmware_cfg.times import NS_PER_MS

REORDER_NS = 20 * NS_PER_MS
"""Edges of two lines may arrive out of order; each waits this long for an earlier one."""


def door_settings(config: BeamPair) -> DoorSettings:
    return DoorSettings(separation_m=config.separation_m, debounce_ns=round(config.debounce_ms * NS_PER_MS))


def beam_lines(config: BeamPair) -> list[GpioLine]:
    """Level 1 is a blocked beam. Both lines are pulled up: a beam sensor's optocoupler pulls its line low."""
    pins = (("outer_pin", config.outer_pin), ("inner_pin", config.inner_pin))
    return [GpioLine(key, pin, config.blocked == "high", pull_up=True) for key, pin in pins]


def make(config: BeamPair, around: Surroundings) -> BeamPairSensor:
    source = edge_source(config, beam_lines(config), around)
    return BeamPairSensor(config, source, around.memos.get(config.name), around.taps.tap(config.name))


class BeamPairSensor:
    """A live door. Somebody half way through when the unit was restarted is still counted, once."""

    can_wait = False
    failed = False
    finished = False

    def __init__(
        self, config: BeamPair, source: EdgeSource, memo: dict[str, Any] | None = None, tap: Tap = NO_TAP
    ) -> None:
        self.name = config.name
        self._tap = tap
        self._settings = door_settings(config)
        self._source = source
        self._tally = Tally(self._settings.debounce_ns)
        self._boot = ""
        self._door: Door | None = None
        self._last: dict[str, Any] | None = None
        """The door's snapshot before this process, or before it was closed."""
        self._found: list[Reading | Noticed] = []
        self._lost = 0
        if memo:
            self._boot, self._last = memo["boot"], memo["door"]
            self._tally.restore(memo["tally"])

    def open(self, now: Instant) -> None:
        outer, inner = self._source.open()
        levels = outer, inner
        self._lost = 0
        before = restored_door(self._last, self.name)
        if before and self._last and self._boot == now.boot and same_settings(self._last, self._settings):
            self._door = before
            self._tap.begin(self._signals(levels), before.snapshot(), now.mono_ns)
            for line, beam in enumerate(self._last["beams"]):
                if beam["raw"] != levels[line]:
                    self._feed(before, max(now.mono_ns, before.now_ns), line, levels[line])
        else:
            door = self._follow(before, levels, now)
            self._tap.begin(self._signals(levels), door.snapshot() if before else None, now.mono_ns)
            self._door = door
        self._boot = now.boot

    def _follow(self, before: Door | None, levels: tuple[int, int], now: Instant) -> Door:
        """A door on this boot's clock, with what the one of another boot or of other settings had learned."""
        if before is None or self._last is None:
            if self._last is not None:
                self._found += begun_anew(self._tally, Mark(now.boot, now.mono_ns))
            return Door(self._settings, levels, now.mono_ns)
        # Nobody stood in the beams for a minute after the power went.
        self._take([found for found in before.finish() if isinstance(found, Passage)])
        door = Door.succeed(self._last, self._settings, levels, now.mono_ns)
        self._boot = now.boot
        self._take(door.advance(0))
        return door

    def poll(self, now: Instant) -> list[Reading | Noticed]:
        door = self._door
        if door is not None:
            until_ns = now.mono_ns - REORDER_NS
            for edge in self._taken(until_ns):
                self._feed(door, max(edge.t_ns, door.now_ns), edge.line, edge.level)
            if until_ns > door.now_ns:
                self._take(door.advance(until_ns))
            if self._source.lost > self._lost:
                count, self._lost = self._source.lost - self._lost, self._source.lost
                self._tally.lost += count
                self._found.append(
                    Noticed("edges_lost", Mark(now.boot, now.mono_ns), None, "they came too fast", count)
                )
        found, self._found = self._found, []
        return found

    def due_ns(self) -> int | None:
        times = [] if self._door is None or self._door.wake_ns == FOREVER_NS else [self._door.wake_ns + REORDER_NS]
        waiting_ns = self._source.waiting_ns()
        if waiting_ns is not None:
            times.append(waiting_ns + REORDER_NS)
        return min(times, default=None)

    def memo(self) -> dict[str, Any]:
        return {"boot": self._boot, "door": self._snapshot(), "tally": self._tally.memo()}

    def stats(self) -> SensorStats:
        return self._tally.stats()

    def close(self) -> None:
        self._source.close()
        if self._door is not None:
            for edge in self._source.take(FOREVER_NS):
                self._feed(self._door, max(edge.t_ns, self._door.now_ns), edge.line, edge.level)
            self._last, self._door = self._door.snapshot(), None

    def _taken(self, until_ns: int) -> list[Edge]:
        try:
            return self._source.take(until_ns)
        except SensorError:
            self.close()
            raise

    def _snapshot(self) -> dict[str, Any] | None:
        return self._door.snapshot() if self._door is not None else self._last

    def _signals(self, levels: tuple[int, int]) -> Signals:
        known = self._settings
        return Signals(self._snapshot, None, known.separation_m, known.debounce_ns, levels)

    def _feed(self, door: Door, t_ns: int, line: int, level: int) -> None:
        self._tally.edge(t_ns, line)
        self._tap.edge(t_ns, line, level)
        self._take(door.feed(t_ns, line, level))

    def _take(self, found: list[Any]) -> None:
        boot = self._boot
        self._found += readings(found, lambda t_ns: Mark(boot, t_ns), self._tally)
