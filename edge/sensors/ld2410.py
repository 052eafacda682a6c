"""HLK-LD2410, LD2410B, LD2410C and LD2410S: 24 GHz radars that tell whether somebody is there.

LD2410/B/C: 256000 baud, ten frames a second: header, length (13 basic or 35 engineering), type, `AA`, status, moving
target (cm, energy), still target (cm, energy), detection distance, gates (engineering only), `55 00`, tail; no
checksum. LD2410S: 115200 baud, five bytes: `6E`, state, distance in cm, `62`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from edge.sensors.frames import Frames, Layout

BAUD_RATE, BAUD_RATE_S = 256_000, 115_200
HEADER, TAIL = bytes.fromhex("f4f3f2f1"), bytes.fromhex("f8f7f6f5")
END = bytes.fromhex("5500")
REACH_CM = 1_000
ENERGY_MAX = 100
MOVING_BIT, STILL_BIT = 1, 2
STATUS_CALIBRATING, STATUS_MAX = 4, 6

_TYPES = {13: 2, 35: 1}  # length of what is inside -> type
_HEAD = len(HEADER) + 2
_LONGEST = _HEAD + max(_TYPES) + len(TAIL)
_TARGET = struct.Struct("<BHBHBH")
_GATES = slice(_HEAD + 13, _HEAD + 31)
_S_LENGTH = 5
_S_PRESENT, _S_STATE_MAX = 2, 3
_S_MOVED_CM = 10


@dataclass(frozen=True, slots=True)
class Report:
    """One frame as it was sent. `status`: 0 nobody, 1 moving, 2 still, 3 both, 4 to 6 calibrating."""

    status: int
    moving_cm: int = 0
    moving_energy: int = 0
    still_cm: int = 0
    still_energy: int = 0
    detection_cm: int = 0

    @property
    def presence(self) -> Presence | None:
        """What it says of people; None while the radar calibrates."""
        if self.status >= STATUS_CALIBRATING:
            return None
        return Presence(
            self.moving_cm if self.status & MOVING_BIT else None, self.still_cm if self.status & STILL_BIT else None
        )


@dataclass(frozen=True, slots=True)
class Presence:
    """How far away something moves, and something that is alive keeps still; None where there is none."""

    moving_cm: int | None = None
    still_cm: int | None = None


def _length(window: bytes) -> int | None:
    if not HEADER.startswith(window[: len(HEADER)]):
        return 0
    if len(window) < _HEAD + 2:
        return None
    inside = int.from_bytes(window[len(HEADER) : _HEAD], "little")
    return _HEAD + inside + len(TAIL) if window[_HEAD : _HEAD + 2] == bytes((_TYPES.get(inside, 0), 0xAA)) else 0


def decode(frame: bytes) -> Report | None:
    """The report of a whole frame; None where end, tail or a value cannot be."""
    inside = frame[_HEAD : -len(TAIL)]
    if not frame.endswith(TAIL) or not inside.endswith(END):
        return None
    report = Report(*_TARGET.unpack_from(inside, 2))
    far = max(report.moving_cm, report.still_cm, report.detection_cm) > REACH_CM
    gates = frame[_GATES] if len(inside) == max(_TYPES) else b""
    strong = max(report.moving_energy, report.still_energy, *gates) > ENERGY_MAX
    return None if far or strong or report.status > STATUS_MAX else report


LAYOUT = Layout(_LONGEST, _length, decode)


def _length_s(window: bytes) -> int | None:
    return _S_LENGTH if window[:1] == b"\x6e" else 0


def decode_s(frame: bytes) -> Report | None:
    """The report of an LD2410S, which does not tell moving from still: `still`, at its distance."""
    state, distance_cm = frame[1], int.from_bytes(frame[2:4], "little")
    if frame[-1:] != b"\x62" or state > _S_STATE_MAX or distance_cm > REACH_CM:
        return None
    return Report(STILL_BIT, still_cm=distance_cm) if state >= _S_PRESENT else Report(0)


LAYOUT_S = Layout(_S_LENGTH, _length_s, decode_s)


class Ld2410:
    """Bytes in, presences out."""

    baud_rate = BAUD_RATE

    def __init__(self) -> None:
        self.frames = Frames(LAYOUT)

    def feed(self, data: bytes) -> list[Presence]:
        return [presence for report in self.frames.feed(data) if (presence := report.presence) is not None]


class Ld2410S:
    """Bytes in, presences out. Who keeps changing place is moving."""

    baud_rate = BAUD_RATE_S

    def __init__(self) -> None:
        self.frames = Frames(LAYOUT_S)
        self._place_cm: int | None = None

    def feed(self, data: bytes) -> list[Presence]:
        return [self._presence(report) for report in self.frames.feed(data)]

    def _presence(self, report: Report) -> Presence:
        if not report.status:
            self._place_cm = None
            return Presence()
        moved = self._place_cm is None or abs(report.still_cm - self._place_cm) >= _S_MOVED_CM
        if moved:
            self._place_cm = report.still_cm
        return Presence(report.still_cm if moved else None, report.still_cm)
