"""What faults happen to: agent, Mosquitto, collector and store as processes, with people who walk by a recording."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Self

from agent_rig import compared, write_trace
from agent_rig import expected as replayed
from house import CollectorProcess, FoyerProcess, agent, collector
from servers import Influx, Mosquitto

from collector.store import open_store
from firmware_cfg.load import EXAMPLE_FLEET, load_fleet
from firmware_cfg.wire import KINDS, T_NS_MAX, Kind

UNIT = "armley-front"
SENSOR = "front-beams"
HUB = load_fleet(EXAMPLE_FLEET).stays(UNIT)[0][0].id
PEOPLE = 400
SPEED = 100
PATIENCE_S = 240.0

Person = tuple[Any, ...]
"""When (ns), direction, how many, how sure."""
Name = tuple[str, int]
"""An event's epoch and number."""


@cache
def people(folder: Path) -> tuple[Path, tuple[Person, ...]]:
    """The recording that every unit plays, and what `foyer replay` counts in it."""
    trace = write_trace(folder, PEOPLE)
    return trace, tuple(replayed(trace))


class Broker(Mosquitto):
    """Also listens on `beyond`, an address of another network."""

    def __init__(self, folder: Path, beyond: str = "") -> None:
        super().__init__(folder)
        self.beyond = beyond

    def settings(self) -> list[str]:
        more = [f"listener {self.port} {self.beyond}"] if self.beyond else []
        return [*super().settings(), *more]


@dataclass
class AgentElsewhere(FoyerProcess):
    """The agent in a network namespace."""

    namespace: str = ""

    def start(self) -> Self:
        command = ["setpriv", "--pdeathsig", "KILL", "--", sys.executable, "-m", *self.arguments]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", self.namespace, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        return self


@dataclass
class Account:
    """What came of a run, in events; people who are missing or too many are in `lost` and `twice` besides."""

    published: int
    stored: int
    lost: list[tuple[Any, ...]]
    twice: list[tuple[Any, ...]]


@dataclass
class Site:
    """Everything of one run. A context manager: its parts run inside, the agent once `begin` is called."""

    folder: Path
    trace: Path
    store_file: Path | None = None
    """An embedded store in place of InfluxDB."""
    namespace: str = ""
    beyond: str = ""
    cable: str = ""
    """The interface that leads to the namespace."""
    speed: int = SPEED
    _held: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        with ExitStack() as held:
            self.broker = held.enter_context(Broker(self.folder / "broker", self.beyond))
            self.influx = None if self.store_file else held.enter_context(Influx(self.folder / "influx"))
            made: CollectorProcess = collector(self.broker.url, self.store, self.folder / "collector")
            self.collector = held.enter_context(made)
            self.unit = self._agent()
            held.callback(self.unit.kill)
            self._held = held.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def _agent(self) -> FoyerProcess:
        url = f"mqtt://{self.beyond}:{self.broker.port}" if self.beyond else self.broker.url
        feed = ("--trace", f"{SENSOR}={self.trace}", "--speed", str(self.speed), "--exit-when-done")
        process = agent(UNIT, url, self.folder / "unit", *feed)
        return AgentElsewhere(process.arguments, process.log, self.namespace) if self.namespace else process

    @property
    def store(self) -> str:
        if self.influx is None:
            return f"sqlite:{self.store_file}"
        return f"influxdb+{self.influx.url}/{self.influx.database}"

    def begin(self) -> None:
        """The unit starts; returns when the first person is stored."""
        self.unit.start()
        deadline_s = time.monotonic() + PATIENCE_S
        while not self.rows("passage"):
            self._still(deadline_s)

    def walking(self) -> bool:
        """Whether the unit still has something to do."""
        return self.unit.process is not None and self.unit.process.poll() is None

    def end(self) -> None:
        """Wait until the unit has played everybody and forgotten what was acknowledged, and its process ended well."""
        deadline_s = time.monotonic() + PATIENCE_S
        while self.walking():
            self._still(deadline_s)
        process = self.unit.process
        if process is None or process.returncode != 0:
            raise AssertionError(f"the unit did not end well; see {self.unit.log}")
        if self.collector.process is None or self.collector.process.poll() is not None:
            raise AssertionError(f"the collector has gone; see {self.collector.log}")

    def _still(self, deadline_s: float) -> None:
        if time.monotonic() > deadline_s:
            raise AssertionError(f"not all was acknowledged within {PATIENCE_S:.0f} s; see {self.folder}")
        time.sleep(0.1)

    def rows(self, kind: Kind) -> list[dict[str, Any]]:
        """What is stored of the unit, read from the store itself."""
        if self.influx is not None:
            rows = self.influx.query(f"SELECT * FROM {kind} WHERE unit = '{UNIT}'")  # noqa: S608 - our own words
            return [{**row, "t_ns": row["time"]} for row in rows]
        store = open_store(self.store)
        try:
            stored = store.events(kind, HUB, 0, T_NS_MAX, limit=100_000)
        finally:
            store.close()
        return [{**one.event.model_dump(), "epoch": one.epoch} for one in stored if one.unit == UNIT]

    def outbox(self) -> set[Name]:
        """Every event that the unit ever committed, from its file as it lies."""
        file = self.folder / "unit" / "state" / "outbox.db"
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as outbox:
            (epoch,) = outbox.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()
            return {(epoch, seq) for (seq,) in outbox.execute("SELECT seq FROM event").fetchall()}

    def account(self, expected: tuple[Person, ...]) -> Account:
        """Events by their names, and people by when and whither they walked: neither may be missing or too many."""
        rows = {kind: self.rows(kind) for kind in KINDS}
        names = Counter((row["epoch"], row["seq"]) for of_kind in rows.values() for row in of_kind)
        published = Counter(self.outbox())
        found, walked = Counter(compared(rows["passage"])), Counter(expected)
        lost = [*(published - names).elements(), *(walked - found).elements()]
        twice = [*(names - published).elements(), *(found - walked).elements()]
        return Account(published.total(), len(names), lost, twice)


def administrator() -> bool:
    return os.geteuid() == 0
