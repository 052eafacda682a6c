from __future__ import annotations

import gzip
import itertools
import json
import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.counting import T_NS_LIMIT
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
    paced,
    whole_file,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        with pytest.raises(TraceError, match=f"{place(suffix, 2)}time runs backwards, from 5 to 4 ns"):
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


@pytest.mark.parametrize("suffix", [suffix for suffix in WRITERS if suffix.startswith((".jsonl", ".csv"))])
class TestEveryFormatMadeOfLines:
    def test_no_text(self, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"binary{suffix}"
        noise = bytes(range(128, 256))
        path.write_bytes(gzip.compress(noise) if suffix.endswith(".gz") else noise)
        with pytest.raises(TraceError, match="this is not text"):
            read(path)

    def test_an_endless_line(self, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"endless{suffix}"
        noise = b" " * (1 << 20)
        path.write_bytes(gzip.compress(noise) if suffix.endswith(".gz") else noise)
        with pytest.raises(TraceError, match="a line of over 1048576 bytes"):
            read(path)


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


def test_serial_rows_in_csv(tmp_path: Path) -> None:
    (tmp_path / "serial.csv").write_text("t_ns,line,level\n1,serial,aa\n")
    with pytest.raises(TraceError, match=r"serial\.csv:2: serial rows are for \.jsonl and \.parquet"):
        read(tmp_path / "serial.csv")


def test_the_format_on_disk(tmp_path: Path) -> None:
    header = TraceHeader(1_772_442_000_000_000_000, "front-beams", 0.12, (0, 1))
    rows: list[Row] = [Edge(12, 0, 1), Edge(13, 1, 0)]
    write(tmp_path / "a.jsonl", header, [*rows, SerialBytes(14, b"\xaa\xff\x03")])
    write(tmp_path / "a.csv", header, rows)
    assert [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()] == [
        {
            "foyer_trace": 1,
            "t0": "2026-03-02T09:00:00Z",
            "sensor": "front-beams",
            "separation_m": 0.12,
            "levels": {"outer": 0, "inner": 1},
        },
        [12, "outer", 1],
        [13, "inner", 0],
        [14, "serial", "aaff03"],
    ]
    assert (tmp_path / "a.csv").read_text() == (
        "# t0=2026-03-02T09:00:00Z\n# sensor=front-beams\n# separation_m=0.12\n# levels=0,1\n"
        "t_ns,line,level\n12,outer,1\n13,inner,0\n"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nonsense\n", ":1: 'nonsense' is not JSON"),
        ('[1, "outer", 1]\n', ":1: the first line is no trace header"),
        ("{}\n", ":1: the first line is no trace header"),
        ('{"foyer_trace": 2}\n', ":1: trace version 2: this program reads version 1"),
        ('{"foyer_trace": true}\n', ":1: trace version True"),
        ('{"foyer_trace": 1, "t0": "yesterday"}\n', ":1: t0 'yesterday': expected an RFC 3339 time"),
        ('{"foyer_trace": 1, "t0": 5}\n', ":1: t0 5: expected an RFC 3339 time"),
        ('{"foyer_trace": 1, "sensor": 5}\n', ":1: sensor 5: expected a name"),
        ('{"foyer_trace": 1, "separation_m": 0}\n', ":1: separation_m 0: expected metres"),
        ('{"foyer_trace": 1, "separation_m": "0.12"}\n', ":1: separation_m '0.12': expected metres"),
        ('{"foyer_trace": 1, "separation_m": true}\n', ":1: separation_m True: expected metres"),
        ('{"foyer_trace": 1, "separation_m": NaN}\n', ":1: NaN is no number that JSON knows"),
        ('{"foyer_trace": 1, "separation_m": 1e999}\n', ":1: separation_m inf: expected metres"),
        ('{"foyer_trace": 1, "levels": [0]}\n', ":1: levels [0]: expected the lines' levels"),
        ('{"foyer_trace": 1, "levels": {"outer": 2}}\n', ":1: levels [2, 0]: expected the lines' levels"),
        (HEADER + '[1, "outer", 1]\n[2, "outer"', ":3: '[2, \"outer\"' is not JSON"),
        (HEADER + '[1, "outer", 1]\n[2, "outer"', "the file ends in the middle of it"),
        (HEADER + "{}\n", ":2: '{}' is no row"),
        (HEADER + '[1, "outer"]\n', "is no row"),
        (HEADER + '[true, "outer", 1]\n', ":2: time True: expected nanoseconds"),
        (HEADER + '[1.0, "outer", 1]\n', ":2: time 1.0: expected nanoseconds"),
        (HEADER + '["1", "outer", 1]\n', ":2: time '1': expected nanoseconds"),
        (HEADER + '[NaN, "outer", 1]\n', ":2: NaN is no number that JSON knows"),
        (HEADER + '[-1, "outer", 1]\n', ":2: time -1 ns: expected 0 to below 2^62"),
        (HEADER + '[1, "middle", 1]\n', ":2: line 'middle': expected one of outer, inner, serial"),
        (HEADER + '[1, ["outer"], 1]\n', ":2: line ['outer']: expected one of"),
        (HEADER + '[1, "outer", 2]\n', ":2: level 2: expected 1 (beam blocked) or 0 (clear)"),
        (HEADER + '[1, "outer", true]\n', ":2: level True: expected 1"),
        (HEADER + '[1, "outer", 1.0]\n', ":2: level 1.0: expected 1"),
        (HEADER + '[1, "serial", "abc"]\n', ":2: serial data 'abc': expected hexadecimal digits"),
        (HEADER + '[1, "serial", 5]\n', ":2: serial data 5: expected hexadecimal digits"),
        (HEADER + "[" * 100_000 + "\n", ":2: brackets nested too deep"),
        (HEADER + "[" + "9" * 5000 + ', "outer", 1]\n', ":2: "),
    ],
)
def test_bad_jsonl(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "bad.jsonl").write_text(text)
    with pytest.raises(TraceError) as caught:
        read(tmp_path / "bad.jsonl")
    assert says in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "bad.jsonl"))
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1,outer,1\n", ":1: '1,outer,1' instead of the columns' names: expected t_ns,line,level"),
        ("# separation_m=wide\n# sensor=a\nt_ns,line,level\n", ":1: separation_m 'wide': expected metres"),
        ("# by hand\n# separation_m=nan\nt_ns,line,level\n", ":2: separation_m nan: expected metres"),
        ("# levels=0,x\nt_ns,line,level\n", ":1: levels [0, 'x']: expected the lines' levels"),
        ("# sensor=a\n# t0=yesterday\nt_ns,line,level\n", ":2: t0 'yesterday': expected an RFC 3339 time"),
        ("t_ns,line,level\n1,outer\n", ":2: '1,outer' is no row"),
        (
            "t_ns,line,level\n1,outer,1\n2,in",
            ":3: '2,in' is no row: expected t_ns,line,level; the file ends in the middle",
        ),
        ("t_ns,line,level\n1.5,outer,1\n", ":2: time '1.5': expected nanoseconds"),
        ("t_ns,line,level\nnan,outer,1\n", ":2: time 'nan': expected nanoseconds"),
        ("t_ns,line,level\n-1,outer,1\n", ":2: time '-1': expected nanoseconds"),
        ("t_ns,line,level\n" + "9" * 5000 + ",outer,1\n", ":2: time '999"),
        ("t_ns,line,level\n1,middle,1\n", ":2: line 'middle': expected one of"),
        ("t_ns,line,level\n1,outer,on\n", ":2: level 'on': expected 1"),
    ],
)
def test_bad_csv(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(TraceError) as caught:
        read(tmp_path / "bad.csv")
    assert says in str(caught.value)


def test_generous_reading(tmp_path: Path) -> None:
    """A byte order mark, Windows line ends, blank lines, a comment, no line end at the end, levels as a list."""
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbf# by hand\r\n# levels=1,0\r\nt_ns,line,level\r\n\r\n1,outer,0")
    assert read(tmp_path / "a.csv") == (TraceHeader(levels=(1, 0)), [Edge(1, 0, 0)])
    (tmp_path / "a.jsonl").write_text('{"foyer_trace": 1, "levels": [1, 0], "later": 3}\n\n[1, "outer", 0]')
    assert read(tmp_path / "a.jsonl") == (TraceHeader(levels=(1, 0)), [Edge(1, 0, 0)])


def test_unknown_suffix(tmp_path: Path) -> None:
    for path in (tmp_path / "trace.txt", tmp_path / "trace"):
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


def test_rows_come_one_at_a_time(tmp_path: Path) -> None:
    """A row is there before the next is read: what is wrong further on does not hide it."""
    path = tmp_path / "streams.jsonl"
    path.write_text(HEADER + '[1, "outer", 1]\nnonsense\n')
    with open_trace(path) as trace:
        rows = iter(trace)
        assert next(rows) == Edge(1, 0, 1)
        with pytest.raises(TraceError):
            next(rows)


def test_a_pipe_is_written_as_it_is(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with whole_file(tmp_path / "pipe") as file:
        file.write(b"truth")
    assert os.read(reader, 10) == b"truth"
    os.close(reader)
    assert (tmp_path / "pipe").is_fifo()


class Clock:
    """Time that passes only by sleeping, and a little at each look."""

    def __init__(self) -> None:
        self.now_ns = 1_000
        self.slept_s: list[float] = []

    def sleep_s(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_ns += round(seconds * 1e9)


@pytest.mark.parametrize(("speed", "slept_s"), [(1.0, [1.0, 2.0]), (4.0, [0.25, 0.5]), (float("inf"), [])])
def test_pacing(speed: float, slept_s: list[float]) -> None:
    clock = Clock()
    rows: list[Row] = [Edge(0, 0, 1), Edge(10**9, 0, 0), Edge(3 * 10**9, 1, 1), Edge(3 * 10**9, 1, 0)]
    assert list(paced(rows, speed, lambda: clock.now_ns, clock.sleep_s)) == rows
    assert clock.slept_s == slept_s


def test_pacing_catches_up() -> None:
    clock = Clock()

    def slow() -> Iterator[Row]:
        for t_ns in itertools.count(0, 10**9):
            clock.now_ns += 1_500_000_000 if t_ns == 10**9 else 0
            yield Edge(t_ns, 0, 1)

    assert len(list(itertools.islice(paced(slow(), 1.0, lambda: clock.now_ns, clock.sleep_s), 4))) == 4
    assert clock.slept_s == [0.5, 1.0]
