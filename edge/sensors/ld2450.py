"""HLK-LD2450: a 24 GHz radar that follows up to three people, here counting who crosses a line on the floor.

256000 baud, ten frames a second of 30 bytes without a checksum: a header, three slots of x, y, speed and resolution
(u16, little-endian; bit 15 set means positive), a tail. A slot of zeros is empty.
"""

from __future__ import annotations

import struct
from typing import Any

from edge.clock import Instant
from edge.sensors.base import Surroundings
from edge.sensors.frames import Frames, Layout
from edge.sensors.serial_port import SerialSensor, serial_sensor
from edge.sensors.tracks import Crossing, Line, LineCounter, Target
from firmware_cfg.sensors import RadarLine
from firmware_cfg.times import NS_PER_MS

FRAME_NS = 100 * NS_PER_MS
LOOK_NS = 2 * FRAME_NS
HEADER, TAIL = bytes.fromhex("aaff0300"), bytes.fromhex("55cc")
_SLOTS = struct.Struct("<12H")
_LENGTH = len(HEADER) + _SLOTS.size + len(TAIL)
REACH_MM = 10_000
SPEED_CM_S_MAX = 1_000
RESOLUTION_MM_MAX = 2_000


def _length(window: bytes) -> int | None:
    if not HEADER.startswith(window[: len(HEADER)]):
        return 0
    return _LENGTH if len(window) >= len(HEADER) else None


def decode(frame: bytes) -> tuple[Target | None, Target | None, Target | None] | None:
    """The three slots of a frame, None where empty; None for a frame with a wrong tail or a value that cannot be."""
    if not frame.endswith(TAIL):
        return None
    numbers = _SLOTS.unpack_from(frame, len(HEADER))
    slots: list[Target | None] = []
    for slot in (numbers[0:4], numbers[4:8], numbers[8:12]):
        x_mm, y_mm, speed_cm_s = (_signed(number) for number in slot[:3])
        possible = abs(x_mm) <= REACH_MM and 0 <= y_mm <= REACH_MM and abs(speed_cm_s) <= SPEED_CM_S_MAX
        if not possible or slot[3] > RESOLUTION_MM_MAX:
            return None
        slots.append(Target(x_mm, y_mm, speed_cm_s) if any(slot) else None)
    return slots[0], slots[1], slots[2]


def _signed(number: int) -> int:
    return number - 0x8000 if number & 0x8000 else -number


LAYOUT = Layout(_LENGTH, _length, decode)


class Ld2450:
    """Bytes in, crossings out. No clock and no port: times are those at which the bytes were read."""

    def __init__(self, config: RadarLine) -> None:
        (x1, y1), (x2, y2) = config.line_mm
        line = Line(x1, y1, x2, y2)
        if line.place(*config.inside_mm)[1] < 0:
            line = Line(x2, y2, x1, y1)
        self.frames = Frames(LAYOUT)
        self._counter = LineCounter(line, config.clear_mm)
        self._last_ns: int | None = None

    def feed(self, data: bytes, t_ns: int) -> list[Crossing]:
        found: list[Crossing] = []
        frames = self.frames.feed(data)
        for index, slots in enumerate(frames, 1 - len(frames)):
            # Frames read together came one after another; those before the last are dated back.
            frame_ns = t_ns + index * FRAME_NS
            if self._last_ns is not None:
                frame_ns = max(frame_ns, self._last_ns + 1)
            self._last_ns = frame_ns
            found += self._counter.feed(frame_ns, [slot for slot in slots if slot])
        return found

    def advance(self, now_ns: int) -> list[Crossing]:
        return self._counter.advance(now_ns)

    def ask(self, now_ns: int) -> bytes:  # noqa: ARG002 - it talks unasked
        return b""

    def due_ns(self, now_ns: int) -> int:
        return now_ns + LOOK_NS

    def resume(self, memo: Any, now: Instant) -> None:
        """Nothing is carried over: who was on the line when the unit was restarted is not counted."""

    def memo(self) -> None:
        return None


DEVICE = Ld2450


def make(config: RadarLine, around: Surroundings) -> SerialSensor:
    quiet = "has it power, and is its TX wired to the port's RX?"
    return serial_sensor(config, Ld2450(config), "an HLK-LD2450 radar", quiet, around)
