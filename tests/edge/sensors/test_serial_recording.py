"""Bytes that a unit recorded from a serial sensor, fed to that sensor again in place of its port."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest
from edge_rig import HUB, Rig, fleet_of
from pydantic import TypeAdapter
from serial_bench import STEP_NS, S, readings

from edge.clock import ManualClock, read
from edge.recorder import Recorder
from edge.sensors.base import Surroundings
from edge.sensors.kinds import make
from edge.sensors.recording import RecordingSensor
from edge.trace import SerialBytes, TraceHeader, create_trace, open_trace
from edge.trace.segments import segment_files
from edge.unit import Replacement
from firmware_cfg.errors import ConfigError
from firmware_cfg.schema import BeamPair, Sensor
from simulators.devices.counters import ModbusCounter, TerabeeCounter
from simulators.devices.ld2410 import Ld2410Radar
from simulators.devices.ld2450 import Ld2450Radar, Walk
from simulators.devices.line import PtyPort

if TYPE_CHECKING:
    from pathlib import Path

    from edge.drafts import Reading

T0_NS = 1_800_000_000 * S
KINDS: dict[str, dict[str, Any]] = {
    "ld2450": {"line_mm": [[-1200, 2500], [1200, 2500]], "inside_mm": [0, 4000]},
    "terabee-evo": {},
    "modbus-counter": {"poll_s": 2.0},
}


def config(kind: str, port: str = "/dev/none") -> Sensor:
    known = {"name": "counter", "kind": kind, "entrance": "front", "port": port, **KINDS[kind]}
    sensor: Sensor = TypeAdapter(Sensor).validate_python(known)
    return sensor


class World:
    """A device that sees somebody every few seconds."""

    def __init__(self, kind: str) -> None:
        self.device: Any = {
            "ld2450": lambda: Ld2450Radar(3),
            "terabee-evo": TerabeeCounter,
            "modbus-counter": ModbusCounter,
        }[kind]()

    def happen(self, second: int, now_ns: int) -> None:
        if second % 12 == 5 and isinstance(self.device, Ld2450Radar):
            self.device.add(
                Walk(now_ns + S, ((0.0, 400.0), (0.0, 5200.0)) if second % 24 == 5 else ((0.0, 5200.0), (0.0, 400.0)))
            )
        elif second % 12 == 5:
            self.device.count(in_=1 + second % 3, out=second % 2)


def recorded(kind: str, folder: Path, seconds: int) -> tuple[list[Reading], Path]:
    """What a live sensor read, and the segment that was recorded of it."""
    clock = ManualClock(T0_NS, mono_ns=100 * S)
    recorder = Recorder(folder / "recorded")
    recorder.resume(None, read(clock), (T0_NS - 100 * S, True))
    world = World(kind)
    found = []
    with PtyPort(folder / "port", world.device) as port:
        sensor = make(config(kind, str(port.path)), Surroundings(clock, taps=recorder))
        sensor.open(read(clock))
        for step in range(seconds * S // STEP_NS):
            if step * STEP_NS % S == 0:
                world.happen(step * STEP_NS // S, clock.monotonic_ns())
            clock.advance(STEP_NS)
            port.step(clock.monotonic_ns())
            found += sensor.poll(read(clock))
            recorder.look(read(clock), (T0_NS - 100 * S, True))
        sensor.close()
    recorder.close()
    (segment,) = segment_files(folder / "recorded" / "counter")
    return readings(found), segment


def told(found: list[Any]) -> list[tuple[int, dict[str, Any]]]:
    """When and what, in UTC."""
    return [
        (item.when if isinstance(item.when, int) else item.when.mono_ns + T0_NS - 100 * S, item.fields)
        for item in readings(found)
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_recording_is_read_as_the_port_was(tmp_path: Path, kind: str) -> None:
    live, segment = recorded(kind, tmp_path, 120)
    sensor = RecordingSensor(config(kind), segment, math.inf)
    clock = ManualClock(0)
    sensor.open(read(clock))
    found = []
    while not sensor.finished:
        found += sensor.poll(read(clock))
    assert told(found) == told(live)
    assert len(found) > 5
    assert sensor.stats().edges > 50
    with open_trace(segment) as trace:
        assert all(isinstance(row, SerialBytes) for row in trace)


@pytest.mark.parametrize("kind", KINDS)
def test_a_unit_that_crashes_neither_loses_nor_doubles(tmp_path: Path, kind: str) -> None:
    live, segment = recorded(kind, tmp_path, 196)  # at its end nobody is on the line
    table = "\n".join(f"{key} = {json.dumps(value)}" for key, value in KINDS[kind].items())
    sensor = (
        f'\n[[units.sensors]]\nname = "counter"\nkind = "{kind}"\nentrance = "front"\nport = "/dev/none"\n{table}\n'
    )
    replace = {
        "counter": Replacement("trace", lambda memo, tap: RecordingSensor(config(kind), segment, 4.0, memo, tap))
    }
    (tmp_path / "unit").mkdir()
    unit = Rig(tmp_path / "unit", fleet_of(tmp_path / "hubs", HUB + sensor), extra={"replace": replace})
    for _ in range(12):
        unit.run(3_300_000_000)
        unit.crash()
        unit.network.cut()
        unit.start()
    unit.network.connect()
    unit.run(60 * S)
    events = [event for event in unit.network.events if event["sensor"] == "counter"]
    assert [(event["t_ns"], {key: event[key] for key in live[0].fields}) for event in events] == told(live)


def test_a_rooms_radar_is_recorded(tmp_path: Path) -> None:
    clock = ManualClock(T0_NS, mono_ns=100 * S)
    recorder = Recorder(tmp_path / "recorded")
    recorder.resume(None, read(clock), (T0_NS - 100 * S, True))
    with PtyPort(tmp_path / "port", Ld2410Radar(lambda _: (None, 150))) as port:
        known = {"name": "hall", "kind": "room", "room": "hall", "radar_port": str(port.path)}
        room = make(TypeAdapter(Sensor).validate_python(known), Surroundings(clock, taps=recorder))
        room.open(read(clock))
        for _ in range(50):
            clock.advance(STEP_NS)
            port.step(clock.monotonic_ns())
            room.poll(read(clock))
        room.close()
    recorder.close()
    (segment,) = segment_files(tmp_path / "recorded" / "hall")
    with open_trace(segment) as trace:
        data = b"".join(row.data for row in trace if isinstance(row, SerialBytes))
    assert data.count(bytes.fromhex("f4f3f2f1")) > 20


def test_a_recording_of_edges_says_nothing_to_a_serial_sensor(tmp_path: Path) -> None:
    with create_trace(tmp_path / "a.jsonl", TraceHeader(t0_ns=5)) as trace:
        trace.write(SerialBytes(1, b"\xaa"))
    door = BeamPair(name="beams", kind="beam-pair", entrance="front", outer_pin=17, inner_pin=27)
    sensor = RecordingSensor(door, tmp_path / "a.jsonl", math.inf)
    sensor.open(read(ManualClock(0)))
    assert sensor.poll(read(ManualClock(0))) == []
    assert sensor.finished
    assert sensor.stats().edges == 0


def test_sensors_without_recordings(tmp_path: Path) -> None:
    with create_trace(tmp_path / "a.jsonl", TraceHeader()):
        pass
    room: Sensor = TypeAdapter(Sensor).validate_python({"name": "hall", "kind": "room", "room": "hall", "pir_pin": 5})
    with pytest.raises(
        ConfigError, match="'hall' is a room; recordings can be fed to beam pairs and to serial counters"
    ):
        RecordingSensor(room, tmp_path / "a.jsonl", 1.0)
