"""Addresses given as URLs: the broker, and host:port to listen on."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from firmware_cfg.errors import ConfigError

_PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class MqttEndpoint:
    """A broker: `mqtt://[user[:password]@]host[:port]`, or `mqtts://` for TLS with the system's authorities."""

    host: str
    port: int
    tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


def parse_mqtt_url(url: str) -> MqttEndpoint:
    """The endpoint an `mqtt://` or `mqtts://` URL names; raises ConfigError saying what is wrong with it."""
    mend = f"--mqtt {url!r}: expected mqtt://[user[:password]@]host[:port] or mqtts://…"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"{mend} ({error})") from error
    if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ConfigError(mend)
    return MqttEndpoint(
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        tls=parts.scheme == "mqtts",
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


def parse_host_port(text: str) -> tuple[str, int]:
    """`HOST:PORT` or `[V6]:PORT`; raises ConfigError."""
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"--http {text!r}: expected HOST:PORT ({error})") from error
    if not host or port is None or parts.path:
        raise ConfigError(f"--http {text!r}: expected HOST:PORT, for example 127.0.0.1:8000")
    return host, port
