"""InfluxDB 1.x, 2.x and 3: line protocol in, InfluxQL out.

A measurement is a kind of event, `time` is the event's in ns, tags are hub, unit, sensor and entrance or room, and
everything else is a field. A point written again is the same point: series and time are its key.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS, WriteApi
from influxdb_client.domain.write_precision import WritePrecision
from influxdb_client.rest import ApiException

from collector.store.base import (
    QUARTER_MINUTES,
    SEQ_MAX,
    Count,
    Coverage,
    Parcel,
    Quarter,
    Refused,
    Store,
    Stored,
    StoreUnavailable,
    Tally,
    minutes_between,
)
from collector.store.columns import COLUMNS, HEALTH_COLUMNS, MODELS, UNIT_ROW, Column, getter, health_rows
from collector.store.lines import Measurement, key_text, literal
from firmware_cfg.endpoint import without_user
from firmware_cfg.errors import ConfigError
from firmware_cfg.wire import KINDS, Health, Kind

TIMEOUT_S = 10.0
QUERY_TIMEOUT_S = 60.0
_LOOK_AHEAD_NS = 24 * 3600 * 1_000_000_000
"""A report up to this much after a stretch still vouches for it."""
_BAD_DATA = (400, 413, 422)
_NO_SUCH_PAGE = b"404 page not found"
_OK = 300
_NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class Target:
    """Where to write: a bucket, which 1.x calls a database, and who we are."""

    base: str
    bucket: str
    token: str | None = field(default=None, repr=False)
    organisation: str = ""
    user: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes


Writer = Callable[[bytes], _Answer]


class InfluxStore(Store):
    """One bucket. Writes through influxdb-client where the server has `/api/v2/write`, else to 1.x's `/write`.

    Two events of one sensor and kind at the very same nanosecond would be one point; units see to it that there are
    none. Which write address the server has is asked at the first write.
    """

    def __init__(self, target: Target) -> None:
        self.name = f"influxdb+{target.base}/{target.bucket}"
        self._target = target
        self._pool = urllib3.PoolManager(maxsize=4, retries=False, timeout=urllib3.Timeout(TIMEOUT_S))
        self._client: InfluxDBClient | None = None
        self._writer: Writer | None = None

    @classmethod
    def from_url(cls, url: str, environment: Mapping[str, str] = os.environ) -> InfluxStore:
        """For `influxdb+http(s)://[user:password@]host[:port]/bucket`; raises ConfigError.

        `FOYER_INFLUX_TOKEN` and `FOYER_INFLUX_ORG` of the environment are for 2.x and 3.
        """
        mend = f"--store {without_user(url)!r}: expected influxdb+http(s)://[USER:PASSWORD@]HOST:PORT/BUCKET"
        try:
            parts = urlsplit(url.removeprefix("influxdb+"))
            port = parts.port
        except ValueError as error:
            if "@" in url:  # what Python says may quote a password that has an unescaped / in it
                raise ConfigError(f"{mend}; what is special in a password is written as %2F and so on") from None
            raise ConfigError(f"{mend} ({error})") from error
        host = parts.hostname
        bucket = unquote(parts.path.strip("/"))
        if not host or not bucket or "/" in bucket or parts.query or parts.fragment:
            raise ConfigError(mend)
        if ":" in host:
            host = f"[{host}]"
        return cls(
            Target(
                base=f"{parts.scheme}://{host}:{port or 8086}",
                bucket=bucket,
                token=environment.get("FOYER_INFLUX_TOKEN"),
                organisation=environment.get("FOYER_INFLUX_ORG", ""),
                user=unquote(parts.username) if parts.username else None,
                password=unquote(parts.password) if parts.password else None,
            )
        )

    def write(self, parcels: Sequence[Parcel], reports: Sequence[Health] = ()) -> list[Refused]:
        lines = [line for parcel in parcels for line in _event_lines(parcel)]
        events = len(lines)
        lines += [line for report in reports for line in _health_lines(report)]
        if not lines:
            return []
        refused = [(index, reason) for index, reason in self._refused(lines, 0) if index < events]
        if not refused:
            return []
        owners = [(parcel, event) for parcel in parcels for event in parcel.events]
        return [Refused(owners[i][0].unit, owners[i][0].epoch, owners[i][1], reason) for i, reason in refused]

    def _refused(self, lines: Sequence[str], offset: int) -> Iterator[tuple[int, str]]:
        """Write; where the server refuses some, halve until it is known which. Writing the good again is harmless."""
        answer = self._send("\n".join(lines).encode())
        if answer.status < _OK:
            return
        reason = _reason(answer)
        if answer.status not in _BAD_DATA:
            raise StoreUnavailable(f"store {self.name}: {answer.status} {reason}")
        if len(lines) == 1:
            yield offset, reason
            return
        middle = len(lines) // 2
        yield from self._refused(lines[:middle], offset)
        yield from self._refused(lines[middle:], offset + middle)

    def _send(self, body: bytes) -> _Answer:
        if self._writer is None:
            self._writer = self._probe()
        try:
            answer = self._writer(body)
        except StoreUnavailable:
            raise
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise StoreUnavailable(f"store {self.name}: does not answer ({_short(error)})") from error
        if answer.status == _NOT_FOUND:
            self._writer = None  # the server may have been replaced by one of another version
        return answer

    def _probe(self) -> Writer:
        """InfluxDB 1.6 knows no page `/api/v2/write`; whatever else is answered comes from one that does."""
        target = self._target
        fields = {"bucket": target.bucket, "org": target.organisation, "precision": "ns"}
        answer = self._request("POST", "/api/v2/write", fields, body=b"")
        if answer.status >= 500:  # noqa: PLR2004 - any server error
            raise StoreUnavailable(f"store {self.name}: {answer.status} {_reason(answer)}")
        if answer.status == _NOT_FOUND and _NO_SUCH_PAGE in answer.body:
            self._request("POST", "/query", {"q": f"CREATE DATABASE {key_text(target.bucket)}"})
            return self._write_v1
        token = target.token or (f"{target.user}:{target.password}" if target.user else "")
        self._client = self._client or InfluxDBClient(
            url=target.base, token=token, org=target.organisation, timeout=int(TIMEOUT_S * 1000), retries=False
        )
        return self._v2_writer(self._client.write_api(write_options=SYNCHRONOUS))

    def _v2_writer(self, api: WriteApi) -> Writer:
        def write(body: bytes) -> _Answer:
            try:
                api.write(
                    bucket=self._target.bucket,
                    org=self._target.organisation,
                    record=body,
                    write_precision=WritePrecision.NS,  # type: ignore[arg-type]  # its constants are strings
                )
            except ApiException as error:
                if error.status is None:
                    raise OSError(str(error)) from error
                return _Answer(error.status, (error.body or "").encode() if isinstance(error.body, str) else error.body)
            return _Answer(204, b"")

        return write

    def _write_v1(self, body: bytes) -> _Answer:
        return self._request("POST", "/write", {"db": self._target.bucket, "precision": "ns"}, body=body)

    def _request(
        self,
        method: str,
        path: str,
        fields: Mapping[str, str],
        *,
        body: bytes | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> _Answer:
        headers = {}
        if self._target.token:
            headers["Authorization"] = f"Token {self._target.token}"
        elif self._target.user:
            headers = urllib3.make_headers(basic_auth=f"{self._target.user}:{self._target.password or ''}")
        url = f"{self._target.base}{path}?{urlencode(fields)}"
        try:
            response = self._pool.request(method, url, body=body, headers=headers, timeout=timeout_s)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise StoreUnavailable(f"store {self.name}: does not answer ({_short(error)})") from error
        return _Answer(response.status, response.data)

    def ping(self) -> None:
        answer = self._request("GET", "/ping", {})
        if answer.status >= _OK:
            raise StoreUnavailable(f"store {self.name}: {answer.status} {_reason(answer)}")

    def _query(self, influxql: str) -> Iterator[tuple[dict[str, str], dict[str, Any]]]:
        """Each row with the tags that it is grouped by."""
        fields = {"db": self._target.bucket, "epoch": "ns", "q": influxql}
        answer = self._request("GET", "/query", fields, timeout_s=QUERY_TIMEOUT_S)
        if answer.status >= _OK:
            raise StoreUnavailable(f"store {self.name}: {answer.status} {_reason(answer)}")
        for result in json.loads(answer.body).get("results", []):
            if "error" in result:
                if "database not found" in result["error"]:
                    return  # nothing was written yet
                raise StoreUnavailable(f"store {self.name}: {result['error']}")
            for series in result.get("series", []):
                tags = series.get("tags", {})
                for values in series["values"]:
                    yield tags, dict(zip(series["columns"], values, strict=True))

    def counts_15m(self, hub: str, start_ns: int, end_ns: int) -> list[Quarter]:
        counts: dict[tuple[int, str, str, str], Count] = {}

        def add(select: str, source: str, where: str, put: Callable[[Count, dict[str, Any]], None]) -> None:
            q = f"""SELECT {select} FROM {source} WHERE {where} time >= {start_ns} AND time < {end_ns}
                GROUP BY time(15m), unit, sensor, entrance fill(none)"""  # noqa: S608 - checked names
            for tags, row in self._query(q):
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
            for tags, row in self._query(q):
                found[row["time"], tags["unit"], tags["sensor"]] = int(row["minutes"])
        self._cover_back(found, hub, start_ns, end_ns)
        return [Coverage(*key, minutes) for key, minutes in sorted(found.items())]

    def _cover_back(self, found: dict[tuple[int, str, str], int], hub: str, start_ns: int, end_ns: int) -> None:
        """Add the whole quarters, and the first part of one, that each quarter's last report vouches for."""
        q = f"""SELECT last(ok_since_ns) AS since FROM health WHERE hub = {literal(hub)} AND ok = true
            AND time >= {start_ns} AND time < {end_ns + _LOOK_AHEAD_NS} GROUP BY time(15m), unit, sensor fill(none)"""  # noqa: S608 - checked names
        for tags, row in self._query(q):
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
        return [_stored(kind, row) for _tags, row in self._query(q)]

    def tally(self, unit: str, epoch: str, first: int = 1, last: int = SEQ_MAX) -> dict[Kind, Tally]:
        where = f"unit = {literal(unit)} AND epoch = {literal(epoch)} AND seq >= {first} AND seq <= {last}"
        tallies: dict[Kind, Tally] = {}
        for kind in KINDS:
            rows = [row["n"] for _, row in self._query(f"SELECT count(seq) AS n FROM {kind} WHERE {where}")]  # noqa: S608 - checked names
            if rows and rows[0]:
                q = f"SELECT count(distinct(seq)) AS n FROM {kind} WHERE {where}"  # noqa: S608 - checked names
                tallies[kind] = Tally(int(rows[0]), int(next(row["n"] for _, row in self._query(q))))
        return tallies

    def close(self) -> None:
        self._pool.clear()
        if self._client is not None:
            self._client.close()  # type: ignore[no-untyped-call]  # the client ships few types


