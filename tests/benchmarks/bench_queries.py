"""How long questions about a year take, on both stores.

    python tests/benchmarks/bench_queries.py [--full] [--only embedded|influx] [--keep FOLDER]

A year of passages is put straight into the store as its own writes would have put it, 1,427 a day and hub, with
health reports that vouch for all of it; then the collector's own code rolls it up. Six hubs by default; `--full` takes
48, which are 25 million passages. Each question is asked once, then five times: the middle one counts, from the
question until its JSON is there. Exit 1 where one takes longer than its limit, or where the sums are not those of what
was put in.
"""

from __future__ import annotations

import argparse
import logging
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from pydantic import BaseModel  # noqa: E402 - after the path
from servers import Influx  # noqa: E402 - after the path

from collector.analysis import visits  # noqa: E402 - after the path
from collector.analysis.buckets import midnight_ns  # noqa: E402 - after the path
from collector.analysis.footfall import footfall  # noqa: E402 - after the path
from collector.analysis.rollup import roll_up  # noqa: E402 - after the path
from collector.store import open_store  # noqa: E402 - after the path
from collector.store.base import HealthRow, Store  # noqa: E402 - after the path
from collector.store.columns import health_rows  # noqa: E402 - after the path
from firmware_cfg.load import Fleet  # noqa: E402 - after the path
from firmware_cfg.schema import Hub  # noqa: E402 - after the path
from firmware_cfg.wire import Health  # noqa: E402 - after the path

LONDON = ZoneInfo("Europe/London")
YEAR, DAYS, A_DAY = 2025, 365, 1427
START_NS, END_NS = midnight_ns(date(YEAR, 1, 1), LONDON), midnight_ns(date(YEAR + 1, 1, 1), LONDON)
DAY_NS, NINE_NS, STEP_NS = 86_400 * 10**9, 9 * 3600 * 10**9, 25 * 10**9
LIMITS_MS = {"embedded": 150, "influx": 400}
EPOCH = "0123456789abcdef"
LINES_AT_ONCE = 5_000


def fleet(hubs: int) -> Fleet:
    sensor = {"name": "beams", "kind": "beam-pair", "entrance": "front", "outer_pin": 17, "inner_pin": 27}
    found = {}
    for number in range(hubs):
        name = f"hub-{number:02}"
        unit = {"id": f"{name}-door", "since": "2020-01-01T00:00:00Z", "sensors": [sensor]}
        entrance = {"id": "front", "name": "Front", "counting": "beams"}
        found[name] = Hub.model_validate(
            {"id": name, "name": name, "type": "local", "entrances": [entrance], "units": [unit]}
        )
    return Fleet(found)


def reports(name: str) -> Iterator[HealthRow]:
    """Two a day, which say that all was well since the year began."""
    for half_day in range(1, 2 * DAYS + 1):
        t_ns = START_NS + half_day * DAY_NS // 2
        report = Health.model_validate(
            {
                "v": 1,
                "unit": f"{name}-door",
                "hub": name,
                "session": "s",
                "epoch": EPOCH,
                "t_ns": t_ns,
                "clock": "synced",
                "uptime_s": 1.0,
                "version": "1",
                "sensors": {"beams": {"ok_since_ns": START_NS}},
                "outbox": {"depth": 0},
            }
        )
        for sensor, values in health_rows(report):
            yield HealthRow(name, f"{name}-door", sensor, t_ns, values)


def fill_embedded(path: Path, names: list[str]) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA synchronous = OFF")
    word = dict(db.execute("SELECT text, id FROM word").fetchall())
    db.execute("CREATE TEMP TABLE number (n INTEGER PRIMARY KEY)")
    db.executemany("INSERT INTO number VALUES (?)", [(n,) for n in range(A_DAY)])
    for name in names:
        unit = f"{name}-door"
        db.execute("BEGIN")
        place = ("passage", name, unit, "beams", "front", "")
        db.execute("INSERT INTO series (kind, hub, unit, sensor, entrance, room) VALUES (?, ?, ?, ?, ?, ?)", place)
        (series,) = db.execute("SELECT last_insert_rowid()").fetchone()
        db.execute("INSERT INTO epoch (unit, epoch) VALUES (?, ?)", (unit, EPOCH))
        (epoch,) = db.execute("SELECT last_insert_rowid()").fetchone()
        db.execute(
            f"""INSERT INTO passage (series, t_ns, epoch_id, seq, clock, direction, persons, speed_m_s, length_m,
                confidence, role)
            SELECT {series}, {START_NS + NINE_NS} + d.n * {DAY_NS} + i.n * {STEP_NS}, {epoch}, d.n * {A_DAY} + i.n + 1,
                {word["synced"]}, CASE i.n % 2 WHEN 0 THEN {word["in"]} ELSE {word["out"]} END, 1, 1.21, 0.31, 0.98,
                {word["counting"]}
            FROM number d CROSS JOIN number i WHERE d.n < {DAYS}"""  # noqa: S608 - numbers
        )
        quarters = f"t_ns / {900 * 10**9} * {900 * 10**9}"
        db.execute(f"INSERT OR IGNORE INTO dirty SELECT series, {quarters}, 1 FROM passage WHERE series = {series}")  # noqa: S608 - numbers
        db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def fill_influx(influx: Influx, database: str, names: list[str]) -> None:
    influx.create_database(database)
    for day in range(DAYS):
        lines = []
        for name in names:
            head = f"passage,entrance=front,hub={name},sensor=beams,unit={name}-door "
            first_ns = START_NS + NINE_NS + day * DAY_NS
            lines += [
                f'{head}clock="synced",direction="{"out" if n % 2 else "in"}",persons=1i,speed_m_s=1.21,length_m=0.31,'
                f'confidence=0.98,role="counting",epoch="{EPOCH}",seq={day * A_DAY + n + 1}i {first_ns + n * STEP_NS}'
                for n in range(A_DAY)
            ]
        for first in range(0, len(lines), LINES_AT_ONCE):
            influx.write(*lines[first : first + LINES_AT_ONCE], database=database)


