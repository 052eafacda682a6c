"""Counters that only tell their totals: Terabee Evo, and a counter on Modbus RTU."""

from __future__ import annotations

from typing import Literal

NS_PER_S = 1_000_000_000


class _Totals:
    """Persons since it was switched on, in registers that go round past their end."""

    def __init__(self, end: int, in_: int, out: int) -> None:
        self._end = end
        self.in_, self.out = in_, out

    def count(self, in_: int = 0, out: int = 0) -> None:
        """Persons pass."""
        self.in_ = (self.in_ + in_) % self._end
        self.out = (self.out + out) % self._end

    def lose_power(self) -> None:
        """It starts again, from zero."""
        self.in_ = self.out = 0


class TerabeeCounter(_Totals):
    """Tells its totals each `period_ns`."""

    def __init__(self, in_: int = 0, out: int = 0, *, device: int = 7, period_ns: int = NS_PER_S) -> None:
        super().__init__(1 << 16, in_, out)
        self._device = device
        self._period_ns = period_ns
        self._next_ns: int | None = None

    def frame(self) -> bytes:
        net = max(0, self.in_ - self.out)
        body = b"PC" + self._device.to_bytes(4) + net.to_bytes(4) + self.in_.to_bytes(2) + self.out.to_bytes(2)
        return body + bytes((_remainder(body),))

    def due(self, now_ns: int) -> bytes:
        if self._next_ns is None:
            self._next_ns = now_ns
        sent = b""
        while self._next_ns <= now_ns:
            sent += self.frame()
            self._next_ns += self._period_ns
        return sent

    def receive(self, data: bytes, now_ns: int) -> bytes:
        """It can be told to start from zero; all else is left unanswered."""
        del now_ns
        if bytes.fromhex("005508000000007c") in data:
            self.lose_power()
        return b""


def _remainder(body: bytes) -> int:
    """Of the polynomial x^8 + x^2 + x + 1, by long division of all bits."""
    number = int.from_bytes(body) << 8
    for bit in range(number.bit_length() - 1, 7, -1):
        if number >> bit & 1:
            number ^= 0b1_0000_0111 << (bit - 8)
    return number


class ModbusCounter(_Totals):
    """Answers function 04 for its registers, refuses what it does not have, keeps quiet when others are asked."""

    def __init__(
        self,
        in_: int = 0,
        out: int = 0,
        *,
        address: int = 1,
        in_register: int = 0,
        out_register: int = 2,
        word_order: Literal["high-first", "low-first"] = "high-first",
    ) -> None:
        super().__init__(1 << 32, in_, out)
        self._address = address
        self._places = (in_register, out_register)
        self._word_order = word_order
        self._heard = b""

    def due(self, now_ns: int) -> bytes:
        """It only speaks when it is asked."""
        del now_ns
        return b""

    def receive(self, data: bytes, now_ns: int) -> bytes:
        del now_ns
        self._heard = (self._heard + data)[-64:]
        for at in range(len(self._heard) - 7):
            request = self._heard[at : at + 8]
            if request[6:] == crc16(request[:6]):
                self._heard = self._heard[at + 8 :]
                return self._answer(request) if request[0] == self._address else b""
        return b""

    def _answer(self, request: bytes) -> bytes:
        function, first, count = request[1], int.from_bytes(request[2:4]), int.from_bytes(request[4:6])
        registers = self._registers()
        if function != 4:  # noqa: PLR2004 - read input registers
            return _framed(bytes((self._address, function | 0x80, 1)))
        if first + count > max(registers) + 1:
            return _framed(bytes((self._address, function | 0x80, 2)))
        words = b"".join(registers.get(first + step, 0).to_bytes(2) for step in range(count))
        return _framed(bytes((self._address, function, len(words))) + words)

    def _registers(self) -> dict[int, int]:
        registers: dict[int, int] = {}
        for place, total in zip(self._places, (self.in_, self.out), strict=True):
            high, low = divmod(total, 1 << 16)
            first, second = (high, low) if self._word_order == "high-first" else (low, high)
            registers |= {place: first, place + 1: second}
        return registers


def crc16(data: bytes) -> bytes:
    """CRC-16/MODBUS as it is sent, low byte first."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc.to_bytes(2, "little")


def _framed(body: bytes) -> bytes:
    return body + crc16(body)
