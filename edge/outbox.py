"""Events on disk until the collector has them: an SQLite file that survives power cuts and stays within its bound.

An event gets its `seq` in the transaction that stores it, together with whatever its sensor and the agent must not
forget (`memos`): after a crash neither is ahead of the other. Only what is committed is ever published.
"""

from __future__ import annotations

import contextlib
import json
import logging
import secrets
import sqlite3
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge import schema
from edge.dating import Anchor, Dating
from edge.drafts import Draft, Mark, OutboxStats
from edge.errors import StateError
from firmware_cfg.times import NS_PER_MS, NS_PER_S
from firmware_cfg.wire import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from edge.clock import Instant

log = logging.getLogger(__name__)

KEEP_ACKED_NS = 7 * 24 * 3600 * NS_PER_S
BUFFERED_MAX = 10_000
COMMIT_EVENTS_MAX = 500
DROP_EVENTS = 100
ANCHORS_MAX = 2000
RETRY_NS = 5 * NS_PER_S
PURGE_EVERY_NS = 3600 * NS_PER_S
DROP_ORDER: tuple[Kind, ...] = ("fault", "room", "cabinet", "audit", "counter", "passage")
DECLARATION = "outbox_dropped"


@dataclass(frozen=True, slots=True)
class OutboxSettings:
    """`durable=False` leaves out the disk's own caches, for simulations that never lose power."""

    limit_bytes: int = 256 * 1024 * 1024
    commit_ns: int = 200 * NS_PER_MS
    durable: bool = True


@dataclass(frozen=True, slots=True)
class Stored:
    """A committed event and its JSON, the same each time it is sent."""

    seq: int
    text: str


