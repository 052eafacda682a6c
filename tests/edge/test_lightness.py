"""A unit with all four kinds of sensors loads no library that none of them uses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys
sys.path.insert(0, "tests")
from gpio_chip import Chip, Lines
import edge.__main__, edge.publisher
from edge.clock import SystemClock, read
from edge.sensors.base import Surroundings
from edge.sensors.kinds import make
from firmware_cfg.schema import BeamPair, Cabinet, RadarLine, RoomPresence

requests = []
def connect(pins):
    requests.append(Lines())
    return requests[-1].far, {}

around = Surroundings(SystemClock(), chips=lambda: iter([Chip("pinctrl-rp1", connect)]))
configs = [
    BeamPair(name="beams", kind="beam-pair", entrance="e", outer_pin=17, inner_pin=27),
    Cabinet(name="cabinet", kind="cabinet", door_pin=5),
    RoomPresence(name="presence", kind="room", room="r", pir_pin=22),
]
for config in configs:
    sensor = make(config, around)
    sensor.open(read(around.clock))
    sensor.close()
radar = {"name": "radar", "kind": "ld2450", "entrance": "e", "port": "/nowhere"}
make(RadarLine(**radar, line_mm=((-800, 1500), (800, 1500)), inside_mm=(0, 3000)), around)
print(len(requests), *sys.modules)
"""


def test_four_kinds_load_only_what_they_need() -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True, cwd=root)
    requests, *loaded = done.stdout.split()
    assert requests == "3"
    assert {"gpiod", "paho.mqtt.client", "edge.sensors.ld2450", "edge.sensors.room"} <= set(loaded)
    assert not set(loaded) & {
        "gpiozero",
        "pymodbus",
        "asyncio",
        "typer",
        "numpy",
        "pyarrow",
        "fastapi",
        "influxdb_client",
    }
