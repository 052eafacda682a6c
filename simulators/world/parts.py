"""What the real code of unit and collector is given in this world: disk, clock, people, and a store that may fail."""

from __future__ import annotations

import resource
import shutil
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from collector.ingest import DeadLetter
from collector.ledger import Ledger
from collector.store.base import Parcel, Refused, StoreUnavailable
from collector.store.embedded import EmbeddedStore
from edge.clock import Instant
from edge.drafts import Mark, Noticed, Reading, SensorStats
from firmware_cfg.wire import Health
from simulators.world.timeline import Timeline

Danger = Callable[[str], None]
"""Asked at each step at which a process may die; raises PowerCut."""

_LOG_HEAD_BYTES, _FRAME_HEAD_BYTES = 32, 24


class PowerCut(BaseException):
    """The process is gone. Not an Exception: nothing in the code under test may catch it."""


class Disk:
    """A folder of which a crash leaves what was committed. `full` says whether writes fail now."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._number = 0
        self.full = False
        self.folder = root / "0"
        self.folder.mkdir(parents=True)

    def crash(self, chance: Random, *, torn: bool) -> None:
        """The files as they lie are what the next process finds, elsewhere; the dying one may go on with its own.

        `torn`: what was being written when the power went is rubbish behind the last commit.
        """
        self._number += 1
        old, self.folder = self.folder, self._root / str(self._number)
        with _written_up_to(resource.RLIM_INFINITY):  # it is we who copy, not the process
            shutil.copytree(old, self.folder, ignore=shutil.ignore_patterns("*-shm"))
            shutil.rmtree(old)
            if torn:
                for log in sorted(self.folder.rglob("*-wal")):
                    _tear(log, chance)

    @contextmanager
    def room(self) -> Iterator[None]:
        """Inside, the system refuses to write to files while the disk is `full`."""
        if not self.full:
            yield
            return
        with _written_up_to(0):
            yield


@contextmanager
def _written_up_to(size: int) -> Iterator[None]:
    """Inside, files of this process cannot be written beyond `size` bytes, as far as its hard limit allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard if size == resource.RLIM_INFINITY else size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _tear(log: Path, chance: Random) -> None:
    """Rubbish after the last frame of the log's present round, whose salts it may even have."""
    content = log.read_bytes()
    if len(content) < _LOG_HEAD_BYTES:
        return
    frame_bytes = _FRAME_HEAD_BYTES + struct.unpack(">I", content[8:12])[0]
    salts, end = content[16:24], _LOG_HEAD_BYTES
    while content[end + 8 : end + 16] == salts:
        end += frame_bytes
    head = struct.pack(">II", chance.randrange(1, 50), chance.choice((0, 20))) + salts
    with log.open("r+b") as file:
        file.seek(end)
        file.write(head + chance.randbytes(chance.randrange(2 * frame_bytes)))


class WorldClock:
    """A unit's clock: monotonic time since its boot, and a wall clock that is off by `error_ns`."""

    def __init__(self, timeline: Timeline, danger: Danger) -> None:
        self._timeline = timeline
        self._danger = danger
        self._boots = 0
        self.error_ns = 0
        self.is_synced = True
        self.reboot()

    def reboot(self) -> None:
        self._boots += 1
        self.boot_id = f"boot-{self._boots}"
        self._booted_ns = self._timeline.now_ns - self._timeline.between(1, 20)

    def monotonic_ns(self) -> int:
        self._danger("looks at the clock")
        return self._timeline.now_ns - self._booted_ns

    def wall_ns(self) -> int:
        return max(0, self._timeline.now_ns + self.error_ns)

    def synced(self) -> bool:
        return self.is_synced

    def real_s(self, duration_ns: int) -> float:
        """Nobody sleeps here."""
        del duration_ns
        return 0.0


class Walkers:
    """A driver whose people come at given times, each with a number; who was not committed comes again."""

    failed = False
    can_wait = False

    def __init__(self, name: str, memo: Any, times_ns: Sequence[int], timeline: Timeline, danger: Danger) -> None:
        self.name = name
        self._times_ns = times_ns
        self._timeline = timeline
        self._danger = danger
        self._next = int(memo or 0)

    def open(self, now: Instant) -> None:
        pass

    def poll(self, now: Instant) -> list[Reading | Noticed]:
        self._danger("polls")
        readings: list[Reading | Noticed] = []
        while self._next < len(self._times_ns) and self._times_ns[self._next] <= self._timeline.now_ns:
            direction = "in" if self._next % 2 == 0 else "out"
            fields = {"direction": direction, "persons": 1, "confidence": 0.9, "length_m": float(self._next)}
            readings.append(Reading("passage", Mark(now.boot, now.mono_ns), fields, persons_in=1))
            self._next += 1
        return readings

    def due_ns(self) -> int | None:
        return None  # whoever runs the unit knows when people come

    def memo(self) -> Any:
        self._danger("commits")
        return self._next

    def stats(self) -> SensorStats:
        return SensorStats(edges=4 * self._next)

    def close(self) -> None:
        pass

    @property
    def finished(self) -> bool:
        return self._next == len(self._times_ns)


class WorldStore(EmbeddedStore):
    """The embedded store, behind something that may fail before or after it has written."""

    def __init__(self, path: Path, danger: Danger) -> None:
        super().__init__(path)
        self._danger = danger
        self.away = False
        self.answers_lost = 0.0
        """The part of writes that are done and nobody is told."""
        self.in_runs = 0
        """Events that came in columns, resends among them."""
        self.chance = Random(0)  # noqa: S311 - a world, not a secret

    def write(self, parcels: Sequence[Parcel], reports: Sequence[Health] = ()) -> list[Refused]:
        self._danger("is about to store")
        if self.away:
            raise StoreUnavailable("it is away")
        self.in_runs += sum(len(run.seq) for parcel in parcels for run in parcel.runs)
        refused = self.put(parcels, reports)
        self._danger("has stored")
        if self.chance.random() < self.answers_lost:
            raise StoreUnavailable("its answer was lost")
        return refused

    def put(self, parcels: Sequence[Parcel], reports: Sequence[Health]) -> list[Refused]:
        """The write itself; worlds with a planted bug have their own."""
        return super().write(parcels, reports)


class WorldLedger(Ledger):
    """The ledger, at whose every write the collector may die."""

    def __init__(self, folder: Path, danger: Danger) -> None:
        super().__init__(folder)
        self._danger = danger

    def record(
        self,
        now_ns: int,
        *,
        dead: Sequence[DeadLetter] = (),
        done: Iterable[tuple[str, str, int, int]] = (),
        births: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._danger("is about to note")
        super().record(now_ns, dead=dead, done=done, births=births)
        self._danger("has noted")
