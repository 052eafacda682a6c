"""The outbox on a real disk: crashes, bounds, damage, and a disk that refuses."""

from __future__ import annotations

import json
import resource
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from edge.clock import ManualClock, read
from edge.drafts import Draft, Mark
from edge.dropping import DECLARATION, RUN_EVENTS_MIN
from edge.errors import StateError
from edge.eventfile import KEEP_ACKED_NS
from edge.outbox import BUFFERED_MAX, Outbox, OutboxSettings
from firmware_cfg.times import NS_PER_S
from firmware_cfg.wire import Resent, event_adapter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

T0_NS = 1_780_000_000 * NS_PER_S
MIB = 1024 * 1024
UNIT = "hall-front"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(T0_NS, mono_ns=50 * NS_PER_S)


def passage(when: Any, note: str = "") -> Draft:
    fields = {
        "direction": "in",
        "persons": 1,
        "confidence": 0.9,
        "role": "counting",
        **({"note": note} if note else {}),
    }
    return Draft("passage", when, "hall", fields, sensor="front-beams", entrance="front")


def fault(when: Any) -> Draft:
    return Draft("fault", when, "hall", {"fault": "repeated_level", "count": 1}, sensor="front-beams")


def texts(outbox: Outbox, clock: ManualClock, limit: int = 100_000) -> list[dict[str, Any]]:
    now = read(clock)
    seqs = outbox.window(outbox.epoch, limit, now)
    loaded = [
        event
        for start in range(0, len(seqs), 500)
        for event in outbox.load(outbox.epoch, seqs[start : start + 500], now)
    ]
    return [json.loads(event.text) for event in loaded]


def crash(outbox: Outbox) -> None:
    outbox._file._db.close()


def test_committed_events_and_memos_survive_a_crash_and_others_leave_no_hole(
    tmp_path: Path, clock: ManualClock
) -> None:
    outbox = Outbox(tmp_path, UNIT, read(clock))
    epoch = outbox.epoch
    outbox.append(passage(T0_NS), read(clock))
    assert outbox.commit(read(clock), {"door": {"fed": 4}})
    outbox.append(passage(T0_NS + 1), read(clock))
    crash(outbox)

    outbox = Outbox(tmp_path, UNIT, read(clock))
    assert outbox.epoch == epoch
    assert outbox.memo("door") == {"fed": 4}
    assert outbox.memo("nothing") is None
    outbox.append(passage(T0_NS + 2), read(clock))
    outbox.commit(read(clock), {})
    assert [(event["seq"], event["t_ns"]) for event in texts(outbox, clock)] == [(1, T0_NS), (2, T0_NS + 2)]
    assert len(outbox.epoch) == 16
    for event in texts(outbox, clock):
        event_adapter.validate_python(event)


