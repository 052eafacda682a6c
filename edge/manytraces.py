"""Many recordings counted in parallel processes, a row each: `foyer replay FOLDER`, and `--jobs`."""

from __future__ import annotations

import json
import os
import signal
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.counting import Columns
from edge.recorded import SerialOnlyError
from edge.replay import pieces, replay, settings, total
from edge.trace import READERS, TraceError, TraceHeader, open_trace
from edge.trace.segments import segment_files
from firmware_cfg.errors import FoyerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WAYS = ("in", "out", "unknown")


@dataclass(frozen=True, slots=True)
class Settings:
    """What `foyer replay` was told of the doors, else None."""

    separation_m: float | None = None
    debounce_ms: float | None = None


@dataclass(slots=True)
class Counted:
    """A recording in brief: persons in, out and of unknown direction, and faults.

    `failed` says why it was not counted to its end.
    """

    path: Path
    edges: int = 0
    passages: int = 0
    persons: tuple[int, ...] = (0, 0, 0)
    faults: int = 0
    notes: tuple[str, ...] = ()
    failed: str | None = None

    def add(self, edges: int, found: Columns) -> None:
        self.edges += edges
        self.passages += len(found)
        self.persons = tuple(known + total(found, way) for known, way in zip(self.persons, WAYS, strict=True))
        self.faults += len(found.faults)


def found_below(paths: Sequence[Path]) -> list[Path]:
    """The traces among `paths` and in the folders among them, and below; a folder of a unit's segments is one.

    What is hidden, and files whose names end in no trace's suffix, are left out. Raises TraceError where a path is not
    there, a folder cannot be read, or nothing is found.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            raise TraceError(f"{path}: no such file or directory")
        found.update(dict.fromkeys(_below(path) if path.is_dir() else [path]))
    if not found:
        told = ", ".join(map(str, paths))
        raise TraceError(f"{told}: no trace in it: expected files that end in one of {', '.join(READERS)}")
    return list(found)


def _below(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise TraceError(f"{error.filename}: {error.strerror}") from error

    for name, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        here = Path(name)
        segments = segment_files(here)
        if segments:
            yield here
        for path in sorted(here / file for file in files if not file.startswith(".")):
            if path.name.endswith(tuple(READERS)) and path not in segments:
                yield path


def count(path: Path, how: Settings) -> Counted:
    """One recording, in memory that does not grow with a trace's length; what is wrong with it is in the result."""
    counted = Counted(path)
    try:
        if path.is_dir() or not _streamed(counted, how):
            replayed = replay(path, separation_m=how.separation_m, debounce_ms=how.debounce_ms)
            counted.add(replayed.edges, replayed.found)
            counted.notes = replayed.notes
    except SerialOnlyError as error:
        counted.notes = (str(error),)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one, the others are counted
        told = str(error) if isinstance(error, FoyerError) else f"{type(error).__name__}: {error}"
        counted.failed = told if told.startswith(str(path)) else f"{path}: {told}"
    return counted


def _streamed(counted: Counted, how: Settings) -> bool:
    """Count a plain trace; false if it is a segment of a unit's recording."""
    with open_trace(counted.path) as trace:
        if trace.header.segment is not None:
            return False
        door = settings(how.separation_m, how.debounce_ms, trace.header)
        for edges, found in pieces(counted.path, trace, door):
            counted.add(edges, found)
    return True


def count_all(paths: Sequence[Path], jobs: int, how: Settings) -> Iterator[Counted]:
    """Each as soon as it is counted, in so many processes; raises ConfigError for settings that no door can have.

    One that takes its process with it, as by eating all memory, has failed; the others are counted.
    """
    settings(how.separation_m, how.debounce_ms, TraceHeader())
    left = dict.fromkeys(paths)
    with ProcessPoolExecutor(min(jobs, len(left)), initializer=_leave_ctrl_c) as pool:
        try:
            for counted in _done(pool, list(left), how):
                del left[counted.path]
                yield counted
        except BrokenProcessPool:
            pass  # whose fault it was shows when each has a process of its own
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    for path in left:
        with ProcessPoolExecutor(1, initializer=_leave_ctrl_c) as pool:
            try:
                yield pool.submit(count, path, how).result()
            except BrokenProcessPool:
                yield Counted(path, failed=f"{path}: the process that counted it was killed (out of memory?)")


def _done(pool: ProcessPoolExecutor, paths: list[Path], how: Settings) -> Iterator[Counted]:
    waiting: list[Future[Counted]] = [pool.submit(count, path, how) for path in paths]
    for future in as_completed(waiting):
        yield future.result()


def _leave_ctrl_c() -> None:
    """Ctrl-C is for the command, which ends its processes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def as_json(counted: Sequence[Counted]) -> Iterator[str]:
    """One JSON object, in pieces; totals are persons, those of all leave out what failed."""
    yield '{"traces": ['
    for number, one in enumerate(counted):
        told: dict[str, Any] = {"trace": str(one.path)}
        told |= _figures(one) if one.failed is None else {"error": one.failed}
        yield f"{', ' if number else ''}{json.dumps(told)}"
    yield f"], {json.dumps(_figures(_all(counted)) | {'failed': failures(counted)})[1:]}\n"


def as_table(counted: Sequence[Counted]) -> Iterator[str]:
    """Lines for people: a row a recording, then the totals of those that did not fail."""
    width = max([len("trace"), *(len(str(one.path)) for one in counted)])
    yield f"{'trace':<{width}}  {'edges':>10}  {'in':>8}  {'out':>8}  {'unknown':>8}  {'faults':>7}\n"
    for one in counted:
        if one.failed is None:
            inward, outward, unknown = one.persons
            row = f"{one.edges:>10}  {inward:>8}  {outward:>8}  {unknown:>8}  {one.faults:>7}"
        else:
            row = "failed"
        yield f"{one.path!s:<{width}}  {row}\n"
    every, failed = _all(counted), failures(counted)
    totals = f"{every.edges} edges: {every.persons[0]} in, {every.persons[1]} out"
    yield f"\n{len(counted) - failed} of {len(counted)} traces, {totals}; {failed} failed\n"


def failures(counted: Sequence[Counted]) -> int:
    return sum(one.failed is not None for one in counted)


def _all(counted: Sequence[Counted]) -> Counted:
    whole = Counted(Path())
    for one in counted:
        if one.failed is None:
            whole.edges, whole.passages = whole.edges + one.edges, whole.passages + one.passages
            whole.persons = tuple(map(sum, zip(whole.persons, one.persons, strict=True)))
            whole.faults += one.faults
    return whole


def _figures(one: Counted) -> dict[str, Any]:
    totals = dict(zip(WAYS, one.persons, strict=True))
    return {"edges": one.edges, "passages": one.passages, "totals": totals, "faults": one.faults}
