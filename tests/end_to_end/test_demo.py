"""`foyer demo` as a newcomer runs it: pages at once, a year behind them, nothing lost, Ctrl-C, and on from there."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from house import wait_until
from servers import free_port

pytestmark = pytest.mark.timeout(280)

ANSWERS_WITHIN_S = 10.0


@contextmanager
def demo(folder: Path, port: int, *options: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "foyer", "demo", "--port", str(port), "--state", str(folder / "demo"), *options]
    with (folder / "stderr.txt").open("a", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    with process:
        try:
            yield process
        finally:
            process.kill()


def outcome(process: subprocess.Popen[str]) -> dict[str, Any]:
    printed, _ = process.communicate(timeout=240)
    result: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return result


def get(port: int, path: str) -> Any:
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
            return json.load(response)
    except (URLError, ConnectionError):
        return None


def test_a_demo_shows_pages_at_once_loses_nothing_and_goes_on_where_it_was(tmp_path: Path) -> None:
    port = free_port()
    with demo(tmp_path, port, "--hubs", "1", "--for", "6") as first:
        began_s = time.monotonic()
        wait_until("the page answers", lambda: get(port, "/api/v1/hubs"), patience_s=ANSWERS_WITHIN_S)
        assert time.monotonic() - began_s < ANSWERS_WITHIN_S
        told = outcome(first)
    assert first.returncode == 0, (tmp_path / "stderr.txt").read_text()
    assert (told["lost"], told["duplicates"]) == (0, 0)
    assert told["published"] == told["stored"] == sum(told["by_kind"].values())
    assert told["by_kind"]["passage"] > 2 * 98_000, "Armley's year, in and out"
    assert min(told["by_kind"][kind] for kind in ("passage", "room", "cabinet")) > 0

    with demo(tmp_path, port, "--hubs", "1") as second:
        # The page answers before the live view is filled from the store: what it does not know yet is unknown.
        wait_until("the live view is filled", lambda: get(port, "/readyz"))
        before = get(port, "/api/v1/hubs/armley/live")["visits_today"]["value"]
        assert before, "the day so far is there"
        wait_until("somebody comes in", lambda: get(port, "/api/v1/hubs/armley/live")["visits_today"]["value"] > before)
        second.send_signal(signal.SIGINT)
        told = outcome(second)
    assert second.returncode == 0, (tmp_path / "stderr.txt").read_text()
    assert (told["lost"], told["duplicates"]) == (0, 0)
    assert 0 < told["by_kind"]["passage"] < 1000, "the year is not published twice"
    assert "Traceback" not in (tmp_path / "stderr.txt").read_text()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--hubs", "0"], "--hubs 0: expected 1 to 48"),
        (["--speed", "0"], "--speed 0: expected above 0"),
        (["--for", "-1"], "--for -1: expected seconds, above 0"),
        (["--for", "nan"], "--for nan: expected seconds, above 0"),
    ],
)
def test_a_bad_option_is_one_clear_sentence(tmp_path: Path, options: list[str], sentence: str) -> None:
    with demo(tmp_path, free_port(), *options) as process:
        process.communicate(timeout=30)
    assert process.returncode == 2
    assert sentence in (tmp_path / "stderr.txt").read_text().strip()
    assert "Traceback" not in (tmp_path / "stderr.txt").read_text()


def test_a_port_that_is_taken_is_one_clear_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with demo(tmp_path, port) as process:
            process.communicate(timeout=30)
    assert process.returncode == 2
    sentence = f"foyer: 127.0.0.1:{port}: cannot listen there: Address already in use; give another by --port\n"
    assert (tmp_path / "stderr.txt").read_text() == sentence


def test_a_demo_stopped_with_all_its_processes_while_the_past_is_published_ends(tmp_path: Path) -> None:
    """As systemd and timeout stop it: SIGTERM to the whole group, its broker among it."""
    port = free_port()
    command = [sys.executable, "-m", "foyer", "demo", "--port", str(port), "--state", str(tmp_path / "demo")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as process:
        wait_until("the past is being published", lambda: past_events(port) > 1000)
        os.killpg(process.pid, signal.SIGTERM)
        printed, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    told = json.loads(printed.splitlines()[-1])
    assert told["published"] == told["stored"] > 1000
    assert (told["lost"], told["duplicates"]) == (0, 0)


def past_events(port: int) -> int:
    today = datetime.now(UTC).date()
    first = today - timedelta(days=364)
    answer = get(port, f"/api/v1/footfall?hub=armley&start={first}&end={today}&bucket=1w")
    return int(answer["lineage"]["raw_events"]) if answer else 0
