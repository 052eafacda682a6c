"""Stores saved, put back, carried over, and brought up to date."""

from __future__ import annotations

import fcntl
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from collector_samples import EPOCH, MINUTE_NS, OTHER_EPOCH, T0_NS, counter, health, parcel, passage
from event_samples import every_kind
from rollup_rig import FLEET
from servers import Influx

from collector.analysis.rollup import roll_up
from collector.store import copying, open_store
from collector.store.base import QUARTER_NS, Coverage, Store, Tally
from collector.store.embedded import in_use_path
from collector.store.embedded_schema import SCHEMA
from firmware_cfg.errors import ConfigError

OLD = Path(__file__).with_name("store_of_schema_1.sql")
"""What Foyer at schema 1 wrote: every kind of event, two units, two health reports."""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "old.db"
    db = sqlite3.connect(path)
    db.executescript(OLD.read_text(encoding="utf-8"))
    db.close()
    return path


def schema_of(path: Path) -> int:
    db = sqlite3.connect(path)
    (version,) = db.execute("PRAGMA user_version").fetchone()
    db.close()
    return int(version)


def foyer(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "foyer", "collector", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_a_file_of_schema_1_opens_with_all_that_is_in_it(old: Path) -> None:
    store = open_store(f"sqlite:{old}")
    for event in every_kind():
        found = store.events(event.kind, "north", event.t_ns, event.t_ns + 1, limit=10)
        assert event in [stored.event for stored in found if stored.unit == "door"]
    assert store.tally("window", EPOCH) == {"passage": Tally(2, 2)}
    assert store.coverage_15m("north", T0_NS, T0_NS + QUARTER_NS) == [
        Coverage(T0_NS, "door", "beams", 1),
        Coverage(T0_NS, "door", "unit", 2),
    ]
    before = store.counts_15m("north", T0_NS, T0_NS + 8 * QUARTER_NS)
    assert sum(quarter.count.in_ for quarter in before) == 3 + 1 + 3
    assert store.write([parcel(*every_kind())]) == []  # a resend
    assert roll_up(store, FLEET) > 0
    assert store.counts_15m("north", T0_NS, T0_NS + 8 * QUARTER_NS) == before
    store.close()
    assert schema_of(old) == SCHEMA
    open_store(f"sqlite:{old}").close()


def test_a_migration_that_fails_leaves_the_file_as_it_was(old: Path) -> None:
    db = sqlite3.connect(old)
    db.execute("CREATE TABLE audit_2 (in_the_way)")
    db.commit()
    before = list(db.iterdump())
    with pytest.raises(ConfigError, match="cannot be used"):
        open_store(f"sqlite:{old}")
    assert (list(db.iterdump()), schema_of(old)) == (before, 1)
    db.execute("DROP TABLE audit_2")
    db.commit()
    db.close()
    open_store(f"sqlite:{old}").close()
    assert schema_of(old) == SCHEMA


def test_a_file_from_before_a_field_was_on_the_wire_gets_its_column(tmp_path: Path) -> None:
    open_store(f"sqlite:{tmp_path}/store.db").close()
    db = sqlite3.connect(tmp_path / "store.db")
    db.execute("ALTER TABLE passage DROP COLUMN length_m")
    db.execute("DELETE FROM word WHERE text = 'unsynced'")
    db.commit()
    db.close()
    store = open_store(f"sqlite:{tmp_path}/store.db")
    written = passage(1, length_m=0.5, clock="unsynced")
    store.write([parcel(written)])
    assert [found.event for found in store.events("passage", "north", 0, 2**62, limit=2)] == [written]
    store.close()


def test_a_backup_taken_while_events_come_is_whole_and_of_one_moment(tmp_path: Path) -> None:
    store = open_store(f"sqlite:{tmp_path}/store.db")
    store.write([parcel(*(passage(seq) for seq in range(1, 20_001)))])
    ending = threading.Event()
    written = [20_000]

    def write_on() -> None:
        while not ending.is_set():
            first = written[0] + 1
            store.write([parcel(passage(first), passage(first + 1, direction="out"))])
            written[0] += 2

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        done = foyer("backup", "--store", f"sqlite:{tmp_path}/store.db", "-o", tmp_path / "saved.db")
    finally:
        ending.set()
        writer.join()
    assert (done.returncode, done.stdout) == (0, "")
    assert "complete and checked" in done.stderr
    assert written[0] > 20_000
    assert sorted(path.name for path in tmp_path.glob("saved*")) == ["saved.db"]
    copy = open_store(f"sqlite:{tmp_path}/saved.db")
    saved = copy.tally("door", EPOCH)["passage"].rows
    assert saved % 2 == 0
    assert 20_000 <= saved <= written[0]
    assert copy.tally("door", EPOCH, 1, saved) == {"passage": Tally(saved, saved)}
    copy.close()
    store.close()


def test_a_restore_puts_the_backup_in_place_and_the_other_aside(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path}/store.db"
    store = open_store(url)
    store.write([parcel(passage(1))])
    copying.backup(tmp_path / "store.db", tmp_path / "saved.db")
    store.write([parcel(passage(2))])
    refused = foyer("restore", tmp_path / "saved.db", "--store", url, "--replace")
    assert (refused.returncode, "a collector has it open" in refused.stderr) == (2, True)
    store.close()
    refused = foyer("restore", tmp_path / "saved.db", "--store", url)
    assert (refused.returncode, "--replace" in refused.stderr) == (2, True)
    done = foyer("restore", tmp_path / "saved.db", "--store", url, "--replace")
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "store.db.replaced-1") in done.stderr
    for name, rows in (("store.db", 1), ("store.db.replaced-1", 2)):
        store = open_store(f"sqlite:{tmp_path / name}")
        assert store.tally("door", EPOCH) == {"passage": Tally(rows, rows)}
        store.close()


