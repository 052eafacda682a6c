"""A GPIO chip that gpiod's own types can be asked through where no kernel has one: events go through a socket.

What the kernel does is played by `Lines`: it stamps and numbers the edges of one request. It may be in another process
than the `Chip` that hands out the request.
"""

from __future__ import annotations

import socket
import struct
from collections import defaultdict
from dataclasses import dataclass, field
from errno import EBUSY, ENODEV
from typing import TYPE_CHECKING, Any, Self

import gpiod
from gpiod._ext import LineConfig
from gpiod.line import Value
from gpiod.line_settings import _line_settings_to_ext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_EVENT = struct.Struct("=qIIII")
_RISING, _FALLING = gpiod.EdgeEvent.Type.RISING_EDGE.value, gpiod.EdgeEvent.Type.FALLING_EDGE.value


class Lines:
    """The kernel's side of one request: `drive` is the world."""

    def __init__(self) -> None:
        self.far, self.near = socket.socketpair()
        self.near.setblocking(False)
        self._number = 0
        self._numbers: defaultdict[int, int] = defaultdict(int)

    def drive(self, pin: int, high: bool, t_ns: int) -> None:
        """An edge; raises BlockingIOError when the reader is so late that a kernel would begin to drop."""
        self.drive_all([(pin, high, t_ns)])

    def drive_all(self, edges: Iterable[tuple[int, bool, int]]) -> None:
        """As `drive`, at once."""
        self.near.send(b"".join(self._next(*edge) for edge in edges))

    def overrun(self, pin: int, high: bool, t_ns: int) -> None:
        """An edge that is numbered and then dropped."""
        self._next(pin, high, t_ns)

    def drive_inverted(self, first: tuple[int, bool, int], second: tuple[int, bool, int]) -> None:
        """Two lines' edges whose interrupt threads come to the queue the wrong way round."""
        earlier, later = self._next(*first), self._next(*second)
        self.near.send(later + earlier)

    def unplug(self) -> None:
        self.near.close()

    def _next(self, pin: int, high: bool, t_ns: int) -> bytes:
        self._number += 1
        self._numbers[pin] += 1
        return _EVENT.pack(t_ns, _RISING if high else _FALLING, pin, self._number, self._numbers[pin])


class Request:
    """Stands for gpiod.LineRequest."""

    def __init__(self, far: socket.socket, values: dict[int, Value]) -> None:
        self._far = far
        self._values = values
        self.released = False

    @property
    def fd(self) -> int:
        return self._far.fileno()

    def get_values(self, lines: list[int]) -> list[Value]:
        return [self._values[line] for line in lines]

    def read_edge_events(self, max_events: int) -> list[gpiod.EdgeEvent]:
        data = self._far.recv(max_events * _EVENT.size)
        if not data:
            raise OSError(ENODEV, "No such device")
        return [
            gpiod.EdgeEvent(kind, t_ns, pin, number, line_number)
            for t_ns, kind, pin, number, line_number in _EVENT.iter_unpack(data)
        ]

    def release(self) -> None:
        self.released = True
        self._far.close()


@dataclass
class Chip:
    """Stands for gpiod.Chip: `connect` gives the socket of a request's events and the levels now.

    Settings go through the library's own checks, up to where it would ask the kernel.
    """

    label: str
    connect: Callable[[tuple[int, ...]], tuple[socket.socket, dict[int, bool]]]
    used: dict[int, str] = field(default_factory=dict)
    closed: bool = False
    asked: list[dict[str, Any]] = field(default_factory=list)

    def get_info(self) -> gpiod.ChipInfo:
        return gpiod.ChipInfo("gpiochip7", self.label, 28)

    def get_line_info(self, pin: int) -> gpiod.LineInfo:
        if pin >= self.get_info().num_lines:
            raise ValueError("line offset of out range")
        return gpiod.LineInfo(
            pin, f"GPIO{pin}", pin in self.used, self.used.get(pin, ""), 1, False, 1, 1, 1, 1, False, 0
        )

    def request_lines(self, config: dict[int, gpiod.LineSettings], *, consumer: str, event_buffer_size: int) -> Request:
        for pin, settings in config.items():
            if self.get_line_info(pin).used:
                raise OSError(EBUSY, "Device or resource busy")
            LineConfig().add_line_settings([pin], _line_settings_to_ext(settings))
        self.asked.append({"config": config, "consumer": consumer, "event_buffer_size": event_buffer_size})
        far, levels = self.connect(tuple(config))
        return Request(far, {pin: Value.ACTIVE if levels.get(pin) else Value.INACTIVE for pin in config})

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def chips(*there: Chip) -> Callable[[], Iterator[Any]]:
    """As `Surroundings.chips` wants them."""
    return lambda: iter(there)
