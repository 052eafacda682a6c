"""The formats made of lines: what is on disk, and what is said of a bad one."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest

from edge.trace import WRITERS, Edge, Row, SerialBytes, TraceError, TraceHeader, create_trace, open_trace

if TYPE_CHECKING:
    from pathlib import Path

HEADER = '{"foyer_trace": 1}\n'


def write(path: Path, header: TraceHeader, rows: list[Row]) -> None:
    with create_trace(path, header) as trace:
        for row in rows:
            trace.write(row)


def read(path: Path) -> tuple[TraceHeader, list[Row]]:
    with open_trace(path) as trace:
        return trace.header, list(trace)


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


def test_rows_come_one_at_a_time(tmp_path: Path) -> None:
    """A row is there before the next is read: what is wrong further on does not hide it."""
    path = tmp_path / "streams.jsonl"
    path.write_text(HEADER + '[1, "outer", 1]\nnonsense\n')
    with open_trace(path) as trace:
        rows = iter(trace)
        assert next(rows) == Edge(1, 0, 1)
        with pytest.raises(TraceError):
            next(rows)
