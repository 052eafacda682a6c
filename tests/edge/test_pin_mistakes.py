"""What people read when pins or drivers are wrong: one line, and a fault that reaches the collector."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paho.mqtt.client as mqtt
import pytest
from edge_rig import HUB, SECOND_SENSOR
from house import FoyerProcess, wait_until
from mqtt_client import running

from firmware_cfg.load import load_fleet

if TYPE_CHECKING:
    from servers import Mosquitto

TWO_PAIRS = HUB + SECOND_SENSOR
SPARE = "sensor 'spare-beams': units[0].sensors[1]"
ONE_PASSAGE = """\
{"foyer_trace": 1, "t0": "2026-03-02T09:00:00Z"}
[1000000000, "outer", 1]
[1090000000, "inner", 1]
[1250000000, "outer", 0]
[1340000000, "inner", 0]
"""
NO_LGPIO = pytest.mark.skipif(importlib.util.find_spec("lgpio") is not None, reason="lgpio is installed here")
NO_CHIP = pytest.mark.skipif(any(Path("/dev").glob("gpiochip*")), reason="there is a GPIO chip here")


def fleet(folder: Path, text: str) -> str:
    (folder / "fleet").mkdir()
    (folder / "fleet/hall.toml").write_text(text, encoding="utf-8")
    return str(folder / "fleet")


@pytest.mark.parametrize(
    ("keys", "environment", "options", "message"),
    [
        pytest.param(
            "",
            {},
            (),
            "chip: there is no GPIO chip here (/dev/gpiochip*); is this a Raspberry Pi, or another machine whose "
            "kernel drives its GPIO?",
            marks=NO_CHIP,
            id="no chip",
        ),
        pytest.param(
            'driver = "gpiozero"',
            {},
            (),
            "driver gpiozero: lgpio cannot be used (No module named 'lgpio'), and what gpiozero would fall back to "
            'loses edges; install lgpio, say driver = "gpiod", or name another with --pin-factory',
            marks=NO_LGPIO,
            id="would fall back",
        ),
        pytest.param(
            'driver = "gpiozero"',
            {"GPIOZERO_PIN_FACTORY": "mock"},
            (),
            "driver gpiozero: GPIOZERO_PIN_FACTORY is 'mock'; unset it, or say --pin-factory mock if it is meant",
            id="another by the environment",
        ),
        pytest.param(
            "",
            {},
            ("--pin-factory", "lgpoi"),
            "--pin-factory lgpoi: gpiozero has none of that name; it has lgpio, mock, native, pigpio, rpigpio",
            id="unknown",
        ),
        pytest.param(
            "",
            {},
            ("--pin-factory", "lgpio"),
            "--pin-factory lgpio: cannot be used (No module named 'lgpio'); install what it needs, or name another",
            marks=NO_LGPIO,
            id="named and missing",
        ),
    ],
)
def test_pins_that_cannot_be_read_are_told_and_the_others_count(
    mosquitto: Mosquitto,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    keys: str,
    environment: dict[str, str],
    options: tuple[str, ...],
    message: str,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    trace = tmp_path / "one.jsonl"
    trace.write_text(ONE_PASSAGE, encoding="utf-8")
    events: list[dict[str, Any]] = []
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.on_message = lambda _client, _data, said: events.extend(json.loads(said.payload)["events"])
    client.on_connect = lambda client, *_: client.subscribe("foyer/v1/+/+/events", qos=1)
    subscribed: list[int] = []
    client.on_subscribe = lambda _client, _data, number, *_: subscribed.append(number)
    client.connect("127.0.0.1", mosquitto.port)
    common = [
        "--fleet",
        fleet(tmp_path, f"{TWO_PAIRS}{keys}\n"),
        "--unit",
        "hall-front",
        "--state",
        str(tmp_path / "state"),
    ]
    feed = ("--trace", f"front-beams={trace}", "--speed", "max")
    log = tmp_path / "unit.log"
    with running(client):
        wait_until("the subscription", lambda: subscribed)
        with FoyerProcess(["edge", *common, "--mqtt", mosquitto.url, *feed, *options], log) as process:
            wait_until("both events", lambda: len({event["seq"] for event in events}) == 2)
            assert process.stop() == 0
    (fault,) = [event for event in events if event["kind"] == "fault"]
    assert (fault["sensor"], fault["fault"], fault["detail"]) == ("spare-beams", "sensor_unavailable", message)
    assert [event["sensor"] for event in events if event["kind"] == "passage"] == ["front-beams"]
    assert f"foyer: sensor 'spare-beams': {message}\n" in log.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "outer_pin = 5",
            'outer_pin = 5\ndriver = "rpigpio"',
            f"{SPARE}.driver: 'rpigpio' is not allowed; allowed: 'gpiod' or 'gpiozero'",
        ),
        (
            "outer_pin = 5",
            "outer_pin = 28",
            f"{SPARE}.outer_pin: Input should be less than or equal to 27 (given: 28)",
        ),
        (
            "outer_pin = 5",
            'outer_pin = 5\ndriver = "gpiozero"\nchip = "usb-io"',
            f"{SPARE}: chip is for driver gpiod; gpiozero finds a Raspberry Pi's own by itself",
        ),
        (
            "outer_pin = 5",
            "outer_pin = 27",
            "file: units[0] (hall-front): pin 27 is used by front-beams and spare-beams; each needs its own",
        ),
    ],
)
def test_a_mistake_in_the_file_is_one_line_and_exit_code_2(tmp_path: Path, old: str, new: str, message: str) -> None:
    folder = fleet(tmp_path, TWO_PAIRS.replace(old, new))
    arguments = ["--fleet", folder, "--unit", "hall-front", "--mqtt", "mqtt://127.0.0.1:1", "--state", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "edge", *arguments], check=False, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (2, f"foyer: {folder}/hall.toml: {message}\n")


def test_one_number_on_two_chips_is_two_pins(tmp_path: Path) -> None:
    hub = load_fleet(Path(fleet(tmp_path, TWO_PAIRS.replace("outer_pin = 5", 'outer_pin = 17\nchip = "usb-io"')))).hubs[
        "hall"
    ]
    assert [sensor.pins() for sensor in hub.units[0].sensors] == [["17", "27"], ["17 of usb-io", "6 of usb-io"]]
