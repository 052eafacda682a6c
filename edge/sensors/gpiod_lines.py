"""Edges of GPIO lines by gpiod (libgpiod 2), the kernel's own interface: stamped in ns by the kernel, and numbered.

Written against gpiod 2.5 and its own types; no GPIO chip, real or simulated by a kernel, was ever there to try it on.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import SensorError
from edge.sensors.base import Chips, Edge
from edge.sensors.lines import EdgeQueue, GpioLine

if TYPE_CHECKING:
    import gpiod

    _Settings = dict[Iterable[int | str] | int | str, gpiod.LineSettings | None]

LABELS = ("pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835")
"""The chip with the header's pins: on a Raspberry Pi 5, on a 4, and before. Its number differs between kernels."""
KERNEL_EVENTS = 1024
"""The most that the kernel keeps for one request; what is more pushes out the oldest."""


def machine_chips() -> Iterator[gpiod.Chip]:
    """This machine's GPIO chips, each opened when it is asked for; raises OSError."""
    import gpiod  # noqa: PLC0415 - not every machine has it

    for path in sorted(Path("/dev").glob("gpiochip*")):
        yield gpiod.Chip(str(path))


class Numbers:
    """How many edges the kernel dropped, as far as the numbers of those that came tell.

    Each line's edges are numbered from 1 (`line_seqno`), and all of a request's together (`global_seqno`). The latter
    tell of a loss that no later edge of the same line shows; but of every other line one edge may be on its way still.
    """

    def __init__(self, lines: int) -> None:
        self.lost = 0
        self._last = [0] * lines
        self._highest = 0
        self._came = 0

    def came(self, line: int, line_seqno: int, global_seqno: int) -> None:
        self._came += 1
        self._last[line] = line_seqno
        self._highest = max(self._highest, global_seqno)
        on_their_way = len(self._last) - 1
        self.lost = max(self.lost, sum(self._last) - self._came, self._highest - self._came - on_their_way)


