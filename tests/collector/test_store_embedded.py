"""What holds for the embedded store alone: its file."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from collector_samples import EPOCH, parcel, passage

from collector.store import open_store
from collector.store.base import Tally
from firmware_cfg.errors import ConfigError


def test_embedded_made_by_a_newer_foyer_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(ConfigError, match="has schema 99, this Foyer knows 2: upgrade"):
        open_store(f"sqlite:{file}")


def test_embedded_in_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be used"):
        open_store(f"sqlite:{tmp_path}/nowhere/store.db")


def test_embedded_survives_being_copied_while_open(tmp_path: Path) -> None:
    """Durable on return: what another process sees in the files is all that was written."""
    store = open_store(f"sqlite:{tmp_path}/store.db")
    store.write([parcel(passage(1))])
    (tmp_path / "copy").mkdir()
    for file in tmp_path.glob("store.db*"):
        shutil.copy(file, tmp_path / "copy" / file.name)
    other = open_store(f"sqlite:{tmp_path}/copy/store.db")
    assert other.tally("door", EPOCH) == {"passage": Tally(1, 1)}
    other.close()
    store.close()
