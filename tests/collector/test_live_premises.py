"""Rooms and the cabinet now: the newest reading in whatever order they come, and silence is never an answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from live_samples import EPOCH, FLEET, MINUTE, NOW_NS, Clock, ago, cabinet, event, fault, fed, health, room, state

from collector import premises
from collector.answers import CabinetLive, RoomLive
from collector.live import LOOK_BACK_NS, Live
from collector.store import open_store
from collector.store.base import Parcel
from firmware_cfg.load import Fleet
from firmware_cfg.schema import Hub
from firmware_cfg.times import to_rfc3339


def hall(live: Live) -> RoomLive:
    return live.snapshot("north").rooms[0]


def aed(live: Live) -> CabinetLive:
    found = live.snapshot("north").cabinet
    assert found is not None
    return found


def test_a_room_is_as_its_newest_reading_says_and_since_when() -> None:
    found = hall(fed(room(30, "vacant"), room(20, "occupied"), room(10, "occupied", probability=0.9)))
    assert (found.id, found.name, found.state, found.probability) == ("hall", "Hall", "occupied", 0.9)
    assert (found.since, found.as_of) == (to_rfc3339(ago(20)), to_rfc3339(ago(10)))
    assert found.reason is None


def test_a_room_without_a_sensor_is_unknown_and_says_why() -> None:
    attic = fed(room(1, "occupied")).snapshot("north").rooms[1]
    assert (attic.id, attic.state, attic.reason) == ("attic", "unknown", "no sensor")


def test_a_room_of_which_nothing_was_heard_is_unknown() -> None:
    found = hall(fed())
    assert (found.state, found.probability, found.since, found.reason) == ("unknown", None, None, "nothing heard yet")


def test_a_room_that_cannot_tell_says_so() -> None:
    found = hall(fed(room(5, "unknown", probability=0.5)))
    assert (found.state, found.since, found.reason) == ("unknown", to_rfc3339(ago(5)), "its sensors cannot tell")


@pytest.mark.parametrize(("minutes", "shown"), [(30, "vacant"), (30.1, "unknown")])
def test_three_heartbeats_of_silence_make_a_room_unknown(minutes: float, shown: str) -> None:
    live = fed(room(minutes, "vacant"))
    assert hall(live).state == shown
    if shown == "unknown":
        assert hall(live).reason == "nothing heard for 30 min"
        assert hall(live).as_of == to_rfc3339(ago(minutes))


def test_a_silence_in_between_begins_anew() -> None:
    found = hall(fed(room(60, "occupied"), room(20, "occupied"), room(10, "occupied")))
    assert found.since == to_rfc3339(ago(20))


def test_a_room_whose_unit_is_offline_is_unknown() -> None:
    live = fed(room(1, "vacant"))
    live.stored([], [], [state("inside", "offline")])
    assert (hall(live).state, hall(live).reason) == ("unknown", "its unit is offline")
    live.stored([room(0.5, "vacant")])
    assert hall(live).state == "vacant"


def test_a_room_whose_sensor_reports_a_fault_is_unknown() -> None:
    live = fed(room(1, "vacant"))
    live.stored([], [health(0.5, "inside", {"presence": {"ok": False}})])
    assert (hall(live).state, hall(live).reason) == ("unknown", "its sensor reports a fault")
    live.stored([], [health(0.1, "inside", {"presence": {"ok": True}})])
    assert hall(live).state == "vacant"


def test_what_another_sensor_says_of_a_room_does_not_count() -> None:
    assert hall(fed(room(1, "occupied", sensor="stranger"))).state == "unknown"


def test_of_two_sensors_the_one_that_sees_somebody_is_believed() -> None:
    both = [{"name": name, "kind": "room", "room": "hall", "pir_pin": pin} for name, pin in (("one", 7), ("other", 8))]
    units = [{"id": "inside", "since": "2020-01-01T00:00:00Z", "sensors": both}]
    hub = {"id": "north", "name": "North", "type": "local", "rooms": [{"id": "hall", "name": "Hall"}], "units": units}
    live = Live(Fleet({"north": Hub.model_validate(hub)}), Clock())
    live.stored([room(1, "vacant", sensor="one")])
    assert hall(live).state == "unknown"  # the other may see somebody
    live.stored([room(2, "vacant", sensor="other")])
    assert hall(live).state == "vacant"
    live.stored([room(1.5, "occupied", sensor="other")])
    assert hall(live).state == "occupied"


ROOM_STATES = st.lists(st.sampled_from(["occupied", "vacant", "unknown"]), min_size=1, max_size=12)


@given(ROOM_STATES, st.data())
def test_rooms_do_not_depend_on_the_order_or_number_of_deliveries(states: list[str], data: st.DataObject) -> None:
    parcels = [room(100 - 8 * index, found) for index, found in enumerate(states)]
    again = data.draw(st.lists(st.sampled_from(parcels), max_size=8))
    shuffled = data.draw(st.permutations(parcels + again))
    expected = hall(fed(*parcels))
    assert hall(fed(*shuffled)) == expected
    if ago(100 - 8 * len(states) + 8) >= ago(30):
        assert expected.state == states[-1]


def test_what_is_kept_of_a_room_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(premises, "READINGS_KEPT", 3)
    live = fed(*(room(minute, "occupied") for minute in (1, 2, 3, 4, 5)))
    assert hall(live).since == to_rfc3339(ago(3))


def test_the_cabinet_is_as_its_newest_reading_says() -> None:
    live = fed(cabinet(6, "critical", aed="absent", reasons=["aed: not in its place"]), cabinet(1, temperature_c=14.5))
    found = aed(live)
    assert (found.level, found.door, found.aed, found.mains) == ("ok", "closed", "present", "unknown")
    assert (found.temperature_c, found.reasons, found.as_of) == (14.5, [], to_rfc3339(ago(1)))
    live.stored([cabinet(3, "critical")])
    assert aed(live).level == "ok"  # older never replaces newer


@given(st.permutations(["ok", "warning", "critical", "unknown"]), st.data())
def test_the_cabinet_does_not_depend_on_the_order(levels: list[str], data: st.DataObject) -> None:
    parcels = [cabinet(10 - index, level) for index, level in enumerate(levels)]
    shuffled = data.draw(st.permutations(parcels + parcels[:2]))
    assert aed(fed(*shuffled)).level == levels[-1]


def test_pads_and_battery_have_days_left_by_the_local_date() -> None:
    clock = Clock()
    found = aed(fed(clock=clock))
    assert found.pads is not None
    assert found.battery is not None
    assert (found.pads.until.isoformat(), found.pads.days_left) == ("2026-10-01", 10)
    assert (found.battery.until.isoformat(), found.battery.days_left) == ("2026-09-20", -1)
    clock.now_ns = NOW_NS + 9 * 60 * MINUTE  # 23:00 UTC, the next day in London
    later = aed(fed(clock=clock))
    assert later.pads is not None
    assert later.pads.days_left == 9


@pytest.mark.parametrize("level", ["ok", "warning", "critical"])
def test_a_silent_cabinet_is_unknown_whatever_it_was(level: str) -> None:
    clock = Clock()
    live = fed(cabinet(14, level, reasons=["door: open for more than 2 min"] if level != "ok" else []), clock=clock)
    assert (aed(live).level, aed(live).was) == (level, None)
    clock.now_ns += 2 * MINUTE
    found = aed(live)
    assert (found.level, found.door, found.aed, found.temperature_c) == ("unknown", "unknown", "unknown", None)
    assert found.was == level
    before = [f"cabinet: it was {level} when last heard", "door: open for more than 2 min"] if level != "ok" else []
    assert found.reasons == ["cabinet: nothing heard for 15 min", *before]


def test_a_cabinet_of_which_nothing_was_heard_is_unknown() -> None:
    assert (aed(fed()).level, aed(fed()).reasons) == ("unknown", ["cabinet: nothing heard yet"])


def test_a_cabinet_whose_unit_is_offline_or_whose_sensor_went_away_is_unknown() -> None:
    live = fed(cabinet(1))
    live.stored([], [], [state("door", "offline")])
    assert (aed(live).level, aed(live).reasons) == ("unknown", ["cabinet: its unit is offline"])
    live.stored([fault(0.9, "sensor_unavailable", sensor="aed")])
    assert (aed(live).level, aed(live).reasons) == ("unknown", ["cabinet: its sensor is not available"])
    live.stored([fault(0.8, "sensor_unavailable", sensor="aed", active=False)])
    assert aed(live).level == "ok"


def test_a_part_that_fails_does_not_hide_that_the_aed_is_gone() -> None:
    live = fed(cabinet(1, "critical", aed="absent"), fault(0.9, "sensor_unreadable", sensor="aed", line="temperature"))
    live.stored([], [health(0.5, sensors={"aed": {"ok": False}})])
    assert aed(live).level == "critical"


def test_a_cabinet_that_nothing_watches_is_unknown_and_none_is_none() -> None:
    base = {"id": "north", "name": "North", "type": "local"}
    unwatched = Live(Fleet({"north": Hub.model_validate(base | {"cabinet": {}})}), Clock())
    assert (aed(unwatched).level, aed(unwatched).reasons) == ("unknown", ["cabinet: no sensor"])
    assert (aed(unwatched).pads, aed(unwatched).battery) == (None, None)
    assert Live(Fleet({"north": Hub.model_validate(base)}), Clock()).snapshot("north").cabinet is None


def test_it_is_seeded_from_the_store_as_if_it_had_been_there(tmp_path: Path) -> None:
    store = open_store(f"sqlite:{tmp_path}/store.db")
    parcels = [
        room(40, "vacant"),
        room(20, "occupied"),
        room(10, "occupied"),
        cabinet(12),
        cabinet(4, "warning", reasons=["mains: lost"]),
        fault(20 * 60, "sensor_silent"),  # yesterday
        fault(LOOK_BACK_NS / MINUTE + 1, "sensor_silent", sensor="beams"),
    ]
    store.write(parcels)
    live = Live(FLEET, Clock())
    live.stored([parcels[1]])
    for _ in range(2):
        live.seed(store)
        found = live.snapshot("north")
        assert (found.rooms[0].state, found.rooms[0].since) == ("occupied", to_rfc3339(ago(20)))
        assert found.cabinet is not None
        assert (found.cabinet.level, found.cabinet.reasons) == ("warning", ["mains: lost"])
        assert [each.sensor for each in found.units[0].faults] == ["radar"]
    store.close()


def test_readings_of_one_moment_have_one_winner() -> None:
    one, other = (
        Parcel("inside", epoch, [event("room", ago(1), sensor="presence", room="hall", state=found, probability=0.5)])
        for epoch, found in ((EPOCH, "vacant"), ("f" * 16, "occupied"))
    )
    assert hall(fed(one, other)) == hall(fed(other, one))
