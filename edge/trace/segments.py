"""A unit's own recording of a sensor: a folder of segments, and which of their rows were counted for good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.trace.model import TraceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from edge.trace.header import Segment, TraceHeader

SUFFIX = ".jsonl.gz"


@dataclass(frozen=True, slots=True)
class Piece:
    """A segment, how many of its rows count (None: all), and the one that follows it."""

    path: Path
    header: TraceHeader
    segment: Segment
    rows: int | None
    next_: Segment | None


def number_of(path: Path) -> int | None:
    """The number in a segment's name, None where it is none."""
    name = path.name.removesuffix(SUFFIX)
    return int(name) if name != path.name and name.isascii() and name.isdigit() else None


def chained(headers: Iterable[tuple[Path, TraceHeader]]) -> list[Piece]:
    """Those of a sensor's segments that were counted, oldest first.

    Each says which one it follows and from which row on: what lies between was forgotten by a crash. Where the one it
    follows is not there, an older one counts to its end.
    """
    known = sorted(
        ((header.segment, header, path) for path, header in headers if header.segment), key=lambda item: -item[0].number
    )
    pieces: list[Piece] = []
    next_: Segment | None = None
    for segment, header, path in known:
        after = next_.after if next_ else None
        if after is None or segment.number < after[0]:
            pieces.append(Piece(path, header, segment, None, None))
        elif segment.number == after[0]:
            pieces.append(Piece(path, header, segment, after[1], next_))
        else:
            continue
        next_ = segment
    return pieces[::-1]


def zero_ns(piece: Piece, all_: Sequence[Piece]) -> int:
    """UTC from which a piece's rows count: what was vouched for, be it later in its boot, else what was known last."""
    if piece.segment.synced:
        return piece.header.t0_ns or 0
    same = [other for other in all_ if other.segment.boot == piece.segment.boot]
    best = next((other for other in same if other.segment.synced), same[-1] if same else piece)
    return best.header.t0_ns or 0


def recordings(folder: Path) -> list[Path]:
    """The folders of segments in a folder, itself perhaps; raises TraceError where there is none."""
    found = [there for there in (folder, *sorted(folder.iterdir())) if there.is_dir() and segment_files(there)]
    if not found:
        raise TraceError(f"{folder}: no recording in it: expected a trace, or what foyer agent --record has written")
    return found


def segment_files(folder: Path) -> list[Path]:
    """A folder's segments, in order."""
    return sorted((path for path in folder.iterdir() if number_of(path) is not None), key=lambda path: path.name)
