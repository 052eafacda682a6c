"""A meeting room: a PIR and a door contact on GPIO, a presence radar on a serial port, fused by `room_fusion`."""

from __future__ import annotations

import logging
from typing import Any

from edge.clock import Instant
from edge.drafts import Mark, Noticed, Reading, SensorStats
from edge.errors import SensorError
from edge.sensors.base import EdgeSource, Surroundings
from edge.sensors.ld2410 import Ld2410, Ld2410S
from edge.sensors.lines import GpioLine, edge_source
from edge.sensors.room_fusion import RoomFusion, RoomSettings, Verdict
from edge.sensors.serial_port import SerialPort
from edge.sensors.serial_watch import Talk, Watch
from edge.sensors.taps import NO_TAP, Signals, Tap
from firmware_cfg.sensors import RoomPresence
from firmware_cfg.times import NS_PER_MS, NS_PER_S

log = logging.getLogger(__name__)

READ_EVERY_NS = 200 * NS_PER_MS
FRAME_NS = 100 * NS_PER_MS
HEARD_EVERY_NS = 10 * NS_PER_S
REOPEN_NS = (2 * NS_PER_S, 60 * NS_PER_S)
_MINUTE_NS = 60 * NS_PER_S
_QUIET = "is it powered, and are its TX and RX crossed?"


def room_settings(config: RoomPresence) -> RoomSettings:
    """The sensor's table of a hub's file."""
    return RoomSettings(
        pir=config.pir_pin is not None,
        door=config.door_pin is not None,
        radar=config.radar_port is not None,
        pir_hold_ns=round(config.pir_hold_s * NS_PER_S),
        pir_warm_up_ns=round(config.pir_warm_up_s * NS_PER_S),
        radar_max_cm=config.radar_max_cm,
        vacant_after_door_ns=round(config.vacant_after_door_min * _MINUTE_NS),
        vacant_after_ns=round(config.vacant_after_min * _MINUTE_NS),
        silent_ns=round(config.silent_s * NS_PER_S),
        dwell_ns=round(config.dwell_s * NS_PER_S),
        heartbeat_ns=round(config.heartbeat_min * _MINUTE_NS),
        weights=config.weights,
    )


def room_lines(config: RoomPresence) -> list[GpioLine]:
    """Level 1 is movement, or a shut door; each line is pulled to the other level."""
    lines = []
    for part, usually_high in (("pir", True), ("door", False)):
        pin = getattr(config, f"{part}_pin")
        if pin is not None:
            one_high = usually_high != (part in config.inverted)
            lines.append(GpioLine(f"{part}_pin", pin, one_high, pull_up=not one_high))
    return lines


def make(config: RoomPresence, around: Surroundings) -> RoomSensor:
    lines = edge_source(config, room_lines(config), around)
    radar = RadarPort(config, around.taps.tap(config.name)) if config.radar_port is not None else None
    return RoomSensor(config, lines, radar, around.memos.get(config.name))


class RadarPort:
    """A presence radar on its port, opened again when it went away. Never raises: the room has other sensors."""

    def __init__(self, config: RoomPresence, tap: Tap = NO_TAP) -> None:
        path = config.radar_port or ""
        self._tap = tap
        self.radar: Ld2410 | Ld2410S = Ld2410S() if config.radar_model == "ld2410s" else Ld2410()
        self._name = config.name
        self._port = SerialPort(config.name, "radar_port", path, self.radar.baud_rate)
        talk = Talk(f"an HLK-{config.radar_model.upper()}", path, self.radar.baud_rate, _QUIET)
        self._watch = Watch(talk, round(config.silent_s * NS_PER_S))
        self._open = False
        self._wait_ns = REOPEN_NS[0]
        self._gone: str | None = None
        self.due_ns = 0

    @property
    def ok(self) -> bool:
        return self._gone is None and self._watch.trouble is None

    def feed(self, fusion: RoomFusion, now: Instant) -> list[Noticed]:
        """Read what came into the fusion; gives back what began or ended to be wrong."""
        if now.mono_ns < self.due_ns:
            return []
        here = Mark(now.boot, now.mono_ns)
        try:
            if not self._open:
                self._port.open()
                self._open = True
                self.radar.frames.forget()
                self._tap.begin(Signals(lambda: None), None, now.mono_ns)
                self._watch.opened(now.mono_ns)
            data = self._port.read()
        except SensorError as error:
            self._open = False
            self.due_ns = now.mono_ns + self._wait_ns
            self._wait_ns = min(2 * self._wait_ns, REOPEN_NS[1])
            return self._went(error.detail, here)
        self.due_ns, self._wait_ns = now.mono_ns + READ_EVERY_NS, REOPEN_NS[0]
        if data:
            self._tap.data(now.mono_ns, data)
        good = self.radar.frames.good
        presences = self.radar.feed(data)
        for age, presence in zip(range(len(presences) - 1, -1, -1), presences, strict=True):
            fusion.radar(now.mono_ns - age * FRAME_NS, presence)  # those read together came one after another
        changes = self._watch.look(now.mono_ns, data, good=self.radar.frames.good > good)
        return self._went(None, here) + [
            Noticed(change.trouble, here, "radar", _keys(change.detail), active=change.active) for change in changes
        ]

    def close(self) -> None:
        self._port.close()
        self._open = False
        self.due_ns = 0

    def _went(self, detail: str | None, when: Mark) -> list[Noticed]:
        if (detail is None) == (self._gone is None):
            return []  # how it fails to come back is no news
        self._gone = detail
        if detail:
            log.warning("sensor %r: %s", self._name, detail)
        return [Noticed("sensor_unavailable", when, "radar", detail or "", active=detail is not None)]


