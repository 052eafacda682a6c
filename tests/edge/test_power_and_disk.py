"""The agent as it runs, with the power, the disk and the clock against it: exactly those who came arrive, once."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from agent_rig import Collector, House, LiveUnit, compared, expected, unit, write_trace
from house import wait_until
from servers import program

from firmware_cfg.times import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers import Mosquitto

pytestmark = pytest.mark.timeout(240)

PEOPLE = 200
FRAME_BYTES = 24 + 4096
MONTH_NS = 30 * 24 * 3600 * NS_PER_S
NEAR_NS = 2 * NS_PER_S


@pytest.fixture
def collector(mosquitto: Mosquitto) -> Iterator[Collector]:
    collector = Collector(mosquitto.port)
    yield collector
    collector.close()


@pytest.fixture
def house(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[House]:
    house = House(mosquitto, tmp_path)
    yield house
    house.close()


def faults(collector: Collector, name: str) -> list[dict[str, Any]]:
    return [event for event in collector.events.values() if event.get("fault") == name]


@pytest.mark.parametrize("torn", ["log", "file"])
def test_power_cuts_at_random_moments_lose_and_double_nobody(
    mosquitto: Mosquitto, collector: Collector, tmp_path: Path, torn: str
) -> None:
    """What was being written is rubbish afterwards; or the file's end is, although it had been confirmed."""
    chance = random.Random(torn)  # noqa: S311 - moments, not secrets
    trace = write_trace(tmp_path, PEOPLE)
    process = unit(mosquitto, tmp_path, "--trace", f"front-beams={trace}", "--speed", "100", "--exit-when-done")
    for _ in range(4):
        seen = len(collector.events)
        process.start()
        wait_until("its start", lambda seen=seen: len(collector.events) > seen)  # type: ignore[misc]  # a lambda
        time.sleep(chance.uniform(0, 0.5))
        process.kill()
        if torn == "log":
            tear_what_was_not_synced(tmp_path / "state" / "outbox.db-wal", chance)
        else:
            tear_the_end(tmp_path / "state" / "outbox.db", chance)
    assert len(collector.events) < PEOPLE
    with process:
        assert process.wait() == 0
    assert compared(collector.passages()) == expected(trace)
    if torn == "log":
        assert sorted(seq for _, seq in collector.events) == list(range(1, PEOPLE + 1))


