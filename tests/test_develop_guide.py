"""What docs/develop.md quotes and names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge.sensors.kinds import MODULES

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs/develop.md").read_text(encoding="utf-8")
QUOTES = re.findall(r"^ *```python\n *# (\S+)\n(.*?)^ *```$", GUIDE, re.MULTILINE | re.DOTALL)
FILES = re.findall(r"`((?:edge|firmware_cfg|simulators|collector|tests|docs)/[\w/.-]+)`", GUIDE)


@pytest.mark.parametrize(("file", "quote"), QUOTES, ids=[file for file, _ in QUOTES])
def test_a_quote_is_what_the_file_says(file: str, quote: str) -> None:
    said = iter([line.strip() for line in (ROOT / file).read_text(encoding="utf-8").splitlines()])
    missing = [line for line in quote.splitlines() if line.strip() not in said]  # `in` goes on from the last one found
    assert missing == [], "not there, or in another order"


def test_it_quotes_all_five_steps_and_names_only_files_that_are() -> None:
    assert [file.split("/")[0] for file, _ in QUOTES] == ["firmware_cfg", "edge", "edge", "simulators", "tests"]
    assert [file for file in FILES if not (ROOT / file).exists()] == []


@pytest.mark.parametrize(
    "name", ["Frames", "CumulativeCounter", "SerialSensor", "edge_source", "BadLine", "PtyPort", "Bench"]
)
def test_a_name_it_explains_is_defined(name: str) -> None:
    assert f"`{name}`" in GUIDE
    defined = re.compile(rf"^(class|def) {name}\b", re.MULTILINE)
    files = [*(ROOT / "edge").rglob("*.py"), *(ROOT / "simulators").rglob("*.py"), *(ROOT / "tests").glob("*.py")]
    assert any(defined.search(file.read_text(encoding="utf-8")) for file in files)


def test_its_example_is_a_registered_kind() -> None:
    assert MODULES["terabee-evo"] == "edge.sensors.terabee"
