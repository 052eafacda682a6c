"""When which events are sent. Pure: it knows numbers and times, neither disk nor network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from edge.runs import RUN_MIN, content
from firmware_cfg.times import NS_PER_MS, NS_PER_S
from firmware_cfg.wire import BATCH_BYTES_MAX, BATCH_EVENTS_MAX

IN_FLIGHT_MAX = 1000
RESEND_NS = 20 * NS_PER_S
RESEND_NS_MAX = 600 * NS_PER_S
GATHER_NS = 500 * NS_PER_MS


class Delivery:
    """Chooses what to send while a connection lasts.

    An event that is sent is in flight until it is acked. One goes alone and at once when none is in flight, else
    new ones are gathered for half a second. When the oldest has been in flight for 20 s, all that is open goes again,
    then after 40 s and so on up to 10 min.
    """

    def __init__(self) -> None:
        self._in_flight: dict[int, int] = {}
        self._wait_ns = RESEND_NS
        self._gather_from_ns: int | None = None

    @property
    def in_flight(self) -> int:
        return len(self._in_flight)

    @property
    def unanswered(self) -> bool:
        """Whether all that is open was sent again for want of an answer, and none has come since."""
        return self._wait_ns > RESEND_NS

    def connected(self) -> None:
        """A connection knows nothing of the one before: everything open is sent again."""
        self._in_flight.clear()
        self._wait_ns = RESEND_NS
        self._gather_from_ns = None

    def choose(self, window: Sequence[int], now_ns: int) -> list[int]:
        """What to send now. `window` holds the oldest open events, up to `IN_FLIGHT_MAX`; `sent` must follow."""
        if self._in_flight and now_ns >= self._resend_at_ns():
            self._in_flight.clear()
            self._wait_ns = min(2 * self._wait_ns, RESEND_NS_MAX)
        room = IN_FLIGHT_MAX - len(self._in_flight)
        fresh = [seq for seq in window if seq not in self._in_flight][:room]
        if fresh and self._in_flight and len(fresh) < min(BATCH_EVENTS_MAX, room):
            if self._gather_from_ns is None:
                self._gather_from_ns = now_ns
            if now_ns - self._gather_from_ns < GATHER_NS:
                return []
        self._gather_from_ns = None
        return fresh

    def sent(self, seqs: Iterable[int], now_ns: int) -> None:
        self._in_flight.update(dict.fromkeys(seqs, now_ns))

    def settled(self, done: Iterable[tuple[int, int]], rejected: Iterable[tuple[int, str]]) -> None:
        """The collector's word: ranges from first to last, and refused numbers with reasons."""
        before = len(self._in_flight)
        ranges = [*done, *((seq, seq) for seq, _ in rejected)]
        self._in_flight = {
            seq: sent_ns
            for seq, sent_ns in self._in_flight.items()
            if not any(first <= seq <= last for first, last in ranges)
        }
        if len(self._in_flight) < before:
            self._wait_ns = RESEND_NS

    def due_ns(self) -> int | None:
        """When `choose` has something to decide although nothing new came; None if never."""
        times = [self._gather_from_ns + GATHER_NS] if self._gather_from_ns is not None else []
        if self._in_flight:
            times.append(self._resend_at_ns())
        return min(times, default=None)

    def _resend_at_ns(self) -> int:
        return next(iter(self._in_flight.values())) + self._wait_ns


def batches(
    unit: str, epoch: str, events: Iterable[tuple[int, str]], sent_ns: int, *, runs: bool = False
) -> Iterator[tuple[list[int], bytes]]:
    """Messages of at most 200 events and 64 KiB from (seq, JSON) pairs, each with the numbers in it.

    `runs`: passages that are many and alike may go in columns, which are never longer.
    """

    def message() -> bytes:
        in_runs = runs and len(texts) >= RUN_MIN
        return head + (content(texts) if in_runs else b'"events":[' + b",".join(texts) + b"]") + b"}"

    head = f'{{"v":1,"unit":"{unit}","epoch":"{epoch}","sent_ns":{sent_ns},'.encode()
    room = BATCH_BYTES_MAX - len(head) - len(b'"events":[]}')
    seqs: list[int] = []
    texts: list[bytes] = []
    size = 0
    for seq, text in events:
        coded = text.encode()
        if seqs and (len(seqs) == BATCH_EVENTS_MAX or size + len(coded) + 1 > room):
            yield seqs, message()
            seqs, texts, size = [], [], 0
        seqs.append(seq)
        texts.append(coded)
        size += len(coded) + 1
    if seqs:
        yield seqs, message()