def test_a_store_is_not_opened_while_it_is_restored(tmp_path: Path) -> None:
    with in_use_path(tmp_path / "store.db").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ConfigError, match="is being restored"):
            open_store(f"sqlite:{tmp_path}/store.db")


def damaged(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[5000:9000] = bytes(4000)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (damaged, "damaged|cannot be read"),
        (lambda path: path.write_text("hello, this is no database at all" * 99), "cannot be read"),
        (lambda path: path.write_bytes(b""), "no embedded store"),
        (Path.unlink, "no such file"),
    ],
)
def test_what_is_no_whole_backup_is_not_restored(tmp_path: Path, spoil: Callable[[Path], object], why: str) -> None:
    store = open_store(f"sqlite:{tmp_path}/store.db")
    store.write([parcel(*(passage(seq) for seq in range(1, 500)))])
    store.close()
    copying.backup(tmp_path / "store.db", tmp_path / "saved.db")
    spoil(tmp_path / "saved.db")
    with pytest.raises(ConfigError, match=why):
        copying.restore(tmp_path / "saved.db", tmp_path / "store.db", replace=True)
    store = open_store(f"sqlite:{tmp_path}/store.db")
    assert store.tally("door", EPOCH) == {"passage": Tally(499, 499)}
    store.close()


def test_a_backup_overwrites_nothing_and_is_of_an_embedded_store(tmp_path: Path) -> None:
    (tmp_path / "saved.db").write_text("precious")
    open_store(f"sqlite:{tmp_path}/store.db").close()
    for store, why in (
        (f"sqlite:{tmp_path}/store.db", "is there already"),
        (f"sqlite:{tmp_path}/nothing.db", "no such file"),
        ("influxdb+http://127.0.0.1:1/foyer", "influxd backup"),
    ):
        refused = foyer("backup", "--store", store, "-o", tmp_path / "saved.db")
        assert (refused.returncode, why in refused.stderr) == (2, True)
    assert (tmp_path / "saved.db").read_text() == "precious"