def questions(store: Store, place: Fleet) -> dict[str, Callable[[], BaseModel]]:
    one = "hub-03"
    now_ns = END_NS
    return {
        "per hour of one hub": lambda: visits.by_hour(store, place, one, START_NS, END_NS, now_ns=now_ns),
        "per day of all hubs": lambda: visits.by_day(store, place, START_NS, END_NS, now_ns=now_ns),
        "hour x weekday, one hub": lambda: visits.heat_map(store, place, one, START_NS, END_NS, now_ns=now_ns),
        "hour x weekday, all hubs": lambda: visits.heat_map(store, place, None, START_NS, END_NS, now_ns=now_ns),
        "year on year, one hub": lambda: visits.year_on_year(store, place, one, YEAR, now_ns=now_ns),
        "year on year, all hubs": lambda: visits.year_on_year(store, place, None, YEAR, now_ns=now_ns),
    }


def check(store: Store, place: Fleet) -> None:
    """What went in comes out: 714 in and 713 out a day and hub, watched all the year."""
    answer = visits.by_day(store, place, START_NS, END_NS, now_ns=END_NS)
    into = A_DAY - A_DAY // 2
    for name in place.hubs:
        both = answer.hubs[name]
        if (both.visits.value, both.exits.value) != ([into] * DAYS, [A_DAY // 2] * DAYS):
            raise SystemExit(f"{store.name}: {name}: not what was put in: the times mean nothing")
        if min(both.visits.completeness) < 1:
            raise SystemExit(f"{store.name}: {name}: a day is not complete: the times mean nothing")
    if answer.lineage.raw_events != len(place.hubs) * DAYS * A_DAY:
        raise SystemExit(f"{store.name}: {answer.lineage.raw_events} events went in")


def measure(kind: str, store: Store, place: Fleet) -> bool:
    """Prints a line a question; whether all were quick enough."""
    begun = time.perf_counter()
    roll_up(store, place)
    print(f"{kind}: rolled up in {time.perf_counter() - begun:.0f} s", flush=True)
    check(store, place)
    quick = True
    for name, ask in questions(store, place).items():
        times = []
        for _ in range(6):
            begun = time.perf_counter()
            size = len(ask().model_dump_json())
            times.append(1000 * (time.perf_counter() - begun))
        middle = statistics.median(times[1:])
        quick = quick and middle <= LIMITS_MS[kind]
        print(
            f"{kind}: {name:25} {middle:6.0f} ms (first {times[0]:.0f}, limit {LIMITS_MS[kind]}), {size / 1000:.0f} kB",
            flush=True,
        )
    begun = time.perf_counter()
    footfall(store, place, "hub-03", START_NS, END_NS, "1d", now_ns=END_NS)
    print(f"{kind}: footfall of one hub's year, not from rollups: {1000 * (time.perf_counter() - begun):.0f} ms")
    return quick


def main() -> None:
    logging.disable(logging.WARNING)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--full", action="store_true", help="48 hubs, 25 million passages; takes many minutes")
    parser.add_argument("--only", choices=list(LIMITS_MS), help="one store")
    parser.add_argument("--keep", type=Path, help="a folder for the databases, to be kept")
    options = parser.parse_args()
    place = fleet(48 if options.full else 6)
    names = list(place.hubs)
    print(f"{len(names) * DAYS * A_DAY:,} passages of {len(names)} hubs in one year")
    quick = True
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        for kind in LIMITS_MS if options.only is None else [options.only]:
            begun = time.perf_counter()
            if kind == "embedded":
                store = open_store(f"sqlite:{folder / 'year.db'}")
                fill_embedded(folder / "year.db", names)
                quick &= filled(kind, store, place, begun)
            else:
                with Influx(folder / "influx") as influx:
                    fill_influx(influx, "year", names)
                    quick &= filled(kind, open_store(f"influxdb+{influx.url}/year"), place, begun)
    sys.exit(not quick)


def filled(kind: str, store: Store, place: Fleet, begun: float) -> bool:
    for name in place.hubs:
        store.put_health(list(reports(name)))
    print(f"{kind}: filled in {time.perf_counter() - begun:.0f} s", flush=True)
    quick = measure(kind, store, place)
    store.close()
    return quick


if __name__ == "__main__":
    main()
