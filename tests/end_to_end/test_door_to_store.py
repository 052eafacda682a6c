"""The main job: what a door's beams say reaches the store, all of it, once, whatever is killed on the way."""

from __future__ import annotations

import csv
import gzip
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from house import agent, collector, replay, wait_until
from servers import Influx, Mosquitto

from collector.store import open_store
from firmware_cfg.load import EXAMPLE_FLEET, load_fleet
from firmware_cfg.times import from_rfc3339
from firmware_cfg.wire import T_NS_MAX
from simulators.broker import EmbeddedBroker

pytestmark = pytest.mark.timeout(240)

T0 = "2026-03-02T09:00:00Z"
SHARED = Path(os.environ.get("FOYER_SHARED", Path(__file__).parents[3] / "shared"))
FLEET = load_fleet(EXAMPLE_FLEET)
UNITS = ["armley-front", "compton-front", "micklefield-front", "micklefield-garden"]
UNITS += ["south-ockendon-main", "south-ockendon-side", "st-georges-front", "st-georges-rear"]
FIELDS = ("direction", "persons", "speed_m_s", "length_m", "confidence")


@dataclass
class Pipeline:
    """A broker and a store, real ones or the embedded ones; `passages` reads back what is stored of a unit."""

    mqtt: str
    store: str
    mosquitto: Mosquitto | None = None
    influx: Influx | None = None
    store_file: Path | None = None

    def passages(self, unit: str) -> list[dict[str, Any]]:
        if self.influx is not None:
            return self.influx.query(f"SELECT * FROM passage WHERE unit = '{unit}'")  # noqa: S608 - a test's own unit
        store = open_store(self.store)
        try:
            hub = FLEET.stays(unit)[0][0].id
            stored = store.events("passage", hub, 0, T_NS_MAX, limit=100_000)
        finally:
            store.close()
        return [event.event.model_dump() for event in stored if event.unit == unit]


@pytest.fixture
def real(mosquitto: Mosquitto, influx: Influx) -> Pipeline:
    store = f"influxdb+{influx.url}/{influx.database}"
    return Pipeline(mosquitto.url, store, mosquitto=mosquitto, influx=influx)


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Pipeline]:
    with EmbeddedBroker(tmp_path) as broker:
        file = tmp_path / "store.db"
        yield Pipeline(str(broker.endpoint), f"sqlite:{file}", store_file=file)


