"""A short version of `make faults`: real processes killed at random moments, nothing lost, nothing twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from faults.__main__ import Outcome, run, table
from faults.kinds import KINDS, possible

pytestmark = pytest.mark.timeout(240)


@pytest.mark.parametrize("kind", ["any two", "flood", "disk full", "network"])
def test_nothing_is_lost_or_twice(tmp_path: Path, kind: str) -> None:
    if not possible(KINDS[kind]):
        pytest.skip("only an administrator (root) can make disks and networks")
    outcome = run(kind, 1, tmp_path / "run")
    assert (outcome.failure, outcome.lost, outcome.twice) == ("", 0, 0)
    assert outcome.struck > 0
    assert outcome.stored == outcome.published > 300


def test_what_is_lost_stands_in_the_table_and_fails() -> None:
    bad = Outcome("unit", 1, 2, published=10, stored=9, lost=1)
    assert bad.bad
    assert table([bad]).splitlines()[-1] == "| all | 1 | 2 | 10 | 9 | 1 | 0 |"
