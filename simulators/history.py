"""A year of a fleet's past, published as its units would have, through broker and collector like everything else.

`python -m simulators.history` is the demo's child process: it publishes, waits for the collector's answers, and
reports progress as JSON lines on stdout. The same arguments give the same events with the same names, so that a history
that was interrupted is simply published again: what is stored already is stored no second time.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from edge.delivery import batches
from edge.link import Connected, Disconnected, Identity, Received
from edge.publisher import Publisher
from firmware_cfg.endpoint import MqttEndpoint, parse_mqtt_url
from firmware_cfg.schema import Hub, Stay
from firmware_cfg.times import NS_PER_S
from firmware_cfg.wire import VERSION, Ack, Address, Health, OutboxHealth, SensorHealth
from simulators.days import DayEvent, crossings_seen, unit_day
from simulators.fleets import demo_fleet, past_stays
from simulators.hubs import DAY, Visit, opening, visits, visits_a_year

DAYS = 365
SECOND_COUNTS_DAYS = 28
IN_FLIGHT_MAX = 4_000
RESEND_S = 20.0
_REPORT_EVERY_S = 0.5
_TELL_EVERY_S = 5.0
_LAST_ANSWERS_S = 10.0
"""How long to wait for what is in flight once the demo is ending; the broker may be gone."""
_VERSION = "history"


@dataclass(frozen=True, slots=True)
class Past:
    """What there is to publish: the year before `until_ns`, and that day as far as it has gone."""

    until_ns: int
    seed: int
    hubs: int


def epoch_of(unit: str, past: Past) -> str:
    """The same for the same history."""
    return hashlib.sha256(f"{past.seed}/{unit}/{past.until_ns}".encode()).hexdigest()[:16]


def days_of(hub: Hub, past: Past) -> Iterator[tuple[date, list[Visit]]]:
    """365 whole local days with exactly `visits_a_year(hub)` visits, and then the day of `until_ns` itself."""
    today = datetime.fromtimestamp(past.until_ns / NS_PER_S, UTC).astimezone(hub.zone).date()
    first = today - DAYS * DAY
    total = visits_a_year(hub)
    known = dict(visits(hub, first, DAYS, total, past.seed))
    if opening(hub, today):
        known |= dict(visits(hub, today, 1, total // len(known), past.seed))
    for index in range(DAYS + 1):
        day = first + index * DAY
        yield day, known.get(day, [])


def unit_events(hub: Hub, stay: Stay, past: Past, year: list[tuple[date, list[Visit]]]) -> Iterator[DayEvent]:
    """All of one unit's events before `until_ns`, in the order of time."""
    for index, (day, day_visits) in enumerate(year):
        for event in unit_day(hub, stay, day, day_visits, past.seed, second_counts=_second_counts(index)):
            if event.t_ns < past.until_ns:
                yield event


def _second_counts(index: int) -> bool:
    """Whether the reference sensors were there on that day of the past: they came in its last four weeks."""
    return index > DAYS - SECOND_COUNTS_DAYS


@dataclass(slots=True)
class _Sender:
    """One unit of the past: at most `IN_FLIGHT_MAX` events are open; after 20 s without an answer they go again."""

    hub: Hub
    stay: Stay
    past: Past
    link: Publisher
    events: Iterator[DayEvent]
    expected: int
    """About how many there are."""
    total: int = 0
    acked: int = 0
    rejected: int = 0
    connected: bool = False
    ended: bool = False
    told: bool = False
    sent_s: float = 0.0
    open_: dict[int, str] = field(default_factory=dict)

    def step(self, *, stopping: bool) -> None:
        for happening in self.link.poll():
            match happening:
                case Connected():
                    self.connected = True
                    self._publish(list(self.open_.items()))
                case Disconnected():
                    self.connected = False
                case Received("ack", payload):
                    self._answered(Ack.model_validate_json(payload))
        if not self.connected:
            return
        if self.open_ and time.monotonic() - self.sent_s > RESEND_S:
            self._publish(list(self.open_.items()))
        elif len(self.open_) <= IN_FLIGHT_MAX // 2 and not self.ended and not stopping:
            self._publish(list(self._more(IN_FLIGHT_MAX - len(self.open_))))
        elif self.ended and not self.open_ and not self.told:
            self._tell_health()

    @property
    def done(self) -> bool:
        return self.ended and not self.open_ and self.told

    def _more(self, count: int) -> Iterator[tuple[int, str]]:
        for _ in range(count):
            event = next(self.events, None)
            if event is None:
                self.ended = True
                return
            self.total += 1
            text = f'{{"seq":{self.total},"t_ns":{event.t_ns},"clock":"synced",{event.body[1:]}'
            self.open_[self.total] = text
            yield self.total, text

    def _publish(self, events: list[tuple[int, str]]) -> None:
        self.sent_s = time.monotonic()
        topic = Address(self.hub.id, self.stay.id, "events").topic
        for _, payload in batches(self.stay.id, epoch_of(self.stay.id, self.past), events, self.past.until_ns):
            self.link.publish(topic, payload)

    def _answered(self, ack: Ack) -> None:
        if ack.epoch != epoch_of(self.stay.id, self.past):
            return
        before = len(self.open_)
        for first, last in ack.done:
            for seq in range(first, last + 1):
                self.open_.pop(seq, None)
        self.acked += before - len(self.open_)
        self.rejected += len(ack.rejected)

    def _tell_health(self) -> None:
        """The last word of a unit that worked all year."""
        since_ns = self.past.until_ns - (DAYS + 1) * 24 * 3600 * NS_PER_S
        health = Health(
            v=VERSION,
            unit=self.stay.id,
            hub=self.hub.id,
            session=_VERSION,
            epoch=epoch_of(self.stay.id, self.past),
            t_ns=self.past.until_ns - 1,
            clock="synced",
            uptime_s=(self.past.until_ns - since_ns) / NS_PER_S,
            version=_VERSION,
            sensors={sensor.name: SensorHealth(ok_since_ns=since_ns) for sensor in self.stay.sensors},
            outbox=OutboxHealth(depth=0),
        )
        topic = Address(self.hub.id, self.stay.id, "health").topic
        self.told = self.link.publish(topic, health.model_dump_json(by_alias=True).encode())


