"""Value change dumps: ours in other people's tools, and theirs here."""

from __future__ import annotations

import io
import subprocess
from typing import TYPE_CHECKING

import pytest
from servers import program
from vcd import VCDWriter

from edge.trace import Edge, Row, TraceError, TraceHeader, create_trace, open_trace
from firmware_cfg.times import NS_PER_MS, from_rfc3339

if TYPE_CHECKING:
    from pathlib import Path

WALK = [(5, 1, 0), (100, 0, 1), (190, 1, 1), (350, 0, 0), (440, 0, 1), (440, 1, 0), (500, 0, 0), (600, 1, 1)]
"""Milliseconds, line, level."""
SIGNALS = "$var wire 1 ! outer $end\n$var wire 1 ? inner $end\n"


def dump(values: str, *, unit: str = "1 ns", signals: str = SIGNALS) -> str:
    return f"$timescale {unit} $end\n$scope module top $end\n{signals}$upscope $end\n$enddefinitions $end\n{values}"


def read(path: Path, text: str) -> tuple[TraceHeader, list[Row]]:
    path.write_text(text, encoding="utf-8")
    with open_trace(path) as trace:
        return trace.header, list(trace)


def test_the_format_on_disk(tmp_path: Path) -> None:
    header = TraceHeader(from_rfc3339("2026-03-02T09:00:00Z"), "front-beams", 0.12, (0, 1))
    with create_trace(tmp_path / "a.vcd", header) as trace:
        for row in (Edge(12, 0, 1), Edge(13, 1, 0), Edge(13, 0, 0)):
            trace.write(row)
    assert (tmp_path / "a.vcd").read_text(encoding="ascii").splitlines() == [
        "$date 2026-03-02T09:00:00Z $end",
        (
            '$comment foyer {"foyer_trace": 1, "t0": "2026-03-02T09:00:00Z", "sensor": "front-beams", '
            '"separation_m": 0.12} $end'
        ),
        "$timescale 1 ns $end",
        "$scope module foyer $end",
        "$var wire 1 o outer $end",
        "$var wire 1 i inner $end",
        "$upscope $end",
        "$enddefinitions $end",
        *("#0", "$dumpvars", "0o", "1i", "$end", "#12", "1o", "#13", "0i", "0o"),
    ]


def test_a_name_cannot_end_the_comment(tmp_path: Path) -> None:
    header = TraceHeader(sensor="front $end\n#5 1o Eingangstür")
    with create_trace(tmp_path / "a.vcd", header):
        pass
    with open_trace(tmp_path / "a.vcd") as trace:
        assert trace.header == header


def test_sigrok_sees_the_same_edges(tmp_path: Path) -> None:
    rows = [Edge(after_ms * NS_PER_MS, *change) for after_ms, *change in WALK]
    with create_trace(tmp_path / "walk.vcd", TraceHeader(levels=(0, 1))) as trace:
        for row in rows:
            trace.write(row)
    # A sample a millisecond; what happens in the last one sigrok leaves out.
    command = [
        program("sigrok-cli"),
        "-i",
        str(tmp_path / "walk.vcd"),
        "-I",
        f"vcd:downsample={NS_PER_MS}",
        "-O",
        "csv",
    ]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    assert "Channels (2/2): outer, inner" in printed
    samples = [tuple(map(int, line.split(","))) for line in printed.splitlines() if line[:1] in "01"]
    seen, levels = [], (0, 1)
    for at_ms, sample in enumerate(samples):
        seen += [
            Edge(at_ms * NS_PER_MS, line, level)
            for line, (before, level) in enumerate(zip(levels, sample, strict=True))
            if level != before
        ]
        levels = sample
    assert seen == rows[:-1]


@pytest.mark.parametrize(
    ("unit", "time", "t_ns"),
    [
        ("1 s", 3, 3_000_000_000),
        ("1ms", 3, 3_000_000),
        ("10 us", 3, 30_000),
        ("100 ns", 3, 300),
        ("1 ps", 3_999, 3),
        ("1 fs", 3_999_999, 3),
        ("1 as", 3_000_000_000, 3),
    ],
)
def test_other_time_units(tmp_path: Path, unit: str, time: int, t_ns: int) -> None:
    assert read(tmp_path / "a.vcd", dump(f"#0 0! 0?\n#{time} 1!\n", unit=unit))[1] == [Edge(t_ns, 0, 1)]


