"""A store that was put back from an older backup gets again what came after it, and no ledger says otherwise."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from collector_rig import EPOCH, UNIT, Make, Unit, event, ready, until
from collector_samples import parcel, passage
from hypothesis import given, settings
from hypothesis import strategies as st
from servers import Influx, Mosquitto

from collector import holes
from collector.corrections import Correction
from collector.ledger import Ledger
from collector.restoring import identity, recheck, recheck_if_changed
from collector.service import Collector
from collector.store import copying, open_store
from collector.store.base import Store, Tally

ROOT = Path(__file__).parents[2]
NUMBERS = st.sets(st.integers(1, 60))


def foyer(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "foyer", "collector", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def numbers(ranges: Iterable[tuple[int, int]]) -> set[int]:
    return {number for first, last in ranges for number in range(first, last + 1)}


@settings(max_examples=60, deadline=None)
@given(NUMBERS, NUMBERS, NUMBERS)
def test_what_the_store_lacks_is_no_longer_done_and_nothing_else(
    done: set[int], stored: set[int], gone: set[int]
) -> None:
    with (
        TemporaryDirectory() as folder,
        closing(open_store(f"sqlite:{folder}/store.db")) as store,
        closing(Ledger(Path(folder))) as ledger,
    ):
        if stored:
            store.write([parcel(*(passage(seq) for seq in sorted(stored)))])
        ledger.record(1, done=[("door", EPOCH, seq, seq) for seq in done])
        ledger.outboxes.lose("door", EPOCH, [(seq, seq) for seq in gone])
        lost = numbers(ledger.outboxes.of_unit("door")[0].gone) if done else set()
        lacking = done - stored - lost
        assert recheck(ledger, store) == ({("door", EPOCH): len(lacking)} if lacking else {})
        left = numbers(ledger.done("door", EPOCH))
        highest = max(done | lost, default=0)
        assert left == (done - lacking) | lost | ({highest + 1} if highest in lacking else set())
        assert lacking <= numbers(ledger.done("door", EPOCH).holes()), "all of it is a hole, also at the end"
        with closing(Ledger(Path(folder))) as again:
            assert numbers(again.done("door", EPOCH)) == left
            assert recheck(again, store) == {}, "what is only awaited is not missing"
            if done:
                assert again.outboxes.of_unit("door")[0].highest == highest
            again.record(2, done=[("door", EPOCH, highest + 1, highest + 1)])
            came = {} if highest + 1 in stored else {("door", EPOCH): 1}
            assert recheck(again, store) == came, "it came, and is held against the store as any other"


def test_influxdb_is_looked_at_likewise(influx: Influx, tmp_path: Path) -> None:
    with closing(open_store(f"influxdb+{influx.url}/foyer")) as store, closing(Ledger(tmp_path)) as ledger:
        store.write([parcel(*(passage(seq) for seq in (*range(1, 41), 43, *range(60, 80))))])
        ledger.record(1, done=[("door", EPOCH, 1, 50), ("door", EPOCH, 58, 90), ("other", EPOCH, 1, 3)])
        assert recheck(ledger, store) == {("door", EPOCH): 2 + 7 + 2 + 11, ("other", EPOCH): 3}
        assert ledger.done("door", EPOCH).holes() == [(41, 42), (44, 59), (80, 90)]
        assert recheck(ledger, store) == {}


def held(store: Store) -> int:
    return store.tally(UNIT, EPOCH).get("passage", Tally(0, 0)).distinct


@pytest.mark.parametrize("by_hand", [False, True], ids=["restore", "another way, and recheck"])
def test_after_a_restore_the_unit_is_asked_for_what_came_since_the_backup(
    mosquitto: Mosquitto, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_hand: bool
) -> None:
    """Without an event of its own to show the hole: a report each minute is all that a quiet door sends."""
    monkeypatch.setattr(holes, "LOOK_EVERY_S", 0.05)
    url, saved = f"sqlite:{tmp_path}/store.db", tmp_path / "saved.db"
    sent = [event(seq) for seq in range(1, 41)]
    one = ready(make())
    with Unit(mosquitto) as unit:
        unit.send(*sent[:25])
        until(lambda: held(one.store) == 25, "stored")
        copying.backup(tmp_path / "store.db", saved)
        unit.send(*sent[25:])
        until(lambda: unit.done() == set(range(1, 41)), "acks")
        one.close()
        if by_hand:
            for file in tmp_path.glob("store.db*"):
                file.unlink()
            saved.rename(tmp_path / "store.db")
            told = foyer("recheck", "--state", tmp_path / "state", "--store", url)
            assert told.stdout == f"{UNIT} ({EPOCH}): not in the store, and will be asked for: 15\n", told
        else:
            told = foyer("restore", saved, "--store", url, "--replace")
            assert told.returncode == 0, told.stderr
        monkeypatch.setattr(holes, "WAIT_NS", (0, 0))
        two = ready(make())
        assert held(two.store) == 25
        unit.watches("front-beams")
        until(lambda: unit.commands, "command")
        assert unit.commands[0]["args"] == {"epoch": EPOCH, "ranges": [[26, 40]]}
        unit.send(*sent[25:])
        until(lambda: held(two.store) == 40, "all of it")
        until(lambda: not two.ledger.done(UNIT, EPOCH).holes(), "no hole")


def test_a_collector_looks_once_after_its_store_was_put_back_or_changed(tmp_path: Path) -> None:
    urls = [f"sqlite:{tmp_path}/{name}.db" for name in ("one", "two")]
    with closing(open_store(urls[0])) as one, closing(open_store(urls[1])) as two, closing(Ledger(tmp_path)) as ledger:
        one.write([parcel(passage(1))])
        ledger.record(1, done=[("door", EPOCH, 1, 2)])
        recheck_if_changed(ledger, one)  # made by an older Foyer, which named no store
        assert numbers(ledger.done("door", EPOCH)) == {1, 2}
        recheck_if_changed(ledger, one)
        assert numbers(ledger.done("door", EPOCH)) == {1, 2}
        recheck_if_changed(ledger, two)
        assert numbers(ledger.done("door", EPOCH)) == {3}
        assert ledger.store_identity() == identity(two) == urls[1]


def test_the_ledger_is_saved_while_a_collector_runs_and_brings_the_corrections_back(make: Make, tmp_path: Path) -> None:
    collector: Collector = ready(make())
    correction = Correction(kind="manual", hub="strood", start_ns=1, end_ns=2, visits=3)
    collector.ledger.corrections.add(correction, "Ann", "side door", 7)
    saved = tmp_path / "saved.sqlite"
    told = foyer("backup", "--state", tmp_path / "state", "-o", saved)
    assert (told.returncode, "complete and checked" in told.stderr) == (0, True), told.stderr
    assert foyer("backup", "--state", tmp_path / "state", "-o", saved).returncode == 2
    (tmp_path / "new").mkdir()
    saved.rename(tmp_path / "new" / "ledger.sqlite")
    with closing(Ledger(tmp_path / "new")) as ledger:
        assert [version.correction for version in ledger.corrections.active()] == [correction]
    for words in ((), ("--state", tmp_path / "state", "--store", "sqlite:x")):
        assert "give --store or --state" in foyer("backup", *words, "-o", tmp_path / "other").stderr
    assert "there is no ledger.sqlite" in foyer("backup", "--state", tmp_path, "-o", tmp_path / "other").stderr


def test_a_running_collectors_ledger_is_not_rechecked_from_outside(make: Make, tmp_path: Path) -> None:
    collector: Collector = ready(make())
    told = foyer("recheck", "--state", tmp_path / "state", "--store", collector.store.name)
    assert (told.returncode, "another process is using it" in told.stderr) == (2, True)
