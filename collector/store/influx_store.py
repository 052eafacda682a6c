"""The store in InfluxDB.

A measurement is a kind of event, `time` is the event's in ns, tags are hub, unit, sensor and entrance or room, and
everything else is a field. A point written again is the same point: series and time are its key.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from collector.store.base import (
    ALL_HUBS,
    QUARTER_MINUTES,
    SEQ_MAX,
    Count,
    Coverage,
    Grain,
    HealthRow,
    Parcel,
    Quarter,
    Refused,
    Rollup,
    Store,
    Stored,
    StoreUnavailable,
    Tally,
    Touched,
    minutes_between,
)
from collector.store.columns import COLUMNS, HEALTH_COLUMNS, MODELS, UNIT_ROW, Column, health_rows
from collector.store.influx import InfluxServer
from collector.store.influx_marks import Marks
from collector.store.lines import Measurement, event_lines, literal
from firmware_cfg.wire import KINDS, Health, Kind

_LOOK_AHEAD_NS = 24 * 3600 * 1_000_000_000
"""A report up to this much after a stretch still vouches for it."""
_SCAN_ROWS = 5_000


class InfluxStore(Store):
    """Raw measurements have raw events only; `rollup_15m`, `rollup_hour` and `rollup_day` the sums.

    Two events of one sensor and kind at the very same nanosecond would be one point; units see to it that there are
    none.
    """

    def __init__(self, server: InfluxServer) -> None:
        self.name = server.name
        self._server = server
        self._marks = Marks(server)

    def write(self, parcels: Sequence[Parcel], reports: Sequence[Health] = ()) -> list[Refused]:
        lines = [line for parcel in parcels for line in event_lines(parcel)]
        events = len(lines)
        owners = [report for report in reports for _row in health_rows(report)]
        rows = [
            HealthRow(report.hub, report.unit, sensor, report.t_ns, values)
            for report in reports
            for sensor, values in health_rows(report)
        ]
        refused = dict(self._write(lines, parcels, rows))
        if not refused:
            return []
        pairs = [(parcel, event) for parcel in parcels for event in parcel.events]
        found = [Refused(pairs[i][0].unit, pairs[i][0].epoch, pairs[i][1], refused[i]) for i in refused if i < events]
        lines_of_reports = {i: owners[i - events] for i in refused if events <= i < events + len(owners)}
        bad = {id(report): (report, refused[i]) for i, report in lines_of_reports.items()}
        return found + [Refused(report.unit, report.epoch, report, why) for report, why in bad.values()]

    def put_health(self, rows: Sequence[HealthRow]) -> None:
        for first in range(0, len(rows), _SCAN_ROWS):
            self._write([], (), rows[first : first + _SCAN_ROWS])

    def _write(self, lines: list[str], parcels: Sequence[Parcel], rows: Sequence[HealthRow]) -> list[tuple[int, str]]:
        lines += [_health_line(row) for row in rows]
        if not lines:
            return []
        refused = self._server.write(lines + self._marks.lines(parcels, rows))
        self._marks.written(rows)
        return refused

    def ping(self) -> None:
        self._server.ping()

    def counts_15m(self, hub: str, start_ns: int, end_ns: int) -> list[Quarter]:
        counts: dict[tuple[int, str, str, str], Count] = {}

        def add(select: str, source: str, where: str, put: Callable[[Count, dict[str, Any]], None]) -> None:
            q = f"""SELECT {select} FROM {source} WHERE {where} time >= {start_ns} AND time < {end_ns}
                GROUP BY time(15m), unit, sensor, entrance fill(none)"""  # noqa: S608 - checked names
            for tags, row in self._server.query(q):
                key = (row["time"], tags["unit"], tags["sensor"], tags["entrance"])
                put(counts.setdefault(key, Count()), row)

        counting = f"hub = {literal(hub)} AND role = 'counting'"

        def passages(direction: str, put: Callable[[Count, int], None]) -> None:
            def take(count: Count, row: dict[str, Any]) -> None:
                put(count, int(row["persons"]))
                count.events += int(row["events"])

            select = "sum(persons) AS persons, count(persons) AS events"
            add(select, "passage", f"{counting} AND direction = '{direction}' AND", take)

        def spread(direction: str, put: Callable[[Count, float], None]) -> None:
            inner = f"""(SELECT persons * persons * confidence * (1 - confidence) AS v FROM passage
                WHERE {counting} AND direction = '{direction}' AND time >= {start_ns} AND time < {end_ns}
                GROUP BY unit, sensor, entrance)"""  # noqa: S608 - checked names
            add("sum(v) AS v", inner, "", lambda count, row: put(count, float(row["v"])))

        def counter(count: Count, row: dict[str, Any]) -> None:
            count.in_ += int(row["i"])
            count.out += int(row["o"])
            count.events += int(row["events"])

        passages("in", lambda count, persons: setattr(count, "in_", count.in_ + persons))
        passages("out", lambda count, persons: setattr(count, "out", count.out + persons))
        passages("unknown", lambda count, persons: setattr(count, "unknown", count.unknown + persons))
        spread("in", lambda count, v: setattr(count, "variance_in", v))
        spread("out", lambda count, v: setattr(count, "variance_out", v))
        add('sum("in") AS i, sum(out) AS o, count(out) AS events', "counter", f"{counting} AND", counter)
        return [
            Quarter(t_ns, unit, sensor, entrance or None, count)
            for (t_ns, unit, sensor, entrance), count in sorted(counts.items(), key=lambda item: item[0])
        ]

    def coverage_15m(self, hub: str, start_ns: int, end_ns: int) -> list[Coverage]:
        found: dict[tuple[int, str, str], int] = {}
        for column, condition in (("uptime_s", f"sensor = '{UNIT_ROW}'"), ("edges", "ok = true")):
            window = f"hub = {literal(hub)} AND time >= {start_ns} AND time < {end_ns}"
            q = f"""SELECT count(n) AS minutes FROM (SELECT count({column}) AS n FROM health WHERE {window}
                AND {condition} GROUP BY time(1m), unit, sensor fill(none))
                WHERE time >= {start_ns} AND time < {end_ns} GROUP BY time(15m), unit, sensor fill(none)"""  # noqa: S608 - checked names
            for tags, row in self._server.query(q):
                found[row["time"], tags["unit"], tags["sensor"]] = int(row["minutes"])
        self._cover_back(found, hub, start_ns, end_ns)
        return [Coverage(*key, minutes) for key, minutes in sorted(found.items())]

    def _cover_back(self, found: dict[tuple[int, str, str], int], hub: str, start_ns: int, end_ns: int) -> None:
        """Add the whole quarters, and the first part of one, that each quarter's last report vouches for."""
        q = f"""SELECT last(ok_since_ns) AS since FROM health WHERE hub = {literal(hub)} AND ok = true
            AND time >= {start_ns} AND time < {end_ns + _LOOK_AHEAD_NS} GROUP BY time(15m), unit, sensor fill(none)"""  # noqa: S608 - checked names
        for tags, row in self._server.query(q):
            until_ns = min(row["time"], end_ns) - 1
            for quarter_ns, bits in minutes_between(max(int(row["since"]), start_ns), until_ns):
                key = (quarter_ns, tags["unit"], tags["sensor"])
                known = found.get(key, 0)
                if known == QUARTER_MINUTES:
                    break
                found[key] = max(known, bits.bit_count())

    def events(
        self, kind: Kind, hub: str, start_ns: int, end_ns: int, *, limit: int, newest_first: bool = False
    ) -> list[Stored]:
        order = "DESC" if newest_first else "ASC"
        q = f"""SELECT * FROM {kind} WHERE hub = {literal(hub)} AND time >= {start_ns} AND time < {end_ns}
            ORDER BY time {order} LIMIT {limit}"""  # noqa: S608 - checked names
        found = (_whole(kind, row) for _tags, row in self._server.query(q))
        return [stored for stored in found if stored is not None]

    def tally(self, unit: str, epoch: str, first: int = 1, last: int = SEQ_MAX) -> dict[Kind, Tally]:
        where = f"unit = {literal(unit)} AND epoch = {literal(epoch)} AND seq >= {first} AND seq <= {last}"
        tallies: dict[Kind, Tally] = {}
        for kind in KINDS:
            rows = [row["n"] for _, row in self._server.query(f"SELECT count(seq) AS n FROM {kind} WHERE {where}")]  # noqa: S608 - checked names
            if rows and rows[0]:
                q = f"SELECT count(distinct(seq)) AS n FROM {kind} WHERE {where}"  # noqa: S608 - checked names
                tallies[kind] = Tally(int(rows[0]), int(next(row["n"] for _, row in self._server.query(q))))
        return tallies

    def touched(self) -> Touched:
        return self._marks.touched()

    def settle(self, touched: Touched) -> None:
        self._marks.settle(touched)

    def touch_all(self) -> None:
        self._marks.forget()

    def recount_15m(self, hub: str, start_ns: int, end_ns: int) -> list[Quarter]:
        quarters = self.counts_15m(hub, start_ns, end_ns)
        self._put([_quarter_line(hub, quarter) for quarter in quarters])
        return quarters

    def rolled_15m(self, hub: str, start_ns: int, end_ns: int) -> list[Quarter]:
        q = f"""SELECT * FROM rollup_15m WHERE hub = {literal(hub)} AND time >= {start_ns} AND time < {end_ns}"""  # noqa: S608 - checked names
        found = [_quarter(row) for _tags, row in self._server.query(q)]
        return sorted(found, key=lambda quarter: (quarter.t_ns, quarter.unit, quarter.sensor, quarter.entrance or ""))

    def keep(self, grain: Grain, rollups: Sequence[Rollup]) -> None:
        self._put([_rollup_line(grain, rollup) for rollup in rollups])

    def _put(self, lines: Sequence[str]) -> None:
        for first in range(0, len(lines), _SCAN_ROWS):
            for _index, reason in self._server.write(lines[first : first + _SCAN_ROWS]):
                raise StoreUnavailable(f"store {self.name}: refuses a rollup: {reason}")

    def rollups(self, grain: Grain, start_ns: int, end_ns: int, hub: str | None = None) -> list[Rollup]:
        which = f"hub != {literal(ALL_HUBS)}" if hub is None else f"hub = {literal(hub)}"
        q = f"""SELECT {_ROLLUP_FIELDS} FROM rollup_{grain}
            WHERE {which} AND time >= {start_ns} AND time < {end_ns} GROUP BY hub"""  # noqa: S608 - checked names
        return [Rollup(tags["hub"], *row.values()) for tags, row in self._server.query(q)]

    def scan(self, kind: Kind) -> Iterator[list[Stored]]:
        for rows in self._pages(kind):
            yield [_stored(kind, row) for row in rows]

    def scan_health(self) -> Iterator[list[HealthRow]]:
        for rows in self._pages("health"):
            yield [_health_row(row) for row in rows]

    def health(self, unit: str, start_ns: int, end_ns: int) -> list[HealthRow]:
        q = f"""SELECT * FROM health WHERE unit = {literal(unit)} AND time >= {start_ns} AND time < {end_ns}
            ORDER BY time"""  # noqa: S608 - checked names
        return [_health_row(row) for _tags, row in self._server.query(q)]

    def _pages(self, measurement: str) -> Iterator[list[dict[str, Any]]]:
        """By time; those of the last time in a page, of which some may be missing, come with the next."""
        start_ns, limit = 0, _SCAN_ROWS
        while True:
            q = f"SELECT * FROM {measurement} WHERE time >= {start_ns} ORDER BY time LIMIT {limit}"  # noqa: S608 - checked names
            rows = [row for _tags, row in self._server.query(q)]
            if len(rows) < limit:
                yield rows
                return
            whole = [row for row in rows if row["time"] < rows[-1]["time"]]
            start_ns, limit = (rows[-1]["time"], _SCAN_ROWS) if whole else (start_ns, 2 * limit)
            yield whole

    def close(self) -> None:
        self._server.close()


