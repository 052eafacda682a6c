"""HLK-LD2450: a 24 GHz radar that follows up to three people, here counting who crosses a line on the floor.

256000 baud, ten frames a second of 30 bytes without a checksum: a header, three slots of x, y, speed and resolution
(u16, little-endian; bit 15 set means positive), a tail. A slot of zeros is empty.
"""

from __future__ import annotations

import struct

from edge.sensors.frames import Frames, Layout
from edge.sensors.tracks import Crossing, Line, LineCounter, Target
from firmware_cfg.times import NS_PER_MS

BAUD_RATE = 256_000
FRAME_NS = 100 * NS_PER_MS
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

    def __init__(self, line: Line, clear_mm: float) -> None:
        self.frames = Frames(LAYOUT)
        self._counter = LineCounter(line, clear_mm)
        self._last_ns = -FRAME_NS

    def feed(self, data: bytes, t_ns: int) -> list[Crossing]:
        found: list[Crossing] = []
        frames = self.frames.feed(data)
        for index, slots in enumerate(frames, 1 - len(frames)):
            # Frames read together came one after another; those before the last are dated back.
            self._last_ns = max(t_ns + index * FRAME_NS, self._last_ns + 1)
            found += self._counter.feed(self._last_ns, [slot for slot in slots if slot])
        return found

    def advance(self, now_ns: int) -> list[Crossing]:
        return self._counter.advance(now_ns)
