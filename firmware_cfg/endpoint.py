"""Addresses given as URLs: the broker, and host:port to listen on."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from firmware_cfg.errors import ConfigError

if TYPE_CHECKING:
    import ssl

_PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files for `mqtts://`: who signs brokers, if not the system's authorities; one's own certificate and key."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        if self.key and not self.cert:
            raise ConfigError(f"--tls-key {self.key}: it is the key of a certificate; give that too, by --tls-cert")

    def context(self) -> ssl.SSLContext:
        """Raises ConfigError where a file cannot be used."""
        import ssl  # noqa: PLC0415 - 3 MB that a unit on a loopback broker does without

        try:
            context = ssl.create_default_context(cafile=str(self.ca) if self.ca else None)
            if self.cert:
                context.load_cert_chain(self.cert, self.key)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"--tls-ca, --tls-cert or --tls-key cannot be used: {error}") from error
        return context


@dataclass(frozen=True, slots=True)
class MqttEndpoint:
    """A broker: `mqtt://[user[:password]@]host[:port]`, or `mqtts://` for TLS with the system's authorities."""

    host: str
    port: int
    tls: TlsFiles | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


def without_user(url: str) -> str:
    """The URL as errors show it: who says what, and with which password, is left out, even where it is malformed."""
    return re.sub(r"(?<=//).*@|^[^/]*@", "…@", url)


def parse_mqtt_url(url: str, tls: TlsFiles | None = None) -> MqttEndpoint:
    """The endpoint an `mqtt://` or `mqtts://` URL names, the latter with `tls`; raises ConfigError.

    Files for TLS and a URL without it are an error, since whoever gives them does not want to talk in the clear. Errors
    show neither user nor password.
    """
    shown = without_user(url)
    mend = f"--mqtt {shown!r}: expected mqtt://[user[:password]@]host[:port] or mqtts://…"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        if "@" in url:  # what Python says may quote a password that has an unescaped / or [ in it
            raise ConfigError(f"{mend}; what is special in a password is written as %2F and so on") from None
        raise ConfigError(f"{mend} ({error})") from error
    if port == 0:
        raise ConfigError(f"{mend}; port 0 is none")
    if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ConfigError(mend)
    if parts.scheme == "mqtt" and tls not in (None, TlsFiles()):
        raise ConfigError(f"--mqtt {shown!r}: not encrypted, but --tls-ca or --tls-cert is given; expected mqtts://…")
    return MqttEndpoint(
        host=parts.hostname,
        port=_PORTS[parts.scheme] if port is None else port,
        tls=(tls or TlsFiles()) if parts.scheme == "mqtts" else None,
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
