"""Any order of events, crashes, acks, refusals, drops, clock steps and boots: nothing is lost, doubled or changed."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edge.clock import Instant, ManualClock, read
from edge.delivery import IN_FLIGHT_MAX, Delivery
from edge.drafts import Draft, Mark
from edge.dropping import DECLARATION
from edge.outbox import Outbox, OutboxSettings
from firmware_cfg.times import NS_PER_S

pytestmark = pytest.mark.timeout(400)  # a minute on idle cores; hypothesis reports being cut short as flakiness

T0_NS = 1_780_000_000 * NS_PER_S
KINDS = ("passage", "fault", "counter")
SMALL = OutboxSettings(limit_bytes=1024 * 1024, durable=False)


class OutboxMachine(RuleBasedStateMachine):
    """The model: events by an id of their own, which of them must still be known, and all that was ever sent."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = ManualClock(T0_NS, mono_ns=10 * NS_PER_S)
        self.boots = 1
        self.made = 0
        self.pending: list[int] = []
        self.committed: set[int] = set()
        self.sent: dict[int, dict[str, Any]] = {}
        self.gone: set[int] = set()
        """Sequence numbers that the collector has, as far as a commit made it last."""
        self.acked_now: set[int] = set()
        self.open()

    def teardown(self) -> None:
        self.crash_file()
        shutil.rmtree(self.folder)

    @property
    def now(self) -> Instant:
        return read(self.clock)

    def open(self) -> None:
        self.outbox = Outbox(self.folder, "hall-front", self.now, SMALL)
        self.delivery = Delivery()

    def crash_file(self) -> None:
        self.outbox._file._db.close()

    @initialize(synced=st.booleans())
    def start(self, synced: bool) -> None:
        self.clock.set_synced(synced)

    @rule(kind=st.sampled_from(KINDS), ago_s=st.integers(0, 3), repeat=st.integers(1, 5), fixed=st.booleans())
    def append(self, kind: Any, ago_s: int, repeat: int, fixed: bool) -> None:
        for _ in range(repeat):
            self.made += 1
            mono_ns = self.clock.monotonic_ns() - ago_s * NS_PER_S
            when = T0_NS + ago_s if fixed else Mark(self.clock.boot_id, max(0, mono_ns))
            self.outbox.append(Draft(kind, when, "hall", {"id": self.made}, sensor="beams"), self.now)
            self.pending.append(self.made)

    @rule()
    def commit(self) -> None:
        assert self.outbox.commit(self.now, {"made": self.made})
        self.committed.update(self.pending)
        self.pending.clear()
        self.gone |= self.acked_now
        self.acked_now.clear()

    @rule()
    def crash(self) -> None:
        self.crash_file()
        self.pending.clear()
        self.acked_now.clear()
        epoch = self.outbox.epoch
        self.open()
        assert self.outbox.epoch == epoch

    @rule(synced=st.booleans(), off_s=st.integers(0, 1000), clean=st.booleans())
    def reboot(self, synced: bool, off_s: int, clean: bool) -> None:
        if clean:
            assert self.outbox.close(self.now, {"made": self.made})
            self.committed.update(self.pending)
            self.gone |= self.acked_now
        else:
            self.crash_file()
        self.pending.clear()
        self.acked_now.clear()
        self.boots += 1
        wall_ns = T0_NS + (self.boots * 5000 + off_s) * NS_PER_S if synced else off_s
        self.clock.reboot(f"boot-{self.boots}", wall_ns=wall_ns, synced=synced)
        self.open()

    @rule(seconds=st.integers(0, 1000))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds * NS_PER_S)
        self.outbox.observe(self.now)

    @rule(by_s=st.sampled_from([-30 * 86_400, -7200, -5, 5, 7200, 30 * 86_400]))
    def step_clock(self, by_s: int) -> None:
        self.clock.step_wall(by_s * NS_PER_S)

    @rule()
    def sync(self) -> None:
        self.clock.set_synced(synced=True)
        self.outbox.observe(self.now)

    @rule()
    def collector_tells_the_time(self) -> None:
        self.outbox.collector_says(T0_NS + self.boots * 5000 * NS_PER_S, self.now)

    @rule()
    def connect(self) -> None:
        self.delivery.connected()

    @precondition(lambda self: not self.pending)
    @rule()
    def send(self) -> None:
        now = self.now
        window = self.outbox.window(self.outbox.epoch, IN_FLIGHT_MAX, now)
        chosen = self.delivery.choose(window, now.mono_ns)
        self.delivery.sent(chosen, now.mono_ns)
        for event in self.outbox.load(self.outbox.epoch, chosen, now):
            seen = json.loads(event.text)
            assert self.sent.setdefault(event.seq, seen) == seen
            assert event.seq not in self.gone
        assert self.delivery.in_flight <= IN_FLIGHT_MAX

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), refused=st.booleans())
    def answer(self, data: st.DataObject, refused: bool) -> None:
        seq = data.draw(st.sampled_from(sorted(self.sent)))
        done, rejected = ([], [(seq, "no")]) if refused else ([(seq, seq)], [])
        self.outbox.settle(self.outbox.epoch, done, rejected, T0_NS, self.now)
        self.delivery.settled(done, rejected)
        self.acked_now.add(seq)

    @rule()
    def flood(self) -> None:
        """More than there is room for."""
        for start in range(0, 2000, 500):
            for _ in range(500):
                self.made += 1
                self.pending.append(self.made)
                draft = Draft("passage", T0_NS, "hall", {"id": self.made, "note": "x" * 300}, sensor=f"s{start}")
                self.outbox.append(draft, self.now)
            self.commit()

    @invariant()
    def every_number_is_held_or_declared(self) -> None:
        rows = self.outbox._file._db.execute("SELECT seq, body, t_ns, sensor, kind FROM event ORDER BY seq").fetchall()
        held = {seq: json.loads(body) for seq, body, *_ in rows}
        declared = [body for body in held.values() if body.get("fault") == DECLARATION]
        for body in declared:
            wrongly = [seq for seq in held if body["first_seq"] <= seq <= body["last_seq"]]
            assert not wrongly, f"{wrongly} are held and yet declared as dropped"
        top = self.outbox.stats(self.now).max_seq
        for seq in set(range(1, top + 1)) - set(held):
            known = any(body["first_seq"] <= seq <= body["last_seq"] for body in declared)
            assert known or seq in self.gone or self.outbox.stats(self.now).dropped, f"{seq} vanished"
            if seq not in self.gone and not known:
                sent = [event for event in self.sent.values() if event.get("fault") == DECLARATION]
                assert any(event["first_seq"] <= seq <= event["last_seq"] for event in sent), f"{seq} is undeclared"
        ids = [body["id"] for body in held.values() if "id" in body]
        assert len(ids) == len(set(ids)), "an event is there twice"
        if not self.outbox.stats(self.now).dropped:
            kept = set(ids)
            assert self.committed <= kept, "a committed event vanished"
            assert kept <= self.committed, "an event that was not committed is there"
        times = [(sensor, kind, t_ns) for _, _, t_ns, sensor, kind in rows if t_ns is not None]
        assert len(times) == len(set(times)), "two events of a sensor and kind share a time"
        assert (self.outbox.memo("made") or 0) <= self.made

    @invariant()
    def what_was_sent_is_still_the_same(self) -> None:
        seqs = sorted(self.sent)[-50:]
        for event in self.outbox.load(self.outbox.epoch, seqs, self.now):
            assert json.loads(event.text) == self.sent[event.seq]


OutboxMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestOutbox = OutboxMachine.TestCase
