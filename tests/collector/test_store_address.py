"""What `--store` takes: an address that cannot be used says what is expected, and never a password."""

from __future__ import annotations

import pytest

from collector.store import open_store
from collector.store.base import StoreUnavailable
from firmware_cfg.errors import ConfigError


@pytest.mark.parametrize(
    "url",
    [
        "",
        "sqlite:",
        "postgres://x",
        "influxdb+http://",
        "influxdb+http://host:8086",
        "influxdb+http://host:x/b",
        "influxdb+http://host/a/b",
        "influxdb+http://host/b?x=1",
        "influxdb+ftp://host/b",
    ],
)
def test_an_address_that_cannot_be_used_says_what_is_expected(url: str) -> None:
    with pytest.raises(ConfigError, match=r"--store.*expected"):
        open_store(url)


@pytest.mark.parametrize("address", ["who:se/cret@host:8086/b", "who:1/secret@host:8086/b", "who:[secret@host:8086/b"])
def test_an_address_that_cannot_be_used_does_not_print_the_password(address: str) -> None:
    with pytest.raises(ConfigError, match=r"--store 'influxdb\+http://…@host:8086/b': expected influxdb") as caught:
        open_store(f"influxdb+http://{address}")
    assert "cret" not in str(caught.value)
    assert "'se'" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_secrets_are_not_in_a_stores_name() -> None:
    store = open_store("influxdb+http://who:secret@127.0.0.1:1/foyer")
    assert store.name == "influxdb+http://127.0.0.1:1/foyer"
    with pytest.raises(StoreUnavailable) as caught:
        store.ping()
    assert "secret" not in str(caught.value)
    store.close()
