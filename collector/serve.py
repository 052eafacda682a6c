"""Running a collector as a process: its port, its log lines, its end."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from collector.service import Collector
from firmware_cfg.errors import ConfigError

_STREAMS_END_S = 3

log = logging.getLogger("foyer.collector")


class _Lines(logging.Formatter):
    """`2026-03-02T09:00:00Z warning part=broker cannot reach …`: one line each, UTC, easily cut apart."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        part = getattr(record, "part", record.name.rpartition(".")[2])
        text = record.getMessage().replace("\n", " ")
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return f"{self.formatTime(record, '%Y-%m-%dT%H:%M:%SZ')} {record.levelname.lower()} part={part} {text}"


def log_to_stderr() -> None:
    """Log lines of level info and above go to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens there and nowhere else; raises ConfigError where it cannot."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        raise ConfigError(
            f"--http {host}:{port}: cannot listen there: {error.strerror or error}; give another HOST:PORT"
        ) from error
    with listener:
        yield listener


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `serve`, which closes the streams first."""
        yield


def serve(collector: Collector, app: FastAPI, listener: socket.socket) -> None:
    """Run collector and web server until SIGTERM or SIGINT; both are closed on return."""
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            log_level="warning",
            access_log=False,
            lifespan="auto",
            server_header=False,
            timeout_graceful_shutdown=_STREAMS_END_S,
        )
    )

    def end() -> None:
        server.should_exit = True
        collector.live.end_streams()

    async def run() -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end)
        await server.serve(sockets=[listener])

    try:
        collector.start()
        host, port = listener.getsockname()[:2]
        log.info("serving http://%s:%d, store %s", f"[{host}]" if ":" in host else host, port, collector.store.name)
        asyncio.run(run())
    finally:
        collector.close()
        log.info("ended, %d events stored", collector.events_stored)