class GpiodLines:
    """Lines of one chip, found by its `label` or as a Raspberry Pi's own; an EdgeSource.

    A thread of its own waits for the kernel. The kernel's debouncing stays off: it would shift the stamps. With a line
    busier than its interrupt's thread, the kernel sees no edge to number; a repeated level then tells.
    """

    def __init__(
        self,
        sensor: str,
        lines: Sequence[GpioLine],
        *,
        wake: Callable[[], None],
        label: str | None = None,
        chips: Chips | None = None,
    ) -> None:
        self._sensor = sensor
        self._lines = lines
        self._wake = wake
        self._labels = LABELS if label is None else (label,)
        self._chips = chips or machine_chips
        self._queue = EdgeQueue()
        self._numbers = Numbers(len(lines))
        self._reader: _Reader | None = None

    def open(self) -> tuple[int, ...]:
        try:
            import gpiod  # noqa: PLC0415 - only a unit with GPIO sensors pays for it
        except ImportError as error:
            mend = 'install gpiod beside Foyer, or say driver = "gpiozero"'
            raise SensorError(self._sensor, "driver gpiod", str(error), mend) from error
        self._queue, self._numbers = EdgeQueue(), Numbers(len(self._lines))
        with self._chip() as chip:
            settings: _Settings = {line.pin: _settings(line) for line in self._lines}
            try:
                request = chip.request_lines(settings, consumer="foyer", event_buffer_size=KERNEL_EVENTS)
            except (OSError, ValueError) as error:
                raise self._refused(chip, error) from error
        high = [value is gpiod.line.Value.ACTIVE for value in request.get_values([line.pin for line in self._lines])]
        self._reader = _Reader(request, self._came, self._wake)
        return tuple(int(state == line.one_high) for state, line in zip(high, self._lines, strict=True))

    def take(self, until_ns: int) -> list[Edge]:
        taken = self._queue.take(until_ns)
        if not taken and self._reader and self._reader.error:
            what = f"the chip went away ({self._reader.error.strerror or self._reader.error})"
            self.close()
            raise SensorError(self._sensor, "chip", what, "is it still plugged in?")
        return taken

    def waiting_ns(self) -> int | None:
        return self._queue.waiting_ns()

    @property
    def lost(self) -> int:
        return self._queue.lost + self._numbers.lost

    def close(self) -> None:
        if self._reader:
            self._reader.close()
            self._reader = None

    def _chip(self) -> gpiod.Chip:
        there = []
        try:
            for chip in self._chips():
                label = chip.get_info().label
                if label in self._labels:
                    return chip
                there.append(label)
                chip.close()
        except OSError as error:
            mend = "may this user use it? On a Raspberry Pi the group gpio may"
            raise SensorError(self._sensor, "chip", f"cannot be opened ({error.strerror or error})", mend) from error
        if not there:
            mend = "is this a Raspberry Pi, or another machine whose kernel drives its GPIO?"
            raise SensorError(self._sensor, "chip", "there is no GPIO chip here (/dev/gpiochip*)", mend)
        mend = f"give the label of the one with the pins: {', '.join(sorted(set(there)))}"
        raise SensorError(self._sensor, "chip", f"none is labelled {' or '.join(self._labels)}", mend)

    def _refused(self, chip: gpiod.Chip, error: Exception) -> SensorError:
        """Whose fault it was, in words."""
        for line in self._lines:
            where = f"{line.key} {line.pin}"
            try:
                info = chip.get_line_info(line.pin)
            except (OSError, ValueError):
                return SensorError(self._sensor, where, "the chip has no such line", "give the pin's BCM number")
            if info.used:
                by = info.consumer or "the kernel"
                return SensorError(self._sensor, where, f"is in use by {by}", "stop that, or use another pin")
        keys = ", ".join(f"{line.key} {line.pin}" for line in self._lines)
        return SensorError(self._sensor, keys, str(error), "can these pins be inputs with a pull resistor?")

    def _came(self, events: list[gpiod.EdgeEvent]) -> None:
        places = {line.pin: at for at, line in enumerate(self._lines)}
        for event in events:
            at = places[event.line_offset]
            self._numbers.came(at, event.line_seqno, event.global_seqno)
            high = event.event_type is event.Type.RISING_EDGE
            self._queue.put(Edge(event.timestamp_ns, at, int(high == self._lines[at].one_high)))


def _settings(line: GpioLine) -> gpiod.LineSettings:
    import gpiod  # noqa: PLC0415 - only called where it is there

    return gpiod.LineSettings(
        direction=gpiod.line.Direction.INPUT,
        edge_detection=gpiod.line.Edge.BOTH,
        bias=gpiod.line.Bias.PULL_UP if line.pull_up else gpiod.line.Bias.PULL_DOWN,
        event_clock=gpiod.line.Clock.MONOTONIC,
    )


class _Reader:
    """The thread that waits for a request's events; `close` ends it and hands over what the kernel still had."""

    def __init__(
        self, request: gpiod.LineRequest, came: Callable[[list[gpiod.EdgeEvent]], None], wake: Callable[[], None]
    ) -> None:
        self.error: OSError | None = None
        self._request = request
        self._came = came
        self._wake = wake
        self._stop_fd = os.eventfd(0)
        self._thread = threading.Thread(target=self._run, name="gpiod", daemon=True)
        self._thread.start()

    def close(self) -> None:
        os.eventfd_write(self._stop_fd, 1)
        self._thread.join()
        os.close(self._stop_fd)
        self._request.release()

    def _run(self) -> None:
        poller = select.poll()
        for fd in (self._request.fd, self._stop_fd):
            poller.register(fd, select.POLLIN)
        ready: set[int] = set()
        while self._stop_fd not in ready:
            ready = {fd for fd, _ in poller.poll()}
            if self._request.fd in ready:
                try:
                    self._came(self._request.read_edge_events(KERNEL_EVENTS))
                except OSError as error:
                    self.error = error
                    ready.add(self._stop_fd)
                self._wake()
