"""People counters on Modbus RTU: input registers (function 04), two u32 each, asked for every few seconds.

pymodbus builds the request, checks the CRC and decodes the answer; it does so without a port, so that the way from
bytes to readings is the same for a recording. Importing it imports asyncio (its messages serve its servers as well)
and takes some 11 MB: only a unit that has such a counter imports this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU, ExceptionResponse
from pymodbus.pdu.register_message import ReadInputRegistersRequest, ReadInputRegistersResponse

from edge.sensors.frames import Layout

COUNTER_BITS = 32
FUNCTION = 4
REFUSED = FUNCTION | 0x80
_LONGEST = 260  # of any answer


@dataclass(frozen=True, slots=True)
class RegisterMap:
    """Where a counter keeps its numbers: the first of two registers each."""

    address: int
    in_register: int
    out_register: int
    word_order: Literal["high-first", "low-first"]

    @property
    def first(self) -> int:
        return min(self.in_register, self.out_register)

    @property
    def count(self) -> int:
        return max(self.in_register, self.out_register) + 2 - self.first


@dataclass(frozen=True, slots=True)
class Counts:
    in_: int
    out: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """The device's answer that it will not: 2 means that it has no such register."""

    code: int


class Protocol:
    """What is asked of one device and how its answers are read."""

    def __init__(self, registers: RegisterMap) -> None:
        self._registers = registers
        self._decoder = DecodePDU(is_server=False)
        asked = ReadInputRegistersRequest(address=registers.first, count=registers.count, dev_id=registers.address)
        self.request: bytes = FramerRTU(self._decoder).buildFrame(asked)
        self.layout: Layout[Counts | Refusal] = Layout(_LONGEST, self._length, self._decode)

    def _length(self, window: bytes) -> int | None:
        answer = bytes((self._registers.address, FUNCTION, 2 * self._registers.count))
        refusal = bytes((self._registers.address, REFUSED))
        for head, length in ((answer, len(answer) + 2 * self._registers.count + 2), (refusal, 5)):
            if head.startswith(window[: len(head)]):
                return length if len(window) >= len(head) else None
        return 0

    def _decode(self, frame: bytes) -> Counts | Refusal | None:
        if FramerRTU.compute_CRC(frame[:-2]) != int.from_bytes(frame[-2:]):
            return None
        said = self._decoder.decode(frame[1:-2])
        if isinstance(said, ExceptionResponse):
            return Refusal(said.exception_code)
        if not isinstance(said, ReadInputRegistersResponse):
            return None
        in_, out = (
            self._number(said.registers, at) for at in (self._registers.in_register, self._registers.out_register)
        )
        return Counts(in_, out)

    def _number(self, words: Sequence[int], register: int) -> int:
        at = register - self._registers.first
        first, second = words[at], words[at + 1]
        return first << 16 | second if self._registers.word_order == "high-first" else second << 16 | first
