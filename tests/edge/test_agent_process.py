"""python -m edge as a process of its own against a real broker: crashes, restarts, mistakes on the command line."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from agent_rig import T0_NS, Collector, compared, expected, unit, write_trace
from edge_rig import HUB, SECOND_SENSOR, fleet_of
from house import replay, wait_until

from edge.__main__ import locked, main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servers import Mosquitto

PEOPLE = 300


@pytest.fixture
def collector(mosquitto: Mosquitto) -> Iterator[Collector]:
    collector = Collector(mosquitto.port)
    yield collector
    collector.close()


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return write_trace(tmp_path, PEOPLE)


def test_a_recordings_passages_arrive_as_replay_prints_them(
    mosquitto: Mosquitto, collector: Collector, tmp_path: Path, trace: Path
) -> None:
    options = ("--trace", f"front-beams={trace}", "--speed", "max", "--exit-when-done")
    with unit(mosquitto, tmp_path, *options) as process:
        assert process.wait() == 0
    assert compared(collector.passages()) == expected(trace)
    assert len(collector.passages()) == PEOPLE
    assert all(event["clock"] == "synced" for event in collector.passages())
    wait_until("its farewell", lambda: [state["state"] for state in collector.states] == ["online", "offline"])

    with unit(mosquitto, tmp_path, *options) as process:
        assert process.wait() == 0
    assert "was fed before and is not fed again; --again does so" in process.log.read_text(encoding="utf-8")
    assert len(collector.passages()) == PEOPLE


def test_events_that_the_collector_refused_are_counted_and_make_the_exit_code(
    mosquitto: Mosquitto, collector: Collector, tmp_path: Path, trace: Path
) -> None:
    collector.refuse = {2, 5}
    with unit(mosquitto, tmp_path, "--trace", f"front-beams={trace}", "--speed", "max", "--exit-when-done") as process:
        assert process.wait() == 1
    said = "foyer: the collector refused 2 of this run's events (the first: no such hub)"
    assert said in process.log.read_text(encoding="utf-8").splitlines()


def test_killed_in_mid_recording_again_and_again_it_neither_loses_nor_doubles(
    mosquitto: Mosquitto, collector: Collector, tmp_path: Path, trace: Path
) -> None:
    options = ("--trace", f"front-beams={trace}", "--speed", "100", "--exit-when-done")
    process = unit(mosquitto, tmp_path, *options)
    for share in (0.2, 0.4, 0.6):
        process.start()
        wait_until(f"{share:.0%}", lambda share=share: len(collector.events) > share * PEOPLE)  # type: ignore[misc]  # a lambda
        process.kill()
    assert len(collector.events) < PEOPLE
    with process:
        assert process.wait() == 0
    assert compared(collector.passages()) == expected(trace)
    assert len({seq for _, seq in collector.events}) == PEOPLE == max(seq for _, seq in collector.events)


def test_what_it_recorded_before_and_between_its_deaths_is_what_it_published(
    mosquitto: Mosquitto, collector: Collector, tmp_path: Path, trace: Path
) -> None:
    options = ("--trace", f"front-beams={trace}", "--speed", "100", "--record", str(tmp_path / "recorded"))
    process = unit(mosquitto, tmp_path, *options, "--exit-when-done")
    for share in (0.2, 0.5, 0.8):
        process.start()
        wait_until(f"{share:.0%}", lambda share=share: len(collector.events) > share * PEOPLE)  # type: ignore[misc]  # a lambda
        process.kill()
    with process:
        assert process.wait() == 0
    again = replay(tmp_path / "recorded")
    assert again["edges"] == 4 * PEOPLE
    assert again["passages"] == replay(trace)["passages"]
    assert compared([{**found, "t_ns": found["t_ns"] + T0_NS} for found in again["passages"]]) == compared(
        collector.passages()
    )
    assert len(list((tmp_path / "recorded" / "front-beams").iterdir())) == 4


def test_a_broker_that_dies_is_waited_for_and_nothing_is_lost(
    mosquitto: Mosquitto, collector: Collector, tmp_path: Path, trace: Path
) -> None:
    options = ("--trace", f"front-beams={trace}", "--speed", "100", "--exit-when-done")
    with unit(mosquitto, tmp_path, *options) as process:
        wait_until("a beginning", lambda: len(collector.events) > 50)
        mosquitto.kill()
        wait_until("its complaint", lambda: "is lost" in process.log.read_text(encoding="utf-8"))
        mosquitto.start()
        assert process.wait() == 0
    assert compared(collector.passages()) == expected(trace)
    assert process.log.read_text(encoding="utf-8").count("trying again until it answers") <= 2


def test_without_a_broker_it_says_so_once_and_begins_when_there_is_one(
    mosquitto: Mosquitto, tmp_path: Path, trace: Path
) -> None:
    mosquitto.stop()
    with unit(mosquitto, tmp_path, "--trace", f"front-beams={trace}", "--speed", "max", "--exit-when-done") as process:
        wait_until("its complaint", lambda: "cannot be reached" in process.log.read_text(encoding="utf-8"))
        mosquitto.start()
        collector = Collector(mosquitto.port)
        assert process.wait() == 0
        collector.close()
    assert len(collector.passages()) == PEOPLE
    log = process.log.read_text(encoding="utf-8")
    assert f"foyer: broker {mosquitto.url} cannot be reached (Connection refused); trying again" in log
    assert log.count("Connection refused") == 1


def test_a_unit_whose_acks_are_withheld_sends_again_on_the_next_connection_only_once(
    mosquitto: Mosquitto, collector: Collector, tmp_path: Path, trace: Path
) -> None:
    collector.answering.clear()
    options = ("--trace", f"front-beams={trace}", "--speed", "max", "--exit-when-done")
    with unit(mosquitto, tmp_path, *options) as process:
        wait_until("all of it", lambda: len(collector.events) == PEOPLE)
        collector.answering.set()
        mosquitto.restart()
        assert process.wait() == 0
    assert collector.sendings == 2 * PEOPLE, "paho sent what the outbox did not ask for"


def test_asked_again_it_sends_the_same_and_says_what_is_gone_and_does_so_once(
    mosquitto: Mosquitto, collector: Collector, tmp_path: Path, trace: Path
) -> None:
    process = unit(mosquitto, tmp_path, "--trace", f"front-beams={trace}", "--speed", "max")
    with process:
        wait_until("all of it", lambda: len(collector.events) == PEOPLE)
        (epoch,) = {epoch for epoch, _ in collector.events}
        collector.command("resend", "a", epoch=epoch, ranges=[[1, 3], [PEOPLE, PEOPLE + 5]])
        wait_until("the reply", lambda: collector.replies)
        wait_until("four of them again", lambda: collector.sendings == PEOPLE + 4)
    args = {"events": 4, "gone": [[PEOPLE + 1, PEOPLE + 5]]}
    assert collector.replies == [{"v": 1, "id": "a", "ok": True, "detail": "", "args": args}]
    with process:
        wait_until("its start", lambda: len({report["session"] for report in collector.health}) == 2)
        collector.command("resend", "a", epoch=epoch, ranges=[[1, 3]])
        collector.command("ping", "b", retain=True)
        wait_until("the live one", lambda: [reply["id"] for reply in collector.replies] == ["a", "b"])
    with process:
        wait_until("its start", lambda: len({report["session"] for report in collector.health}) == 3)
        collector.command("ping", "c")
        wait_until("an answer", lambda: collector.replies[-1]["id"] == "c")
    assert [reply["id"] for reply in collector.replies] == ["a", "b", "c"], "one that lay there was taken up"
    assert collector.sendings == PEOPLE + 4


def test_a_killed_unit_leaves_its_will_and_a_stopped_one_exits_well(
    mosquitto: Mosquitto, collector: Collector, tmp_path: Path
) -> None:
    process = unit(mosquitto, tmp_path).start()
    wait_until("birth", lambda: [state["state"] for state in collector.states] == ["online"])
    process.kill()
    wait_until("will", lambda: [state["state"] for state in collector.states] == ["online", "offline"])
    assert collector.states[0]["session"] == collector.states[1]["session"]
    process.start()
    wait_until("birth", lambda: len(collector.states) == 3)
    wait_until("health", lambda: collector.health and collector.health[-1]["session"] == collector.states[2]["session"])
    assert process.stop() == 0
    wait_until("farewell", lambda: len(collector.states) == 4)
    assert collector.states[2]["session"] == collector.states[3]["session"] != collector.states[0]["session"]


def test_sensors_that_cannot_open_are_faults_and_a_recording_goes_on(
    mosquitto: Mosquitto, collector: Collector, tmp_path: Path, trace: Path
) -> None:
    options = ("--pin-factory", "no-such", "--trace", f"front-beams={trace}", "--speed", "max")
    with unit(mosquitto, tmp_path, *options, hub=HUB + SECOND_SENSOR) as process:
        wait_until("everything", lambda: len(collector.events) == PEOPLE + 1)
        assert process.stop() == 0
    (fault,) = [event for event in collector.events.values() if event["kind"] == "fault"]
    assert (fault["sensor"], fault["fault"]) == ("spare-beams", "sensor_unavailable")
    assert fault["detail"].startswith("--pin-factory no-such: gpiozero has none of that name")
    assert compared(collector.passages()) == expected(trace)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--unit", "nobody"), "--unit 'nobody': no such unit; there are hall-front"),
        (("--trace", "no-beams=x.jsonl"), "has no sensor 'no-beams'; it has front-beams"),
        (("--trace", "front-beams"), "--trace 'front-beams': expected SENSOR=FILE"),
        (("--trace", "front-beams=missing.jsonl"), "missing.jsonl: cannot be read (No such file or directory)"),
        (("--record", "/proc/nowhere"), "--record /proc/nowhere: cannot be made"),
        (("--mqtt", "http://x"), "expected mqtt://"),
        (("--fleet", "/nowhere"), "--fleet /nowhere: no such folder"),
        (("--state", "/proc/nowhere"), "--state /proc/nowhere: cannot be written"),
    ],
)
def test_mistakes_are_told_in_one_line(
    options: tuple[str, ...], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet_of(tmp_path / "fleet", HUB)
    given = {
        "--fleet": str(tmp_path / "fleet"),
        "--unit": "hall-front",
        "--mqtt": "mqtt://127.0.0.1:1",
        "--state": str(tmp_path / "state"),
    }
    given |= dict(zip(options[::2], options[1::2], strict=True))
    assert main([word for pair in given.items() for word in pair]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("foyer: ")
    assert sentence in printed
    assert printed.count("\n") == 1


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--speed", "abc", "'abc' is neither a number above 0 nor max"),
        ("--speed", "nan", "'nan' is neither a number above 0 nor max"),
        ("--record-hours", "x", "'x' is not a number above 0"),
        ("--record-mib", "1.5", "'1.5' is not a whole number of MiB from 1 on"),
        ("--outbox-mib", "x", "'x' is not a whole number of MiB from 1 on"),
        ("--outbox-mib", "0", "'0' is not a whole number of MiB from 1 on"),
    ],
)
def test_an_option_says_which_values_it_takes(
    option: str, value: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([option, value])
    assert capsys.readouterr().err.endswith(f"argument {option}: {sentence}\n")


def test_two_agents_do_not_share_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fleet_of(tmp_path / "fleet", HUB)
    arguments = ["--fleet", str(tmp_path / "fleet"), "--unit", "hall-front", "--mqtt", "mqtt://127.0.0.1:1"]
    arguments += ["--state", str(tmp_path)]
    with locked(tmp_path):
        assert main(arguments) == 2
    assert "another process is using it" in capsys.readouterr().err


def test_the_help_explains_recordings_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("--trace", "--speed", "--state", "exit codes", "--exit-when-done"))


def test_a_file_in_the_current_folder_is_not_run_in_the_agents_place(tmp_path: Path) -> None:
    (tmp_path / "edge.py").write_text("print('not the agent')\n", encoding="utf-8")
    command = [sys.executable, "-P", "-m", "foyer", "agent", "--help"]
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("usage: foyer agent")


def test_the_process_loads_only_what_it_needs(tmp_path: Path, trace: Path) -> None:
    fleet_of(tmp_path / "fleet", HUB)
    arguments = ["--fleet", str(tmp_path / "fleet"), "--unit", "hall-front", "--mqtt", "mqtt://x"]
    arguments += ["--state", str(tmp_path), "--trace", f"front-beams={trace}"]
    script = f"""
import sys
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.__main__ import parser, recordings
from firmware_cfg.load import load_fleet
import edge.publisher, edge.unit
options = parser().parse_args({arguments!r})
recordings(options, load_fleet(options.fleet))
print(*sys.modules)
"""
    printed = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60)
    loaded = set(printed.stdout.split())
    assert "paho.mqtt.client" in loaded
    assert not loaded & {"typer", "asyncio", "gpiozero", "serial", "numpy", "pyarrow", "influxdb_client", "fastapi"}
