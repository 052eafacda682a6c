"""Which InfluxDB it is, by one probe: 1.x old and new, 2.x and 3, as their makers document what they answer.

1.6.7 is real here (and in `test_store_contract.py`, also behind a front that has 2.x's address). The others cannot be
had, so that a server of a few lines says what they would: no proof that all of Foyer works on them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from collector_samples import parcel, passage
from servers import Influx

from collector.store import open_store
from collector.store.base import StoreUnavailable

OLD_404 = (404, "404 page not found\n")
UNAUTHORIZED = (401, '{"code":"unauthorized","message":"unauthorized access"}')
NO_BUCKET = (404, '{"code":"not found","message":"bucket \\"foyer\\" not found"}')
TAKEN = (204, "")


@dataclass
class Pretended:
    """`new`: what `/api/v2/write` answers. `asked` has the paths, in order."""

    version: str
    new: tuple[int, str]
    asked: list[str] = field(default_factory=list)

    @contextmanager
    def serving(self) -> Iterator[str]:
        pretended = self

        class Answer(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path = urlsplit(self.path).path
                pretended.asked.append(path)
                status, body = pretended.new if path == "/api/v2/write" else (200 if path == "/query" else 204, "")
                self.send_response(status)
                self.send_header("X-Influxdb-Version", pretended.version)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield f"influxdb+http://127.0.0.1:{server.server_port}/foyer"
            finally:
                server.shutdown()
                thread.join()


@pytest.mark.parametrize(
    ("version", "new", "path"),
    [("1.7.11", OLD_404, "/write"), *((version, TAKEN, "/api/v2/write") for version in ("1.8.10", "v2.7.12", "3.4.1"))],
)
def test_it_is_asked_once_and_named(
    caplog: pytest.LogCaptureFixture, version: str, new: tuple[int, str], path: str
) -> None:
    pretended = Pretended(version, new)
    with pretended.serving() as url, closing(open_store(url)) as store, caplog.at_level(logging.INFO, "foyer"):
        for seq in (1, 2):
            assert store.write([parcel(passage(seq))]) == []
        assert caplog.messages == [f"{store.name} is InfluxDB {version}, written to through {path}"]
    made = ["/query"] if path == "/write" else []
    assert pretended.asked == ["/api/v2/write", *made, path, path]


@pytest.mark.parametrize(("new", "why"), [(UNAUTHORIZED, "401 unauthorized access"), (NO_BUCKET, "404 bucket")])
def test_a_new_one_that_lets_nobody_in_is_not_taken_for_an_old_one(new: tuple[int, str], why: str) -> None:
    """It says why, is tried again, and never gets the events by another way in the meantime."""
    pretended = Pretended("v2.7.12", new)
    with pretended.serving() as url, closing(open_store(url)) as store:
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match=why):
                store.write([parcel(passage(1))])
        assert set(pretended.asked) == {"/api/v2/write"}
        pretended.new = TAKEN
        assert store.write([parcel(passage(1))]) == []


def test_the_real_one_is_named(caplog: pytest.LogCaptureFixture, influx: Influx) -> None:
    with (
        closing(open_store(f"influxdb+{influx.url}/foyer")) as store,
        caplog.at_level(logging.INFO, "foyer"),
    ):
        store.write([parcel(passage(1))])
    (said,) = caplog.messages
    assert said.startswith(f"{store.name} is InfluxDB 1.")
    assert said.endswith(", written to through /write")
