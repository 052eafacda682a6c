"""Alerts: what is wrong, what is told of it and when, and what is remembered."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from live_samples import MINUTE, NOW_NS, cabinet, fed, health, hub_with, passage, state, well

from collector.alerts.book import WAITING_MAX, Book
from collector.alerts.receivers import receivers
from collector.alerts.rules import Alarm, alarms
from collector.alerts.standing import Notice, Standing, step
from collector.live import Live
from firmware_cfg.errors import ConfigError
from firmware_cfg.load import Fleet


def found(live: Live, *when: str, settled: bool = True) -> dict[str, Alarm]:
    """Alarms by the middle of their key."""
    return {
        alarm.key.split("/", 1)[1]: alarm for alarm in alarms(hub_with(*when), live.snapshot("north"), settled=settled)
    }


# What is wrong


def test_a_cabinet_that_is_critical_and_then_silent_stays_critical() -> None:
    live = fed(cabinet(1, "critical", reasons=["aed: not in its place"]))
    well(live)
    alarm = found(live, "cabinet")["cabinet/cabinet/staff"]
    assert (alarm.critical, alarm.stage, alarm.decided) == (True, 2, True)
    assert (alarm.title, alarm.body) == ("North: defibrillator critical", "AED not in its place")
    live.stored([], [], [state("door", "offline")])
    assert found(live, "cabinet")["cabinet/cabinet/staff"].critical


def test_a_cabinet_that_is_fine_is_no_alarm_and_one_never_heard_of_is_unknown() -> None:
    live = fed(cabinet(1))
    well(live)
    assert found(live, "cabinet") == {}
    alarm = found(fed(), "cabinet")["cabinet/cabinet/staff"]
    assert (alarm.critical, alarm.stage, alarm.decided) == (False, 1, True)
    assert not found(fed(), "cabinet", settled=False)["cabinet/cabinet/staff"].decided


def test_more_people_than_allowed_is_an_alarm_and_not_knowing_decides_nothing() -> None:
    live = fed(passage(5), passage(4))
    well(live)
    assert found(live, "capacity") == {}
    live.stored([passage(3)])
    alarm = found(live, "capacity")["capacity/inside/staff"]
    assert (alarm.critical, alarm.title) == (True, "North: more people inside than the 2 allowed")
    assert alarm.after_ns == 2 * MINUTE
    live.stored([], [], [state("door", "offline")])
    assert not found(live, "capacity")["capacity/inside/staff"].decided


def test_a_unit_that_is_silent_and_a_sensor_that_fails_are_alarms() -> None:
    live = fed()
    well(live)
    assert found(live, "silent") == {}
    live.stored([], [health(-1, sensors={"radar": {"ok": False}})], [state("inside", "offline")])
    assert {key: alarm.body for key, alarm in found(live, "silent").items()} == {
        "silent/door.radar/staff": "It reports a fault",
        "silent/inside/staff": "Last heard 2026-09-21T14:00:00Z",
    }


def test_what_expires_is_reminded_of_at_90_30_and_0_days() -> None:
    """The pads of the sample have ten days left, the battery expired yesterday."""
    stages = {key: (alarm.stage, alarm.critical) for key, alarm in found(fed(), "expiry").items()}
    assert stages == {"expiry/pads/staff": (2, False), "expiry/battery/staff": (3, False)}
    assert "within 30 days" in found(fed(), "expiry")["expiry/pads/staff"].title


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"alerts": [{"when": "capacity", "to": ["staff"]}], "capacity": None}, "needs capacity = PERSONS"),
        ({"alerts": [{"when": "fire", "to": ["staff"]}]}, "fire"),
        ({"alerts": [{"when": "silent", "to": []}]}, "at least 1"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        hub_with(**fields)


# What is told


def alarm(key: str = "a", **fields: Any) -> Alarm:
    base: dict[str, Any] = {"to": ("staff",), "title": "Too warm", "body": "31 °C", "critical": True}
    return Alarm(key, **(base | fields))


class Told:
    """Steps through minutes, and remembers what was told in each."""

    def __init__(self) -> None:
        self.standing: dict[str, Standing] = {}
        self.titles: list[tuple[int, str]] = []
        self.kinds: list[str] = []

    def minute(self, minute: int, *found: Alarm) -> None:
        self.standing, notices = step(self.standing, found, NOW_NS + minute * MINUTE)
        self.titles += [(minute, notice.title) for notice in notices]
        self.kinds += [notice.kind for notice in notices]


def test_raised_once_hourly_while_critical_and_over_once() -> None:
    told = Told()
    for minute in range(130):
        told.minute(minute, alarm())
    for minute in range(130, 200):
        told.minute(minute)
    assert told.titles == [(0, "Too warm"), (60, "Still: Too warm"), (120, "Still: Too warm"), (132, "Over: Too warm")]
    assert told.standing == {}


def test_what_is_not_critical_is_told_once_and_a_further_stage_again() -> None:
    told = Told()
    for minute in range(300):
        told.minute(minute, alarm(critical=False, stage=1 if minute < 200 else 2))
    assert [minute for minute, _ in told.titles] == [0, 200]
    assert told.kinds == ["warning", "warning"]


def test_what_passes_before_its_time_or_flickers_is_not_told_again() -> None:
    told = Told()
    for minute in range(9):
        told.minute(minute, alarm(after_ns=10 * MINUTE))
    told.minute(9)
    assert told.titles == []
    for minute in range(10, 30):
        told.minute(minute, *([alarm()] if minute % 2 else []))
    assert [title for _, title in told.titles] == ["Too warm"]


def test_what_nobody_knows_neither_raises_nor_ends_an_alarm() -> None:
    told = Told()
    told.minute(0, alarm(decided=False))
    told.minute(1, alarm(decided=True))
    for minute in range(2, 30):
        told.minute(minute, alarm(decided=False))
    assert told.titles == [(1, "Too warm")]
    assert list(told.standing) == ["a"]


# What is remembered


def test_messages_that_wait_are_bounded_and_the_oldest_go(tmp_path: Path) -> None:
    book = Book(tmp_path)
    notices = [Notice("staff", str(number), "") for number in range(WAITING_MAX + 5)]
    assert book.record({}, notices, {"staff": 1}, NOW_NS) == 5
    due = book.due("staff/0", NOW_NS)
    assert due is not None
    assert (due.title, book.waiting()) == ("5", WAITING_MAX)
    book.close()


def test_a_ledger_of_before_messages_had_a_kind_still_has_its_messages(tmp_path: Path) -> None:
    old = Book(tmp_path)
    old.record({}, [Notice("staff", "Cold", "", "failure")], {"staff": 1}, NOW_NS)
    old.close()
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as db:
        db.execute("ALTER TABLE notice DROP COLUMN kind")
    book = Book(tmp_path)
    book.record({}, [Notice("staff", "Hot", "", "failure")], {"staff": 1}, NOW_NS)
    told = []
    while (due := book.due("staff/0", NOW_NS)) is not None:
        told.append((due.title, due.kind))
        book.settle(due.number)
    assert told == [("Cold", "warning"), ("Hot", "failure")]
    book.close()


# Who is told


def test_receivers_come_from_a_file_and_the_environment_and_their_secrets_are_never_shown(tmp_path: Path) -> None:
    fleet = Fleet({"north": hub_with("cabinet")})
    file = tmp_path / "receivers.toml"
    file.write_text('staff = ["json://user:secret@127.0.0.1:9/x"]\n')
    environment = {"FOYER_RECEIVER_CARE_TAKER": "json://127.0.0.1:9/a json://127.0.0.1:9/b"}
    told = receivers(fleet, file, environment)
    assert {name: len(urls) for name, urls in told.items()} == {"staff": 1, "care-taker": 2}
    assert receivers(fleet, None, {}) == {}
    with pytest.raises(ConfigError, match="no receiver 'staff'; there are: care-taker"):
        receivers(fleet, None, environment)
    file.write_text('staff = "nonsense:secret"\n')
    with pytest.raises(ConfigError, match="receiver 'staff': address 1 is none") as refused:
        receivers(fleet, file, {})
    assert "secret" not in str(refused.value)
    file.write_text("staff: secret")
    with pytest.raises(ConfigError, match="is not TOML") as refused:
        receivers(fleet, file, {})
    assert "secret" not in str(refused.value)
