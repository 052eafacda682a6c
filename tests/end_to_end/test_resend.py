"""A collector that lost its store and its ledger gets back from the unit what the unit still has."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from house import FoyerProcess, agent, wait_until
from servers import Mosquitto

from collector import holes
from collector.service import Collector
from firmware_cfg.endpoint import parse_mqtt_url
from firmware_cfg.load import EXAMPLE_FLEET, load_fleet

pytestmark = pytest.mark.timeout(240)

UNIT = "compton-front"
TRACES = Path(__file__).parents[1] / "traces"


def still_open(state: Path) -> str:
    command = [sys.executable, "-m", "foyer", "agent", "outbox", "export", str(state), "--status", "open"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def known(collector: Collector) -> tuple[str, str]:
    """The unit's only outbox."""
    (outbox,) = collector.ledger.outboxes.known()
    return outbox


def test_a_new_store_and_ledger_are_filled_again_by_the_unit(
    mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holes, "LOOK_EVERY_S", 0.2)
    ahead_ns = 0

    def wall_ns() -> int:
        return time.time_ns() + ahead_ns

    def started(name: str) -> Collector:
        endpoint = parse_mqtt_url(mosquitto.url)
        store = f"sqlite:{tmp_path}/{name}.db"
        collector = Collector(load_fleet(EXAMPLE_FLEET), endpoint, store, tmp_path / name, wall_ns=wall_ns)
        collector.start()
        return collector

    def unit_with(trace: str) -> FoyerProcess:
        feed = f"front-beams={TRACES / trace}"
        return agent(UNIT, mosquitto.url, tmp_path / "unit", "--trace", feed, "--speed", "max")

    def stored(collector: Collector) -> int:
        return sum(
            tally.distinct
            for _, epoch in collector.ledger.outboxes.known()
            for tally in collector.store.tally(UNIT, epoch).values()
        )

    with closing(started("one")) as one, unit_with("in-and-out-in-turn.jsonl") as unit:
        wait_until("events", lambda: one.ledger.outboxes.known() and "passage" in one.store.tally(*known(one)))
        wait_until("all of them", lambda: not one.ledger.done(*known(one)).holes())
        wait_until("the unit knows that they are stored", lambda: not still_open(tmp_path / "unit" / "state"))
        unit.stop()
        wait_until("its last words", lambda: len(one.ledger.done(*known(one))) == stored(one))
        before = stored(one)
        outbox = known(one)
    with closing(started("two")) as two, unit_with("single-in.jsonl"):
        wait_until("events of the next run", lambda: two.ledger.outboxes.known() == [outbox])
        wait_until("the hole", lambda: two.holes._asks.outboxes == {outbox})
        assert two.ledger.done(*outbox).holes()[0] == (1, before)
        ahead_ns = holes.WAIT_NS[0] + 10**9
        wait_until("what was missing", lambda: not two.ledger.done(*outbox).holes())
        (state,) = two.ledger.outboxes.of_unit(UNIT)
        assert (state.missing, state.lost) == (0, 0)
        assert stored(two) == state.highest > before
