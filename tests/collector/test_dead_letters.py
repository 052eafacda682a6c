"""What cannot be stored is kept with the reason, never in anybody's way, and can be stored once its cause is mended."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import httpx
import pytest
from collector_rig import EPOCH, HUB, UNIT, Make, Unit, event, ready, run_of, until
from collector_samples import T0_NS, parcel, passage
from house import collector as collector_process
from house import wait_until
from pipeline_rig import Rig
from servers import Influx, Mosquitto, answers

from collector.ingest import DeadLetter, Ingest
from collector.ledger import Ledger
from collector.letters import retry
from collector.store import open_store
from collector.store.base import Parcel, Refused, StoreUnavailable, Tally
from collector.store.embedded import EmbeddedStore
from collector.subscriber import RECEIVE_MAX
from firmware_cfg.load import EXAMPLE_FLEET, load_fleet
from firmware_cfg.wire import Health

ROOT = Path(__file__).parents[2]


def foyer(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "foyer", "collector", "dead-letters", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def health(now_ns: int, **sensors: Any) -> str:
    report = {
        "v": 1,
        "unit": UNIT,
        "hub": HUB,
        "session": "s",
        "epoch": EPOCH,
        "t_ns": now_ns,
        "clock": "synced",
        "uptime_s": 1.0,
        "version": "1",
        "outbox": {"depth": 0},
        "sensors": sensors,
    }
    return json.dumps(report)


def test_what_influxdb_refuses_is_kept_and_stored_once_when_the_conflict_is_gone(
    mosquitto: Mosquitto, influx: Influx, make: Make, tmp_path: Path
) -> None:
    now_ns = time.time_ns()
    influx.write(f'passage,sensor=other persons="text" {now_ns}', f'health,sensor=other chatter="text" {now_ns}')
    url = f"influxdb+{influx.url}/foyer"
    collector = ready(make(store=url))
    with Unit(mosquitto) as unit:
        fault = event(2, kind="fault", fault="line_noise", direction=None)
        unit.send(event(1), fault, event(3))
        unit.publish("health", health(now_ns, **{"front-beams": {}}))
        until(lambda: unit.done() == {1, 2, 3}, "ack")
        until(lambda: collector.ledger.dead_counts() == {"refused": 3}, "letters")
        unit.send(event(4, kind="fault", fault="line_noise"))
        until(lambda: unit.done() == {1, 2, 3, 4}, "what came after")
        assert collector.store.tally(UNIT, EPOCH) == {"fault": Tally(2, 2)}
        reasons = {pair[0]: pair[1] for ack in unit.acks for pair in ack["rejected"]}
        assert all("persons" in reasons[seq] and "conflict" in reasons[seq] for seq in (1, 3))
        topics = sorted(kept.letter.topic.rpartition("/")[2] for kept in collector.ledger.dead_letters())
        assert topics == ["events", "events", "health"]

        options = ("--state", tmp_path / "state", "--fleet", EXAMPLE_FLEET, "--store", url)
        still = foyer("retry", *options)
        assert (still.returncode, still.stdout) == (1, "0 stored, 0 letters gone, 3 stay\n")
        for measurement in ("passage", "health"):
            influx.query(f"DROP MEASUREMENT {measurement}")
        mended = foyer("retry", *options)
        assert (mended.returncode, mended.stdout) == (0, "3 stored, 3 letters gone, 0 stay\n"), mended.stderr
        assert foyer("retry", *options).stdout == "0 stored, 0 letters gone, 0 stay\n"
        assert collector.store.tally(UNIT, EPOCH) == {"passage": Tally(2, 2), "fault": Tally(2, 2)}
        assert collector.ledger.dead_letters() == []
        assert influx.query("SELECT count(chatter) AS n FROM health")[0]["n"] == 1
        unit.send(event(5))
        until(lambda: 5 in unit.done(), "the collector goes on")


def requests(influx: Influx) -> int:
    with urlopen(f"{influx.url}/debug/vars") as answer:  # noqa: S310 - our own http URL
        return next(found for name, found in json.load(answer).items() if name.startswith("httpd"))["values"][
            "writeReq"
        ]


def test_a_batch_of_which_nearly_nothing_fits_is_refused_with_few_requests(influx: Influx) -> None:
    influx.write(f'passage,sensor=other persons="text" {T0_NS}')
    with closing(open_store(f"influxdb+{influx.url}/foyer")) as store:
        store.write([parcel(passage(1, 5))])  # in another shard, and the server is known from now on
        before = requests(influx)
        refused = store.write([parcel(*(passage(seq) for seq in range(1, 5001)))])
        assert len(refused) == 5000
        assert requests(influx) - before < 30


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Path]:
    """The example fleet, with another unit in Strood."""
    folder = tmp_path / "hubs"
    shutil.copytree(EXAMPLE_FLEET, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    hub = folder / f"{HUB}.toml"
    text = hub.read_text(encoding="utf-8")
    hub.write_text(text + '\n[[units]]\nid = "strood-new"\nsince = 2020-01-01T00:00:00Z\n', encoding="utf-8")
    return folder


def test_an_unknown_unit_and_an_oversized_batch_are_kept_shown_exported_and_stored_once(
    mosquitto: Mosquitto, make: Make, tmp_path: Path, fleet: Path
) -> None:
    collector = ready(make())
    state = ("--state", tmp_path / "state")
    with Unit(mosquitto, "strood-new") as stranger, Unit(mosquitto) as unit:
        stranger.send(event(1, kind="fault", fault="line_noise", sensor="unit"))
        unit.send(*(event(seq) for seq in range(1, 202)), event(202, entrance="chimney"))
        unit.publish("events", "not json")
        unit.send(event(203))
        until(lambda: unit.done() == set(range(1, 204)), "acks")
        until(lambda: len(collector.ledger.dead_letters()) == 3, "letters")
    listed = foyer("list", *state)
    assert [line.split()[2] for line in listed.stdout.splitlines()] == ["unknown_unit", "too_many", "json"]
    assert "unit 'strood-new' is not in the registry" in listed.stdout
    assert [line.split()[2] for line in foyer("list", *state, "--code", "json").stdout.splitlines()] == ["json"]
    exported = [json.loads(line) for line in foyer("export", *state).stdout.splitlines()]
    assert [letter["code"] for letter in exported] == ["unknown_unit", "too_many", "json"]
    assert exported[1]["seqs"] == list(range(1, 203))
    assert json.loads(exported[1]["payload"])["unit"] == UNIT
    assert exported[2]["payload"] == "not json"

    done = foyer("retry", *state, "--fleet", fleet, "--store", f"sqlite:{tmp_path}/store.db")
    assert (done.returncode, done.stdout) == (1, "202 stored, 2 letters gone, 2 stay\n"), done.stderr
    assert collector.store.tally(UNIT, EPOCH) == {"passage": Tally(202, 202)}
    assert collector.store.tally("strood-new", EPOCH) == {"fault": Tally(1, 1)}
    assert sorted(kept.letter.code for kept in collector.ledger.dead_letters()) == ["entrance", "json"]
    assert collector.ledger.dead_counts() == {"json": 1, "too_many": 1, "unknown_unit": 1}  # no news among them


def test_a_retry_that_is_cut_off_stores_nothing_twice(tmp_path: Path) -> None:
    ledger, store = Ledger(tmp_path), open_store(f"sqlite:{tmp_path}/store.db")
    payload = json.dumps(event(7)).encode()
    ledger.record(1, dead=[DeadLetter(f"foyer/v1/{HUB}/{UNIT}/events", payload, "place", "was not", UNIT, EPOCH, (7,))])

    class CutOff(type(ledger.letters)):  # type: ignore[misc]  # whatever its class is
        def replace(self, *_: object) -> None:
            raise StoreUnavailable("the power goes")

    cut = CutOff(ledger._database)
    ingest = Ingest(load_fleet(EXAMPLE_FLEET))
    for letters in (cut, cut, ledger.letters):
        try:
            outcome = retry(letters, letters.oldest_first(), ingest, store, time.time_ns)
        except StoreUnavailable:
            assert len(ledger.dead_letters()) == 1
    assert (outcome.stored, outcome.gone, outcome.stay) == (1, 1, 0)
    assert store.tally(UNIT, EPOCH) == {"passage": Tally(1, 1)}
    assert ledger.dead_letters() == []
    store.close()
    ledger.close()


def test_a_folder_without_a_ledger_is_one_clear_sentence(tmp_path: Path) -> None:
    done = foyer("list", "--state", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"foyer: --state {tmp_path}: there is no ledger.sqlite; give the folder of a collector\n"


@pytest.mark.parametrize("columns", [False, True])
def test_a_message_on_which_the_store_fails_blocks_nothing(mosquitto: Mosquitto, tmp_path: Path, columns: bool) -> None:
    class Fragile(EmbeddedStore):
        def write(self, parcels: Sequence[Parcel], reports: Sequence[Health] = ()) -> list[Refused]:
            if any(event.seq == 13 for parcel in parcels for event in parcel.events):
                raise OverflowError("a number that nobody foresaw")
            return super().write(parcels, reports)

    with Rig(mosquitto, tmp_path, store=Fragile) as rig, Unit(mosquitto) as unit:
        if columns:
            unit.send(event(1, role="counting"), runs=[run_of(range(2, 31))])
        else:
            unit.send(*(event(seq) for seq in range(1, 31)))
        unit.send(event(31))
        until(lambda: unit.done() == set(range(1, 32)), "acks")
        assert rig.store.tally(UNIT, EPOCH) == {"passage": Tally(30, 30)}
        (kept,) = rig.ledger.dead_letters()
        assert (kept.letter.code, kept.letter.seqs) == ("refused", (13,))
        assert "a number that nobody foresaw" in kept.letter.reason


def resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


def test_memory_stays_flat_while_influxdb_is_away(mosquitto: Mosquitto, influx: Influx, tmp_path: Path) -> None:
    """Twice as many messages more than the broker may have out, 30 MB, do not make the collector any bigger."""
    noise = {"kind": "fault", "fault": "line_noise", "detail": "x" * 500}

    def flood(unit: Unit, first: int, messages: int) -> None:
        for start in range(first, first + 20 * messages, 20):
            unit.send_soon(*(event(seq, **noise) for seq in range(start, start + 20)))
        unit.publish("events", "{}")  # with the broker, and so is what came before

    def queued(port: int) -> float:
        metrics = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        return sum(float(line.split()[1]) for line in metrics.splitlines() if line.startswith("foyer_queue_messages{"))

    def most_mib(pid: int) -> float:
        """Over longer than the longest pause between two tries to store."""
        sizes = []
        for _ in range(30):
            time.sleep(0.2)
            sizes.append(resident_mib(pid))
        return max(sizes)

    with (
        collector_process(mosquitto.url, f"influxdb+{influx.url}/foyer", tmp_path / "process") as process,
        Unit(mosquitto) as unit,
    ):
        assert process.process is not None
        pid = process.process.pid
        until(lambda: answers(f"http://127.0.0.1:{process.port}/healthz"), "collector")
        influx.stop()
        flood(unit, 1, 1_200)
        wait_until("all that is let in", lambda: queued(process.port) >= RECEIVE_MAX)
        before_mib = most_mib(pid)
        flood(unit, 24_001, 2_000)
        grown_mib = most_mib(pid) - before_mib
        assert queued(process.port) == RECEIVE_MAX
        assert unit.done() == set()
        influx.start()
        wait_until("acks", lambda: len(unit.done()) == 64_000)
    assert grown_mib < 10, f"{grown_mib:.1f} MiB more than the {before_mib:.1f} for 2,000 messages more"
