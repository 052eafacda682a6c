"""What systemd itself says about the units that are deployed."""

from __future__ import annotations

import subprocess
from configparser import RawConfigParser
from pathlib import Path

import pytest
from servers import program

UNITS = sorted((Path(__file__).parents[2] / "deploy/systemd").glob("*.service"))
EXPOSURE_MAX = 20  # tenths, of 100; an unhardened service has 96


def by_name(unit: Path) -> str:
    return unit.stem


@pytest.mark.parametrize("unit", UNITS, ids=by_name)
def test_systemd_finds_no_fault(unit: Path, tmp_path: Path) -> None:
    installed = tmp_path / "bin"
    installed.mkdir()
    for name in ("python", "foyer"):
        (installed / name).symlink_to(program("true"))
    text = unit.read_text(encoding="utf-8")
    assert "/opt/foyer/.venv/bin/" in text
    copy = tmp_path / unit.name
    copy.write_text(text.replace("/opt/foyer/.venv/bin/", f"{installed}/"), encoding="utf-8")
    done = subprocess.run(
        [program("systemd-analyze"), "verify", "--man=no", copy],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS, ids=by_name)
def test_a_service_is_hardened(unit: Path) -> None:
    done = subprocess.run(
        [program("systemd-analyze"), "security", "--offline=yes", f"--threshold={EXPOSURE_MAX}", unit],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("unit", UNITS, ids=by_name)
def test_a_service_comes_back_and_keeps_its_state(unit: Path) -> None:
    parser = RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # systemd's keys have capitals
    parser.read(unit, encoding="utf-8")
    service = dict(parser["Service"])
    assert service["Restart"] == "always"
    assert parser["Unit"]["StartLimitIntervalSec"] == "0"
    assert service["StateDirectory"] == unit.stem
    assert service["WorkingDirectory"] == f"/var/lib/{unit.stem}"
