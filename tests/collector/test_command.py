"""`foyer collector` as a process: its options, its end, and what a power cut leaves."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from collector_rig import EPOCH, UNIT, Unit, event, until
from servers import Mosquitto, free_port

from collector.ledger import Ledger
from collector.store import open_store
from collector.store.base import Tally
from firmware_cfg.load import EXAMPLE_FLEET
from firmware_cfg.times import from_rfc3339

ROOT = Path(__file__).parents[2]
MEMORY_MIB_MAX = 105


class Command:
    """Starts `foyer collector` again and again on the same folders; each is killed in the end."""

    def __init__(self, folder: Path, mqtt: str) -> None:
        self.folder = folder
        self.mqtt = mqtt
        self.port = free_port()
        self.processes: list[subprocess.Popen[str]] = []

    def __call__(self, **changes: str) -> subprocess.Popen[str]:
        options = {
            "fleet": str(EXAMPLE_FLEET),
            "mqtt": self.mqtt,
            "store": f"sqlite:{self.folder}/store.db",
            "state": f"{self.folder}/state",
            "http": f"127.0.0.1:{self.port}",
        } | changes
        command = [sys.executable, "-m", "foyer", "collector"]
        command += [part for name, value in options.items() for part in (f"--{name}", value)]
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        self.processes.append(process)
        return process

    def well(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/healthz").status_code == 200
        except httpx.HTTPError:
            return False


@pytest.fixture
def command(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Command]:
    made = Command(tmp_path, mosquitto.url)
    yield made
    for process in made.processes:
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


def test_it_serves_stores_and_ends_at_once_with_streams_open(command: Command, mosquitto: Mosquitto) -> None:
    process = command()
    until(command.well, "serving")
    with Unit(mosquitto) as unit:
        unit.send(event(1))
        until(lambda: unit.done() == {1}, "ack")
    with httpx.stream("GET", f"http://127.0.0.1:{command.port}/api/v1/stream", timeout=10) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "event: live"
        process.send_signal(signal.SIGTERM)
        assert process.wait(3) == 0
        assert list(lines)  # the stream ends as it should, and is not cut off
    _, errors = process.communicate()
    assert "part=collector serving http://127.0.0.1:" in errors
    assert "ended, 1 events stored" in errors
    assert "Traceback" not in errors


def test_its_log_can_be_json_lines(command: Command, mosquitto: Mosquitto) -> None:
    process = command(log="json")
    until(command.well, "serving")
    mosquitto.kill()
    until(lambda: not command.well(), "loss seen")
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=20)
    lines = [json.loads(line) for line in errors.splitlines()]
    assert all(set(line) == {"t", "level", "part", "text"} for line in lines)
    parts = [(line["level"], line["part"]) for line in lines]
    assert parts == [("info", "collector"), *[("warning", "broker")] * (len(lines) - 2), ("info", "collector")]
    assert from_rfc3339(lines[0]["t"]) <= time.time_ns()


def test_a_power_cut_loses_nothing_that_the_broker_has(command: Command, mosquitto: Mosquitto) -> None:
    process = command()
    until(command.well, "serving")
    with Unit(mosquitto) as unit:
        for seq in range(1, 3001):
            unit.send_soon(event(seq))
            if seq % 1000 == 500:
                process.kill()
                process.wait()
                process = command()
        until(lambda: unit.done() == set(range(1, 3001)), "acks")
    process.terminate()
    process.wait(10)
    store = open_store(f"sqlite:{command.folder}/store.db")
    assert store.tally(UNIT, EPOCH) == {"passage": Tally(3000, 3000)}
    store.close()
    ledger = Ledger(command.folder / "state")
    assert list(ledger.done(UNIT, EPOCH)) == [(1, 3000)]
    ledger.close()


def test_it_listens_only_where_told(command: Command) -> None:
    process = command()
    until(command.well, "serving")
    inodes = set()
    for link in Path(f"/proc/{process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            name = link.readlink().name
            if name.startswith("socket:"):
                inodes.add(name[8:-1])
    tables = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()]
    listening = [row[1] for row in tables if row[3] == "0A" and row[9] in inodes]
    assert listening == [f"0100007F:{command.port:04X}"]


def test_a_port_in_use_is_one_clear_sentence(command: Command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", command.port))
        taken.listen()
        _, errors = command().communicate(timeout=20)
        assert command.processes[0].returncode == 2
    address = f"127.0.0.1:{command.port}"
    mend = "give another by --http HOST:PORT"
    assert errors == f"foyer: {address}: cannot listen there: Address already in use; {mend}\n"


def test_a_state_folder_in_use_is_one_clear_sentence(command: Command) -> None:
    command()
    until(command.well, "serving")
    _, errors = command(http=f"127.0.0.1:{free_port()}").communicate(timeout=20)
    assert command.processes[1].returncode == 2
    assert errors == (
        f"foyer: --state {command.folder}/state: another process is using it; each needs a folder of its own\n"
    )


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("fleet", "/nowhere", "foyer: --fleet /nowhere: no such folder"),
        ("mqtt", "http://x", "foyer: --mqtt 'http://x': expected mqtt://"),
        ("store", "mysql:x", "foyer: --store 'mysql:x': expected sqlite:PATH"),
        ("state", "/proc/nowhere", "foyer: --state /proc/nowhere: cannot be written"),
        ("log", "xml", "foyer: --log 'xml': expected one of text, json"),
        ("http", "8000", "foyer: --http '8000': expected HOST:PORT"),
        ("receivers", "/nowhere", "foyer: --receivers /nowhere: cannot be read"),
    ],
)
def test_a_bad_option_is_one_clear_sentence(command: Command, option: str, value: str, sentence: str) -> None:
    process = command(**{option: value})
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 2
    assert errors.startswith(sentence)
    assert len(errors.strip().splitlines()) == 1


def test_the_main_process_loads_no_heavy_libraries() -> None:
    code = (
        "import sys, dashboards.app, collector.serve, collector.store.embedded\n"
        "print([name for name in ('influxdb_client', 'pyarrow', 'numpy', 'pandas', 'vl_convert', 'typer', 'apprise')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_memory_stays_within_its_bound_under_a_flood(command: Command, mosquitto: Mosquitto) -> None:
    """A backlog of a week in messages of 100, as after an outage of the collector; the most it ever had resident."""
    process = command()
    until(command.well, "serving")
    count = 60_000
    start_ns = time.time_ns() // 10**9 * 10**9 - 10 * 10**9 * (count + 1)
    with Unit(mosquitto) as unit:
        for first in range(1, count + 1, 100):
            unit.send_soon(*(event(seq, t_ns=start_ns + 10 * 10**9 * seq) for seq in range(first, first + 100)))
        until(lambda: sum(last - first + 1 for ack in unit.acks for first, last in ack["done"]) == count, "acks")
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    (highest_kib,) = (int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    assert highest_kib / 1024 < MEMORY_MIB_MAX
