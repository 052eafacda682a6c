"""Where time series are kept. Each store is imported only when an address asks for it."""

from __future__ import annotations

from pathlib import Path

from collector.store.base import Store
from firmware_cfg.errors import ConfigError


def open_store(url: str) -> Store:
    """The store at `sqlite:PATH`, `influxdb+http://HOST:PORT/BUCKET` or `influxdb+https://…`; raises ConfigError.

    A server that does not answer is no error here: it may come.
    """
    scheme, _, rest = url.partition(":")
    if scheme == "sqlite" and rest:
        from collector.store.embedded import EmbeddedStore  # noqa: PLC0415 - only the store in use is loaded

        return EmbeddedStore(Path(rest.removeprefix("//")))
    if scheme in ("influxdb+http", "influxdb+https"):
        from collector.store.influx import InfluxServer  # noqa: PLC0415 - only the store in use is loaded
        from collector.store.influx_store import InfluxStore  # noqa: PLC0415 - likewise

        return InfluxStore(InfluxServer.from_url(url))
    raise ConfigError(f"--store {url!r}: expected sqlite:PATH or influxdb+http(s)://HOST:PORT/BUCKET")
