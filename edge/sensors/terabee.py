"""Terabee Evo People Counter: persons in and out since it was switched on.

Frames of 15 bytes, big-endian: `PC`, the device's number and persons present (u32 each), in and out (u16 each, which
wrap), CRC-8 (polynomial 07, from 0).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from edge.sensors.frames import Layout

COUNTER_BITS = 16
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
