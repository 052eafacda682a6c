"""A cabinet through its real pins and thermometer's file, and through a whole unit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from edge_rig import HUB, Rig, fleet_of

from edge.clock import ManualClock, read
from edge.drafts import Mark, Noticed, Reading
from edge.errors import SensorError
from edge.sensors.base import Surroundings
from edge.sensors.cabinet import MEASURE_EVERY_NS
from edge.sensors.kinds import make
from edge.sensors.mock import ClockFactory
from firmware_cfg.load import load_hub
from firmware_cfg.sensors import Cabinet
from simulators.cabinets import w1_slave

if TYPE_CHECKING:
    from pathlib import Path

S = 1_000_000_000


class Bench:
    """A cabinet's sensor on mock pins; low is a closed contact."""

    def __init__(self, folder: Path, **config: Any) -> None:
        self.clock = ManualClock(int(datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp()) * S, mono_ns=100 * S)
        self.factory = ClockFactory(self.clock)
        self.file = folder / "28-000000000001" / "w1_slave"
        self.file.parent.mkdir()
        self.heat(12.0)
        (folder / "hub.toml").write_text(f"{HUB}\n[cabinet]\npads_expire = 2026-03-20\n")
        fitted = {"door_pin": 5, "aed_pin": 6, "mains_pin": 13, "temperature": str(folder / "28-*" / "w1_slave")}
        self.config = Cabinet(name="defib", kind="cabinet", **{**fitted, **config})
        around = Surroundings(self.clock, pin_factory=lambda: self.factory, hub=load_hub(folder / "hub.toml"))
        self.sensor = make(self.config, around)
        self.sensor.open(read(self.clock))

    def heat(self, celsius: float) -> None:
        self.file.write_text(w1_slave(celsius))

    def poll(self, after_ns: int = 0) -> list[Reading | Noticed]:
        self.clock.advance(after_ns)
        return self.sensor.poll(read(self.clock))


def test_a_live_cabinet_tells_an_opened_door_at_once_at_its_edges_time(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    [first] = bench.poll()
    assert isinstance(first, Reading)
    assert (first.kind, first.urgent) == ("cabinet", True)
    assert first.fields["level"] == "ok"
    assert first.fields["temperature_c"] == 12.0
    assert first.fields["reasons"] == ["pads: good until 2026-03-20, less than 31 days left"]
    bench.clock.advance(S)
    bench.factory.pin(5).drive_high()
    at_ns = bench.clock.monotonic_ns()
    [opened] = bench.poll(20_000_000)
    assert isinstance(opened, Reading)
    assert (opened.when, opened.urgent, opened.fields["door"]) == (Mark("boot-1", at_ns), True, "open")
    assert bench.sensor.stats().edges == 1


def test_a_live_cabinet_is_measured_twice_a_minute_and_beats(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.poll()
    bench.heat(-3.0)
    assert bench.poll(MEASURE_EVERY_NS - 1) == []
    assert bench.sensor.due_ns() == bench.clock.monotonic_ns() + 1
    [frost] = bench.poll(1)
    assert isinstance(frost, Reading)
    assert (frost.fields["level"], frost.fields["temperature_c"]) == ("critical", -3.0)
    beats = [reading for _ in range(12) for reading in bench.poll(MEASURE_EVERY_NS)]
    assert [beat.urgent for beat in beats if isinstance(beat, Reading)] == [False]


def test_a_live_thermometer_that_fails_is_a_fault_and_then_unknown(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.poll()
    bench.file.write_text(w1_slave(85.0))
    found = [what for _ in range(11) for what in bench.poll(MEASURE_EVERY_NS)]
    [fault] = [what for what in found if isinstance(what, Noticed)]
    assert (fault.fault, fault.line, fault.active) == ("sensor_unreadable", "temperature", True)
    assert fault.detail.startswith("temperature: it reads 85 C")
    assert [what.fields["level"] for what in found if isinstance(what, Reading)] == ["unknown"]
    assert bench.sensor.stats().ok is False
    bench.heat(12.0)
    over, again = bench.poll(MEASURE_EVERY_NS)
    assert isinstance(over, Noticed)
    assert isinstance(again, Reading)
    assert (over.active, again.fields["level"]) == (False, "ok")


def test_an_inverted_contact_is_well_when_its_line_is_high(tmp_path: Path) -> None:
    bench = Bench(tmp_path, inverted=["aed"])
    [first] = bench.poll()
    assert isinstance(first, Reading)
    assert first.fields["aed"] == "absent"
    bench.factory.pin(6).drive_high()
    [back] = bench.poll(S)
    assert isinstance(back, Reading)
    assert (back.fields["aed"], back.fields["level"]) == ("present", "ok")


def test_a_contact_pulls_a_cut_wire_to_its_alarm(tmp_path: Path) -> None:
    bench = Bench(tmp_path, inverted=["aed"])
    assert [bench.factory.pin(pin).pull for pin in (5, 6, 13)] == ["up", "down", "up"]


def test_a_pin_that_is_taken_names_sensor_key_and_mend(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    again = make(bench.config, Surroundings(bench.clock, pin_factory=lambda: bench.factory))
    with pytest.raises(SensorError, match=r"sensor 'defib': door_pin 5: .*BCM number right"):
        again.open(read(bench.clock))
    bench.sensor.close()
    again.open(read(bench.clock))
    again.close()


def test_through_the_unit_an_alarm_is_an_event_of_its_place(tmp_path: Path) -> None:
    cabinet = '[[units.sensors]]\nname = "defib"\nkind = "cabinet"\naed_pin = 6\ndoor_pin = 5\n'
    rig = Rig(tmp_path, fleet_of(tmp_path / "fleet", f"{HUB}\n{cabinet}\n[cabinet]\n"))
    rig.network.connect()
    rig.run(S)
    rig.pins.pin(6).drive_high()
    rig.run(S)
    events = [event for event in rig.network.events if event["kind"] == "cabinet"]
    assert [(event["sensor"], event["hub"], event["level"]) for event in events] == [
        ("defib", "hall", "ok"),
        ("defib", "hall", "critical"),
    ]
