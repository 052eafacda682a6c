"""Figures for Prometheus, read by its own parser."""

from __future__ import annotations

import threading
from math import isnan
from urllib.request import urlopen

from collector_rig import HUB, UNIT, Make, Unit, event, ready, run_of, until
from prometheus_client.parser import text_string_to_metric_families
from servers import Mosquitto

from collector.serve import WebServer, listening
from collector.service import Collector
from dashboards.app import create_app


def samples(text: str) -> dict[tuple[str, str], float]:
    """Values by name and label values."""
    return {
        (sample.name, " ".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def figures(collector: Collector) -> dict[tuple[str, str], float]:
    return samples(collector.metrics.text().decode())


def test_what_is_stored_and_what_is_not_is_counted_by_kind(mosquitto: Mosquitto, make: Make) -> None:
    collector = ready(make())
    with Unit(mosquitto) as unit:
        unit.send(event(1), event(2, kind="fault", fault="edges_lost"), event(3, entrance="chimney"))
        unit.publish("events", "nonsense")
        unit.send(event(4, role="counting"), runs=[run_of(range(5, 9))])
        until(lambda: unit.done() == set(range(1, 9)), "done")
        until(lambda: collector.ledger.dead_counts() == {"entrance": 1, "json": 1}, "letters")
        assert all(ack["runs"] for ack in unit.acks), "it says that it reads them"
        until(lambda: figures(collector).get(("foyer_events_total", "passage stored")) == 6, "counted")
        found = figures(collector)
    assert found["foyer_events_total", "passage stored"] == 6
    assert found["foyer_events_total", "fault stored"] == 1
    assert found["foyer_events_total", "passage dead"] == 1
    assert found["foyer_events_total", "unknown dead"] == 1
    assert found["foyer_dead_letters_total", "entrance"] == 1
    assert found["foyer_store_write_seconds_count", ""] >= 1
    assert found["foyer_unit_online", f"{HUB} {UNIT}"] == 1
    assert 20e6 < found["process_resident_memory_bytes", ""] < 1e9


def test_what_is_not_known_is_no_number(mosquitto: Mosquitto, make: Make) -> None:
    collector = ready(make())
    found = figures(collector)
    assert isnan(found["foyer_occupancy_persons", f"value {HUB}"])
    assert isnan(found["foyer_unit_online", f"{HUB} {UNIT}"])
    assert (found["foyer_connected", "broker"], found["foyer_connected", "store"]) == (1, 1)
    mosquitto.stop()
    until(lambda: figures(collector)["foyer_connected", "broker"] == 0, "gone")


def test_they_are_served_as_text(make: Make) -> None:
    collector = ready(make())
    with listening("127.0.0.1", 0) as socket:
        web = WebServer(create_app(collector), socket, collector.live)
        thread = threading.Thread(target=web.run)
        thread.start()
        with urlopen(f"http://127.0.0.1:{socket.getsockname()[1]}/metrics") as answer:
            assert answer.headers["Content-Type"].startswith("text/plain")
            assert ("foyer_queue_messages", "arrived") in samples(answer.read().decode())
        web.end()
        thread.join()
