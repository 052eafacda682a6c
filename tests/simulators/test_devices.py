"""Simulated devices: their frames against worked ones, the same bytes for a seed, faults that are really there."""

from __future__ import annotations

from pathlib import Path

import pytest
from serial_bench import S, worked_frames

from simulators.devices.counters import ModbusCounter, TerabeeCounter
from simulators.devices.ld2450 import FRAME_NS, Ld2450Radar, RadarFaults, Walk, encode
from simulators.devices.line import BadLine, Device, PtyPort


def test_a_radar_frame_is_the_worked_one_but_for_its_resolution() -> None:
    frame = worked_frames()["ld2450_two_targets"]
    slots = [(slot["x_mm"], slot["y_mm"], slot["speed_cm_s"]) if slot["present"] else None for slot in frame["decoded"]]
    assert encode(slots) == frame["data"]
    assert encode([None] * 3) == worked_frames()["ld2450_zero_targets"]["data"]


def test_a_terabee_frame_is_the_worked_one() -> None:
    frame = worked_frames()["terabee_evo_people_counter_PC"]
    assert TerabeeCounter(345, 333, device=7).frame() == frame["data"]


def test_a_terabee_can_be_told_to_start_from_zero() -> None:
    device = TerabeeCounter(345, 333)
    device.receive(worked_frames()["terabee_reset_counters_cmd"]["data"], 0)
    assert (device.in_, device.out) == (0, 0)


def test_a_modbus_answer_is_the_worked_one() -> None:
    frames = worked_frames()
    answer = ModbusCounter(12345, 12200).receive(frames["modbus_rtu_request"]["data"], 0)
    assert answer == frames["modbus_rtu_response"]["data"]


def test_a_modbus_counter_hears_a_question_in_parts_and_keeps_quiet_for_others() -> None:
    request = worked_frames()["modbus_rtu_request"]["data"]
    device = ModbusCounter(1, 2)
    assert device.receive(b"\x99" + request[:3], 0) == b""
    assert device.receive(request[3:], 0)[:3] == b"\x01\x04\x08"
    assert ModbusCounter(address=2).receive(request, 0) == b""


@pytest.mark.parametrize("seed", [1, 2])
def test_a_seed_gives_the_same_bytes_each_time(seed: int) -> None:
    def bytes_of(seed: int) -> bytes:
        radar = Ld2450Radar(seed, RadarFaults(miss=0.2, swap=0.2, stale_s=1, ghosts=((100, 900),)))
        radar.add(Walk(S, ((0, 500), (0, 4500))))
        line = BadLine(seed)
        line.noise = line.cut = line.flip = 0.3
        return b"".join(line.carry(radar.due(t_ns)) for t_ns in range(0, 6 * S, FRAME_NS))

    assert bytes_of(seed) == bytes_of(seed)
    assert bytes_of(seed) != bytes_of(seed + 1)


def test_a_radar_sends_ten_frames_a_second_whenever_it_is_asked() -> None:
    radar = Ld2450Radar(1)
    sent = [len(radar.due(t_ns)) // 30 for t_ns in (0, S, S, S + FRAME_NS // 2, 3 * S)]
    assert sent == [1, 10, 0, 0, 20]


def test_a_stale_slot_keeps_who_has_gone() -> None:
    radar = Ld2450Radar(1, RadarFaults(stale_s=2))
    radar.add(Walk(0, ((0, 1000), (0, 2000)), 1000))
    empty = encode([None] * 3)
    frames = [radar.frame(t_ns) for t_ns in range(0, 4 * S, FRAME_NS)]
    gone = frames[11:29]
    assert len(set(gone)) == 1
    assert gone[0] != empty
    assert frames[-1] == empty


def test_a_cut_line_and_a_wrong_rate_carry_something_else() -> None:
    frame = TerabeeCounter(1, 1).frame()
    line = BadLine(1)
    assert line.carry(frame) == frame
    line.cut = 1.0
    assert all(len(line.carry(frame)) < len(frame) for _ in range(20))
    line.cut, line.noise = 0.0, 1.0
    assert line.carry(frame).endswith(frame)
    line.wrong_baud_rate = True
    assert set(line.carry(frame)) <= {0x00, 0x80, 0xE0, 0xF8, 0xFE, 0xFF}
    line.silent = True
    assert line.carry(frame) == b""


def test_a_port_is_there_while_it_is_plugged_in(tmp_path: Path) -> None:
    device: Device = TerabeeCounter(1, 1)
    with PtyPort(tmp_path / "evo", device) as port:
        first = port.path.readlink()
        assert port.plugged
        port.unplug()
        assert not port.path.is_symlink()
        port.step(S)
        port.plug()
        assert port.path.readlink().parent == first.parent
    assert not port.plugged
    assert not port.path.is_symlink()


def test_what_nobody_reads_is_lost_and_blocks_nothing(tmp_path: Path) -> None:
    with PtyPort(tmp_path / "radar", Ld2450Radar(1)) as port:
        for second in range(600):
            port.step(second * S)
