"""Recordings of a sensor: one reader and one writer per file suffix, both streaming."""

from __future__ import annotations

import gzip
import os
from contextlib import ExitStack, closing, contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from edge.trace.files import whole_file
from edge.trace.header import Segment, TraceHeader
from edge.trace.model import Edge, Row, SerialBytes, TornError, TraceError, TraceReader, TraceWriter
from edge.trace.pacing import paced
from edge.trace.text import CsvReader, CsvWriter, JsonlReader, JsonlWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path


def _with(library: str, module: str, name: str) -> Callable[..., Any]:
    """That class, of a module which imports `library`, when the first such file is opened."""

    def make(*arguments: Any) -> Any:
        try:
            made = getattr(import_module(module), name)
        except ModuleNotFoundError as error:
            raise TraceError(f".{module.rpartition('.')[2]} traces need {library}: pip install {library}") from error
        return made(*arguments)

    return make


_read_vcd, _write_vcd = (_with("pyvcd", "edge.trace.vcd", name) for name in ("VcdReader", "VcdWriter"))
READERS: dict[str, Callable[[Path], TraceReader]] = {
    ".jsonl": JsonlReader,
    ".jsonl.gz": JsonlReader,
    ".csv": CsvReader,
    ".csv.gz": CsvReader,
    ".vcd": _read_vcd,
    ".vcd.gz": _read_vcd,
    ".parquet": _with("pyarrow", "edge.trace.parquet", "ParquetReader"),
}
WRITERS: dict[str, Callable[[BinaryIO, TraceHeader], TraceWriter]] = {
    ".jsonl": JsonlWriter,
    ".jsonl.gz": JsonlWriter,
    ".csv": CsvWriter,
    ".csv.gz": CsvWriter,
    ".vcd": _write_vcd,
    ".vcd.gz": _write_vcd,
    ".parquet": _with("pyarrow", "edge.trace.parquet", "ParquetWriter"),
}


def open_trace(path: Path) -> TraceReader:
    """Open a trace by its suffix, its header read; raises TraceError."""
    known = any(path.name.endswith(suffix) for suffix in READERS)
    if not known and not os.path.lexists(path):  # of other names the reader says it
        raise TraceError(f"{path}: no such file or directory")
    return READERS[_suffix(path, READERS)](path)


@contextmanager
def create_trace(path: Path, header: TraceHeader) -> Iterator[TraceWriter]:
    """Write a trace in the format of its suffix. It appears under its name when it is whole, or not at all."""
    make_writer = WRITERS[_suffix(path, WRITERS)]
    with ExitStack() as open_:
        file = open_.enter_context(whole_file(path))
        if path.suffix == ".gz":
            # No name and no time in the archive: the same rows make the same bytes.
            file = cast("BinaryIO", open_.enter_context(gzip.GzipFile("", "wb", 6, file, mtime=0)))
        yield open_.enter_context(closing(make_writer(file, header)))


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
    "Segment",
    "SerialBytes",
    "TornError",
    "TraceError",
    "TraceHeader",
    "TraceReader",
    "TraceWriter",
    "create_trace",
    "open_trace",
    "paced",
    "whole_file",
]
