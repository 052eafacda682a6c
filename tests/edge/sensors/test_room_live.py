"""A room through its real pins and serial port, and through a whole unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from edge_rig import HUB, Rig, fleet_of
from serial_bench import Bench

from edge.clock import ManualClock, read
from edge.drafts import Noticed, Reading
from edge.errors import SensorError
from edge.sensors.base import Surroundings
from edge.sensors.kinds import make
from edge.sensors.mock import ClockFactory
from firmware_cfg.sensors import RoomPresence
from simulators.devices.ld2410 import Ld2410Radar
from simulators.devices.line import PtyPort

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


S = 1_000_000_000
MINUTE = 60 * S


def room(**config: Any) -> RoomPresence:
    return RoomPresence(name="presence", kind="room", room="meeting-room", **config)


class Live:
    """A room's sensor on mock pins: PIR on 5 (high is movement), door on 6 (low is shut)."""

    def __init__(self, **config: Any) -> None:
        self.clock = ManualClock(1_800_000_000 * S, mono_ns=100 * S)
        self.factory = ClockFactory(self.clock)
        self.sensor = make(
            room(pir_pin=5, door_pin=6, **config), Surroundings(self.clock, pin_factory=lambda: self.factory)
        )
        self.sensor.open(read(self.clock))

    def run(self, duration_ns: int) -> list[Reading | Noticed]:
        """Until then, polled when it wants to be."""
        found = self.sensor.poll(read(self.clock))
        end_ns = self.clock.monotonic_ns() + duration_ns
        while self.clock.monotonic_ns() < end_ns:
            due_ns = self.sensor.due_ns()
            assert due_ns is not None
            now_ns = self.clock.monotonic_ns()
            self.clock.advance(max(1, min(due_ns, end_ns) - now_ns))
            found += self.sensor.poll(read(self.clock))
        return found


def states(found: list[Reading | Noticed]) -> list[str]:
    """The states one after another, signs of life left out."""
    all_states = [what.fields["state"] for what in found if isinstance(what, Reading)]
    return [state for index, state in enumerate(all_states) if index == 0 or all_states[index - 1] != state]


def test_a_live_room_is_watched_through_its_pins() -> None:
    live = Live()
    assert states(live.run(17 * MINUTE)) == ["unknown", "vacant"]
    live.factory.pin(6).drive_high()
    live.run(2 * S)
    live.factory.pin(5).drive_high()
    found = live.run(3 * S)
    assert states(found) == ["occupied"]
    live.factory.pin(6).drive_low()
    live.factory.pin(5).drive_low()
    assert states(live.run(6 * MINUTE)) == ["occupied", "vacant"]
    assert live.sensor.stats().edges == 4
    again = make(room(pir_pin=5), Surroundings(live.clock, memos={"presence": live.sensor.memo()}))
    assert again.stats().edges == 4


def test_lines_the_other_way_round_are_read_and_pulled_so() -> None:
    live = Live(inverted=["pir", "door"])
    assert [live.factory.pin(pin).pull for pin in (5, 6)] == ["up", "down"]
    live.factory.pin(5).drive_high()
    live.factory.pin(6).drive_high()
    assert states(live.run(17 * MINUTE))[-1] == "vacant"


def test_a_pin_that_is_taken_names_sensor_key_and_mend() -> None:
    live = Live()
    other = make(room(pir_pin=5), Surroundings(live.clock, pin_factory=lambda: live.factory))
    with pytest.raises(SensorError, match=r"sensor 'presence': pir_pin 5: .*BCM number right"):
        other.open(read(live.clock))


@pytest.fixture
def pty(tmp_path: Path) -> Iterator[PtyPort]:
    with PtyPort(tmp_path / "radar", Ld2410Radar(lambda t_ns: (150 if t_ns // S % 20 == 0 else None, 160))) as port:
        yield port


def test_a_live_radar_on_a_serial_port_sees_somebody_and_its_unplugging_is_a_fault(pty: PtyPort) -> None:
    bench = Bench(room(radar_port=str(pty.path)), pty)
    bench.open()
    assert states(bench.run(30)) == ["unknown", "occupied"]
    pty.unplug()
    found = bench.run(60)
    [fault] = [what for what in found if isinstance(what, Noticed)]
    assert (fault.fault, fault.line, fault.active) == ("sensor_unavailable", "radar", True)
    assert "radar_port" in fault.detail
    assert states(found)[-1] == "unknown"
    assert bench.sensor.stats().ok is False
    pty.plug()
    found = bench.run(90)
    assert [(what.fault, what.active) for what in found if isinstance(what, Noticed)] == [("sensor_unavailable", False)]
    assert states(found)[-1] == "occupied"
    assert bench.sensor.stats().ok is True


def test_what_a_radar_spoilt_is_counted_across_restarts(pty: PtyPort) -> None:
    bench = Bench(room(radar_port=str(pty.path)), pty)
    bench.open()
    bench.run(1)
    pty.line.flip = 0.5
    bench.run(30)
    before = bench.sensor.stats()
    assert before.lost_edges > 0
    bench.restart()
    assert bench.sensor.stats().lost_edges == before.lost_edges


def test_a_radar_that_is_not_there_is_a_fault_and_the_room_goes_on(tmp_path: Path) -> None:
    live = Live(radar_port=str(tmp_path / "ttyNone"))
    found = live.run(5 * MINUTE)
    faults = [what for what in found if isinstance(what, Noticed)]
    assert [fault.detail.split(";")[0] for fault in faults] == [
        f"radar_port {tmp_path / 'ttyNone'}: there is no such port"
    ]
    assert states(found) == ["unknown"]
    live.factory.pin(6).drive_high()
    live.factory.pin(5).drive_high()
    assert states(live.run(3 * S)) == ["occupied"]


def test_through_the_unit_a_room_is_an_event_of_its_room(tmp_path: Path) -> None:
    sensor = '[[units.sensors]]\nname = "presence"\nkind = "room"\nroom = "hall"\npir_pin = 5\npir_warm_up_s = 0\n'
    hub = HUB.replace("[[units]]", '[[rooms]]\nid = "hall"\nname = "Hall"\n\n[[units]]', 1)
    rig = Rig(tmp_path, fleet_of(tmp_path / "fleet", f"{hub}\n{sensor}"))
    rig.network.connect()
    rig.run(S)
    rig.drive(5, 1)
    rig.run(10 * S)
    events = [event for event in rig.network.events if event["kind"] == "room"]
    assert [(event["sensor"], event["room"], event["state"]) for event in events] == [
        ("presence", "hall", "unknown"),
        ("presence", "hall", "occupied"),
    ]