def test_what_pyvcd_writes(tmp_path: Path) -> None:
    """Unknown values at the start, another signal, and a signal that is 1 from the start."""
    text = io.StringIO()
    with VCDWriter(text, timescale="1 us", date="today") as writer:
        outer = writer.register_var("analyser", "outer", "wire", size=1)
        inner = writer.register_var("analyser", "inner", "wire", size=1, init=1)
        clock = writer.register_var("analyser", "clock", "integer", size=8, init=0)
        writer.change(clock, 3, 7)
        writer.change(outer, 4, 0)
        writer.change(inner, 5, 0)
        writer.change(outer, 6, 1)
    header, rows = read(tmp_path / "a.vcd", text.getvalue())
    assert header == TraceHeader(levels=(0, 1))
    assert rows == [Edge(5_000, 1, 0), Edge(6_000, 0, 1)]


@pytest.mark.parametrize(
    ("values", "levels", "rows"),
    [
        ("", (0, 0), []),
        ("#0 1! 0?\n#5 0!\n", (1, 0), [Edge(5, 0, 0)]),  # as sigrok writes it
        ("$dumpvars 1! 1? $end\n#0 0!\n", (1, 1), [Edge(0, 0, 0)]),
        ("#7 1!\n#8 1?\n", (1, 0), [Edge(8, 1, 1)]),  # nothing is known of inner before: it was clear
        ("#7 1!\n#8 0?\n#9 1?\n", (1, 0), [Edge(9, 1, 1)]),
        ("#0 x! z?\n#5 1!\n#6 0?\n#7 1?", (0, 0), [Edge(5, 0, 1), Edge(7, 1, 1)]),
        ("#0 b0 ! 0?\n#5 b1 !\n", (0, 0), [Edge(5, 0, 1)]),
        ("#0 0! 0?\n#5 1! 0! 0!\n", (0, 0), [Edge(5, 0, 1), Edge(5, 0, 0), Edge(5, 0, 0)]),
    ],
)
def test_levels_at_the_start(tmp_path: Path, values: str, levels: tuple[int, int], rows: list[Row]) -> None:
    assert read(tmp_path / "a.vcd", dump(values)) == (TraceHeader(levels=levels), rows)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("hello", ":1: the file ends before $enddefinitions"),
        ("#!/bin/sh", ":1: this is no value change dump ("),
        ("$date tod\u00e9y $end", ":1: this is no value change dump ("),
        ("$timescale 1 ns $end\n", ":1: the file ends before $enddefinitions: copy it again"),
        (
            dump("", signals="$var wire 1 ! D0 $end\n$var wire 1 ? D1 $end\n"),
            "no signal named outer and none named inner",
        ),
        (dump("", signals="$var wire 1 ! D0 $end\n$var wire 1 ? D1 $end\n"), "analyser; there are D0, D1"),
        (dump("", signals="$var wire 1 ! outer $end\n"), "no signal named inner: rename"),
        (dump("", signals=""), "there are none"),
        (dump("", signals=SIGNALS + "$var wire 1 + inner $end\n"), ":5: a second signal named inner: rename"),
        (dump("", signals="$var wire 8 ! outer $end\n$var wire 1 ? inner $end\n"), ":3: signal outer is 8 bits wide"),
        (dump("").partition("\n")[2], "no $timescale: expected the unit of its times"),
        (dump("", unit="1 week"), ":1: this is no value change dump (Invalid $timescale unit: week"),
        (dump("#0 0! 0?\n#5\nx!\n"), ":9: outer becomes unknown (x or z): expected 1 (beam blocked) or 0 (clear)"),
        (dump("#0 0! 0?\n#5\nz?\n"), ":9: inner becomes unknown"),
        (dump("#0 0! 0?\n#5 1!\n#4 1?\n"), ":9: time runs backwards, from 5 to 4 ns"),
        (dump("#0 0! 0?\n#500 1!\n#50"), ":9: time runs backwards, from 500 to 50 ns"),  # cut in the middle of a time
        (dump("#0 0! 0?\n#" + "9" * 30 + " 1!\n"), "expected 0 to below 2^62"),
        (dump("#0 0! 0?\n#" + "9" * 5000 + " 1!\n"), "this is no value change dump (Exceeds the limit"),
        (
            '$comment foyer {"foyer_trace": 2} $end\n' + dump(""),
            ":1: the comment that Foyer wrote cannot be read: trace",
        ),
    ],
)
def test_bad_dumps(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(TraceError) as caught:
        read(tmp_path / "bad.vcd", text)
    assert says in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "bad.vcd"))
    assert "\n" not in str(caught.value)
