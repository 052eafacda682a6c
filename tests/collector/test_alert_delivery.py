"""Alerts on their way to real receivers: a restart repeats and forgets nothing; nothing blocks."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from collector_rig import FLEET, HUB, Unit, event, ready, until
from live_samples import HOUR, MINUTE, Clock, cabinet, fed, hub_with, well
from servers import Mosquitto, free_port

from collector.alerts import alerting as alerting_module
from collector.alerts.alerting import Alerting
from collector.live import Live
from collector.service import Collector
from firmware_cfg.endpoint import parse_mqtt_url
from firmware_cfg.load import Fleet
from firmware_cfg.schema import Hub


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
        fleet = Fleet({"north": hub_with("cabinet")})
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
    place = FLEET.hubs[HUB]
    raw = place.model_dump(mode="json") | {"alerts": [{"when": "cabinet", "to": ["staff"]}]}
    fleet = Fleet({**FLEET.hubs, HUB: Hub.model_validate(raw)})
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
