"""The world in one thread: nothing lost, nothing twice, every seed the same again; and bugs planted in it are found."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from collector.store.base import Parcel, Refused
from firmware_cfg.wire import Health
from simulators.world.faults import FAULTS
from simulators.world.parts import Disk, WorldStore
from simulators.world.run import run, small_fleet
from simulators.world.timeline import Stuck, Timeline

FLEET = small_fleet()
SEEDS = 120
FOUND_WITHIN = 60


def test_in_worlds_of_every_kind_of_fault_all_is_stored_once() -> None:
    verdicts = [run(seed, FLEET, people=(5, 25)) for seed in range(1, SEEDS + 1)]
    assert [verdict for verdict in verdicts if verdict.bad] == []
    assert {fault for verdict in verdicts for fault in verdict.faults} == set(FAULTS)
    assert sum(verdict.stored for verdict in verdicts) > 10 * SEEDS
    assert sum(verdict.in_runs for verdict in verdicts) > SEEDS


def test_a_seed_is_the_same_world_in_another_process() -> None:
    """Sets and names that the code draws are in another order there."""
    printed = {
        subprocess.run(
            [sys.executable, "-m", "simulators.world", "--seeds", "1", "--first", "2"],
            env={**os.environ, "PYTHONHASHSEED": order},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.splitlines()[-1]
        for order in ("1", "2")
    }
    assert printed == {f"digest {run(2, FLEET).digest}"}
    assert run(2, FLEET).digest != run(3, FLEET).digest


class AcksBeforeItStores(WorldStore):
    """Says that it has stored what it stores with the next write."""

    def __init__(self, path: Path, danger: object) -> None:
        super().__init__(path, danger)  # type: ignore[arg-type]  # passed through as it came
        self._late: Sequence[Parcel] = ()

    def put(self, parcels: Sequence[Parcel], reports: Sequence[Health]) -> list[Refused]:
        late, self._late = self._late, parcels
        return super().put(late, reports)


class KnowsNothingAgain(WorldStore):
    """Takes what comes again for something new: each write has nanoseconds of its own."""

    writes = 0

    def put(self, parcels: Sequence[Parcel], reports: Sequence[Health]) -> list[Refused]:
        KnowsNothingAgain.writes += 1
        late = [
            Parcel(
                parcel.unit,
                parcel.epoch,
                [event.model_copy(update={"t_ns": event.t_ns + self.writes}) for event in parcel.events],
            )
            for parcel in parcels
        ]
        return super().put(late, reports)


@pytest.mark.parametrize(("planted", "what"), [(AcksBeforeItStores, "lost"), (KnowsNothingAgain, "twice")])
def test_a_planted_bug_is_found(planted: type[WorldStore], what: str) -> None:
    for seed in range(1, FOUND_WITHIN + 1):
        if getattr(run(seed, FLEET, store=planted), what):
            return
    raise AssertionError(f"{planted.__name__} was not found in {FOUND_WITHIN} worlds")


def test_a_world_that_never_settles_says_so() -> None:
    timeline = Timeline(1)
    with pytest.raises(Stuck, match="not everything had arrived"):
        timeline.run(lambda: False, 10)


def test_a_crash_while_the_disk_is_full_leaves_the_disk_as_it_was(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "disk")
    (disk.folder / "file").write_bytes(b"there")
    disk.full = True
    with disk.room():
        with pytest.raises(OSError, match="too large"):
            (disk.folder / "other").write_bytes(b"more")
        disk.crash(random.Random(1), torn=True)  # noqa: S311 - not a secret
    assert (disk.folder / "file").read_bytes() == b"there"
