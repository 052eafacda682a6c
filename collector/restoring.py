"""What a store has no more after it was put back from an older backup, or changed for another, is asked for again."""

from __future__ import annotations

import logging
import secrets
from pathlib import Path

from collector.holes import Outbox, Range, settle
from collector.ledger import Ledger
from collector.ranges import RangeSet
from collector.store.base import Store
from firmware_cfg.errors import ConfigError

_SQLITE = "sqlite:"

log = logging.getLogger("foyer.collector")


def mark(path: Path) -> None:
    """An embedded store is about to be put back: whoever writes into it is to look what it has. Raises ConfigError."""
    try:
        _mark_path(path).write_text(secrets.token_hex(8) + "\n", encoding="ascii")
    except OSError as error:
        raise ConfigError(f"{_mark_path(path)}: cannot be written: {error.strerror}") from error


def identity(store: Store) -> str:
    """Another one where the store is another, or was put back by `restore`."""
    scheme, _, path = store.name.partition(":")
    try:
        restored = _mark_path(Path(path)).read_text(encoding="ascii").strip() if scheme == "sqlite" else ""
    except FileNotFoundError:
        restored = ""
    return f"{store.name} {restored}".strip()


def _mark_path(path: Path) -> Path:
    return Path(f"{path}.restored")


def recheck(ledger: Ledger, store: Store) -> dict[Outbox, int]:
    """Hold what the ledger says is done against the store, and take back what that has not; how many of each outbox.

    They are holes from then on, and asked for. What was kept as a dead letter, or declared as dropped, is among them: a
    unit sends it once more, or says that it is gone. Raises StoreUnavailable; done again it goes on.
    """
    taken = {}
    for outbox in ledger.outboxes.known():
        missing = RangeSet()
        for each in ledger.outboxes.claimed(*outbox):
            _look(store, outbox, each, missing)
        if len(missing):
            ledger.outboxes.take_back(*outbox, missing)
            taken[outbox] = len(missing)
    return taken


def _look(store: Store, outbox: Outbox, claimed: Range, missing: RangeSet) -> None:
    left = [claimed]
    while left:
        here, gone = settle(store, outbox, left[:1])
        rest = RangeSet(left)
        for first, last in here:
            rest.remove(first, last)
        for first, last in gone:
            rest.remove(first, last)
            missing.add(first, last)
        left = list(rest)


def recheck_if_changed(ledger: Ledger, store: Store) -> None:
    """At the start of a collector: recheck where the store is not the one that the ledger knows. StoreUnavailable."""
    found = identity(store)
    known = ledger.store_identity()
    if known != found and (known or found != store.name):  # an older Foyer's ledger names none
        log.info("the store is another than before, or was put back: looking what it lacks", extra={"part": "holes"})
        for (unit, epoch), count in recheck(ledger, store).items():
            log.warning("missing of %s (%s), to be asked for again: %d", unit, epoch, count, extra={"part": "holes"})
    if known != found:
        ledger.keep_store_identity(found)
