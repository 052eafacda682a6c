"""Which UTC time a boot's monotonic time was.

A Pi has no battery clock: its wall clock is wrong until the time server answers, perhaps long after people came in.
Anchors (readings of all clocks at once) are kept, and times are worked out from them when they must be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from firmware_cfg.times import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.clock import Instant
    from edge.drafts import Mark

SYNC_WAIT_NS = 15 * 60 * NS_PER_S
ANCHOR_EVERY_NS = 10 * 60 * NS_PER_S
SAME_CLOCK_NS = NS_PER_MS
"""Two readings of the clocks differ by how long reading them takes; by more where the wall clock was set."""

Source = Literal["clock", "sync", "collector"]
Dated = tuple[int, Literal["synced", "unsynced"]]


@dataclass(frozen=True, slots=True)
class Anchor:
    """Monotonic and wall time of a boot at one moment, and who vouches for the latter: nobody, if `clock`."""

    boot: str
    mono_ns: int
    wall_ns: int
    source: Source


@dataclass(slots=True)
class _Boot:
    first_ns: int
    last_ns: int
    clock: Anchor | None = None
    """The first reading of a clock that nobody had set."""
    sync: Anchor | None = None
    hint: Anchor | None = None

    @property
    def start_ns(self) -> int | None:
        """UTC of monotonic zero, as well as it is known."""
        known = self.sync or self.hint
        return _zero_ns(known) if known else None


def _zero_ns(anchor: Anchor) -> int:
    """UTC of monotonic zero, as that reading has it."""
    return anchor.wall_ns - anchor.mono_ns


class Dating:
    """Works out UTC times. `anchors` are those recorded before, in the order of recording."""

    def __init__(self, anchors: Iterable[Anchor] = ()) -> None:
        self._boots: dict[str, _Boot] = {}
        self._recorded_ns: int | None = None
        for anchor in anchors:
            self._take(anchor)

    def observe(self, now: Instant) -> Anchor | None:
        """Look at the clock; gives back an anchor where it should be recorded, which is so seldom."""
        anchor = Anchor(now.boot, now.mono_ns, now.wall_ns, "sync" if now.synced else "clock")
        new_boot = now.boot not in self._boots
        changed = self._take(anchor)
        due = self._recorded_ns is None or now.mono_ns - self._recorded_ns >= ANCHOR_EVERY_NS
        if not (new_boot or due or changed):
            return None
        self._recorded_ns = now.mono_ns
        return anchor

    def is_set(self, now: Instant) -> bool:
        """Whether the wall clock was set since it was last observed."""
        sync = self._boots[now.boot].sync if now.boot in self._boots else None
        return now.synced and (sync is None or abs(now.wall_at(0) - _zero_ns(sync)) >= SAME_CLOCK_NS)

    def collector_says(self, wall_ns: int, now: Instant) -> Anchor | None:
        """The collector's idea of now, second best. Gives back an anchor to record, once a boot."""
        boot = self._boots.get(now.boot)
        if boot is None or boot.sync or boot.hint:
            return None
        anchor = Anchor(now.boot, now.mono_ns, wall_ns, "collector")
        self._take(anchor)
        return anchor

    def wall_ns(self, now: Instant) -> int:
        """The best that is known of the present time, for what has to be decided now."""
        boot = self._boots.get(now.boot)
        if not now.synced and boot and (known := boot.sync or boot.hint):
            return known.wall_ns + now.mono_ns - known.mono_ns
        return now.wall_ns

    def utc(self, mark: Mark, now: Instant) -> Dated | None:
        """UTC of a moment, or None while it is worth waiting for something better."""
        boot = self._boots.get(mark.boot)
        if boot is None:
            return None
        if boot.sync:
            return boot.sync.wall_ns + mark.mono_ns - boot.sync.mono_ns, "synced"
        ended = mark.boot != now.boot
        if boot.hint and (ended or now.mono_ns - boot.first_ns >= SYNC_WAIT_NS):
            return boot.hint.wall_ns + mark.mono_ns - boot.hint.mono_ns, "unsynced"
        return self._between(mark) if ended else None

    def order(self, boot: str) -> int:
        """Which boot came first, as far as they are known."""
        return list(self._boots).index(boot) if boot in self._boots else -1

    def zero(self, now: Instant) -> tuple[int, bool]:
        """The best that is known of UTC at the present boot's monotonic zero, and whether a time server vouches for it.

        It changes only when something better becomes known, or the clock is set.
        """
        boot = self._boots.get(now.boot)
        known = (boot.sync or boot.hint or boot.clock) if boot else None
        return (_zero_ns(known) if known else now.wall_ns - now.mono_ns), bool(boot and boot.sync)

    def _take(self, anchor: Anchor) -> bool:
        """Whether it tells another time of the boot than was vouched for."""
        boot = self._boots.setdefault(anchor.boot, _Boot(anchor.mono_ns, anchor.mono_ns))
        boot.first_ns = min(boot.first_ns, anchor.mono_ns)
        boot.last_ns = max(boot.last_ns, anchor.mono_ns)
        if anchor.source == "collector":
            boot.hint = anchor
        elif anchor.source == "clock":
            boot.clock = boot.clock or anchor
        elif boot.sync is None or abs(_zero_ns(anchor) - _zero_ns(boot.sync)) >= SAME_CLOCK_NS:
            boot.sync = anchor
            return True
        return False

    def _between(self, mark: Mark) -> Dated | None:
        """A boot that nobody ever dated lies between its neighbours; what is not known of the gaps is shared evenly.

        Before the first dated boot there is no earlier neighbour: boots then follow each other without a gap.
        """
        order = list(self._boots)
        here = order.index(mark.boot)
        after = next((index for index in range(here, len(order)) if self._start(order[index]) is not None), None)
        if after is None:
            return None
        latest_ns = self._start(order[after]) or 0
        before = next((index for index in range(here, -1, -1) if self._start(order[index]) is not None), None)
        unknown = [self._boots[name] for name in order[(-1 if before is None else before) + 1 : after]]
        lasted_ns = sum(boot.last_ns for boot in unknown)
        earliest_ns = latest_ns - lasted_ns
        if before is not None:
            neighbour = self._boots[order[before]]
            earliest_ns = (neighbour.start_ns or 0) + neighbour.last_ns
        gap_ns = max(0, latest_ns - earliest_ns - lasted_ns) // (len(unknown) + 1) if before is not None else 0
        start_ns = earliest_ns
        for boot in unknown:
            start_ns += gap_ns
            if boot is self._boots[mark.boot]:
                break
            start_ns += boot.last_ns
        return max(0, min(start_ns + mark.mono_ns, max(latest_ns, earliest_ns))), "unsynced"

    def _start(self, boot: str) -> int | None:
        return self._boots[boot].start_ns
