"""Finding frames in a stream of bytes, whatever else is in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Layout(Generic[T]):
    """How the frames of a protocol look.

    `length` is given all bytes from a place on: the whole length of the frame that begins there, 0 where none does,
    None while too few bytes are there to tell. It must not change its mind as more bytes come, and never wants more
    than `longest` bytes. `decode` is given exactly one frame: what it says, or None where tail, checksum or a value
    is wrong.
    """

    longest: int
    length: Callable[[bytes], int | None]
    decode: Callable[[bytes], T | None]


class Frames(Generic[T]):
    """A stream cut into frames. A frame that proves wrong costs one byte only: the next may begin inside it.

    However the bytes are split over `feed`s, the same frames come out, each after its last byte has come. Between
    feeds fewer than `longest` bytes are kept. `good` counts frames; `bad` those that began well and proved wrong, and
    `noise` the bytes outside frames, both from the first good one on: a stream is usually joined in mid-frame.
    """

    def __init__(self, layout: Layout[T]) -> None:
        self._layout = layout
        self._rest = b""
        self._joined = False
        self.good = 0
        self.bad = 0
        self.noise = 0

    def feed(self, data: bytes) -> list[T]:
        buffer = self._rest + data
        found: list[T] = []
        at = 0
        while at < len(buffer):
            window = buffer[at : at + self._layout.longest]
            length = self._layout.length(window)
            if length is None or length > len(window):
                if len(window) < self._layout.longest:
                    break
                length = 0  # whoever wants more than the longest frame is wrong
            value = self._layout.decode(window[:length]) if length else None
            if value is not None:
                found.append(value)
                self._joined = True
                self.good += 1
                at += length
                continue
            self.bad += self._joined and length > 0
            self.noise += self._joined
            at += 1
        self._rest = buffer[at:]
        return found

    def forget(self) -> None:
        """The stream was cut: what comes next does not follow what came."""
        self._rest = b""
        self._joined = False

    @property
    def pending(self) -> int:
        """How many bytes are kept."""
        return len(self._rest)