@pytest.fixture(params=["real", "embedded"])
def pipeline(request: pytest.FixtureRequest) -> Pipeline:
    chosen: Pipeline = request.getfixturevalue(request.param)
    return chosen


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An hour of simulated people, followers and all."""
    trace = tmp_path_factory.mktemp("hour") / "hour.jsonl.gz"
    command = [sys.executable, "-m", "foyer", "simulate", "door", "--scenario", "followers", "--seed", "7"]
    truth = trace.with_name("truth.json")
    subprocess.run([*command, "--hours", "1", "-o", str(trace), "--truth", str(truth)], check=True, capture_output=True)
    return trace


def tidos(folder: Path) -> list[Path]:
    """The recorded doors as traces; column a broken before b is somebody going out, so a is the inner beam."""
    recordings = sorted((SHARED / "data/tidos").glob("*.csv"))
    if not recordings:
        pytest.skip(f"no recorded doors at {SHARED}/data/tidos")
    traces = []
    for recording in recordings:
        trace = folder / f"{recording.stem}.jsonl"
        with recording.open(encoding="utf-8", newline="") as source, trace.open("w", encoding="utf-8") as target:
            print(json.dumps({"foyer_trace": 1, "t0": T0, "sensor": "beams"}), file=target)
            levels = {"outer": "0", "inner": "0"}
            for row in csv.DictReader(source):
                for line, level in (("outer", row["b"]), ("inner", row["a"])):
                    if level != levels[line]:
                        print(json.dumps([int(float(row["t_ms"]) * 1_000_000), line, int(level)]), file=target)
                        levels[line] = level
        traces.append(trace)
    return traces


def expected(trace: Path, *options: str) -> list[tuple[Any, ...]]:
    t0_ns = from_rfc3339(T0)
    if "hour" in trace.name:
        t0_ns = header_t0_ns(trace)
    passages = replay(trace, *options)["passages"]
    return sorted((t0_ns + passage["t_ns"], *(passage[field] for field in FIELDS)) for passage in passages)


def header_t0_ns(trace: Path) -> int:
    with gzip.open(trace, "rt", encoding="utf-8") as lines:
        return from_rfc3339(json.loads(next(lines))["t0"])


def found(pipeline: Pipeline, unit: str) -> list[tuple[Any, ...]]:
    key = "time" if pipeline.influx else "t_ns"
    return sorted((row[key], *(row.get(field) for field in FIELDS)) for row in pipeline.passages(unit))


def sensor_of(unit: str) -> str:
    return f"{unit.rsplit('-', 1)[1]}-beams"


def feed(unit: str, trace: Path, speed: str) -> tuple[str, ...]:
    return ("--trace", f"{sensor_of(unit)}={trace}", "--speed", speed)


def test_recorded_doors_are_stored_as_replay_prints_them(pipeline: Pipeline, tmp_path: Path) -> None:
    traces = dict(zip(UNITS, tidos(tmp_path), strict=True))
    with ExitStack() as running:
        running.enter_context(collector(pipeline.mqtt, pipeline.store, tmp_path / "collector"))
        for unit, trace in traces.items():
            running.enter_context(agent(unit, pipeline.mqtt, tmp_path / unit, *feed(unit, trace, "max")))
        for unit, trace in traces.items():
            want = expected(trace, "--separation-m", "0.12")
            wait_until(f"{len(want)} passages of {trace.name}", lambda: len(found(pipeline, unit)) >= len(want))  # noqa: B023 - used at once
            assert found(pipeline, unit) == want
    assert sum(len(found(pipeline, unit)) for unit in UNITS) > 20


def broken_half_way(pipeline: Pipeline, tmp_path: Path, hour: Path, what: str) -> None:
    """Play an hour in seconds, break `what` when a part of it is stored: in the end everything is there, once."""
    unit = "armley-front"
    want = expected(hour)
    assert len(want) > 100
    collecting = collector(pipeline.mqtt, pipeline.store, tmp_path / "collector")
    counting = agent(unit, pipeline.mqtt, tmp_path / unit, *feed(unit, hour, "400"))
    with collecting, counting:
        wait_until("a fifth is stored", lambda: len(found(pipeline, unit)) >= len(want) // 5)
        if what == "collector":
            collecting.kill()
            collecting.start()
        elif what == "unit":
            counting.kill()
            counting.start()
        elif what == "broker":
            assert pipeline.mosquitto is not None
            pipeline.mosquitto.wipe()
        elif what == "store":
            assert pipeline.influx is not None
            pipeline.influx.kill()
            pipeline.influx.start()
        assert len(found(pipeline, unit)) < len(want), "broken too late to show anything"
        wait_until("everything is stored", lambda: len(found(pipeline, unit)) >= len(want))
        assert found(pipeline, unit) == want
        wait_until("the unit forgot what is stored", lambda: not outbox_open(tmp_path / unit))
    assert found(pipeline, unit) == want


def outbox_open(folder: Path) -> int:
    """How many events the unit still holds open, read from its database as it lies."""
    with closing(sqlite3.connect(f"file:{folder}/state/outbox.db?mode=ro", uri=True)) as outbox:
        count: int = outbox.execute("SELECT count(*) FROM event WHERE status = 0").fetchone()[0]
    return count


@pytest.mark.parametrize("what", ["collector", "store", "broker", "unit"])
def test_nothing_is_lost_or_twice_on_real_servers(real: Pipeline, tmp_path: Path, hour: Path, what: str) -> None:
    broken_half_way(real, tmp_path, hour, what)


@pytest.mark.parametrize("what", ["collector", "unit"])
def test_nothing_is_lost_or_twice_on_embedded_parts(embedded: Pipeline, tmp_path: Path, hour: Path, what: str) -> None:
    broken_half_way(embedded, tmp_path, hour, what)
