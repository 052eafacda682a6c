"""People counters on Modbus RTU: input registers (function 04), two u32 each, asked for every few seconds.

pymodbus builds the request, checks the CRC and decodes the answer; it does so without a port, so that the way from
bytes to readings is the same for a recording. Importing it imports asyncio (its messages serve its servers as well)
and takes 3 to 4 MB: only a unit that has such a counter imports this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU, ExceptionResponse
from pymodbus.pdu.register_message import ReadInputRegistersRequest, ReadInputRegistersResponse

from edge.drafts import Noticed, When
from edge.sensors.base import Surroundings
from edge.sensors.cumulative import Counted, CumulativeCounter, RawReading
from edge.sensors.frames import Frames, Layout
from edge.sensors.serial_port import SerialSensor, serial_sensor
from firmware_cfg.sensors import ModbusCounter
from firmware_cfg.times import NS_PER_MS, NS_PER_S

COUNTER_BITS = 32
ANSWER_NS = NS_PER_S
LOOK_NS = 50 * NS_PER_MS
"""While an answer is waited for, `ANSWER_NS` at most."""
FUNCTION = 4
NO_SUCH_REGISTER = 2


@dataclass(frozen=True, slots=True)
class Counts:
    in_: int
    out: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """The device's answer that it will not, with the reason's number."""

    code: int


@dataclass(frozen=True, slots=True)
class Refused:
    """That answer as what the sensor noticed."""

    t_ns: int
    code: int

    def told(self, when: When) -> Noticed:
        what = "it has no such registers" if self.code == NO_SUCH_REGISTER else f"it answers with exception {self.code}"
        return Noticed("modbus_refused", when, None, f"in_register, out_register: {what}; compare with its manual")


class Protocol:
    """What is asked of one device, and how its answers look."""

    def __init__(self, config: ModbusCounter) -> None:
        first = min(config.in_register, config.out_register)
        self._places = (config.in_register - first, config.out_register - first)
        self._low_first = config.word_order == "low-first"
        self._decoder = DecodePDU(is_server=False)
        count = max(self._places) + 2
        asked = ReadInputRegistersRequest(address=first, count=count, dev_id=config.address)
        self.request: bytes = FramerRTU(self._decoder).buildFrame(asked)
        answer = bytes((config.address, FUNCTION, 2 * count))
        refusal = bytes((config.address, FUNCTION | 0x80))
        self._lengths = ((answer, len(answer) + 2 * count + 2), (refusal, len(refusal) + 1 + 2))
        self.layout: Layout[Counts | Refusal] = Layout(self._lengths[0][1], self._length, self._decode)

    def _length(self, window: bytes) -> int | None:
        for head, length in self._lengths:
            if window.startswith(head):
                return length
        return None if any(head.startswith(window) for head, _ in self._lengths) else 0

    def _decode(self, frame: bytes) -> Counts | Refusal | None:
        if FramerRTU.compute_CRC(frame[:-2]) != int.from_bytes(frame[-2:]):
            return None
        said = self._decoder.decode(frame[1:-2])
        if isinstance(said, ExceptionResponse):
            return Refusal(said.exception_code)
        if not isinstance(said, ReadInputRegistersResponse):
            return None
        in_, out = (self._number(said.registers[place : place + 2]) for place in self._places)
        return Counts(in_, out)

    def _number(self, words: Sequence[int]) -> int:
        low, high = words if self._low_first else reversed(words)
        return high << 16 | low


class ModbusDevice:
    """Bytes in, differences out; `ask` says what to send. No clock and no port.

    An answer that comes late still counts: it tells a total.
    """

    def __init__(self, config: ModbusCounter) -> None:
        self._protocol = Protocol(config)
        self.frames = Frames(self._protocol.layout)
        self._counter = CumulativeCounter(COUNTER_BITS, config.persons_per_minute_max)
        self.resume, self.memo = self._counter.resume, self._counter.memo
        self._poll_ns = round(config.poll_s * NS_PER_S)
        self._asked_ns: int | None = None
        self._answered = True

    def feed(self, data: bytes, t_ns: int) -> list[Counted | Refused]:
        found: list[Counted | Refused] = []
        for answer in self.frames.feed(data):
            self._answered = True
            if isinstance(answer, Refusal):
                found.append(Refused(t_ns, answer.code))
            elif counted := self._counter.feed(RawReading(t_ns, answer.in_, answer.out)):
                found.append(counted)
        return found

    def advance(self, now_ns: int) -> list[Counted | Refused]:  # noqa: ARG002 - nothing follows from its silence
        return []

    def ask(self, now_ns: int) -> bytes:
        if self._asked_ns is not None and now_ns < self._asked_ns + self._poll_ns:
            return b""
        self._asked_ns, self._answered = now_ns, False
        return self._protocol.request

    def due_ns(self, now_ns: int) -> int:
        asked_ns = now_ns if self._asked_ns is None else self._asked_ns
        poll_ns = max(now_ns, asked_ns + self._poll_ns)
        waits = not self._answered and now_ns < asked_ns + ANSWER_NS
        return min(now_ns + LOOK_NS, poll_ns) if waits else poll_ns


DEVICE = ModbusDevice


def make(config: ModbusCounter, around: Surroundings) -> SerialSensor:
    quiet = f"has it power, is its address {config.address}, and are A and B the right way round?"
    return serial_sensor(config, ModbusDevice(config), "a Modbus RTU counter", quiet, around)
