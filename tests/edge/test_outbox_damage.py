"""Files that a power cut or a bad disk has torn: what can be read of them goes on, under its old name, once."""

from __future__ import annotations

import json
import random
import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from edge.clock import ManualClock, read
from edge.drafts import Draft, Mark
from edge.dropping import DECLARATION
from edge.outbox import Outbox, OutboxSettings
from edge.setaside import SET_ASIDE_MAX, all_set_aside
from firmware_cfg.times import NS_PER_S
from firmware_cfg.wire import event_adapter

if TYPE_CHECKING:
    from pathlib import Path

T0_NS = 1_780_000_000 * NS_PER_S
PAGE = 4096
QUICK = OutboxSettings(durable=False)


@dataclass
class Life:
    """A unit's outbox over crashes, and a collector that stores by name and time as the stores do."""

    folder: Path
    clock: ManualClock = field(default_factory=lambda: ManualClock(T0_NS, mono_ns=50 * NS_PER_S))
    stored: dict[tuple[str, int, int], dict[str, Any]] = field(default_factory=dict)
    made: int = 0
    told: list[str] = field(default_factory=list)
    settings: OutboxSettings = QUICK

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        self.outbox = Outbox(self.folder, "hall-front", read(self.clock), self.settings)
        self.told += self.outbox.take_set_aside()

    def count(self, people: int = 1, *, undated: bool = False) -> None:
        """People, stored in one commit with a memo that says how many there were."""
        for _ in range(people):
            self.made += 1
            when = Mark(self.clock.boot_id, self.made) if undated else T0_NS + self.made * NS_PER_S
            fields = {"direction": "in", "persons": 1, "id": self.made}
            self.outbox.append(Draft("passage", when, "hall", fields, sensor="beams"), read(self.clock))
        self.commit()

    def commit(self) -> None:
        while not self.outbox.commit(read(self.clock), {"agent": self.made}):
            assert self.outbox.trouble == ""
        self.told += self.outbox.take_set_aside()

    def deliver(self, limit: int = 1_000_000, *, answered: bool = True) -> None:
        for epoch in self.outbox.epochs:
            now = read(self.clock)
            seqs = self.outbox.window(epoch, limit, now)
            for start in range(0, len(seqs), 500):
                for event in self.outbox.load(epoch, seqs[start : start + 500], now):
                    body = json.loads(event.text)
                    event_adapter.validate_python(body)
                    key = (epoch, event.seq, body["t_ns"])
                    assert self.stored.setdefault(key, body) == body
                    if answered:
                        self.outbox.settle(epoch, [(event.seq, event.seq)], [], T0_NS, now)
        self.commit()

    def crash(self) -> None:
        """As when the power goes: closing would move the log into the file, so the files are put back as they were."""
        files = {
            file: file.read_bytes() for file in self.folder.iterdir() if file.name in {"outbox.db", "outbox.db-wal"}
        }
        self.outbox._file._db.close()
        for file, content in files.items():
            file.write_bytes(content)

    def checkpoint(self) -> None:
        self.outbox._file._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def garble(self, offset: int, length: int) -> None:
        with (self.folder / "outbox.db").open("r+b") as file:
            file.seek(offset)
            file.write(bytes(random.Random(offset).randbytes(length)))  # noqa: S311 - rubbish, not a secret

    def ids(self) -> list[int]:
        return sorted(body["id"] for body in self.stored.values() if "id" in body)

    def page_of(self, number: int) -> int:
        """The page (from 0) that holds that event."""
        return (self.folder / "outbox.db").read_bytes().index(f'"id":{number}}}'.encode()) // PAGE


@pytest.fixture
def life(tmp_path: Path) -> Life:
    return Life(tmp_path)


def test_of_a_torn_file_all_that_can_be_read_arrives_under_its_old_epoch_once(life: Life) -> None:
    life.count(3000)
    life.deliver(1000)  # the collector has these and has said so
    life.deliver(500, answered=False)  # and these, but the unit does not know
    epoch = life.outbox.epoch
    life.checkpoint()
    life.crash()
    life.garble(life.page_of(2500) * PAGE, PAGE)
    life.open()
    assert life.outbox.epoch != epoch
    assert life.outbox.memo("agent") == 3000
    assert "set aside as outbox.db.damaged-20260528T202640Z, a new one begun; " in life.told[0]
    assert "of its events were still to be sent and are kept" in life.told[0]
    life.count(10)
    life.deliver()
    ids = life.ids()
    lost = set(range(1, 3011)) - set(ids)
    assert len(ids) == len(set(ids)), "somebody was counted twice"
    assert 0 < len(lost) < 40, "one page holds no more"
    assert max(lost) - min(lost) < 40
    assert {key[0] for key, body in life.stored.items() if body["id"] <= 3000} == {epoch}
    assert life.outbox.stats(read(life.clock)).open_ == 0
    assert life.outbox.epochs == [life.outbox.epoch]


def test_an_ack_of_the_old_epoch_settles_what_is_left_of_it(life: Life) -> None:
    life.count(50)
    life.checkpoint()
    life.crash()
    life.garble(life.page_of(50) * PAGE + 8, 8)
    life.open()
    old, new = life.outbox.epochs
    now = read(life.clock)
    left = life.outbox.window(old, 100, now)
    assert left
    life.outbox.settle(old, [(left[0], left[0])], [(left[1], "no such hub")], T0_NS, now)
    life.commit()
    assert life.outbox.window(old, 100, now) == left[2:]
    asked = life.outbox.reopen(old, [(left[0], left[2])], now)
    assert asked is not None
    assert (asked.events, asked.gone) == (1, [(left[0], left[1])])
    assert life.outbox.window(new, 100, now) == []


