"""`foyer replay FOLDER` and `--jobs`: many recordings, a row each, as people run it."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.replay import replay
from edge.trace import READERS, Edge, SerialBytes, TraceHeader, create_trace
from edge.trace.header import Segment

TRACES = Path(__file__).parents[1] / "traces"
ROOT = Path(__file__).parents[2]
GOOD = sorted(path.name for path in TRACES.glob("*.jsonl") if path.stem != "runs-backwards")


def foyer(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "foyer", "replay", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def as_json(*arguments: object, code: int = 0) -> dict[str, Any]:
    done = foyer(*arguments, "--json")
    assert done.returncode == code, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Good traces of every suffix, some below, and what is no trace at all."""
    (tmp_path / "hub/door").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    for number, suffix in enumerate(READERS):
        where = tmp_path / ("hub/door" if number % 2 else "") / f"trace{suffix}"
        with create_trace(where, TraceHeader(separation_m=0.12)) as trace:
            for edge in ((1000, 0, 1), (1090, 1, 1), (1230, 0, 0), (1320, 1, 0)):
                trace.write(Edge(edge[0] * 1_000_000, *edge[1:]))
    for other in ("README.md", "hub/truth.json", ".hidden/bad.jsonl", ".part.parquet"):
        (tmp_path / other).write_text("no trace")
    return tmp_path


def record(folder: Path, door: bool = True) -> None:
    """What a unit leaves: two segments of which the second follows the first."""
    folder.mkdir(parents=True)
    for number, begin_ns in ((1, 0), (2, 5_000_000_000)):
        after = (number - 1, 4) if number > 1 else None
        segment = Segment(number, begin_ns, 8_000_000 if door else None, after=after, boot="b")
        with create_trace(folder / f"{number:08d}.jsonl.gz", TraceHeader(0, "s", 0.12, segment=segment)) as trace:
            for ms, line, level in ((1000, 0, 1), (1090, 1, 1), (1230, 0, 0), (1320, 1, 0)):
                t_ns = begin_ns + ms * 1_000_000
                trace.write(Edge(t_ns, line, level) if door else SerialBytes(t_ns, b"x"))


@pytest.mark.parametrize("jobs", [1, 3])
def test_every_trace_is_counted_as_by_itself(jobs: int) -> None:
    result = as_json(*(TRACES / name for name in GOOD), "--jobs", jobs)
    assert [row["trace"] for row in result["traces"]] == [str(TRACES / name) for name in GOOD]
    for row in result["traces"]:
        alone = replay(Path(row["trace"]))
        assert row == {
            "trace": row["trace"],
            "edges": alone.edges,
            "passages": len(alone.found),
            "totals": {way: alone.total(way) for way in ("in", "out", "unknown")},
            "faults": len(alone.found.faults),
        }
    for name in ("edges", "passages", "faults"):
        assert result[name] == sum(row[name] for row in result["traces"]) > 0
    assert result["totals"] == {
        way: sum(row["totals"][way] for row in result["traces"]) for way in ("in", "out", "unknown")
    }
    assert result["failed"] == 0


@pytest.mark.parametrize("options", [[], ["--jobs", 2]])
def test_a_folder_is_searched_to_the_bottom(folder: Path, options: list[object]) -> None:
    done = foyer(folder, *options)
    assert (done.returncode, done.stderr) == (0, "")
    head, *rows, blank, totals = done.stdout.splitlines()
    assert head.split() == ["trace", "edges", "in", "out", "unknown", "faults"]
    assert {row.split()[0] for row in rows} == {
        str(path) for path in folder.glob("**/trace.*") if path.name != ".part.parquet"
    }
    assert [row.split()[1:] for row in rows] == [["4", "1", "0", "0", "0"]] * len(READERS)
    assert (blank, totals) == (
        "",
        f"{len(READERS)} of {len(READERS)} traces, {4 * len(READERS)} edges: {len(READERS)} in, 0 out; 0 failed",
    )


def test_failures_are_named_and_counted_and_the_others_counted(folder: Path) -> None:
    bad = {
        "backwards.jsonl": (TRACES / "runs-backwards.jsonl").read_bytes(),
        "cut.parquet": (folder / "trace.parquet").read_bytes()[:-20],
        "empty.csv": b"",
        "wide.jsonl": b'{"foyer_trace": 1, "separation_m": 40}\n[1, "outer", 1]\n',
        "noise.jsonl.gz": b"no gzip",
    }
    for name, data in bad.items():
        (folder / name).write_bytes(data)
    done = foyer(folder, "--jobs", 2)
    assert done.returncode == 1
    rows = dict(row.split(maxsplit=1) for row in done.stdout.splitlines()[1:-2])
    assert {path for path, row in rows.items() if row == "failed"} == {str(folder / name) for name in bad}
    assert done.stdout.splitlines()[-1] == (
        f"{len(READERS)} of {len(READERS) + len(bad)} traces, {4 * len(READERS)} edges: "
        f"{len(READERS)} in, 0 out; {len(bad)} failed"
    )
    told = done.stderr.splitlines()
    assert [line.split(":")[1].strip() for line in told] == [str(folder / name) for name in sorted(bad)]
    assert f"foyer: {folder}/backwards.jsonl:4: time runs backwards" in done.stderr
    assert f"foyer: {folder}/wide.jsonl: separation of 40.0 m: expected" in done.stderr
    result = as_json(folder, "--jobs", 2, code=1)
    assert result["failed"] == len(bad)
    assert {row["trace"] for row in result["traces"] if "error" in row} == {str(folder / name) for name in bad}
    assert result["totals"] == {"in": len(READERS), "out": 0, "unknown": 0}


