"""The pages over a real collector with an embedded store, as a process that can be killed: BROKER FOLDER PORT."""

from __future__ import annotations

import sys
from pathlib import Path

import uvicorn

from collector.service import Collector
from dashboards.app import create_app
from firmware_cfg.endpoint import parse_mqtt_url
from firmware_cfg.load import EXAMPLE_FLEET, load_fleet


def main() -> None:
    broker, folder, port = sys.argv[1:]
    state = Path(folder)
    collector = Collector(load_fleet(EXAMPLE_FLEET), parse_mqtt_url(broker), f"sqlite:{state / 'store.db'}", state)
    collector.start()
    try:
        uvicorn.run(create_app(collector), host="127.0.0.1", port=int(port), timeout_graceful_shutdown=1)
    finally:
        collector.close()


if __name__ == "__main__":
    main()