def test_what_never_had_a_date_gets_a_new_number_and_the_boots_are_remembered(life: Life) -> None:
    life.clock.set_synced(synced=False)
    life.crash()
    life.open()
    life.count(400, undated=True)
    life.crash()
    with sqlite3.connect(life.folder / "outbox.db") as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'event_seq'").fetchone()[0] - 1
    db.close()
    life.garble(page * PAGE, PAGE)
    life.open()
    assert "400 of its events were still to be sent" in life.told[0]
    life.clock.set_synced(synced=True)
    life.outbox.observe(read(life.clock))
    life.commit()
    life.deliver()
    assert life.ids() == list(range(1, 401))
    assert [key[1] for key in sorted(life.stored)] == list(range(1, 401))
    assert {key[0] for key in life.stored} == {life.outbox.epoch}


def test_an_event_that_the_disk_has_garbled_does_not_spoil_those_beside_it(life: Life) -> None:
    life.count(200)
    life.outbox.close(read(life.clock), {})
    file = life.folder / "outbox.db"
    content = file.read_bytes()
    at = content.index(b'"id":77}')
    life.garble(at - 60, 60)
    life.open()
    life.deliver()
    life.deliver()
    assert set(range(1, 201)) - set(life.ids()) == {77}
    assert "event 77" in life.told[0] or "decode" in life.told[0].lower()


@pytest.mark.parametrize("seed", range(30))
def test_torn_anywhere_nobody_is_counted_twice_and_what_is_lost_is_told(tmp_path: Path, seed: int) -> None:
    """The file or its log cut off or overwritten at random, again and again.

    A log that has lost its end is a good log of an earlier moment: that cannot be told, and what was not sent is gone.
    """
    chance = random.Random(seed)  # noqa: S311 - people, not secrets
    life = Life(tmp_path)
    gone: set[int] = set()
    for _ in range(4):
        for _ in range(chance.randrange(1, 8)):
            life.count(chance.randrange(1, 120))
            if chance.random() < 0.6:
                life.deliver(chance.randrange(1, 200), answered=chance.random() < 0.7)
            if chance.random() < 0.3:
                life.checkpoint()
        life.crash()
        log = tmp_path / "outbox.db-wal"
        file = chance.choice([tmp_path / "outbox.db", log if log.stat().st_size else tmp_path / "outbox.db"])
        tear(file, chance)
        before = len(life.told)
        life.open()
        life.deliver()
        life.deliver()
        ids = life.ids()
        assert len(ids) == len(set(ids)), "somebody was counted twice"
        lost = set(range(1, life.made + 1)) - set(ids) - gone
        assert not lost or len(life.told) > before or file == log, "lost without a word"
        gone |= lost
        life.count(5)
        life.deliver()
        assert set(range(life.made - 4, life.made + 1)) <= set(life.ids()), "work does not go on"


def tear(file: Path, chance: random.Random) -> None:
    size = file.stat().st_size
    at = chance.randrange(1, size)
    with file.open("r+b") as opened:
        if chance.random() < 0.5:
            opened.truncate(at)
        else:
            opened.seek(at)
            opened.write(chance.randbytes(min(size - at, chance.choice((16, 512, PAGE, size)))))


def test_what_a_damaged_file_left_goes_before_anything_else_that_is_open_and_is_counted(tmp_path: Path) -> None:
    life = Life(tmp_path, settings=OutboxSettings(limit_bytes=1024 * 1024, durable=False))
    life.count(1000)
    life.checkpoint()
    life.crash()
    life.garble(life.page_of(990) * PAGE, PAGE)
    life.open()
    left = life.outbox.stats(read(life.clock)).open_
    assert 900 < left < 1000
    while not (stats := life.outbox.stats(read(life.clock))).dropped:
        assert life.made < 10_000
        life.count(100)
    assert sum(file.stat().st_size for file in tmp_path.glob("outbox.db") if file.is_file()) <= 1024 * 1024
    life.deliver()
    assert {body["id"] for body in life.stored.values() if body.get("id", 0) > 1000} == set(range(1001, life.made + 1))
    told = [body for body in life.stored.values() if body.get("fault") == DECLARATION]
    assert (
        stats.dropped == sum(body["count"] for body in told) == left - sum(1 for number in life.ids() if number <= 1000)
    )
    assert all("of an outbox that was set aside" in body["detail"] for body in told)
    assert told


def test_damaged_files_do_not_fill_the_disk(life: Life) -> None:
    for _ in range(SET_ASIDE_MAX + 3):
        life.count(3)
        life.crash()
        (life.folder / "outbox.db").write_bytes(b"rubbish" * 2000)
        (life.folder / "outbox.db-wal").unlink(missing_ok=True)
        life.open()
    aside = all_set_aside(life.folder / "outbox.db")
    assert len(aside) == SET_ASIDE_MAX
    assert len(life.told) == SET_ASIDE_MAX + 3
    assert aside[-1].name == f"outbox.db.damaged-20260528T202640Z-{SET_ASIDE_MAX + 3}"