def test_a_recording_among_the_traces_is_one_row(folder: Path) -> None:
    record(folder / "units/one/front-beams")
    record(folder / "units/two/radar", door=False)
    done = foyer(folder, "--json")
    assert done.returncode == 0
    rows = {row["trace"]: row for row in json.loads(done.stdout)["traces"]}
    assert len(rows) == len(READERS) + 2
    beams = rows[str(folder / "units/one/front-beams")]
    assert (beams["edges"], beams["totals"]) == (8, {"in": 2, "out": 0, "unknown": 0})
    assert rows[str(folder / "units/two/radar")]["edges"] == 0
    assert done.stderr.startswith(f"foyer: {folder}/units/two/radar: ")
    assert "serial devices only" in done.stderr


def test_a_folder_of_segments_is_still_one_recording(tmp_path: Path) -> None:
    """Given by itself, or the folder around it, it is shown passage by passage; with --jobs it is a row."""
    record(tmp_path / "unit/front-beams")
    for given in (tmp_path / "unit/front-beams", tmp_path / "unit"):
        assert [passage["direction"] for passage in as_json(given)["passages"]] == ["in", "in"]
        (row,) = as_json(given, "--jobs", 1)["traces"]
        assert (row["trace"], row["edges"]) == (str(tmp_path / "unit/front-beams"), 8)


def test_two_doors_of_a_unit_are_two_rows_with_jobs(tmp_path: Path) -> None:
    for name in ("front", "back"):
        record(tmp_path / name)
    done = foyer(tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "expected the recording of one pair of beams; there are" in done.stderr
    assert [row["edges"] for row in as_json(tmp_path, "--jobs", 2)["traces"]] == [8, 8]


def test_settings_are_those_of_all_traces(folder: Path) -> None:
    assert as_json(folder, "--debounce-ms", 300)["totals"]["in"] == 0
    record(folder / "units/one/beams")
    done = foyer(folder, "--debounce-ms", 300)
    assert (done.returncode, done.stdout.count("failed")) == (1, 2)
    assert "a unit's recording is counted with that unit's separation and debounce time" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["missing", "--jobs", "2"], "missing: no such file or directory"),
        ([TRACES, "missing.jsonl", "--jobs", "2"], "missing.jsonl: no such file or directory"),
        (["docs/pictures"], "docs/pictures: no trace in it: expected files that end in one of .jsonl,"),
        (["docs/pictures", "--jobs", "2"], "docs/pictures: no trace in it: expected"),
        ([TRACES, "--debounce-ms", "9999"], "debounce of 9999 ms: expected 0 to 500 ms"),
        ([TRACES, "--separation-m", "nan"], "separation of nan m: expected"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(arguments: list[object], says: str) -> None:
    done = foyer(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"foyer: {says}")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("jobs", ["0", "-1", "many"])
def test_so_many_jobs_there_cannot_be(jobs: str) -> None:
    done = foyer(TRACES, "--jobs", jobs)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--jobs" in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read(folder: Path) -> None:
    (folder / "hub/door").chmod(0)
    try:
        done = foyer(folder)
    finally:
        (folder / "hub/door").chmod(0o700)
    assert (done.returncode, done.stdout) == (2, "")
    assert "hub/door: Permission denied" in done.stderr


def test_a_terminal_sees_progress(folder: Path) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "foyer", "replay", str(folder), "--jobs", "2"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    ) as process:
        table, _ = process.communicate(timeout=60)
    os.close(theirs)
    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert f"{len(READERS)}/{len(READERS)}" in shown
    assert "[####" in shown
    assert table.splitlines()[-1].endswith("0 failed")


def test_what_kills_its_process_has_failed_and_the_others_are_counted(folder: Path) -> None:
    pipe = folder / "endless.jsonl"
    os.mkfifo(pipe)
    with subprocess.Popen(
        [sys.executable, "-m", "foyer", "replay", str(folder), "--jobs", "2", "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            for _ in range(2):  # among the others, and by itself
                writer = until(lambda: opened(pipe))
                reader = until(lambda: next(readers(process.pid, pipe), None))
                os.kill(reader, signal.SIGKILL)
                until(lambda gone=reader: None if gone in readers(process.pid, pipe) else gone)
                os.close(writer)
            out, told = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 1
    assert told == f"foyer: {pipe}: the process that counted it was killed (out of memory?)\n"
    result = json.loads(out)
    assert (result["failed"], result["edges"]) == (1, 4 * len(READERS))


def until(ask: Callable[[], int | None]) -> int:
    for _ in range(3_000):
        if (answer := ask()) is not None:
            return answer
        time.sleep(0.02)
    raise TimeoutError


def opened(pipe: Path) -> int | None:
    """The end of a pipe to write to, once somebody reads."""
    try:
        return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return None


def readers(parent: int, pipe: Path) -> Iterator[int]:
    """Its children that have the pipe open."""
    for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        try:
            held = [str(fd.readlink()) for fd in Path(f"/proc/{child}/fd").iterdir()]
        except OSError:
            continue
        if str(pipe) in held:
            yield int(child)
