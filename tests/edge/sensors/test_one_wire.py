"""DS18B20 files: the good ones are read, and none of the ways in which a bus lies is believed."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.clock import ManualClock
from edge.sensors.one_wire import OneWireError, Thermometer, find_w1_slave, parse_w1_slave, read_w1_slave
from simulators.cabinets import w1_slave

GOOD = w1_slave(23.125)


def test_the_worked_files_are_read_and_refused() -> None:
    shared = Path(os.environ.get("FOYER_SHARED", Path(__file__).parents[4] / "shared"))
    file = shared / "data" / "serial" / "frames.json"
    if not file.is_file():
        pytest.skip(f"the worked frames are not at {file}; set FOYER_SHARED")
    texts = {frame["name"]: frame["text"] for frame in json.loads(file.read_text())["frames"] if "text" in frame}
    assert parse_w1_slave(texts["ds18b20_23.125C"]) == 23.125
    with pytest.raises(OneWireError, match="85 C, as after power-on"):
        parse_w1_slave(texts["ds18b20_power_on_85C"])


@given(st.integers(-55 * 16, 125 * 16).filter(lambda raw: raw not in {0, 85 * 16}))
def test_every_temperature_that_the_chip_can_measure_is_read(raw: int) -> None:
    assert parse_w1_slave(w1_slave(raw / 16)) == pytest.approx(raw / 16, abs=0.001)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("YES", "NO"), "checksum is wrong"),
        (GOOD.replace("72 01", "73 01"), "checksum is wrong"),
        (w1_slave(85.0), "85 C, as after power-on"),
        (w1_slave(-127.0), "-127 C, which a DS18B20 cannot measure"),
        (w1_slave(126.0), "126 C, which"),
        ("00 " * 9 + ": crc=00 YES\n" + "00 " * 9 + "t=0\n", "all zeros"),
        (GOOD.splitlines()[0] + "\n", "not what a DS18B20's w1_slave looks like"),
        (GOOD.replace("t=23125", "t=hot"), "not what"),
        ("", "not what"),
    ],
)
def test_what_is_no_temperature_is_refused(text: str, message: str) -> None:
    with pytest.raises(OneWireError, match=message):
        parse_w1_slave(text)


def test_freezing_is_a_temperature() -> None:
    assert parse_w1_slave(w1_slave(0.0)) == 0.0


@given(st.text() | st.text(alphabet="0123456789abcdef :=crtYESNO\n-", max_size=90))
def test_junk_is_refused_and_nothing_else(text: str) -> None:
    with pytest.raises(OneWireError):
        parse_w1_slave(text)


def test_the_one_thermometer_is_found_whatever_its_id(tmp_path: Path) -> None:
    pattern = str(tmp_path / "28-*" / "w1_slave")
    with pytest.raises(OneWireError, match="no such thermometer; is dtoverlay=w1-gpio set"):
        find_w1_slave(pattern)
    file = tmp_path / "28-0316a27912ff" / "w1_slave"
    file.parent.mkdir()
    file.write_text(GOOD)
    assert find_w1_slave(pattern) == file
    assert read_w1_slave(str(file)) == 23.125
    (tmp_path / "28-0416a2791200").mkdir()
    (tmp_path / "28-0416a2791200" / "w1_slave").write_text(GOOD)
    with pytest.raises(OneWireError, match=r"several \(28-0316a27912ff, 28-0416a2791200\)"):
        find_w1_slave(pattern)


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(OneWireError, match="cannot be read"):
        read_w1_slave(str(tmp_path))
    (tmp_path / "w1_slave").write_bytes(b"\xff\xfe")
    with pytest.raises(OneWireError, match="cannot be read"):
        read_w1_slave(str(tmp_path / "w1_slave"))


def test_the_kernels_file_is_read_in_a_thread_that_wakes_the_unit() -> None:
    woken = threading.Event()
    thermometer = Thermometer("/sys/bus/w1/devices/28-000000000000/w1_slave", ManualClock(mono_ns=7), woken.set)
    thermometer.ask()
    assert woken.wait(20)
    [(t_ns, value)] = thermometer.take()
    assert (t_ns, type(value)) == (7, OneWireError)
    assert thermometer.take() == []


def test_any_other_file_is_read_on_the_spot(tmp_path: Path) -> None:
    (tmp_path / "w1_slave").write_text(GOOD)
    clock = ManualClock(mono_ns=5)
    thermometer = Thermometer(str(tmp_path / "w1_slave"), clock, lambda: None)
    thermometer.ask()
    clock.advance(1)
    (tmp_path / "w1_slave").write_text("")
    thermometer.ask()
    first, second = thermometer.take()
    assert first == (5, 23.125)
    assert second[0] == 6
    assert isinstance(second[1], OneWireError)
