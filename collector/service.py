"""The collector put together: broker, pipeline, store, ledger, live view."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from collector.alerts.alerting import Alerting
from collector.alerts.receivers import Receivers
from collector.amender import Amender
from collector.holes import HoleKeeper
from collector.ingest import DeadLetter, Ingest
from collector.ledger import Ledger
from collector.live import Live
from collector.metrics import Metrics, Now
from collector.pipeline import Pipeline
from collector.restoring import recheck_if_changed
from collector.roller import Roller
from collector.store import open_store
from collector.store.base import Store, StoreUnavailable
from collector.subscriber import FURTHER_EXPIRY_S, SESSION_EXPIRY_S, Delivery, Subscriber
from firmware_cfg.endpoint import MqttEndpoint
from firmware_cfg.load import Fleet
from firmware_cfg.lock import locked
from firmware_cfg.wire import parse_topic

EVENTS, HEALTH, STATE = "foyer/v1/+/+/events", "foyer/v1/+/+/health", "foyer/v1/+/+/state"
REPLY = "foyer/v1/+/+/reply"
SHARED_EVENTS = f"$share/collectors/{EVENTS}"
SHARED_HEALTH = f"$share/collectors-health/{HEALTH}"
"""A group of its own: rumqttd, the embedded broker, keeps one place in the log per group name, and with two filters in
one group it skips the first message after the other filter had one."""
WATCHED = "foyer/#"
"""Everything: also what comes on topics that are nobody's, such as a misspelt one."""
WATCHED_MAX = 10_000
STRAYS_MAX = 1_000
SHOWN_EVENTS_MAX = 500
_PING_EVERY_S = 2.0
_LEARN_EVERY_S = 3600.0

log = logging.getLogger("foyer.collector")


@dataclass(frozen=True, slots=True)
class Condition:
    """Whether the collector does its work, and where not, why: part -> sentence.

    `dead_letters`: how many there have ever been, by code; that there are some is no failure of the collector.
    """

    ok: bool
    reasons: dict[str, str]
    dead_letters: dict[str, int]


class _Voice:
    """Says a sentence about a part when it is a new one, and once when all is well again."""

    def __init__(self, part: str) -> None:
        self.sentence = ""
        self._part = part

    def say(self, sentence: str) -> None:
        if sentence == self.sentence:
            return
        self.sentence = sentence
        if sentence:
            log.warning("%s", sentence, extra={"part": self._part})
        else:
            log.warning("%s is there again", self._part, extra={"part": self._part})


