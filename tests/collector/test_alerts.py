"""Alerts: raised once, hourly while critical, over once; a restart repeats and forgets nothing; nothing blocks."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from collector_rig import FLEET, Unit, event, ready, until
from collector_rig import HUB as HUB_NAME
from live_samples import HUB, MINUTE, NOW_NS, Clock, cabinet, fed, health, passage, state
from servers import Mosquitto, free_port

from collector.alerts import alerting as alerting_module
from collector.alerts.alerting import Alerting
from collector.alerts.book import WAITING_MAX, Book
from collector.alerts.receivers import receivers
from collector.alerts.rules import Alarm, alarms
from collector.alerts.standing import Notice, Standing, step
from collector.live import Live
from collector.service import Collector
from firmware_cfg.endpoint import parse_mqtt_url
from firmware_cfg.errors import ConfigError
from firmware_cfg.load import Fleet
from firmware_cfg.schema import Hub

HOUR = 60 * MINUTE


def hub(*when: str, **fields: Any) -> Hub:
    rules = [{"when": each, "to": ["staff"]} for each in when]
    return Hub.model_validate(HUB.model_dump(mode="json") | {"capacity": 2, "alerts": rules} | fields)


def found(live: Live, *when: str, settled: bool = True) -> dict[str, Alarm]:
    """Alarms by the middle of their key."""
    return {alarm.key.split("/", 1)[1]: alarm for alarm in alarms(hub(*when), live.snapshot("north"), settled=settled)}


def well(live: Live) -> None:
    """Both units report, and their sensors have worked since yesterday."""
    sensors = {name: {"ok_since_ns": NOW_NS - 24 * HOUR} for name in ("beams", "radar", "aed")}
    live.stored([], [health(0, sensors=sensors), health(0, "inside", {"presence": {}})])


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
        hub(**fields)


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
    fleet = Fleet({"north": hub("cabinet")})
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


# Real receivers


class Inbox(ThreadingHTTPServer):
    """An HTTP receiver that keeps what it got; while `slow` it answers nothing."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        self.got: list[dict[str, Any]] = []
        self.slow = threading.Event()
        super().__init__(("127.0.0.1", port), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.slow.clear()
        self.shutdown()
        self.server_close()

    def titles(self) -> list[str]:
        return [each["title"] for each in self.got]


class _Handler(BaseHTTPRequestHandler):
    server: Inbox

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        while self.server.slow.is_set():
            time.sleep(0.05)
        self.server.got.append(body)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Mailbox:
    def __init__(self) -> None:
        self.got: list[bytes] = []

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.got.append(envelope.content)
        return "250 OK"


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    made = Inbox()
    yield made
    made.stop()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerting_module, "LOOK_S", 0.1)
    monkeypatch.setattr(alerting_module, "BACKOFF_S", (0, 0))


Begin = Callable[..., Alerting]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    made: list[Alerting] = []

    def start(live: Live, clock: Clock, *urls: str) -> Alerting:
        fleet = Fleet({"north": hub("cabinet")})
        alerting = Alerting(fleet, live, tmp_path, {"staff": list(urls)}, wall_ns=clock, seeded=lambda: True)
        alerting.start()
        made.append(alerting)
        return alerting

    yield start
    for alerting in made:
        alerting.close()


def critical(clock: Clock) -> Live:
    live = fed(cabinet(1, "critical", reasons=["aed: not in its place"]), clock=clock)
    well(live)
    return live


