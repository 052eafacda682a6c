"""Recordings named after what they show, on both builds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge.counting import DoorSettings, Fault, Passage
from edge.trace import Edge, open_trace

if TYPE_CHECKING:
    from types import ModuleType

TRACES = Path(__file__).parents[2] / "traces"

DIRECTIONS = {
    "single-in": ["in"],
    "single-out": ["out"],
    "single-in-separation-unknown": ["in"],
    "single-in-wide-beams": ["in"],
    "two-followers-overlapping": ["in", "in"],
    "in-and-out-in-turn": ["in", "out"],
    "turn-back-in-the-outer-beam": [],
    "turn-back-after-both-beams": [],
    "turn-back-past-the-outer-beam": [],
    "dwells-in-the-inner-beam": ["in"],
    "stands-beyond-the-inner-beam": [],
    "arm-behind-the-body": ["in"],
    "bouncing-contacts": ["in"],
    "insects": [],
    "repeated-level": ["in"],
    "blocked-from-the-start": ["in"],
    "inner-beam-stuck": [],
}


def count(core: ModuleType, name: str) -> list[Passage | Fault]:
    with open_trace(TRACES / f"{name}.jsonl") as trace:
        door = core.Door(DoorSettings(trace.header.separation_m), trace.header.levels)
        found: list[Passage | Fault] = []
        for row in trace:
            assert isinstance(row, Edge)
            found += door.feed(*row)
        return found + door.finish()


@pytest.mark.parametrize("name", DIRECTIONS)
def test_trace(core: ModuleType, name: str) -> None:
    assert [found.direction for found in count(core, name) if isinstance(found, Passage)] == DIRECTIONS[name]


def test_every_good_trace_is_counted() -> None:
    assert {path.stem for path in TRACES.glob("*.jsonl")} - {"runs-backwards"} == set(DIRECTIONS)


def test_single(core: ModuleType) -> None:
    (passage,) = count(core, "single-in")
    assert isinstance(passage, Passage)
    assert passage.t_ns == 1_160_000_000
    assert passage.speed_m_s == pytest.approx(0.12 / 0.09)
    assert passage.length_m == pytest.approx(0.12 / 0.09 * 0.23)
    assert passage.confidence > 0.9


def test_without_a_separation_there_is_no_speed(core: ModuleType) -> None:
    (passage,) = count(core, "single-in-separation-unknown")
    assert isinstance(passage, Passage)
    assert (passage.speed_m_s, passage.length_m) == (None, None)


def test_poor_agreement_is_poor_confidence(core: ModuleType) -> None:
    (passage,) = count(core, "dwells-in-the-inner-beam")
    assert isinstance(passage, Passage)
    assert passage.confidence < 0.5


def test_bouncing_contacts_are_dated_at_their_first_change(core: ModuleType) -> None:
    assert count(core, "bouncing-contacts") == count(core, "single-in")


def test_a_repeated_level_is_a_fault(core: ModuleType) -> None:
    assert count(core, "repeated-level") == [
        Fault(1_150_000_000, "repeated_level", "outer"),
        *count(core, "single-in"),
    ]
