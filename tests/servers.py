"""Real servers for tests, each in a folder and on loopback ports of its own.

Every server starts in the body of `with`, waits until it answers, and is gone afterwards, even where the test run is
killed. `stop()` asks it to end, `kill()` is a power cut (SIGKILL), `restart()` comes back on the same port and data,
`wipe()` loses the data.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

READY_S = 20.0
STOP_S = 10.0
SBIN = "/usr/sbin:/sbin"  # where Debian keeps servers; not on everybody's PATH


class ServerError(RuntimeError):
    """A server did not start or stop; the message ends with the tail of its log."""


def program(name: str) -> str:
    """The path of an installed program. Where it is missing the test is skipped, or fails if CI=true."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{SBIN}")
    if found is None:
        reason = f"{name} is not installed (make test sets it up)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def free_port() -> int:
    """A free loopback port below the range that outgoing connections are given, so that none takes it meanwhile."""
    for _ in range(1000):
        port = random.randrange(20011, 32000, 2)  # noqa: S311 - a port, not a secret
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ServerError("no free loopback port between 20011 and 32000")


class Server(ABC):
    """A process with a folder (`folder`), a data folder in it (`data`), a log, and the loopback port `port`."""

    binary: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.log = folder / "log.txt"
        self.port = free_port()
        self._path = program(self.binary)
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """Its command line; writes its configuration."""

    def ready(self) -> bool:
        """Whether it answers."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ServerError(f"{self.binary} does not run")
        return self._process.pid

    def log_tail(self, lines: int = 30) -> str:
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def start(self) -> Self:
        """Start it and wait until it answers; nothing where it already runs."""
        if self.running:
            return self
        self.data.mkdir(parents=True, exist_ok=True)
        # The kernel ends the server with the test run, however that ends.
        command = ["setpriv", "--pdeathsig", "KILL", "--", self._path, *self.command()]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, start_new_session=True
            )
        deadline = time.monotonic() + READY_S
        while not self.ready():
            if not self.running or time.monotonic() > deadline:
                self.kill()
                raise ServerError(f"{self.binary} did not get ready within {READY_S:.0f} s:\n{self.log_tail()}")
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        """Ask it to end (SIGTERM) and wait; raises ServerError where it does not."""
        if self._end(signal.SIGTERM):
            return
        self.kill()
        raise ServerError(f"{self.binary} did not end within {STOP_S:.0f} s of SIGTERM:\n{self.log_tail()}")

    def kill(self) -> None:
        """A power cut: SIGKILL, and its data as it lies."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """End it where it runs, and start it on the same port and data."""
        self.stop()
        self.start()

    def wipe(self) -> None:
        """Lose all its data, without a chance to save; runs again afterwards where it ran before."""
        ran = self.running
        self.kill()
        shutil.rmtree(self.data, ignore_errors=True)
        if ran:
            self.start()

    def _end(self, how: signal.Signals) -> bool:
        if self._process is None:
            return True
        self._process.send_signal(how)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            return False
        self._process = None
        return True

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class Mosquitto(Server):
    """An MQTT broker that keeps its sessions and messages on disk, saved each second.

    Without `users` anybody may do anything; with `users` (name -> password) only they connect, and `acl` (lines of an
    ACL file) says what they may do.
    """

    binary = "mosquitto"

    def __init__(self, folder: Path, *, users: Mapping[str, str] | None = None, acl: str | None = None) -> None:
        super().__init__(folder)
        self._users = users
        self._acl = acl

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def url_for(self, user: str) -> str:
        """The URL with that user's name and password in it."""
        return f"mqtt://{user}:{(self._users or {})[user]}@127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        config = self.folder / "mosquitto.conf"
        lines = ["log_dest stderr", f"persistence_location {self.data}/", *self.settings()]
        if os.geteuid() == 0:
            lines.append("user root")  # else it becomes `mosquitto`, to whom a test's folder is closed
        config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return ["-c", str(config)]

    def settings(self) -> list[str]:
        """The lines of its configuration that are no matter of place."""
        return [
            "persistence true",
            "autosave_interval 1",
            "max_queued_messages 100000",
            "max_queued_bytes 268435456",
            *self._who(),
            f"listener {self.port} 127.0.0.1",
        ]

    def _who(self) -> Iterator[str]:
        if self._users is None:
            yield "allow_anonymous true"
        else:
            yield "allow_anonymous false"
            yield f"password_file {self.passwords(self._users)}"
        if self._acl is not None:
            file = self.folder / "acl"
            file.write_text(self._acl, encoding="utf-8")
            file.chmod(0o600)
            yield f"acl_file {file}"

    def passwords(self, users: Mapping[str, str]) -> Path:
        """A password file that holds these."""
        file = self.folder / "passwords"
        if not file.exists():
            file.touch(mode=0o600)
            for user, password in users.items():
                subprocess.run([program("mosquitto_passwd"), "-b", str(file), user, password], check=True)
        return file


