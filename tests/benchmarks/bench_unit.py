"""How light a unit is, with all four kinds of sensors, beside a Python that only imports three of its libraries.

    python tests/benchmarks/bench_unit.py [--rounds 5] [--idle 30] [--edges 40000]

The unit is `python -m edge` as a process, with a chip of gpiod's own types (`tests/gpio_chip.py`), radars on
pseudo-terminals, a thermometer's file, and Mosquitto. Its first reading is the first event at the broker. Idle, nobody
comes and both radars send ten times a second. Then one person a second walks through beams that bounce hundreds of
times at each change: 2,000 edges a second, each of which has to be in the unit's next health report. The unit's
environment is what its systemd service gives it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import paho.mqtt.client as mqtt  # noqa: E402 - after the path
from gpio_chip import Lines  # noqa: E402 - after the path
from mqtt_client import end  # noqa: E402 - after the path
from paho.mqtt.enums import CallbackAPIVersion  # noqa: E402 - after the path
from paho.mqtt.packettypes import PacketTypes  # noqa: E402 - after the path
from paho.mqtt.properties import Properties  # noqa: E402 - after the path
from servers import Mosquitto  # noqa: E402 - after the path

from edge.sensors.one_wire import crc8  # noqa: E402 - after the path
from simulators.devices.ld2410 import Ld2410Radar  # noqa: E402 - after the path
from simulators.devices.ld2450 import Ld2450Radar  # noqa: E402 - after the path
from simulators.devices.line import PtyPort  # noqa: E402 - after the path

HUB = """
id = "hall"
name = "Hall"
type = "local"
[[entrances]]
id = "front"
name = "Front"
counting = "beams"
[[rooms]]
id = "meeting"
name = "Meeting room"
[cabinet]
[[units]]
id = "hall-front"
since = 2020-01-01
[[units.sensors]]
name = "beams"
kind = "beam-pair"
entrance = "front"
outer_pin = 17
inner_pin = 27
separation_m = 0.12
[[units.sensors]]
name = "radar"
kind = "ld2450"
entrance = "front"
port = "{folder}/ld2450"
line_mm = [[-800, 1500], [800, 1500]]
inside_mm = [0, 3000]
[[units.sensors]]
name = "cabinet"
kind = "cabinet"
door_pin = 5
aed_pin = 6
mains_pin = 13
temperature = "{folder}/w1_slave"
[[units.sensors]]
name = "presence"
kind = "room"
room = "meeting"
pir_pin = 22
door_pin = 23
radar_port = "{folder}/ld2410"
"""
BEAMS = (17, 27)
REQUESTS = (BEAMS, (5, 6, 13), (22, 23))
BARE = "import paho.mqtt.client, pydantic, gpiozero, sys; print(flush=True); sys.stdin.read()"
PATIENCE_S = 60.0
CHANGES = ((0.0, 0, True), (0.09, 1, True), (0.25, 0, False), (0.34, 1, False))
BOUNCES = 501  # of each change; odd, so that it is one
BOUNCE_NS = 14_000  # all of them well within the debounce time
CHUNK = 64
AIMS = {"resident memory, MB": 45.0, "start to first reading, s": 0.8, "idle CPU, %": 1.0, "edges lost": 0.0}


def until(what: str, condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what}: not within {PATIENCE_S:.0f} s")
        time.sleep(0.001)


class Collector:
    """Takes what the unit sends, and says that it has it."""

    def __init__(self, broker: Mosquitto, name: str) -> None:
        self.events: dict[tuple[str, int], dict[str, Any]] = {}
        self.health: dict[str, Any] = {}
        self.first_s: float | None = None
        self.subscribed = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, name, protocol=mqtt.MQTTv5)
        self._client.on_connect = lambda client, *_: client.subscribe("foyer/v1/#", qos=1)
        self._client.on_subscribe = lambda *_: self.subscribed.set()
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 1)
        kept = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho left it so
        kept.SessionExpiryInterval = 600  # what comes while the broker restarts
        self._client.connect("127.0.0.1", broker.port, clean_start=False, properties=kept)
        self._client.loop_start()
        self.subscribed.wait(PATIENCE_S)

    def _on_message(self, client: mqtt.Client, _data: object, said: mqtt.MQTTMessage) -> None:
        channel = said.topic.rsplit("/", 1)[1]
        if channel == "health":
            self.health = json.loads(said.payload)
        if channel != "events":
            return
        if self.first_s is None:
            self.first_s = time.monotonic()
        batch = json.loads(said.payload)
        self.events.update({(batch["epoch"], event["seq"]): event for event in batch["events"]})
        done = [[event["seq"]] * 2 for event in batch["events"]]
        word = {"epoch": batch["epoch"], "done": done, "rejected": [], "now_ns": time.time_ns()}
        client.publish(said.topic.replace("/events", "/ack"), json.dumps(word), qos=1)

    def persons(self) -> int:
        return sum(event["persons"] for event in self.events.values() if event["kind"] == "passage")

    def close(self) -> None:
        end(self._client)


def service_environment() -> dict[str, str]:
    """What the unit's service sets for it."""
    lines = (ROOT / "deploy/systemd/foyer-agent.service").read_text(encoding="utf-8").splitlines()
    given = dict(line.removeprefix("Environment=").split("=", 1) for line in lines if line.startswith("Environment="))
    if not given:
        raise SystemExit("deploy/systemd/foyer-agent.service: no line begins with Environment=")
    return given


