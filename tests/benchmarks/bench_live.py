"""How soon a browser sees an event, and what the collector holds meanwhile.

    python tests/benchmarks/bench_live.py [--rate 200] [--seconds 60] [--hubs 48] [--browsers 3] [--influx]
    python tests/benchmarks/bench_live.py --minutes 60      # whether its memory stays as it is

Units of 48 hubs send passages, one a message at QoS 1, at random moments, and their health each minute, to Mosquitto;
`foyer collector` is a process as it is installed. Browsers read `/api/v1/stream`. An event's time is the moment before
it is published; it is seen when the first snapshot that has it among its last passages has been read from the socket.
All that was sent has to be acknowledged and stored once, else the exit code is 1. A passage is not seen at all where
more than 20 of its hub come between two snapshots; how many those are is told.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import sys
import tempfile
import threading
import time
from array import array
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "benchmarks")]

from house import CollectorProcess, collector, wait_until  # noqa: E402 - after the path
from mqtt_client import end  # noqa: E402 - after the path
from paho.mqtt.client import Client, MQTTMessage  # noqa: E402 - after the path
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion  # noqa: E402 - after the path
from servers import Influx, Mosquitto  # noqa: E402 - after the path
from town import EPOCH, Town, cpu_s, resident_mb, write_fleet  # noqa: E402 - after the path

from collector.store import open_store  # noqa: E402 - after the path
from firmware_cfg.times import from_rfc3339  # noqa: E402 - after the path

AIMS = {"event to browser, median, ms": 50.0, "event to browser, p99, ms": 120.0, "resident memory, MB": 100.0}
WARM_S = 5.0
SAMPLE_S = 10.0
SETTLED_S = 600.0
"""After so long nothing is new to the collector any more."""
DRIFT_MB = 3.0


class Browser:
    """Reads the stream as a page does, and notes how old each passage is that it has not seen before."""

    def __init__(self, port: int) -> None:
        self.ages_ms = array("d")
        self.ready = threading.Event()
        self._newest: dict[str, int] = {}
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n\r\n")
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._socket.makefile("rb") as lines:
            for line in lines:
                if line.startswith(b"data:"):
                    self._look(json.loads(line[5:]), time.time_ns())

    def _look(self, live: dict[str, object], now_ns: int) -> None:
        self.ready.set()
        hub, passages = str(live["hub"]), live["last_passages"]
        assert isinstance(passages, list)
        newest = self._newest.get(hub, 0)
        for passage in passages:  # the newest first
            t_ns = from_rfc3339(passage["t"])
            if t_ns <= newest:
                break
            self._newest[hub] = max(t_ns, self._newest.get(hub, 0))
            self.ages_ms.append((now_ns - t_ns) / 1e6)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()


class Bare:
    """A paho subscriber that only looks at the clock: how late the machine itself is."""

    def __init__(self, broker: Mosquitto) -> None:
        self.ages_ms = array("d")
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_connect = lambda client, *_: client.subscribe("foyer/v1/+/+/events", 1)
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        now_ns = time.time_ns()
        self.ages_ms.append((now_ns - json.loads(message.payload)["events"][0]["t_ns"]) / 1e6)

    def close(self) -> None:
        end(self._client)


class Memory:
    """The collector's resident memory, looked at now and then."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._began_s = self._next_s = time.monotonic()
        self.samples: list[tuple[float, float]] = []

    def look(self) -> None:
        now_s = time.monotonic()
        if now_s >= self._next_s:
            self._next_s = now_s + SAMPLE_S
            self.samples.append((now_s - self._began_s, resident_mb(self._pid)))
            if len(self.samples) % 30 == 1:
                print(f"after {self.samples[-1][0] / 60:5.1f} min: {self.samples[-1][1]:.1f} MB", flush=True)

    @property
    def most(self) -> float:
        return max(mb for _, mb in self.samples)

    def drift(self) -> float | None:
        """The last quarter's median less the first quarter's, once it has settled; None for too short a run."""
        settled = [mb for at_s, mb in self.samples if at_s >= SETTLED_S]
        quarter = len(settled) // 4
        if quarter < 10:
            return None
        return statistics.median(settled[-quarter:]) - statistics.median(settled[:quarter])


