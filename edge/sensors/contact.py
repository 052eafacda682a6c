"""A slow contact such as a reed switch: its first change counts at once, its bouncing does not count."""

from __future__ import annotations

from collections import deque

from firmware_cfg.times import NS_PER_MS, NS_PER_S

SETTLE_NS = 50 * NS_PER_MS
CHATTER_CHANGES, CHATTER_NS = 20, 60 * NS_PER_S


class Contact:
    """What a contact says, from the edges of its line. Times must not run backwards.

    A change is taken at its own time; what follows within `SETTLE_NS` is bouncing, and what the line says at the end
    of it is taken then. A contact that changes `CHATTER_CHANGES` times within `CHATTER_NS` says nothing.
    """

    def __init__(self) -> None:
        self.closed: bool | None = None
        self.since_ns = 0
        self.heard_ns: int | None = None
        self._raw: bool | None = None
        self._settled_ns: int | None = None
        self._changes: deque[int] = deque(maxlen=CHATTER_CHANGES)

    def feed(self, t_ns: int, closed: bool) -> None:
        self.advance(t_ns)
        self.heard_ns = t_ns
        self._raw = closed
        if self._settled_ns is None and closed != self.closed:
            self._take(t_ns)

    def advance(self, now_ns: int) -> None:
        settled_ns = self._settled_ns
        if settled_ns is not None and now_ns >= settled_ns:
            self._settled_ns = None
            if self._raw != self.closed:
                self._take(settled_ns)
                self.advance(now_ns)

    def due_ns(self) -> int | None:
        """When `advance` has something to do, or chatter may be over."""
        quiet_ns = self._quiet_ns()
        times = [t_ns for t_ns in (self._settled_ns, quiet_ns) if t_ns is not None]
        return min(times, default=None)

    def chatters(self, now_ns: int) -> bool:
        quiet_ns = self._quiet_ns()
        return quiet_ns is not None and now_ns < quiet_ns

    def _quiet_ns(self) -> int | None:
        return self._changes[0] + CHATTER_NS if len(self._changes) == CHATTER_CHANGES else None

    def _take(self, t_ns: int) -> None:
        first = self.closed is None
        self.closed, self.since_ns = self._raw, t_ns
        self._settled_ns = t_ns + SETTLE_NS
        if not first:
            self._changes.append(t_ns)
