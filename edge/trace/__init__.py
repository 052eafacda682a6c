"""Recordings of a sensor: one reader and one writer per file suffix, both streaming."""

from __future__ import annotations

import gzip
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from edge.trace.files import whole_file
from edge.trace.model import Edge, Row, SerialBytes, TraceError, TraceHeader, TraceReader, TraceWriter
from edge.trace.pacing import paced
from edge.trace.text import CsvReader, CsvWriter, JsonlReader, JsonlWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

READERS: dict[str, Callable[[Path], TraceReader]] = {
    ".jsonl": JsonlReader,
    ".jsonl.gz": JsonlReader,
    ".csv": CsvReader,
    ".csv.gz": CsvReader,
}
WRITERS: dict[str, Callable[[BinaryIO, TraceHeader], TraceWriter]] = {
    ".jsonl": JsonlWriter,
    ".jsonl.gz": JsonlWriter,
    ".csv": CsvWriter,
    ".csv.gz": CsvWriter,
}


def open_trace(path: Path) -> TraceReader:
    """Open a trace by its suffix, its header read; raises TraceError."""
    return READERS[_suffix(path, READERS)](path)


@contextmanager
def create_trace(path: Path, header: TraceHeader) -> Iterator[TraceWriter]:
    """Write a trace in the format of its suffix. It appears under its name when it is whole, or not at all."""
    make_writer = WRITERS[_suffix(path, WRITERS)]
    with whole_file(path) as file:
        if path.suffix != ".gz":
            writer = make_writer(file, header)
            yield writer
            writer.close()
            return
        # No name and no time in the archive: the same rows make the same bytes.
        with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
            writer = make_writer(cast("BinaryIO", packed), header)
            yield writer
            writer.close()


def _suffix(path: Path, table: Iterable[str]) -> str:
    """The suffix of `path` that `table` knows; raises TraceError."""
    for suffix in table:
        if path.name.endswith(suffix):
            return suffix
    raise TraceError(f"{path}: the name of a trace ends in one of {', '.join(table)}")


__all__ = [
    "READERS",
    "WRITERS",
    "Edge",
    "Row",
    "SerialBytes",
    "TraceError",
    "TraceHeader",
    "TraceReader",
    "TraceWriter",
    "create_trace",
    "open_trace",
    "paced",
    "whole_file",
]
