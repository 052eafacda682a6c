"""The kinds of faults. Each does its worst to a site while people walk; `chance` decides how and when."""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as mqtt

from faults.site import UNIT, Site, administrator
from firmware_cfg.wire import BATCH_BYTES_MAX

PAUSE_S = 0.8
STRIKES_MAX = 4
LONG_S = 15.0
FULL_LONG_S = 600.0
FLOOD = 5_000
DISK = "6m"


@dataclass(frozen=True, slots=True)
class Kind:
    """`attack` gives back how often it struck. `place` makes the site, where it needs a special one."""

    attack: Callable[[Site, random.Random, bool], int]
    share: int
    """Of the runs, this part."""
    place: Callable[..., Iterator[Site]] | None = None
    as_administrator: bool = False


def _moments(site: Site, chance: random.Random, most: int = STRIKES_MAX) -> Iterator[int]:
    """Random moments, as long as people walk."""
    for number in range(chance.randint(1, most)):
        time.sleep(chance.uniform(0, PAUSE_S))
        if not site.walking():
            return
        yield number


def _down(site: Site, part: str) -> None:
    match part:
        case "unit":
            site.unit.kill()
        case "broker" | "broker, wiped":
            site.broker.kill()
        case "collector":
            site.collector.kill()
        case "influxdb":
            assert site.influx is not None
            site.influx.kill()


def _up(site: Site, part: str) -> None:
    match part:
        case "unit":
            site.unit.start()
        case "broker":
            site.broker.start()
        case "broker, wiped":
            site.broker.wipe()
            site.broker.start()
        case "collector":
            site.collector.start()
        case "influxdb":
            assert site.influx is not None
            site.influx.start()


def _one(part: str) -> Callable[[Site, random.Random, bool], int]:
    def attack(site: Site, chance: random.Random, _full: bool) -> int:
        struck = 0
        for _ in _moments(site, chance):
            _down(site, part)
            time.sleep(chance.uniform(0, PAUSE_S))
            _up(site, part)
            struck += 1
        return struck

    return attack


def _two(site: Site, chance: random.Random, _full: bool) -> int:
    """Any two, one shortly after the other, back in any order."""
    struck = 0
    for _ in _moments(site, chance, 2):
        first, second = chance.sample(["unit", "broker, wiped", "collector", "influxdb"], 2)
        _down(site, first)
        time.sleep(chance.choice((0.0, chance.uniform(0, PAUSE_S))))
        _down(site, second)
        time.sleep(chance.uniform(0, PAUSE_S))
        for part in chance.sample([first, second], 2):
            _up(site, part)
            time.sleep(chance.uniform(0, PAUSE_S / 2))
        struck += 2
    return struck


def _store_away(site: Site, chance: random.Random, full: bool) -> int:
    """The collector may be killed meanwhile: it comes back to a store that is not there."""
    time.sleep(chance.uniform(0, PAUSE_S))
    _down(site, "influxdb")
    away_s = FULL_LONG_S if full else LONG_S
    before_s = chance.uniform(0, away_s)
    time.sleep(before_s)
    unit_too = chance.random() < 0.5 and site.walking()
    if unit_too:
        _down(site, "unit")
        _up(site, "unit")
    time.sleep(away_s - before_s)
    _up(site, "influxdb")
    return 1 + unit_too


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path]:
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(disk)], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


@contextmanager
def _store_on_a_small_disk(folder: Path, trace: Path) -> Iterator[Site]:
    with _small_disk(folder) as disk, Site(folder, trace, store_file=disk / "store.db") as site:
        yield site


def _disk_full(site: Site, chance: random.Random, _full: bool) -> int:
    assert site.store_file is not None
    filler = site.store_file.with_name("filler")
    struck = 0
    for _ in _moments(site, chance):
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
        time.sleep(chance.uniform(PAUSE_S, 3 * PAUSE_S))
        if chance.random() < 0.5:  # it dies with the disk full, and comes back to room again
            site.collector.kill()
            filler.unlink()
            site.collector.start()
        else:
            filler.unlink()
        struck += 1
    return struck


