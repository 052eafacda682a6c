"""Whether a serial port delivers what it should, and what is likely wrong where it does not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from firmware_cfg.times import NS_PER_S

HEARD_BYTES = 256
_TEXT = frozenset(b"\t\r\n" + bytes(range(0x20, 0x7F)))
_TEXT_SHARE = 0.9
_OTHERS = (
    ("an HLK-LD2410 presence radar", re.compile(rb"\xf4\xf3\xf2\xf1[\x0d\x23]\x00")),
    ("an HLK-LD2450 radar", re.compile(rb"\xaa\xff\x03\x00.{24}\x55\xcc", re.DOTALL)),
    ("a Terabee people counter", re.compile(rb"PC\x00.{12}", re.DOTALL)),
    ("a TI people-tracking radar", re.compile(rb"\x02\x01\x04\x03\x06\x05\x08\x07")),
)

Trouble = Literal["sensor_silent", "sensor_unreadable"]


@dataclass(frozen=True, slots=True)
class Talk:
    """A device at a port, for sentences to people. `quiet` asks what may keep it quiet."""

    device: str
    port: str
    baud_rate: int
    quiet: str


@dataclass(frozen=True, slots=True)
class Change:
    """A trouble began (`detail` names the key of the configuration and the mend), or is over."""

    trouble: Trouble
    active: bool
    detail: str = ""


class Watch:
    """Raises a trouble after `silent_ns` without a valid frame, and takes it back with the next one.

    A port without a byte is silent; one where bytes come and no frame is unreadable. `trouble` is the one there is, and
    may be given from an earlier run.
    """

    def __init__(self, talk: Talk, silent_ns: int, trouble: Trouble | None = None) -> None:
        self.trouble = trouble
        self._talk = talk
        self._silent_ns = silent_ns
        self._good_ns: int | None = None
        self._tail = b""

    def opened(self, now_ns: int) -> None:
        self._good_ns = now_ns
        self._tail = b""

    def look(self, now_ns: int, data: bytes, *, good: bool) -> list[Change]:
        """What came since the last look, and whether a valid frame was in it."""
        if good or self._good_ns is None:
            self._good_ns = now_ns
            self._tail = b""
            return self._turn(None) if good else []
        self._tail = (self._tail + data)[-HEARD_BYTES:]
        if now_ns - self._good_ns < self._silent_ns:
            return []
        return self._turn("sensor_unreadable" if self._tail else "sensor_silent")

    def _turn(self, trouble: Trouble | None) -> list[Change]:
        if trouble == self.trouble:
            return []
        ended = [] if self.trouble is None else [Change(self.trouble, active=False)]
        self.trouble = trouble
        return ended if trouble is None else [*ended, Change(trouble, True, self._detail(trouble))]

    def _detail(self, trouble: Trouble) -> str:
        talk, silent_s = self._talk, self._silent_ns / NS_PER_S
        if trouble == "sensor_silent":
            return f"port: nothing has come from {talk.port} for {silent_s:g} s; {talk.quiet}"
        other = identify(self._tail)
        if other is not None and talk.device not in other:
            return f"port: {talk.port} sounds like {other}, not {talk.device}; correct port or kind, or swap the cables"
        return (
            f"baud_rate: bytes come on {talk.port}, but no frame of {talk.device} in {silent_s:g} s; "
            f"is {talk.baud_rate} its rate, and is it such a device?"
        )


def identify(data: bytes) -> str | None:
    """What sends such bytes, or None where nothing known does."""
    for what, pattern in _OTHERS:
        if pattern.search(data):
            return what
    if len(data) >= 16 and sum(byte in _TEXT for byte in data) >= _TEXT_SHARE * len(data):  # noqa: PLR2004 - a short line
        return "something that writes text, as a console or a GPS receiver does"
    return None
