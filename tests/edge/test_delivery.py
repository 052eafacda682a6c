"""When which events are sent."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from edge.delivery import GATHER_NS, IN_FLIGHT_MAX, RESEND_NS, RESEND_NS_MAX, Delivery, batches
from firmware_cfg.times import NS_PER_S
from firmware_cfg.wire import BATCH_BYTES_MAX, BATCH_EVENTS_MAX


def send(delivery: Delivery, window: list[int], now_ns: int) -> list[int]:
    chosen = delivery.choose(window, now_ns)
    delivery.sent(chosen, now_ns)
    return chosen


def test_one_event_goes_alone_at_once_when_none_waits() -> None:
    delivery = Delivery()
    assert send(delivery, [1], 0) == [1]


def test_more_are_gathered_while_others_wait_for_their_ack() -> None:
    delivery = Delivery()
    send(delivery, [1], 0)
    assert send(delivery, [1, 2], 10) == []
    assert delivery.due_ns() == 10 + GATHER_NS
    assert send(delivery, [1, 2, 3], 10 + GATHER_NS) == [2, 3]


def test_a_full_batch_does_not_wait() -> None:
    delivery = Delivery()
    send(delivery, [1], 0)
    assert len(send(delivery, list(range(1, BATCH_EVENTS_MAX + 2)), 1)) == BATCH_EVENTS_MAX


def test_no_more_than_a_thousand_are_in_flight() -> None:
    delivery = Delivery()
    window = list(range(1, IN_FLIGHT_MAX + 1))
    assert send(delivery, window, 0) == window
    assert delivery.in_flight == IN_FLIGHT_MAX
    delivery.settled([(1, 300)], [(301, "bad")])
    assert send(delivery, list(range(302, 302 + IN_FLIGHT_MAX)), 1) == list(range(1001, 1302))
    assert delivery.in_flight == IN_FLIGHT_MAX


def test_what_is_not_acked_goes_again_after_20_s_then_doubling_to_10_min() -> None:
    delivery = Delivery()
    now_ns = 0
    send(delivery, [1, 2], now_ns)
    waits = []
    for _ in range(8):
        due_ns = delivery.due_ns()
        assert due_ns is not None
        assert send(delivery, [1, 2], due_ns - 1) == []
        assert send(delivery, [1, 2], due_ns) == [1, 2]
        waits.append((due_ns - now_ns) // NS_PER_S)
        now_ns = due_ns
    assert waits == [20, 40, 80, 160, 320, 600, 600, 600]
    assert RESEND_NS_MAX == 600 * NS_PER_S


def test_an_ack_brings_the_wait_back_to_20_s() -> None:
    delivery = Delivery()
    send(delivery, [1, 2], 0)
    send(delivery, [1, 2], RESEND_NS)
    delivery.settled([(1, 1)], [])
    assert delivery.due_ns() == 2 * RESEND_NS


def test_a_new_connection_sends_everything_again() -> None:
    delivery = Delivery()
    send(delivery, [1, 2], 0)
    delivery.connected()
    assert send(delivery, [1, 2], 1) == [1, 2]


def test_an_earlier_event_that_was_dated_late_is_not_forgotten() -> None:
    delivery = Delivery()
    send(delivery, [5], 0)
    send(delivery, [2, 5], 1)
    assert send(delivery, [2, 5], 1 + GATHER_NS) == [2]


@given(st.lists(st.integers(1, BATCH_BYTES_MAX // 3), max_size=600))
def test_batches_hold_everything_once_within_both_bounds(sizes: list[int]) -> None:
    events = [
        (seq, json.dumps({"seq": seq, "x": "é" * (size // 2)}, ensure_ascii=False)) for seq, size in enumerate(sizes, 1)
    ]
    seen: list[int] = []
    for seqs, payload in batches("unit", "0" * 16, events, 7):
        assert len(payload) <= BATCH_BYTES_MAX
        message = json.loads(payload)
        assert [event["seq"] for event in message["events"]] == seqs
        assert 1 <= len(seqs) <= BATCH_EVENTS_MAX
        assert (message["v"], message["unit"], message["sent_ns"]) == (1, "unit", 7)
        seen += seqs
    assert seen == [seq for seq, _ in events]
