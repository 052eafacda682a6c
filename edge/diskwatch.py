"""What a unit tells of its disk: that it refused for a while, that it is slow. Pure: times are arguments."""

from __future__ import annotations

from firmware_cfg.times import NS_PER_S

SLOW_NS = NS_PER_S * 9 // 10
SLOW_AGAIN_NS = 3600 * NS_PER_S


class DiskWatch:
    """Sentences for faults. While the disk refuses no fault can be stored: health reports tell it then."""

    def __init__(self) -> None:
        self._refused_since_ns: int | None = None
        self._why = ""
        self._slowest_ns = 0
        self._told_slow_ns: int | None = None

    @property
    def refuses(self) -> bool:
        return self._refused_since_ns is not None

    def looked(self, trouble: str, now_ns: int) -> str | None:
        """Told each second why the disk refuses, or nothing; a sentence once it takes events again."""
        if trouble:
            self._why = trouble
            if self._refused_since_ns is None:
                self._refused_since_ns = now_ns
            return None
        if self._refused_since_ns is None:
            return None
        lasted_s = (now_ns - self._refused_since_ns) / NS_PER_S
        self._refused_since_ns = None
        return f"for {lasted_s:.0f} s the disk took no events ({self._why}); they waited in memory"

    def stored(self, took_ns: int) -> None:
        """How long it took to store something."""
        self._slowest_ns = max(self._slowest_ns, took_ns)

    def slow(self, now_ns: int) -> str | None:
        """A sentence where the disk is slow, at most once an hour."""
        if self._slowest_ns < SLOW_NS:
            return None
        if self._told_slow_ns is not None and now_ns - self._told_slow_ns < SLOW_AGAIN_NS:
            return None
        took_s, self._slowest_ns, self._told_slow_ns = self._slowest_ns / NS_PER_S, 0, now_ns
        return f"it took {took_s:.1f} s to store events; the disk is worn or busy, a card like that should be replaced"
