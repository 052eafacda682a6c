"""Which UTC time a monotonic one was: sync, the collector, or the neighbours."""

from __future__ import annotations

from edge.clock import Instant
from edge.dating import SYNC_WAIT_NS, Anchor, Dating
from edge.drafts import Mark
from firmware_cfg.times import NS_PER_S

S = NS_PER_S
DAY = 1_780_000_000 * S


def at(mono_s: int, wall_ns: int = 0, *, boot: str = "b", synced: bool = False) -> Instant:
    return Instant(boot, mono_s * S, wall_ns, synced)


def test_a_synced_boot_dates_what_came_before_the_sync() -> None:
    dating = Dating()
    dating.observe(at(10))
    assert dating.utc(Mark("b", 12 * S), at(15)) is None
    dating.observe(at(20, DAY, synced=True))
    assert dating.utc(Mark("b", 12 * S), at(20)) == (DAY - 8 * S, "synced")


def test_after_fifteen_minutes_the_collectors_time_is_taken_and_marked() -> None:
    dating = Dating()
    dating.observe(at(10))
    dating.collector_says(DAY, at(100))
    late = at(10 + SYNC_WAIT_NS // S)
    assert dating.utc(Mark("b", 50 * S), at(200)) is None
    assert dating.utc(Mark("b", 50 * S), late) == (DAY - 50 * S, "unsynced")
    assert dating.wall_ns(at(150)) == DAY + 50 * S
    dating.observe(at(2000, DAY + 1905 * S, synced=True))
    assert dating.utc(Mark("b", 50 * S), late) == (DAY - 45 * S, "synced")


def test_a_boot_that_ended_unsynced_lies_in_the_middle_of_its_gap() -> None:
    dating = Dating(
        [
            Anchor("a", 100 * S, DAY, "sync"),
            Anchor("b", 0, 5, "clock"),
            Anchor("b", 40 * S, 6, "clock"),
        ]
    )
    now = at(30, DAY + 130 * S, boot="c", synced=True)  # c began 100 s after a ended; b lasted 40 s
    assert dating.utc(Mark("b", 10 * S), now) is None
    dating.observe(now)
    assert dating.utc(Mark("b", 10 * S), now) == (DAY + 40 * S, "unsynced")


def test_several_unsynced_boots_keep_their_order_and_stay_between() -> None:
    dating = Dating([Anchor("a", 0, DAY, "sync"), *(Anchor(boot, 10 * S, 0, "clock") for boot in "bcd")])
    now = at(0, DAY + 70 * S, boot="e", synced=True)
    dating.observe(now)
    times = [dating.utc(Mark(boot, second * S), now) for boot in "bcd" for second in (0, 10)]
    seconds = [(time[0] - DAY) // S for time in times if time]
    assert seconds == [10, 20, 30, 40, 50, 60]


def test_boots_before_the_first_sync_end_where_it_begins() -> None:
    dating = Dating([Anchor("a", 20 * S, 0, "clock"), Anchor("b", 30 * S, 0, "clock")])
    now = at(5, DAY, boot="c", synced=True)
    dating.observe(now)
    assert dating.utc(Mark("b", 30 * S), now) == (DAY - 5 * S, "unsynced")
    assert dating.utc(Mark("a", 20 * S), now) == (DAY - 35 * S, "unsynced")


def test_a_gap_too_short_for_its_boot_never_dates_beyond_the_next() -> None:
    dating = Dating([Anchor("a", 0, DAY, "sync"), Anchor("b", 500 * S, 0, "clock")])
    now = at(0, DAY + 100 * S, boot="c", synced=True)
    dating.observe(now)
    assert dating.utc(Mark("b", 500 * S), now) == (DAY + 100 * S, "unsynced")


def test_anchors_are_recorded_seldom_and_at_once_when_the_sync_arrives() -> None:
    dating = Dating()
    assert dating.observe(at(0)) is not None
    assert dating.observe(at(1)) is None
    first_sync = dating.observe(at(2, DAY, synced=True))
    assert first_sync is not None
    assert first_sync.source == "sync"
    assert dating.observe(at(3, DAY + S, synced=True)) is None
    assert dating.observe(at(700, DAY, synced=True)) is not None
    assert dating.collector_says(DAY, at(701)) is None


def test_a_boot_nobody_knows_is_not_dated() -> None:
    assert Dating().utc(Mark("other", 5), at(1, DAY, synced=True)) is None


def test_one_reading_dates_a_boot_until_the_clock_is_set() -> None:
    """Readings differ by how long they take; events of one boot must not."""
    dating = Dating()
    dating.observe(at(0, DAY, synced=True))
    assert dating.observe(at(1, DAY + S + 900_000, synced=True)) is None
    assert dating.utc(Mark("b", 5 * S), at(1)) == (DAY + 5 * S, "synced")
    assert dating.zero(at(1)) == (DAY, True)
    assert dating.observe(at(2, DAY + 3 * S, synced=True)) is not None
    assert dating.utc(Mark("b", 5 * S), at(2)) == (DAY + 6 * S, "synced")
    assert dating.zero(at(2)) == (DAY + S, True)


def test_monotonic_zero_as_well_as_it_is_known() -> None:
    dating = Dating()
    assert dating.zero(at(10, 7 * S)) == (-3 * S, False)
    dating.observe(at(10, 50 * S))
    dating.observe(at(11, 52 * S))
    assert dating.zero(at(12, 90 * S)) == (40 * S, False)
    dating.collector_says(DAY, at(12))
    assert dating.zero(at(13)) == (DAY - 12 * S, False)
    dating.observe(at(14, DAY, synced=True))
    assert dating.zero(at(14)) == (DAY - 14 * S, True)
