"""Tables in documents, and many doors at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_cfg.errors import ConfigError
from simulators.report import in_processes, renew


def test_renew_keeps_what_is_around_the_table(tmp_path: Path) -> None:
    path = tmp_path / "accuracy.md"
    path.write_text("before\n<!-- the faults -->\nold\n<!-- end of the faults -->\nafter\n")
    renew(path, "the faults", ["| a |"], ["simulate", "faults"])
    assert path.read_text() == (
        "before\n<!-- the faults -->\n```\nfoyer simulate faults\n```\n\n| a |\n<!-- end of the faults -->\nafter\n"
    )
    for wrong in ("no marks", path.read_text() * 2):
        path.write_text(wrong)
        with pytest.raises(ConfigError, match="expected once each"):
            renew(path, "the faults", [], [])
        assert path.read_text() == wrong
    with pytest.raises(ConfigError, match="cannot be read"):
        renew(tmp_path / "nowhere.md", "the faults", [], [])


def test_outcomes_are_in_the_order_of_their_tasks(capfd: pytest.CaptureFixture[str]) -> None:
    assert in_processes(abs, range(-30, 0), 2) == list(range(30, 0, -1))
    assert capfd.readouterr().err.splitlines() == [f"{done} of 30 doors" for done in range(3, 31, 3)]
