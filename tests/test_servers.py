"""The servers that other tests lean on are real, keep to loopback, and leave nothing behind."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import pytest
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from mqtt_client import end, running
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from servers import Influx, InfluxV2Front, Mosquitto, Server, ServerError, answers, program

if TYPE_CHECKING:
    from browser import Chromium

WAIT_S = 10


class Reader:
    """Hears what arrives under a persistent session."""

    def __init__(self, port: int, topic: str) -> None:
        self.heard: list[bytes] = []
        self.subscribed, self.arrived = Event(), Event()
        self.topic = topic
        self.client = Client(CallbackAPIVersion.VERSION2, client_id="reader", clean_session=False)
        self.client.on_connect = self._subscribe
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.on_message = self._hear
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        if not self.subscribed.wait(WAIT_S):
            self.close()
            raise TimeoutError("the reader is not subscribed")

    def _subscribe(self, client: Client, *_: object) -> None:
        client.subscribe(self.topic, qos=1)

    def _hear(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        self.heard.append(bytes(message.payload))
        self.arrived.set()

    def close(self) -> None:
        end(self.client)


def publish(port: int, topic: str, payload: str, *, user: str | None = None, password: str | None = None) -> None:
    client = Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set(user, password)
    client.connect("127.0.0.1", port)
    with running(client):
        client.publish(topic, payload, qos=1).wait_for_publish(WAIT_S)


def listening(server: Server) -> list[str]:
    """The local addresses, in the kernel's words, on which the process listens."""
    inodes = set()
    for link in Path(f"/proc/{server.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            inodes.add(str(link.readlink()).removeprefix("socket:[").removesuffix("]"))
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                found.append(fields[1])
    return found


def test_a_queued_message_survives_a_polite_restart(mosquitto: Mosquitto) -> None:
    first = Reader(mosquitto.port, "t")
    first.close()
    publish(mosquitto.port, "t", "kept")
    mosquitto.restart()
    second = Reader(mosquitto.port, "t")
    try:
        assert second.arrived.wait(WAIT_S)
        assert second.heard == [b"kept"]
    finally:
        second.close()


def test_wipe_forgets_sessions(mosquitto: Mosquitto) -> None:
    Reader(mosquitto.port, "t").close()
    publish(mosquitto.port, "t", "lost")
    mosquitto.wipe()
    second = Reader(mosquitto.port, "t")
    try:
        publish(mosquitto.port, "t", "after")
        assert second.arrived.wait(WAIT_S)
        assert second.heard == [b"after"]
    finally:
        second.close()


def test_only_users_connect_and_the_acl_decides(tmp_path: Path) -> None:
    acl = "user writer\ntopic write t\nuser reader\ntopic read t\n"
    with Mosquitto(tmp_path / "broker", users={"writer": "w-secret", "reader": "r-secret"}, acl=acl) as broker:
        assert broker.url_for("writer") == f"mqtt://writer:w-secret@127.0.0.1:{broker.port}"
        refused = Event()
        client = Client(CallbackAPIVersion.VERSION2)
        client.on_connect_fail = client.on_disconnect = lambda *_: refused.set()
        client.connect("127.0.0.1", broker.port)
        with running(client):
            assert refused.wait(WAIT_S)
        publish(broker.port, "t", "ok", user="writer", password="w-secret")  # noqa: S106 - a test's own broker


def test_influx_keeps_points_over_a_power_cut_and_loses_them_by_wipe(influx: Influx) -> None:
    influx.write("passage,hub=armley persons=2i 1700000000000000001", "passage,hub=strood persons=1i 2")
    influx.kill()
    assert not answers(f"{influx.url}/ping")
    influx.restart()
    rows = influx.query("SELECT persons FROM passage GROUP BY hub")
    assert {"name": "passage", "hub": "armley", "time": 1700000000000000001, "persons": 2} in rows
    assert len(rows) == 2
    influx.wipe()
    assert influx.query("SELECT persons FROM passage") == []
    with pytest.raises(ServerError, match="database not found"):
        influx.query("SELECT persons FROM passage", database="nowhere")


def test_the_official_client_writes_through_the_v2_api(influx: Influx, influx_v2: InfluxV2Front) -> None:
    with InfluxDBClient(influx_v2.url, token="any", org="any") as client:  # noqa: S106 - nothing checks it
        assert client.ping()
        assert answers(f"{influx_v2.url}/health")
        with client.write_api(write_options=SYNCHRONOUS) as writer:
            writer.write(influx.database, record="passage,hub=armley persons=1i 5", write_precision="ns")
    assert influx.query("SELECT persons FROM passage") == [{"name": "passage", "time": 5, "persons": 1}]
    influx.kill()
    assert not answers(f"{influx_v2.url}/health")


@pytest.mark.parametrize("kind", [Mosquitto, Influx])
def test_a_server_listens_on_loopback_only_and_is_gone_afterwards(kind: type[Server], tmp_path: Path) -> None:
    with kind(tmp_path / "server") as server:
        addresses = listening(server)
        assert any(address.endswith(f":{server.port:04X}") for address in addresses)
        assert all(address.startswith("0100007F:") for address in addresses), addresses
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=1)


def test_a_server_dies_with_a_killed_test_run(tmp_path: Path) -> None:
    script = (
        "import sys, os, signal; from pathlib import Path; from servers import Mosquitto\n"
        "broker = Mosquitto(Path(sys.argv[1])).__enter__(); print(broker.port, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "b")],
        cwd=Path(__file__).parent,
        stdout=subprocess.PIPE,
        check=False,
    )
    gone = Event()
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", int(done.stdout)), timeout=1).close()
        except ConnectionRefusedError:
            gone.set()
            break
        except ConnectionResetError:
            pass  # caught in the act of dying
        gone.wait(0.05)
    assert gone.is_set()


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_missing_server_fails_in_ci_and_skips_elsewhere(
    ci: str, outcome: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="no-such-server is not installed"):
        program("no-such-server")


def test_what_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="Invalid line in acl_file"):
        Mosquitto(tmp_path, acl="nonsense\n").__enter__()


def test_the_browser_shows_a_page_and_nothing_else(chromium: Chromium) -> None:
    chromium.driver.get("data:text/html,<title>hub</title><p>open")
    assert chromium.driver.title == "hub"
    assert chromium.console() == []
    assert [url for url in chromium.requests() if not url.startswith("data:")] == []
