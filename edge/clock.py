"""One clock a process. Only here is time read; every room inside takes it as an argument."""

from __future__ import annotations

import ctypes
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from firmware_cfg.times import NS_PER_S

_TIME_ERROR = 5  # adjtimex: nobody disciplines the kernel's clock
_SYNC_CHECK_NS = NS_PER_S


@dataclass(frozen=True, slots=True)
class Instant:
    """One reading of all of a clock; kept, it is the anchor that turns its boot's monotonic times into UTC."""

    boot: str
    mono_ns: int
    wall_ns: int
    synced: bool

    def wall_at(self, mono_ns: int) -> int:
        """UTC of another monotonic time of the same boot, as this reading sees it."""
        return self.wall_ns + mono_ns - self.mono_ns


class Clock(Protocol):
    """What the unit knows of time. `synced` means that the wall clock was set by somebody who knows."""

    @property
    def boot_id(self) -> str: ...

    def monotonic_ns(self) -> int: ...

    def wall_ns(self) -> int: ...

    def synced(self) -> bool: ...

    def real_s(self, duration_ns: int) -> float:
        """How long to sleep, in real seconds, until this clock has moved on by `duration_ns`."""
        ...


def read(clock: Clock) -> Instant:
    return Instant(clock.boot_id, clock.monotonic_ns(), clock.wall_ns(), clock.synced())


class SystemClock:
    """The machine's own clocks; the boot id is the kernel's, so that monotonic times of two boots are told apart.

    A `trusted` clock counts as synced whoever set it, as on a desk where recordings are fed; else `ask` says whether it
    is, and is asked once a second.
    """

    def __init__(self, *, trusted: bool = False, ask: Callable[[], bool] | None = None) -> None:
        self._trusted = trusted
        self._ask = ask or _machine_synced
        try:
            self.boot_id = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        except OSError:
            self.boot_id = str(uuid.uuid4())  # not Linux: a process is then a boot
        self._checked_ns = -_SYNC_CHECK_NS
        self._synced = False

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def wall_ns(self) -> int:
        return time.time_ns()

    def synced(self) -> bool:
        if self._trusted:
            return True
        now_ns = time.monotonic_ns()
        if now_ns - self._checked_ns >= _SYNC_CHECK_NS:
            self._checked_ns = now_ns
            self._synced = self._ask()
        return self._synced

    def real_s(self, duration_ns: int) -> float:
        return duration_ns / NS_PER_S


def _machine_synced() -> bool:
    return Path("/run/systemd/timesync/synchronized").exists() or _kernel_synced()


def _kernel_synced() -> bool:
    adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)
    if adjtimex is None:
        return False
    status: int = adjtimex(ctypes.create_string_buffer(512))  # all zero: only asks; larger than any struct timex
    return 0 <= status != _TIME_ERROR


class ManualClock:
    """A clock that stands still until told; for tests and simulated worlds. Safe to read from any thread."""

    def __init__(self, wall_ns: int = 0, *, mono_ns: int = 0, boot_id: str = "boot-1", synced: bool = True) -> None:
        self._lock = threading.Lock()
        self._boot_id = boot_id
        self._mono_ns = mono_ns
        self._wall_ns = wall_ns
        self._synced = synced

    @property
    def boot_id(self) -> str:
        return self._boot_id

    def monotonic_ns(self) -> int:
        with self._lock:
            return self._mono_ns

    def wall_ns(self) -> int:
        with self._lock:
            return self._wall_ns

    def synced(self) -> bool:
        with self._lock:
            return self._synced

    def real_s(self, duration_ns: int) -> float:
        """A thread that waits for a clock that others set looks again soon."""
        return 0.001 if duration_ns > 0 else 0.0

    def advance(self, duration_ns: int) -> None:
        with self._lock:
            self._mono_ns += duration_ns
            self._wall_ns += duration_ns

    def step_wall(self, by_ns: int) -> None:
        """The wall clock jumps, as when NTP arrives; monotonic time does not."""
        with self._lock:
            self._wall_ns += by_ns

    def set_synced(self, synced: bool) -> None:
        with self._lock:
            self._synced = synced

    def reboot(self, boot_id: str, *, wall_ns: int, synced: bool = False, mono_ns: int = 0) -> None:
        with self._lock:
            self._boot_id, self._mono_ns, self._wall_ns, self._synced = boot_id, mono_ns, wall_ns, synced


class ScaledClock:
    """Real time, `speed` times as fast, from a chosen beginning; counts as synced. For demonstrations."""

    def __init__(self, start_wall_ns: int, speed: float = 1.0) -> None:
        if speed <= 0:
            raise ValueError(f"speed {speed} is not above 0")
        self.boot_id = str(uuid.uuid4())
        self.speed = speed
        self._start_wall_ns = start_wall_ns
        self._start_ns = time.monotonic_ns()

    def monotonic_ns(self) -> int:
        return int((time.monotonic_ns() - self._start_ns) * self.speed)

    def wall_ns(self) -> int:
        return self._start_wall_ns + self.monotonic_ns()

    def synced(self) -> bool:
        return True

    def real_s(self, duration_ns: int) -> float:
        return duration_ns / self.speed / NS_PER_S