def fill(store: Store) -> None:
    many = [passage(seq, T0_NS + seq // 7 * 10**9, sensor=f"s{seq % 7}", speed_m_s=seq / 7) for seq in range(1, 6001)]
    store.write([parcel(*many, unit="many"), parcel(*every_kind()), parcel(counter(1, T0_NS, 3, 4), epoch=OTHER_EPOCH)])
    reports = [health(T0_NS + minute * MINUTE_NS, ok=minute % 3 > 0, ok_since_ns=T0_NS) for minute in range(9)]
    store.write([], [*reports, health(T0_NS, unit="many", temperature_c=41.5)])


@pytest.mark.parametrize("back", [False, True], ids=["into-influx", "into-embedded"])
def test_a_migration_carries_everything_over_and_proves_it(tmp_path: Path, influx: Influx, back: bool) -> None:
    urls = [f"sqlite:{tmp_path}/store.db", f"influxdb+{influx.url}/moved"]
    influx.create_database("moved")
    old_url, new_url = reversed(urls) if back else urls
    old = open_store(old_url)
    fill(old)
    done = foyer("migrate", "--from", old_url, "--to", new_url)
    assert done.returncode == 0, done.stderr + done.stdout
    lines = [line.split() for line in done.stdout.splitlines()[1:]]
    assert {line[0]: line[1] for line in lines} == {
        "passage": "6,002",
        "counter": "2",
        "room": "1",
        "cabinet": "1",
        "fault": "1",
        "audit": "1",
        "health": "20",
    }
    assert all(line[1] == line[2] and line[3] == line[4] and line[5] == "equal" for line in lines)
    new = open_store(new_url)
    for ask in (Store.counts_15m, Store.coverage_15m):
        window = ("north", T0_NS, T0_NS + 8 * QUARTER_NS)
        assert ask(new, *window) == ask(old, *window)
    new.write([parcel(passage(7000))])
    again = foyer("migrate", "--from", old_url, "--to", new_url)
    assert again.returncode == 1
    assert [line.split()[-1] for line in again.stdout.splitlines()[1:3]] == ["DIFFERENT", "equal"]
    old.close()
    new.close()


def test_a_difference_of_one_value_is_seen(tmp_path: Path) -> None:
    stores = [open_store(f"sqlite:{tmp_path}/{name}.db") for name in ("one", "two")]
    for store, persons in zip(stores, (1, 2), strict=True):
        store.write([parcel(passage(1, persons=persons))], [health(T0_NS, uptime_s=float(persons))])
    found = {each.kind: each.source == each.target for each in copying.compare(*stores)}
    assert found == {"passage": False, "health": False} | dict.fromkeys(
        ("counter", "room", "cabinet", "fault", "audit"), True
    )
    for store in stores:
        store.close()


def test_rollups_are_made_anew_by_command(tmp_path: Path) -> None:
    fleet = tmp_path / "fleet"
    fleet.mkdir()
    (fleet / "north.toml").write_text(
        """id = "north"
name = "North"
type = "local"
[[entrances]]
id = "front"
name = "Front"
counting = "beams"
[[units]]
id = "door"
since = 2020-01-01T00:00:00Z
[[units.sensors]]
name = "beams"
kind = "beam-pair"
entrance = "front"
outer_pin = 17
inner_pin = 27
"""
    )
    url = f"sqlite:{tmp_path}/store.db"
    store = open_store(url)
    store.write([parcel(passage(1))])
    store.close()
    done = foyer("roll-up", "--store", url, "--fleet", fleet)
    assert (done.returncode, done.stderr) == (0, "1 quarters of an hour rolled up\n")
    store = open_store(url)
    assert [rollup.visits for rollup in store.rollups("hour", T0_NS, T0_NS + QUARTER_NS, "north")] == [1]
    store.close()
