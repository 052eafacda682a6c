"""`foyer replay`, as people run it."""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.counting import Columns
from edge.replay import Replayed, as_json, as_table
from edge.trace import WRITERS, TraceHeader
from firmware_cfg.times import NS_PER_MS, NS_PER_S, from_rfc3339, to_rfc3339

TRACES = Path(__file__).parents[1] / "traces"
ROOT = Path(__file__).parents[2]


def foyer(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "foyer", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=False
    )


def replay_json(name: str, *options: object) -> dict[str, Any]:
    done = foyer("replay", TRACES / f"{name}.jsonl", "--json", *options)
    assert (done.returncode, done.stderr) == (0, "")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_json_is_one_object_with_these_keys() -> None:
    assert replay_json("repeated-level") == {
        "edges": 5,
        "passages": [
            {
                "t_ns": 1_160_000_000,
                "direction": "in",
                "persons": 1,
                "speed_m_s": pytest.approx(1.3333, abs=1e-3),
                "length_m": pytest.approx(0.3067, abs=1e-3),
                "confidence": pytest.approx(0.98, abs=0.02),
            }
        ],
        "totals": {"in": 1, "out": 0},
        "intervals": {"in": [0, 2], "out": [0, 0]},
        "faults": [
            {
                "t_ns": 1_150_000_000,
                "kind": "repeated_level",
                "line": "outer",
                "active": True,
                "detail": "",
                "count": 1,
            }
        ],
    }


def test_separation_from_option_then_header_then_nowhere() -> None:
    assert replay_json("single-in", "--separation-m", 0.06)["passages"][0]["speed_m_s"] == pytest.approx(
        0.6667, abs=1e-3
    )
    assert replay_json("single-in")["passages"][0]["speed_m_s"] == pytest.approx(1.3333, abs=1e-3)
    unknown = replay_json("single-in-separation-unknown")["passages"][0]
    assert (unknown["speed_m_s"], unknown["length_m"]) == (None, None)


def test_debounce_option() -> None:
    assert replay_json("single-in", "--debounce-ms", 300)["totals"] == {"in": 0, "out": 0}
    assert replay_json("single-in", "--debounce-ms", 0)["totals"] == {"in": 1, "out": 0}


def test_levels_before_the_first_edge() -> None:
    result = replay_json("blocked-from-the-start")
    assert (result["edges"], result["totals"], result["faults"]) == (5, {"in": 1, "out": 0}, [])


KNOWN_OR_NOT = st.floats(0.0, 1e300) | st.floats(1e-9, 20.0) | st.just(math.nan)


def found_of(rows: list[tuple[int, float, float, float]]) -> Columns:
    """A person in by each row: time, speed, length, confidence."""
    t_ns, *numbers = zip(*rows, strict=True)
    ones = [1] * len(rows)
    return Columns(array("q", t_ns), array("b", ones), array("i", ones), *(array("d", column) for column in numbers))


@given(st.lists(st.tuples(st.just(0), KNOWN_OR_NOT, KNOWN_OR_NOT, st.floats(0.0, 1.0)), min_size=1))
def test_json_has_numbers_as_python_writes_them(rows: list[tuple[int, float, float, float]]) -> None:
    text = "".join(as_json(Replayed(TraceHeader(), 0, found_of(rows))))
    passages = [
        {"t_ns": t_ns, "direction": "in", "persons": 1, "speed_m_s": speed, "length_m": length, "confidence": sure}
        for t_ns, speed, length, sure in rows
    ]
    assert text.startswith(f'{{"edges": 0, "passages": {json.dumps(passages).replace("NaN", "null")}, "totals"')


