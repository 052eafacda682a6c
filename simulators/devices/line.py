"""The serial line between a device and a unit: what it does to bytes, and a port at its end that can be unplugged."""

from __future__ import annotations

import os
import random
import tty
from pathlib import Path
from typing import Protocol, Self

WAITING_BYTES_MAX = 4096  # what a kernel keeps for a port that nobody reads


class Device(Protocol):
    """Something at the far end of a serial line. Times only go forward."""

    def due(self, now_ns: int) -> bytes:
        """What it has sent since it was last asked, unasked."""
        ...

    def receive(self, data: bytes, now_ns: int) -> bytes:
        """Its answer to what came."""
        ...


class BadLine:
    """A line that does what bad lines do; at first nothing. Set an attribute to have it.

    `noise` is the chance of some random bytes before what is sent, `cut` of its losing an end, `flip` of one wrong bit
    in it; `silent` keeps all back; `wrong_baud_rate` makes garbage of all, as a port set to another speed sees it.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a simulation wants the same each time
        self.noise = 0.0
        self.cut = 0.0
        self.flip = 0.0
        self.silent = False
        self.wrong_baud_rate = False

    def carry(self, data: bytes) -> bytes:
        if self.silent or not data:
            return b""
        if self.wrong_baud_rate:
            # Each byte's ten bits are read as a few bytes of runs of ones and zeros.
            return bytes(
                self._random.choice((0x00, 0x80, 0xE0, 0xF8, 0xFE, 0xFF)) for _ in range(max(1, len(data) // 2))
            )
        if len(data) > 1 and self._happens(self.cut):
            at = self._random.randrange(1, len(data))
            data = data[:at] if self._random.random() < 1 / 2 else data[at:]
        if data and self._happens(self.flip):
            at = self._random.randrange(len(data))
            data = data[:at] + bytes((data[at] ^ 1 << self._random.randrange(8),)) + data[at + 1 :]
        if self._happens(self.noise):
            data = self._random.randbytes(self._random.randint(1, 20)) + data
        return data

    def _happens(self, chance: float) -> bool:
        return chance > 0 and self._random.random() < chance


class PtyPort:
    """A serial port that is a pseudo-terminal, at `path` as long as it is plugged in; closes with its `with`.

    Call `step` as time goes on. What nobody reads is lost beyond what a kernel keeps.
    """

    def __init__(self, path: Path, device: Device, line: BadLine | None = None) -> None:
        self.path = path
        self.device = device
        self.line = line or BadLine(0)
        self._master: int | None = None

    def plug(self) -> Self:
        """Plug it in, under the same path but as another port underneath, as USB does."""
        if self._master is None:
            self._master, slave = os.openpty()
            tty.setraw(slave)
            os.set_blocking(self._master, False)
            self.path.unlink(missing_ok=True)
            self.path.symlink_to(os.ttyname(slave))
            os.close(slave)
        return self

    def unplug(self) -> None:
        """The cable is pulled: whoever has the port open notices on the next read."""
        if self._master is not None:
            self.path.unlink(missing_ok=True)
            os.close(self._master)
            self._master = None

    @property
    def plugged(self) -> bool:
        return self._master is not None

    def step(self, now_ns: int) -> None:
        """Let the device send and answer up to that time. While unplugged, what it sends is lost."""
        sent = self.line.carry(self.device.due(now_ns))
        heard = self._read()
        if heard:
            sent += self.line.carry(self.device.receive(heard, now_ns))
        self._write(sent)

    def _read(self) -> bytes:
        if self._master is None:
            return b""
        try:
            return os.read(self._master, WAITING_BYTES_MAX)
        except (BlockingIOError, OSError):  # nothing came, or nobody has the port open
            return b""

    def _write(self, data: bytes) -> None:
        if self._master is None or not data:
            return
        try:
            os.write(self._master, data)
        except BlockingIOError:
            return  # full: nobody reads

    def __enter__(self) -> Self:
        return self.plug()

    def __exit__(self, *_: object) -> None:
        self.unplug()
