"""DS18B20 thermometers as Linux shows them: `/sys/bus/w1/devices/28-*/w1_slave`."""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Callable
from pathlib import Path

from edge.clock import Clock

_POWER_ON_MILLI_C = 85_000
_LOWEST_MILLI_C, _HIGHEST_MILLI_C = -55_000, 125_000
_FILE = re.compile(
    r"(?P<bytes>(?:[0-9a-f]{2} ){9}): crc=(?P<crc>[0-9a-f]{2}) (?P<good>YES|NO)\n"
    r"(?P=bytes)t=(?P<milli_c>-?\d{1,6})\n?"
)


class OneWireError(ValueError):
    """What was read is no temperature; the message says why."""


def parse_w1_slave(text: str) -> float:
    """The temperature in Celsius; raises OneWireError for everything that a broken bus or a reset chip may say.

    85.000 is what the chip holds after power-on and is no cabinet's temperature; all zeros, checksum included, is a
    bus held low. The checksum is worked out again, since some kernels say YES to what was read before.
    """
    match = _FILE.fullmatch(text)
    if match is None:
        raise OneWireError("it is not what a DS18B20's w1_slave looks like")
    scratchpad = bytes.fromhex(match["bytes"])
    if match["good"] != "YES" or crc8(scratchpad[:8]) != scratchpad[8]:
        raise OneWireError("its checksum is wrong; check the wiring and the pull-up resistor")
    if not any(scratchpad):
        raise OneWireError("it reads all zeros; the data line is held low")
    milli_c = int(match["milli_c"])
    if milli_c == _POWER_ON_MILLI_C:
        raise OneWireError("it reads 85 C, as after power-on; check the sensor's supply")
    if not _LOWEST_MILLI_C <= milli_c <= _HIGHEST_MILLI_C:
        raise OneWireError(f"it reads {milli_c / 1000:g} C, which a DS18B20 cannot measure")
    return milli_c / 1000


def crc8(data: bytes) -> int:
    """CRC-8/MAXIM."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8C if crc & 1 else 0)
    return crc


def find_w1_slave(pattern: str) -> Path:
    """The one file that the pattern means; raises OneWireError naming what there is instead."""
    path = Path(pattern)
    found = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor)))) if "*" in pattern else [path]
    found = [file for file in found if file.exists()]
    if not found:
        raise OneWireError("no such thermometer; is dtoverlay=w1-gpio set and the sensor wired?")
    if len(found) > 1:
        names = ", ".join(file.parent.name for file in found)
        raise OneWireError(f"there are several ({names}); name one of them instead of *")
    return found[0]


def read_w1_slave(pattern: str) -> float:
    """The temperature in Celsius that the file says now; raises OneWireError. The kernel's file takes up to 0.8 s."""
    try:
        return parse_w1_slave(find_w1_slave(pattern).read_text(encoding="ascii"))
    except (OSError, UnicodeDecodeError) as error:
        raise OneWireError(f"it cannot be read ({getattr(error, 'strerror', None) or error})") from error


class Thermometer:
    """Readings of one DS18B20 without waiting for them.

    The kernel measures while its file is read, so that is done in a thread; any other file is read on the spot, which
    keeps simulated days the same each time.
    """

    def __init__(self, pattern: str, clock: Clock, wake: Callable[[], None]) -> None:
        self._pattern = pattern
        self._clock = clock
        self._wake = wake
        self._blocks = pattern.startswith("/sys/")
        self._thread: threading.Thread | None = None
        self._came: queue.SimpleQueue[tuple[int, float | OneWireError]] = queue.SimpleQueue()

    def ask(self) -> None:
        """Begin a reading, unless one still hangs."""
        if not self._blocks:
            self._read()
        elif self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._read, name="thermometer", daemon=True)
            self._thread.start()

    def take(self) -> list[tuple[int, float | OneWireError]]:
        """What came since it was taken last: monotonic ns, and Celsius or what was wrong."""
        return [self._came.get_nowait() for _ in range(self._came.qsize())]

    def _read(self) -> None:
        value: float | OneWireError
        try:
            value = read_w1_slave(self._pattern)
        except OneWireError as error:
            value = error
        self._came.put((self._clock.monotonic_ns(), value))
        self._wake()
