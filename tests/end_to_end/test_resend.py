"""A collector that lost its store, all of it or what came after a backup, gets back what the unit still has."""

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
from collector.store import copying
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


def stored(collector: Collector) -> int:
    return sum(
        tally.distinct
        for _, epoch in collector.ledger.outboxes.known()
        for tally in collector.store.tally(UNIT, epoch).values()
    )


class Scene:
    """A unit's folder, and collectors that look ever so often; `ahead_ns`: their clocks are ahead by so much."""

    def __init__(self, broker: Mosquitto, folder: Path) -> None:
        self.folder = folder
        self.ahead_ns = 0
        self._broker = broker

    def collector(self, name: str) -> Collector:
        """With the store `NAME.db` and the state folder NAME."""
        endpoint = parse_mqtt_url(self._broker.url)
        store, state = f"sqlite:{self.folder}/{name}.db", self.folder / name
        fleet = load_fleet(EXAMPLE_FLEET)
        collector = Collector(fleet, endpoint, store, state, wall_ns=lambda: time.time_ns() + self.ahead_ns)
        collector.start()
        return collector

    def unit_with(self, trace: str) -> FoyerProcess:
        feed = f"front-beams={TRACES / trace}"
        return agent(UNIT, self._broker.url, self.folder / "unit", "--trace", feed, "--speed", "max")

    def feed(self, collector: Collector, trace: str) -> int:
        """Until all of it is stored and the unit knows; how many events the store has then."""
        before = stored(collector)
        with self.unit_with(trace) as unit:
            wait_until(
                "events", lambda: stored(collector) > before and "passage" in collector.store.tally(*known(collector))
            )
            wait_until("all of them", lambda: not collector.ledger.done(*known(collector)).holes())
            wait_until("the unit knows that they are stored", lambda: not still_open(self.folder / "unit" / "state"))
            unit.stop()
        wait_until("its last words", lambda: len(collector.ledger.done(*known(collector))) == stored(collector))
        return stored(collector)

    def filled_again(self, collector: Collector, first: int, last: int) -> None:
        """The hole from `first` to `last` is seen, asked for, and filled."""
        outbox = known(collector)
        wait_until("the hole", lambda: collector.holes._asks.outboxes == {outbox})
        assert collector.ledger.done(*outbox).holes()[0] == (first, last)
        self.ahead_ns = holes.WAIT_NS[0] + 10**9
        wait_until("what was missing", lambda: not collector.ledger.done(*outbox).holes())
        (state,) = collector.ledger.outboxes.of_unit(UNIT)
        assert (state.missing, state.lost) == (0, 0)


@pytest.fixture
def scene(mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(holes, "LOOK_EVERY_S", 0.2)
    return Scene(mosquitto, tmp_path)


def test_a_new_store_and_ledger_are_filled_again_by_the_unit(scene: Scene) -> None:
    with closing(scene.collector("one")) as one:
        before = scene.feed(one, "in-and-out-in-turn.jsonl")
        outbox = known(one)
    with closing(scene.collector("two")) as two, scene.unit_with("single-in.jsonl"):
        wait_until("events of the next run", lambda: two.ledger.outboxes.known() == [outbox])
        scene.filled_again(two, 1, before)
        (state,) = two.ledger.outboxes.of_unit(UNIT)
        assert stored(two) == state.highest > before


def test_a_store_put_back_from_a_backup_is_filled_again_though_all_was_known_as_done(scene: Scene) -> None:
    store, saved = scene.folder / "one.db", scene.folder / "saved.db"
    with closing(scene.collector("one")) as one:
        before = scene.feed(one, "in-and-out-in-turn.jsonl")
        copying.backup(store, saved)
        after = scene.feed(one, "single-in.jsonl")
        assert after > before
    command = [
        sys.executable,
        "-m",
        "foyer",
        "collector",
        "restore",
        str(saved),
        "--store",
        f"sqlite:{store}",
        "--replace",
    ]
    subprocess.run(command, capture_output=True, check=True, timeout=60)
    with closing(scene.collector("one")) as one:
        wait_until("a look at the store", lambda: one.ledger.done(*known(one)).holes())
        assert stored(one) == before
        with scene.unit_with("single-in.jsonl"):  # fed before, and not again: it only says what is wrong with its pins
            scene.filled_again(one, before + 1, after)
            assert stored(one) >= after
