"""Reading an outbox file that is not ours to write: one that the agent uses, or a damaged one that was set aside."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import quote

from edge.dating import Anchor
from edge.dropping import DROP_ORDER
from edge.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHUNK_EVENTS = 1000
FAILURES_MAX = 20_000
"""So many reads may fail before the rest of a damaged file is given up."""
SEQ_GUESS = 1_000_000
"""Where a damaged file does not tell how far its numbers go."""

Status = Literal["open", "undated", "acked", "rejected"]
_STATUS: tuple[Status, ...] = ("open", "acked", "rejected")
_OF_RANK = """SELECT seq, kind, sensor, status, t_ns, clock, boot, mono_ns, made_ns, reason, body
FROM event WHERE rank = ? AND seq BETWEEN ? AND ? ORDER BY seq"""


@dataclass(frozen=True, slots=True)
class Kept:
    """An event as it lies in the file. `text` is the JSON that is sent; None while it has no date."""

    seq: int
    kind: str
    sensor: str
    status: Status
    t_ns: int | None
    boot: str | None
    mono_ns: int | None
    made_ns: int
    reason: str | None
    body: dict[str, Any]
    text: str | None


class OutboxReader:
    """What can be read of a file; it is never changed. Raises StateError where nothing can.

    `failures` counts the places that could not be read so far, `gave_up` that there were too many.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.failures = 0
        self.gave_up = False
        if not path.is_file():
            raise StateError(f"{path}: there is no such file")
        try:
            self._db = _opened(path)
            self._meta: dict[str, Any] = dict(self._rows("SELECT key, value FROM meta"))
            self._top = self._highest()
        except sqlite3.Error as error:
            raise StateError(f"{path}: nothing in it can be read ({error})") from error

    @property
    def unit(self) -> str | None:
        return self._meta.get("unit")

    @property
    def epoch(self) -> str | None:
        return self._meta.get("epoch")

    @property
    def dropped(self) -> int:
        return int(self._meta.get("dropped", 0))

    @property
    def max_seq(self) -> int:
        """The highest number given; of a damaged file the highest that can be read."""
        return int(self._meta.get("next_seq", self._top + 1)) - 1

    def memos(self) -> dict[str, str]:
        """JSON by key, as far as it can be read."""
        return {key: text for key, text in self._rows("SELECT key, value FROM memo") if _parsed(text) is not None}

    def anchors(self) -> list[Anchor]:
        return [Anchor(*row) for row in self._rows("SELECT boot, mono_ns, wall_ns, source FROM anchor ORDER BY id")]

    def leftovers(self) -> list[tuple[str, int, str]]:
        """Epoch, number and JSON of what an earlier damaged file had left."""
        rows = self._rows("SELECT epoch, seq, text FROM leftover ORDER BY epoch, seq")
        return [(epoch, seq, text) for epoch, seq, text in rows if _parsed(text) is not None]

    def events(self) -> Iterator[Kept]:
        """All that can be read, by number."""
        for first in range(1, self._top + 1, CHUNK_EVENTS):
            last = min(self._top, first + CHUNK_EVENTS - 1)
            rows = [row for rank in range(len(DROP_ORDER)) for row in self._range(rank, first, last)]
            for row in sorted(rows, key=lambda row: row[0]):
                kept = _kept(row)
                if kept is None:
                    self.failures += 1
                else:
                    yield kept

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows up to the first that cannot be read; none of a table that is not there."""
        rows: list[tuple[Any, ...]] = []
        try:
            for row in self._db.execute(sql):
                rows.append(row)  # noqa: PERF402 - those before the error are kept
        except sqlite3.DatabaseError as error:
            if "no such table" not in str(error):
                self.failures += 1
        return rows

    def _highest(self) -> int:
        known = self._meta.get("next_seq")
        if isinstance(known, int):
            return known - 1
        found = [row[0] for rank in range(len(DROP_ORDER)) for row in self._rows(_top_of(rank))]
        return max((seq for seq in found if isinstance(seq, int)), default=SEQ_GUESS if self.failures else 0)

    def _range(self, rank: int, first: int, last: int) -> list[tuple[Any, ...]]:
        """Rows of a rank; where a read fails, of the two halves, and so on."""
        if self.failures >= FAILURES_MAX:
            self.gave_up = True
            return []
        try:
            return self._db.execute(_OF_RANK, (rank, first, last)).fetchall()
        except sqlite3.DatabaseError:
            if first == last:
                self.failures += 1
                return []
        middle = (first + last) // 2
        return self._range(rank, first, middle) + self._range(rank, middle + 1, last)


def rendered(seq: int, t_ns: int, clock: str, body: str) -> str:
    """The JSON of an event, the same each time it is sent."""
    return f'{{"seq":{seq},"t_ns":{t_ns},"clock":"{clock}",{body[1:]}'


def _top_of(rank: int) -> str:
    return f"SELECT max(seq) FROM event WHERE rank = {rank}"  # noqa: S608 - a number


def _opened(path: Path) -> sqlite3.Connection:
    """Read-only; on a read-only disk as it lies, if nothing of it is in the log."""
    try:
        return _connected(path, "mode=ro")
    except sqlite3.OperationalError:
        log = path.with_name(path.name + "-wal")
        if log.exists() and log.stat().st_size:
            raise
        return _connected(path, "immutable=1")


def _connected(path: Path, how: str) -> sqlite3.Connection:
    db = sqlite3.connect(f"file:{quote(str(path))}?{how}", uri=True, isolation_level=None)
    db.execute("PRAGMA writable_schema = ON")  # else nothing is read of a file that is shorter than it should be
    db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return db


def _parsed(text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return None


def _kept(row: tuple[Any, ...]) -> Kept | None:
    """None where the row makes no sense."""
    seq, kind, sensor, status, t_ns, clock, boot, mono_ns, made_ns, reason, body_text = row
    body = _parsed(body_text)
    known = isinstance(body, dict) and kind == body.get("kind") and status in {0, 1, 2}
    if not known or not isinstance(t_ns, int | None) or (t_ns is None and not isinstance(mono_ns, int)):
        return None
    text = None if t_ns is None else rendered(seq, t_ns, clock, body_text)
    named: Status = "undated" if t_ns is None else _STATUS[status]
    return Kept(seq, kind, sensor, named, t_ns, boot, mono_ns, made_ns, reason, body, text)
