"""What is said of a disk that refuses or is slow, and how often."""

from __future__ import annotations

from edge.diskwatch import SLOW_AGAIN_NS, SLOW_NS, DiskWatch
from firmware_cfg.times import NS_PER_S


def test_a_disk_that_refused_is_told_of_once_it_takes_events_again() -> None:
    disk = DiskWatch()
    assert disk.looked("", 0) is None
    assert [disk.looked("disk is full", second * NS_PER_S) for second in (1, 2, 3)] == [None] * 3
    assert disk.refuses
    said = disk.looked("", 61 * NS_PER_S)
    assert said == "for 60 s the disk took no events (disk is full); they waited in memory"
    assert disk.looked("", 62 * NS_PER_S) is None
    assert not disk.refuses


def test_a_slow_disk_is_told_of_at_most_once_an_hour_with_the_worst() -> None:
    disk = DiskWatch()
    disk.stored(SLOW_NS - 1)
    assert disk.slow(0) is None
    disk.stored(2 * NS_PER_S)
    disk.stored(NS_PER_S)
    assert (disk.slow(1) or "").startswith("it took 2.0 s to store events; ")
    disk.stored(5 * NS_PER_S)
    assert disk.slow(2) is None
    assert (disk.slow(1 + SLOW_AGAIN_NS) or "").startswith("it took 5.0 s")
    assert disk.slow(1 + 2 * SLOW_AGAIN_NS) is None