class Collector:
    """Takes what units publish into a store and knows what is going on.

    Raises FoyerError where store or state folder cannot be used, or another collector has that folder; an unreachable
    broker or server is waited for.
    `watch`: also follow what other collectors of the same broker take, for the live view; one that does not is taken to
    be one of several. `receivers`: who gets alerts.
    `roll_up`: also keep the store's rollups, for all collectors that write into it.
    """

    def __init__(  # noqa: PLR0913 - a collector has the options that it has
        self,
        fleet: Fleet,
        endpoint: MqttEndpoint,
        store_url: str,
        state_dir: Path,
        *,
        wall_ns: Callable[[], int] = time.time_ns,
        client_id: str | None = None,
        watch: bool = True,
        roll_up: bool = True,
        receivers: Receivers | None = None,
    ) -> None:
        self.fleet = fleet
        self.wall_ns = wall_ns
        self._held = ExitStack()
        self._held.enter_context(locked(state_dir))
        self.store: Store = open_store(store_url)
        self.ledger = Ledger(state_dir)
        self.live = Live(fleet, wall_ns)
        name = client_id or self.ledger.client_id
        self._voices = {part: _Voice(part) for part in ("broker", "store", "ledger", "rollups")}
        ingest = Ingest(fleet, self.ledger.births())
        self.holes = HoleKeeper(
            self.ledger,
            self.store,
            wall_ns,
            send=self._send,
            show=self.live.missing,
            first=lambda: recheck_if_changed(self.ledger, self.store),
        )
        self._pipeline = Pipeline(
            ingest,
            self.store,
            self.ledger,
            self.live,
            holes=self.holes,
            wall_ns=wall_ns,
            say=self._voices["store"].say,
            say_ledger=self._voices["ledger"].say,
        )
        filters = [(SHARED_EVENTS, 1), (SHARED_HEALTH, 1), (STATE, 1), (REPLY, 1)]
        self._subscriber = Subscriber(
            endpoint,
            name,
            filters,
            self._pipeline,
            durable=True,
            say=self._voices["broker"].say,
            expiry_s=SESSION_EXPIRY_S if watch else FURTHER_EXPIRY_S,
        )
        self._watch: Subscriber | None = None
        self._roller = Roller(self.store, fleet, self._voices["rollups"].say) if roll_up else None
        self._seeder = _Seeder(self.live, self.store, self._voices["store"].say)
        if watch:
            watcher = _Watcher(Ingest(fleet), self.live, self.ledger, wall_ns, self._seeder.again)
            quiet = logging.getLogger("foyer.collector.watch").debug  # the main connection speaks for both
            self._watch = Subscriber(endpoint, f"{name}-live", [(WATCHED, 0)], watcher, durable=False, say=quiet)
            watcher.subscriber = self._watch
        self._store_ping = _Ping(self.store.ping)
        self._ledger_ping = _Ping(lambda: self.ledger.ping(wall_ns()))
        self._dead_counts: dict[str, int] = {}
        self.alerting = Alerting(
            fleet, self.live, state_dir, receivers or {}, wall_ns=wall_ns, seeded=self._seeder.done.is_set
        )
        self.metrics.now = self._now
        self._amender = Amender(fleet, self.ledger, self.store, self.live, wall_ns)
        self._closed = False

    def start(self) -> None:
        self.live.start()
        self._pipeline.start(self._subscriber)
        self._subscriber.start()
        if self._watch is not None:
            self._watch.start()
        self._seeder.start()
        if self._roller is not None:
            self._roller.start()
        self.holes.start()
        self._amender.start()
        self.alerting.start()

    def close(self) -> None:
        """Finish the batch in work where the store takes it, acknowledge it, and end. What is left comes again."""
        if self._closed:
            return
        self._closed = True
        self.alerting.close()
        self.live.close()
        self._seeder.close()
        if self._roller is not None:
            self._roller.close()
        self.holes.close()
        self._amender.close()
        if self._watch is not None:
            self._watch.close()
        self._pipeline.close()
        self._subscriber.close()
        self.store.close()
        self.ledger.close()
        self._held.close()

    def _send(self, topic: str, payload: bytes) -> None:
        self._subscriber.publish_soon(topic, payload)

    @property
    def events_stored(self) -> int:
        """Events that this process handed to the store, resends among them."""
        return self._pipeline.events_stored

    @property
    def metrics(self) -> Metrics:
        return self._pipeline.metrics

    def _now(self) -> Now:
        dead_letters: dict[str, int] = {}
        alarms = None
        with suppress(StoreUnavailable):
            dead_letters = self.ledger.dead_counts()
            alarms = self.alerting.counts()
        return Now(
            connected={
                "broker": self._subscriber.connected,
                "store": not (self._pipeline.trouble or self._store_ping()),
            },
            queue=self._pipeline.queue,
            dead_letters=dead_letters,
            hubs=[self.live.snapshot(hub) for hub in sorted(self.fleet.hubs)],
            alarms=alarms,
        )

    def condition(self) -> Condition:
        """Whether all of it works. Asks broker, store and ledger now; the last two at most every two seconds."""
        reasons = {}
        if not self._subscriber.connected:
            reasons["broker"] = self._voices["broker"].sentence or "not yet connected to the broker"
        reasons |= self._stores()
        parts = (self._pipeline, self._subscriber, self.holes, self._amender, self._roller)
        failure = next((part.failure for part in parts if part is not None and part.failure is not None), None)
        if failure is not None:
            reasons["pipeline"] = f"stopped by {failure!r}; restart the collector and report this"
        elif self._pipeline.stuck and not {"store", "ledger"} & reasons.keys():
            reasons["pipeline"] = "one batch has been in work for more than 30 s"
        return Condition(not reasons, reasons, self._count_dead(reasons))

    def readiness(self) -> Condition:
        """Whether questions can be answered now: of what is stored, whether or not the broker is there."""
        reasons = self._stores()
        if not self._seeder.done.is_set():
            reasons["live"] = "the live view is still being filled from the store"
        return Condition(not reasons, reasons, self._count_dead(reasons))

    def _stores(self) -> dict[str, str]:
        troubles = {
            "store": self._pipeline.trouble or self._store_ping(),
            "ledger": self._pipeline.ledger_trouble or self._ledger_ping(),
        }
        return {part: trouble for part, trouble in troubles.items() if trouble}

    def _count_dead(self, reasons: dict[str, str]) -> dict[str, int]:
        """As they were last, while the ledger is in trouble: to ask it would only take long."""
        if "ledger" not in reasons:
            try:
                self._dead_counts = self.ledger.dead_counts()
            except StoreUnavailable as error:
                reasons["ledger"] = str(error)
        return self._dead_counts


