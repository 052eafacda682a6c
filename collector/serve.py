"""Running a collector as a process: its port, its log lines, its end."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import logging
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvicorn
from fastapi import FastAPI

from collector.live import Live
from collector.service import Collector
from firmware_cfg.errors import ConfigError
from firmware_cfg.times import NS_PER_MS, to_rfc3339

_STREAMS_END_S = 3
_MALLOC = ((-8, 1), (-1, 1 << 20), (-3, 1 << 16))
"""M_ARENA_MAX, M_TRIM_THRESHOLD and M_MMAP_THRESHOLD, as glibc's malloc.h numbers them."""

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


class _JsonLines(logging.Formatter):
    """One JSON object a line: `t` (RFC 3339), `level`, `part`, `text`, and `error` where something was raised."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "t": to_rfc3339(int(record.created * NS_PER_MS) * 1000),
            "level": record.levelname.lower(),
            "part": getattr(record, "part", record.name.rpartition(".")[2]),
            "text": record.getMessage(),
        }
        if record.exc_info:
            fields["error"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


LOG_FORMATS: dict[str, type[logging.Formatter]] = {"text": _Lines, "json": _JsonLines}


def log_to_stderr(shape: str = "text") -> None:
    """Log lines of level info and above go to stderr, in one of LOG_FORMATS; else ConfigError."""
    if shape not in LOG_FORMATS:
        raise ConfigError(f"--log {shape!r}: expected one of {', '.join(LOG_FORMATS)}")
    handler = logging.StreamHandler()
    handler.setFormatter(LOG_FORMATS[shape]())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


@contextmanager
def listening(host: str, port: int, mend: str = "give another by --http HOST:PORT") -> Iterator[socket.socket]:
    """A socket that listens there and nowhere else; raises ConfigError, which ends with `mend`, where it cannot."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        raise ConfigError(f"{host}:{port}: cannot listen there: {error.strerror or error}; {mend}") from error
    with listener:
        yield listener


def calm_memory() -> None:
    """Keep memory small and steady under load.

    Collect garbage seldom: batches are thousands of short-lived objects without cycles, searched in vain. And have the
    C library use one heap for all threads, as what one takes and another frees would split each of theirs, and give
    back what is free.
    """
    with suppress(AttributeError, OSError):  # another C library than glibc
        for parameter, value in _MALLOC:
            ctypes.CDLL(None).mallopt(parameter, value)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever runs it, to close the streams first."""
        yield


class WebServer:
    """Serves an app on a listening socket from `run` until `end`, which also ends the live view's streams."""

    def __init__(self, app: FastAPI, listener: socket.socket, live: Live) -> None:
        self._listener = listener
        self._live = live
        self._server = _Server(
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

    def run(self) -> None:
        """In a thread of its own, or in the main one."""
        asyncio.run(self._server.serve(sockets=[self._listener]))

    def end(self) -> None:
        """From any thread or signal handler; does not wait."""
        self._server.should_exit = True
        self._live.end_streams()


def serve(collector: Collector, app: FastAPI, listener: socket.socket) -> None:
    """Run collector and web server until SIGTERM or SIGINT; both are closed on return."""
    web = WebServer(app, listener, collector.live)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: web.end())
    try:
        calm_memory()
        collector.start()
        host, port = listener.getsockname()[:2]
        log.info("serving http://%s:%d, store %s", f"[{host}]" if ":" in host else host, port, collector.store.name)
        web.run()
    finally:
        collector.close()
        log.info("ended, %d events stored", collector.events_stored)
