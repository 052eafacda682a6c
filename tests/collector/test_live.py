"""The present: each event once, never fewer than nobody inside, visits of a new day from local midnight on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from collector_samples import EPOCH, MINUTE_NS, counter, health, parcel, passage
from hypothesis import given, settings
from hypothesis import strategies as st

from collector import live as live_module
from collector import unit_now
from collector.answers import Live as LiveAnswer
from collector.live import Live
from collector.store import open_store
from collector.store.base import Parcel
from firmware_cfg.load import Fleet
from firmware_cfg.schema import WEEKDAYS, Hub
from firmware_cfg.times import to_rfc3339
from firmware_cfg.wire import Event, State

NOW_NS = 1_789_999_200 * 10**9  # 2026-09-21T14:00:00Z, 15:00 in London
MIDNIGHT_NS = NOW_NS - 15 * 60 * MINUTE_NS
FLEET = Fleet(
    {
        "north": Hub.model_validate(
            {
                "id": "north",
                "name": "North",
                "type": "local",
                "entrances": [{"id": "front", "name": "Front", "counting": "beams"}],
                "units": [
                    {
                        "id": "door",
                        "since": "2020-01-01T00:00:00Z",
                        "sensors": [
                            {"name": "beams", "kind": "beam-pair", "entrance": "front", "outer_pin": 1, "inner_pin": 2}
                        ],
                    }
                ],
            }
        )
    }
)


class Clock:
    def __init__(self) -> None:
        self.now_ns = NOW_NS

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def live(clock: Clock) -> Iterator[Live]:
    made = Live(FLEET, clock)
    yield made
    made.close()


def at(seq: int, minutes_ago: float, direction: str = "in", **fields: object) -> Event:
    return passage(seq, NOW_NS - int(minutes_ago * MINUTE_NS) + seq, direction=direction, **fields)


def watching(live: Live, now_ns: int = NOW_NS) -> None:
    """Its sensor has worked since the building was empty, it says."""
    live.stored([], [health(now_ns, ok_since_ns=now_ns - 24 * 60 * MINUTE_NS)])


def numbers(answer: LiveAnswer) -> tuple[int | None, int | None]:
    return answer.occupancy.value, answer.visits_today.value


def test_nothing_is_known_of_a_hub_that_nothing_was_heard_of(live: Live) -> None:
    answer = live.snapshot("north")
    assert numbers(answer) == (None, None)
    assert answer.occupancy.completeness == 0
    assert [(unit.id, unit.online, unit.last_heard) for unit in answer.units] == [("door", None, None)]


def test_people_inside_are_those_in_less_those_out(live: Live) -> None:
    watching(live)
    live.stored([parcel(at(1, 60, persons=3), at(2, 50), at(3, 40, "out"))])
    live.stored([parcel(counter(4, NOW_NS - 30 * MINUTE_NS, 5, 2))])
    assert numbers(live.snapshot("north")) == (6, 9)


def test_reference_sensors_are_not_counted(live: Live) -> None:
    watching(live)
    live.stored([parcel(at(1, 60), at(2, 59, role="reference", sensor="other"))])
    assert numbers(live.snapshot("north")) == (1, 1)


def test_each_event_counts_once_from_wherever_it_comes(live: Live, tmp_path: Path) -> None:
    store = open_store(f"sqlite:{tmp_path}/store.db")
    watching(live)
    events = [at(seq, 60 - seq) for seq in range(1, 11)]
    store.write([parcel(*events)])
    live.stored([parcel(*events[3:7])])
    live.seed(store)
    live.stored([parcel(*events)])
    live.seed(store)
    assert numbers(live.snapshot("north")) == (10, 10)
    assert len(live.snapshot("north").last_passages) == 10
    store.close()


def test_it_is_never_below_zero(live: Live) -> None:
    watching(live)
    live.stored([parcel(at(1, 60, "out", persons=5), at(2, 50))])
    assert numbers(live.snapshot("north")) == (1, 1)


@settings(deadline=None)
@given(st.permutations(range(1, 9)), st.lists(st.booleans(), min_size=8, max_size=8))
def test_the_order_of_arrival_does_not_matter(order: list[int], ways: list[bool]) -> None:
    events = {seq: at(seq, 100 - seq, "in" if ways[seq - 1] else "out") for seq in order}
    live = Live(FLEET, lambda: NOW_NS)
    watching(live)
    for seq in order:
        live.stored([parcel(events[seq])])
    expected = 0
    for seq in sorted(order):
        expected = max(0, expected + (1 if ways[seq - 1] else -1))
    assert numbers(live.snapshot("north")) == (expected, sum(ways))
    times = [found.t for found in live.snapshot("north").last_passages]
    assert times == sorted(times, reverse=True)


def test_visits_are_of_today_and_who_is_inside_at_midnight_still_is(clock: Clock) -> None:
    hours = {day: ["00:00-02:00", "12:00-24:00"] for day in WEEKDAYS}
    hub = FLEET.hubs["north"].model_dump(mode="json") | {"hours": hours}
    live = Live(Fleet({"north": Hub.model_validate(hub)}), clock)
    live.stored([parcel(at(1, 60), at(2, 50), at(3, 40))])
    watching(live)
    assert numbers(live.snapshot("north")) == (3, 3)
    clock.now_ns = MIDNIGHT_NS + 24 * 60 * MINUTE_NS + MINUTE_NS
    watching(live, clock.now_ns)
    assert numbers(live.snapshot("north")) == (3, 0)
    assert live.snapshot("north").last_passages == []
    clock.now_ns += 8 * 60 * MINUTE_NS
    watching(live, clock.now_ns)
    assert numbers(live.snapshot("north")) == (0, 0)
    live.close()


def test_a_restart_in_the_evening_knows_who_came_in_the_morning(live: Live, clock: Clock, tmp_path: Path) -> None:
    store = open_store(f"sqlite:{tmp_path}/store.db")
    before = Live(FLEET, clock)
    events = [passage(seq, MIDNIGHT_NS + seq * 20 * MINUTE_NS) for seq in range(28, 40)]
    report = health(NOW_NS, ok_since_ns=MIDNIGHT_NS)
    for told in (before.stored, store.write):
        told([parcel(*events)], [report])
    live.seed(store)
    live.learn(store)
    assert live.snapshot("north").occupancy == before.snapshot("north").occupancy
    assert numbers(live.snapshot("north")) == (12, 12)
    store.close()


def test_past_days_teach_what_the_door_misses_each_way(live: Live, tmp_path: Path) -> None:
    store = open_store(f"sqlite:{tmp_path}/store.db")
    day_ns, seq = 24 * 60 * MINUTE_NS, 0
    for day in range(-20, 1):
        for hour, count, way in ((8, 40, "in"), (13, 36, "out")):
            start_ns = MIDNIGHT_NS + day * day_ns + hour * 60 * MINUTE_NS
            store.write([parcel(*(passage(seq + n, start_ns + n * 10**9, direction=way) for n in range(1, count + 1)))])
            seq += count
        store.write([], [health(MIDNIGHT_NS + day * day_ns + 899 * MINUTE_NS, ok_since_ns=MIDNIGHT_NS - 30 * day_ns)])
    live.seed(store)
    untaught = live.snapshot("north").occupancy
    live.learn(store)
    taught = live.snapshot("north").occupancy
    assert (untaught.value, untaught.balances) == (2, 0)
    assert (taught.value, taught.balances) == (0, 20)
    store.close()


def test_a_sensor_that_fails_makes_the_number_unknown_and_says_why(live: Live, clock: Clock) -> None:
    live.stored([parcel(at(1, 60))])
    watching(live)
    assert live.snapshot("north").occupancy.reason is None
    clock.now_ns += MINUTE_NS
    live.stored([], [health(clock.now_ns, ok=False)])
    occupancy = live.snapshot("north").occupancy
    assert (occupancy.value, occupancy.reason) == (None, "Front: its sensor reports a fault")
    live.stored([], [], [state("offline")])
    assert live.snapshot("north").occupancy.reason == "Front: its unit is offline"
    clock.now_ns += MINUTE_NS
    watching(live, clock.now_ns)
    assert live.snapshot("north").occupancy.value == 1


def test_completeness_is_the_watched_share_of_today(live: Live, tmp_path: Path) -> None:
    store = open_store(f"sqlite:{tmp_path}/store.db")
    store.write([], [health(MIDNIGHT_NS + minute * MINUTE_NS) for minute in range(450)])
    live.seed(store)
    answer = live.snapshot("north")
    assert (answer.visits_today.value, answer.visits_today.completeness) == (0, 0.5)
    assert answer.occupancy.reason == "Front: nothing heard for 8 h"
    live.stored([], [health(MIDNIGHT_NS + minute * MINUTE_NS) for minute in range(450, 900)])
    assert live.snapshot("north").visits_today.completeness == 1.0
    assert numbers(live.snapshot("north")) == (0, 0)
    store.close()


def test_one_report_vouches_for_the_day_since_its_sensor_works(live: Live) -> None:
    live.stored([], [health(NOW_NS - MINUTE_NS, ok_since_ns=MIDNIGHT_NS - 9 * MINUTE_NS)])
    assert live.snapshot("north").visits_today.completeness == 1.0


def test_unsure_passages_widen_the_interval(live: Live) -> None:
    live.stored([parcel(*(at(seq, 60, confidence=0.9) for seq in range(1, 101)))])
    answer = live.snapshot("north")
    assert (answer.visits_today.low, answer.visits_today.value, answer.visits_today.high) == (91, 100, 111)


def state(what: str, session: str = "s1") -> State:
    return State.model_validate({"v": 1, "unit": "door", "session": session, "state": what})


def test_the_last_passages_are_those_however_often_they_are_asked_for(live: Live) -> None:
    for seq in range(1, 61):
        event = passage(seq, NOW_NS - (90 - seq) * MINUTE_NS)  # a new object where an old one may have been
        live.stored([parcel(event)])
        del event
        shown = [last.t for last in live.snapshot("north").last_passages]
        times = [to_rfc3339(NOW_NS - (90 - known) * MINUTE_NS) for known in range(seq, max(0, seq - 20), -1)]
        assert shown == times
    live.stored([parcel(at(100, 35.5))])
    assert to_rfc3339(NOW_NS - int(35.5 * MINUTE_NS) + 100) in [t.t for t in live.snapshot("north").last_passages]


def test_each_hub_has_its_own_midnight(clock: Clock) -> None:
    far = Hub.model_validate(
        {
            "id": "far",
            "name": "Far",
            "type": "local",
            "timezone": "Asia/Tokyo",
            "entrances": [{"id": "front", "name": "Front", "counting": "beams"}],
            "units": [
                {
                    "id": "gate",
                    "since": "2020-01-01T00:00:00Z",
                    "sensors": [
                        {"name": "beams", "kind": "beam-pair", "entrance": "front", "outer_pin": 1, "inner_pin": 2}
                    ],
                }
            ],
        }
    )
    live = Live(Fleet({**FLEET.hubs, "far": far}), clock)
    clock.now_ns = NOW_NS + 50 * MINUTE_NS  # ten minutes to midnight in Tokyo
    live.stored([parcel(at(1, 5)), Parcel("gate", EPOCH, [passage(1, NOW_NS, hub="far")])])
    assert [live.snapshot(hub).visits_today.value for hub in ("north", "far")] == [1, 1]
    clock.now_ns = NOW_NS + 70 * MINUTE_NS
    live.stored([parcel(at(2, 4))])
    assert [live.snapshot(hub).visits_today.value for hub in ("north", "far")] == [2, None]
    clock.now_ns = NOW_NS + 10 * 60 * MINUTE_NS  # past midnight in London too
    assert [answer.hub for answer in live.changes()] == ["north", "far"]
    assert [live.snapshot(hub).visits_today.value for hub in ("north", "far")] == [None, None]
    clock.now_ns = NOW_NS  # somebody sets the clock right
    live.stored([parcel(at(3, 3))])
    assert live.snapshot("north").visits_today.value == 1
    live.close()


def test_a_unit_is_online_until_its_will_or_silence(live: Live, clock: Clock) -> None:
    live.stored([], [], [state("online")])
    assert live.snapshot("north").units[0].online is True
    live.stored([], [], [state("offline")])
    assert live.snapshot("north").units[0].online is False
    live.stored([], [health(NOW_NS)])
    assert live.snapshot("north").units[0].online is True
    assert live.snapshot("north").units[0].last_heard == "2026-09-21T14:00:00Z"
    clock.now_ns += unit_now.SILENT_NS + 1
    assert live.snapshot("north").units[0].online is False


def test_a_listener_gets_each_hub_at_once_and_then_each_change(live: Live) -> None:
    async def listen() -> list[int | None]:
        seen = []
        live.start()
        async for answer in live.listen():
            seen.append(answer.visits_today.value)
            if len(seen) == 1:
                live.stored([parcel(at(1, 5))])
            elif seen[-1] == 1:
                live.stored([parcel(at(2, 4))])
            elif seen[-1] == 2:
                live.end_streams()
        return seen

    assert asyncio.run(asyncio.wait_for(listen(), 10)) == [None, 1, 2]


def test_a_slow_listener_skips_to_the_latest(live: Live) -> None:
    async def listen() -> list[int | None]:
        live.start()
        listener = live.listen()
        for seq in range(1, 51):
            live.stored([parcel(at(seq, 5))])
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.2)
        seen = []
        async for answer in listener:
            seen.append(answer.visits_today.value)
            live.end_streams()
        return seen

    assert asyncio.run(asyncio.wait_for(listen(), 10)) == [50]


def test_listeners_are_bounded_and_forgotten_when_they_leave(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "LISTENERS_MAX", 1)

    async def listen() -> None:
        first = live.listen()
        with pytest.raises(OverflowError, match="1 browsers watch already"):
            live.listen()
        iteration = aiter(first)
        await anext(iteration)
        await iteration.aclose()  # type: ignore[attr-defined]  # an async generator has it
        live.forget(live.listen())

    asyncio.run(listen())


def test_the_answer_is_json_without_nanoseconds_as_numbers(live: Live) -> None:
    live.stored([parcel(at(1, 5), epoch=EPOCH)])
    text = live.snapshot("north").model_dump_json()
    assert json.loads(text)["last_passages"][0]["t"].startswith("2026-09-21T13:55:00")
