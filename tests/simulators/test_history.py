"""The demo's past: what its units would have published."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from threading import Event
from typing import TYPE_CHECKING

from servers import free_port

from firmware_cfg.endpoint import parse_mqtt_url
from firmware_cfg.wire import event_adapter
from simulators.fleets import demo_fleet, past_stays
from simulators.history import Past, days_of, epoch_of, publish, unit_events

if TYPE_CHECKING:
    import pytest

UNTIL_NS = int(datetime(2026, 11, 21, 10, 30, tzinfo=UTC).timestamp()) * 10**9
PAST = Past(UNTIL_NS, seed=1, hubs=6)
TODAY_NS = int(datetime(2026, 11, 21, tzinfo=UTC).timestamp()) * 10**9


def test_the_doors_of_south_ockendon_see_its_year_to_the_person() -> None:
    hub = demo_fleet(6, UNTIL_NS).hubs["south-ockendon"]
    year = list(days_of(hub, PAST))
    entered = left = today = 0
    for stay in past_stays(hub):
        last_ns: dict[tuple[str, str], int] = {}
        for event in unit_events(hub, stay, PAST, year):
            assert event.t_ns < UNTIL_NS
            body = json.loads(event.body)
            series = (body["sensor"], body["kind"])
            assert event.t_ns > last_ns.get(series, 0), "times are unique and rise per sensor and kind"
            last_ns[series] = event.t_ns
            if body["kind"] == "passage" and body["role"] == "counting":
                today += event.t_ns >= TODAY_NS
                entered += event.t_ns < TODAY_NS and body["direction"] == "in"
                left += event.t_ns < TODAY_NS and body["direction"] == "out"
    assert entered == left == 135_238
    assert today > 0, "the day so far"


def test_every_kind_of_event_fits_the_wire() -> None:
    hub = demo_fleet(6, UNTIL_NS).hubs["strood"]
    (stay,) = past_stays(hub)
    events = list(unit_events(hub, stay, PAST, list(days_of(hub, PAST))))[-5000:]
    kinds = set()
    for seq, event in enumerate(events, 1):
        text = f'{{"seq":{seq},"t_ns":{event.t_ns},"clock":"synced",{event.body[1:]}'
        kinds.add(event_adapter.validate_json(text).kind)
    assert kinds == {"passage", "counter", "room", "cabinet"}


def test_the_same_past_has_the_same_names() -> None:
    assert epoch_of("a", PAST) == epoch_of("a", Past(UNTIL_NS, seed=1, hubs=1))
    assert epoch_of("a", PAST) != epoch_of("b", PAST)
    assert epoch_of("a", PAST) != epoch_of("a", Past(UNTIL_NS, seed=2, hubs=6))


def test_a_past_that_was_stopped_at_once_tells_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    stopping = Event()
    stopping.set()
    publish(Past(UNTIL_NS, seed=1, hubs=1), parse_mqtt_url(f"mqtt://127.0.0.1:{free_port()}"), stopping)
    *_, last = capsys.readouterr().out.splitlines()
    told = json.loads(last)
    assert (told["share"], told["events"]) == (0.0, 0)
    assert [number for _, _, number in told["units"]] == [0] * len(told["units"])
