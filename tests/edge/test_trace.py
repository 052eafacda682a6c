"""What holds for a trace of any format."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.counting import T_NS_LIMIT
from edge.replay import replay
from edge.trace import (
    READERS,
    WRITERS,
    Edge,
    Row,
    SerialBytes,
    TraceError,
    TraceHeader,
    create_trace,
    open_trace,
    whole_file,
)
from edge.trace.model import CHUNK_ROWS

TRACES = Path(__file__).parents[1] / "traces"
ROOT = Path(__file__).parents[2]
HEADER = '{"foyer_trace": 1}\n'

headers = st.builds(
    TraceHeader,
    t0_ns=st.none() | st.integers(0, 4 * 10**18),
    sensor=st.none() | st.from_regex(r"[a-z0-9]+(-[a-z0-9]+)*", fullmatch=True),
    separation_m=st.none() | st.floats(0.001, 5.0),
    levels=st.tuples(st.integers(0, 1), st.integers(0, 1)),
)
edges = st.builds(Edge, st.integers(0, T_NS_LIMIT - 1), st.integers(0, 1), st.integers(0, 1))
serial = st.builds(SerialBytes, st.integers(0, T_NS_LIMIT - 1), st.binary(max_size=40))


def in_order(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row.t_ns)


def write(path: Path, header: TraceHeader, rows: list[Row]) -> None:
    with create_trace(path, header) as trace:
        for row in rows:
            trace.write(row)


def read(path: Path) -> tuple[TraceHeader, list[Row]]:
    with open_trace(path) as trace:
        return trace.header, list(trace)


def place(suffix: str, row: int) -> str:
    """How an error names that row of a trace without a header, as a regular expression."""
    at = {".jsonl": f":{row + 1}", ".csv": f":{row + 1}", ".vcd": f":{2 * row + 12}", ".parquet": f": row {row}"}
    return re.escape(f"{suffix}{at[suffix.removesuffix('.gz')]}: ")


def test_a_reader_for_each_writer() -> None:
    assert READERS.keys() == WRITERS.keys()


@pytest.mark.parametrize("suffix", WRITERS)
class TestEveryFormat:
    """What holds for a trace of any suffix that holds edges."""

    @given(header=headers, rows=st.lists(edges, max_size=30).map(in_order))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
    def test_round_trip(self, tmp_path: Path, suffix: str, header: TraceHeader, rows: list[Row]) -> None:
        path = tmp_path / f"round-trip{suffix}"
        write(path, header, rows)
        assert read(path) == (header, rows)

    @pytest.mark.parametrize("count", [0, 1, CHUNK_ROWS, CHUNK_ROWS + 1])
    def test_columns_are_its_edges(self, tmp_path: Path, suffix: str, count: int) -> None:
        path = tmp_path / f"columns{suffix}"
        write(path, TraceHeader(), [Edge(t_ns, t_ns // 2 % 2, t_ns % 2) for t_ns in range(count)])
        with open_trace(path) as trace:
            pieces = list(trace.columns())
        assert [edge for piece in pieces for edge in zip(*piece, strict=True)] == read(path)[1]
        assert all(0 < len(piece.t_ns) <= CHUNK_ROWS for piece in pieces)
        for piece in pieces:
            views = [memoryview(column) for column in piece]  # type: ignore[arg-type]  # what the core reads in place
            assert [view.format for view in views] == ["q", "b", "b"]

    def test_counting_names_the_wrong_row(self, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"wrong{suffix}"
        write(path, TraceHeader(), [Edge(5, 0, 1), Edge(4, 1, 1)])
        at = re.escape(f"{suffix}:15: ") if suffix.startswith(".vcd") else place(suffix, 2)
        with pytest.raises(TraceError, match=f"{at}time runs backwards, from 5 to 4 ns"):
            replay(path)

    def test_the_same_rows_make_the_same_bytes(self, tmp_path: Path, suffix: str) -> None:
        one, two = tmp_path / f"one{suffix}", tmp_path / f"two{suffix}"
        for path in (one, two):
            write(path, TraceHeader(sensor="front"), [Edge(1, 0, 1)])
        assert one.read_bytes() == two.read_bytes()

    def test_nothing_stays_of_a_failed_recording(self, tmp_path: Path, suffix: str) -> None:
        def fail_halfway() -> None:
            with create_trace(tmp_path / f"half{suffix}", TraceHeader()) as trace:
                trace.write(Edge(1, 0, 1))
                raise KeyError

        with pytest.raises(KeyError):
            fail_halfway()
        assert list(tmp_path.iterdir()) == []

    def test_an_old_recording_survives_a_failed_one(self, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"kept{suffix}"
        write(path, TraceHeader(), [Edge(1, 0, 1)])
        before = path.read_bytes()
        with pytest.raises(KeyError), create_trace(path, TraceHeader()):
            raise KeyError
        assert path.read_bytes() == before

    def test_time_running_backwards(self, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"backwards{suffix}"
        write(path, TraceHeader(), [Edge(5, 0, 1), Edge(4, 1, 1)])
        # A dump has a line for the time, before its change.
        at = re.escape(f"{suffix}:15: ") if suffix.startswith(".vcd") else place(suffix, 2)
        with pytest.raises(TraceError, match=f"{at}time runs backwards, from 5 to 4 ns"):
            read(path)

    def test_time_beyond_the_limit(self, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"beyond{suffix}"
        write(path, TraceHeader(), [Edge(T_NS_LIMIT, 0, 1)])
        with pytest.raises(
            TraceError, match=place(suffix, 1) + r"time 4611686018427387904 ns: expected 0 to below 2\^62"
        ):
            read(path)

    def test_a_repeated_level_is_for_the_core_to_judge(self, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"repeated{suffix}"
        rows: list[Row] = [Edge(5, 0, 1), Edge(6, 0, 1)]
        write(path, TraceHeader(), rows)
        assert read(path)[1] == rows

    def test_empty(self, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"empty{suffix}"
        path.write_bytes(gzip.compress(b"") if suffix.endswith(".gz") else b"")
        with pytest.raises(TraceError, match="the file is empty: expected"):
            read(path)

    def test_missing(self, tmp_path: Path, suffix: str) -> None:
        with pytest.raises(TraceError, match="no such file"):
            read(tmp_path / f"missing{suffix}")

    def test_a_directory(self, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"folder{suffix}"
        path.mkdir()
        with pytest.raises(TraceError, match="is a directory"):
            read(path)
        with pytest.raises(TraceError, match="is a directory"):
            write(path, TraceHeader(), [])

    def test_no_folder_to_write_to(self, tmp_path: Path, suffix: str) -> None:
        with pytest.raises(TraceError, match="cannot be written: no such file or directory"):
            write(tmp_path / "nowhere" / f"trace{suffix}", TraceHeader(), [])

    @given(data=st.data())
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
    def test_whatever_is_damaged_is_read_or_told(self, tmp_path: Path, suffix: str, data: st.DataObject) -> None:
        path = tmp_path / f"damaged{suffix}"
        write(path, TraceHeader(5, "front", 0.12, (1, 0)), [Edge(t_ns, t_ns % 2, t_ns // 2 % 2) for t_ns in range(20)])
        whole = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(0, 3))):
            whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
        with suppress(TraceError), open_trace(path) as trace:  # any other error is ours
            assert all(isinstance(row, Edge) for row in trace)


@pytest.mark.parametrize("suffix", [suffix for suffix in WRITERS if suffix.endswith(".gz")])
class TestEveryCompressedFormat:
    def test_cut_short(self, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"cut{suffix}"
        write(path, TraceHeader(), [Edge(t_ns, 0, t_ns % 2) for t_ns in range(1000)])
        path.write_bytes(path.read_bytes()[:-20])
        with pytest.raises(TraceError, match="cut short"):
            read(path)

    def test_not_compressed_at_all(self, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"plain{suffix}"
        path.write_text(HEADER)
        with pytest.raises(TraceError, match="Not a gzipped file"):
            read(path)


WITH_SERIAL = (".jsonl", ".jsonl.gz", ".parquet")


@given(rows=st.lists(edges | serial, max_size=30).map(in_order))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@pytest.mark.parametrize("suffix", WITH_SERIAL)
def test_serial_rows_round_trip(tmp_path: Path, suffix: str, rows: list[Row]) -> None:
    path = tmp_path / f"serial{suffix}"
    write(path, TraceHeader(), rows)
    assert read(path)[1] == rows


@pytest.mark.parametrize("suffix", [suffix for suffix in WRITERS if suffix not in WITH_SERIAL])
def test_formats_without_a_place_for_serial_rows_leave_no_half_file(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(TraceError, match=r"holds edges only: write serial rows to \.jsonl or \.parquet"):
        write(tmp_path / f"serial{suffix}", TraceHeader(), [Edge(0, 0, 1), SerialBytes(1, b"\xaa")])
    assert list(tmp_path.iterdir()) == []


def test_unknown_suffix(tmp_path: Path) -> None:
    for path in (tmp_path / "trace.txt", tmp_path / "trace"):
        path.touch()
        with pytest.raises(TraceError, match=r"ends in one of \.jsonl, \.jsonl\.gz, \.csv, .*\.parquet"):
            read(path)
        with pytest.raises(TraceError, match=r"ends in one of \.jsonl"):
            write(path, TraceHeader(), [])


def run(script: str) -> str:
    """What a fresh Python prints that runs this."""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stderr == ""
    return done.stdout


def test_libraries_are_loaded_when_such_a_file_is_opened(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl.gz", TraceHeader(), [Edge(1, 0, 1)])
    path = f"pathlib.Path({str(tmp_path / 'a.jsonl.gz')!r})"
    loaded = run(f"import sys, pathlib, edge.replay; edge.replay.replay({path}); print(*sys.modules)").split()
    assert "edge.trace" in loaded
    assert not {"vcd", "pyarrow"} & set(loaded)


@pytest.mark.parametrize(
    ("suffix", "module", "library"), [(".vcd", "vcd", "pyvcd"), (".parquet", "pyarrow", "pyarrow")]
)
def test_a_missing_library_is_one_sentence(tmp_path: Path, suffix: str, module: str, library: str) -> None:
    write(tmp_path / f"a{suffix}", TraceHeader(), [])
    hidden = f"import sys, foyer; sys.modules[{module!r}] = None; foyer.main()"
    command = [sys.executable, "-c", hidden, "replay", str(tmp_path / f"a{suffix}")]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"foyer: {suffix} traces need {library}: pip install {library}\n"


def test_recording_that_runs_backwards() -> None:
    with pytest.raises(
        TraceError, match=r"runs-backwards\.jsonl:4: time runs backwards, from 1090000000 to 990000000 ns"
    ):
        read(TRACES / "runs-backwards.jsonl")


def test_a_pipe_is_written_as_it_is(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with whole_file(tmp_path / "pipe") as file:
        file.write(b"truth")
    assert os.read(reader, 10) == b"truth"
    os.close(reader)
    assert (tmp_path / "pipe").is_fifo()
