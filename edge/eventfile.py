"""The outbox's SQLite file: tables, dating, and the bound. Every method may raise `sqlite3.Error`.

Changes become last by `commit` and are undone by `rollback`; which of the two is `edge.outbox`'s decision.
"""

from __future__ import annotations

import json
import logging
import secrets
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.dating import Anchor, Dating
from edge.drafts import Draft, Mark, OutboxStats, When
from edge.dropping import DECLARATION, DROP_ORDER, Dropped, drop_open, drop_settled
from edge.errors import StateError
from edge.leftovers import Leftovers
from edge.outboxreader import rendered
from edge.resending import reopen
from edge.tables import SCHEMA_VERSION, TABLES
from firmware_cfg.times import NS_PER_MS, NS_PER_S
from firmware_cfg.wire import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edge.clock import Instant
    from edge.outboxreader import Kept
    from firmware_cfg.wire import Resent

log = logging.getLogger(__name__)

KEEP_ACKED_NS = 7 * 24 * 3600 * NS_PER_S
PURGE_EVERY_NS = 3600 * NS_PER_S
ANCHORS_MAX = 2000
"""Some six a boot are kept."""
_SPARE_ANCHORS = f"""
DELETE FROM anchor WHERE id NOT IN (
    SELECT min(id) FROM anchor GROUP BY boot, source UNION SELECT max(id) FROM anchor GROUP BY boot, source
) OR boot NOT IN (SELECT boot FROM event WHERE t_ns IS NULL)
AND id < (SELECT id FROM anchor ORDER BY id DESC LIMIT 1 OFFSET {ANCHORS_MAX})
"""  # noqa: S608 - a number
DECLARATION_BYTES = 512
"""At most, in its table and the indices."""


@dataclass(frozen=True, slots=True)
class OutboxSettings:
    """`durable=False` does not wait for the disk, for simulations that never lose power."""

    limit_bytes: int = 256 * 1024 * 1024
    commit_ns: int = 200 * NS_PER_MS
    durable: bool = True


@dataclass(frozen=True, slots=True)
class Stored:
    """A committed event and its JSON, the same each time it is sent."""

    seq: int
    text: str


