"""What the collector does, as figures for Prometheus."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from pydantic_core import from_json

from collector.answers import Live
from collector.ingest import DeadLetter
from collector.parsing import PARSED_BYTES_MAX
from collector.store.base import Parcel
from firmware_cfg.wire import KINDS

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Now:
    """What is asked for at each scrape. `alarms` None: the ledger cannot be read."""

    connected: Mapping[str, bool]
    queue: Mapping[str, int]
    dead_letters: Mapping[str, int]
    hubs: Sequence[Live]
    alarms: tuple[int, int] | None


class Metrics(Collector):
    """A registry of its own. Counting may happen in any thread."""

    def __init__(self) -> None:
        self.now: Callable[[], Now] | None = None
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._events = Counter(
            "foyer_events",
            "Events by kind and outcome, resends among them",
            ["kind", "outcome"],
            registry=self._registry,
        )
        self.store_seconds = Histogram(
            "foyer_store_write_seconds",
            "How long the store took for a batch",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._registry.register(self)

    def stored(self, parcels: Iterable[Parcel]) -> None:
        kinds = Tally([event.kind for parcel in parcels for event in parcel.single])
        for parcel in parcels:
            for run in parcel.runs:
                kinds["passage"] += len(run.seq)
        for kind, count in kinds.items():
            self._events.labels(kind, "stored").inc(count)

    def dead(self, letters: Iterable[DeadLetter]) -> None:
        """A whole message that cannot be read has as many events as it has numbers, of kind `unknown`."""
        for letter in letters:
            self._events.labels(_kind(letter.payload), "dead").inc(max(1, len(letter.seqs)))

    def text(self) -> bytes:
        """The exposition, in Prometheus's text format."""
        return generate_latest(self._registry)

    def describe(self) -> Iterator[Metric]:
        """Nothing ahead of time: what there is depends on who asks."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        if self.now is None:
            return
        now = self.now()
        yield _gauge("foyer_connected", "Whether broker and store can be reached", "part", now.connected)
        yield _gauge("foyer_queue_messages", "Messages on their way into the store", "stage", now.queue)
        letters = CounterMetricFamily("foyer_dead_letters", "Dead letters ever kept, by code", labels=["code"])
        for code, count in now.dead_letters.items():
            letters.add_metric([code], count)
        yield letters
        if now.alarms is not None:
            yield GaugeMetricFamily("foyer_alarms", "Alarms that stand", value=now.alarms[0])
            yield GaugeMetricFamily("foyer_alert_messages_waiting", "Not delivered yet", value=now.alarms[1])
        yield from _hubs(now.hubs)


def _hubs(hubs: Sequence[Live]) -> Iterator[Metric]:
    units = GaugeMetricFamily("foyer_unit_online", "1, 0, or NaN where nothing was heard yet", labels=["hub", "unit"])
    inside = GaugeMetricFamily(
        "foyer_occupancy_persons", "People inside, NaN where unknown; low and high hold 95 %", labels=["hub", "bound"]
    )
    visits = GaugeMetricFamily("foyer_visits_today_persons", "Visits since local midnight", labels=["hub"])
    for hub in hubs:
        for unit in hub.units:
            units.add_metric([hub.hub, unit.id], _number(unit.online))
        for bound in ("value", "low", "high"):
            inside.add_metric([hub.hub, bound], _number(getattr(hub.occupancy, bound)))
        visits.add_metric([hub.hub], _number(hub.visits_today.value))
    yield units
    yield inside
    yield visits


def _gauge(name: str, about: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(name, about, labels=[label])
    for key, value in values.items():
        gauge.add_metric([key], float(value))
    return gauge


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _kind(payload: bytes) -> str:
    if len(payload) > PARSED_BYTES_MAX:
        return "unknown"
    try:
        raw = from_json(payload)
    except ValueError:
        return "unknown"
    kind = raw.get("kind") if isinstance(raw, dict) else None
    return kind if isinstance(kind, str) and kind in KINDS else "unknown"
