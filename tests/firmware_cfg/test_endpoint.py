from pathlib import Path

import pytest

from firmware_cfg.endpoint import MqttEndpoint, TlsFiles, parse_host_port, parse_mqtt_url
from firmware_cfg.errors import ConfigError


def test_a_broker_url_with_everything() -> None:
    endpoint = parse_mqtt_url("mqtts://armley-front:p%40ss@broker.example:8884")
    assert endpoint == MqttEndpoint("broker.example", 8884, TlsFiles(), "armley-front", "p@ss")


@pytest.mark.parametrize(("url", "port"), [("mqtt://broker", 1883), ("mqtts://broker", 8883), ("mqtt://[::1]:9", 9)])
def test_ports_by_scheme(url: str, port: int) -> None:
    assert parse_mqtt_url(url).port == port


def test_a_password_is_never_printed() -> None:
    endpoint = parse_mqtt_url("mqtt://unit:secret@broker")
    assert "secret" not in repr(endpoint) + str(endpoint)


@pytest.mark.parametrize(
    "url",
    [
        "http://unit:secret@broker",
        "mqtt://unit:secret@broker:99999",
        "mqtt://unit:secret@broker/topic",
        "mqtt://unit:secret/@broker",
        "mqtt://unit:[secret@broker",
        "mqtt://unit:secret@more@broker/x",
        "unit:secret@broker",
        "mqtt:unit:secret@broker",
    ],
)
def test_an_error_does_not_print_the_password(url: str) -> None:
    with pytest.raises(ConfigError, match=r"--mqtt '[a-z:/]*…@broker.*expected mqtt://") as caught:
        parse_mqtt_url(url)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("files", [TlsFiles(ca=Path("ca.crt")), TlsFiles(cert=Path("me.crt"), key=Path("me.key"))])
def test_certificates_for_a_line_in_the_clear_are_refused(files: TlsFiles) -> None:
    with pytest.raises(ConfigError, match=r"--mqtt 'mqtt://broker': not encrypted, but .* expected mqtts://"):
        parse_mqtt_url("mqtt://broker", files)
    assert parse_mqtt_url("mqtts://broker", files).tls == files
    assert parse_mqtt_url("mqtt://broker", TlsFiles()).tls is None


def test_a_key_without_its_certificate_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--tls-key me\.key: .* by --tls-cert"):
        TlsFiles(key=Path("me.key"))


def test_port_0_is_none() -> None:
    with pytest.raises(ConfigError, match="port 0 is none"):
        parse_mqtt_url("mqtt://broker:0")


@pytest.mark.parametrize("url", ["", "broker:1883", "http://broker", "mqtt://", "mqtt://b:99999", "mqtt://b/topic"])
def test_a_bad_broker_url_says_what_is_expected(url: str) -> None:
    with pytest.raises(ConfigError, match=r"expected mqtt://"):
        parse_mqtt_url(url)


def test_host_and_port() -> None:
    assert parse_host_port("127.0.0.1:8000") == ("127.0.0.1", 8000)
    assert parse_host_port("[::1]:8000") == ("::1", 8000)


@pytest.mark.parametrize("text", ["", "8000", "localhost", "localhost:http", "localhost:70000", "localhost:80/x"])
def test_a_bad_listening_address_says_what_is_expected(text: str) -> None:
    with pytest.raises(ConfigError, match=r"expected HOST:PORT"):
        parse_host_port(text)