class TlsMosquitto(Mosquitto):
    """A broker that shows `certificate`, which it has signed itself."""

    @property
    def certificate(self) -> Path:
        return self.folder / "certificate.pem"

    def settings(self) -> list[str]:
        key = self.folder / "key.pem"
        if not key.exists():
            request = (
                "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
            )
            command = [program("openssl"), *request.split(), "-keyout", str(key), "-out", str(self.certificate)]
            subprocess.run(command, check=True, capture_output=True)
        return [*super().settings(), f"certfile {self.certificate}", f"keyfile {key}"]


class Influx(Server):
    """InfluxDB 1.x without authentication; `database` is there from the start and after a `wipe()`."""

    binary = "influxd"
    database = "foyer"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._rpc_port = free_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        config = self.folder / "influxdb.conf"
        config.write_text(
            f"""reporting-disabled = true
bind-address = "127.0.0.1:{self._rpc_port}"
[meta]
  dir = "{self.data}/meta"
[data]
  dir = "{self.data}/data"
  wal-dir = "{self.data}/wal"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{self.port}"
  log-enabled = false
[ifql]
  enabled = false
[subscriber]
  enabled = false
[continuous_queries]
  enabled = false
""",
            encoding="utf-8",
        )
        return ["-config", str(config)]

    def ready(self) -> bool:
        return answers(f"{self.url}/ping")

    def start(self) -> Self:
        if not self.running:
            super().start()
            self.create_database(self.database)
        return self

    def create_database(self, name: str) -> None:
        self.query(f'CREATE DATABASE "{name}"', database="")

    def write(self, *lines: str, database: str = database) -> None:
        """Line protocol in; times are ns."""
        url = f"{self.url}/write?{urlencode({'db': database, 'precision': 'ns'})}"
        with urlopen(Request(url, "\n".join(lines).encode(), method="POST"), timeout=10):  # noqa: S310 - our own http URL
            pass

    def query(self, influxql: str, *, database: str = database) -> list[dict[str, Any]]:
        """All rows of all series, each with the tags it was grouped by and the measurement as `name`; times in ns."""
        form = urlencode({"q": influxql, "db": database, "epoch": "ns"}).encode()
        with urlopen(Request(f"{self.url}/query", form), timeout=30) as response:  # noqa: S310 - our own http URL
            results = json.load(response)["results"]
        rows = []
        for result in results:
            if "error" in result:
                raise ServerError(f"{influxql}: {result['error']}")
            for series in result.get("series", []):
                head = {"name": series.get("name"), **series.get("tags", {})}
                rows += [{**head, **dict(zip(series["columns"], values, strict=True))} for values in series["values"]]
        return rows


class InfluxV2Front(Server):
    """nginx before an InfluxDB 1.x, so that clients of the 2.x write API can talk to it.

    `/api/v2/write` becomes `/write` (bucket -> database), `/health` passes while the database answers, everything else
    goes through as it is. While the database is down it answers 502.
    """

    binary = "nginx"

    def __init__(self, folder: Path, influx: Influx) -> None:
        super().__init__(folder)
        self.influx = influx

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        (self.folder / "health.json").write_text('{"name":"influxdb","status":"pass"}\n', encoding="utf-8")
        temp = "\n".join(f"  {kind}_temp_path {self.data}/{kind};" for kind in ("proxy", "fastcgi", "uwsgi", "scgi"))
        config = self.folder / "nginx.conf"
        config.write_text(
            f"""daemon off;
master_process off;
pid {self.folder}/nginx.pid;
error_log {self.log} warn;
events {{}}
http {{
  access_log off;
  client_body_temp_path {self.data}/body;
{temp}
  client_max_body_size 64m;
  map $arg_precision $precision {{ default $arg_precision; us u; "" ns; }}
  server {{
    listen 127.0.0.1:{self.port};
    proxy_set_header Authorization "";
    location = /api/v2/write {{
      rewrite ^ /write?db=$arg_bucket&precision=$precision? break;
      proxy_pass {self.influx.url};
    }}
    location = /health {{
      auth_request /ping;
      default_type application/json;
      root {self.folder};
      try_files /health.json =404;
    }}
    location / {{ proxy_pass {self.influx.url}; }}
  }}
}}
""",
            encoding="utf-8",
        )
        return ["-p", str(self.folder), "-c", str(config), "-e", str(self.log)]


def answers(url: str) -> bool:
    """Whether something at that URL says 2xx."""
    try:
        with urlopen(url, timeout=1):  # noqa: S310 - our own http URL
            return True
    except (HTTPError, URLError, OSError):
        return False
