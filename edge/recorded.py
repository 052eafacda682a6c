"""What a unit counted, from what it recorded: its segments through the core, each from the state it began in."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from edge.counting import Columns, Door, DoorSettings, EdgeError, Fault, Passage, SnapshotError
from edge.trace import Edge, TornError, TraceError, TraceHeader, open_trace
from edge.trace.segments import Piece, chained, recordings, segment_files, zero_ns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path


class SerialOnlyError(TraceError):
    """A unit's recording in which there are no beams."""


class Recorded:
    """Pieces of one door's recording, counted as the unit did; `notes` are sentences about what is not there.

    `paths` are a folder that `foyer agent --record` has written, or segments of one sensor. Passages are those that
    the unit published while it wrote these segments, whatever came before and after; dated in ns from `header.t0_ns`.
    Raises TraceError.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.notes: list[str] = []
        self.found = Columns()
        self.edges = 0
        folder, wanted = self._where(paths)
        pieces = chained(self._headers(folder, wanted or ()))
        chosen = [piece for piece in pieces if wanted is None or piece.path in wanted]
        for path in sorted((wanted or set()) - {piece.path for piece in chosen}):
            self.notes.append(f"{path}: forgotten by a crash of the unit, nothing of it was published")
        t0_ns = zero_ns(chosen[0], pieces) if chosen else 0
        first = chosen[0].header if chosen else TraceHeader()
        self.header = replace(first, t0_ns=t0_ns, segment=None)
        for piece in chosen:
            self._shifted(self._count(piece), zero_ns(piece, pieces) - t0_ns)

    def _where(self, paths: Sequence[Path]) -> tuple[Path, set[Path] | None]:
        """The folder of all segments, and which of them are asked for if not all."""
        if len(paths) == 1 and paths[0].is_dir():
            doors = [
                folder
                for folder in recordings(paths[0])
                if any(_is_door(header) for _, header in self._headers(folder))
            ]
            self.notes.clear()
            if len(doors) == 1:
                return doors[0], None
            expected = f"{paths[0]}: expected the recording of one pair of beams; there are"
            if not doors:
                raise SerialOnlyError(f"{expected} serial devices only (foyer agent --trace SENSOR=SEGMENT feeds them)")
            raise TraceError(f"{expected} {', '.join(map(str, doors))}")
        for path in paths:
            with open_trace(path) as trace:
                if trace.header.segment is None:
                    raise TraceError(
                        f"{path}: no segment of a unit's recording; other traces are counted one by one, with --jobs"
                    )
        folders = {path.parent for path in paths}
        if len(folders) > 1:
            raise TraceError("segments of several recordings: give those of one sensor, or its folder")
        return folders.pop(), set(paths)

    def _headers(self, folder: Path, besides: Iterable[Path] = ()) -> Iterator[tuple[Path, TraceHeader]]:
        for path in {**dict.fromkeys(segment_files(folder)), **dict.fromkeys(besides)}:
            try:
                with open_trace(path) as trace:
                    yield path, trace.header
            except TraceError as error:
                self.notes.append(f"{error}; left out")

    def _count(self, piece: Piece) -> Columns:
        found = Columns()
        try:
            door = _door(piece)
            with open_trace(piece.path) as trace:
                rows = self._rows(trace, piece)
                while edges := [row for row in islice(rows, 1 << 16) if isinstance(row, Edge)]:
                    self.edges += len(edges)
                    found.append(door.replay(*zip(*edges, strict=True)))
            found.extend(_rest(door, piece))
        except (EdgeError, SnapshotError) as error:
            raise TraceError(f"{piece.path}: {error}") from error
        return found

    def _rows(self, trace: Any, piece: Piece) -> Iterator[Any]:
        """Those of its rows that were counted, as far as they are there."""
        read = 0
        torn = ""
        try:
            for row in islice(trace, piece.rows):
                yield row
                read += 1
        except TornError as error:
            torn = str(error)
        if piece.rows is not None and read < piece.rows:
            self.notes.append(f"{piece.path}: {piece.rows - read} of {piece.rows} rows are missing at its end")
        elif torn:
            self.notes.append(f"{torn} (a power cut, or it is being written); {read} rows before that are counted")
        if piece.next_ and piece.next_.lost:
            self.notes.append(f"{piece.path}: after it {piece.next_.lost} rows could not be written")

    def _shifted(self, found: Columns, by_ns: int) -> None:
        for at, t_ns in enumerate(found.t_ns):
            found.t_ns[at] = t_ns + by_ns
        found.faults[:] = [replace(fault, t_ns=fault.t_ns + by_ns) for fault in found.faults]
        self.found.append(found)


def _is_door(header: TraceHeader) -> bool:
    return header.segment is not None and header.segment.debounce_ns is not None


def _rest(door: Door, piece: Piece) -> list[Passage | Fault]:
    """What a door still told when the next piece began: up to then, or all of it where a door of another clock did."""
    if piece.next_ is None:
        return door.finish()
    state: Any = piece.next_.state
    until_ns = 0 if state is None else Door.restore(state).now_ns
    if until_ns:
        return door.advance(until_ns)
    return [found for found in door.finish() if isinstance(found, Passage)]


def _door(piece: Piece) -> Door:
    if piece.segment.state is not None:
        return Door.restore(piece.segment.state)
    settings = DoorSettings(piece.header.separation_m, piece.segment.debounce_ns or 0)
    return Door(settings, piece.header.levels, piece.segment.begin_ns)