def test_commits_come_at_once_after_a_pause_and_else_at_most_five_a_second(tmp_path: Path, clock: ManualClock) -> None:
    outbox = Outbox(tmp_path, UNIT, read(clock))
    outbox.commit(read(clock), {})
    assert outbox.due_ns is None
    clock.advance(NS_PER_S)
    outbox.append(passage(T0_NS), read(clock))
    assert outbox.due_ns <= clock.monotonic_ns()
    outbox.commit(read(clock), {})
    clock.advance(NS_PER_S // 20)
    outbox.append(passage(T0_NS + 5), read(clock))
    assert outbox.due_ns == clock.monotonic_ns() + 150_000_000
    outbox.append(Draft("cabinet", T0_NS, "hall", {"level": "critical"}, urgent=True), read(clock))
    assert outbox.due_ns <= clock.monotonic_ns()


def test_acked_events_are_kept_a_week_and_can_be_asked_for_again(tmp_path: Path, clock: ManualClock) -> None:
    outbox = Outbox(tmp_path, UNIT, read(clock))
    for number in range(4):
        outbox.append(passage(T0_NS + number), read(clock))
    outbox.commit(read(clock), {})
    before = texts(outbox, clock)
    outbox.settle(outbox.epoch, [(1, 2)], [(3, "no such hub")], T0_NS, read(clock))
    outbox.commit(read(clock), {})
    stats = outbox.stats(read(clock))
    assert (stats.open_, stats.acked, stats.rejected, stats.max_seq) == (1, 2, 1, 4)
    assert outbox.reopen(outbox.epoch, [(1, 5)], read(clock)) == Resent(events=4, gone=[(5, 5)])
    outbox.commit(read(clock), {})
    assert texts(outbox, clock) == before

    outbox.settle(outbox.epoch, [(1, 4)], [], T0_NS, read(clock))
    clock.advance(KEEP_ACKED_NS - NS_PER_S)
    outbox.commit(read(clock), {})
    assert outbox.stats(read(clock)).acked == 4
    clock.advance(2 * 3600 * NS_PER_S)
    outbox.append(passage(T0_NS + 9), read(clock))
    outbox.commit(read(clock), {})
    assert outbox.stats(read(clock)).acked == 4, "nothing newer was acked: the clock alone may be wrong"
    outbox.settle(outbox.epoch, [(5, 5)], [], clock.wall_ns(), read(clock))
    clock.advance(2 * 3600 * NS_PER_S)
    outbox.commit(read(clock), {})
    assert outbox.stats(read(clock)).acked == 1


def test_nothing_that_was_not_published_can_be_acked(tmp_path: Path, clock: ManualClock) -> None:
    clock.set_synced(synced=False)
    outbox = Outbox(tmp_path, UNIT, read(clock))
    outbox.append(passage(Mark("boot-1", 1)), read(clock))
    outbox.commit(read(clock), {})
    outbox.settle(outbox.epoch, [(1, 2**53 - 1)], [], T0_NS, read(clock))
    assert outbox.stats(read(clock)).open_ == 1
    assert outbox.stats(read(clock)).undated == 1
    assert outbox.window(outbox.epoch, 10, read(clock)) == []


def test_events_of_one_ns_are_told_apart(tmp_path: Path, clock: ManualClock) -> None:
    outbox = Outbox(tmp_path, UNIT, read(clock))
    for draft in (passage(7), passage(7), passage(8), fault(7), passage(7)):
        outbox.append(draft, read(clock))
    outbox.commit(read(clock), {})
    assert [event["t_ns"] for event in texts(outbox, clock)] == [7, 8, 9, 7, 10]


def test_what_came_before_the_sync_is_dated_by_it_once_for_all(tmp_path: Path, clock: ManualClock) -> None:
    clock.set_synced(synced=False)
    outbox = Outbox(tmp_path, UNIT, read(clock))
    outbox.append(passage(Mark("boot-1", 40 * NS_PER_S)), read(clock))
    outbox.commit(read(clock), {})
    crash(outbox)
    outbox = Outbox(tmp_path, UNIT, read(clock))
    clock.step_wall(1000 * NS_PER_S)
    clock.set_synced(synced=True)
    outbox.observe(read(clock))
    assert outbox.due_ns is not None
    outbox.commit(read(clock), {})
    dated = texts(outbox, clock)
    assert [(event["t_ns"], event["clock"]) for event in dated] == [(T0_NS + 990 * NS_PER_S, "synced")]
    clock.step_wall(5 * NS_PER_S)
    outbox.observe(read(clock))
    outbox.commit(read(clock), {})
    assert texts(outbox, clock) == dated


@pytest.mark.parametrize("pattern", ["pppppppppf", "p" * 30 + "f" * 20, "pf"], ids=["single", "storms", "in turn"])
def test_the_disk_bound_holds_and_what_was_dropped_is_declared_and_nothing_else(
    tmp_path: Path, clock: ManualClock, pattern: str
) -> None:
    outbox = Outbox(tmp_path, UNIT, read(clock), OutboxSettings(limit_bytes=MIB, durable=False))
    total = 12_000
    for number in range(total):
        draft = fault if pattern[number % len(pattern)] == "f" else passage
        outbox.append(draft(T0_NS + number * NS_PER_S), read(clock))
        if number % 100 == 99:
            clock.advance(NS_PER_S)
            assert outbox.commit(read(clock), {})
            assert sum(file.stat().st_size for file in tmp_path.iterdir() if "-shm" not in file.name) <= MIB
    kept = texts(outbox, clock)
    stats = outbox.stats(read(clock))
    declarations = [event for event in kept if event.get("fault") == DECLARATION]
    declared = {seq for event in declarations for seq in range(event["first_seq"], event["last_seq"] + 1)}
    missing = set(range(1, stats.max_seq + 1)) - {event["seq"] for event in kept}
    assert declared == missing != set()
    assert stats.dropped == len(missing) == sum(event["count"] for event in declarations)
    assert len(declarations) <= len(missing) / RUN_EVENTS_MIN
    assert len([event for event in kept if event["kind"] == "passage"]) > 2000 * pattern.count("p") / len(pattern)


def test_the_usual_bound_holds_more_than_a_year_of_a_busy_door(tmp_path: Path) -> None:
    """Thurrock's door, 10,404 in and out in a fortnight; every event as long as events get and still to be sent."""
    fortnight = 10_404
    clock = ManualClock(T0_NS, boot_id="0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9")
    outbox = Outbox(tmp_path, UNIT, read(clock), OutboxSettings(durable=False))
    fields = {"direction": "out", "persons": 1, "speed_m_s": 1.3333333333333333, "length_m": 0.33333333333333331}
    fields |= {"confidence": 0.93333333333333335, "role": "counting"}
    for number in range(2 * fortnight):
        clock.advance(116 * NS_PER_S)
        where = {"hub": "south-ockendon", "sensor": "south-ockendon-main-beams", "entrance": "main-entrance"}
        outbox.append(Draft("passage", Mark(clock.boot_id, clock.monotonic_ns()), fields=fields, **where), read(clock))
        if number % 500 == 499:
            outbox.commit(read(clock), {})
    outbox.commit(read(clock), {})
    outbox._file._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    bytes_an_event = (tmp_path / "outbox.db").stat().st_size / (2 * fortnight)
    room_bytes = 256 * MIB - 16 * MIB  # the rest is for the log
    years = room_bytes / bytes_an_event / (fortnight / 14 * 365)
    print(f"{bytes_an_event:.0f} bytes an event: {years:.2f} years")
    assert outbox._file.fullness == pytest.approx(2 * fortnight * bytes_an_event / room_bytes, rel=0.01)
    assert years > 1.5


def test_faults_in_a_row_go_before_any_passage_although_they_are_younger(tmp_path: Path, clock: ManualClock) -> None:
    outbox = Outbox(tmp_path, UNIT, read(clock), OutboxSettings(limit_bytes=MIB, durable=False))
    for number in range(9_000):
        outbox.append((passage if number < 1500 else fault)(T0_NS + number), read(clock))
        if number % 100 == 99:
            assert outbox.commit(read(clock), {})
    kept = texts(outbox, clock)
    assert outbox.stats(read(clock)).dropped > 1000
    assert len([event for event in kept if event["kind"] == "passage"]) == 1500
    assert len([event for event in kept if event.get("fault") == DECLARATION]) < 10


def test_acked_events_make_room_before_anything_is_dropped(tmp_path: Path, clock: ManualClock) -> None:
    outbox = Outbox(tmp_path, UNIT, read(clock), OutboxSettings(limit_bytes=MIB, durable=False))
    for number in range(12_000):
        outbox.append(passage(T0_NS + number * NS_PER_S), read(clock))
        if number % 100 == 99:
            outbox.commit(read(clock), {})
            outbox.settle(outbox.epoch, [(1, number - 500)], [], T0_NS, read(clock))
    outbox.commit(read(clock), {})
    stats = outbox.stats(read(clock))
    assert stats.dropped == 0
    assert stats.acked < 11_000
    assert len(texts(outbox, clock)) == stats.open_


@pytest.mark.parametrize("damage", ["not a database at all" * 500, ""], ids=["foreign", "empty"])
def test_a_file_that_is_no_database_is_set_aside(tmp_path: Path, clock: ManualClock, damage: str) -> None:
    (tmp_path / "outbox.db").write_text(damage, encoding="ascii")
    outbox = Outbox(tmp_path, UNIT, read(clock))
    told = outbox.take_set_aside()
    aside = [file for file in tmp_path.iterdir() if ".damaged-" in file.name]
    assert bool(told) == bool(aside) == bool(damage)
    outbox.append(passage(T0_NS), read(clock))
    assert outbox.commit(read(clock), {})
    assert len(texts(outbox, clock)) == 1


def test_damage_found_while_running_begins_a_new_epoch_and_keeps_what_is_pending(
    tmp_path: Path, clock: ManualClock
) -> None:
    outbox = Outbox(tmp_path, UNIT, read(clock), OutboxSettings(durable=False))
    for number in range(2000):
        outbox.append(passage(T0_NS + number), read(clock))
    outbox.commit(read(clock), {"agent": {"x": 1}})
    outbox._file._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    epoch = outbox.epoch
    size = (tmp_path / "outbox.db").stat().st_size
    with (tmp_path / "outbox.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))
    other = sqlite3.connect(tmp_path / "outbox.db", isolation_level=None)
    other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    other.close()
    outbox._file._db.execute("PRAGMA shrink_memory")
    outbox.append(passage(T0_NS + 5000), read(clock))
    for _ in range(3):
        outbox.window(outbox.epoch, 1000, read(clock))
        if outbox.commit(read(clock), {"agent": {"x": 1}}):
            break
    assert outbox.epoch != epoch
    assert "damaged" in outbox.take_set_aside()[0]
    assert outbox.memo("agent") == {"x": 1}
    assert [event["t_ns"] for event in texts(outbox, clock)] == [T0_NS + 5000]


@contextmanager
def full_disk(used_bytes: int) -> Iterator[None]:
    """No file of this process may grow beyond that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (used_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_told_once_and_loses_nothing(
    tmp_path: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = Outbox(tmp_path, UNIT, read(clock))
    outbox.append(passage(T0_NS), read(clock))
    outbox.commit(read(clock), {})
    with full_disk(4096):
        for number in range(1, 4):
            clock.advance(10 * NS_PER_S)
            outbox.append(passage(T0_NS + number), read(clock))
            assert not outbox.commit(read(clock), {"agent": number})
            assert outbox.due_ns > clock.monotonic_ns()
    assert [record.message for record in caplog.records if "cannot be used" in record.message] == [
        f"{tmp_path}/outbox.db cannot be used ({outbox.trouble}); events wait in memory and it is tried again"
    ]
    assert outbox.buffered == 3
    assert outbox.commit(read(clock), {"agent": 3})
    assert outbox.trouble == ""
    assert [event["seq"] for event in texts(outbox, clock)] == [1, 2, 3, 4]
    assert outbox.memo("agent") == 3


def test_what_memory_cannot_hold_is_counted_and_never_had_a_number(tmp_path: Path, clock: ManualClock) -> None:
    outbox = Outbox(tmp_path, UNIT, read(clock), OutboxSettings(durable=False))
    outbox.append(fault(T0_NS), read(clock))
    for number in range(BUFFERED_MAX + 4):
        outbox.append(passage(T0_NS + number), read(clock))
    outbox.commit(read(clock), {})
    events = texts(outbox, clock)
    assert [event["seq"] for event in events] == list(range(1, BUFFERED_MAX + 2))
    assert {event["kind"] for event in events[:-1]} == {"passage"}
    assert (events[-1]["fault"], events[-1]["count"]) == ("events_lost", 5)
    assert outbox.stats(read(clock)).dropped == 5


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path, clock: ManualClock) -> None:
    with pytest.raises(StateError, match=r"--state .*missing: outbox.db cannot be used"):
        Outbox(tmp_path / "missing", UNIT, read(clock))


def test_a_newer_versions_file_is_left_alone(tmp_path: Path, clock: ManualClock) -> None:
    database = sqlite3.connect(tmp_path / "outbox.db")
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(StateError, match="version 99"):
        Outbox(tmp_path, UNIT, read(clock))


def test_a_file_of_the_first_version_is_taken_over(tmp_path: Path, clock: ManualClock) -> None:
    outbox = Outbox(tmp_path, UNIT, read(clock))
    outbox.append(passage(T0_NS), read(clock))
    outbox.close(read(clock), {"agent": 1})
    database = sqlite3.connect(tmp_path / "outbox.db", isolation_level=None)
    database.execute("DROP TABLE leftover")
    database.execute("DELETE FROM meta WHERE key LIKE 'last_%'")
    database.execute("PRAGMA user_version = 1")
    database.close()
    again = Outbox(tmp_path, UNIT, read(clock))
    assert (again.epoch, again.memo("agent"), len(texts(again, clock))) == (outbox.epoch, 1, 1)
    assert again.epochs == [again.epoch]


def test_a_file_belongs_to_one_unit(tmp_path: Path, clock: ManualClock) -> None:
    outbox = Outbox(tmp_path, "micklefield-front", read(clock))
    outbox.append(passage(T0_NS), read(clock))
    assert outbox.close(read(clock), {})
    sentence = f"--state {tmp_path} belongs to unit micklefield-front; give each unit its own folder"
    with pytest.raises(StateError, match=f"^{sentence}$") as refused:
        Outbox(tmp_path, "micklefield-garden", read(clock))
    assert refused.value.exit_code == 2
    outbox = Outbox(tmp_path, "micklefield-front", read(clock))
    assert len(texts(outbox, clock)) == 1