_HEALTH = Measurement("health", HEALTH_COLUMNS)


def _health_line(row: HealthRow) -> str:
    head = _HEALTH.head((None, row.hub, None, row.sensor, row.unit))
    return f"{head} {_HEALTH.fields(row.values)} {row.t_ns}"


def _health_row(row: dict[str, Any]) -> HealthRow:
    values = tuple(_read_back(column, row.get(column.name)) for column in HEALTH_COLUMNS)
    return HealthRow(row["hub"], row["unit"], row["sensor"], row["time"], values)


_QUARTERS = Measurement(
    "rollup_15m",
    [
        Column("persons_in", "in_", "int"),
        Column("persons_out", "out", "int"),
        Column("persons_unknown", "unknown", "int"),
        Column("variance_in", "variance_in", "float"),
        Column("variance_out", "variance_out", "float"),
        Column("events", "events", "int"),
    ],
)
_SUMS = [
    Column("visits", "visits", "int"),
    Column("exits", "exits", "int"),
    Column("variance_visits", "variance_visits", "float"),
    Column("variance_exits", "variance_exits", "float"),
    Column("minutes", "minutes", "int"),
    Column("events", "events", "int"),
]
_ROLLUP_FIELDS = ", ".join(column.name for column in _SUMS)
_ROLLUPS: dict[Grain, Measurement] = {
    "hour": Measurement("rollup_hour", _SUMS),
    "day": Measurement("rollup_day", _SUMS),
}