def tear_the_end(file: Path, chance: random.Random) -> None:
    size = file.stat().st_size
    at = chance.randrange(size * 3 // 4, size)
    with file.open("r+b") as opened:
        if chance.random() < 0.5:
            opened.truncate(at)
        else:
            opened.seek(at)
            opened.write(chance.randbytes(size - at))


def tear_what_was_not_synced(log: Path, chance: random.Random) -> None:
    """After the last frame of the log's present round comes what was being written when the power went: rubbish."""
    content = log.read_bytes() if log.exists() else b""
    if len(content) < 32:
        return
    salts, end = content[16:24], 32
    while content[end + 8 : end + 16] == salts:
        end += FRAME_BYTES
    with log.open("r+b") as file:
        file.seek(end)
        head = struct.pack(">II", chance.randrange(1, 50), chance.choice((0, 20))) + salts
        file.write(head + chance.randbytes(chance.randrange(0, 2 * FRAME_BYTES)))
        if chance.random() < 0.3:
            file.truncate(end + chance.randrange(0, FRAME_BYTES))


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A disk of 2 MiB at `folder`. A process may be there still when it goes."""
    if os.geteuid() != 0:
        pytest.skip("only an administrator can make a small disk; test_outbox.py has a full one for everybody")
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """No room is left on it."""
    filler = disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass
    yield
    filler.unlink()


def walk_until(process: LiveUnit, what: str, patience: int = 200) -> None:
    """People come until the unit complains."""
    for _ in range(patience):
        if what in process.said:
            return
        process.walk()
    raise AssertionError(f"it never said {what!r}: {process.said}")


def all_arrived(process: LiveUnit, collector: Collector) -> None:
    count = len(process.walked_ns)
    wait_until("everybody", lambda: len(collector.passages()) >= count)
    assert len(collector.passages()) == count
    for event, walked_ns in zip(collector.passages(), process.walked_ns, strict=True):
        assert abs(event["t_ns"] - walked_ns) < NEAR_NS
    seqs = sorted(seq for _, seq in collector.events)
    assert seqs == list(range(1, len(seqs) + 1)), "a hole"


def test_a_full_disk_is_said_at_once_and_everybody_arrives_when_there_is_room(
    house: House, collector: Collector, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk), house.unit(disk / "state") as process:
        process.walk()
        wait_until("the first", lambda: len(collector.passages()) == 1)
        with full(disk):
            walk_until(process, "outbox.db cannot be used (")
            wait_until(
                "a health report that says so", lambda: any(one["outbox"]["trouble"] for one in collector.health)
            )
            process.walk()
        all_arrived(process, collector)
        wait_until("its fault", lambda: faults(collector, "outbox_unwritable"))
        (fault,) = faults(collector, "outbox_unwritable")
        assert fault["active"] is False
        assert "the disk took no events" in fault["detail"]
        wait_until("health", lambda: collector.health[-1]["outbox"]["trouble"] == "")
        assert process.said.count("cannot be used") == 1
        assert process.stop() == 0


def test_a_disk_that_has_become_read_only_is_said_and_nobody_is_lost(house: House, collector: Collector) -> None:
    process = house.unit(before=traced("pwrite64:error=EROFS:when=120..121"))
    with process:
        process.walk()
        wait_until("the first", lambda: len(collector.passages()) == 1)
        walk_until(process, "outbox.db cannot be used (disk I/O error); events wait in memory and it is tried again")
        wait_until("the end of it", lambda: "the outbox can be written again" in process.said)
        all_arrived(process, collector)
        wait_until("its fault", lambda: faults(collector, "outbox_unwritable"))
        assert process.stop() == 0


def test_a_disk_that_takes_a_second_for_each_sync_is_said_and_nobody_is_lost(
    house: House, collector: Collector
) -> None:
    process = house.unit(before=traced("fdatasync,fsync:delay_enter=1000000"))
    with process:
        wait_until("its start", lambda: collector.health)
        for _ in range(5):
            process.walk()
        all_arrived(process, collector)
        wait_until("its fault", lambda: faults(collector, "disk_slow"))
        assert faults(collector, "disk_slow")[0]["detail"].startswith("it took ")
        assert process.stop() == 0


def traced(inject: str) -> tuple[str, ...]:
    """strace, which lets system calls fail or wait; what it runs ends with it."""
    calls = inject.partition(":")[0]
    options = ["-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", "-e", f"inject={inject}"]
    return (program("strace"), *options, "setpriv", "--pdeathsig", "KILL", "--")


def test_a_read_only_disk_at_the_start_is_one_clear_sentence(house: House, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk):
        with house.unit(disk / "state") as process:
            wait_until("its start", (disk / "state" / "outbox.db").exists)
            process.stop()
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        process = house.unit(disk / "state").start()
        assert process.wait() == 2
    assert process.said.splitlines()[-1].startswith(f"foyer: --state {disk}/state")


def test_through_every_trouble_of_the_clock_everybody_arrives_in_order(
    house: House, collector: Collector, tmp_path: Path
) -> None:
    """Before the sync, a month on, hours back, killed, begun again while the clock is unset: by the system's clock.

    It is one boot of the kernel, so what comes after the restart is dated by the sync before it.
    """
    clock = FakedClock(tmp_path)
    clock.set("@1970-01-11 08:00:00")
    process = house.unit(env=clock.env)
    with process:
        wait_until("its start", lambda: collector.health)
        process.walk()
        process.walk()
        time.sleep(2)
        assert collector.events == {}, "nobody knows yet when they came"
        clock.set("+0")
        clock.synced.touch()
        wait_until("those before the sync", lambda: len(collector.passages()) == 2)
        for count, (offset, by_ns) in enumerate(
            [("+30d", MONTH_NS), ("-5h", -5 * 3600 * NS_PER_S), ("+0", 0)], start=3
        ):
            clock.set(offset)
            time.sleep(1.5)
            process.walk()
            process.walked_ns[-1] += by_ns
            wait_until("the next", lambda count=count: len(collector.passages()) == count)  # type: ignore[misc]  # a lambda
    clock.set("@1970-01-11 08:00:00")
    clock.synced.unlink()
    with process:
        wait_until("its start", lambda: collector.health[-1]["clock"] == "unsynced")
        process.walk()
        wait_until("those after the power cut", lambda: len(collector.passages()) == 6)
        assert process.stop() == 0
    all_arrived(process, collector)
    assert {event["clock"] for event in collector.passages()} == {"synced"}


class FakedClock:
    """libfaketime: the wall clock of processes with `env` is what `set` says; monotonic time is left alone."""

    def __init__(self, folder: Path) -> None:
        program("faketime")
        library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        self._file = folder / "faketime"
        self.synced = folder / "synced"
        self.env = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "SYNC_MARK": str(self.synced),
            "TZ": "UTC",
        }

    def set(self, time: str) -> None:
        """From this absolute time on (`@…`), or so far from the true time (`+30d`)."""
        new = self._file.with_suffix(".new")
        new.write_text(time + "\n", encoding="ascii")
        new.replace(self._file)
