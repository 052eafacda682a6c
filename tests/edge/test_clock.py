"""Clocks: what each promises about monotonic and wall time."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.clock import Instant, ManualClock, ScaledClock, SystemClock, read
from firmware_cfg.times import NS_PER_S


def test_an_instant_turns_times_of_its_boot_into_utc() -> None:
    instant = Instant("boot", mono_ns=50, wall_ns=1_000_050, synced=True)
    assert instant.wall_at(70) == 1_000_070
    assert instant.wall_at(10) == 1_000_010


def test_a_manual_clock_stands_still_until_told() -> None:
    clock = ManualClock(1000, mono_ns=5)
    assert read(clock) == read(clock) == Instant("boot-1", 5, 1000, synced=True)
    clock.advance(10)
    clock.step_wall(-500)
    clock.set_synced(synced=False)
    assert read(clock) == Instant("boot-1", 15, 510, synced=False)
    clock.reboot("boot-2", wall_ns=7)
    assert read(clock) == Instant("boot-2", 0, 7, synced=False)


def test_the_system_clock_knows_the_kernels_boot() -> None:
    clock = SystemClock()
    assert clock.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    assert SystemClock(trusted=True).synced()
    earlier = read(clock)
    later = read(clock)
    assert later.mono_ns >= earlier.mono_ns
    assert clock.real_s(NS_PER_S) == 1.0


def test_a_scaled_clock_runs_faster_and_counts_as_synced() -> None:
    clock = ScaledClock(1_000 * NS_PER_S, speed=1000)
    first = read(clock)
    assert first.synced
    assert first.wall_ns >= 1_000 * NS_PER_S + first.mono_ns
    assert clock.real_s(NS_PER_S) == pytest.approx(0.001)
    with pytest.raises(ValueError, match="speed 0"):
        ScaledClock(0, speed=0)