def _keys(detail: str) -> str:
    """The watch's words with the keys of a room's table: a radar's model gives its baud rate."""
    return detail.replace("port: ", "radar_port: ", 1).replace("baud_rate: ", "radar_model: ", 1)


class RoomSensor:
    """A live room. A change of state is told at once; in between it tells that it is still watched."""

    can_wait = False
    finished = False
    failed = False

    def __init__(
        self, config: RoomPresence, lines: EdgeSource, radar: RadarPort | None, memo: dict[str, Any] | None = None
    ) -> None:
        self.name = config.name
        self._settings = room_settings(config)
        self._inputs = [line.key for line in room_lines(config)]
        self._lines = lines
        self._radar = radar
        self._levels: list[int] = []
        self._heard_ns = 0
        self._fusion: RoomFusion | None = None
        memo = memo or {}
        self._edges: int = memo.get("edges", 0)
        self._bad_before, self._noise_before = memo.get("radar", (0, 0))

    def open(self, now: Instant) -> None:
        self._levels = list(self._lines.open()) if self._inputs else []
        self._fusion = RoomFusion(self._settings, now.mono_ns)
        self._heard_ns = now.mono_ns

    def poll(self, now: Instant) -> list[Reading | Noticed]:
        fusion = self._fusion
        if fusion is None:
            return []
        for edge in self._lines.take(now.mono_ns):
            self._edges += 1
            self._levels[edge.line] = edge.level
            self._feed(fusion, edge.t_ns, edge.line)
        if now.mono_ns >= self._heard_ns:
            self._heard_ns = now.mono_ns + HEARD_EVERY_NS
            for line in range(len(self._levels)):
                self._feed(fusion, now.mono_ns, line)
        troubles = self._radar.feed(fusion, now) if self._radar else []
        return [*troubles, *(self._reading(verdict, now) for verdict in fusion.advance(now.mono_ns))]

    def due_ns(self) -> int | None:
        if self._fusion is None:
            return None
        times = [self._fusion.due_ns(), self._lines.waiting_ns(), self._radar.due_ns if self._radar else None]
        return min(t_ns for t_ns in times if t_ns is not None)

    def memo(self) -> dict[str, Any]:
        stats = self.stats()
        return {"edges": stats.edges, "radar": [stats.lost_edges, stats.chatter]}

    def stats(self) -> SensorStats:
        """The edges of its lines; of its radar, spoilt frames as `lost_edges` and bytes of noise as `chatter`."""
        bad, noise, ok = self._bad_before, self._noise_before, True
        if self._radar:
            frames = self._radar.radar.frames
            bad, noise, ok = bad + frames.bad, noise + frames.noise, self._radar.ok
        return SensorStats(self._edges, bad, noise, ok)

    def close(self) -> None:
        self._lines.close()
        if self._radar:
            self._radar.close()
        self._fusion = None

    def _feed(self, fusion: RoomFusion, t_ns: int, line: int) -> None:
        sensor = fusion.pir if self._inputs[line] == "pir_pin" else fusion.door
        sensor(t_ns, bool(self._levels[line]))

    @staticmethod
    def _reading(verdict: Verdict, now: Instant) -> Reading:
        return Reading("room", Mark(now.boot, verdict.t_ns), verdict.fields())