class _Ping:
    """Asks whether something works, at most every `_PING_EVERY_S`; "" where it does, else why not."""

    def __init__(self, ask: Callable[[], None]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._asked_s = -_PING_EVERY_S
        self._trouble = ""

    def __call__(self) -> str:
        with self._lock:
            if time.monotonic() - self._asked_s >= _PING_EVERY_S:
                self._trouble = ""
                try:
                    self._ask()
                except StoreUnavailable as error:
                    self._trouble = str(error)
                self._asked_s = time.monotonic()
            return self._trouble


class _Watcher:
    """A Handler that only looks: what any collector takes, this one shows.

    What comes on a topic that is nobody's, and that therefore nobody takes, it keeps as a dead letter: the newest
    `STRAYS_MAX` while the ledger cannot be written.
    """

    def __init__(
        self,
        ingest: Ingest,
        live: Live,
        ledger: Ledger,
        wall_ns: Callable[[], int],
        reconnected: Callable[[], None],
    ) -> None:
        self.subscriber: Subscriber | None = None
        self._ingest = ingest
        self._live = live
        self._ledger = ledger
        self._wall_ns = wall_ns
        self._reconnected = reconnected
        self._arrived: deque[Delivery] = deque(maxlen=WATCHED_MAX)
        self._strays: deque[DeadLetter] = deque(maxlen=STRAYS_MAX)
        self._connection = 0

    def arrived(self, delivery: Delivery) -> None:
        address = parse_topic(delivery.topic)
        if address is None or (address.channel in ("events", "health") and not delivery.retained):
            self._arrived.append(delivery)

    def turn(self) -> None:
        if self.subscriber is not None and self.subscriber.connected:
            if self._connection != self.subscriber.connection:
                self._reconnected()
            self._connection = self.subscriber.connection
        while self._arrived:
            self._show_some()
        self._keep_strays()

    def _show_some(self) -> None:
        """Few enough at a time, since events take about ten times the memory of their messages."""
        parcels, reports, events = [], [], 0
        while self._arrived and events < SHOWN_EVENTS_MAX:
            delivery = self._arrived.popleft()
            verdict = self._ingest.judge(delivery.topic, delivery.payload, self._wall_ns())
            if verdict.parcel is not None:
                parcels.append(verdict.parcel)
                events += verdict.parcel.count
            if verdict.report is not None:
                reports.append(verdict.report)
            if parse_topic(delivery.topic) is None:
                self._strays.extend(verdict.dead)
        if parcels or reports:
            self._live.stored(parcels, reports)

    def _keep_strays(self) -> None:
        if not self._strays:
            return
        with suppress(StoreUnavailable):  # the pipeline tells of it; the next turn tries again
            self._ledger.record(self._wall_ns(), dead=list(self._strays))
            self._strays.clear()


class _Seeder:
    """Fills the live view from the store, at the start and after a gap in watching; hourly it learns from the past."""

    def __init__(self, live: Live, store: Store, say: Callable[[str], None]) -> None:
        self._live = live
        self._store = store
        self._say = say
        self._wanted = threading.Event()
        self._wanted.set()
        self.done = threading.Event()
        """Set once the live view has what the store knows."""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="seed", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def again(self) -> None:
        self._wanted.set()

    def close(self) -> None:
        self._closing.set()
        self._wanted.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._closing.is_set():
            seed = self._wanted.wait(_LEARN_EVERY_S)
            self._wanted.clear()
            if self._closing.is_set():
                return
            try:
                if seed:
                    self._live.seed(self._store)
                    self.done.set()
                self._live.learn(self._store)
            except StoreUnavailable as error:
                self._say(f"{error}; trying again, nothing is lost meanwhile")
                self._wanted.set()
                self._closing.wait(1.0)
            else:
                self._say("")
