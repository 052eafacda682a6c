"""What systemd itself says about the units that are deployed."""

from __future__ import annotations

import re
import subprocess
import sys
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


@pytest.mark.parametrize("unit", UNITS, ids=by_name)
def test_the_command_takes_the_options_it_is_given(unit: Path) -> None:
    """Those in the unit and those that the README puts into its environment file."""
    text = unit.read_text(encoding="utf-8").replace("\\\n", " ")
    command = re.search(r"^ExecStart=(.*)$", text, re.MULTILINE)
    variable = f"FOYER_{unit.stem.removeprefix('foyer-').upper()}_OPTIONS"
    example = re.search(rf'{variable}="(.*)"', (UNITS[0].parents[1] / "README.md").read_text(encoding="utf-8"))
    assert command
    assert example
    assert command[1].endswith(f" ${variable}")
    called = command[1].removeprefix("/opt/foyer/.venv/bin/").removeprefix("python ").split(" ", 1)
    module = ["-m", "foyer", "collector"] if called[0] == "foyer" else ["-m", "edge"]
    helped = subprocess.run([sys.executable, *module, "--help"], check=True, capture_output=True, text=True)
    known = set(re.findall(r"--[a-z-]+", helped.stdout))
    given = set(re.findall(r"--[a-z-]+", command[1] + " " + example[1]))
    assert given
    assert given <= known
    assert known >= {"--state", "--mqtt", "--fleet"} <= given
