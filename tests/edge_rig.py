"""What tests of the unit share: a network in one thread, a collector that answers, people at mock pins."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collector.store.runs import spread
from edge.clock import ManualClock
from edge.eventfile import OutboxSettings
from edge.link import Connected, Disconnected, Happening, Identity, Received
from edge.sensors.mock import ClockFactory
from edge.unit import Unit, UnitSettings
from firmware_cfg.load import load_fleet
from firmware_cfg.times import NS_PER_MS, NS_PER_S
from firmware_cfg.wire import Channel, Command, EventBatch, Health

if TYPE_CHECKING:
    from firmware_cfg.load import Fleet

T0_NS = 1_780_000_000 * NS_PER_S
HOUR_NS = 3600 * NS_PER_S
OUTER_PIN, INNER_PIN = 17, 27

HUB = """
id = "hall"
name = "Village Hall"
type = "local"

[[entrances]]
id = "front"
name = "Front"
counting = "front-beams"

[[units]]
id = "hall-front"
since = 2020-01-01

[[units.sensors]]
name = "front-beams"
kind = "beam-pair"
entrance = "front"
outer_pin = 17
inner_pin = 27
separation_m = 0.12
"""
SECOND_SENSOR = """
[[units.sensors]]
name = "spare-beams"
kind = "beam-pair"
entrance = "front"
outer_pin = 5
inner_pin = 6
"""


def fleet_of(folder: Path, *hubs: str) -> Fleet:
    folder.mkdir(exist_ok=True)
    for index, text in enumerate(hubs):
        (folder / f"hub-{index}.toml").write_text(text, encoding="utf-8")
    return load_fleet(folder)


def events_in(batch: dict[str, Any]) -> list[dict[str, Any]]:
    """All events of a message, those in columns last, with what beams say that columns leave out."""
    said = {"persons": 1, "speed_m_s": None, "length_m": None}
    return [*batch.get("events", []), *(said | each for each in spread(batch.get("runs", [])))]


@dataclass
class Network:
    """A link, the broker behind it and a collector that stores what it is sent and answers when it is asked to."""

    now_ns: int = T0_NS
    answering: bool = True
    reads_runs: bool = False
    sent: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    stored: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    refuse: dict[int, str] = field(default_factory=dict)
    dropped: int = 0
    identity: Identity | None = None
    closed: bool = False
    up: bool = False
    _happenings: deque[Happening] = field(default_factory=deque)

    def open(self, identity: Identity) -> None:
        self.identity, self.closed = identity, False
        if self.up:
            self.connect()

    def connect(self, session: str = "session-1") -> None:
        self.up = True
        self._happenings.append(Connected(session))

    def cut(self) -> None:
        self.up = False
        self._happenings.append(Disconnected("cut"))

    def poll(self) -> list[Happening]:
        happenings = list(self._happenings)
        self._happenings.clear()
        return happenings

    def close(self) -> None:
        self.closed = True

    def publish(self, topic: str, payload: bytes) -> bool:
        if not self.up:
            return False
        message = json.loads(payload)
        self.sent.append((topic, message))
        channel = topic.rsplit("/", 1)[1]
        if channel == "health":
            Health.model_validate_json(payload)
        if channel == "events":
            EventBatch.model_validate_json(payload)
            self._store(message)
        return True

    def _store(self, batch: dict[str, Any]) -> None:
        rejected = [
            [event["seq"], self.refuse[event["seq"]]] for event in events_in(batch) if event["seq"] in self.refuse
        ]
        for event in events_in(batch):
            key = (batch["epoch"], event["seq"])
            assert self.stored.setdefault(key, event) == event, "an event changed between two sendings"
        if self.answering:
            done = [[event["seq"]] * 2 for event in events_in(batch) if event["seq"] not in self.refuse]
            self.ack(batch["epoch"], done, rejected)

    def ack(self, epoch: str, done: list[list[int]], rejected: list[list[Any]] | None = None) -> None:
        word = {"epoch": epoch, "done": done, "rejected": rejected or [], "now_ns": self.now_ns}
        word |= {"runs": True} if self.reads_runs else {}
        self._happenings.append(Received("ack", json.dumps(word).encode()))

    def command(self, name: str, *, number: str = "c1", expires_ns: int = 2**62, **args: Any) -> None:
        word = Command(id=number, expires_ns=expires_ns, name=name, args=args)
        self._happenings.append(Received("cmd", word.model_dump_json().encode()))

    def receive(self, channel: Channel, payload: bytes) -> None:
        self._happenings.append(Received(channel, payload))

    def messages(self, channel: str) -> list[dict[str, Any]]:
        return [message for topic, message in self.sent if topic.endswith(f"/{channel}")]

    @property
    def events(self) -> list[dict[str, Any]]:
        """What was stored, in the order of seq."""
        return [self.stored[key] for key in sorted(self.stored)]

    def passages(self) -> list[dict[str, Any]]:
        return [event for event in self.events if event["kind"] == "passage"]


@dataclass
class Rig:
    """A unit on mock pins, a clock and a network, all in one thread. `restart` keeps the folder and the clock."""

    folder: Path
    fleet: Fleet
    clock: ManualClock = field(default_factory=lambda: ManualClock(T0_NS, mono_ns=100 * NS_PER_S))
    outbox: OutboxSettings = field(default_factory=OutboxSettings)
    network: Network = field(default_factory=Network)
    unit_id: str = "hall-front"
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.start()

    def start(self, levels: tuple[int, int] = (0, 0)) -> None:
        """A new process that finds the lines as they are."""
        self.pins = ClockFactory(self.clock)
        for pin, level in zip((OUTER_PIN, INNER_PIN), levels, strict=True):
            self.drive(pin, level)
        settings = UnitSettings(
            fleet=self.fleet,
            unit=self.unit_id,
            folder=self.folder,
            outbox=self.outbox,
            **{"pin_factory": lambda: self.pins, **self.extra},
        )
        self.unit = Unit(settings, self.clock, self.network)
        self.unit.step()

    def crash(self) -> None:
        """Gone without a word, as by kill -9: what was not committed is lost. Start it again with `start`."""
        self.unit._outbox._file._db.close()
        self.pins.reset()

    def stop(self) -> bool:
        return self.unit.close()

    def run(self, duration_ns: int) -> None:
        """Let time pass, stepping whenever something is due."""
        end_ns = self.clock.monotonic_ns() + duration_ns
        while (now_ns := self.clock.monotonic_ns()) < end_ns:
            due_ns = max(self.unit.step(), now_ns + NS_PER_MS)
            wait_ns = min(due_ns, end_ns) - now_ns
            self.clock.advance(wait_ns)
            self.network.now_ns += wait_ns
        self.unit.step()

    def drive(self, pin: int, level: int) -> None:
        target = self.pins.pin(pin)
        if level:
            target.drive_high()
        else:
            target.drive_low()

    def walk(self, *, inward: bool = True, after_ns: int = 3 * NS_PER_S) -> None:
        """One person through the door, and a while of nobody."""
        first, second = (OUTER_PIN, INNER_PIN) if inward else (INNER_PIN, OUTER_PIN)
        for pin, level, wait_ms in ((first, 1, 90), (second, 1, 160), (first, 0, 90), (second, 0, 0)):
            self.drive(pin, level)
            self.run(wait_ms * NS_PER_MS)
        self.run(after_ns)