def told(what: str, found: float) -> None:
    aim = AIMS[what]
    print(f"{what:30} {found:8.2f}   aim {aim:5g}   {'met' if found <= aim else 'MISSED'}", flush=True)


def wrong(store_url: str, town: Town) -> int:
    """Units of which not every event is stored once."""
    store = open_store(store_url)
    found = 0
    for unit, seq in town.seqs().items():
        tally = store.tally(unit, EPOCH).get("passage")
        if seq and (tally is None or (tally.rows, tally.distinct) != (seq, seq)):
            found += 1
            print(f"{unit}: sent {seq}, stored {tally}")
    store.close()
    return found


def watch(service: CollectorProcess, town: Town, bare: Bare, options: argparse.Namespace, store_url: str) -> int:
    assert service.process is not None
    pid = service.process.pid
    wait_until("the collector", lambda: _well(service))
    browsers = [Browser(service.port) for _ in range(options.browsers)]
    for browser in browsers:
        browser.ready.wait(10)
    town.run(options.rate, WARM_S)
    warm = [len(browser.ages_ms) for browser in browsers]
    memory = Memory(pid)
    sent, cpu_before_s, began_s = town.sent, cpu_s(pid), time.monotonic()
    town.run(options.rate, options.minutes * 60 if options.minutes else options.seconds, memory.look)
    share = (cpu_s(pid) - cpu_before_s) / (time.monotonic() - began_s)
    seconds, events = time.monotonic() - began_s, town.sent - sent
    wait_until("all answers", lambda: (town.tend(), town.waiting == 0)[1])
    time.sleep(1.0)
    lost = wrong(store_url, town)
    unseen = sum(town.sent - len(browser.ages_ms) for browser in browsers)
    ages = sorted(age for browser, first in zip(browsers, warm, strict=True) for age in browser.ages_ms[first:])
    store = store_url.partition(":")[0]
    print(f"{events} events in {seconds:.0f} s, {options.hubs} hubs, {len(browsers)} browsers, {store}")
    print(f"units of which something is not stored once: {lost}; passages that browsers did not see: {unseen}")
    straight = sorted(bare.ages_ms)
    median, late = straight[len(straight) // 2], straight[len(straight) * 99 // 100]
    print(f"{'bare subscriber, ms':30} {median:8.2f}; p99 {late:.2f}")
    told("event to browser, median, ms", ages[len(ages) // 2])
    told("event to browser, p99, ms", ages[len(ages) * 99 // 100])
    print(f"{'at worst, ms':30} {ages[-1]:8.2f}; {share:.0%} of a core; {town.resent} sent again")
    told("resident memory, MB", memory.most)
    drift = memory.drift()
    if drift is not None:
        flat = drift <= DRIFT_MB
        print(f"{'grown once settled, MB':30} {drift:8.2f}   aim {DRIFT_MB:5g}   {'met' if flat else 'MISSED'}")
    for browser in browsers:
        browser.close()
    return 1 if lost else 0


def _well(service: CollectorProcess) -> bool:
    try:
        return bool(service.get("/readyz")["ok"] and service.get("/healthz")["ok"])
    except OSError:
        return False


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rate", type=float, default=200.0, help="events a second")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long")
    parser.add_argument("--minutes", type=float, default=0.0, help="how long, in place of --seconds")
    parser.add_argument("--hubs", type=int, default=48)
    parser.add_argument("--browsers", type=int, default=3)
    parser.add_argument("--influx", action="store_true", help="InfluxDB 1.x in place of the embedded store")
    options = parser.parse_args(arguments)
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="foyer-live-")))
        broker = held.enter_context(Mosquitto(folder / "mosquitto"))
        store_url = f"sqlite:{folder}/store.db"
        if options.influx:
            influx = held.enter_context(Influx(folder / "influx"))
            store_url = f"influxdb+{influx.url}/{influx.database}"
        fleet = write_fleet(folder / "hubs", options.hubs)
        service = held.enter_context(collector(broker.url, store_url, folder / "collector", fleet=fleet))
        bare = Bare(broker)
        held.callback(bare.close)
        town = Town(broker, options.hubs)
        held.callback(town.close)
        return watch(service, town, bare, options, store_url)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
