from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from collector.ingest import DeadLetter
from collector.ledger import Ledger
from collector.ledger import letters as letters_module
from collector.ledger.database import SCHEMA, STEPS
from collector.ledger.letters import LETTER_BYTES_MAX
from collector.store.base import StoreUnavailable
from firmware_cfg.errors import ConfigError

EPOCH = "0123456789abcdef"


def letter(seq: int, code: str = "place") -> DeadLetter:
    return DeadLetter("foyer/v1/a/b/events", b'{"seq": %d}' % seq, code, "because", "b", EPOCH, (seq,))


def test_all_is_there_after_a_restart(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "state")
    name = ledger.client_id
    ledger.record(7, dead=[letter(3)], done=[("b", EPOCH, 1, 4), ("b", EPOCH, 6, 9)], births=[("b", "s1")])
    ledger.close()
    again = Ledger(tmp_path / "state")
    assert again.client_id == name
    assert [(kept.t_ns, kept.letter) for kept in again.dead_letters()] == [(7, letter(3))]
    assert again.dead_counts() == {"place": 1}
    assert list(again.done("b", EPOCH)) == [(1, 4), (6, 9)]
    assert again.done("b", EPOCH).holes() == [(5, 5)]
    assert again.births() == {"b": "s1"}
    assert again.outboxes.known() == [("b", EPOCH)]
    again.record(8, done=[("b", EPOCH, 5, 5)])
    assert again.done("b", EPOCH).holes() == []
    again.close()


def test_a_letter_that_comes_again_is_kept_once(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    for now_ns in range(3):
        ledger.record(now_ns, dead=[letter(3), letter(4, "room")])
    assert len(ledger.dead_letters()) == 2
    assert ledger.dead_counts() == {"place": 1, "room": 1}
    ledger.close()


def test_letters_are_bounded_and_the_lost_ones_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letters_module, "DEAD_LETTERS_MAX", 5)
    ledger = Ledger(tmp_path)
    for seq in range(1, 21):
        ledger.record(seq, dead=[letter(seq)])
    assert [kept.letter.seqs for kept in ledger.dead_letters()] == [(20,), (19,), (18,), (17,), (16,)]
    assert ledger.dead_counts() == {"place": 20}
    ledger.close()


def test_letters_are_bounded_in_bytes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letters_module, "DEAD_BYTES_MAX", 25)
    for first in (1, 4):  # also over a restart
        ledger = Ledger(tmp_path)
        for seq in range(first, first + 3):
            ledger.record(seq, dead=[letter(seq)])  # of 10 bytes
        ledger.close()
    ledger = Ledger(tmp_path)
    assert [kept.letter.seqs for kept in ledger.dead_letters()] == [(6,), (5,)]
    assert ledger.dead_counts() == {"place": 6}
    ledger.close()


def test_a_letter_is_kept_whole_or_says_how_much_of_it_is(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    whole = DeadLetter("t", b"x" * LETTER_BYTES_MAX, "too_large", "too large")
    ledger.record(1, dead=[whole])
    long = [DeadLetter("t", b"x" * LETTER_BYTES_MAX + end, "too_large", "too large") for end in (b"1", b"2", b"2")]
    ledger.record(2, dead=long)
    second, first, kept = [kept.letter for kept in ledger.dead_letters()]
    assert kept == whole
    for cut in (first, second):  # told apart by what is not kept
        assert cut.payload == b"x" * LETTER_BYTES_MAX
        assert cut.reason == "too large (only the first 1048576 of its 1048577 bytes are kept)"
    ledger.close()


def test_what_was_not_written_is_not_remembered(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.record(1, done=[("b", EPOCH, 1, 1)])
    other = sqlite3.connect(tmp_path / "ledger.sqlite")
    other.execute("DROP TABLE done")
    other.commit()
    with pytest.raises(StoreUnavailable, match="ledger"):
        ledger.record(2, done=[("b", EPOCH, 2, 9)])
    other.execute("CREATE TABLE done (unit, epoch, ranges, holes_forgotten, PRIMARY KEY (unit, epoch))")
    other.commit()
    other.close()
    assert list(ledger.done("b", EPOCH)) == []
    ledger.close()


def test_a_newer_ledger_is_refused(tmp_path: Path) -> None:
    Ledger(tmp_path).close()
    with sqlite3.connect(tmp_path / "ledger.sqlite") as db:
        db.execute("PRAGMA user_version = 9")
    db.close()
    with pytest.raises(ConfigError, match="ledger has schema 9"):
        Ledger(tmp_path)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="--state"):
        Ledger(tmp_path / "file" / "state")


def test_an_older_ledger_becomes_one_of_today_with_all_that_is_in_it(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "ledger.sqlite") as db:
        for statement in STEPS[0]:
            db.execute(statement)
        db.execute("PRAGMA user_version = 1")
        db.execute("INSERT INTO done VALUES ('b', ?, '[[1, 4], [6, 9]]', 0)", (EPOCH,))
    db.close()
    ledger = Ledger(tmp_path)
    assert ledger.done("b", EPOCH).holes() == [(5, 5)]
    ledger.outboxes.lose("b", EPOCH, [(5, 5)])
    ledger.close()
    with sqlite3.connect(tmp_path / "ledger.sqlite") as db:
        assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA,)
    db.close()


def test_what_is_lost_for_good_is_no_hole_and_is_found_again_where_it_comes_after_all(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.record(1, done=[("b", EPOCH, 1, 4), ("b", EPOCH, 8, 9)])
    assert ledger.outboxes.incomplete() == [("b", EPOCH)]
    ledger.outboxes.lose("b", EPOCH, [(3, 6), (100, 200)])  # of what is stored, or not heard of yet, nothing is lost
    (state,) = ledger.outboxes.of_unit("b")
    assert (state.highest, state.missing, state.lost, state.holes, state.gone) == (9, 1, 2, ((7, 7),), ((5, 6),))
    ledger.close()
    ledger = Ledger(tmp_path)
    ledger.record(2, done=[("b", EPOCH, 6, 7)])
    (state,) = ledger.outboxes.of_unit("b")
    assert (state.missing, state.lost, state.gone) == (0, 1, ((5, 5),))
    ledger.close()
