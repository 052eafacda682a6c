"""`.parquet`, the archive: columns `t_ns`, `line`, `level` (of edges) and `data` (of bytes received), zstd.

The header is the file's metadata `foyer_trace`, the same JSON object as the first line of `.jsonl`. A file without
`data` holds edges only.
"""

from __future__ import annotations

import json
from array import array
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import pyarrow as pa
from pyarrow import parquet

from edge.counting import LINES
from edge.trace.files import open_bytes, why
from edge.trace.header import EXAMPLE, TraceHeader, from_json, to_json
from edge.trace.model import CHUNK_ROWS, Edge, EdgeColumns, Row, TraceError, TraceReader, TraceWriter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GROUP_ROWS = CHUNK_ROWS
"""Rows are written, and held in memory, so many at a time."""
_KEY = b"foyer_trace"
_NO_LINE = 255  # -1 in a signed byte
_SCHEMA = pa.schema(
    [
        pa.field("t_ns", pa.int64(), nullable=False),
        pa.field("line", pa.dictionary(pa.int8(), pa.string()), nullable=False),
        pa.field("level", pa.int8()),
        pa.field("data", pa.binary()),
    ]
)


class ParquetReader(TraceReader):
    """A Parquet file of edges and bytes, a piece of a row group at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._row_number = 0
        self._file = open_bytes(path)
        self._parquet: Any = None
        try:
            self.header = self._read_header()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._file.close()

    def _error(self, what: str) -> TraceError:
        return TraceError(f"{self._path}: {f'row {self._row_number}: ' if self._row_number else ''}{what}")

    def _read_header(self) -> TraceHeader:
        if not self._file.read(1):
            raise self._error("the file is empty: expected a Parquet file")
        try:
            self._parquet = parquet.ParquetFile(self._file)
        except (OSError, pa.ArrowException) as error:
            raise self._error(f"this is no whole Parquet file ({_first_line(error)}): copy it again") from error
        schema = self._parquet.schema_arrow
        fits = {"t_ns": pa.types.is_integer, "line": _is_text, "level": pa.types.is_integer, "data": pa.types.is_binary}
        for name, fit in fits.items():
            if name not in schema.names:
                if name == "data":
                    continue
                raise self._error(f"no column {name}: expected t_ns, line, level, and data for bytes received")
            kind = schema.field(name).type
            if not fit(kind):
                raise self._error(f"column {name} is {kind}: expected {_SCHEMA.field(name).type}")
        try:
            return from_json(json.loads((schema.metadata or {})[_KEY]))
        except KeyError as error:
            raise self._error(f'no "{_KEY.decode()}" in its metadata: expected a header such as {EXAMPLE}') from error
        except ValueError as error:
            raise self._error(f'"{_KEY.decode()}" in its metadata: {error}') from error

    def _raw_rows(self) -> Iterator[tuple[object, object, object]]:
        names = [name for name in _SCHEMA.names if name in self._parquet.schema_arrow.names]
        for batch in self._batches(names):
            columns = [batch.column(name).to_pylist() for name in names]
            for t_ns, line, level, *data in zip(*columns, strict=True):
                self._row_number += 1
                if line == "serial":
                    yield t_ns, line, data[0].hex() if data and data[0] is not None else None
                else:
                    yield t_ns, line, level

    def columns(self) -> Iterator[EdgeColumns]:
        if not self._is_plain():
            yield from super().columns()
            return
        for batch in self._batches(["t_ns", "line", "level"]):
            yield _edge_columns(*batch.columns)
            self._row_number += len(batch)

    def _is_plain(self) -> bool:
        """Whether it holds edges only, in the types that `ParquetWriter` gives them."""
        schema, file = self._parquet.schema_arrow, self._parquet.metadata
        if any(schema.field(name).type != _SCHEMA.field(name).type for name in ("t_ns", "line", "level")):
            return False
        if "data" not in schema.names:
            return True
        data = schema.names.index("data")
        for group in map(file.row_group, range(file.num_row_groups)):
            known = group.column(data).statistics
            if known is None or not known.has_null_count or known.null_count < group.num_rows:
                return False
        return True

    def _batches(self, names: list[str]) -> Iterator[Any]:
        """Record batches of those columns; raises TraceError where the file is damaged."""
        try:
            yield from self._parquet.iter_batches(GROUP_ROWS, columns=names, use_threads=False)
        except (OSError, pa.ArrowException) as error:
            self._row_number += 1
            raise self._error(f"the file is damaged from here on ({_first_line(error)}): copy it again") from error


class ParquetWriter(TraceWriter):
    def __init__(self, file: BinaryIO, header: TraceHeader) -> None:
        schema = _SCHEMA.with_metadata({_KEY: json.dumps(to_json(header))})
        self._writer: Any = parquet.ParquetWriter(file, schema, compression="zstd")
        self._schema = schema
        self._rows: list[tuple[int, str, int | None, bytes | None]] = []

    def write(self, row: Row) -> None:
        if isinstance(row, Edge):
            self._rows.append((row.t_ns, LINES[row.line], row.level, None))
        else:
            self._rows.append((row.t_ns, "serial", None, row.data))
        if len(self._rows) == GROUP_ROWS:
            self._flush()

    def close(self) -> None:
        if self._rows:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        columns = zip(*self._rows, strict=True)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, self._schema, strict=True)]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self._rows.clear()


def _edge_columns(t_ns: Any, line: Any, level: Any) -> EdgeColumns:
    """A batch's columns without a copy of the times; -1 stands for what is no line, and for what is missing."""
    if t_ns.null_count or line.null_count or level.null_count:
        given = ([-1 if value is None else value for value in column.to_pylist()] for column in (t_ns, level))
        times, levels = (array(code, column) for code, column in zip("qb", given, strict=True))
        lines = [LINES.index(name) if name in LINES else -1 for name in line.to_pylist()]
        return EdgeColumns(times, array("b", lines), levels)
    names = line.dictionary.to_pylist()
    places = bytes(LINES.index(name) if name in LINES else _NO_LINE for name in names).ljust(256, bytes((_NO_LINE,)))
    lines_held = memoryview(bytes(_held(line.indices, "b")).translate(places)).cast("b")
    return EdgeColumns(_held(t_ns, "q"), lines_held, _held(level, "b"))


def _held(column: Any, code: Literal["q", "b"]) -> memoryview[int]:
    """What an Arrow array holds, where it lies."""
    held = memoryview(column.buffers()[1]).cast("B").cast(code)
    return held[column.offset : column.offset + len(column)]


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind.value_type if pa.types.is_dictionary(kind) else kind))


def _first_line(error: Exception) -> str:
    return (str(error) or why(error)).partition("\n")[0].rstrip(". ")