def _quarter_line(hub: str, quarter: Quarter) -> str:
    count = quarter.count
    head = _QUARTERS.head((quarter.entrance, hub, None, quarter.sensor, quarter.unit))
    variances = (float(count.variance_in), float(count.variance_out))
    fields = _QUARTERS.fields((count.in_, count.out, count.unknown, *variances, count.events))
    return f"{head} {fields} {quarter.t_ns}"


def _quarter(row: dict[str, Any]) -> Quarter:
    persons = (row["persons_in"], row["persons_out"], row["persons_unknown"])
    count = Count(*persons, row["variance_in"], row["variance_out"], row["events"])
    return Quarter(row["time"], row["unit"], row["sensor"], row.get("entrance") or None, count)


def _rollup_line(grain: Grain, rollup: Rollup) -> str:
    head = _ROLLUPS[grain].head((None, rollup.hub, None, None, None))
    variances = (float(rollup.variance_visits), float(rollup.variance_exits))
    fields = _ROLLUPS[grain].fields((rollup.visits, rollup.exits, *variances, rollup.minutes, rollup.events))
    return f"{head} {fields} {rollup.t_ns}"


def _stored(kind: Kind, row: dict[str, Any]) -> Stored:
    fields: dict[str, Any] = {"kind": kind, "t_ns": row["time"], "seq": row["seq"]}
    fields |= {tag: row[tag] for tag in ("hub", "sensor", "entrance", "room") if row.get(tag)}
    for column in COLUMNS[kind]:
        if (value := row.get(column.name)) is not None:
            fields[column.name] = _read_back(column, value)
    return Stored(row["unit"], row["epoch"], MODELS[kind].model_validate(fields))


def _whole(kind: Kind, row: dict[str, Any]) -> Stored | None:
    """None for a point that is being written just now: InfluxDB shows its fields as they come, one by one."""
    if row["seq"] is None or row["epoch"] is None:
        return None
    try:
        return _stored(kind, row)
    except ValidationError:
        return None


def _read_back(column: Column, value: Any) -> Any:
    if value is None:
        return None
    if column.type == "float":
        return float(value)  # JSON says 60 for 60.0
    return json.loads(value) if column.type == "json" else value
