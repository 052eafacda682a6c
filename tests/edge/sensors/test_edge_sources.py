"""What every EdgeSource promises, by gpiozero's mock pins and by gpiod's own types on a chip of the test's."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import pytest
from gpio_chip import Chip, Lines, chips
from house import wait_until

from edge.clock import ManualClock
from edge.errors import SensorError
from edge.sensors.base import Edge, EdgeSource
from edge.sensors.gpio import GpioLines
from edge.sensors.gpiod_lines import LABELS, GpiodLines, Numbers
from edge.sensors.lines import WAITING_MAX, GpioLine
from edge.sensors.mock import ClockFactory

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

OUTER, INNER = 17, 27
LINES = (GpioLine("outer_pin", OUTER, one_high=True, pull_up=True), GpioLine("inner_pin", INNER, False, True))
"""The second one's level 1 is its low."""
FOREVER_NS = 2**62
MS = 1_000_000


class World(ABC):
    """A source and the pins before it. `arrived` waits until edges that were driven can be taken."""

    def __init__(self) -> None:
        self.woken = threading.Semaphore(0)
        self.high = {OUTER: False, INNER: False}
        self.driven = 0
        self.taken = 0
        self.source = self.make()

    @abstractmethod
    def make(self) -> EdgeSource: ...

    @abstractmethod
    def drive(self, pin: int, high: bool, t_ns: int) -> None: ...

    def arrived(self) -> None:
        self.woken.acquire(timeout=20)

    def close(self) -> None:
        self.source.close()


class MockPins(World):
    def make(self) -> EdgeSource:
        self.clock = ManualClock()
        self.pins = ClockFactory(self.clock)
        return GpioLines(
            "beams", LINES, clock=self.clock, wake=self.woken.release, factory=lambda: self._set(self.pins)
        )

    def _set(self, pins: ClockFactory) -> ClockFactory:
        for pin, high in self.high.items():
            (pins.pin(pin).drive_high if high else pins.pin(pin).drive_low)()
        return pins

    def drive(self, pin: int, high: bool, t_ns: int) -> None:
        self.clock.advance(t_ns - self.clock.monotonic_ns())
        (self.pins.pin(pin).drive_high if high else self.pins.pin(pin).drive_low)()

    def close(self) -> None:
        super().close()
        self.pins.reset()


class ChipLines(World):
    def make(self) -> EdgeSource:
        self.requests: list[Lines] = []
        self.chip = Chip(LABELS[0], self._connect)
        return GpiodLines("beams", LINES, wake=self.woken.release, chips=chips(Chip("other", self._connect), self.chip))

    def _connect(self, pins: tuple[int, ...]) -> tuple[socket.socket, dict[int, bool]]:
        assert pins == (OUTER, INNER)
        self.requests.append(Lines())
        return self.lines.far, self.high

    @property
    def lines(self) -> Lines:
        return self.requests[-1]

    def drive(self, pin: int, high: bool, t_ns: int) -> None:
        self.lines.drive(pin, high, t_ns)

    def close(self) -> None:
        super().close()
        for lines in self.requests:
            lines.unplug()


