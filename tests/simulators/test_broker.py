"""The demo's broker."""

from __future__ import annotations

import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from simulators.broker import EmbeddedBroker

if TYPE_CHECKING:
    from pathlib import Path


def test_a_machine_too_busy_to_end_the_broker_at_once_does_not_cost_the_demo_its_last_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = subprocess.Popen.wait

    def busy(process: subprocess.Popen[bytes], timeout: float | None = None) -> int:
        if timeout is not None and timeout < 1:
            raise subprocess.TimeoutExpired(process.args, timeout)
        return plain(process, timeout)

    monkeypatch.setattr(subprocess.Popen, "wait", busy)
    with EmbeddedBroker(tmp_path) as broker:
        address = (broker.endpoint.host, broker.endpoint.port)
        socket.create_connection(address, timeout=10).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=10)
