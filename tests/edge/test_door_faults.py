"""What a unit tells of its beams and what it has learned of its door, over crashes, reboots and other versions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from edge_rig import HUB, INNER_PIN, OUTER_PIN, Rig, fleet_of

from edge.eventfile import OutboxSettings
from firmware_cfg.times import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from pathlib import Path

MINUTE_NS = 60 * NS_PER_S


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    rig = Rig(tmp_path, fleet_of(tmp_path / "fleet", HUB), outbox=OutboxSettings(durable=False))
    rig.network.connect()
    return rig


def faults(rig: Rig) -> list[tuple[str, str | None, bool]]:
    events = [event for event in rig.network.events if event["kind"] == "fault"]
    return [(event["fault"], event.get("line"), event.get("active", True)) for event in events]


def directions(rig: Rig) -> list[str]:
    return [event["direction"] for event in rig.network.passages()]


def break_outer(rig: Rig, people: int) -> None:
    """They walk past a dead inner beam."""
    for _ in range(people):
        rig.drive(OUTER_PIN, 1)
        rig.run(230 * NS_PER_MS)
        rig.drive(OUTER_PIN, 0)
        rig.run(3 * NS_PER_S)


def reboot(rig: Rig, after_ns: int = 10 * NS_PER_S, levels: tuple[int, int] = (0, 0)) -> None:
    rig.crash()
    rig.clock.reboot("boot-2", wall_ns=rig.clock.wall_ns() + after_ns, synced=True)
    rig.network.now_ns += after_ns
    rig.start(levels)


def habits(rig: Rig) -> dict[str, Any]:
    told: dict[str, Any] = rig.unit._sensors[0].driver.memo()["door"]["window"]["habits"]
    return told


def test_a_blocked_beam_is_told_with_its_evidence_and_again_when_it_is_clear(rig: Rig) -> None:
    rig.drive(INNER_PIN, 1)
    rig.run(2 * MINUTE_NS)
    assert faults(rig) == [("beam_blocked", "inner", True)]
    assert rig.network.events[-1]["detail"] == "blocked for over 60 s"
    rig.drive(INNER_PIN, 0)
    rig.run(NS_PER_S)
    assert faults(rig) == [("beam_blocked", "inner", True), ("beam_blocked", "inner", False)]
    assert rig.network.events[-1]["detail"] == "clear again after 120 s"


def test_blocked_before_a_crash_and_clear_after_it_is_told_once_each(rig: Rig) -> None:
    rig.drive(INNER_PIN, 1)
    rig.run(2 * MINUTE_NS)
    rig.crash()
    rig.start(levels=(0, 1))
    rig.run(2 * MINUTE_NS)
    reboot(rig, levels=(0, 1))
    rig.run(2 * MINUTE_NS)
    assert faults(rig) == [("beam_blocked", "inner", True)]
    reboot(rig)
    rig.run(MINUTE_NS)
    assert faults(rig) == [("beam_blocked", "inner", True), ("beam_blocked", "inner", False)]


def test_a_beam_that_is_blocked_when_the_unit_starts_is_told(tmp_path: Path) -> None:
    fleet = fleet_of(tmp_path / "fleet", HUB)
    rig = Rig(tmp_path, fleet, outbox=OutboxSettings(durable=False))
    rig.crash()
    rig.clock.reboot("boot-2", wall_ns=rig.clock.wall_ns(), synced=True)
    rig.network.connect()
    rig.start(levels=(1, 0))
    rig.run(59 * NS_PER_S)
    assert faults(rig) == []
    rig.run(2 * NS_PER_S)
    assert faults(rig) == [("beam_blocked", "outer", True)]


@pytest.mark.parametrize("how", ["crash", "reboot"])
def test_what_was_learned_and_what_is_wrong_outlive_a_crash_and_a_reboot(rig: Rig, how: str) -> None:
    for number in range(30):
        rig.walk(inward=number % 2 == 0)
    learned = habits(rig)
    assert learned["people"] > 20
    break_outer(rig, 18)
    assert faults(rig) == [("beam_dead", "inner", True)]
    assert directions(rig)[30:] == ["unknown"] * 4
    if how == "crash":
        rig.crash()
        rig.start()
    else:
        reboot(rig)
    known = habits(rig)
    for name in ("recent", "recent_ns"):  # who came of late goes by the clock of the boot
        del known[name], learned[name]
    assert known == pytest.approx(learned, abs=0.05)  # turning back was learned meanwhile
    break_outer(rig, 3)
    assert directions(rig)[30:] == ["unknown"] * 7
    assert len(faults(rig)) == 1
    for _ in range(6):
        rig.walk()
    assert faults(rig) == [("beam_dead", "inner", True), ("beam_dead", "inner", False)]
    assert directions(rig)[-2:] == ["in", "in"]


def test_what_another_version_had_learned_is_forgotten_and_said_so(rig: Rig) -> None:
    rig.walk()
    break_outer(rig, 15)
    assert faults(rig) == [("beam_dead", "inner", True)]
    (memo_key,) = (sensor.memo_key for sensor in rig.unit._sensors)
    rig.crash()
    rewritten(rig, memo_key)
    rig.start()
    rig.run(NS_PER_S)
    assert faults(rig)[1:] == [("door_forgotten", None, True), ("beam_dead", "inner", False)]
    rig.walk()
    assert directions(rig)[-1] == "in"


def rewritten(rig: Rig, memo_key: str) -> None:
    """The door's snapshot in the outbox says another version."""
    import sqlite3  # noqa: PLC0415 - no other test writes into an outbox

    (path,) = rig.folder.glob("outbox*.db")
    with sqlite3.connect(path) as db:
        ((text,),) = db.execute("SELECT value FROM memo WHERE key = ?", (memo_key,)).fetchall()
        memo = json.loads(text)
        memo["door"]["version"] = 1
        db.execute("UPDATE memo SET value = ? WHERE key = ?", (json.dumps(memo), memo_key))
    db.close()
