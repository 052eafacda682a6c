"""The agent: places, roles, totals, faults held back. Pure, so a list of events in is a list of outputs out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from edge_rig import HUB, T0_NS, fleet_of

from edge.agent import (
    COMMANDS_REMEMBERED,
    FAULT_EVERY_NS,
    Agent,
    AgentSettings,
    CommandCame,
    Execute,
    Message,
    Minute,
    Now,
    Seen,
    SensorDown,
    SensorUp,
    Tick,
    UnitNoticed,
)
from edge.drafts import Draft, Mark, Noticed, OutboxStats, Reading, SensorStats
from firmware_cfg.times import NS_PER_S
from firmware_cfg.wire import Command, event_adapter

if TYPE_CHECKING:
    from pathlib import Path

MOVED_NS = 1_780_000_020 * NS_PER_S  # 2026-05-28T20:27:00Z


@pytest.fixture
def settings(tmp_path: Path) -> AgentSettings:
    there = HUB.replace("since = 2020-01-01", "since = 2020-01-01\nuntil = 2026-05-28T20:27:00Z")
    then = HUB.replace('"hall"', '"barn"').replace("since = 2020-01-01", "since = 2026-05-28T20:27:00Z")
    fleet = fleet_of(tmp_path / "fleet", there, then.replace("front", "side").replace("hall-side", "hall-front"))
    return AgentSettings("hall-front", "1", fleet, "hall", tuple(fleet.stays("hall-front")[0][1].sensors))


def now(after_s: float = 0, *, synced: bool = True) -> Now:
    return Now("boot", int(after_s * NS_PER_S), T0_NS + int(after_s * NS_PER_S), synced)


def crossing(when: Any, direction: str = "in") -> Reading:
    fields = {"direction": direction, "persons": 2, "confidence": 0.5, "speed_m_s": None, "length_m": None}
    return Reading("passage", when, fields, *((2, 0) if direction == "in" else (0, 2)))


def only(outputs: list[Any]) -> Any:
    (output,) = outputs
    return output


def as_event(draft: Draft, seq: int = 1) -> dict[str, Any]:
    event = {"seq": seq, "t_ns": T0_NS, "clock": "synced", **draft.body()}
    event_adapter.validate_json(json.dumps(event))
    return event


def test_an_event_carries_the_place_where_it_happened(settings: AgentSettings) -> None:
    agent = Agent(settings)
    before = as_event(only(agent.handle(Seen("front-beams", crossing(Mark("boot", 5 * NS_PER_S))), now(30))))
    assert (before["hub"], before["entrance"], before["role"]) == ("hall", "front", "counting")
    after = as_event(only(agent.handle(Seen("side-beams", crossing(MOVED_NS)), now(0))))
    assert (after["hub"], after["entrance"], after["role"]) == ("barn", "side", "counting")
    nowhere = as_event(only(agent.handle(Seen("front-beams", crossing(5)), now(0))))
    assert nowhere["hub"] == "hall"


def test_what_it_must_not_forget_survives_in_its_memo(settings: AgentSettings) -> None:
    agent = Agent(settings)
    agent.handle(Seen("front-beams", crossing(T0_NS)), now())
    agent.handle(Seen("front-beams", crossing(T0_NS, "out")), now())
    agent.handle(SensorDown("front-beams", "outer_pin 17: gone"), now())
    agent.handle(CommandCame(Command(id="c", expires_ns=2**62, name="ping").model_dump_json().encode()), now())
    memo = json.loads(json.dumps(agent.memo()))
    assert memo["totals"] == {"front-beams": {"in_": 2, "out": 2}}
    assert Agent(settings, memo).memo() == memo
    assert Agent(settings, memo).handle(SensorDown("front-beams", "outer_pin 17: gone"), now()) == []
    over = as_event(only(Agent(settings, memo).handle(SensorUp("front-beams"), now())))
    assert (over["fault"], over["active"]) == ("sensor_unavailable", False)


def test_a_fault_that_repeats_is_told_at_once_and_then_once_a_minute(settings: AgentSettings) -> None:
    agent = Agent(settings)
    told: list[tuple[float, int]] = []
    for second in range(0, 150, 2):
        noticed = Noticed("repeated_level", Mark("boot", second * NS_PER_S), "outer")
        for draft in agent.handle(Seen("front-beams", noticed), now(second)):
            assert isinstance(draft, Draft)
            told.append((second, as_event(draft)["count"]))
    assert told == [(0, 1), (60, 30), (120, 30)]
    last = only(agent.handle(Tick(), now(120 + FAULT_EVERY_NS / NS_PER_S)))
    assert as_event(last)["count"] == 14
    assert agent.handle(Tick(), now(1000)) == []


def test_the_end_of_a_fault_is_never_held_back(settings: AgentSettings) -> None:
    agent = Agent(settings)
    for count in (1, 2):
        agent.handle(Seen("front-beams", Noticed("stuck", Mark("boot", 0), "outer", count=count)), now())
    ended = agent.handle(Seen("front-beams", Noticed("stuck", Mark("boot", 5), "outer", active=False)), now(1))
    events = [as_event(draft) for draft in ended if isinstance(draft, Draft)]
    assert [event.get("active", True) for event in events] == [True, False]
    assert events[0]["count"] == 2


def test_a_long_sentence_fits_the_wire(settings: AgentSettings) -> None:
    assert len(as_event(only(Agent(settings).handle(UnitNoticed("x", "y" * 900, 3), now())))["detail"]) == 500


def test_a_command_is_executed_once_however_often_it_comes(settings: AgentSettings) -> None:
    agent = Agent(settings)
    args = {"epoch": "0" * 16, "ranges": [[1, 9]]}
    payload = Command(id="c", expires_ns=T0_NS + 1, name="resend", args=args).model_dump_json().encode()
    assert isinstance(only(agent.handle(CommandCame(payload), now())), Execute)
    assert agent.handle(CommandCame(payload), now()) == []
    assert Agent(settings, agent.memo()).handle(CommandCame(payload), now()) == []
    refused = only(Agent(settings).handle(CommandCame(payload), now(1)))
    assert isinstance(refused, Message)
    assert json.loads(refused.payload) == {"v": 1, "id": "c", "ok": False, "detail": "it has expired", "args": {}}


def test_the_memory_of_commands_is_bounded(settings: AgentSettings) -> None:
    agent = Agent(settings)
    for number in range(COMMANDS_REMEMBERED + 10):
        command = Command(id=f"c{number}", expires_ns=2**62, name="ping")
        assert agent.handle(CommandCame(command.model_dump_json().encode()), now())
    assert len(agent.memo()["commands"]) == COMMANDS_REMEMBERED


def test_a_sensor_says_since_when_it_has_worked_though_nobody_could_be_told(settings: AgentSettings) -> None:
    agent = Agent(settings)
    outbox = OutboxStats("0" * 16, 0, 0, 0, 0, 0, 0, 0)

    def since_s(second: int, *, ok: bool) -> float | None:
        minute = Minute("session", 0, outbox, {"front-beams": SensorStats(ok=ok)})
        health = only(agent.handle(minute, now(second)))
        assert isinstance(health, Message)
        since_ns = json.loads(health.payload)["sensors"]["front-beams"]["ok_since_ns"]
        return None if since_ns is None else (since_ns - T0_NS) / NS_PER_S

    working = frozenset({"front-beams"})
    assert since_s(0, ok=True) is None, "no second of it was seen yet"
    for second in range(5, 14 * 86_400, 3600):
        agent.handle(Tick(working), now(second))
    assert since_s(14 * 86_400, ok=True) == 5
    assert since_s(14 * 86_400, ok=False) is None
    agent.handle(Tick(), now(14 * 86_400))
    agent.handle(Tick(working), now(14 * 86_400 + 9))
    assert since_s(14 * 86_400 + 60, ok=True) == 14 * 86_400 + 9
