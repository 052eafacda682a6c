"""The collector beside what people use instead, on the same broker and database, in one run.

    make compare                      # or: python tests/benchmarks/compare.py [--rounds 3] [--messages 40000]
    make compare ARGS="--kill"        # and what is lost where a part is killed in the middle

Messages wait in Mosquitto at QoS 1 for a contestant that was there before and was killed; it is started again, and the
clock runs from its connection until InfluxDB 1.x has counted every event. Each contestant is a process as people run
it: our collector with its pages and rollups; Node-RED from npm with a flow that writes in batches; a script that writes
each message by influxdb-client before the next; one that leaves batching to influxdb-client. The bound is a paho
subscriber that does nothing. All may have 1,000 messages on their way. Rounds alternate; the middle one counts.

Exits with 1 where our collector lost something, 2 where something needed is not installed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "benchmarks")]

from bench_collector import messages, publish  # noqa: E402 - after the path
from contestants import (  # noqa: E402 - after the path
    Contestant,
    MissingError,
    Place,
    install_node_red,
    node_red,
    ours,
    usual,
)
from servers import Influx, InfluxV2Front, Mosquitto  # noqa: E402 - after the path
from town import cpu_s  # noqa: E402 - after the path

OURS, RED, DRAIN = "this collector", "Node-RED, batched", "paho, doing nothing"
NAIVE, BATCHING = "script, a write a message", "script, influxdb-client's batches"
SLOW = {NAIVE: 0.1}
"""The share of the messages that it is given, so that a round does not take minutes."""
TARGETS = ((DRAIN, 0.5, "target"), (RED, 1.2, "target"), (RED, 3.0, "moonshot"))
MESSAGES_MAX = 60_000
PATIENCE_S = 240.0
QUIET_S = 6.0
LOOK_S = 0.02

_T = TypeVar("_T")


class Broker(Mosquitto):
    """Mosquitto that lets everybody have as many messages on their way, and says who subscribes."""

    def settings(self) -> list[str]:
        told = [f"log_type {kind}" for kind in ("error", "warning", "notice", "subscribe")]
        return [*super().settings(), "max_inflight_messages 1000", *told]

    def said(self, words: str) -> int:
        return self.log.read_text(encoding="utf-8", errors="replace").count(words)


@dataclass(frozen=True)
class Speed:
    """`cpu_us` is processor time, in microseconds an event, without broker and database.

    Others who use the machine hardly change it, unlike events a second.
    """

    events_s: float
    cpu_us: float


@dataclass(frozen=True)
class Lost:
    """Of so many events, when one part was killed, or that and InfluxDB."""

    events: int
    lost: int

    @property
    def share(self) -> str:
        return f"{self.lost / self.events:.1%}" if self.lost else "0"


def until(what: str, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"compare: {what}: not within {PATIENCE_S:.0f} s")
        time.sleep(LOOK_S)


def written(influx: Influx) -> int:
    """Points that it took since it began, whatever they are: asked in a tenth of the time of a count."""
    with urlopen(f"{influx.url}/debug/vars", timeout=10) as answer:  # noqa: S310 - our own http URL
        found = json.load(answer)
    return max(int(part["values"]["pointsWrittenOK"]) for name, part in found.items() if name.startswith("httpd"))


def stored(influx: Influx, database: str) -> int:
    rows = influx.query("SELECT COUNT(seq) FROM passage", database=database)
    return int(rows[0]["count"]) if rows else 0


class Race:
    """One contestant, whose messages wait for it; `start` lets it go."""

    def __init__(self, place: Place, broker: Broker, contestant: Contestant, name: str) -> None:
        self._place, self._broker, self.name = place, broker, name
        self._process = contestant(place)

    def prepare(self, count: int, per_message: int) -> None:
        """Have it subscribe, kill it, and fill its queue."""
        self._process.start()
        until(f"{self.name}: a subscription", lambda: self._broker.said("/+/events") > 0)
        time.sleep(0.5)  # it has told the broker, which has told its disk
        self._process.kill()
        publish(self._broker, messages(count, per_message))

    def start(self) -> float:
        """When it connected."""
        before = self._broker.said("New client connected")
        self._process.start()
        until(f"{self.name}: a connection", lambda: self._broker.said("New client connected") > before)
        return time.perf_counter()

    def kill(self) -> None:
        self._process.kill()

    def cpu_s(self) -> float:
        assert self._process.process is not None
        return cpu_s(self._process.process.pid)

    def done(self, count: int) -> bool:
        if self.name == DRAIN:
            return self._process.done  # type: ignore[union-attr]  # a script
        influx = self._place.influx
        return written(influx) >= count and stored(influx, self._place.database) >= count


def speed(race: Race, count: int, per_message: int) -> Speed:
    race.prepare(count, per_message)
    start = race.start()
    before_s = race.cpu_s()
    until(f"{race.name}: {count} events", lambda: race.done(count))
    spent_s, seconds = race.cpu_s() - before_s, time.perf_counter() - start
    race.kill()
    return Speed(count / seconds, spent_s / count * 1e6)


def killed(race: Race, place: Place, count: int, *, influx_too: bool) -> Lost:
    """SIGKILL once a third is stored; back at once; lost is what never comes although nothing else happens."""
    race.prepare(count, 1)
    race.start()
    until(f"{race.name}: a third of {count} events", lambda: race.done(count // 3))
    if influx_too:
        place.influx.kill()
        time.sleep(1.0)
    race.kill()
    place.influx.start()
    race.start()
    seen, since = -1, time.monotonic()
    while time.monotonic() - since < QUIET_S:
        now = stored(place.influx, place.database)
        if now != seen:
            seen, since = now, time.monotonic()
        time.sleep(0.2)
    race.kill()
    return Lost(count, count - seen)


class Course:
    """The servers, fresh for each run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runs = 0

    def run(self, name: str, contestant: Contestant, what: Callable[[Race, Place], _T]) -> _T:
        self._runs += 1
        folder = self._folder / str(self._runs)
        folder.mkdir()
        with (
            Broker(folder / "mosquitto") as broker,
            Influx(folder / "influx") as influx,
            InfluxV2Front(folder / "front", influx) as front,
        ):
            place = Place(folder, broker, influx, front, influx.database)
            race = Race(place, broker, contestant, name)
            try:
                return what(race, place)
            finally:
                race.kill()


