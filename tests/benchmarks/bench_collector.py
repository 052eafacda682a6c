"""How fast the collector takes events, beside what bounds it on the same machine in the same run.

    python tests/benchmarks/bench_collector.py [--events 100000] [--messages 20000]

Messages wait in Mosquitto for persistent sessions at QoS 1; then each drains them: a paho subscriber that does nothing,
and the collector into each store. A hundred events a message come in both ways: in columns, as a unit sends what waited
once it was told that the collector reads them (its own code puts them together), and each for itself, as a unit sends
them before, and other senders. Every event is counted in the store afterwards. Ratios mean more than rates, and
processor time, which is this process's alone, more than either where the machine has other work: by the clock a bare
writer has a core for itself, while the collector shares it with the broker. The collector does not watch, since what
waited is not shown to who watches: bench_live.py and bench_pair.py have that.

InfluxDB's and SQLite's own rates are taken from ready-made lines and rows in batches of 5,000. The bare table has the
columns and the key of the collector's, no other index, and transactions as durable; its words are texts, which are
numbers in the collector's. That is the writing alone: beside it the collector reads JSON, checks each event against
schema and registry, numbers places and words, notes which quarters of an hour are to be summed up anew, keeps the live
view and the ledger, and answers the unit.
"""

from __future__ import annotations

import argparse
import json
import logging
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from mqtt_client import end, running  # noqa: E402 - after the path
from paho.mqtt.client import Client  # noqa: E402 - after the path
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion  # noqa: E402 - after the path
from paho.mqtt.packettypes import PacketTypes  # noqa: E402 - after the path
from paho.mqtt.properties import Properties  # noqa: E402 - after the path
from servers import Influx, InfluxV2Front, Mosquitto  # noqa: E402 - after the path

from collector.serve import calm_memory  # noqa: E402 - after the path
from collector.service import EVENTS, SHARED_EVENTS, Collector  # noqa: E402 - after the path
from edge.delivery import batches  # noqa: E402 - after the path
from firmware_cfg.endpoint import parse_mqtt_url  # noqa: E402 - after the path
from firmware_cfg.load import EXAMPLE_FLEET, load_fleet  # noqa: E402 - after the path

TOPIC = "foyer/v1/strood/strood-front/events"
EPOCH = "0123456789abcdef"
DEADLINE_S = 120.0


def event(seq: int, start_ns: int) -> dict[str, Any]:
    return {
        "seq": seq,
        "t_ns": start_ns + seq * 1_000_000,
        "clock": "synced",
        "kind": "passage",
        "sensor": "front-beams",
        "hub": "strood",
        "entrance": "front",
        "direction": "in" if seq % 2 else "out",
        "persons": 1,
        "speed_m_s": 1.21,
        "length_m": 0.31,
        "confidence": 0.98,
        "role": "counting",
    }


def messages(count: int, per_message: int) -> Iterator[bytes]:
    now_ns = time.time_ns()
    start_ns = now_ns - 2 * 3600 * 10**9
    for first in range(1, count + 1, per_message):
        events = [event(seq, start_ns) for seq in range(first, min(first + per_message, count + 1))]
        head = {"v": 1, "unit": "strood-front", "epoch": EPOCH, "sent_ns": now_ns}
        yield json.dumps(head | {"events": events}, separators=(",", ":")).encode()


def in_columns(count: int, per_message: int) -> Iterator[bytes]:
    """The same as a unit sends it that has them waiting: its own code puts them together."""
    now_ns = time.time_ns()
    start_ns = now_ns - 2 * 3600 * 10**9
    texts = [(seq, json.dumps(event(seq, start_ns), separators=(",", ":"))) for seq in range(1, count + 1)]
    for first in range(0, count, per_message):
        for _, payload in batches("strood-front", EPOCH, texts[first : first + per_message], now_ns, runs=True):
            yield payload