class EventFile:
    """One open file, made where it is missing, of one unit for ever. For one thread at a time.

    Raises StateError where it is another unit's.
    """

    def __init__(self, path: Path, unit: str, settings: OutboxSettings) -> None:
        self.path = path
        self._settings = settings
        self._db = sqlite3.connect(path, isolation_level=None, timeout=5.0, check_same_thread=False)
        try:
            self._prepare()
            meta = dict(self._db.execute("SELECT key, value FROM meta").fetchall())
            self._check_owner(meta.get("unit", unit), unit)
            if meta and not meta.get("clean"):
                self._check_pages()
            self.begin()
            meta = {"unit": unit, "epoch": secrets.token_hex(8), "next_seq": 1, "dropped": 0, **meta, "clean": 0}
            for key, value in meta.items():
                self._put(key, value)
            self.epoch: str = meta["epoch"]
            self.next_seq: int = meta["next_seq"]
            self.dropped: int = meta["dropped"]
            self.memos: dict[str, str] = dict(self._db.execute("SELECT key, value FROM memo").fetchall())
            boots = self._db.execute("SELECT DISTINCT boot FROM event WHERE t_ns IS NULL")
            self._undated_boots: set[str] = {boot for (boot,) in boots}
            self._dated_boots: set[str] = set()
            if "last_boot" in meta:
                self.record(Anchor(meta["last_boot"], meta["last_mono_ns"], 0, "clock"))
            self.dating = Dating(self._anchors())
            self.leftovers = Leftovers(self._db)
            self._db.execute("COMMIT")
        except BaseException:
            self._db.close()
            raise
        self._kept = self.next_seq, self.dropped
        self._purged_ns: int | None = None

    # Transactions

    def begin(self) -> None:
        if not self._db.in_transaction:
            self._db.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        self._put("next_seq", self.next_seq)
        self._put("dropped", self.dropped)
        self._db.execute("COMMIT")
        self._kept = self.next_seq, self.dropped
        self._undated_boots -= self._dated_boots
        self._dated_boots.clear()
        self.leftovers.refresh()

    def rollback(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        self.next_seq, self.dropped = self._kept
        self._dated_boots.clear()

    def change(self, sql: str, *values: str | int | None) -> int:
        """Any one statement; how many rows it touched."""
        self.begin()
        return self._db.execute(sql, values).rowcount

    def close(self, *, clean: bool = False) -> None:
        if clean:
            self.begin()
            self._put("clean", 1)
            self.commit()
        self._db.close()

    # In

    def insert(self, draft: Draft, now: Instant) -> None:
        body = json.dumps(draft.body(), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        self._insert(draft.kind, draft.sensor, draft.when, body, now.wall_ns, now)

    def insert_undated(self, event: Kept, now: Instant) -> None:
        """An event of another file that was never published: it gets a number of this one."""
        body = json.dumps(event.body, separators=(",", ":"), ensure_ascii=False)
        kind = event.body["kind"]
        self._insert(kind, event.sensor, Mark(str(event.boot), event.mono_ns or 0), body, event.made_ns, now)

    def adopt(self, memos: Mapping[str, str], anchors: Iterable[Anchor]) -> None:
        """Go on from the memos and anchors of another file; for a file that is new."""
        self._db.executemany("INSERT OR REPLACE INTO memo (key, value) VALUES (?, ?)", memos.items())
        self.memos.update(memos)
        for anchor in anchors:
            self.record(anchor)
        self.dating = Dating(self._anchors())

    def _insert(self, kind: Kind, sensor: str, when: When, body: str, made_ns: int, now: Instant) -> None:
        mark = when if isinstance(when, Mark) else None
        t_ns, clock = (when, "synced") if isinstance(when, int) else self.dating.utc(when, now) or (None, None)
        if t_ns is not None:
            t_ns = self._unique(sensor, kind, t_ns)
        elif mark:
            self._undated_boots.add(mark.boot)
            self._dated_boots.discard(mark.boot)
        rank = DROP_ORDER.index(kind)
        boot, mono_ns = (mark.boot, mark.mono_ns) if mark else (None, None)
        self._db.execute(
            "INSERT INTO event (rank, seq, kind, sensor, t_ns, clock, boot, mono_ns, made_ns, body) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (rank, self.next_seq, kind, sensor, t_ns, clock, boot, mono_ns, made_ns, body),
        )
        self.next_seq += 1

    def put_memos(self, memos: Mapping[str, Any]) -> dict[str, str]:
        """Write the memos that have changed, and give them back, to go into `memos` once they are committed."""
        texts = {key: json.dumps(value, separators=(",", ":")) for key, value in memos.items()}
        changed = {key: text for key, text in texts.items() if self.memos.get(key) != text}
        self._db.executemany("INSERT OR REPLACE INTO memo (key, value) VALUES (?, ?)", changed.items())
        return changed

    def mark(self, now: Instant) -> None:
        """This boot lasted until now at least: what comes after it is not dated before."""
        self._put("last_boot", now.boot)
        self._put("last_mono_ns", now.mono_ns)

    def record(self, anchor: Anchor) -> None:
        self.change(
            "INSERT INTO anchor (boot, mono_ns, wall_ns, source) VALUES (?, ?, ?, ?)",
            anchor.boot,
            anchor.mono_ns,
            anchor.wall_ns,
            anchor.source,
        )

    def can_date(self, now: Instant) -> bool:
        """Whether events wait that `date` would date now."""
        return any(self.dating.utc(Mark(boot, 0), now) for boot in self._undated_boots)

    def date(self, now: Instant) -> None:
        """Date what has waited for its boot to be dated; from then on it can be sent and is never dated again."""
        for boot in sorted(self._undated_boots - self._dated_boots, key=self.dating.order):
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
            self._dated_boots.add(boot)

    # Out

    def window(self, epoch: str, limit: int) -> list[int]:
        if epoch != self.epoch:
            return self.leftovers.window(epoch, limit)
        rows = self._db.execute(
            "SELECT seq FROM event WHERE status = 0 AND t_ns IS NOT NULL ORDER BY seq LIMIT ?", (limit,)
        )
        return [seq for (seq,) in rows]

    def load(self, epoch: str, seqs: Sequence[int]) -> list[Stored]:
        if epoch != self.epoch:
            return [Stored(seq, _checked(seq, text)) for seq, text in self.leftovers.load(epoch, seqs)]
        marks = ",".join("?" * len(seqs))
        rows = self._db.execute(
            f"SELECT seq, t_ns, clock, body FROM event WHERE seq IN ({marks}) ORDER BY seq",  # noqa: S608 - marks only
            seqs,
        )
        return [Stored(seq, _checked(seq, rendered(seq, t_ns, clock, body))) for seq, t_ns, clock, body in rows]

    def settle_leftovers(self, epoch: str, ranges: Iterable[tuple[int, int]]) -> None:
        self.begin()
        for first, last in ranges:
            self.leftovers.settle(epoch, first, last)

    def reopen(self, epoch: str, ranges: Iterable[tuple[int, int]]) -> Resent:
        """Open again what is held in these ranges, which are in order and apart; what is not is gone for ever."""
        self.begin()
        return reopen(self._db, ranges) if epoch == self.epoch else self.leftovers.held(epoch, ranges)

    def stats(self) -> OutboxStats:
        settled = dict(
            self._db.execute("SELECT status, count(*) FROM event WHERE status <> 0 GROUP BY status").fetchall()
        )
        sendable, oldest_ns = self._count("status = 0 AND t_ns IS NOT NULL")
        undated, oldest_undated_ns = self._count("t_ns IS NULL")
        return OutboxStats(
            epoch=self.epoch,
            max_seq=self.next_seq - 1,
            open_=sendable + undated + self.leftovers.count(),
            undated=undated,
            acked=settled.get(1, 0),
            rejected=settled.get(2, 0),
            dropped=self.dropped,
            bytes_=sum(file.stat().st_size for file in self.files() if file.exists()),
            oldest_open_ns=min((ns for ns in (oldest_ns, oldest_undated_ns) if ns is not None), default=None),
        )

    def _count(self, where: str) -> tuple[int, int | None]:
        """How many events there are, and when the first of them was stored."""
        count = self._db.execute(f"SELECT count(*) FROM event WHERE {where}").fetchone()[0]  # noqa: S608 - from just above
        first = self._db.execute(f"SELECT made_ns FROM event WHERE {where} ORDER BY seq LIMIT 1").fetchone()  # noqa: S608 - see above
        return count, first[0] if first else None

    def files(self) -> list[Path]:
        return [self.path.with_name(self.path.name + suffix) for suffix in ("", "-wal", "-shm")]

    # The bound

    @property
    def fullness(self) -> float:
        return self._used_pages() / self._pages_max

    def trim(self, now: Instant) -> None:
        """Forget acked events after a week; where the bound is reached, acked ones at once and then open ones."""
        if self._purged_ns is None or now.mono_ns - self._purged_ns >= PURGE_EVERY_NS:
            self._purged_ns = now.mono_ns
            self._purge(now)
        if self._used_pages() <= self._pages_max:
            return
        target = self._pages_max - max(4, self._pages_max // 100)
        while self._used_pages() > target and drop_settled(self._db):
            pass
        self._drop_leftovers(target, now)
        lost, ranges = drop_open(
            self._db,
            lambda declarations: self._used_pages() + declarations * DECLARATION_BYTES // self._page_bytes > target,
        )
        if lost:
            self.dropped += len(lost)
            self._declare(ranges, json.loads(lost[0][1])["hub"], now)

    def _purge(self, now: Instant) -> None:
        """What the collector has had for a week by its clock and by ours: either may be set wrong for a while."""
        latest_ns = self._db.execute("SELECT max(settled_ns) FROM event WHERE status = 1").fetchone()[0] or 0
        oldest_ns = min(latest_ns, self.dating.wall_ns(now)) - KEEP_ACKED_NS
        self._db.execute("DELETE FROM event WHERE status = 1 AND settled_ns < ?", (oldest_ns,))
        self._db.execute(_SPARE_ANCHORS)

    def _drop_leftovers(self, target: int, now: Instant) -> None:
        gone: list[tuple[str, int, str]] = []
        while self._used_pages() > target and (some := self.leftovers.drop()):
            gone += some
        if gone:
            self.dropped += len(gone)
            where = f"from {gone[0][0]}/{gone[0][1]} to {gone[-1][0]}/{gone[-1][1]}"
            log.error("the outbox is full: %d events of one that was set aside were dropped, %s", len(gone), where)
            fields = {"fault": DECLARATION, "detail": f"of an outbox that was set aside, {where}", "count": len(gone)}
            self.insert(Draft("fault", Mark(now.boot, now.mono_ns), json.loads(gone[0][2])["hub"], fields), now)

    def _used_pages(self) -> int:
        pages: int = self._db.execute("PRAGMA page_count").fetchone()[0]
        free: int = self._db.execute("PRAGMA freelist_count").fetchone()[0]
        return pages - free

    def _declare(self, ranges: list[Dropped], hub: str, now: Instant) -> None:
        """Faults that say what was dropped, earlier such faults that were themselves dropped included."""
        for gone in ranges:
            log.error("the outbox is full: %d events from %d to %d were dropped", gone.count, gone.first, gone.last)
            fields = {
                "fault": DECLARATION,
                "detail": f"the outbox reached its {self._settings.limit_bytes // 1024} KiB",
                "count": gone.count,
                "first_seq": gone.first,
                "last_seq": gone.last,
            }
            self.insert(Draft("fault", Mark(now.boot, now.mono_ns), hub, fields), now)

    # Inside

    def _prepare(self) -> None:
        """Make the tables where they are missing. A third of the bound, at most 16 MiB, is for the log."""
        self._page_bytes: int = self._db.execute("PRAGMA page_size").fetchone()[0]
        log_bytes = min(self._settings.limit_bytes // 3, 16 * 1024 * 1024)
        self._pages_max: int = (self._settings.limit_bytes - log_bytes) // self._page_bytes
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute(f"PRAGMA synchronous = {'FULL' if self._settings.durable else 'OFF'}")
        self._db.execute(f"PRAGMA wal_autocheckpoint = {max(8, min(1000, log_bytes // 8 // self._page_bytes))}")
        self._db.execute(f"PRAGMA journal_size_limit = {log_bytes}")
        version: int = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise sqlite3.OperationalError(f"version {version} of this program wrote it; this is {SCHEMA_VERSION}")
        if version < SCHEMA_VERSION:
            self._db.executescript(f"BEGIN IMMEDIATE;{TABLES}PRAGMA user_version = {SCHEMA_VERSION};COMMIT;")

    def _check_owner(self, owner: str, unit: str) -> None:
        """A folder of before there was such a check belongs to who comes first."""
        if owner != unit:
            raise StateError(f"--state {self.path.parent} belongs to unit {owner}; give each unit its own folder")

    def _check_pages(self) -> None:
        """After a power cut the disk may have lied."""
        if self._db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("its pages do not fit together")

    def _anchors(self) -> list[Anchor]:
        self._db.execute(_SPARE_ANCHORS)
        rows = self._db.execute("SELECT boot, mono_ns, wall_ns, source FROM anchor ORDER BY id")
        anchors = [Anchor(*row) for row in rows]
        # A boot lasted at least until its last event.
        known = {anchor.boot for anchor in anchors}
        ends = self._db.execute("SELECT boot, max(mono_ns) FROM event WHERE t_ns IS NULL GROUP BY boot").fetchall()
        return anchors + [Anchor(boot, mono_ns, 0, "clock") for boot, mono_ns in ends if boot in known]

    def _put(self, key: str, value: str | int) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))

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


def _checked(seq: int, text: str) -> str:
    """A body that the disk has garbled would spoil the message it goes in, for ever."""
    try:
        json.loads(text)
    except ValueError as error:
        raise sqlite3.DatabaseError(f"event {seq} is garbled") from error
    return text