class House:
    """Everything around one unit, which starts with it and ends with its `with`."""

    def __init__(self, folder: Path, broker: Mosquitto) -> None:
        fleet = folder / "fleet"
        fleet.mkdir(parents=True)
        (fleet / "hall.toml").write_text(HUB.replace("{folder}", str(folder)), encoding="utf-8")
        scratchpad = bytes.fromhex("5e014b467fff0c10")
        said = (scratchpad + bytes((crc8(scratchpad),))).hex(" ")
        crc = f"{crc8(scratchpad):02x}"
        (folder / "w1_slave").write_text(f"{said} : crc={crc} YES\n{said} t=21875\n", encoding="ascii")
        self._ports = [
            PtyPort(folder / "ld2450", Ld2450Radar(1)).plug(),
            PtyPort(folder / "ld2410", Ld2410Radar(lambda _: (None, None))).plug(),
        ]
        self._stop = threading.Event()
        self._radars = threading.Thread(target=self._send, daemon=True)
        self._radars.start()
        self.collector = Collector(broker, folder.name)
        self.requests = {pins: Lines() for pins in REQUESTS}
        groups = [f"{','.join(map(str, pins))}={lines.far.fileno()}" for pins, lines in self.requests.items()]
        command = [sys.executable, str(ROOT / "tests/benchmarks/unit_process.py"), *groups, "--"]
        options = [
            "--fleet",
            str(fleet),
            "--unit",
            "hall-front",
            "--mqtt",
            broker.url,
            "--state",
            str(folder / "state"),
        ]
        self.log = (folder / "unit.log").open("wb")
        self.started_s = time.monotonic()
        fds = [lines.far.fileno() for lines in self.requests.values()]
        environment = os.environ | service_environment()
        self.process = subprocess.Popen(command + options, stderr=self.log, pass_fds=fds, env=environment)

    def _send(self) -> None:
        while not self._stop.wait(0.05):
            for port in self._ports:
                port.step(time.monotonic_ns())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        self._stop.set()
        self._radars.join()
        self.collector.close()
        for port in self._ports:
            port.unplug()
        for lines in self.requests.values():
            lines.unplug()
            lines.far.close()
        self.log.close()