class Outbox:
    """The events of one unit. Not for several threads; the folder's lock is its owner's business.

    Raises StateError where the folder cannot be used at the start. Later trouble with the disk is logged, told by
    `trouble`, and retried; meanwhile events wait in a bounded memory buffer.
    """

    def __init__(self, folder: Path, now: Instant, settings: OutboxSettings | None = None) -> None:
        self.path = folder / "outbox.db"
        self.settings = settings or OutboxSettings()
        self.trouble = ""
        self.epoch = ""
        self._next_seq = 1
        self._dropped = 0
        self._pending: deque[Draft] = deque()
        self._forgotten = 0
        """Drafts that the memory buffer could not hold; they never had a seq."""
        self._set_aside_as: list[str] = []
        self._damage: sqlite3.DatabaseError | None = None
        self._written: dict[str, str] = {}
        self._touched_ns: int | None = None
        self._last_commit_ns = now.mono_ns - self.settings.commit_ns
        self._last_purge_ns = now.mono_ns
        self._retry_ns: int | None = None
        try:
            self._open(now)
        except sqlite3.OperationalError as error:
            raise StateError(f"--state {folder}: {self.path.name} cannot be used ({error})") from error
        except sqlite3.DatabaseError as error:
            try:
                self._replace(now, error)
            except (sqlite3.Error, OSError) as worse:
                raise StateError(f"--state {folder}: {self.path.name} is damaged and in the way ({worse})") from worse

    # What is put in

    def append(self, draft: Draft, now: Instant) -> None:
        """Take an event; it is stored by the next `commit`."""
        if len(self._pending) >= BUFFERED_MAX:
            self._forget_one()
        self._pending.append(draft)
        self.touch(now)
        if draft.urgent or len(self._pending) >= COMMIT_EVENTS_MAX:
            self._touched_ns = now.mono_ns - self.settings.commit_ns

    def touch(self, now: Instant) -> None:
        """Something other than an event has changed: commit within the usual time."""
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
        return len(self._pending)

    def commit(self, now: Instant, memos: Mapping[str, Any]) -> bool:
        """Store all that is pending and the memos as they are; false where the disk refuses, and all is kept."""
        before = self._next_seq, self._dropped
        if self._damage:
            self._failed(self._damage, now)
            return False
        try:
            self._begin()
            for draft in self._pending_with_losses():
                self._insert(draft, now)
            changed = self._put_memos(memos)
            self._date(now)
            self._trim(now)
            self._put("next_seq", self._next_seq)
            self._put("dropped", self._dropped + self._forgotten)
            self._db.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            self._next_seq, self._dropped = before
            self._failed(error, now)
            return False
        if self.trouble:
            log.warning("the outbox can be written again; %d events had waited in memory", len(self._pending))
        self._dropped += self._forgotten
        self.trouble, self._retry_ns, self._forgotten, self._touched_ns = "", None, 0, None
        self._pending.clear()
        self._written.update(changed)
        self._last_commit_ns = now.mono_ns
        return True

    # What is taken out

    def memo(self, key: str) -> Any:
        """What was committed under `key`, or None."""
        text = self._written.get(key)
        return None if text is None else json.loads(text)

    def window(self, limit: int) -> list[int]:
        """The oldest open events that have a date, at most `limit`."""
        rows = self._read("SELECT seq FROM event WHERE status = 0 AND t_ns IS NOT NULL ORDER BY seq LIMIT ?", limit)
        return [seq for (seq,) in rows]

    def load(self, seqs: Sequence[int]) -> list[Stored]:
        """The events of these numbers, oldest first."""
        marks = ",".join("?" * len(seqs))
        rows = self._read(
            f"SELECT seq, t_ns, clock, body FROM event WHERE seq IN ({marks}) ORDER BY seq",  # noqa: S608 - marks only
            *seqs,
        )
        return [
            Stored(seq, f'{{"seq":{seq},"t_ns":{t_ns},"clock":"{clock}",{body[1:]}') for seq, t_ns, clock, body in rows
        ]

    def settle(
        self, done: Iterable[tuple[int, int]], rejected: Iterable[tuple[int, str]], wall_ns: int, now: Instant
    ) -> None:
        """The collector's word: `done` events may be forgotten, `rejected` ones are kept and not sent again."""
        changes = [
            ("status = 2, reason = ?, settled_ns = ? WHERE seq = ?", (reason[:500], wall_ns, seq))
            for seq, reason in rejected
        ] + [
            ("status = 1, settled_ns = ? WHERE seq BETWEEN ? AND ?", (wall_ns, first, min(last, self._next_seq)))
            for first, last in done
        ]
        for change, values in changes:
            self._change(f"UPDATE event SET {change} AND status = 0 AND t_ns IS NOT NULL", values, now)  # noqa: S608 - the two above

    def reopen(self, first: int, last: int, now: Instant) -> int:
        """Open events again that the collector had; how many there still were."""
        return self._change(
            "UPDATE event SET status = 0, reason = NULL, settled_ns = NULL WHERE seq BETWEEN ? AND ? AND status <> 0",
            (first, min(last, self._next_seq)),
            now,
        )

    def stats(self) -> OutboxStats:
        by_status = dict(self._read("SELECT status, count(*) FROM event GROUP BY status"))
        undated = self._read("SELECT count(*) FROM event WHERE status = 0 AND t_ns IS NULL")
        oldest = self._read("SELECT made_ns FROM event WHERE status = 0 ORDER BY seq LIMIT 1")
        files = [self.path, self.path.with_name(self.path.name + "-wal")]
        return OutboxStats(
            epoch=self.epoch,
            max_seq=self._next_seq - 1,
            open_=by_status.get(0, 0) + len(self._pending),
            undated=undated[0][0] if undated else 0,
            acked=by_status.get(1, 0),
            rejected=by_status.get(2, 0),
            dropped=self._dropped + self._forgotten,
            bytes_=sum(file.stat().st_size for file in files if file.exists()),
            oldest_open_ns=oldest[0][0] if oldest else None,
        )

    @property
    def fullness(self) -> float:
        """The part of the bound that is in use; from 1.0 on the oldest events are dropped."""
        return self._used_pages() / self._pages_max

    def take_set_aside(self) -> list[str]:
        """What happened to damaged files since the last call, a sentence each."""
        told, self._set_aside_as = self._set_aside_as, []
        return told

    # Time

    def observe(self, now: Instant) -> None:
        """Look at the clock: events that waited for it are dated by the next commit."""
        self._record(self.dating.observe(now), now)
        if any(self.dating.utc(Mark(boot, 0), now) for boot in self._undated_boots):
            self.touch(now)

    def collector_says(self, wall_ns: int, now: Instant) -> None:
        """The collector's clock, for a unit whose own was never set."""
        self._record(self.dating.collector_says(wall_ns, now), now)

    def close(self, now: Instant, memos: Mapping[str, Any]) -> bool:
        """Store what is pending and close the file; false where something could not be stored."""
        stored = self.commit(now, memos)
        if stored:
            self._change("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", ("clean", 1), now)
            self._db.execute("COMMIT")
        self._db.close()
        return stored

    # Inside

    def _open(self, now: Instant) -> None:
        self._db = sqlite3.connect(self.path, isolation_level=None, timeout=5.0)
        try:
            self._pages_max = schema.prepare(self._db, self.settings.limit_bytes, durable=self.settings.durable)
            meta = dict(self._db.execute("SELECT key, value FROM meta").fetchall())
            if meta and not meta.get("clean") and self._db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                raise sqlite3.DatabaseError("its pages do not fit together")
            self._begin()
            meta = {"epoch": secrets.token_hex(8), "next_seq": 1, "dropped": 0, **meta, "clean": 0}
            for key, value in meta.items():
                self._put(key, value)
            self.epoch, self._next_seq, self._dropped = meta["epoch"], meta["next_seq"], meta["dropped"]
            self._written = dict(self._db.execute("SELECT key, value FROM memo").fetchall())
            self._undated_boots = self._read_undated_boots()
            self.dating = Dating(self._anchors())
            self._db.execute("COMMIT")
        except BaseException:
            self._db.close()
            raise
        self.observe(now)

    def _anchors(self) -> list[Anchor]:
        self._db.execute(
            "DELETE FROM anchor WHERE id < (SELECT max(id) FROM anchor) - ? "
            "AND boot NOT IN (SELECT boot FROM event WHERE t_ns IS NULL)",
            (ANCHORS_MAX,),
        )
        anchors = [
            Anchor(*row) for row in self._db.execute("SELECT boot, mono_ns, wall_ns, source FROM anchor ORDER BY id")
        ]
        # A boot lasted at least until its last event.
        known = {anchor.boot for anchor in anchors}
        rows = self._db.execute("SELECT boot, max(mono_ns) FROM event WHERE t_ns IS NULL GROUP BY boot")
        return anchors + [Anchor(boot, mono_ns, 0, "clock") for boot, mono_ns in rows if boot in known]

    def _read_undated_boots(self) -> set[str]:
        return {boot for (boot,) in self._db.execute("SELECT DISTINCT boot FROM event WHERE t_ns IS NULL")}

    def _begin(self) -> None:
        if not self._db.in_transaction:
            self._db.execute("BEGIN IMMEDIATE")

    def _read(self, sql: str, *values: int) -> list[Any]:
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.OperationalError as error:
            log.error("the outbox cannot be read: %s", error)  # noqa: TRY400 - for people, not for programmers
        except sqlite3.DatabaseError as error:
            self._damage = error  # the next commit sets the file aside
            self._retry_ns, self._touched_ns = None, self._last_commit_ns
        return []

    def _change(self, sql: str, values: tuple[str | int, ...], now: Instant) -> int:
        """A change that the next commit makes last; how many rows it touched."""
        try:
            self._begin()
            changed = self._db.execute(sql, values).rowcount
        except sqlite3.DatabaseError as error:
            self._failed(error, now)
            return 0
        self.touch(now)
        return changed

    def _put(self, key: str, value: str | int) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))

    def _put_memos(self, memos: Mapping[str, Any]) -> dict[str, str]:
        texts = {key: json.dumps(value, separators=(",", ":")) for key, value in memos.items()}
        changed = {key: text for key, text in texts.items() if self._written.get(key) != text}
        self._db.executemany("INSERT OR REPLACE INTO memo (key, value) VALUES (?, ?)", changed.items())
        return changed

    def _record(self, anchor: Anchor | None, now: Instant) -> None:
        if anchor is not None:
            values = (anchor.boot, anchor.mono_ns, anchor.wall_ns, anchor.source)
            self._change("INSERT INTO anchor (boot, mono_ns, wall_ns, source) VALUES (?, ?, ?, ?)", values, now)

    def _insert(self, draft: Draft, now: Instant) -> None:
        body = json.dumps(draft.body(), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        when = draft.when
        mark = when if isinstance(when, Mark) else None
        t_ns, clock = (when, "synced") if isinstance(when, int) else self.dating.utc(when, now) or (None, None)
        if t_ns is not None:
            t_ns = self._unique(draft.sensor, draft.kind, t_ns)
        elif mark:
            self._undated_boots.add(mark.boot)
        self._db.execute(
            "INSERT INTO event (seq, kind, sensor, t_ns, clock, boot, mono_ns, made_ns, body) VALUES (?,?,?,?,?,?,?,?,?)",
            (
                self._next_seq,
                draft.kind,
                draft.sensor,
                t_ns,
                clock,
                mark.boot if mark else None,
                mark.mono_ns if mark else None,
                now.wall_ns,
                body,
            ),
        )
        self._next_seq += 1

    def _date(self, now: Instant) -> None:
        """Date what has waited for its boot to be dated; from then on it can be sent and is never dated again."""
        for boot in list(self._undated_boots):
            if self.dating.utc(Mark(boot, 0), now) is None:
                continue
            rows = self._db.execute(
                "SELECT seq, sensor, kind, mono_ns FROM event WHERE t_ns IS NULL AND boot = ? ORDER BY seq", (boot,)
            ).fetchall()
            for seq, sensor, kind, mono_ns in rows:
                dated = self.dating.utc(Mark(boot, mono_ns), now)
                if dated:
                    t_ns = self._unique(sensor, kind, dated[0])
                    self._db.execute("UPDATE event SET t_ns = ?, clock = ? WHERE seq = ?", (t_ns, dated[1], seq))
            self._undated_boots.discard(boot)

    def _unique(self, sensor: str, kind: str, t_ns: int) -> int:
        """The first ns from `t_ns` on that no event of that sensor and kind has."""
        t_ns = max(t_ns, 0)
        taken = self._db.execute(
            "SELECT t_ns FROM event WHERE sensor = ? AND kind = ? AND t_ns >= ? ORDER BY t_ns", (sensor, kind, t_ns)
        )
        for (other_ns,) in taken:
            if other_ns > t_ns:
                break
            t_ns += 1
        return t_ns

    # Bounds

    def _used_pages(self) -> int:
        pages: int = self._db.execute("PRAGMA page_count").fetchone()[0]
        free: int = self._db.execute("PRAGMA freelist_count").fetchone()[0]
        return pages - free

    def _trim(self, now: Instant) -> None:
        """Forget acked events after seven days; where the bound is reached, acked ones at once and then open ones."""
        if now.mono_ns - self._last_purge_ns >= PURGE_EVERY_NS:
            self._last_purge_ns = now.mono_ns
            oldest_ns = self.dating.wall_ns(now) - KEEP_ACKED_NS
            self._db.execute("DELETE FROM event WHERE status = 1 AND settled_ns < ?", (oldest_ns,))
        if self._used_pages() <= self._pages_max:
            return
        target = self._pages_max - max(4, self._pages_max // 100)
        while self._used_pages() > target and self._delete_settled():
            pass
        lost: list[tuple[int, str]] = []
        while self._used_pages() > target and (chunk := self._delete_open()):
            lost += chunk
        if lost:
            self._declare(lost, now)

    def _delete_settled(self) -> int:
        return self._db.execute(
            "DELETE FROM event WHERE seq IN "
            "(SELECT seq FROM event WHERE status <> 0 ORDER BY status, settled_ns LIMIT ?)",
            (DROP_EVENTS,),
        ).rowcount

    def _delete_open(self) -> list[tuple[int, str]]:
        for kind in DROP_ORDER:
            rows = self._db.execute(
                "SELECT seq, body FROM event WHERE status = 0 AND kind = ? ORDER BY seq LIMIT ?", (kind, DROP_EVENTS)
            ).fetchall()
            if rows:
                self._db.executemany("DELETE FROM event WHERE seq = ?", [(seq,) for seq, _ in rows])
                return rows
        return []

    def _declare(self, lost: list[tuple[int, str]], now: Instant) -> None:
        """One fault says what was dropped, earlier such faults that were themselves dropped included."""
        bodies = [json.loads(body) for _, body in lost if f'"fault":"{DECLARATION}"' in body]
        seqs = [seq for seq, _ in lost]
        first = min([*seqs, *(body["first_seq"] for body in bodies)])
        last = max([*seqs, *(body["last_seq"] for body in bodies)])
        self._dropped += len(lost)
        log.error("the outbox is full: %d events between %d and %d were dropped", len(lost), first, last)
        fields = {
            "fault": DECLARATION,
            "detail": f"the outbox reached its {self.settings.limit_bytes // 1024} KiB",
            "count": len(lost) + sum(body["count"] for body in bodies),
            "first_seq": first,
            "last_seq": last,
        }
        self._insert(Draft("fault", Mark(now.boot, now.mono_ns), json.loads(lost[0][1])["hub"], fields), now)

    def _forget_one(self) -> None:
        """Make room in memory while the disk refuses: the oldest of the least precious kind goes."""
        ranks = {kind: rank for rank, kind in enumerate(DROP_ORDER)}
        index = min(range(len(self._pending)), key=lambda at: ranks[self._pending[at].kind])
        del self._pending[index]
        self._forgotten += 1

    def _pending_with_losses(self) -> Iterator[Draft]:
        yield from self._pending
        if self._forgotten:
            last = self._pending[-1]
            detail = "the disk refused to store events and memory was full"
            yield Draft(
                "fault", last.when, last.hub, {"fault": "events_lost", "detail": detail, "count": self._forgotten}
            )

    # Trouble

    def _failed(self, error: sqlite3.DatabaseError, now: Instant) -> None:
        """Keep everything and try again later; a file that is damaged is put out of the way."""
        if not isinstance(error, sqlite3.OperationalError):
            self._replace(now, error)
            return
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        self._undated_boots |= {draft.when.boot for draft in self._pending if isinstance(draft.when, Mark)}
        self._retry_ns = now.mono_ns + RETRY_NS
        self.touch(now)
        if str(error) != self.trouble:
            self.trouble = str(error)
            log.error(
                "the outbox %s cannot be written (%s); events wait in memory and are tried again", self.path, error
            )

    def _replace(self, now: Instant, error: Exception) -> None:
        """Set a damaged file aside for people to look at, and begin a new epoch."""
        with contextlib.suppress(AttributeError):  # it may be the opening that failed
            self._db.close()
        aside = self.path.with_name(f"{self.path.name}.damaged-{now.wall_ns}")
        for suffix in ("", "-wal", "-shm"):
            file = self.path.with_name(self.path.name + suffix)
            if file.exists():
                file.rename(aside.with_name(aside.name + suffix))
        sentence = f"the outbox was damaged ({error}); set aside as {aside.name}, a new one begun"
        log.error("%s", sentence)
        self._set_aside_as.append(sentence)
        self._damage = None
        self._open(now)
        self.touch(now)