@pytest.fixture(params=[MockPins, ChipLines], ids=["gpiozero", "gpiod"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    world: World = request.param()
    yield world
    world.close()


@pytest.fixture
def on_chip() -> Iterator[ChipLines]:
    world = ChipLines()
    yield world
    world.close()


def test_it_opens_with_the_levels_that_are(world: World) -> None:
    world.high = {OUTER: True, INNER: True}
    assert world.source.open() == (1, 0)
    assert world.source.take(FOREVER_NS) == []
    assert world.source.waiting_ns() is None


def test_edges_carry_their_time_line_and_level_and_wake_the_unit(world: World) -> None:
    assert world.source.open() == (0, 1)
    world.drive(OUTER, True, 5 * MS)
    world.arrived()
    world.drive(INNER, True, 9 * MS + 1)
    world.arrived()
    assert world.source.waiting_ns() == 5 * MS
    assert world.source.take(FOREVER_NS) == [Edge(5 * MS, 0, 1), Edge(9 * MS + 1, 1, 0)]
    assert world.source.waiting_ns() is None
    assert world.source.lost == 0


def test_what_is_later_is_left_for_the_next_time(world: World) -> None:
    world.source.open()
    for t_ns, high in ((MS, True), (2 * MS, False), (3 * MS, True)):
        world.drive(OUTER, high, t_ns)
        world.arrived()
    assert [edge.t_ns for edge in world.source.take(2 * MS)] == [MS, 2 * MS]
    assert world.source.take(2 * MS) == []
    assert [edge.t_ns for edge in world.source.take(3 * MS)] == [3 * MS]


def test_a_flood_is_bounded_and_what_is_lost_is_counted(world: World) -> None:
    world.source.open()
    count = WAITING_MAX + 100
    for number in range(count):
        world.drive(OUTER, number % 2 == 0, (number + 1) * 1000)
        world.arrived()
    wait_until("all of it", lambda: world.source.lost == 100)
    assert [edge.t_ns for edge in world.source.take(FOREVER_NS)] == [(n + 1) * 1000 for n in range(WAITING_MAX)]


def test_what_came_before_it_was_closed_can_be_taken_after(world: World) -> None:
    world.source.open()
    world.drive(OUTER, True, MS)
    world.source.close()
    assert world.source.take(FOREVER_NS) == [Edge(MS, 0, 1)]


def test_it_opens_again_and_begins_to_count_losses_anew(world: World) -> None:
    world.source.open()
    for number in range(WAITING_MAX + 1):
        world.drive(OUTER, number % 2 == 0, (number + 1) * 1000)
        world.arrived()
    wait_until("the loss", lambda: world.source.lost == 1)
    world.source.close()
    world.high = {OUTER: True, INNER: False}
    assert world.source.open() == (1, 1)
    assert world.source.lost == 0
    world.drive(OUTER, False, 2**40)
    world.arrived()
    wait_until("the edge", lambda: world.source.waiting_ns() is not None)
    assert world.source.take(FOREVER_NS) == [Edge(2**40, 0, 0)]


def test_the_kernel_is_asked_for_both_edges_without_debouncing_and_much_room(on_chip: ChipLines) -> None:
    import gpiod  # noqa: PLC0415 - the library's own types are what is tested

    on_chip.source.open()
    (asked,) = on_chip.chip.asked
    assert (asked["consumer"], asked["event_buffer_size"]) == ("foyer", 1024)
    assert on_chip.chip.closed, "the request outlives it"
    for settings in asked["config"].values():
        assert settings.edge_detection is gpiod.line.Edge.BOTH
        assert settings.direction is gpiod.line.Direction.INPUT
        assert settings.bias is gpiod.line.Bias.PULL_UP
        assert settings.event_clock is gpiod.line.Clock.MONOTONIC
        assert not settings.debounce_period
        assert not settings.active_low


def test_edges_that_the_kernel_dropped_show_in_the_numbers(on_chip: ChipLines) -> None:
    on_chip.source.open()
    on_chip.drive(OUTER, True, MS)
    on_chip.lines.overrun(OUTER, False, 2 * MS)
    on_chip.lines.overrun(OUTER, True, 3 * MS)
    on_chip.drive(OUTER, False, 4 * MS)
    wait_until("both", lambda: on_chip.source.lost == 2)


def test_two_lines_edges_that_change_places_are_no_loss(on_chip: ChipLines) -> None:
    on_chip.source.open()
    on_chip.lines.drive_inverted((OUTER, True, MS), (INNER, True, 2 * MS))
    on_chip.drive(OUTER, False, 3 * MS)
    on_chip.source.close()
    assert [edge.t_ns for edge in on_chip.source.take(FOREVER_NS)] == [MS, 2 * MS, 3 * MS]
    assert on_chip.source.lost == 0


@pytest.mark.parametrize(
    ("came", "lost"),
    [
        ([(0, 1, 1), (1, 1, 2)], 0),
        ([(1, 1, 2)], 0),
        ([(1, 1, 3)], 1),
        ([(1, 1, 3), (0, 1, 1)], 1),
        ([(0, 3, 3)], 2),
        ([(0, 1, 1), (0, 2, 5), (1, 4, 6)], 3),
    ],
)
def test_numbers_tell_the_least_that_must_be_lost(came: list[tuple[int, int, int]], lost: int) -> None:
    numbers = Numbers(2)
    for line, line_seqno, global_seqno in came:
        numbers.came(line, line_seqno, global_seqno)
    assert numbers.lost == lost


def test_a_chip_that_goes_away_is_an_error_once_all_is_taken(on_chip: ChipLines) -> None:
    on_chip.source.open()
    on_chip.drive(OUTER, True, MS)
    on_chip.lines.unplug()
    on_chip.arrived()
    on_chip.arrived()
    assert on_chip.source.take(FOREVER_NS) == [Edge(MS, 0, 1)]
    with pytest.raises(SensorError, match=r"'beams': chip: the chip went away \(No such device\); is it still plugged"):
        on_chip.source.take(FOREVER_NS)
    assert on_chip.source.take(FOREVER_NS) == []
    assert on_chip.source.open() == (0, 1)


@pytest.mark.parametrize(
    ("there", "used", "label", "pins", "message"),
    [
        ((), {}, None, (17, 27), r"'beams': chip: there is no GPIO chip here \(/dev/gpiochip\*\); is this a Raspberry"),
        (("usb-io",), {}, None, (17, 27), r"chip: none is labelled pinctrl-rp1 or .*; give the label .*: usb-io$"),
        (("usb-io", "pinctrl-rp1"), {}, "usb", (17, 27), r"none is labelled usb; .*: pinctrl-rp1, usb-io$"),
        (("pinctrl-rp1",), {27: "lcd"}, None, (17, 27), r"'beams': inner_pin 27: is in use by lcd; stop that, or use"),
        (("usb-io",), {}, "usb-io", (17, 40), r"inner_pin 40: the chip has no such line; give the pin's BCM number"),
    ],
)
def test_a_chip_that_does_not_fit_names_key_and_mend(
    there: tuple[str, ...], used: dict[int, str], label: str | None, pins: tuple[int, int], message: str
) -> None:
    def connect(_: tuple[int, ...]) -> tuple[socket.socket, dict[int, bool]]:
        raise AssertionError("nothing can be requested here")

    found = [Chip(name, connect, used) for name in there]
    lines = [GpioLine(key, pin, True, True) for key, pin in zip(("outer_pin", "inner_pin"), pins, strict=True)]
    source = GpiodLines("beams", lines, wake=lambda: None, label=label, chips=chips(*found))
    with pytest.raises(SensorError, match=message):
        source.open()
    assert all(chip.closed for chip in found)