def resident_mb(pid: int) -> float:
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) * 1024 / 1e6


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def bare() -> Iterator[tuple[float, float]]:
    """Seconds from the start of a Python with the three libraries, and its resident memory in MB."""
    begun_s = time.monotonic()
    command = [sys.executable, "-c", BARE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        yield time.monotonic() - begun_s, resident_mb(process.pid)


def first_reading_s(folder: Path, broker: Mosquitto) -> float:
    with House(folder, broker) as house:
        until("the first reading", lambda: house.collector.first_s)
        return (house.collector.first_s or 0) - house.started_s


def walk(lines: Lines, begin_ns: int) -> int:
    """One person, from that time on, past contacts that bounce; how many edges it made."""
    for after_s, line, high in CHANGES:
        at_ns = begin_ns + round(after_s * 1e9)
        for first in range(0, BOUNCES, CHUNK):
            edges = [(BEAMS[line], high == (n % 2 == 0), at_ns + n * BOUNCE_NS) for n in range(BOUNCES)[first:][:CHUNK]]
            time.sleep(max(0.0, (edges[-1][2] - time.monotonic_ns()) / 1e9))
            lines.drive_all(edges)
    return len(CHANGES) * BOUNCES


def flood(house: House, broker: Mosquitto, edges: int) -> dict[str, int]:
    """Drive that many edges or a few more; what went in, and what came out of it."""
    begin_ns = time.monotonic_ns() + 100_000_000
    driven = walks = 0
    cpu_before_s, begun_s = cpu_s(house.process.pid), time.monotonic()
    while driven < edges:
        driven += walk(house.requests[BEAMS], begin_ns + walks * 1_000_000_000)
        walks += 1
    cpu_share = (cpu_s(house.process.pid) - cpu_before_s) / (time.monotonic() - begun_s)
    until("everybody's passage", lambda: house.collector.persons() >= walks)
    house.collector.health = {}
    broker.restart()  # a unit tells its health when it connects
    until("health", lambda: house.collector.health)
    beams = house.collector.health["sensors"]["beams"]
    return {
        "driven": driven,
        "counted": beams["edges"],
        "lost": beams["lost_edges"] + driven - beams["edges"],
        "walks": walks,
        "persons": house.collector.persons(),
        "cpu": round(100 * cpu_share),
        "resident": round(resident_mb(house.process.pid)),
    }


def told(what: str, found: float, against: str = "") -> None:
    aim = AIMS[what]
    print(f"{what:28} {found:8.2f}   aim {aim:5g}   {'met' if found <= aim else 'MISSED':6}   {against}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="starts to take the median of")
    parser.add_argument("--idle", type=float, default=30.0, help="seconds to watch it idle")
    parser.add_argument("--edges", type=int, default=40_000)
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = stack.enter_context(Mosquitto(folder / "mosquitto"))
        starts, bare_starts = [], []
        for number in range(options.rounds):
            with bare() as (seconds, bare_mb):
                bare_starts.append(seconds)
            starts.append(first_reading_s(folder / f"start-{number}", broker))
        house = stack.enter_context(House(folder / "house", broker))
        until("all sensors", lambda: len(house.collector.health.get("sensors", {})) == 4)
        time.sleep(5)  # what it does only once is done
        before_s = cpu_s(house.process.pid)
        time.sleep(options.idle)
        idle = 100 * (cpu_s(house.process.pid) - before_s) / options.idle
        unit_mb = resident_mb(house.process.pid)
        in_ = flood(house, broker, options.edges)
    start_s, bare_s = median(starts), median(bare_starts)
    told("resident memory, MB", unit_mb, f"{unit_mb / bare_mb:.2f} x bare ({bare_mb:.1f} MB)")
    told(
        "start to first reading, s",
        start_s,
        f"{start_s / bare_s:.2f} x bare ({bare_s:.2f} s), {min(starts):.2f} at best",
    )
    told("idle CPU, %", idle)
    told("edges lost", in_["lost"], f"{in_['driven']} driven, {in_['counted']} counted, 2,004 a second")
    print(f"{in_['walks']} walked, {in_['persons']} counted; {in_['cpu']} % CPU, {in_['resident']} MB afterwards")
    print("bare: a Python that imports paho, pydantic and gpiozero and does nothing")


if __name__ == "__main__":
    main()
