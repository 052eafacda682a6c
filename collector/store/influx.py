"""How to talk to InfluxDB 1.x, 2.x and 3: line protocol in, InfluxQL out."""

from __future__ import annotations

import json
import logging
import os
import re
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

import urllib3

from collector.store.base import (
    StoreUnavailable,
)
from collector.store.lines import key_text
from firmware_cfg.endpoint import without_user
from firmware_cfg.errors import ConfigError

TIMEOUT_S = 10.0
QUERY_TIMEOUT_S = 60.0
_BAD_DATA = (400, 413, 422)
_DROPPED = re.compile(r"\bdropped=(\d+)$")
"""How many points of a write were refused, the last words of a partial write's error."""
_NO_SUCH_PAGE = b"404 page not found"
_OK = 300
_NOT_FOUND = 404

log = logging.getLogger("foyer.collector")


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
    version: str = ""


Writer = Callable[[bytes], _Answer]


class InfluxServer:
    """One bucket of a server. Writes through influxdb-client where there is `/api/v2/write`, else to 1.x's `/write`.

    Which of the two it has is asked at the first write, and again where it seems to have been replaced.
    All methods raise StoreUnavailable where it does not answer.
    """

    def __init__(self, target: Target) -> None:
        self.name = f"influxdb+{target.base}/{target.bucket}"
        self._target = target
        self._pool = urllib3.PoolManager(maxsize=4, retries=False, timeout=urllib3.Timeout(TIMEOUT_S))
        self._close_client: Callable[[], object] = lambda: None
        self._writer: Writer | None = None

    @classmethod
    def from_url(cls, url: str, environment: Mapping[str, str] = os.environ) -> InfluxServer:
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

    def write(self, lines: Sequence[str]) -> list[tuple[int, str]]:
        """Returns which lines the server will never take, and why; the others are durable."""
        return list(self._refused(lines, 0)) if lines else []

    def _refused(self, lines: Sequence[str], offset: int) -> Iterator[tuple[int, str]]:
        """Write; where the server refuses some, halve until it is known which. Writing the good again is harmless."""
        answer = self._send("\n".join(lines).encode())
        if answer.status < _OK:
            return
        reason = _reason(answer)
        if answer.status not in _BAD_DATA:
            raise StoreUnavailable(f"store {self.name}: {answer.status} {reason}")
        dropped = _DROPPED.search(reason)
        if len(lines) == 1 or (dropped and int(dropped[1]) == len(lines)):
            yield from ((offset + index, reason) for index in range(len(lines)))
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
            _let_go(error)
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
        is_old = answer.status == _NOT_FOUND and _NO_SUCH_PAGE in answer.body
        path = "/write" if is_old else "/api/v2/write"
        log.info("%s is InfluxDB %s, written to through %s", self.name, answer.version or "of no said version", path)
        if is_old:
            self._request("POST", "/query", {"q": f"CREATE DATABASE {key_text(target.bucket)}"})
            return self._write_v1
        return self._v2_writer()

    def _v2_writer(self) -> Writer:
        """The client is loaded here, as it takes more memory than all else and 1.x does without."""
        from influxdb_client.client.influxdb_client import InfluxDBClient  # noqa: PLC0415 - see above
        from influxdb_client.client.write_api import SYNCHRONOUS  # noqa: PLC0415 - see above
        from influxdb_client.domain.write_precision import WritePrecision  # noqa: PLC0415 - see above
        from influxdb_client.rest import ApiException  # noqa: PLC0415 - see above

        target = self._target
        token = target.token or (f"{target.user}:{target.password}" if target.user else "")
        self._close_client()
        client = InfluxDBClient(
            url=target.base, token=token, org=target.organisation, timeout=int(TIMEOUT_S * 1000), retries=False
        )
        self._close_client = client.close
        api = client.write_api(write_options=SYNCHRONOUS)

        def write(body: bytes) -> _Answer:
            try:
                api.write(
                    bucket=target.bucket,
                    org=target.organisation,
                    record=body,
                    write_precision=WritePrecision.NS,  # type: ignore[arg-type]  # its constants are strings
                )
            except ApiException as error:
                _let_go(error)
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
            _let_go(error)
            raise StoreUnavailable(f"store {self.name}: does not answer ({_short(error)})") from error
        return _Answer(response.status, response.data, response.headers.get("X-Influxdb-Version", ""))

    def ping(self) -> None:
        answer = self._request("GET", "/ping", {})
        if answer.status >= _OK:
            raise StoreUnavailable(f"store {self.name}: {answer.status} {_reason(answer)}")

    def query(self, influxql: str) -> Iterator[tuple[dict[str, str], dict[str, Any]]]:
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

    def delete(self, measurement: str, before_ns: int) -> None:
        """Remove old points; without a word where the server cannot (3)."""
        with suppress(StoreUnavailable):
            q = f"DELETE FROM {measurement} WHERE time < {before_ns}"  # noqa: S608 - checked names
            self._request("POST", "/query", {"db": self._target.bucket, "q": q}, timeout_s=QUERY_TIMEOUT_S)

    def close(self) -> None:
        self._pool.clear()
        self._close_client()


def _let_go(error: BaseException | None) -> None:
    """Of what was to be written: urllib3's frames hold it and their own exception, until the garbage is collected.

    In an outage little else is made, so that this hardly ever is: a collector would grow by a batch with each try.
    """
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


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
