"""What compare.py compares: ways from MQTT into InfluxDB, each a process that can be killed and started again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from house import CollectorProcess, collector
from servers import Influx, InfluxV2Front, Mosquitto

HERE = Path(__file__).resolve().parent
NODE_RED = {"node-red": "4.1.8", "node-red-contrib-influxdb": "0.7.0"}
NODE_MIN = (18, 5)
SETTINGS = """module.exports = {
    disableEditor: true, httpAdminRoot: false, httpNodeRoot: false, telemetry: {enabled: false},
    mqttReconnectTime: 200, logging: {console: {level: "warn"}}, uiHost: "127.0.0.1", uiPort: 0,
};
"""


class MissingError(RuntimeError):
    """What a contestant needs is not there; the message says what to do."""


@dataclass(frozen=True)
class Place:
    """Where a contestant runs: a folder of its own, a broker, and a database of its own."""

    folder: Path
    broker: Mosquitto
    influx: Influx
    front: InfluxV2Front
    database: str


class Process:
    """A command with a log; `start` after `kill` goes on with the same session at the broker."""

    def __init__(self, command: list[str], log: Path, environment: dict[str, str]) -> None:
        self._command = command
        self._environment = environment
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *self._command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self._environment},
            )

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    @property
    def done(self) -> bool:
        """Whether it says so."""
        return b"done" in self.log.read_bytes()


Contestant = Callable[[Place], Process | CollectorProcess]


def ours(place: Place) -> CollectorProcess:
    """As it is installed: with its pages, its live view and its rollups."""
    return collector(place.broker.url, f"influxdb+{place.influx.url}/{place.database}", place.folder)


def usual(kind: str, *options: str) -> Contestant:
    """One of the few-line scripts. influxdb-client speaks to InfluxDB 1.6 through nginx."""

    def make(place: Place) -> Process:
        where = [str(place.broker.port), place.front.url, place.database]
        return Process([sys.executable, str(HERE / "usual.py"), kind, *where, *options], place.folder / "log.txt", {})

    return make


def node_red(installed: Path) -> Contestant:
    def make(place: Place) -> Process:
        settings = place.folder / "settings.js"
        settings.write_text(SETTINGS, encoding="utf-8")
        flow = shutil.copy(HERE / "node_red_flow.json", place.folder / "flow.json")
        red = installed / "node_modules" / "node-red" / "red.js"
        where = {
            "FOYER_MQTT_PORT": str(place.broker.port),
            "FOYER_INFLUX_PORT": str(place.influx.port),
            "FOYER_INFLUX_DATABASE": place.database,
        }
        command = ["node", str(red), "--userDir", str(installed), "--settings", str(settings), str(flow)]
        return Process(command, place.folder / "log.txt", where)

    return make


def install_node_red(folder: Path) -> Path:
    """Node-RED from npm in that folder, where it stays; raises MissingError in one sentence where that is not to be."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise MissingError(f"{program} is not installed: Node-RED needs it (Debian: apt-get install nodejs npm)")
    said = subprocess.run(["node", "--version"], check=True, capture_output=True, text=True).stdout.strip()
    if tuple(int(part) for part in said.removeprefix("v").split(".")[:2]) < NODE_MIN:
        raise MissingError(f"node is {said}, and Node-RED {NODE_RED['node-red']} needs {NODE_MIN[0]}.{NODE_MIN[1]}")
    package = {"name": "compare", "private": True, "dependencies": NODE_RED}
    wanted = json.dumps(package, indent=2)
    manifest, done = folder / "package.json", folder / "installed.json"
    if done.exists() and done.read_text(encoding="utf-8") == wanted:
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    manifest.write_text(wanted, encoding="utf-8")
    print(f"compare: installing {', '.join(f'{name} {pin}' for name, pin in NODE_RED.items())}", file=sys.stderr)
    tried = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode:
        why = (tried.stderr.strip().splitlines() or ["it says nothing"])[0]
        raise MissingError(f"npm could not install Node-RED in {folder}: {why}")
    done.write_text(wanted, encoding="utf-8")
    return folder