def publish(broker: Mosquitto, payloads: Iterator[bytes]) -> None:
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.max_inflight_messages_set(500)
    client.connect("127.0.0.1", broker.port)
    last = None
    with running(client):
        for payload in payloads:
            last = client.publish(TOPIC, payload, qos=1)
        if last is not None:
            last.wait_for_publish(DEADLINE_S)


class Drain:
    """A paho subscriber with a persistent session that does nothing but count."""

    def __init__(self, broker: Mosquitto, name: str, topic_filter: str = EVENTS) -> None:
        self.taken = 0
        self._broker = broker
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_message = self._on_message
        self._subscribed = threading.Event()
        self._client.on_connect = lambda *_: self._client.subscribe(topic_filter, 1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()

    def _on_message(self, *_: Any) -> None:
        self.taken += 1

    def start(self) -> None:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho left it so
        properties.SessionExpiryInterval = 3600
        properties.ReceiveMaximum = 1000
        self._client.connect("127.0.0.1", self._broker.port, clean_start=False, properties=properties)
        self._client.loop_start()
        self._subscribed.wait(10)

    def close(self) -> None:
        end(self._client)


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what}: not done within {DEADLINE_S:.0f} s")
        time.sleep(0.002)


@dataclass(frozen=True)
class Pace:
    """Events a second by the clock, and this process's time on a processor."""

    rate: float
    cpu_us: float


class Stopwatch:
    def __init__(self) -> None:
        self._clock_s, self._cpu_s = time.perf_counter(), time.process_time()

    def pace(self, count: int) -> Pace:
        cpu_s = time.process_time() - self._cpu_s
        return Pace(count / (time.perf_counter() - self._clock_s), cpu_s / count * 1e6)


@dataclass(frozen=True)
class Flood:
    """How events come: so many a message, and `columns`, as a unit sends what has waited, or each for itself."""

    count: int
    per_message: int
    columns: bool

    def messages(self) -> Iterator[bytes]:
        return (in_columns if self.columns else messages)(self.count, self.per_message)

    def __str__(self) -> str:
        return f"{self.per_message:3} a message{', in columns' if self.columns else ''}"


