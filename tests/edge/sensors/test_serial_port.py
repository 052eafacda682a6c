"""Real serial ports (pseudo-terminals) that are unplugged, silent, noisy, or not what they should be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from serial_bench import Bench, S, faults, readings

from edge.clock import read
from edge.drafts import Noticed
from edge.errors import SensorError
from edge.sensors.serial_port import SerialPort
from edge.sensors.serial_watch import Talk, Watch, identify
from firmware_cfg.sensors import TerabeeEvo
from simulators.devices.counters import TerabeeCounter
from simulators.devices.ld2450 import Ld2450Radar
from simulators.devices.line import BadLine, Device, PtyPort

fuzz = settings(deadline=None)  # a busy machine is no failure


def bench(port: PtyPort, **changes: Any) -> Bench:
    base = {"name": "evo", "kind": "terabee-evo", "entrance": "front", "port": str(port.path), "silent_s": 10}
    unit = Bench(TerabeeEvo.model_validate({**base, **changes}), port)
    unit.open()
    return unit


@pytest.fixture
def port(tmp_path: Path) -> Iterator[PtyPort]:
    with PtyPort(tmp_path / "evo", TerabeeCounter(10, 5)) as port:
        yield port


def totals(unit: Bench) -> tuple[int, int]:
    found = readings(unit.found)
    return sum(reading.persons_in for reading in found), sum(reading.persons_out for reading in found)


def device(port: PtyPort) -> TerabeeCounter:
    assert isinstance(port.device, TerabeeCounter)
    return port.device


def test_unplugged_and_plugged_in_again_nobody_is_lost(port: PtyPort) -> None:
    unit = bench(port)
    unit.run(3)
    port.unplug()
    with pytest.raises(SensorError) as unplugged:
        unit.run(3)
    assert str(unplugged.value).startswith(f"sensor 'evo': port {port.path}: it went away; plug it in again")
    with pytest.raises(SensorError, match="there is no such port; plug it in"):
        unit.open()
    device(port).count(4, 2)
    port.plug()
    unit.open()
    unit.run(3)
    unit.sensor.close()
    assert totals(unit) == (4, 2)
    assert faults(unit.found) == []


def test_silence_is_a_fault_and_its_end_a_recovery(port: PtyPort) -> None:
    unit = bench(port)
    unit.run(3)
    port.line.silent = True
    silence = unit.run(30)
    assert faults(silence) == [("sensor_silent", True)]
    (told,) = [item for item in silence if isinstance(item, Noticed)]
    assert (
        told.detail
        == f"port: nothing has come from {port.path} for 10 s; has it power, and does it send its counts unasked?"
    )
    assert not unit.sensor.stats().ok
    port.line.silent = False
    assert faults(unit.run(3)) == [("sensor_silent", False)]
    assert unit.sensor.stats().ok
    unit.sensor.close()


def test_a_silence_that_outlives_the_unit_ends_in_a_recovery_too(port: PtyPort) -> None:
    unit = bench(port)
    port.line.silent = True
    unit.run(12)
    unit.restart(boot_id="boot-2", away_s=60)
    assert faults(unit.run(20)) == []
    port.line.silent = False
    assert faults(unit.run(3)) == [("sensor_silent", False)]
    unit.sensor.close()


def test_noise_and_half_frames_are_counted_and_cost_nobody(tmp_path: Path) -> None:
    line = BadLine(seed=4)
    line.noise, line.cut, line.flip = 0.5, 0.2, 0.2
    counter = TerabeeCounter()
    with PtyPort(tmp_path / "evo", counter, line) as port:
        unit = bench(port)
        for _ in range(60):
            counter.count(1, 2)
            unit.run(1)
        line.noise = line.cut = line.flip = 0.0
        unit.run(3)
        stats = unit.sensor.stats()
        unit.sensor.close()
    began = readings(unit.found)[0].fields
    assert totals(unit) == (60 - began["raw_in"], 120 - began["raw_out"])
    assert stats.chatter > 0
    assert stats.lost_edges > 0
    assert set(faults(unit.found)) == {("line_noise", True)}
    assert sum(item.count for item in unit.found if isinstance(item, Noticed)) == stats.chatter


def test_another_baud_rate_is_named(port: PtyPort) -> None:
    port.line.wrong_baud_rate = True
    unit = bench(port)
    (told,) = [item for item in unit.run(30) if isinstance(item, Noticed)]
    assert told.fault == "sensor_unreadable"
    assert told.detail == (
        f"baud_rate: bytes come on {port.path}, but no frame of a Terabee people counter in 10 s; "
        "is 115200 its rate, and is it such a device?"
    )
    port.line.wrong_baud_rate = False
    assert faults(unit.run(3)) == [("sensor_unreadable", False)]
    unit.sensor.close()


class Console:
    """Not a sensor at all."""

    def due(self, now_ns: int) -> bytes:
        return b"raspberrypi login: \r\n" if now_ns % S == 0 else b""

    def receive(self, data: bytes, now_ns: int) -> bytes:
        del data, now_ns
        return b""


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (Ld2450Radar(1), "sounds like an HLK-LD2450 radar, not a Terabee"),
        (Console(), "sounds like something that writes"),
    ],
)
def test_a_port_of_another_kind_is_named(tmp_path: Path, other: Device, says: str) -> None:
    with PtyPort(tmp_path / "evo", other) as port:
        unit = bench(port)
        (told,) = [item for item in unit.run(15) if isinstance(item, Noticed)]
        unit.sensor.close()
    assert told.fault == "sensor_unreadable"
    assert told.detail.startswith(f"port: {port.path} {says}")
    assert told.detail.endswith("correct port or kind, or swap the cables")


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/dev/none", "there is no such port; plug it in, or correct the path"),
        ("/dev/null", "it is no serial port; correct the path"),
        ("/dev", "it is no serial port; correct the path"),
    ],
)
def test_what_is_no_port_is_named_with_its_mend(path: str, says: str) -> None:
    with pytest.raises(SensorError, match=f"sensor 'evo': port {path}: {says}"):
        SerialPort("evo", "port", path, 115_200).open()


def test_a_port_that_another_program_has(port: PtyPort) -> None:
    holder = SerialPort("other", "port", str(port.path), 115_200)
    holder.open()
    try:
        with pytest.raises(SensorError, match="another program has it; stop that one"):
            bench(port)
    finally:
        holder.close()


def test_nothing_is_read_before_it_is_due(port: PtyPort) -> None:
    unit = bench(port)
    unit.run(2)
    due_ns = unit.sensor.due_ns()
    assert due_ns is not None
    assert due_ns > unit.clock.monotonic_ns() - S // 10
    unit.sensor.close()
    assert unit.sensor.due_ns() is None
    assert unit.sensor.poll(read(unit.clock)) == []


# What is said of silence, without a port

TALK = Talk("a Terabee people counter", "/dev/x", 115_200, "has it power?")
looks = st.lists(st.tuples(st.integers(0, 20), st.sampled_from([b"", b"\x00\xff", b"frame"])), max_size=40)


@fuzz
@given(looks)
def test_troubles_begin_and_end_in_turn(looks: list[tuple[int, bytes]]) -> None:
    watch = Watch(TALK, 10 * S)
    watch.opened(0)
    now_ns, good_ns, active = 0, 0, None
    for wait_s, data in looks:
        now_ns += wait_s * S
        good = data == b"frame"
        for change in watch.look(now_ns, data, good=good):
            assert change.active == (active is None)
            active = change.trouble if change.active else None
        good_ns = now_ns if good else good_ns
        assert (active is not None) == (now_ns - good_ns >= 10 * S)
        assert watch.trouble == active


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\xf4\xf3\xf2\xf1\x0d\x00\x02\xaa", "LD2410"),
        (b"\x02\x01\x04\x03\x06\x05\x08\x07", "TI"),
        (b"$GPGGA,123519,4807.038,N,01131.000,E\r\n", "text"),
        (TerabeeCounter(3, 4).frame(), "Terabee"),
    ],
)
def test_others_are_known_by_what_they_send(data: bytes, what: str) -> None:
    assert what in (identify(data) or "")


def test_unknown_bytes_are_nobody_s() -> None:
    assert identify(bytes(range(128, 228))) is None
