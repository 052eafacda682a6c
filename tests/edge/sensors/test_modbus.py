"""Modbus RTU counters: worked frames, register maps, refusals and silence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from serial_bench import Bench, S, faults, readings, worked_frames

from edge.drafts import Noticed
from edge.sensors.frames import Frames
from edge.sensors.modbus import Counts, ModbusDevice, Protocol, Refusal
from firmware_cfg.sensors import ModbusCounter
from simulators.devices import counters
from simulators.devices.line import PtyPort

fuzz = settings(deadline=None)  # a busy machine is no failure

u32 = st.integers(0, 2**32 - 1)


def config(port: str = "/dev/none", **changes: object) -> ModbusCounter:
    base = {"name": "m", "kind": "modbus-counter", "entrance": "front", "port": port}
    return ModbusCounter.model_validate({**base, **changes})


def test_worked_frames() -> None:
    frames = worked_frames()
    protocol = Protocol(config())
    assert protocol.request == frames["modbus_rtu_request"]["data"]
    (counts,) = Frames(protocol.layout).feed(frames["modbus_rtu_response"]["data"])
    said = frames["modbus_rtu_response"]["decoded"]
    assert counts == Counts(said["count_in"], said["count_out"])


@fuzz
@given(
    in_=u32,
    out=u32,
    address=st.integers(1, 247),
    first=st.integers(0, 1000),
    apart=st.integers(2, 123),
    swapped=st.booleans(),
    order=st.sampled_from(["high-first", "low-first"]),
)
def test_any_register_map(
    in_: int,
    out: int,
    address: int,
    first: int,
    apart: int,
    swapped: bool,
    order: Literal["high-first", "low-first"],
) -> None:
    at = (first + apart, first) if swapped else (first, first + apart)
    places = {"address": address, "in_register": at[0], "out_register": at[1], "word_order": order}
    device = counters.ModbusCounter(in_, out, address=address, in_register=at[0], out_register=at[1], word_order=order)
    protocol = Protocol(config(**places))
    assert Frames(protocol.layout).feed(device.receive(protocol.request, 0)) == [Counts(in_, out)]


def test_a_refusal_is_read_and_told() -> None:
    device = ModbusDevice(config(in_register=100, out_register=102))
    answer = counters.ModbusCounter().receive(device.ask(0), 0)
    assert Frames(Protocol(config()).layout).feed(answer) == [Refusal(2)]
    (found,) = device.feed(answer, S)
    told = found.told(S)
    assert isinstance(told, Noticed)
    assert told.detail == "in_register, out_register: it has no such registers; compare with its manual"


def test_our_own_question_echoed_by_the_adapter_is_no_answer() -> None:
    protocol = Protocol(config())
    answer = counters.ModbusCounter(7, 5).receive(protocol.request, 0)
    assert Frames(protocol.layout).feed(protocol.request + answer) == [Counts(7, 5)]


def test_it_asks_each_poll_and_looks_often_only_while_it_waits() -> None:
    device = ModbusDevice(config(poll_s=5))
    assert device.ask(0) == Protocol(config()).request
    assert device.due_ns(0) == 50_000_000
    assert device.ask(S) == b""
    assert device.due_ns(S) == 5 * S
    device.ask(5 * S)
    device.feed(counters.ModbusCounter(7, 5).receive(Protocol(config()).request, 0), 5 * S + 1)
    assert device.due_ns(5 * S + 1) == 10 * S


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"out_register": 1}, "in_register 0 and out_register 1 are 1 apart; expected 2 to 123"),
        ({"out_register": 200}, "are 200 apart"),
        ({"poll_s": 40}, "silent_s 60 is less than two polls of poll_s 40"),
    ],
)
def test_a_map_that_cannot_be_is_refused(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        config(**changes)


def test_counts_from_a_port(tmp_path: Path) -> None:
    device = counters.ModbusCounter(2**32 - 1, 12_200, address=9)
    with PtyPort(tmp_path / "bus", device) as port:
        unit = Bench(config(str(port.path), address=9), port)
        unit.open()
        unit.run(6)
        device.count(2, 1)
        found = unit.run(6)
        unit.sensor.close()
    assert [reading.fields for reading in readings(found)] == [
        {"in": 2, "out": 1, "raw_in": 1, "raw_out": 12_201, "reset": False}
    ]


def test_who_is_asked_under_the_wrong_address_stays_silent(tmp_path: Path) -> None:
    with PtyPort(tmp_path / "bus", counters.ModbusCounter(address=9)) as port:
        unit = Bench(config(str(port.path), address=8), port)
        unit.open()
        found = unit.run(62)
        unit.sensor.close()
    assert faults(found) == [("sensor_silent", True)]
    assert "is its address 8" in next(item.detail for item in found if isinstance(item, Noticed))


def test_only_a_unit_with_such_a_counter_imports_pymodbus_and_asyncio() -> None:
    code = (
        "import sys; from edge.sensors.kinds import make; import edge.sensors.terabee, edge.sensors.ld2450;"
        "sys.exit(bool({'pymodbus', 'asyncio', 'serial'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
