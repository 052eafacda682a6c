"""An MQTT broker from a wheel, for the demo: MQTT 5 on loopback, gone without a trace when closed."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from iotcore import Broker

from firmware_cfg.endpoint import MqttEndpoint
from firmware_cfg.errors import FoyerError
from firmware_cfg.wire import BATCH_BYTES_MAX

LOOPBACK = "127.0.0.1"

_CONFIG = """\
id = 0

[router]
id = 0
max_connections = 1000
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10

[v5.1]
name = "v5-1"
listen = "{listen}"
next_connection_delay_ms = 1

[v5.1.connections]
connection_timeout_ms = 60000
max_payload_size = {payload_bytes_max}
max_inflight_count = 200
dynamic_filters = true
"""


class EmbeddedBroker:
    """A context manager; `endpoint` is where it listens, on a free loopback port of its choosing.

    It keeps nothing over a restart, which the units' outboxes make good.
    """

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            port: int = probe.getsockname()[1]
        self.endpoint = MqttEndpoint(LOOPBACK, port)
        self._config = folder / "broker.toml"
        self._config.write_text(
            _CONFIG.format(listen=f"{LOOPBACK}:{port}", payload_bytes_max=4 * BATCH_BYTES_MAX), encoding="utf-8"
        )
        self._broker = Broker(config_path=str(self._config))

    def __enter__(self) -> Self:
        try:
            with _deaf():
                self._broker.start()
        except (OSError, RuntimeError) as error:
            raise FoyerError(f"the embedded broker did not start on {self.endpoint}: {error}") from error
        return self

    def __exit__(self, *exc: object) -> None:
        process = self._broker._process  # noqa: SLF001 - `stop` asks what is deaf, and gives up on a busy machine
        if process is not None:
            process.kill()  # it has nothing to save
            process.wait()
        self._broker.stop()


@contextmanager
def _deaf() -> Iterator[None]:
    """Children started inside ignore SIGINT and SIGTERM: the broker must outlive the units' last words."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
