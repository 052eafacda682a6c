"""One broker as it is deployed for each module of tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from deployed import Deployed, authority

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A throw-away authority with a broker, two units, a unit that was revoked, and a collector."""
    folder = tmp_path_factory.mktemp("authority")
    authority(folder, "init")
    authority(folder, "broker", "127.0.0.1")
    for name in ("armley-front", "strood-front", "stolen-front", "collector.1"):
        authority(folder, "client", name)
    for kind in ("crt", "key"):
        (folder / f"kept.{kind}").write_bytes((folder / f"stolen-front.{kind}").read_bytes())
    authority(folder, "revoke", "stolen-front")
    return folder


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[Deployed]:
    with Deployed(tmp_path_factory.mktemp("broker"), certificates) as deployed:
        yield deployed
