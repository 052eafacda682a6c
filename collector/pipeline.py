"""From messages to stored events and answers.

The subscriber's thread judges messages into the open batch; writers store batches. While one is being stored, the next
one fills: a lone event goes at once, a flood goes in batches of up to `BATCH_EVENTS_MAX`, and then a second writer
prepares a batch while the first waits for the store.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Protocol

from collector.holes import HoleKeeper
from collector.ingest import DeadLetter, Ingest, Verdict
from collector.ledger import Ledger
from collector.letters import letter_of, write_apart
from collector.live import Live
from collector.metrics import Metrics
from collector.ranges import RangeSet, consecutive
from collector.store.base import Parcel, Refused, Store, StoreUnavailable
from collector.subscriber import Delivery
from firmware_cfg.wire import Ack, Address, Fault, Health, Reply, State

BATCH_EVENTS_MAX = 5_000
BATCH_MESSAGES_MAX = 5_000
TOLD_MAX = 400
"""Rejected events named with their reason in one answer; the others are only `done`."""
WRITERS = 2
_BACKOFF_S = (0.1, 5.0)
_STUCK_S = 30.0


class Broker(Protocol):
    """What a `Subscriber` is to the pipeline."""

    def publish(self, topic: str, payload: bytes) -> None: ...

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None: ...

    def wake(self) -> None: ...


@dataclass(slots=True)
class _Answer:
    done: RangeSet = field(default_factory=RangeSet)
    rejected: list[tuple[int, str]] = field(default_factory=list)

    def reject(self, letter: DeadLetter) -> None:
        for seq in letter.seqs:
            self.done.add(seq)
            if len(self.rejected) < TOLD_MAX:
                self.rejected.append((seq, letter.reason))


@dataclass(slots=True)
class Batch:
    """Judged messages on their way into the store, and what will be said about them."""

    deliveries: list[Delivery] = field(default_factory=list)
    parcels: list[Parcel] = field(default_factory=list)
    reports: list[Health] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    replies: list[tuple[str, Reply]] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    answers: dict[tuple[Address, str], _Answer] = field(default_factory=dict)
    declared: list[tuple[str, str, int, int]] = field(default_factory=list)
    events: int = 0
    since_s: float = 0.0
    taken: bool = False
    stored: bool = False

    def add(self, delivery: Delivery, verdict: Verdict) -> None:
        self.deliveries.append(delivery)
        address = verdict.address
        if verdict.parcel is not None and address is not None:
            self.parcels.append(verdict.parcel)
            self.events += verdict.parcel.count
            self._done(self._answer(address, verdict.parcel.epoch).done, verdict.parcel)
        if verdict.report is not None and address is not None:
            self.reports.append(verdict.report)
            self._answer(address, verdict.report.epoch)
        if verdict.state is not None:
            self.states.append(verdict.state)
        if verdict.reply is not None and address is not None:
            self.replies.append((address.unit, verdict.reply))
        for letter in verdict.dead:
            self.dead.append(letter)
            if address is not None and letter.epoch is not None:
                self._answer(address, letter.epoch).reject(letter)

    def _answer(self, address: Address, epoch: str) -> _Answer:
        to = (Address(address.hub, address.unit, "ack"), epoch)
        answer = self.answers.get(to)
        if answer is None:
            answer = self.answers[to] = _Answer()
        return answer

    def _done(self, done: RangeSet, parcel: Parcel) -> None:
        seqs = [event.seq for event in parcel.single]
        if parcel.runs:
            seqs = sorted(chain(seqs, *(run.seq for run in parcel.runs)))
        if consecutive(seqs):
            done.add(seqs[0], seqs[-1])
        else:
            for seq in seqs:
                done.add(seq)
        for fault in [event for event in parcel.single if type(event) is Fault]:
            if fault.first_seq and fault.last_seq and fault.first_seq <= fault.last_seq:
                self.declared.append((parcel.unit, parcel.epoch, fault.first_seq, fault.last_seq))

    def refuse(self, refused: Refused) -> None:
        """The store will never take this event or report."""
        for (address, epoch), answer in self.answers.items():
            if address.unit == refused.unit and epoch == refused.epoch:
                letter = letter_of(refused, address.hub)
                self.dead.append(letter)
                answer.reject(letter)
                return

    def done(self) -> list[tuple[str, str, int, int]]:
        """For the ledger: (unit, epoch, first, last)."""
        told = [
            (address.unit, epoch, first, last)
            for (address, epoch), answer in self.answers.items()
            for first, last in answer.done
        ]
        return told + self.declared


class Pipeline:
    """A Handler: judges, stores, acknowledges, answers.

    Bounded: the broker sends no more than the receive maximum unacknowledged, of which at most `WRITERS` + 1 batches
    are judged. What is held of earlier connections is only what is being stored.
    `say` is told in a sentence when the store cannot take a batch, and "" when it can again; `say_ledger` likewise.
    """

    def __init__(
        self,
        ingest: Ingest,
        store: Store,
        ledger: Ledger,
        live: Live,
        *,
        holes: HoleKeeper | None = None,
        wall_ns: Callable[[], int],
        say: Callable[[str], None],
        say_ledger: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._ingest = ingest
        self._store = store
        self._events_max = min(BATCH_EVENTS_MAX, store.batch_events)
        self._ledger = ledger
        self._live = live
        self._holes = holes
        self._wall_ns = wall_ns
        self._says = {"store": say, "ledger": say_ledger}
        self._raw: deque[Delivery] = deque()
        self._open = Batch()
        self._connection = 0
        self._in_work: deque[Batch] = deque()  # in the order of arrival
        self._condition = threading.Condition()
        self._closing = threading.Event()
        self._subscriber: Broker | None = None
        self._troubles = {"store": "", "ledger": ""}
        self.failure: BaseException | None = None
        self.events_stored = 0
        self.metrics = Metrics()
        self.stale_wills = 0
        self._threads = [
            threading.Thread(target=self._main, name=f"store {number}", daemon=True) for number in range(WRITERS)
        ]

    def attach(self, subscriber: Broker) -> None:
        """`subscriber` is the one whose handler this is."""
        self._subscriber = subscriber

    def start(self, subscriber: Broker) -> None:
        """Attach it and begin to store, in threads of our own."""
        self.attach(subscriber)
        for thread in self._threads:
            thread.start()

    def attempt(self, number: int = 0) -> bool | None:
        """In place of writers of our own: try once to store one of the batches in work, in the caller's thread.

        Whether it was stored; None where there is none.
        """
        waiting = [batch for batch in self._in_work if not batch.stored]
        if not waiting:
            return None
        batch = waiting[number % len(waiting)]
        batch.stored = self._persist(batch, lambda _backoff_s: True)
        return batch.stored

    def close(self) -> None:
        """End after what is in work, if the store takes it now. What is not stored is not acknowledged."""
        self._closing.set()
        with self._condition:
            self._condition.notify_all()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    @property
    def trouble(self) -> str:
        """Why the store does not take a batch, or ""."""
        return self._troubles["store"]

    @property
    def ledger_trouble(self) -> str:
        """Why the ledger does not, or ""."""
        return self._troubles["ledger"]

    @property
    def stuck(self) -> bool:
        """Whether one batch has been in work for half a minute."""
        with self._condition:
            return bool(self._in_work) and time.monotonic() - self._in_work[0].since_s > _STUCK_S

    @property
    def queue(self) -> dict[str, int]:
        """Messages that arrived, that are judged, and that are being stored."""
        with self._condition:
            storing = sum(len(batch.deliveries) for batch in self._in_work)
        return {"arrived": len(self._raw), "judged": len(self._open.deliveries), "storing": storing}

    def arrived(self, delivery: Delivery) -> None:
        if delivery.connection != self._connection:
            self._connection = delivery.connection
            self._forget_waiting()
        self._raw.append(delivery)

    def turn(self) -> None:
        self._settle()
        self._judge()
        self._hand_over()

    def _forget_waiting(self) -> None:
        """What waits since an earlier connection comes again, from broker or unit; it must not pile up."""
        self._raw.clear()
        self._open = Batch()

    def _judge(self) -> None:
        now_ns = self._wall_ns()
        batch = self._open
        while self._raw and batch.events < self._events_max and len(batch.deliveries) < BATCH_MESSAGES_MAX:
            delivery = self._raw.popleft()
            verdict = self._ingest.judge(delivery.topic, delivery.payload, now_ns, retained=delivery.retained)
            self.stale_wills += verdict.stale
            batch.add(delivery, verdict)

    def _hand_over(self) -> None:
        if not self._open.deliveries:
            return
        full = self._open.events >= self._events_max or len(self._open.deliveries) >= BATCH_MESSAGES_MAX
        with self._condition:
            if len(self._in_work) >= (WRITERS if full else 1):
                return
            self._open.since_s = time.monotonic()
            self._in_work.append(self._open)
            self._open = Batch()
            self._condition.notify()

    def _settle(self) -> None:
        """Answer, acknowledge and show what is stored; in the subscriber's thread, as all that touches the broker.

        The unit first: should we die between, the broker delivers again and the unit is told again.
        """
        assert self._subscriber is not None  # noqa: S101 - `start` came first
        while (batch := self._stored()) is not None:
            now_ns = self._wall_ns()
            for (address, epoch), answer in batch.answers.items():
                ack = Ack(epoch=epoch, done=list(answer.done), rejected=answer.rejected, now_ns=now_ns, runs=True)
                self._subscriber.publish(address.topic, ack.model_dump_json().encode())
            self._subscriber.acknowledge(batch.deliveries)
            self._live.stored(batch.parcels, batch.reports, batch.states)
            if self._holes is not None:
                for address, epoch in batch.answers:
                    self._holes.heard(address, epoch)
                for unit, reply in batch.replies:
                    self._holes.replied(unit, reply)
            self.events_stored += batch.events
            self.metrics.stored(batch.parcels)
            self.metrics.dead(batch.dead)

    def _stored(self) -> Batch | None:
        """The next batch in the order of arrival, where it is stored."""
        with self._condition:
            return self._in_work.popleft() if self._in_work and self._in_work[0].stored else None

    def _main(self) -> None:
        try:
            while (batch := self._next()) is not None:
                if not self._persist(batch, self._closing.wait):
                    return
                batch.stored = True
                del batch  # thousands of events, else held here until the next one comes
                if self._subscriber is not None:
                    self._subscriber.wake()
        except BaseException as error:  # a bug of ours must not look like silence
            self.failure = error
            self._says["store"](f"storing failed: {error!r}")
            raise

    def _next(self) -> Batch | None:
        with self._condition:
            while True:
                batch = next((batch for batch in self._in_work if not batch.taken), None)
                if batch is not None:
                    batch.taken = True
                    return batch
                if self._closing.is_set():
                    return None
                self._condition.wait()

    def _persist(self, batch: Batch, give_up: Callable[[float], bool]) -> bool:
        """Store and record the batch, however long it takes; False where `give_up`, asked to wait, says so first."""

        def store() -> None:
            if batch.parcels or batch.reports:
                with self.metrics.store_seconds.time():
                    found = write_apart(self._store, batch.parcels, batch.reports)
                for refused in found:
                    batch.refuse(refused)

        def record() -> None:
            births = [(state.unit, state.session) for state in batch.states if state.state == "online"]
            self._ledger.record(self._wall_ns(), dead=batch.dead, done=batch.done(), births=births)

        return self._insist("store", store, give_up) and self._insist("ledger", record, give_up)

    def _insist(self, part: str, step: Callable[[], None], give_up: Callable[[float], bool]) -> bool:
        backoff_s = _BACKOFF_S[0]
        while True:
            try:
                step()
            except StoreUnavailable as error:
                self._troubles[part] = str(error)
                self._says[part](f"{error}; trying again, nothing is lost meanwhile")
            else:
                self._troubles[part] = ""
                self._says[part]("")
                return True
            if give_up(backoff_s):
                return False
            backoff_s = min(2 * backoff_s, _BACKOFF_S[1])
