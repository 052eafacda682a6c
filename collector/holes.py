"""Holes in what units sent: found, compared with the store, asked for again, or known to be lost.

A hole is a sequence number below the highest of its outbox that is neither stored, nor a dead letter, nor declared as
dropped. Most fill by themselves (a batch on its way, or one that another collector took), so that only what has been
missing for a while, and is not in the store either, is asked for; never more than a unit can send in peace.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from collector.ledger import Ledger
from collector.ranges import RangeSet
from collector.store.base import Store, StoreUnavailable
from collector.turns import Turns
from firmware_cfg.times import NS_PER_S
from firmware_cfg.wire import Address, Command, Reply, Resend, Resent

WAIT_NS = (60 * NS_PER_S, 24 * 3600 * NS_PER_S)
"""How long a hole may fill by itself, and the pause after an ask that brought nothing, at first and at last."""
ASKED_RANGES_MAX = 100
ASKED_EVENTS_MAX = 10_000
HEARD_NS = 180 * NS_PER_S
"""Only a unit that was heard within so long is asked."""
EXPIRES_NS = 600 * NS_PER_S
OUTBOXES_MAX = 10_000
TALLIES_MAX = 60
"""Questions to the store for one outbox at one time; what they do not settle waits for the next."""
LOOK_EVERY_S = 5.0
_REPLIES_MAX = 1_000

Outbox = tuple[str, str]
Range = tuple[int, int]

log = logging.getLogger("foyer.collector")


@dataclass(slots=True)
class _Open:
    """An outbox with holes. Those below `highest` have been there since it was looked at last."""

    highest: int
    next_ns: int
    wait_ns: int = WAIT_NS[0]
    asked: list[Range] = field(default_factory=list)
    id: str = ""
    asked_ns: int | None = None
    answer: str = ""


class Asks:
    """When to ask for which ranges. Pure: time is an argument. At most `OUTBOXES_MAX` outboxes at a time."""

    def __init__(self) -> None:
        self._open: dict[Outbox, _Open] = {}

    @property
    def outboxes(self) -> set[Outbox]:
        """Those with holes."""
        return set(self._open)

    def due(self, outbox: Outbox, done: RangeSet, now_ns: int, *, may_ask: bool) -> list[Range]:
        """The ranges to see to now, within the bounds; nothing while a hole may still fill by itself."""
        holes = done.holes()
        if not holes:
            self._open.pop(outbox, None)
            return []
        highest = max(last for _, last in done)
        known = self._open.get(outbox)
        if known is None:
            if len(self._open) < OUTBOXES_MAX:
                self._open[outbox] = _Open(highest, now_ns + WAIT_NS[0])
            return []
        if now_ns < known.next_ns or not may_ask:
            return []
        old = _bounded(hole for hole in holes if hole[1] < known.highest)
        known.highest = highest
        known.next_ns = now_ns + WAIT_NS[0]
        return old

    def ask(self, outbox: Outbox, ranges: list[Range], now_ns: int) -> Command:
        """The command to send. What was asked for in vain is asked for again after twice the time."""
        known = self._open[outbox]
        known.wait_ns = min(2 * known.wait_ns, WAIT_NS[1]) if ranges == known.asked else WAIT_NS[0]
        known.next_ns = now_ns + known.wait_ns
        known.asked, known.asked_ns, known.answer = ranges, now_ns, ""
        known.id = secrets.token_hex(8)
        args = Resend(epoch=outbox[1], ranges=ranges).model_dump()
        return Command(id=known.id, expires_ns=now_ns + EXPIRES_NS, name="resend", args=args)

    def answered(self, unit: str, reply: Reply) -> tuple[Outbox, list[Range]] | None:
        """What is gone for ever, of what was asked for; None where the reply is not to a question of ours."""
        for outbox, known in self._open.items():
            if outbox[0] == unit and known.id == reply.id:
                return outbox, self._gone(known, reply)
        return None

    def _gone(self, known: _Open, reply: Reply) -> list[Range]:
        known.answer = reply.detail
        if not reply.ok:
            return []
        try:
            told = Resent.model_validate_json(json.dumps(reply.args))
        except ValidationError:
            known.answer = "the reply's args are not as agreed"
            return []
        both = ((max(first, low), min(last, high)) for first, last in told.gone for low, high in known.asked)
        return [(first, last) for first, last in both if first <= last]

    def last_asked(self, outbox: Outbox) -> tuple[int | None, str]:
        """When it was asked for last (None: not yet), and what the unit said, where it said something."""
        known = self._open.get(outbox)
        return (None, "") if known is None else (known.asked_ns, known.answer)


def _bounded(holes: Iterable[Range]) -> list[Range]:
    """The lowest of them: at most `ASKED_RANGES_MAX` ranges and `ASKED_EVENTS_MAX` numbers."""
    ranges: list[Range] = []
    room = ASKED_EVENTS_MAX
    for first, last in holes:
        if room <= 0 or len(ranges) >= ASKED_RANGES_MAX:
            break
        ranges.append((first, min(last, first + room - 1)))
        room -= last - first + 1
    return ranges


def settle(store: Store, outbox: Outbox, holes: Sequence[Range]) -> tuple[list[Range], list[Range]]:
    """Which of these the store has after all, and which it has not. Raises StoreUnavailable.

    From the lowest number on: what `TALLIES_MAX` questions do not reach is in neither, and something always is settled.
    What is a dead letter between two holes may have one taken for missing that is not: it comes again, and changes
    nothing.
    """
    here, missing = RangeSet(), RangeSet()
    work: list[list[Range]] = [list(holes)] if holes else []
    for _ in range(TALLIES_MAX):
        if not work:
            break
        some = work.pop()
        first, last = some[0][0], some[-1][1]
        held = sum(tally.distinct for tally in store.tally(*outbox, first, last).values())
        between = last - first + 1 - sum(high - low + 1 for low, high in some)
        if held == last - first + 1 or held <= between:
            for hole in some:
                (missing if held <= between else here).add(*hole)
        elif len(some) > 1:
            work += [some[len(some) // 2 :], some[: len(some) // 2]]
        else:
            middle = (first + last) // 2
            work += [[(middle + 1, last)], [(first, middle)]]
    return list(here), list(missing)


class HoleKeeper(Turns):
    """Looks every `LOOK_EVERY_S` at the outboxes that something came of, or is missing of.

    `send` takes a topic and a payload from any thread; `show` is told (unit, missing, lost) whenever they change.
    `first` is done in its thread before anything else, again and again while it raises StoreUnavailable.
    """

    def __init__(
        self,
        ledger: Ledger,
        store: Store,
        wall_ns: Callable[[], int],
        *,
        send: Callable[[str, bytes], None],
        show: Callable[[str, int, int], None],
        first: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__("holes", LOOK_EVERY_S)
        self._ledger = ledger
        self._store = store
        self._wall_ns = wall_ns
        self._send = send
        self._show = show
        self._first = first
        self._lock = threading.Lock()
        self._asks = Asks()
        self._touched: set[Outbox] = set()
        self._heard: dict[str, tuple[str, int]] = {}  # unit -> hub, when
        self._asked_ns: dict[str, int] = {}
        self._replies: deque[tuple[str, Reply]] = deque(maxlen=_REPLIES_MAX)
        self._shown: dict[str, tuple[int, int]] = {}

    def heard(self, address: Address, epoch: str) -> None:
        """Something of this outbox was recorded."""
        with self._lock:
            self._heard[address.unit] = (address.hub, self._wall_ns())
            self._touched.add((address.unit, epoch))

    def replied(self, unit: str, reply: Reply) -> None:
        self._replies.append((unit, reply))

    def last_asked(self, unit: str, epoch: str) -> tuple[int | None, str]:
        """When it was asked for last (None: not yet), and what the unit said, where it said something."""
        with self._lock:
            return self._asks.last_asked((unit, epoch))

    def begin(self) -> None:
        self._first()
        with self._lock:
            self._touched.update(self._ledger.outboxes.incomplete())

    def turn(self) -> None:
        """Look once. Raises StoreUnavailable; what was not looked at then is looked at the next time."""
        now_ns = self._wall_ns()
        while self._replies:
            self._take(*self._replies.popleft())
        with self._lock:
            outboxes = self._touched | self._asks.outboxes
        for outbox in sorted(outboxes):
            with self._lock:
                self._touched.discard(outbox)
            try:
                self._look(outbox, now_ns)
            except StoreUnavailable:
                with self._lock:
                    self._touched.add(outbox)
                raise

    def _take(self, unit: str, reply: Reply) -> None:
        with self._lock:
            answered = self._asks.answered(unit, reply)
        if answered is None:
            return
        outbox, gone = answered
        if gone:
            self._ledger.outboxes.lose(*outbox, gone)
            count = sum(last - first + 1 for first, last in gone)
            log.warning("%s has %d events no more that are missing here", unit, count, extra={"part": "holes"})
        with self._lock:
            self._touched.add(outbox)

    def _look(self, outbox: Outbox, now_ns: int) -> None:
        unit, epoch = outbox
        done = self._ledger.done(unit, epoch)
        with self._lock:
            hub, heard_ns = self._heard.get(unit, ("", 0))
            may_ask = now_ns - self._asked_ns.get(unit, 0) >= WAIT_NS[0] and now_ns - heard_ns <= HEARD_NS
            ranges = self._asks.due(outbox, done, now_ns, may_ask=may_ask)
        if ranges:
            here, missing = settle(self._store, outbox, ranges)
            if not missing:  # as with a new ledger beside a full store: what is asked for at a time is little of that
                here, _ = settle(self._store, outbox, done.holes())
            if here:
                self._ledger.record(now_ns, done=[(unit, epoch, *each) for each in here])
            if missing:
                with self._lock:
                    self._asked_ns[unit] = now_ns
                    command = self._asks.ask(outbox, missing, now_ns)
                self._send(Address(hub, unit, "cmd").topic, command.model_dump_json().encode())
                log.info("asked %s again for %d ranges of events", unit, len(missing), extra={"part": "holes"})
        if unit in self._shown or done.holes() or self._ledger.outboxes.has_losses(unit, epoch):
            self._tell(unit)

    def _tell(self, unit: str) -> None:
        states = self._ledger.outboxes.of_unit(unit, 0)
        asked = [state for state in states if self.last_asked(unit, state.epoch)[0] is not None]
        counts = (sum(state.missing for state in asked), sum(state.lost for state in states))
        if self._shown.get(unit, (0, 0)) != counts:
            self._shown[unit] = counts
            self._show(unit, *counts)
