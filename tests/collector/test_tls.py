"""A collector on another machine than its broker."""

from __future__ import annotations

from pathlib import Path

import pytest
from house import wait_until
from servers import Mosquitto, TlsMosquitto

from collector.service import Collector
from firmware_cfg.endpoint import TlsFiles, parse_mqtt_url
from firmware_cfg.load import EXAMPLE_FLEET, load_fleet


def collector(broker: Mosquitto, folder: Path, tls: TlsFiles) -> Collector:
    folder.mkdir()
    endpoint = parse_mqtt_url(f"mqtts://127.0.0.1:{broker.port}", tls)
    return Collector(load_fleet(EXAMPLE_FLEET), endpoint, f"sqlite:{folder / 'store.db'}", folder)


@pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning")
def test_a_collector_trusts_the_authority_it_is_given_and_no_other(tmp_path: Path) -> None:
    with TlsMosquitto(tmp_path / "broker") as broker:
        stranger = collector(broker, tmp_path / "stranger", TlsFiles())
        stranger.start()
        wait_until("its complaint", lambda: "certificate" in stranger.condition().reasons.get("broker", ""))
        stranger.close()
        known = collector(broker, tmp_path / "known", TlsFiles(ca=broker.certificate))
        known.start()
        wait_until("connected and subscribed", lambda: known.condition().ok)
        known.close()
