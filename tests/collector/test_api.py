"""The HTTP interface, really served."""

from __future__ import annotations

import json
import socket
import sqlite3
import struct
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from api_rig import Served
from collector_rig import EPOCH, HUB, Unit, event, until
from servers import Influx, Mosquitto

from collector import live as live_module


@pytest.fixture
def http(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[httpx.Client]:
    with Served(mosquitto, f"sqlite:{tmp_path}/store.db", tmp_path / "state") as client:
        yield client


def events_of(response: httpx.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    """The events of a stream; comments are left out."""
    name = ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def test_hubs_are_described(http: httpx.Client) -> None:
    hubs = {hub["id"]: hub for hub in http.get("/api/v1/hubs").json()}
    assert len(hubs) == 6
    micklefield = hubs["micklefield"]
    assert micklefield["name"] == "Micklefield Library"
    assert micklefield["hours"]["sat"] == ["10:00-13:00"]
    assert [entrance["id"] for entrance in micklefield["entrances"]] == ["front", "garden"]
    assert micklefield["rooms"] == [{"id": "upstairs", "name": "Upstairs room"}]
    assert micklefield["cabinet"] is True
    assert "micklefield-front" in micklefield["units"]


def test_live_and_stream_show_an_event_at_once(http: httpx.Client, mosquitto: Mosquitto) -> None:
    with Unit(mosquitto) as unit, http.stream("GET", "/api/v1/stream") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        stream = events_of(response)
        first = [next(stream) for _ in range(6)]
        assert {name for name, _ in first} == {"live"}
        assert len({live["hub"] for _, live in first}) == 6
        assert {live["occupancy"]["value"] for _, live in first} == {None}
        unit.watches("front-beams")
        ours = (live for _, live in stream if live["hub"] == HUB)
        assert next(live for live in ours if live["occupancy"]["value"] is not None)["occupancy"]["value"] == 0
        sent_s = time.monotonic()
        unit.send(event(1, t_ns=time.time_ns()))
        shown = next(live for _, live in stream if live["hub"] == HUB and live["last_passages"])
        assert time.monotonic() - sent_s < 1.0
        assert shown["visits_today"]["value"] == 1
        assert shown["last_passages"][0]["direction"] == "in"
    live = http.get(f"/api/v1/hubs/{HUB}/live").json()
    assert live["occupancy"]["value"] == 1
    assert live["units"][0]["online"] is True


def test_streams_are_bounded_and_places_become_free(http: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "LISTENERS_MAX", 1)
    with http.stream("GET", "/api/v1/stream") as first:
        events = events_of(first)  # held, as its end closes the connection
        assert next(events)[0] == "live"
        refused = http.get("/api/v1/stream")
        assert refused.status_code == 503
        assert refused.json()["detail"]["what"] == "1 browsers watch already"
    until(lambda: stream_status(http) == 200, "free place")


def test_browsers_that_leave_abruptly_leave_no_trace_in_the_log(
    http: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    host, port = http.base_url.host, http.base_url.port
    assert port is not None
    for _ in range(30):
        with socket.create_connection((host, port)) as browser:
            browser.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # resets on close
            browser.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: foyer\r\n\r\n")
            browser.recv(1)
    until(lambda: stream_status(http) == 200, "serving")
    until(lambda: http.get("/healthz").status_code == 200, "well")
    assert [record for record in caplog.records if record.name.startswith(("uvicorn", "asyncio"))] == []


def stream_status(http: httpx.Client) -> int:
    with http.stream("GET", "/api/v1/stream") as response:
        return response.status_code


def test_footfall_answers_with_lineage(http: httpx.Client, mosquitto: Mosquitto) -> None:
    with Unit(mosquitto) as unit:
        t_ns = 1_772_442_000 * 10**9  # 2026-03-02T09:00:00Z
        unit.send(event(1, t_ns=t_ns), event(2, t_ns=t_ns + 1, direction="out"))
        until(lambda: unit.done(EPOCH) == {1, 2}, "ack")
    question = {"hub": HUB, "start": "2026-03-02", "end": "2026-03-03", "bucket": "1h"}
    answer = http.get("/api/v1/footfall", params=question).json()
    assert answer["total"]["value"] == 1
    values = [bucket["visits"]["value"] for bucket in answer["buckets"]]
    assert values == [None] * 9 + [1] + [None] * 14
    assert answer["lineage"]["raw_events"] == 2
    assert http.get(answer["lineage"]["query"]).json() == answer


@pytest.mark.parametrize(
    ("change", "status", "what", "where"),
    [
        ({"hub": "atlantis"}, 404, "hub 'atlantis' is not known", "hub"),
        ({"start": "yesterday"}, 400, "'yesterday' is neither", "start"),
        ({"end": "2026-13-01"}, 400, "'2026-13-01' is neither", "end"),
        ({"end": "2026-03-02T09:00:00"}, 400, "is neither", "end"),
        ({"end": "2026-03-01"}, 400, "is not after start", "end"),
        ({"start": "0001-01-01"}, 400, "between 1970 and 2100", "start"),
        ({"end": "2099-01-01", "bucket": "15m"}, 400, "more than 10000 buckets of 15m", "bucket"),
    ],
)
def test_a_bad_question_is_told_what_where_and_how_to_mend(
    http: httpx.Client, change: dict[str, str], status: int, what: str, where: str
) -> None:
    question = {"hub": HUB, "start": "2026-03-02", "end": "2026-03-03", "bucket": "1d"} | change
    response = http.get("/api/v1/footfall", params=question)
    assert response.status_code == status
    problem = response.json()["detail"]
    assert what in problem["what"]
    assert problem["where"] == where
    assert problem["mend"]


def test_other_bad_questions_are_refused(http: httpx.Client) -> None:
    question = {"hub": HUB, "start": "2026-03-02", "end": "2026-03-03", "bucket": "1y"}
    assert http.get("/api/v1/footfall", params=question).status_code == 422
    assert http.get("/api/v1/footfall").status_code == 422
    assert http.get("/api/v1/hubs/atlantis/live").status_code == 404


def test_health_tells_the_truth(mosquitto: Mosquitto, influx: Influx, tmp_path: Path) -> None:
    with Served(mosquitto, f"influxdb+{influx.url}/foyer", tmp_path / "state") as http:
        assert http.get("/healthz").json() == {"ok": True, "reasons": {}, "dead_letters": {}}
        influx.stop()
        until(lambda: http.get("/healthz").status_code == 503, "store missed")
        assert list(http.get("/healthz").json()["reasons"]) == ["store"]
        footfall = http.get("/api/v1/footfall", params={"hub": HUB, "start": "2026-03-02", "end": "2026-03-03"})
        assert footfall.status_code == 503
        assert footfall.json()["detail"]["where"] == "store"
        mosquitto.stop()
        until(lambda: len(http.get("/healthz").json()["reasons"]) == 2, "broker missed")
        influx.start()
        mosquitto.start()
        until(lambda: http.get("/healthz").status_code == 200, "well again")


def test_readiness_tells_whether_questions_can_be_answered(
    mosquitto: Mosquitto, influx: Influx, tmp_path: Path
) -> None:
    with Served(mosquitto, f"influxdb+{influx.url}/foyer", tmp_path / "state") as http:
        until(lambda: http.get("/readyz").status_code == 200, "ready")
        mosquitto.stop()
        until(lambda: list(http.get("/healthz").json()["reasons"]) == ["broker"], "broker missed")
        assert http.get("/readyz").json() == {"ok": True, "reasons": {}, "dead_letters": {}}
        influx.stop()
        until(lambda: http.get("/readyz").status_code == 503, "store missed")
        assert list(http.get("/readyz").json()["reasons"]) == ["store"]


def test_a_ledger_that_cannot_be_written_is_told_and_nothing_is_lost(
    http: httpx.Client, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "state" / "ledger.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with Unit(mosquitto) as unit:
            unit.send(event(1))
            until(lambda: list(http.get("/healthz").json()["reasons"]) == ["ledger"], "ledger missed")
            assert "database is locked" in http.get("/readyz").json()["reasons"]["ledger"]
            assert unit.done() == set()
            other.execute("ROLLBACK")
            until(lambda: unit.done() == {1}, "ack")
            until(lambda: http.get("/healthz").status_code == 200, "well again")


def test_dead_letters_are_counted_and_shown_and_are_no_failure(http: httpx.Client, mosquitto: Mosquitto) -> None:
    assert http.get("/api/v1/dead-letters").json() == {"counts": {}, "letters": []}
    with Unit(mosquitto) as unit:
        unit.send(event(1, entrance="chimney"))
        until(lambda: unit.done() == {1}, "ack")
        unit.publish("events", "not json " + "x" * 20_000)
        until(lambda: http.get("/healthz").json()["dead_letters"] == {"entrance": 1, "json": 1}, "counts")
    assert http.get("/healthz").status_code == 200
    answer = http.get("/api/v1/dead-letters").json()
    assert answer["counts"] == {"entrance": 1, "json": 1}
    long, misplaced = answer["letters"]
    assert (long["bytes"], len(long["payload"].encode()) < 20_000) == (20_009, True)
    assert misplaced["reason"] == "entrance 'chimney' is not in hub 'strood'"
    assert (misplaced["topic"], misplaced["seqs"]) == ("foyer/v1/strood/strood-front/events", [1])
    assert json.loads(misplaced["payload"])["entrance"] == "chimney"
    assert misplaced["t"].startswith("20")
    assert [letter["code"] for letter in http.get("/api/v1/dead-letters?limit=1").json()["letters"]] == ["json"]


def test_every_route_is_described(http: httpx.Client) -> None:
    paths = http.get("/openapi.json").json()["paths"]
    assert set(paths) == {
        "/api/v1/hubs",
        "/api/v1/hubs/{hub}/live",
        "/api/v1/stream",
        "/api/v1/footfall",
        "/api/v1/visits/hours",
        "/api/v1/visits/days",
        "/api/v1/visits/heatmap",
        "/api/v1/visits/years",
        "/api/v1/units/{unit}",
        "/api/v1/units/{unit}/days",
        "/api/v1/corrections",
        "/api/v1/corrections/{number}",
        "/api/v1/dead-letters",
        "/healthz",
        "/readyz",
        "/metrics",
    }
    assert all(method["description"] for path in paths.values() for method in path.values())
    documented = Path(__file__).parents[2].joinpath("docs", "analyse.md").read_text(encoding="utf-8")
    assert [path for path in paths if path not in documented] == []


@pytest.mark.parametrize(
    ("address", "status", "where"),
    [
        ("hours?hub=nowhere&start=2026-01-01&end=2026-02-01", 404, "hub"),
        ("hours?hub=strood&start=2026-02-01&end=2026-01-01", 400, "end"),
        ("hours?hub=strood&start=2016-01-01&end=2026-01-01", 400, "start"),
        ("days?start=yesterday&end=2026-01-01", 400, "start"),
        ("heatmap?hub=nowhere&start=2026-01-01&end=2026-02-01", 404, "hub"),
        ("years?year=2026&hub=nowhere", 404, "hub"),
    ],
)
def test_visits_that_cannot_be_answered_are_refused_with_what_to_do(
    http: httpx.Client, address: str, status: int, where: str
) -> None:
    answer = http.get(f"/api/v1/visits/{address}")
    assert answer.status_code == status
    assert answer.json()["detail"]["where"] == where
    assert answer.json()["detail"]["mend"]


def test_what_arrives_is_rolled_up_and_every_answer_says_how_to_get_it_again(
    http: httpx.Client, mosquitto: Mosquitto
) -> None:
    now = datetime.now(ZoneInfo("Europe/London"))
    start, end = now.date() - timedelta(days=9), now.date() + timedelta(days=1)
    with Unit(mosquitto) as unit:
        late_ns = time.time_ns() - 9 * 24 * 3600 * 10**9
        unit.send(event(1), event(2, t_ns=late_ns), event(3, t_ns=late_ns + 1, direction="out"))
        until(lambda: unit.done() == {1, 2, 3}, "acks")
    stretch = f"start={start}&end={end}"
    for kept in ("heatmap", "days"):  # hours and days are rolled up one after the other
        address = f"/api/v1/visits/{kept}?{stretch}"
        until(lambda address=address: http.get(address).json()["lineage"]["raw_events"] == 3, kept)
    raw = http.get(f"/api/v1/footfall?hub={HUB}&{stretch}&bucket=1d").json()
    days = http.get(f"/api/v1/visits/days?{stretch}").json()
    assert days["hubs"][HUB]["visits"]["value"] == [bucket["visits"]["value"] for bucket in raw["buckets"]]
    assert days["hubs"][HUB]["exits"]["value"] == [bucket["exits"]["value"] for bucket in raw["buckets"]]
    assert days["all"]["visits"]["value"] == days["hubs"][HUB]["visits"]["value"]
    for address in (f"hours?hub={HUB}&{stretch}", f"days?{stretch}", f"heatmap?{stretch}", f"years?year={now.year}"):
        answer = http.get(f"/api/v1/visits/{address}").json()
        again = http.get(answer["lineage"]["query"]).json()
        assert (again.keys(), again["lineage"]) == (answer.keys(), answer["lineage"])