@pytest.mark.usefixtures("quick")
def test_mail_and_http_get_an_alarm_once_over_a_restart_and_when_it_is_over(inbox: Inbox, begin: Begin) -> None:
    clock, mailbox = Clock(), Mailbox()
    port = free_port()
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    http = f"json://127.0.0.1:{inbox.server_port}/"
    mail = f"mailto://127.0.0.1:{port}?from=foyer@example.org&to=staff@example.org"
    live = critical(clock)
    first = begin(live, clock, http, mail)
    until(lambda: inbox.got and mailbox.got, "both told")
    assert inbox.got[0]["message"] == "AED not in its place. Since 2026-09-21T14:00:00Z."
    assert b"Subject: North: defibrillator critical" in mailbox.got[0]
    until(lambda: first.counts() == (1, 0), "both yeses in the ledger")
    first.close()
    second = begin(live, clock, http, mail)
    time.sleep(1.0)
    assert (len(inbox.got), len(mailbox.got)) == (1, 1)
    assert second.counts() == (1, 0)
    clock.now_ns += HOUR
    live.stored([cabinet(-60, "critical", reasons=["aed: not in its place"])])
    until(lambda: len(inbox.got) == 2, "told again after an hour")
    live.stored([cabinet(-60.5)])
    until(lambda: second._book and all(each.away_ns for each in second._book.standing().values()), "away")
    clock.now_ns += 3 * MINUTE
    until(lambda: len(inbox.got) == 3 and len(mailbox.got) == 3, "over")
    assert [(each["title"], each["type"]) for each in inbox.got] == [
        ("North: defibrillator critical", "failure"),
        ("Still: North: defibrillator critical", "failure"),
        ("Over: North: defibrillator critical", "success"),
    ]
    second.close()
    controller.stop()


@pytest.mark.usefixtures("quick")
def test_a_receiver_that_is_down_gets_it_later_and_nothing_is_told_twice(begin: Begin) -> None:
    gone = Inbox()
    port = gone.server_port
    gone.stop()
    clock = Clock()
    live = critical(clock)
    first = begin(live, clock, f"json://127.0.0.1:{port}/")
    until(lambda: first.counts() == (1, 1), "waits")
    time.sleep(1.5)
    assert first.counts() == (1, 1)
    first.close()
    second = begin(live, clock, f"json://127.0.0.1:{port}/")
    back = Inbox(port)
    until(lambda: second.counts() == (1, 0), "delivered")
    assert back.titles() == ["North: defibrillator critical"]
    back.stop()


@pytest.mark.usefixtures("quick")
def test_a_slow_receiver_delays_neither_others_nor_the_end(inbox: Inbox, begin: Begin) -> None:
    slow = Inbox()
    slow.slow.set()
    clock = Clock()
    urls = (f"json://127.0.0.1:{slow.server_port}/?rto=60", f"json://127.0.0.1:{inbox.server_port}/")
    alerting = begin(critical(clock), clock, *urls)
    until(lambda: inbox.got, "the other one told")
    begun = time.monotonic()
    alerting.close()
    assert time.monotonic() - begun < 10
    assert slow.got == []
    slow.stop()


@pytest.mark.usefixtures("quick")
def test_a_message_that_cannot_be_delivered_for_a_day_is_given_up(
    begin: Begin, caplog: pytest.LogCaptureFixture
) -> None:
    gone = Inbox()
    gone.stop()
    clock = Clock()
    alerting = begin(critical(clock), clock, f"json://user:secret@127.0.0.1:{gone.server_port}/")
    until(lambda: alerting.counts() == (1, 1), "waits")
    clock.now_ns += 25 * HOUR
    until(lambda: "given up" in caplog.text, "given up")
    assert "secret" not in caplog.text


@pytest.mark.usefixtures("quick")
def test_what_a_unit_says_reaches_the_receiver(inbox: Inbox, mosquitto: Mosquitto, tmp_path: Path) -> None:
    place = FLEET.hubs[HUB_NAME]
    raw = place.model_dump(mode="json") | {"alerts": [{"when": "cabinet", "to": ["staff"]}]}
    fleet = Fleet({**FLEET.hubs, HUB_NAME: Hub.model_validate(raw)})
    told = {"staff": [f"json://127.0.0.1:{inbox.server_port}/"]}
    store = f"sqlite:{tmp_path}/store.db"
    collector = Collector(fleet, parse_mqtt_url(mosquitto.url), store, tmp_path / "state", receivers=told)
    collector.start()
    try:
        ready(collector)
        with Unit(mosquitto) as unit:
            box = {"sensor": "cabinet", "level": "critical", "door": "open", "aed": "absent", "mains": "on"}
            reading = event(1, kind="cabinet", **box, reasons=["aed: not in its place"])
            unit.send({key: value for key, value in reading.items() if key not in ("entrance", "direction")})
            until(lambda: inbox.got, "told")
            assert inbox.titles() == [f"{place.name}: defibrillator critical"]
            unit.send(event(2))
            until(lambda: unit.done() == {1, 2}, "counting goes on")
    finally:
        collector.close()