@given(
    st.lists(st.integers(0, 2**62 - 1) | st.integers(0, 10**14), min_size=1),
    st.integers(from_rfc3339("0001-01-01T00:00:00Z"), from_rfc3339("9999-12-31T23:59:59Z")),
    st.sampled_from([1, NS_PER_MS, NS_PER_S]),
)
def test_table_has_times_as_everywhere(times_ns: list[int], t0_ns: int, unit_ns: int) -> None:
    t0_ns = t0_ns // unit_ns * unit_ns
    rows = "".join(as_table(Replayed(TraceHeader(t0_ns), 0, found_of([(t_ns, 1.0, 1.0, 1.0) for t_ns in times_ns]))))
    for t_ns, line in zip(times_ns, rows.splitlines()[1:], strict=False):
        try:
            time = to_rfc3339(t0_ns + t_ns // NS_PER_MS * NS_PER_MS)
        except (OverflowError, ValueError):  # beyond the year 9999
            time = f"{t_ns / NS_PER_S:.3f} s"
        assert line == f"{time:<30}  in             1       1.00      1.00        1.00"


def test_table() -> None:
    done = foyer("replay", TRACES / "repeated-level.jsonl")
    assert (done.returncode, done.stderr) == (0, "")
    head, passage, blank, totals, interval, faults = done.stdout.splitlines()
    assert head.split() == ["time", "way", "persons", "speed", "m/s", "length", "m", "confidence"]
    assert passage.split() == ["2026-03-02T09:00:01.16Z", "in", "1", "1.33", "0.31", "0.98"]
    assert blank == ""
    assert totals == "5 edges: 1 in, 0 out"
    assert interval == "95 %: 0 to 2 in, 0 to 0 out"
    assert faults == "1 x repeated_level on outer"


def test_table_without_a_date(tmp_path: Path) -> None:
    path = tmp_path / "undated.csv"
    edges = "1000000000,outer,1\n1090000000,inner,1\n1230000000,outer,0\n1320000000,inner,0\n"
    path.write_text(f"t_ns,line,level\n{edges}")
    assert foyer("replay", path).stdout.splitlines()[1].split() == ["1.160", "s", "in", "1", "-", "-", "0.98"]


def test_a_date_beyond_the_calendar(tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    edges = "1000000000,outer,1\n1090000000,inner,1\n1230000000,outer,0\n1320000000,inner,0\n"
    path.write_text(f"# t0=9999-12-31T23:59:59Z\nt_ns,line,level\n{edges}")
    assert foyer("replay", path).stdout.splitlines()[1].split()[:3] == ["1.160", "s", "in"]


def test_a_trace_without_edges(tmp_path: Path) -> None:
    (tmp_path / "quiet.jsonl").write_text('{"foyer_trace": 1}\n')
    done = foyer("replay", tmp_path / "quiet.jsonl", "--json")
    assert json.loads(done.stdout) == {
        "edges": 0,
        "passages": [],
        "totals": {"in": 0, "out": 0},
        "intervals": {"in": [0, 0], "out": [0, 0]},
        "faults": [],
    }


def test_every_format_counts_the_same(tmp_path: Path) -> None:
    """One simulated hour, written in each format by `foyer simulate` and counted by `foyer replay`."""
    counted = []
    for suffix in WRITERS:
        path = tmp_path / f"hour{suffix}"
        done = foyer("simulate", "door", "--scenario", "followers", "--seed", 7, "--hours", 0.2, "-o", path)
        assert done.returncode == 0
        done = foyer("replay", path, "--json")
        assert (done.returncode, done.stderr) == (0, "")
        counted.append(json.loads(done.stdout))
    assert len(counted[0]["passages"]) > 20
    assert all(result == counted[0] for result in counted)


def test_serial_rows_are_no_edges(tmp_path: Path) -> None:
    (tmp_path / "serial.jsonl").write_text('{"foyer_trace": 1}\n[1, "serial", "aaff"]\n')
    assert json.loads(foyer("replay", tmp_path / "serial.jsonl", "--json").stdout)["edges"] == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["missing.jsonl"], r"foyer: .*missing\.jsonl: no such file or directory"),
        (["missing.folder"], r"foyer: missing\.folder: no such file or directory"),
        (["foyer.py"], r"foyer: .*: the name of a trace ends in one of"),
        (["docs/pictures"], r"foyer: docs/pictures: no trace in it: expected files that end in one of"),
        ([TRACES / "single-in.jsonl"] * 2, r"foyer: .*single-in\.jsonl: no segment of a unit's recording"),
        ([TRACES / "runs-backwards.jsonl"], r"foyer: .*runs-backwards\.jsonl:4: time runs backwards"),
        ([TRACES / "runs-backwards.jsonl", "--json"], r"foyer: .*runs-backwards\.jsonl:4: time runs backwards"),
        ([TRACES / "single-in.jsonl", "--separation-m", "0"], r"foyer: separation of 0\.0 m: expected"),
        ([TRACES / "single-in.jsonl", "--separation-m", "-1"], r"foyer: separation of -1\.0 m: expected"),
        ([TRACES / "single-in.jsonl", "--separation-m", "nan"], r"foyer: separation of nan m: expected"),
        ([TRACES / "single-in.jsonl", "--debounce-ms", "-1"], r"foyer: debounce of -1\.0 ms: expected"),
        ([TRACES / "single-in.jsonl", "--debounce-ms", "nan"], r"foyer: debounce of nan ms: expected"),
        ([TRACES / "single-in.jsonl", "--debounce-ms", "inf"], r"foyer: debounce of inf ms: expected"),
        ([TRACES / "single-in.jsonl", "--debounce-ms", "9999"], r"foyer: debounce of 9999 ms: expected 0 to 500 ms"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments: list[object], says: str) -> None:
    done = foyer("replay", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(f"{says}.*\n", done.stderr)


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_what_goes_past_typer_prints_the_same(options: list[str]) -> None:
    """`--` is among what `foyer.py` leaves to Typer."""
    plain = foyer("replay", TRACES / "repeated-level.jsonl", *options)
    assert (plain.returncode, plain.stderr) == (0, "")
    assert plain.stdout == foyer("replay", *options, "--", TRACES / "repeated-level.jsonl").stdout


def test_a_plain_replay_loads_neither_typer_nor_pydantic() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "foyer", "replay", str(TRACES / "single-in.jsonl")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "edge.replay" in loaded
    assert not {"typer", "pydantic", "pydantic_core", "pyarrow"} & loaded


@pytest.fixture
def heeds_ctrl_c() -> Iterator[None]:
    """What is started meanwhile heeds SIGINT, also where the tests are run in a shell's background, which do not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeds_ctrl_c")
@pytest.mark.parametrize("options", [[], ["--"]], ids=["plain", "typer"])
def test_ctrl_c_ends_it_without_a_word(options: list[str], tmp_path: Path) -> None:
    pipe = tmp_path / "endless.csv"
    os.mkfifo(pipe)
    with (
        subprocess.Popen(
            [sys.executable, "-m", "foyer", "replay", *options, str(pipe)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process,
        pipe.open("wb"),
    ):  # it is there, and waits for the first line
        process.send_signal(signal.SIGINT)
        assert process.communicate() == (b"", b"")
    assert process.returncode == 130


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    """As in `foyer replay … | head -1`: no traceback, whatever the exit code."""
    edges = []
    for start_ms in range(0, 20_000_000, 2_000):
        for lag_ms, line, level in ((0, "outer", 1), (90, "inner", 1), (230, "outer", 0), (320, "inner", 0)):
            edges.append(f"{(start_ms + lag_ms) * 1_000_000},{line},{level}\n")
    (tmp_path / "long.csv").write_text("t_ns,line,level\n" + "".join(edges))
    with subprocess.Popen(
        [sys.executable, "-m", "foyer", "replay", str(tmp_path / "long.csv")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("time")
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode in (0, 1)


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_full_disk_is_one_sentence(options: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "foyer", "replay", str(TRACES / "single-in.jsonl"), *options],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, "foyer: the output cannot be written: No space left on device\n")
