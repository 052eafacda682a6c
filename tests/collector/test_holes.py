"""What is missing of a unit's numbering is found, compared with the store, asked for, or known to be lost."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
from api_rig import Served
from collector_rig import EPOCH, FLEET, HUB, UNIT, Make, Unit, event, ready, until
from collector_samples import parcel, passage
from hypothesis import example, given, settings
from hypothesis import strategies as st
from servers import Mosquitto

from collector import holes
from collector.holes import ASKED_EVENTS_MAX, ASKED_RANGES_MAX, HEARD_NS, WAIT_NS, Asks, settle
from collector.ranges import RangeSet
from collector.service import Collector
from collector.store import open_store
from firmware_cfg.endpoint import parse_mqtt_url
from firmware_cfg.times import NS_PER_S
from firmware_cfg.wire import Reply

OUTBOX = (UNIT, EPOCH)


def due(asks: Asks, done: RangeSet, now_ns: int, *, may_ask: bool = True) -> list[tuple[int, int]]:
    return asks.due(OUTBOX, done, now_ns, may_ask=may_ask)


def test_a_hole_is_given_time_to_fill_by_itself() -> None:
    asks = Asks()
    done = RangeSet([(1, 4), (6, 9)])
    assert due(asks, done, 0) == []
    assert due(asks, done, WAIT_NS[0] - 1) == []
    done.add(20)  # a hole that is new has its own minute
    assert due(asks, done, WAIT_NS[0], may_ask=False) == []
    assert due(asks, done, WAIT_NS[0]) == [(5, 5)]
    assert due(asks, done, 2 * WAIT_NS[0]) == [(5, 5), (10, 19)]
    done.add(5, 19)
    assert due(asks, done, 9 * WAIT_NS[0]) == []
    assert asks.outboxes == set()


def test_a_unit_is_never_asked_for_more_than_it_can_send_in_peace() -> None:
    asks = Asks()
    many = RangeSet((number, number) for number in range(2, 1000, 2))
    due(asks, many, 0)
    assert len(due(asks, many, WAIT_NS[0])) == ASKED_RANGES_MAX
    asks = Asks()
    wide = RangeSet([(10, 10), (10**9, 10**9)])
    due(asks, wide, 0)
    assert due(asks, wide, WAIT_NS[0]) == [(1, 9), (11, ASKED_EVENTS_MAX + 1)]


def test_what_is_asked_for_in_vain_is_asked_for_ever_more_seldom() -> None:
    asks = Asks()
    done = RangeSet([(3, 3)])
    due(asks, done, 0)
    times = []
    for now_ns in range(0, 4 * 24 * 3600 * NS_PER_S, 30 * NS_PER_S):
        if ranges := due(asks, done, now_ns):
            asks.ask(OUTBOX, ranges, now_ns)
            times.append(now_ns)
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert waits == sorted(waits)
    assert waits[0] == WAIT_NS[0]
    assert waits[-1] == WAIT_NS[1]
    assert len(times) < 15


def answer(asks: Asks, command_id: str, **fields: Any) -> list[tuple[int, int]] | None:
    answered = asks.answered(UNIT, Reply.model_validate({"id": command_id, "ok": True, **fields}))
    return None if answered is None else answered[1]


def test_only_what_was_asked_for_can_be_gone() -> None:
    asks = Asks()
    due(asks, RangeSet([(5, 5), (9, 9)]), 0)
    command = asks.ask(OUTBOX, [(1, 4), (6, 8)], 0)
    assert command.args == {"epoch": EPOCH, "ranges": [(1, 4), (6, 8)]}
    assert answer(asks, command.id, args={"events": 3, "gone": [[3, 7], [40, 50]]}) == [(3, 4), (6, 7)]
    assert answer(asks, command.id, args={"events": 3, "gone": "all"}) == []
    assert answer(asks, command.id, ok=False, detail="not now") == []
    assert asks.last_asked(OUTBOX) == (0, "not now")
    assert answer(asks, "another's", args={"gone": [[1, 4]]}) is None
    assert asks.answered("another", Reply(id=command.id, ok=True)) is None


def numbers(ranges: Iterable[tuple[int, int]]) -> set[int]:
    return {number for first, last in ranges for number in range(first, last + 1)}


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(1, 60)), st.sets(st.integers(1, 60)))
@example(set(range(1, 400, 2)), {400})  # once: more than the questions of one time, of which none was settled
def test_the_store_tells_what_another_collector_took(stored: set[int], known: set[int]) -> None:
    done = RangeSet((number, number) for number in known)
    with TemporaryDirectory() as folder, closing(open_store(f"sqlite:{folder}/store.db")) as store:
        store.write([parcel(*(passage(seq) for seq in sorted(stored | known)))])
        while gaps := done.holes():
            here, missing = settle(store, ("door", EPOCH), gaps)
            assert numbers(here) <= stored
            assert not numbers(missing) & stored
            settled = numbers(here) | numbers(missing)
            assert min(numbers(gaps)) in settled
            assert settled <= numbers(gaps)
            for number in settled:
                done.add(number)


class Clock:
    def __init__(self) -> None:
        self.ahead_ns = 0

    def __call__(self) -> int:
        return time.time_ns() + self.ahead_ns


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setattr(holes, "LOOK_EVERY_S", 0.05)
    return Clock()


@pytest.fixture
def collector(mosquitto: Mosquitto, tmp_path: Path, clock: Clock) -> Iterator[Collector]:
    endpoint = parse_mqtt_url(mosquitto.url)
    made = Collector(FLEET, endpoint, f"sqlite:{tmp_path}/store.db", tmp_path / "state", wall_ns=clock)
    made.start()
    yield ready(made)
    made.close()


def shown(collector: Collector) -> tuple[int, int]:
    unit = next(unit for unit in collector.live.snapshot(HUB).units if unit.id == UNIT)
    return unit.missing, unit.lost


def test_a_hole_is_asked_for_again_filled_or_lost(mosquitto: Mosquitto, collector: Collector, clock: Clock) -> None:
    with Unit(mosquitto) as unit:
        unit.send(event(1), event(2), event(9, kind="fault", fault="outbox_dropped", first_seq=7, last_seq=8))
        until(lambda: unit.done() == {1, 2, 9}, "ack")
        until(lambda: collector.holes._asks.outboxes == {OUTBOX}, "hole noticed")
        assert unit.commands == []
        assert shown(collector) == (0, 0)  # it may fill by itself
        clock.ahead_ns += WAIT_NS[0]
        until(lambda: unit.commands, "command")
        (command,) = unit.commands
        assert (command["v"], command["name"]) == (1, "resend")
        assert command["args"] == {"epoch": EPOCH, "ranges": [[3, 6]]}
        assert command["expires_ns"] > clock()
        until(lambda: shown(collector) == (4, 0), "shown as missing")
        args = {"events": 2, "gone": [[5, 6]]}
        unit.publish("reply", json.dumps({"v": 1, "id": command["id"], "ok": True, "detail": "", "args": args}))
        unit.send(event(3), event(4))
        until(lambda: shown(collector) == (0, 2), "shown as lost")
        (state,) = collector.ledger.outboxes.of_unit(UNIT)
        assert (state.highest, state.missing, state.gone) == (9, 0, ((5, 6),))
        clock.ahead_ns += 100 * WAIT_NS[0]
        unit.send(event(10))
        until(lambda: 10 in unit.done(), "ack")
        time.sleep(0.3)
        assert len(unit.commands) == 1


def test_a_unit_that_is_silent_is_not_asked(mosquitto: Mosquitto, collector: Collector, clock: Clock) -> None:
    with Unit(mosquitto) as unit:
        unit.send(event(3))
        until(lambda: collector.holes._asks.outboxes == {OUTBOX}, "hole noticed")
        clock.ahead_ns += HEARD_NS + NS_PER_S
        time.sleep(0.3)
        assert unit.commands == []
        unit.send(event(4))
        until(lambda: unit.commands, "command")


def test_what_another_collector_stored_is_not_asked_for(mosquitto: Mosquitto, make: Make, clock: Clock) -> None:
    one, two = ready(make(state="one")), ready(make(state="two"))
    for each in (one, two):
        each.holes._wall_ns = clock
    with Unit(mosquitto) as unit:
        for seq in range(1, 101):
            unit.send(event(seq))
        until(lambda: unit.done() == set(range(1, 101)), "acks")
        until(lambda: one.holes._asks.outboxes | two.holes._asks.outboxes == {OUTBOX}, "holes noticed")
        for _ in range(2):  # those that were there at the first look, and those that came until the second
            clock.ahead_ns += WAIT_NS[0]
            time.sleep(0.3)
        until(lambda: not (one.holes._asks.outboxes | two.holes._asks.outboxes), "holes filled from the store")
        assert unit.commands == []
        assert one.ledger.done(UNIT, EPOCH).holes() == two.ledger.done(UNIT, EPOCH).holes() == []


def test_the_api_tells_of_holes(mosquitto: Mosquitto, tmp_path: Path) -> None:
    with Served(mosquitto, f"sqlite:{tmp_path}/store.db", tmp_path / "state") as http, Unit(mosquitto) as unit:
        unit.send(event(1), event(5))
        until(lambda: unit.done() == {1, 5}, "ack")
        report = http.get(f"/api/v1/units/{UNIT}").json()
        assert report["hubs"] == [HUB]
        (outbox,) = report["outboxes"]
        assert (outbox["epoch"], outbox["highest"], outbox["missing"]) == (EPOCH, 5, 3)
        assert (outbox["holes"], outbox["lost"], outbox["asked"]) == ([[2, 4]], 0, None)
        refused: httpx.Response = http.get("/api/v1/units/nobody")
        assert refused.status_code == 404
        assert refused.json()["detail"]["where"] == "path"