_GETTERS = {kind: getter(kind) for kind in KINDS}
_MEASUREMENTS = {kind: Measurement(kind, COLUMNS[kind]) for kind in KINDS}
_HEALTH = Measurement("health", HEALTH_COLUMNS)


def _event_lines(parcel: Parcel) -> Iterator[str]:
    unit, epoch = parcel.unit, parcel.epoch
    for event in parcel.events:
        kind = event.kind
        measurement = _MEASUREMENTS[kind]
        head = measurement.head((event.entrance, event.hub, event.room, event.sensor, unit))
        fields = measurement.fields(_GETTERS[kind](event))
        yield f'{head} {fields},epoch="{epoch}",seq={event.seq}i {event.t_ns}'


def _health_lines(report: Health) -> Iterator[str]:
    for sensor, values in health_rows(report):
        head = _HEALTH.head((None, report.hub, None, sensor, report.unit))
        yield f"{head} {_HEALTH.fields(values)} {report.t_ns}"


def _reason(answer: _Answer) -> str:
    text = answer.body.decode(errors="replace").strip()
    try:
        body = json.loads(text)
    except ValueError:
        return text[:300]
    return str(body.get("error") or body.get("message") or text)[:300] if isinstance(body, dict) else text[:300]


def _short(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return f"{type(reason).__name__}: {reason}"[:200]


def _stored(kind: Kind, row: dict[str, Any]) -> Stored:
    fields: dict[str, Any] = {"kind": kind, "t_ns": row["time"], "seq": row["seq"]}
    fields |= {tag: row[tag] for tag in ("hub", "sensor", "entrance", "room") if row.get(tag)}
    for column in COLUMNS[kind]:
        if (value := row.get(column.name)) is not None:
            fields[column.name] = _read_back(column, value)
    return Stored(row["unit"], row["epoch"], MODELS[kind].model_validate(fields))


def _read_back(column: Column, value: Any) -> Any:
    return json.loads(value) if column.type == "json" else value
