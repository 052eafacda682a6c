"""Terabee Evo: worked frames, and totals that wrap, start again, and outlive a restart of the unit."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from serial_bench import Bench, S, faults, readings, worked_frames

from edge.drafts import Noticed, Reading
from edge.sensors.cumulative import AT_ONCE_MAX, CumulativeCounter, RawReading
from edge.sensors.frames import Frames
from edge.sensors.terabee import LAYOUT, crc8
from firmware_cfg.sensors import TerabeeEvo
from simulators.devices.counters import TerabeeCounter
from simulators.devices.line import PtyPort

fuzz = settings(deadline=None)  # a busy machine is no failure

MINUTE = 60 * S
WRAP = 1 << 16


def bench(port: PtyPort) -> Bench:
    return Bench(TerabeeEvo(name="t", kind="terabee-evo", entrance="front", port=str(port.path)), port)


def counted(found: list[Reading | Noticed]) -> list[tuple[int, int, bool]]:
    fields = [reading.fields for reading in readings(found)]
    return [(field["in"], field["out"], field["reset"]) for field in fields]


def test_worked_frame() -> None:
    frame = worked_frames()["terabee_evo_people_counter_PC"]
    (counts,) = Frames(LAYOUT).feed(frame["data"])
    said = frame["decoded"]
    assert (counts.device, counts.net) == (said["sensor_id"], said["count_net"])
    assert (counts.in_, counts.out) == (said["count_in"], said["count_out"])
    assert f"{frame['data'][-1]:02x}" == said["crc8"]


@pytest.mark.parametrize("command", ["005508000000007C", "006101E7", "006102EE", "00210A8D", "005509000000001E"])
def test_checksums_of_documented_commands(command: str) -> None:
    data = bytes.fromhex(command)
    assert crc8(data[:-1]) == data[-1]


# Totals


def feed(counter: CumulativeCounter, *raws: tuple[int, int, int]) -> list[tuple[int, int, bool]]:
    found = [counter.feed(RawReading(t_ns, in_, out)) for t_ns, in_, out in raws]
    return [(item.in_, item.out, item.reset) for item in found if item]


def test_the_very_first_reading_is_where_counting_begins() -> None:
    assert feed(CumulativeCounter(16, 60), (0, 345, 333), (S, 346, 335)) == [(0, 0, False), (1, 2, False)]


def test_past_its_end_a_register_goes_on_from_zero() -> None:
    assert feed(CumulativeCounter(16, 60), (0, WRAP - 2, 9), (S, 3, 10)) == [(0, 0, False), (5, 1, False)]


def test_a_device_that_starts_again_has_counted_all_it_shows() -> None:
    found = feed(CumulativeCounter(16, 60), (0, 345, 333), (MINUTE, 4, 2), (MINUTE + S, 5, 2), (MINUTE + 2 * S, 6, 2))
    assert found == [(0, 0, False), (5, 2, True), (1, 0, False)]


def test_another_device_is_only_a_new_beginning() -> None:
    found = feed(CumulativeCounter(16, 60), (0, 345, 333), (S, 9000, 8000), (2 * S, 9001, 8000))
    assert found == [(0, 0, False), (1, 0, True)]


def test_one_reading_that_fits_nothing_is_not_believed() -> None:
    counter = CumulativeCounter(16, 60)
    assert feed(counter, (0, 345, 333), (S, 9000, 3), (2 * S, 346, 333)) == [(0, 0, False), (1, 0, False)]
    assert feed(counter, (3 * S, 60_000, 3), (4 * S, 3, 60_000), (5 * S, 347, 333)) == [(1, 0, False)]


def test_off_overnight_is_a_new_start_though_anything_is_plausible_by_then() -> None:
    found = feed(CumulativeCounter(16, 60), (0, 20_000, 19_990), (14 * 60 * MINUTE, 3, 1), (14 * 60 * MINUTE + S, 3, 1))
    assert found == [(0, 0, False), (3, 1, True)]


persons = st.integers(0, AT_ONCE_MAX)
totals = st.integers(0, WRAP - 1) | st.integers(WRAP - 200, WRAP - 1)
happenings = st.lists(st.tuples(persons, persons) | st.none(), max_size=60)


@fuzz
@given(start=st.tuples(totals, totals), happenings=happenings)
def test_nobody_is_lost_or_counted_twice(start: tuple[int, int], happenings: list[tuple[int, int] | None]) -> None:
    """People pass a device that is read twice a minute, wraps, and now and then loses power (None)."""
    device, counter = TerabeeCounter(*start), CumulativeCounter(16, 2 * AT_ONCE_MAX)
    true_in, true_out, got_in, got_out = 0, 0, 0, 0
    for index, happening in enumerate([(0, 0), *happenings]):
        if happening is None:
            to_end = ((-device.in_) % WRAP, (-device.out) % WRAP)
            assume(to_end == (0, 0) or max(to_end) > 5 * AT_ONCE_MAX)  # else it looks like a wrap, to anybody
            device.lose_power()
        else:
            device.count(*happening)
            true_in, true_out = true_in + happening[0], true_out + happening[1]
        for half in (0, 1):
            found = counter.feed(RawReading((2 * index + half) * MINUTE // 2, device.in_, device.out))
            if found:
                got_in, got_out = got_in + found.in_, got_out + found.out
    assert (got_in, got_out) == (true_in, true_out)


# At a port


def test_counts_from_a_port_with_wrap_and_power_loss(tmp_path: Path) -> None:
    device = TerabeeCounter(WRAP - 3, 40_000)
    with PtyPort(tmp_path / "evo", device) as port:
        unit = bench(port)
        unit.open()
        assert counted(unit.run(3)) == [(0, 0, False)]
        device.count(5, 2)
        assert counted(unit.run(3)) == [(5, 2, False)]
        device.lose_power()
        device.count(1, 0)
        (again,) = readings(unit.run(5))
        unit.sensor.close()
    assert again.fields == {"in": 1, "out": 0, "raw_in": 1, "raw_out": 0, "reset": True}
    assert (again.persons_in, again.persons_out) == (1, 0)


@pytest.mark.parametrize("boot_id", [None, "boot-2"])
def test_who_came_while_the_unit_was_restarted_is_counted(tmp_path: Path, boot_id: str | None) -> None:
    device = TerabeeCounter(100, 90)
    with PtyPort(tmp_path / "evo", device) as port:
        unit = bench(port)
        unit.open()
        unit.run(3)
        device.count(150, 140)
        unit.restart(boot_id=boot_id, away_s=3 * 3600)
        device.count(1, 0)
        found = unit.run(3)
        unit.sensor.close()
    assert counted(found) == [(151, 140, False)]
    assert faults(found) == []


def test_a_unit_whose_clock_is_not_set_throws_nothing_away(tmp_path: Path) -> None:
    device = TerabeeCounter(100, 90)
    with PtyPort(tmp_path / "evo", device) as port:
        unit = bench(port)
        unit.open()
        unit.run(3)
        device.count(150, 140)
        memo = unit.sensor.memo()
        unit.sensor.close()
        later = Bench(unit.config, port, memo, world_ns=unit.world_ns)
        later.clock.reboot("boot-2", wall_ns=0, synced=False)
        later.open()
        assert counted(later.run(3)) == [(150, 140, False)]
        later.sensor.close()