def contestants(installed: Path | None, count: int) -> dict[str, Contestant]:
    found = {DRAIN: usual("drain", "--count", str(count)), OURS: ours}
    if installed is not None:
        found[RED] = node_red(installed)
    return {**found, BATCHING: usual("batching"), NAIVE: usual("naive")}


def speeds(course: Course, installed: Path | None, events: int, per_message: int, rounds: int) -> dict[str, Speed]:
    """The middle one of the rounds."""
    found: dict[str, list[Speed]] = defaultdict(list)
    for number in range(rounds):
        for name, contestant in contestants(installed, events // per_message).items():
            count = int(events * SLOW.get(name, 1))
            found[name].append(course.run(name, contestant, lambda race, _, n=count: speed(race, n, per_message)))
            progress = f"compare: round {number + 1}/{rounds}, {per_message} a message: {name}"
            last = found[name][-1]
            print(f"{progress}: {last.events_s:,.0f} events/s, {last.cpu_us:.1f} us", file=sys.stderr, flush=True)
    return {
        name: Speed(statistics.median(one.events_s for one in each), statistics.median(one.cpu_us for one in each))
        for name, each in found.items()
    }


def losses(course: Course, installed: Path | None, events: int, *, influx_too: bool) -> dict[str, Lost]:
    found = {}
    for name, contestant in contestants(installed, events).items():
        if name == DRAIN:
            continue
        count = int(events * SLOW.get(name, 1))
        found[name] = course.run(
            name, contestant, lambda race, place, n=count: killed(race, place, n, influx_too=influx_too)
        )
        struck = "it and InfluxDB killed" if influx_too else "killed"
        print(f"compare: {name}, {struck}: lost {found[name].lost:,} of {count:,}", file=sys.stderr, flush=True)
    return found


def table(by_size: dict[int, dict[str, Speed]], lost: dict[str, dict[str, Lost]]) -> str:
    """In Markdown: a line a contestant; what was not measured is not there."""
    names = list(by_size[1])
    others = {by: short for by, short in ((DRAIN, "paho"), (RED, "Node-RED")) if by in names}
    head = [""]
    for size in by_size:
        head += [f"events/s, {size} a message", *(f"x {short}" for short in others.values()), "CPU, us an event"]
    lines = [head + [f"lost, {struck}" for struck in lost]]
    for name in names:
        cells = [name]
        for of in by_size.values():
            ratios = [f"{of[name].events_s / of[by].events_s:.2f}" for by in others]
            cells += [f"{of[name].events_s:,.0f}", *ratios, f"{of[name].cpu_us:.1f}"]
        cells += [each[name].share if name in each else "" for each in lost.values()]
        lines.append(cells)
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def verdicts(of: dict[str, Speed]) -> list[str]:
    """A sentence for each target that could be measured."""
    found = []
    for by, factor, kind in TARGETS:
        if by in of:
            ratio, cpu = of[OURS].events_s / of[by].events_s, of[by].cpu_us / of[OURS].cpu_us
            verdict = "reached" if ratio >= factor else "missed"
            found.append(f"{kind} {factor} x {by}: {ratio:.2f}, {verdict}; by processor time {cpu:.2f}")
    return found


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make compare ARGS=", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--messages", type=int, default=40_000, help="events, one a message (default 40,000)")
    parser.add_argument("--hundreds", type=int, default=200_000, help="events in messages of 100; 0: leave that out")
    parser.add_argument("--rounds", type=int, default=3, help="the middle one counts (default 3)")
    parser.add_argument("--kill", action="store_true", help="also what is lost where it, or InfluxDB too, is killed")
    parser.add_argument("--without-node-red", action="store_true", help="where there is no npm")
    parser.add_argument("--node-red", type=Path, default=ROOT / ".make" / "node-red", help="where npm puts Node-RED")
    given = parser.parse_args(arguments)
    if not 0 < given.messages <= MESSAGES_MAX:
        parser.error(f"--messages: from 1 to {MESSAGES_MAX}, which the publisher has numbers for")
    return given


def main(arguments: list[str]) -> int:
    given = parse(arguments)
    try:
        installed = None if given.without_node_red else install_node_red(given.node_red.resolve())
    except MissingError as error:
        print(f"compare: {error}; --without-node-red leaves it out", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="foyer-compare-") as name:
        course = Course(Path(name))
        by_size = {1: speeds(course, installed, given.messages, 1, given.rounds)}
        if given.hundreds:
            by_size[100] = speeds(course, installed, given.hundreds, 100, given.rounds)
        lost: dict[str, dict[str, Lost]] = {}
        if given.kill:
            for struck, influx_too in (("killed", False), ("it and InfluxDB killed", True)):
                lost[struck] = losses(course, installed, given.messages, influx_too=influx_too)
    print(table(by_size, lost))
    print("\n".join(["", *verdicts(by_size[1])]))
    return 1 if any(each[OURS].lost for each in lost.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
