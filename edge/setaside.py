"""What becomes of a damaged outbox file: it is put aside under a dated name, and what can be read of it goes on."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from edge.errors import StateError
from edge.outboxreader import OutboxReader
from firmware_cfg.times import NS_PER_S

if TYPE_CHECKING:
    from pathlib import Path

    from edge.clock import Instant
    from edge.eventfile import EventFile

log = logging.getLogger(__name__)

SET_ASIDE_MAX = 4
"""A failing disk must not be filled with damaged files: of more than these the oldest goes."""
SUFFIXES = ("", "-wal", "-shm")


def set_aside(path: Path, now: Instant) -> Path:
    """Rename a file and what belongs to it; its new path, with the date in it. Raises OSError."""
    stamp = datetime.fromtimestamp(max(0, now.wall_ns) // NS_PER_S, UTC).strftime("%Y%m%dT%H%M%SZ")
    dated = f"{path.name}.damaged-{stamp}"
    before = [file.name for file in all_set_aside(path) if file.name.startswith(dated)]
    numbers = [int(name[len(dated) + 1 :] or 1) for name in before]
    aside = path.with_name(f"{dated}-{max(numbers) + 1}" if numbers else dated)
    for suffix in reversed(SUFFIXES):
        file = path.with_name(path.name + suffix)
        if file.exists():
            file.rename(aside.with_name(aside.name + suffix))
    for old in all_set_aside(path)[:-SET_ASIDE_MAX]:
        log.warning("%s is deleted: %d damaged files are kept", old, SET_ASIDE_MAX)
        for suffix in SUFFIXES:
            old.with_name(old.name + suffix).unlink(missing_ok=True)
    return aside


def all_set_aside(path: Path) -> list[Path]:
    """The damaged files that `path` has left, the oldest first."""
    found = (file for file in path.parent.glob(f"{path.name}.damaged-*") if not file.name.endswith(SUFFIXES[1:]))
    return sorted(found, key=lambda file: (file.stat().st_mtime_ns, file.name))


def salvage(aside: Path, file: EventFile, now: Instant) -> str:
    """Take over what can be read: memos, open events under their old names, and what never had a date. Says what.

    Raises sqlite3.Error where `file` cannot take it.
    """
    try:
        reader = OutboxReader(aside)
    except StateError:
        return "nothing in it could be read"
    with reader:
        file.begin()
        file.adopt(reader.memos(), reader.anchors())
        for epoch, seq, text in reader.leftovers():
            file.leftovers.add(epoch, [(seq, text)])
        open_ = undated = 0
        for event in reader.events():
            if event.status == "undated":
                file.insert_undated(event, now)
                undated += 1
            elif event.status == "open" and reader.epoch and event.text:
                file.leftovers.add(reader.epoch, [(event.seq, event.text)])
                open_ += 1
        file.commit()
        unread = f"; {reader.failures} places could not be read" if reader.failures else ""
        return f"{open_ + undated} of its events were still to be sent and are kept{unread}"
