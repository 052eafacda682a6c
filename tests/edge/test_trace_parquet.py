"""Parquet files: what other tools see in ours, and what is said of theirs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from edge.replay import replay
from edge.trace import Edge, SerialBytes, TraceError, TraceHeader, create_trace, open_trace
from edge.trace.parquet import GROUP_ROWS

if TYPE_CHECKING:
    from pathlib import Path

HEADER = {"foyer_trace": json.dumps({"foyer_trace": 1})}
GOOD: dict[str, list[Any]] = {"t_ns": [5, 6], "line": ["outer", "inner"], "level": [1, 1]}


def write(path: Path, columns: dict[str, Any], metadata: dict[str, str] | None = None) -> None:
    table = pa.table(columns).replace_schema_metadata(HEADER if metadata is None else metadata)
    parquet.write_table(table, path)


def test_the_format_on_disk(tmp_path: Path) -> None:
    with create_trace(tmp_path / "a.parquet", TraceHeader(0, "front", 0.12, (0, 1))) as trace:
        for row in (Edge(12, 0, 1), SerialBytes(13, b"\xaa"), Edge(13, 1, 0)):
            trace.write(row)
    table = parquet.read_table(tmp_path / "a.parquet")
    assert table.to_pydict() == {
        "t_ns": [12, 13, 13],
        "line": ["outer", "serial", "inner"],
        "level": [1, None, 0],
        "data": [None, b"\xaa", None],
    }
    assert [str(field.type) for field in table.schema] == [
        "int64",
        "dictionary<values=string, indices=int8, ordered=0>",
        "int8",
        "binary",
    ]
    assert json.loads(table.schema.metadata[b"foyer_trace"]) == {
        "foyer_trace": 1,
        "t0": "1970-01-01T00:00:00Z",
        "sensor": "front",
        "separation_m": 0.12,
        "levels": {"outer": 0, "inner": 1},
    }
    column = parquet.ParquetFile(tmp_path / "a.parquet").metadata.row_group(0).column(0)
    assert column.compression == "ZSTD"


def test_rows_are_written_and_read_in_groups(tmp_path: Path) -> None:
    rows = [Edge(t_ns, 0, t_ns % 2) for t_ns in range(2 * GROUP_ROWS + 1)]
    with create_trace(tmp_path / "long.parquet", TraceHeader()) as trace:
        for row in rows:
            trace.write(row)
    metadata = parquet.ParquetFile(tmp_path / "long.parquet").metadata
    assert [metadata.row_group(at).num_rows for at in range(3)] == [GROUP_ROWS, GROUP_ROWS, 1]
    before = pa.total_allocated_bytes()
    with open_trace(tmp_path / "long.parquet") as trace:
        reader = iter(trace)
        assert next(reader) == rows[0]
        assert pa.total_allocated_bytes() - before < 4 * 13 * GROUP_ROWS, "more than its first rows are in memory"
        assert list(reader) == rows[1:]


def test_others_files_without_bytes_received(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", GOOD)
    with open_trace(tmp_path / "a.parquet") as trace:
        assert (trace.header, list(trace)) == (TraceHeader(), [Edge(5, 0, 1), Edge(6, 1, 1)])


@pytest.mark.parametrize(
    ("columns", "metadata", "says"),
    [
        ({**GOOD, "t_ns": [5.0, 6.0]}, None, ": column t_ns is double: expected int64"),
        ({**GOOD, "line": [0, 1]}, None, ": column line is int64: expected dictionary<values=string"),
        ({**GOOD, "level": [True, False]}, None, ": column level is bool: expected int8"),
        ({**GOOD, "data": ["aa", None]}, None, ": column data is string: expected binary"),
        ({"t_ns": [5], "level": [1]}, None, ": no column line: expected t_ns, line, level"),
        (GOOD, {}, ': no "foyer_trace" in its metadata: expected a header such as {"foyer_trace": 1'),
        (GOOD, {"foyer_trace": "{"}, ': "foyer_trace" in its metadata: Expecting property name'),
        (GOOD, {"foyer_trace": '{"foyer_trace": 7}'}, ': "foyer_trace" in its metadata: trace version 7'),
        ({**GOOD, "t_ns": [5, None]}, None, ": row 2: time None: expected nanoseconds"),
        ({**GOOD, "t_ns": [5, 4]}, None, ": row 2: time runs backwards, from 5 to 4 ns"),
        ({**GOOD, "line": ["outer", "middle"]}, None, ": row 2: line 'middle': expected one of outer, inner, serial"),
        ({**GOOD, "level": [1, None]}, None, ": row 2: level None: expected 1 (beam blocked) or 0 (clear)"),
        ({**GOOD, "line": ["outer", "serial"]}, None, ": row 2: serial data None: expected"),
    ],
)
def test_bad_files(tmp_path: Path, columns: dict[str, Any], metadata: dict[str, str] | None, says: str) -> None:
    write(tmp_path / "bad.parquet", columns, metadata)
    with pytest.raises(TraceError) as caught, open_trace(tmp_path / "bad.parquet") as trace:
        list(trace)
    assert says in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "bad.parquet"))


@pytest.mark.parametrize(
    ("column", "values", "says"),
    [
        ("t_ns", [5, None, 7], ": row 2: time None: expected nanoseconds"),
        ("t_ns", [5, 4, 7], ": row 2: time runs backwards, from 5 to 4 ns"),
        ("t_ns", [5, 6, 1 << 62], ": row 3: time 4611686018427387904 ns: expected 0 to below 2^62"),
        ("t_ns", [-5, 6, 7], ": row 1: time -5 ns: expected 0 to below 2^62"),
        ("line", ["outer", "middle", "inner"], ": row 2: line 'middle': expected one of outer, inner, serial"),
        ("line", ["outer", None, "inner"], ": row 2: line None: expected one of outer, inner, serial"),
        ("line", ["outer", "serial", "inner"], ": row 2: serial data None: expected"),
        ("level", [1, None, 1], ": row 2: level None: expected 1 (beam blocked) or 0 (clear)"),
        ("level", [1, 0, -1], ": row 3: level -1: expected 1 (beam blocked) or 0 (clear)"),
    ],
)
@pytest.mark.parametrize("own", [True, False])
def test_counting_names_the_wrong_row(tmp_path: Path, column: str, values: list[Any], says: str, own: bool) -> None:
    """In columns of the types that we write, which are not looked at row by row, and in others' as well."""
    types = {"t_ns": pa.int64(), "line": pa.dictionary(pa.int8(), pa.string()), "level": pa.int8()}
    given = {"t_ns": [5, 6, 7], "line": ["outer", "inner", "outer"], "level": [1, 1, 0], column: values}
    write(tmp_path / "bad.parquet", {name: pa.array(given[name], types[name] if own else None) for name in given})
    with pytest.raises(TraceError) as caught:
        replay(tmp_path / "bad.parquet")
    assert str(caught.value).startswith(f"{tmp_path / 'bad.parquet'}{says}")


def test_bytes_received_are_no_edges_in_columns(tmp_path: Path) -> None:
    rows = [Edge(1, 0, 1), SerialBytes(2, b"x"), Edge(3, 1, 1)]
    with create_trace(tmp_path / "a.parquet", TraceHeader()) as trace:
        for row in rows:
            trace.write(row)
    with open_trace(tmp_path / "a.parquet") as trace:
        assert [list(zip(*piece, strict=True)) for piece in trace.columns()] == [[(1, 0, 1), (3, 1, 1)]]


def test_what_is_no_parquet(tmp_path: Path) -> None:
    for noise in (b"x", b"PAR1" * 10, bytes(1000)):
        (tmp_path / "bad.parquet").write_bytes(noise)
        with pytest.raises(TraceError, match=r"bad\.parquet: this is no whole Parquet file \("):
            open_trace(tmp_path / "bad.parquet")
