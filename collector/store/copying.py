"""Whole stores: saved, put back, and carried over into another one."""

from __future__ import annotations

import fcntl
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from collector.store import embedded_schema as schema
from collector.store.base import HealthRow, Parcel, Store, Stored
from collector.store.embedded import in_use_path
from firmware_cfg.errors import ConfigError
from firmware_cfg.wire import KINDS, Event, Health

_SUM_BITS = 64
_BESIDE = ("", "-wal", "-shm")
"""What SQLite keeps of a database."""


@dataclass(frozen=True, slots=True)
class Sum:
    """How many there are, and a checksum in which their order does not matter."""

    count: int = 0
    checksum: int = 0

    def plus(self, texts: Iterable[str]) -> Sum:
        count, checksum = self.count, self.checksum
        for text in texts:
            count += 1
            checksum += int.from_bytes(blake2b(text.encode(), digest_size=_SUM_BITS // 8).digest())
        return Sum(count, checksum % (1 << _SUM_BITS))


@dataclass(frozen=True, slots=True)
class Compared:
    """What two stores hold of a kind (`health` among them)."""

    kind: str
    source: Sum
    target: Sum


def backup(path: Path, to: Path) -> int:
    """A consistent copy of an embedded store, which may be written to meanwhile; its size in bytes.

    `to` is there only when it is complete, checked and on the disk. ConfigError: `path` is no store, or `to` is there
    already or cannot be written. StoreUnavailable: the copy failed.
    """
    _must_be_there(path)
    if to.exists():
        raise ConfigError(f"{to}: is there already; give a new name")
    partial = to.with_name(f"{to.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        with closing(schema.connect(path)) as db:
            schema.copy(db, partial)
        schema.check(partial)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.rename(to)
        _sync_folder(to)
    except OSError as error:
        raise ConfigError(f"{to}: cannot be written: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
    return to.stat().st_size


def restore(file: Path, path: Path, *, replace: bool = False) -> Path | None:
    """Put a backup in the place of an embedded store; where the old one was moved to, if there was one.

    ConfigError: `file` is no whole backup; the store is there and not to be replaced; or a collector has it open.
    Either leaves everything as it was.
    """
    _must_be_there(file)
    schema.check(file)
    if path.exists() and not replace:
        raise ConfigError(f"{path}: is there already; with --replace it is moved aside")
    with in_use_path(path).open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(f"{path}: a collector has it open; stop that first") from error
        partial = path.with_name(f"{path.name}.partial")
        with closing(schema.connect(file)) as db:
            schema.copy(db, partial)
        aside = _move_aside(path)
        partial.rename(path)
        _sync_folder(path)
    return aside


def _must_be_there(path: Path) -> None:
    if not path.is_file():
        raise ConfigError(f"{path}: no such file")


def _move_aside(path: Path) -> Path | None:
    if not path.exists():
        return None
    number = 1
    while (aside := path.with_name(f"{path.name}.replaced-{number}")).exists():
        number += 1
    for suffix in reversed(_BESIDE):  # the database last: without it the others are nothing
        part = Path(f"{path}{suffix}")
        if part.exists():
            part.rename(f"{aside}{suffix}")
    return aside


def _sync_folder(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def carry_over(source: Store, target: Store) -> Iterator[str]:
    """Write everything of one store into another; a sentence for each event that the other refuses, and each kind.

    What is there already stays as it is, so that it can be done again after a failure.
    """
    for kind in KINDS:
        count = 0
        for page in source.scan(kind):
            count += len(page)
            for refused in target.write(_parcels(page)):
                seq = "" if isinstance(refused.event, Health) else refused.event.seq
                yield f"{kind} {refused.unit}/{refused.epoch}/{seq} is refused: {refused.reason}"
        yield f"{kind}: {count:,} carried over"
    count = 0
    for rows in source.scan_health():
        count += len(rows)
        target.put_health(rows)
    yield f"health: {count:,} rows carried over"


def _parcels(page: Iterable[Stored]) -> list[Parcel]:
    found: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for stored in page:
        found[stored.unit, stored.epoch].append(stored.event)
    return [Parcel(unit, epoch, events) for (unit, epoch), events in found.items()]


def compare(source: Store, target: Store) -> Iterator[Compared]:
    """Count and checksum of each kind in both, read back from both."""
    for kind in KINDS:
        sums = [_sum(_event_text(stored) for page in store.scan(kind) for stored in page) for store in (source, target)]
        yield Compared(kind, *sums)
    sums = [_sum(_row_text(row) for rows in store.scan_health() for row in rows) for store in (source, target)]
    yield Compared("health", *sums)


def _sum(texts: Iterable[str]) -> Sum:
    return Sum().plus(texts)


def _event_text(stored: Stored) -> str:
    return f"{stored.unit} {stored.epoch} {stored.event.model_dump_json(by_alias=True)}"


def _row_text(row: HealthRow) -> str:
    return repr((row.hub, row.unit, row.sensor, row.t_ns, row.values))


def as_table(found: Sequence[Compared]) -> Iterator[str]:
    yield f"{'kind':<8} {'from':>13} {'to':>13}  {'checksum from':<16}  {'checksum to':<16}"
    for each in found:
        verdict = "equal" if each.source == each.target else "DIFFERENT"
        checksums = f"{each.source.checksum:016x}  {each.target.checksum:016x}"
        yield f"{each.kind:<8} {each.source.count:>13,} {each.target.count:>13,}  {checksums}  {verdict}"
