"""What a unit says that it counted is compared with what is stored of it, over restarts and resets."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from api_rig import Served
from collector_rig import HUB, UNIT
from collector_samples import EPOCH, MINUTE_NS, OTHER_EPOCH, counter, health, parcel, passage
from hypothesis import given, settings
from hypothesis import strategies as st
from servers import Mosquitto

from collector.analysis.buckets import midnight_ns
from collector.analysis.reconcile import SensorDay, reconcile
from collector.store import open_store
from collector.store.base import Store
from firmware_cfg.load import EXAMPLE_FLEET, Fleet
from firmware_cfg.schema import Hub
from firmware_cfg.wire import Health

ROOT = Path(__file__).parents[2]
DAY_NS = midnight_ns(date(2026, 9, 21), ZoneInfo("Europe/London"))
HOUR = 60
BEAMS = {"name": "beams", "kind": "beam-pair", "entrance": "front", "outer_pin": 17, "inner_pin": 27}
FLEET = Fleet(
    {
        "north": Hub.model_validate(
            {
                "id": "north",
                "name": "North",
                "type": "local",
                "entrances": [{"id": "front", "name": "Front", "counting": "beams"}],
                "units": [{"id": "door", "since": "2020-01-01T00:00:00Z", "sensors": [BEAMS]}],
            }
        )
    }
)


def at(minute: float) -> int:
    return DAY_NS + int(minute * MINUTE_NS)


def said(minute: float, in_: int, out: int = 0, *, epoch: str = EPOCH, depth: int = 0) -> Health:
    sensors = {"beams": {"in": in_, "out": out}, "radar": {"in": 2 * in_}}
    return health(at(minute), epoch=epoch, outbox={"depth": depth}, sensors=sensors)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:{tmp_path}/store.db")) as opened:
        yield opened


def beams(store: Store, *, days: int = 1) -> list[SensorDay]:
    end_ns = at(24 * HOUR * days)
    return [day for day in reconcile(store, FLEET, "door", at(0), end_ns) if day.sensor == "beams"]


def passages(*minutes: float, first: int = 1, **fields: Any) -> Any:
    epoch = fields.pop("epoch", EPOCH)
    return parcel(*(passage(seq, at(minute), **fields) for seq, minute in enumerate(minutes, first)), epoch=epoch)


def test_what_is_missing_in_the_store_is_told_per_day_and_sensor(store: Store) -> None:
    store.write([passages(61, 62, 64, persons=2), passages(65, first=8, direction="out")])
    store.write([parcel(counter(20, at(62), 9, 3))])
    store.write([], [said(60, 10, 4), said(63, 14, 4), said(66, 18, 7, depth=3)])
    day, radar = reconcile(store, FLEET, "door", at(0), at(1))
    assert (day.day, day.sensor) == ("2026-09-21", "beams")
    assert (day.reported_in, day.stored_in, day.missing_in) == (8, 6, 2)
    assert (day.reported_out, day.stored_out, day.missing_out) == (3, 1, 2)
    assert (day.compared_minutes, day.waiting, day.new_outboxes, day.went_back) == (6.0, 3, 0, 0)
    assert (radar.sensor, radar.reported_in, radar.stored_in, radar.missing_out) == ("radar", 16, 9, -3)


def test_a_unit_that_was_away_over_midnight_is_compared_on_the_day_it_is_back(store: Store) -> None:
    store.write([passages(-90, -30, 30, 100)])
    store.write([], [said(-100, 5), said(-80, 6), said(200, 9)])
    (day,) = beams(store)
    assert (day.reported_in, day.stored_in, day.compared_minutes) == (3, 3, 280.0)


def test_a_new_outbox_and_a_counter_that_went_back_are_no_differences(store: Store) -> None:
    store.write([passages(10, 20), passages(31, 45, epoch=OTHER_EPOCH), passages(55, first=9)])
    store.write([], [said(5, 100), said(25, 102), said(32, 1, epoch=OTHER_EPOCH), said(50, 2, epoch=OTHER_EPOCH)])
    (day,) = beams(store)
    assert (day.reported_in, day.stored_in, day.missing_in, day.new_outboxes, day.went_back) == (3, 3, 0, 1, 0)
    store.write([], [said(52, 0, epoch=OTHER_EPOCH), said(60, 0, epoch=OTHER_EPOCH)])
    (day,) = beams(store)
    assert (day.missing_in, day.went_back) == (0, 1)


@settings(max_examples=30, deadline=None)
@given(st.sets(st.integers(1, 4 * 24 * HOUR - 1), max_size=30), st.sets(st.integers(0, 4 * 24 * HOUR), min_size=2))
def test_nothing_is_missing_where_nothing_was_lost(minutes: set[int], reports: set[int]) -> None:
    with TemporaryDirectory() as folder, closing(open_store(f"sqlite:{folder}/store.db")) as store:
        ordered = sorted(minutes)
        if ordered:
            store.write([passages(*(minute + 0.5 for minute in ordered))])
        store.write([], [said(minute, sum(each < minute for each in ordered)) for minute in reports])
        days = beams(store, days=4)
    assert [(day.missing_in, day.missing_out) for day in days] == [(0, 0)] * len(days)
    assert sum(day.reported_in for day in days) <= len(minutes)


def test_the_api_and_the_command_tell_it(mosquitto: Mosquitto, tmp_path: Path) -> None:
    with closing(open_store(f"sqlite:{tmp_path}/store.db")) as store:
        report = said(60, 1).model_copy(update={"unit": UNIT, "hub": HUB})
        store.write([], [report, report.model_copy(update={"t_ns": at(61), "sensors": said(61, 3).sensors})])
    with Served(mosquitto, f"sqlite:{tmp_path}/store.db", tmp_path / "state") as http:
        question = {"start": "2026-09-21", "end": "2026-09-22"}
        beams, _radar = http.get(f"/api/v1/units/{UNIT}/days", params=question).json()
        assert (beams["day"], beams["sensor"], beams["missing_in"]) == ("2026-09-21", "beams", 2)
        long = http.get(f"/api/v1/units/{UNIT}/days", params={**question, "end": "2026-12-01"})
        assert (long.status_code, long.json()["detail"]["where"]) == (400, "end")
    command = [sys.executable, "-m", "foyer", "collector", "reconcile", UNIT, "--fleet", str(EXAMPLE_FLEET)]
    command += ["--store", f"sqlite:{tmp_path}/store.db", "--start", "2026-09-21", "--end", "2026-09-22"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[1].split() == ["2026-09-21", "beams", "2", "0", "0", "0", "2", "1", "minutes"]
    command[-4:] = ["--start", "2026-08-01", "--end", "2026-08-02"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"nothing to compare: no health report of {UNIT} in that time\n"
