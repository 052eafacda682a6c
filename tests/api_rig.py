"""A collector's API, really served, for tests."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import httpx
import uvicorn
from collector_rig import until
from fastapi import FastAPI
from servers import Mosquitto

from collector.api import create_api
from collector.serve import listening
from collector.service import Collector
from firmware_cfg.endpoint import parse_mqtt_url
from firmware_cfg.load import EXAMPLE_FLEET, load_fleet


class Served:
    """A collector and its API on a loopback port."""

    def __init__(self, broker: Mosquitto, store: str, state: Path) -> None:
        self.collector = Collector(load_fleet(EXAMPLE_FLEET), parse_mqtt_url(broker.url), store, state)
        self.app = FastAPI()
        self.app.include_router(create_api(self.collector))
        self._server = uvicorn.Server(uvicorn.Config(self.app, log_config=None, timeout_graceful_shutdown=3))
        self._listening = listening("127.0.0.1", 0)

    def __enter__(self) -> httpx.Client:
        self.collector.start()
        listener = self._listening.__enter__()
        port = listener.getsockname()[1]
        serve = self._server.serve(sockets=[listener])
        self._thread = threading.Thread(target=lambda: asyncio.run(serve), daemon=True)
        self._thread.start()
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10)
        until(lambda: self._client.get("/healthz").status_code == 200, "well")
        return self._client

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self.collector.live.end_streams()
        self._server.should_exit = True
        self._thread.join(10)
        assert not self._thread.is_alive()
        self._listening.__exit__(None, None, None)
        self.collector.close()
