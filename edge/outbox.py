"""Events on disk until the collector has them: an SQLite file that survives power cuts and stays within its bound.

An event gets its `seq` in the transaction that stores it, together with whatever its sensor and the agent must not
forget (`memos`): after a crash neither is ahead of the other. Only what is committed is ever published.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from edge.drafts import Draft, OutboxStats
from edge.dropping import DROP_ORDER
from edge.errors import StateError
from edge.eventfile import EventFile, OutboxSettings, Stored
from edge.resending import merged
from edge.setaside import salvage, set_aside
from firmware_cfg.times import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from edge.clock import Instant
    from edge.dating import Anchor, Dating
    from firmware_cfg.wire import Resent

log = logging.getLogger(__name__)

BUFFERED_MAX = 10_000
COMMIT_EVENTS_MAX = 500
RETRY_NS = 5 * NS_PER_S

_T = TypeVar("_T")

__all__ = ["Outbox", "OutboxSettings", "Stored"]


class Outbox:
    """The events of one unit. For one thread at a time; the folder's lock is its owner's business.

    Raises StateError where the folder cannot be used at the start, or is another unit's. Later trouble with the disk is
    logged, told by `trouble`, and retried; meanwhile events wait in a bounded buffer. A damaged file is set aside.
    """

    def __init__(self, folder: Path, unit: str, now: Instant, settings: OutboxSettings | None = None) -> None:
        self.settings = settings or OutboxSettings()
        self.trouble = ""
        self._path = folder / "outbox.db"
        self._unit = unit
        self._pending: deque[Draft] = deque()
        self._forgotten = 0
        """Drafts that the memory buffer could not hold; they never had a seq."""
        self._set_aside: list[str] = []
        self._damage: sqlite3.DatabaseError | None = None
        """Why the file is out of use, until it is replaced."""
        self._aside: Path | None = None
        """Where a damaged file was put that has no successor yet."""
        self._touched_ns: int | None = None
        self._last_commit_ns = now.mono_ns - self.settings.commit_ns
        self._retry_ns: int | None = None
        try:
            try:
                self._file = EventFile(self._path, self._unit, self.settings)
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                self._replace(now, error)
        except StateError:
            raise
        except (sqlite3.Error, OSError) as error:
            raise StateError(f"--state {folder}: {self._path.name} cannot be used ({error})") from error
        self.observe(now)

    @property
    def epoch(self) -> str:
        return self._file.epoch

    @property
    def epochs(self) -> list[str]:
        """Whose events are to be sent: its own, and before it those of outboxes that were set aside."""
        return [*self._file.leftovers.epochs, self.epoch]

    @property
    def dating(self) -> Dating:
        return self._file.dating

    # In

    def append(self, draft: Draft, now: Instant) -> None:
        """Take an event; it is stored by the next `commit`."""
        if len(self._pending) >= BUFFERED_MAX:
            self._forget_one()
        self._pending.append(draft)
        self.touch(now)
        if draft.urgent or len(self._pending) >= COMMIT_EVENTS_MAX:
            self._touched_ns = now.mono_ns - self.settings.commit_ns

    def touch(self, now: Instant) -> None:
        """Something has changed that should be on disk: commit within the usual time."""
        if self._touched_ns is None:
            self._touched_ns = now.mono_ns

    @property
    def due_ns(self) -> int | None:
        """When to call `commit`: at once after a pause, else so that commits are `commit_ns` apart."""
        if self._touched_ns is None:
            return None
        due_ns = min(self._touched_ns, self._last_commit_ns) + self.settings.commit_ns
        return due_ns if self._retry_ns is None else max(due_ns, self._retry_ns)

    @property
    def buffered(self) -> int:
        """How many events are not on disk yet."""
        return len(self._pending)

    def commit(self, now: Instant, memos: Mapping[str, Any]) -> bool:
        """Store all that is pending and the memos as they are; false where the disk refuses, and all is kept."""

        def store() -> bool:
            file = self._file
            file.begin()
            for draft in self._with_losses():
                file.insert(draft, now)
            changed = file.put_memos(memos)
            file.date(now)
            file.mark(now)
            file.dropped += self._forgotten
            file.trim(now)
            file.commit()
            file.memos.update(changed)
            return True

        if not self._try(store, now, instead=False):
            return False
        if self.trouble:
            log.warning("the outbox can be written again; %d events had waited in memory", len(self._pending))
        self.trouble, self._retry_ns, self._forgotten, self._touched_ns = "", None, 0, None
        self._pending.clear()
        self._last_commit_ns = now.mono_ns
        return True

    def settle(
        self,
        epoch: str,
        done: Iterable[tuple[int, int]],
        rejected: Iterable[tuple[int, str]],
        wall_ns: int,
        now: Instant,
    ) -> int:
        """The collector's word: `done` events may be forgotten, `rejected` ones are kept and not sent again.

        How many were rejected that were open until now.
        """
        if epoch != self.epoch:
            numbers = [*done, *((seq, seq) for seq, _ in rejected)]
            self._try(lambda: self._file.settle_leftovers(epoch, numbers), now, instead=None)
            self.touch(now)
            return 0
        to = (
            "UPDATE event SET status = ?, reason = ?, settled_ns = ? "
            "WHERE seq BETWEEN ? AND ? AND status = 0 AND t_ns IS NOT NULL"
        )
        refused = sum(self._change(now, to, 2, reason[:500], wall_ns, seq, seq) for seq, reason in rejected)
        for first, last in done:
            self._change(now, to, 1, None, wall_ns, first, last)
        return refused

    def reopen(self, epoch: str, ranges: Iterable[tuple[int, int]], now: Instant) -> Resent | None:
        """Open events again that the collector had; None where the file cannot be read now."""
        self.touch(now)
        return self._try(lambda: self._file.reopen(epoch, list(merged(ranges))), now, instead=None)

    def observe(self, now: Instant) -> None:
        """Look at the clock: events that waited for it are dated by the next commit."""
        self._record(self.dating.observe(now), now)
        if self._file.can_date(now):
            self.touch(now)

    def collector_says(self, wall_ns: int, now: Instant) -> None:
        """The collector's clock, for a unit whose own was never set."""
        self._record(self.dating.collector_says(wall_ns, now), now)

    # Out

    def memo(self, key: str) -> Any:
        """What was committed under `key`, or None."""
        text = self._file.memos.get(key)
        return None if text is None else json.loads(text)

    def window(self, epoch: str, limit: int, now: Instant) -> list[int]:
        """The oldest open events of an epoch that have a date, at most `limit`."""
        return self._try(lambda: self._file.window(epoch, limit), now, instead=[])

    def load(self, epoch: str, seqs: Sequence[int], now: Instant) -> list[Stored]:
        """The events of these numbers, oldest first."""
        return self._try(lambda: self._file.load(epoch, seqs), now, instead=[])

    def stats(self, now: Instant) -> OutboxStats:
        """What it holds; as far as is known where the file cannot be read."""
        unread = OutboxStats(self.epoch, self._file.next_seq - 1, 0, 0, 0, 0, self._file.dropped, 0)
        stats = self._try(self._file.stats, now, instead=unread)
        return replace(
            stats,
            open_=stats.open_ + len(self._pending),
            dropped=stats.dropped + self._forgotten,
            trouble=self.trouble,
        )

    def fullness(self, now: Instant) -> float:
        """The part of the bound that is in use; from 1.0 on the oldest events are dropped."""
        return self._try(lambda: self._file.fullness, now, instead=1.0)

    def take_set_aside(self) -> list[str]:
        """What happened to damaged files since the last call, a sentence each."""
        told, self._set_aside = self._set_aside, []
        return told

    def close(self, now: Instant, memos: Mapping[str, Any]) -> bool:
        """Store what is pending and close the file; false where something could not be stored."""
        stored = self.commit(now, memos)

        def close() -> bool:
            self._file.close(clean=stored)
            return stored

        return self._try(close, now, instead=False)

    # Inside

    def _record(self, anchor: Anchor | None, now: Instant) -> None:
        if anchor is not None:
            self._try(lambda: self._file.record(anchor), now, instead=None)
            self.touch(now)

    def _change(self, now: Instant, sql: str, *values: str | int | None) -> int:
        """A change that the next commit makes last; how many rows it touched."""
        self.touch(now)
        return self._try(lambda: self._file.change(sql, *values), now, instead=0)

    def _forget_one(self) -> None:
        """Make room in memory while the disk refuses: the oldest of the least precious kind goes."""
        ranks = {kind: rank for rank, kind in enumerate(DROP_ORDER)}
        index = min(range(len(self._pending)), key=lambda at: ranks[self._pending[at].kind])
        del self._pending[index]
        self._forgotten += 1

    def _with_losses(self) -> Iterator[Draft]:
        yield from self._pending
        if self._forgotten:
            last = self._pending[-1]
            detail = "the disk refused to store events and memory was full"
            fields = {"fault": "events_lost", "detail": detail, "count": self._forgotten}
            yield Draft("fault", last.when, last.hub, fields)

    def _try(self, work: Callable[[], _T], now: Instant, *, instead: _T) -> _T:
        """Do what may fail; where it does, keep everything, try again later, and go on with `instead`."""
        try:
            if self._damage is None:
                return work()
            self._replace(now, self._damage)
        except (sqlite3.ProgrammingError, sqlite3.InterfaceError):
            raise  # our own mistake
        except sqlite3.DatabaseError as error:
            self._failed(error, now)
        except OSError as error:
            self._complain(str(error), now)
        return instead

    def _failed(self, error: sqlite3.DatabaseError, now: Instant) -> None:
        if _is_damage(error):
            self._damage = error
            self._retry_ns = None
            self.touch(now)
            return
        self._file.rollback()
        self._complain(str(error), now)

    def _complain(self, why: str, now: Instant) -> None:
        self._retry_ns = now.mono_ns + RETRY_NS
        self.touch(now)
        if why != self.trouble:
            self.trouble = why
            log.error("%s cannot be used (%s); events wait in memory and it is tried again", self._path, why)

    def _replace(self, now: Instant, error: Exception) -> None:
        """Set a damaged file aside for people to look at, and begin a new epoch."""
        if self._aside is None:
            if hasattr(self, "_file"):
                with contextlib.suppress(sqlite3.Error):
                    self._file.close()
            self._aside = set_aside(self._path, now)
        self._file = EventFile(self._path, self._unit, self.settings)
        aside, self._aside, self._damage = self._aside, None, None
        try:
            kept = salvage(aside, self._file, now)
        except sqlite3.Error as refused:
            self._file.rollback()
            kept = f"what it holds could not be taken over ({refused})"
        sentence = f"the outbox was damaged ({error}); set aside as {aside.name}, a new one begun; {kept}"
        log.error("%s", sentence)
        self._set_aside.append(sentence)
        self.observe(now)
        self.touch(now)


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether the file itself is broken, rather than the disk unwilling."""
    return not isinstance(error, sqlite3.OperationalError) or "Could not decode" in str(error)