def drain_rate(folder: Path, flood: Flood) -> float:
    """Events a second."""
    with Mosquitto(folder) as broker:
        session = Drain(broker, "drain")
        session.start()
        session.close()
        publish(broker, flood.messages())
        drain = Drain(broker, "drain")
        start = time.perf_counter()
        drain.start()
        until(lambda: drain.taken >= -(-flood.count // flood.per_message), "drain")
        seconds = time.perf_counter() - start
        drain.close()
    return flood.count / seconds


def collector_pace(folder: Path, flood: Flood, store_url: str) -> Pace:
    """From the first connection until all are stored, acknowledged and counted in the store."""
    fleet = load_fleet(EXAMPLE_FLEET)
    count = flood.count
    with Mosquitto(folder / "mosquitto") as broker:

        def make() -> Collector:
            return Collector(
                fleet, parse_mqtt_url(broker.url), store_url, folder / "state", client_id="bench", watch=False
            )

        session = Drain(broker, "bench", SHARED_EVENTS)  # the queue as a crashed collector of that name leaves it
        session.start()
        session.close()
        publish(broker, flood.messages())
        collector = make()
        watch = Stopwatch()
        collector.start()
        until(lambda: collector.events_stored >= count, f"{store_url}, {flood}")
        pace = watch.pace(count)
        tally = collector.store.tally("strood-front", EPOCH)["passage"]
        done = list(collector.ledger.done("strood-front", EPOCH))
        collector.close()
    if (tally.rows, tally.distinct, done) != (count, count, [(1, count)]):
        raise SystemExit(
            f"{store_url}, {flood}: stored {tally}, done {done}, not {count} events: the rate means nothing"
        )
    return pace


def influx_rate(influx: Influx, count: int) -> float:
    """Lines a second into /write, 5,000 a request, ready-made."""
    influx.create_database("bare")
    start_ns = time.time_ns() - 2 * 3600 * 10**9
    lines = [
        "passage,entrance=front,hub=strood,sensor=front-beams,unit=strood-front "
        f'clock="synced",direction="{"in" if seq % 2 else "out"}",persons=1i,speed_m_s=1.21,length_m=0.31,'
        f'confidence=0.98,role="counting",epoch="{EPOCH}",seq={seq}i {start_ns + seq * 1_000_000}'
        for seq in range(1, count + 1)
    ]
    start = time.perf_counter()
    for first in range(0, count, 5000):
        influx.write(*lines[first : first + 5000], database="bare")
    return count / (time.perf_counter() - start)


def sqlite_pace(folder: Path, count: int) -> Pace:
    """Rows into the same kind of table by executemany alone, a durable transaction for each 5,000."""
    db = sqlite3.connect(folder / "bare.db", isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute(
        """CREATE TABLE passage (series INTEGER, t_ns INTEGER, epoch_id INTEGER, seq INTEGER, clock TEXT,
        direction TEXT, persons INTEGER, speed_m_s REAL, length_m REAL, confidence REAL, role TEXT,
        PRIMARY KEY (series, t_ns, epoch_id, seq)) WITHOUT ROWID"""
    )
    start_ns = time.time_ns()
    rows = [(1, start_ns + seq, 1, seq, "synced", "in", 1, 1.21, 0.31, 0.98, "counting") for seq in range(1, count + 1)]
    watch = Stopwatch()
    for first in range(0, count, 5000):
        db.execute("BEGIN")
        db.executemany("INSERT INTO passage VALUES (?,?,?,?,?,?,?,?,?,?,?)", rows[first : first + 5000])
        db.execute("COMMIT")
    pace = watch.pace(count)
    db.close()
    return pace


STORES = ("embedded", "influx 1.x", "influx 2.x")


def main() -> None:
    logging.disable(logging.WARNING)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--events", type=int, default=100_000, help="events in messages of 100")
    parser.add_argument("--messages", type=int, default=20_000, help="events in messages of 1")
    parser.add_argument("--only", choices=STORES, help="one store")
    options = parser.parse_args()
    calm_memory()
    floods = [
        Flood(options.messages, 1, columns=False),
        Flood(options.events, 100, columns=True),
        Flood(options.events, 100, columns=False),
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bare_sqlite = sqlite_pace(folder, options.events)
        drains = {flood: drain_rate(folder / f"drain-{number}", flood) for number, flood in enumerate(floods)}
        with Influx(folder / "influx") as influx, InfluxV2Front(folder / "front", influx) as front:
            bare_influx = influx_rate(influx, options.events)
            print(f"bare: SQLite executemany {bare_sqlite.rate:,.0f} rows/s, {bare_sqlite.cpu_us:.1f} us of CPU a row")
            print(f"bare: InfluxDB /write {bare_influx:,.0f} lines/s")
            for flood, rate in drains.items():
                print(f"bare: paho drains {rate:,.0f} events/s, {flood}")
            bounds = {"embedded": bare_sqlite.rate, "influx 1.x": bare_influx, "influx 2.x": bare_influx}
            for store in STORES:
                if options.only not in (None, store):
                    continue
                for number, flood in enumerate(floods):
                    place = folder / f"{store}-{number}".replace(" ", "-")
                    place.mkdir()
                    url = f"sqlite:{place}/store.db"
                    if store != "embedded":
                        influx.create_database(place.name)
                        url = f"influxdb+{(influx if store == 'influx 1.x' else front).url}/{place.name}"
                    pace = collector_pace(place, flood, url)
                    print(
                        f"{store:10} {flood!s:26}: {pace.rate:9,.0f} events/s, {pace.cpu_us:.1f} us of CPU"
                        f" an event = {pace.rate / drains[flood]:.2f} x paho drain, "
                        f"{pace.rate / bounds[store]:.2f} x bare store",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
