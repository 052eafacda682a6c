"""Two collectors on one broker beside one: what an event costs each, and what is lost where one of them is killed.

    python tests/benchmarks/bench_pair.py [--rate 1000] [--seconds 20] [--rounds 3] [--hubs 48] [--for-good] [--away S]

Units of 48 hubs send passages, one a message at QoS 1, to Mosquitto, whose collectors share them and write into one
InfluxDB 1.x. One collector takes half the rate; two take all of it, so that each has as much to do: the one serves the
pages (it watches everything and keeps the rollups), the other has `--no-watch --no-roll-up`. What one costs with the
other's options is told too, since that is what each further one adds. Costs are processor time an event, of the
collectors' processes alone. Then one of two is killed (-9) in the middle and comes back after five seconds, as systemd
would have it, or not at all (`--for-good`: the broker then keeps its share for a minute). With `--away` a lone one is
killed and comes back after so many seconds. What no collector said it stored the units send again, as they do; each
event has to be there once, else the exit code is 1.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "benchmarks")]

from house import CollectorProcess, collector, wait_until  # noqa: E402 - after the path
from servers import Influx, Mosquitto  # noqa: E402 - after the path
from town import EPOCH, Town, cpu_s, write_fleet  # noqa: E402 - after the path

from collector.store import open_store  # noqa: E402 - after the path

AIM = 0.15
PAGES: tuple[str, ...] = ()
FURTHER = ("--no-watch", "--no-roll-up")
WARM_S = 4.0
RESENT_S = 900.0
BACK_S = 5.0


@dataclass(frozen=True)
class Cost:
    """Processor time an event, in microseconds, of each of the collectors by what it took."""

    events: list[int]
    cpu_us: list[float]

    @property
    def each_us(self) -> float:
        return sum(self.cpu_us) / sum(self.events)


class Fleet:
    """So many collectors on a broker and a database of their own, and a town that sends to them."""

    def __init__(self, folder: Path, hubs: int, options: list[tuple[str, ...]]) -> None:
        self._folder, self._hubs, self._options = folder, hubs, options
        self._held = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as held:
            broker = held.enter_context(Mosquitto(self._folder / "mosquitto"))
            influx = held.enter_context(Influx(self._folder / "influx"))
            self.store_url = f"influxdb+{influx.url}/{influx.database}"
            hubs = write_fleet(self._folder / "hubs", self._hubs)
            self.collectors: list[CollectorProcess] = []
            for number, options in enumerate(self._options):
                one = collector(broker.url, self.store_url, self._folder / f"collector-{number}", fleet=hubs)
                one.arguments.extend(options)
                self.collectors.append(held.enter_context(one))
            for one in self.collectors:
                wait_until("a collector", lambda one=one: _well(one))
            self.town = Town(broker, self._hubs)
            held.callback(self.town.close)
            self._held = held.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def settle(self) -> None:
        """Until every event is acknowledged."""

        def settled() -> bool:
            self.town.tend()
            return self.town.waiting == 0

        wait_until("all answers", settled, patience_s=RESENT_S)

    def wrong(self) -> int:
        """Events that are not stored, and those that are there twice."""
        store = open_store(self.store_url)
        found = 0
        for unit, seq in self.town.seqs().items():
            tally = store.tally(unit, EPOCH).get("passage")
            rows, distinct = (tally.rows, tally.distinct) if tally else (0, 0)
            found += (seq - distinct) + (rows - distinct)
        store.close()
        return found


def _well(service: CollectorProcess) -> bool:
    try:
        return bool(service.get("/readyz")["ok"] and service.get("/healthz")["ok"])
    except OSError:
        return False


def taken(service: CollectorProcess) -> int:
    """Events that it stored."""
    with urlopen(f"http://127.0.0.1:{service.port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    found = [line for line in lines if line.startswith("foyer_events_total{") and 'outcome="stored"' in line]
    return round(sum(float(line.rpartition(" ")[2]) for line in found))


def cost(folder: Path, options: argparse.Namespace, kinds: list[tuple[str, ...]], rate: float) -> Cost:
    with Fleet(folder, options.hubs, kinds) as fleet:
        fleet.town.run(rate, WARM_S)
        pids = [one.process.pid for one in fleet.collectors if one.process is not None]
        before = [(taken(one), cpu_s(pid)) for one, pid in zip(fleet.collectors, pids, strict=True)]
        fleet.town.run(rate, options.seconds)
        fleet.settle()
        after = [(taken(one), cpu_s(pid)) for one, pid in zip(fleet.collectors, pids, strict=True)]
        if wrong := fleet.wrong():
            raise SystemExit(f"bench_pair: {wrong} events lost or there twice: the costs mean nothing")
    events = [now[0] - then[0] for now, then in zip(after, before, strict=True)]
    return Cost(events, [(now[1] - then[1]) * 1e6 for now, then in zip(after, before, strict=True)])


def killed(folder: Path, options: argparse.Namespace) -> int:
    """How many events are lost or there twice."""
    with Fleet(folder, options.hubs, [PAGES, FURTHER]) as fleet:
        fleet.town.run(options.rate, options.seconds / 2)
        fleet.collectors[1].kill()
        if not options.for_good:
            fleet.town.run(options.rate, BACK_S)
            fleet.collectors[1].start()
        fleet.town.run(options.rate, options.seconds / 2)
        ended_s = time.monotonic()
        fleet.settle()
        late_s, wrong = time.monotonic() - ended_s, fleet.wrong()
        back = "for good" if options.for_good else f"for {BACK_S:.0f} s"
        print(f"one of two killed {back}: {fleet.town.sent} events, {fleet.town.resent} sent again")
        print(f"{wrong} lost or there twice; all there {late_s:.0f} s after the last was sent")
    return wrong


def away(folder: Path, options: argparse.Namespace) -> int:
    """How many events are lost or there twice, where the only collector was."""
    with Fleet(folder, options.hubs, [PAGES]) as fleet:
        fleet.town.run(options.rate, WARM_S)
        fleet.collectors[0].kill()
        fleet.town.run(options.rate, options.away)
        fleet.collectors[0].start()
        began_s = time.monotonic()
        fleet.town.run(options.rate, WARM_S)
        fleet.settle()
        late_s, wrong = time.monotonic() - began_s, fleet.wrong()
        print(f"a lone one killed for {options.away:.0f} s: {fleet.town.sent} events, {fleet.town.resent} sent again")
        print(f"{wrong} lost or there twice; all there {late_s:.0f} s after it was started again")
    return wrong


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rate", type=float, default=1000.0, help="events a second, of two collectors together")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=3, help="the middle one counts; 0: only the kill")
    parser.add_argument("--hubs", type=int, default=48)
    parser.add_argument("--for-good", action="store_true", help="the one that is killed does not come back")
    parser.add_argument("--away", type=float, default=0.0, help="a lone one is killed for so many seconds, too")
    options = parser.parse_args(arguments)
    runs = {
        "one with the pages": ([PAGES], options.rate / 2),
        "one without": ([FURTHER], options.rate / 2),
        "two, one with the pages": ([PAGES, FURTHER], options.rate),
        "two without": ([FURTHER, FURTHER], options.rate),
    }
    found: dict[str, list[float]] = {name: [] for name in runs}
    with tempfile.TemporaryDirectory(prefix="foyer-pair-") as name:
        for number in range(options.rounds):
            for what, (kinds, rate) in runs.items():
                folder = Path(name) / f"{number}-{len(found[what])}-{what}".replace(" ", "-")
                folder.mkdir()
                spent = cost(folder, options, kinds, rate)
                found[what].append(spent.each_us)
                print(f"round {number + 1}: {what}: {spent.each_us:.0f} us an event; took {spent.events}", flush=True)
        folder = Path(name) / "killed"
        folder.mkdir()
        wrong = killed(folder, options)
        if options.away:
            folder = Path(name) / "away"
            folder.mkdir()
            wrong += away(folder, options)
    us = {what: statistics.median(each) for what, each in found.items() if each}
    for what, one in (("two, one with the pages", "one with the pages"), ("two without", "one without")):
        if what not in us:  # no rounds were asked for
            continue
        more = us[what] / us[one] - 1
        verdict = "met" if more <= AIM else "MISSED"
        print(f"{what}: {us[what]:.0f} us an event, {one}: {us[one]:.0f}: {more:+.0%}, aim {AIM:+.0%}   {verdict}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