def _rubbish(chance: random.Random) -> tuple[str, bytes]:
    """A topic and a message, of which something is wrong."""
    topic = f"foyer/v1/armley/{UNIT}/events"
    head = {"v": 1, "unit": UNIT, "epoch": f"{chance.getrandbits(64):016x}", "sent_ns": 1}
    event = {"seq": 1, "t_ns": 1, "clock": "synced", "kind": "passage", "sensor": "front-beams", "hub": "armley"}
    nowhere = chance.choice(("nowhere", "ARMLEY", "strood"))
    too_long = b"[" * chance.choice((10, 5000, BATCH_BYTES_MAX + 1))
    return chance.choice(
        (
            (topic, chance.randbytes(chance.randrange(200))),
            (topic, json.dumps(head).encode()[: chance.randrange(60)]),
            (topic, json.dumps({**head, "events": [event, {}, None, chance.random()]}).encode()),
            (topic.replace("armley", nowhere), b"{}"),
            (f"foyer/v1/{chance.randrange(9)}/x", b"lost"),
            (topic, too_long),
            (topic.replace("events", chance.choice(("health", "state"))), json.dumps(head).encode()),
        )
    )


def _flood(site: Site, chance: random.Random, _full: bool) -> int:
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.connect("127.0.0.1", site.broker.port)
    client.loop_start()
    sent = None
    for _ in range(FLOOD):
        topic, payload = _rubbish(chance)
        sent = client.publish(topic, payload, qos=1)
    if chance.random() < 0.5:
        site.collector.kill()
        site.collector.start()
    if sent is not None:
        sent.wait_for_publish(60)
    client.disconnect()
    client.loop_stop()
    return FLOOD


_networks = itertools.count(os.getpid() % 200 * 256)
_networks_lock = threading.Lock()


@contextmanager
def _unit_in_a_namespace(folder: Path, trace: Path) -> Iterator[Site]:
    """The unit has a network of its own; a virtual cable leads to the broker."""
    with _networks_lock:
        number = next(_networks) % 65536
    name, ours, theirs = f"foyer{number}", f"foyer{number}a", f"foyer{number}b"
    block = number % 16384 * 4
    here, there = (f"10.213.{(block + host) // 256}.{(block + host) % 256}" for host in (1, 2))
    _ip("netns", "add", name)
    try:
        _ip("link", "add", ours, "type", "veth", "peer", "name", theirs)
        _ip("link", "set", theirs, "netns", name)
        _ip("addr", "add", f"{here}/30", "dev", ours)
        _ip("link", "set", ours, "up")
        _ip("-n", name, "addr", "add", f"{there}/30", "dev", theirs)
        _ip("-n", name, "link", "set", theirs, "up")
        _ip("-n", name, "link", "set", "lo", "up")
        with Site(folder, trace, namespace=name, beyond=here) as site:
            site.cable = ours
            yield site
    finally:
        subprocess.run(["ip", "link", "del", ours], check=False, capture_output=True)
        _ip("netns", "del", name)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def _network_cut(site: Site, chance: random.Random, full: bool) -> int:
    """Short ones that TCP survives; one in four is long enough that either end gives the connection up."""
    struck = 0
    for _ in _moments(site, chance):
        _ip("link", "set", site.cable, "down")
        time.sleep(50.0 if full or chance.random() < 0.05 else chance.uniform(0.1, 4.0))
        if chance.random() < 0.3:
            site.broker.kill()
            site.broker.start()
        _ip("link", "set", site.cable, "up")
        struck += 1
    return struck


KINDS: dict[str, Kind] = {
    "unit": Kind(_one("unit"), 25),
    "broker": Kind(_one("broker"), 20),
    "broker, wiped": Kind(_one("broker, wiped"), 20),
    "collector": Kind(_one("collector"), 25),
    "influxdb": Kind(_one("influxdb"), 25),
    "any two": Kind(_two, 40),
    "influxdb away": Kind(_store_away, 10),
    "disk full": Kind(_disk_full, 15, _store_on_a_small_disk, as_administrator=True),
    "flood": Kind(_flood, 10),
    "network": Kind(_network_cut, 15, _unit_in_a_namespace, as_administrator=True),
}


@contextmanager
def place(kind: Kind, folder: Path, trace: Path) -> Iterator[Site]:
    """The site that a kind of fault happens to."""
    make = kind.place or Site
    with make(folder, trace) as site:
        yield site


def possible(kind: Kind) -> bool:
    return administrator() or not kind.as_administrator