def publish(past: Past, endpoint: MqttEndpoint, stopping: threading.Event) -> None:
    """Publish everything; returns when all is answered, or what was sent is after `stopping` is set."""
    woken = threading.Event()
    senders = []
    for hub in demo_fleet(past.hubs, past.until_ns).hubs.values():
        year = list(days_of(hub, past))
        for stay in past_stays(hub):
            link = Publisher(endpoint, woken.set)
            link.open(Identity(hub.id, stay.id, _VERSION))
            crossings = sum(
                crossings_seen(hub, stay, day, second_counts=_second_counts(index))
                for index, (_, day) in enumerate(year)
            )
            senders.append(_Sender(hub, stay, past, link, unit_events(hub, stay, past, year), crossings))
    reported_s = 0.0
    stop_s: float | None = None
    while not all(sender.done or (stopping.is_set() and not sender.open_) for sender in senders):
        woken.clear()
        if stopping.is_set() and stop_s is None:
            stop_s = time.monotonic() + _LAST_ANSWERS_S
        if stop_s is not None and time.monotonic() > stop_s:
            break
        for sender in senders:
            sender.step(stopping=stopping.is_set())
        if time.monotonic() - reported_s > _REPORT_EVERY_S:
            reported_s = time.monotonic()
            _report(_progress(senders))
        woken.wait(0.2)
    for sender in senders:
        sender.link.close()
    units = [[sender.stay.id, epoch_of(sender.stay.id, past), sender.total] for sender in senders]
    _report(_progress(senders) | {"units": units})


def _progress(senders: list[_Sender]) -> dict[str, object]:
    """How much is stored; the whole share only when all is, since how many there will be is a guess."""
    acked = sum(sender.acked for sender in senders)
    share = min(0.99, acked / sum(sender.expected for sender in senders))
    return {"share": 1.0 if all(sender.done for sender in senders) else share, "events": acked}


def _report(progress: dict[str, object]) -> None:
    print(json.dumps(progress), flush=True)


class PastProcess:
    """The past in a process of its own, so that units and pages keep their share of the machine."""

    def __init__(self, past: Past, endpoint: MqttEndpoint, say: Callable[[str], None]) -> None:
        self._past = past
        self._endpoint = endpoint
        self._say = say
        self.complete = False

    def run(self, ending: threading.Event) -> list[tuple[str, str, int, int]]:
        """Publish it, telling progress, until it is all stored or `ending` is set.

        Returns what was published: unit, epoch, first and last number.
        """
        past = self._past
        options = {"mqtt": str(self._endpoint), "until-ns": past.until_ns, "seed": past.seed, "hubs": past.hubs}
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "simulators.history", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the demo to pass on
        )
        with process:
            assert process.stdin is not None  # noqa: S101 - as asked for
            assert process.stdout is not None  # noqa: S101 - as asked for
            threading.Thread(target=_stop_when, args=(ending, process), daemon=True).start()
            progress: dict[str, Any] = {}
            told_s = began_s = time.monotonic()
            for line in process.stdout:
                progress = json.loads(line)
                if time.monotonic() - told_s > _TELL_EVERY_S:
                    told_s = time.monotonic()
                    self._say(f"a year of history: {progress['share']:4.0%}, {progress['events']:,} events stored")
        self.complete = progress.get("share") == 1.0
        if self.complete:
            took_s = time.monotonic() - began_s
            self._say(f"a year of history is there: {progress['events']:,} events in {took_s:.0f} s")
        return [(unit, epoch, 1, last) for unit, epoch, last in progress.get("units", [])]


def _stop_when(ending: threading.Event, process: subprocess.Popen[str]) -> None:
    while process.poll() is None:
        if ending.wait(0.2) and process.stdin is not None and not process.stdin.closed:
            process.stdin.close()
            return


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mqtt", required=True, type=parse_mqtt_url)
    parser.add_argument("--until-ns", required=True, type=int)
    parser.add_argument("--seed", required=True, type=int)
    parser.add_argument("--hubs", required=True, type=int)
    options = parser.parse_args()
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="foyer: %(message)s")
    stopping = threading.Event()

    def wait_for_parent() -> None:
        sys.stdin.read()  # a line, or the end of the demo, ends the history
        stopping.set()

    threading.Thread(target=wait_for_parent, daemon=True).start()
    publish(Past(options.until_ns, options.seed, options.hubs), options.mqtt, stopping)


if __name__ == "__main__":
    main()
