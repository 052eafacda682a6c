"""The newest of what arrives in any order."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from firmware_cfg.wire import Event

Key = tuple[int, str, int]
"""Orders events of one series for ever: time, and where that is the same, identity."""

T = TypeVar("T")


def key_of(epoch: str, event: Event) -> Key:
    return event.t_ns, epoch, event.seq


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    key: Key
    value: T

    @property
    def t_ns(self) -> int:
        return self.key[0]


class Recent(Generic[T]):
    """The `limit` newest entries of a series: the same ones in whatever order, and however often, they came."""

    __slots__ = ("_entries", "_limit")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: list[Entry[T]] = []  # oldest first

    def add(self, key: Key, value: T) -> bool:
        """False where it was known already, or is older than all that is kept."""
        entries = self._entries
        at = bisect_left(entries, key, key=lambda entry: entry.key)
        if (at < len(entries) and entries[at].key == key) or (at == 0 and len(entries) == self._limit):
            return False
        entries.insert(at, Entry(key, value))
        if len(entries) > self._limit:
            del entries[0]
        return True

    @property
    def newest(self) -> Entry[T] | None:
        return self._entries[-1] if self._entries else None

    def __reversed__(self) -> Iterator[Entry[T]]:
        return reversed(self._entries)
