"""What is open in the outbox goes out over the link: each epoch with a delivery of its own."""

from __future__ import annotations

from collections.abc import Callable

from edge.clock import Instant
from edge.delivery import IN_FLIGHT_MAX, Delivery, batches
from edge.outbox import Outbox
from firmware_cfg.times import NS_PER_MS
from firmware_cfg.wire import Ack

REFUSED_RETRY_NS = 200 * NS_PER_MS


class Dispatch:
    """Sends batches by `publish`, which says whether the connection took one."""

    def __init__(self, unit: str, outbox: Outbox, publish: Callable[[bytes], bool]) -> None:
        self._unit = unit
        self._outbox = outbox
        self._publish = publish
        self._deliveries: dict[str, Delivery] = {}
        """By epoch: that of the outbox, and those that outboxes which were set aside have left."""
        self._refused_ns: int | None = None
        self._reads_runs = False
        """What the collector said last, also on an earlier connection: a new one begins with all that waits."""

    def connected(self) -> None:
        """A connection knows nothing of the one before."""
        self._deliveries.clear()
        self._refused_ns = None

    def send(self, now: Instant) -> None:
        """All that is to be sent now."""
        if self._refused_ns is not None and now.mono_ns < self._refused_ns:
            return
        self._refused_ns = None
        self._deliveries = {epoch: self._deliveries.get(epoch) or Delivery() for epoch in self._outbox.epochs}
        for epoch, delivery in self._deliveries.items():
            chosen = delivery.choose(self._outbox.window(epoch, IN_FLIGHT_MAX, now), now.mono_ns)
            if chosen and not self._send(epoch, chosen, now):
                self._refused_ns = now.mono_ns + REFUSED_RETRY_NS
                return

    def answered(self, ack: Ack) -> None:
        """The collector's word about an epoch's events, and about what it can read."""
        self._reads_runs = ack.runs
        if delivery := self._deliveries.get(ack.epoch):
            delivery.settled(ack.done, ack.rejected)

    def due_ns(self) -> int | None:
        """When `send` has something to do although nothing new came; None if never."""
        times = [self._refused_ns, *(delivery.due_ns() for delivery in self._deliveries.values())]
        return min((time_ns for time_ns in times if time_ns is not None), default=None)

    def _send(self, epoch: str, seqs: list[int], now: Instant) -> bool:
        events = ((event.seq, event.text) for event in self._outbox.load(epoch, seqs, now))
        sent_ns = max(0, self._outbox.dating.wall_ns(now))
        # Behind the broker may be several collectors: what none answered may have come to one that reads no runs.
        runs = self._reads_runs and not self._deliveries[epoch].unanswered
        for numbers, payload in batches(self._unit, epoch, events, sent_ns, runs=runs):
            if not self._publish(payload):
                return False
            self._deliveries[epoch].sent(numbers, now.mono_ns)
        return True
