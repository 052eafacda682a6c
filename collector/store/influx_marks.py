"""What writes into InfluxDB touched, and how far that has been rolled up: kept in the bucket itself.

So it does not matter which collector wrote, which one rolls up, and what either of them forgot in a crash. With the
points of a write goes one of `touched`, which names its quarters of an hour; `rolled_up` says up to which of those all
is done. Both have the server's time, so that the clocks of collectors play no part.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from collector.store.base import QUARTER_NS, HealthRow, Parcel, Touched, steps_of
from collector.store.columns import Column
from collector.store.influx import InfluxServer
from collector.store.lines import TAGS, Measurement

YOUNG_S = 60
"""A mark may be seen before the points that came with it; so it is done for good only when it is this old."""
LOOK_BACK_NS = 24 * 3600 * 1_000_000_000
_SPANS_MAX = 1_000
"""In one point: a string may have 64 KiB."""
_HALF_DAY_NS = 12 * 3600 * 1_000_000_000
_PRUNE_EVERY = 100
_UNITS_MAX = 100_000

Span = tuple[str, int, int]
"""Hub, first and last quarter, counted from 1970."""

_WHAT = Measurement("touched", [Column("what", "what", "json")])
_NO_TAGS = (None,) * len(TAGS)


class Marks:
    """Several collectors may roll up the same at once: each does all that is young again, and writes the same sums."""

    def __init__(self, server: InfluxServer) -> None:
        self._server = server
        self._writer = secrets.token_hex(4)
        self._heard: dict[tuple[str, str, str], int] = {}
        self._settled = 0

    def lines(self, parcels: Sequence[Parcel], rows: Sequence[HealthRow]) -> list[str]:
        """The points that name what these touch. Without a time: the server gives its own."""
        touched = {
            (event.hub, event.t_ns // QUARTER_NS)
            for parcel in parcels
            for event in parcel.single
            if event.kind in ("passage", "counter")
        }
        for parcel in parcels:
            for run in parcel.runs:
                touched.update((run.hub, number) for number in steps_of(sorted(run.t_ns), QUARTER_NS))
        spans = list(dict.fromkeys([*_runs(touched), *self._covered(rows)]))
        thread = threading.current_thread().name.replace(" ", "-")
        return [
            f"touched,part={number},writer={self._writer}-{thread} "
            + _WHAT.fields((spans[first : first + _SPANS_MAX],))
            for number, first in enumerate(range(0, len(spans), _SPANS_MAX))
        ]

    def _covered(self, rows: Iterable[HealthRow]) -> Iterator[Span]:
        """Since this process last heard of the sensor, or since it has worked, but no more than coverage looks back."""
        for row in rows:
            ok_since_ns, ok = row.values[-2:]
            if ok is False:
                continue
            since_ns = row.t_ns if ok_since_ns is None else max(int(str(ok_since_ns)), row.t_ns - LOOK_BACK_NS)
            heard_ns = self._heard.get((row.hub, row.unit, row.sensor), 0)
            if since_ns <= heard_ns <= row.t_ns:
                since_ns = heard_ns
            yield row.hub, min(since_ns, row.t_ns) // QUARTER_NS, row.t_ns // QUARTER_NS

    def written(self, rows: Iterable[HealthRow]) -> None:
        """These are in the store, with what they touch."""
        if len(self._heard) > _UNITS_MAX:
            self._heard.clear()
        for row in rows:
            if row.values[-1] is not False:
                key = (row.hub, row.unit, row.sensor)
                self._heard[key] = max(self._heard.get(key, 0), row.t_ns)

    def touched(self) -> Touched:
        done_ns = next(
            (int(row["done"]) for _, row in self._server.query("SELECT last(done) AS done FROM rolled_up")), 0
        )
        after = f"FROM touched WHERE time > {done_ns}"
        old = self._server.query(f"SELECT what {after} AND time <= now() - {YOUNG_S}s")
        newest_ns = max((row["time"] for _, row in old), default=done_ns)
        quarters: dict[str, set[int]] = defaultdict(set)
        for _, row in self._server.query(f"SELECT what {after}"):
            for hub, first, last in json.loads(row["what"]):
                quarters[hub].update(number * QUARTER_NS for number in range(first, last + 1))
        if not done_ns:
            for hub, t_ns in self._everything():
                quarters[hub].add(t_ns)
        return Touched(quarters, max(newest_ns, 1))

    def _everything(self) -> Iterator[tuple[str, int]]:
        """A quarter of each half day from the first raw point to the last: enough to name every local day."""
        for measurement, column in (("passage", "seq"), ("counter", "seq"), ("health", "uptime_s")):
            bounds: dict[str, list[int]] = defaultdict(list)
            for which in ("first", "last"):
                for tags, row in self._server.query(f"SELECT {which}({column}) FROM {measurement} GROUP BY hub"):  # noqa: S608 - checked names
                    bounds[tags["hub"]].append(row["time"])
            for hub, times in bounds.items():
                for t_ns in (*range(min(times), max(times), _HALF_DAY_NS), max(times)):
                    yield hub, t_ns // QUARTER_NS * QUARTER_NS

    def settle(self, touched: Touched) -> None:
        done_ns = int(str(touched.token))
        self._server.write([f"rolled_up done={done_ns}i"])
        self._settled += 1
        if self._settled % _PRUNE_EVERY == 0:
            self._server.delete("touched", done_ns - LOOK_BACK_NS)
            self._server.delete("rolled_up", done_ns - LOOK_BACK_NS)

    def forget(self) -> None:
        """Nothing counts as rolled up any more."""
        self._server.write(["rolled_up done=0i"])


def _runs(touched: Iterable[tuple[str, int]]) -> Iterator[Span]:
    """Neighbouring quarters of a hub as one."""
    run: tuple[str, int, int] | None = None
    for hub, number in sorted(touched):
        if run is not None and run[0] == hub and run[2] + 1 == number:
            run = (hub, run[1], number)
            continue
        if run is not None:
            yield run
        run = (hub, number, number)
    if run is not None:
        yield run
