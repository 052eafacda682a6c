"""Terabee Evo People Counter: persons in and out since it was switched on.

Frames of 15 bytes, big-endian: `PC`, the device's number and persons present (u32 each), in and out (u16 each, which
wrap), CRC-8 (polynomial 07, from 0).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from edge.sensors.base import Surroundings
from edge.sensors.cumulative import Counted, CumulativeCounter, RawReading
from edge.sensors.frames import Frames, Layout
from edge.sensors.serial_port import SerialSensor, serial_sensor
from firmware_cfg.sensors import TerabeeEvo
from firmware_cfg.times import NS_PER_MS

COUNTER_BITS = 16
LOOK_NS = 500 * NS_PER_MS
HEADER = b"PC"
_FIELDS = struct.Struct(">2sIIHHB")


@dataclass(frozen=True, slots=True)
class Counts:
    """What a frame says."""

    device: int
    net: int
    in_: int
    out: int


def crc8(data: bytes) -> int:
    """CRC-8, polynomial 07, from 0, most significant bit first."""
    crc = 0
    for byte in data:
        crc = _CRC8[crc ^ byte]
    return crc


def _crc8_of(byte: int) -> int:
    for _ in range(8):
        byte = (byte << 1) ^ (0x107 if byte & 0x80 else 0)
    return byte


_CRC8 = bytes(_crc8_of(byte) for byte in range(256))


def _length(window: bytes) -> int | None:
    if not HEADER.startswith(window[: len(HEADER)]):
        return 0
    return _FIELDS.size if len(window) >= len(HEADER) else None


def decode(frame: bytes) -> Counts | None:
    """The numbers of a frame, or None where its checksum is wrong."""
    _, device, net, in_, out, crc = _FIELDS.unpack(frame)
    return Counts(device, net, in_, out) if crc == crc8(frame[:-1]) else None


LAYOUT = Layout(_FIELDS.size, _length, decode)


class TerabeeCounter:
    """Bytes in, differences out. No clock and no port."""

    def __init__(self, config: TerabeeEvo) -> None:
        self.frames = Frames(LAYOUT)
        self._counter = CumulativeCounter(COUNTER_BITS, config.persons_per_minute_max)
        self.resume, self.memo = self._counter.resume, self._counter.memo

    def feed(self, data: bytes, t_ns: int) -> list[Counted]:
        counted = (self._counter.feed(RawReading(t_ns, counts.in_, counts.out)) for counts in self.frames.feed(data))
        return [item for item in counted if item]

    def advance(self, now_ns: int) -> list[Counted]:  # noqa: ARG002 - nothing follows from its silence
        return []

    def ask(self, now_ns: int) -> bytes:  # noqa: ARG002 - it talks unasked
        return b""

    def due_ns(self, now_ns: int) -> int:
        return now_ns + LOOK_NS


DEVICE = TerabeeCounter


def make(config: TerabeeEvo, around: Surroundings) -> SerialSensor:
    quiet = "has it power, and does it send its counts unasked?"
    return serial_sensor(config, TerabeeCounter(config), "a Terabee people counter", quiet, around)
