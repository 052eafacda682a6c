"""`make compare`: what it says of itself and of what is missing, and what it makes of its figures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "tests" / "benchmarks"
sys.path.append(str(BENCHMARKS))

import compare  # noqa: E402 - after the path
import contestants  # noqa: E402 - after the path


def run(*arguments: str, path: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / "compare.py"), *arguments]
    return subprocess.run(
        command, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False, timeout=60
    )


def programs(folder: Path, **scripts: str) -> str:
    """A PATH with nothing else on it."""
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    return str(folder)


def test_help_says_what_it_takes(tmp_path: Path) -> None:
    shown = run("--help", path=str(tmp_path))
    assert shown.returncode == 0
    assert {"--messages", "--rounds", "--kill", "--without-node-red"} <= set(shown.stdout.replace("]", " ").split())


def test_an_option_that_is_none_is_refused(tmp_path: Path) -> None:
    assert run("--fast", path=str(tmp_path)).returncode == 2
    assert run("--rounds", "many", path=str(tmp_path)).returncode == 2
    assert run("--messages", "70000", path=str(tmp_path)).returncode == 2


@pytest.mark.parametrize(
    ("scripts", "sentence"),
    [
        ({}, "node is not installed"),
        ({"node": "echo v20.1.0"}, "npm is not installed"),
        ({"node": "echo v16.20.2", "npm": "exit 0"}, "node is v16.20.2"),
        ({"node": "echo v18.19.0", "npm": "echo 'npm error network' >&2; exit 1"}, "npm error network"),
    ],
)
def test_what_is_missing_is_said_in_a_sentence(tmp_path: Path, scripts: dict[str, str], sentence: str) -> None:
    said = run("--node-red", str(tmp_path / "red"), path=programs(tmp_path, **scripts))
    assert said.returncode == 2
    assert said.stderr.splitlines()[-1].startswith("compare: ")
    assert sentence in said.stderr
    assert "--without-node-red" in said.stderr
    assert "Traceback" not in said.stderr


def test_what_npm_has_put_there_is_not_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = tmp_path / "asked"
    monkeypatch.setenv("PATH", programs(tmp_path, node="echo v18.19.0", npm=f"echo once >> {asked}"))
    for _ in range(2):
        assert contestants.install_node_red(tmp_path / "red") == tmp_path / "red"
    assert asked.read_text(encoding="utf-8") == "once\n"
    package = json.loads((tmp_path / "red" / "package.json").read_text(encoding="utf-8"))
    assert package["dependencies"] == contestants.NODE_RED
    assert all(pin[0].isdigit() for pin in contestants.NODE_RED.values())  # a version, not a range


def test_the_flow_listens_to_what_units_send_and_has_no_loose_ends() -> None:
    flow = {node["id"]: node for node in json.loads((BENCHMARKS / "node_red_flow.json").read_text(encoding="utf-8"))}
    assert flow["in"]["topic"] == "foyer/v1/+/+/events"
    assert flow["in"]["qos"] == "1"
    for node in flow.values():
        assert {target for wire in node.get("wires", []) for target in wire} <= flow.keys()


FOUND = {
    compare.DRAIN: compare.Speed(20_000, 30),
    compare.OURS: compare.Speed(15_000, 40),
    compare.RED: compare.Speed(10_000, 60),
}


def test_a_target_is_told_with_its_ratio() -> None:
    assert compare.verdicts(FOUND) == [
        f"target 0.5 x {compare.DRAIN}: 0.75, reached; by processor time 0.75",
        f"target 1.2 x {compare.RED}: 1.50, reached; by processor time 1.50",
        f"moonshot 3.0 x {compare.RED}: 1.50, missed; by processor time 1.50",
    ]
    del (without := dict(FOUND))[compare.RED]
    assert len(compare.verdicts(without)) == 1


def test_the_table_has_a_line_each_and_what_was_lost_where_that_was_asked() -> None:
    lost = {"killed": {compare.OURS: compare.Lost(1000, 0), compare.RED: compare.Lost(1000, 42)}}
    lines = compare.table({1: FOUND}, lost).splitlines()
    assert lines[0] == "|  | events/s, 1 a message | x paho | x Node-RED | CPU, us an event | lost, killed |"
    assert lines[3:] == [
        f"| {compare.OURS} | 15,000 | 0.75 | 1.50 | 40.0 | 0 |",
        f"| {compare.RED} | 10,000 | 0.50 | 1.00 | 60.0 | 4.2% |",
    ]
