"""foyer agent outbox: while the agent writes, and on files that are damaged."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from edge.__main__ import main
from edge.clock import ManualClock, read
from edge.drafts import Draft, Mark
from edge.outbox import Outbox, OutboxSettings
from firmware_cfg.times import NS_PER_S
from firmware_cfg.wire import EventBatch

if TYPE_CHECKING:
    from pathlib import Path

T0_NS = 1_780_000_000 * NS_PER_S


def passage(when: Any, **more: Any) -> Draft:
    fields = {"direction": "in", "persons": 1, "confidence": 0.9, "role": "counting", **more}
    return Draft("passage", when, "hall", fields, sensor="front-beams", entrance="front")


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    """Of a running agent: two open events, one acked, one rejected, one that waits for its date."""
    clock = ManualClock(T0_NS, synced=False)
    now = read(clock)
    outbox = Outbox(tmp_path, "hall-front", now, OutboxSettings(durable=False))
    for number in range(4):
        outbox.append(passage(T0_NS + number * NS_PER_S), now)
    outbox.append(passage(Mark("boot-1", 7)), now)
    outbox.commit(now, {})
    outbox.settle(outbox.epoch, [(1, 1)], [(2, "no such hub")], T0_NS, now)
    outbox.commit(now, {})
    return outbox


def test_it_lists_and_shows_what_a_running_agent_holds(
    outbox: Outbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["outbox", "list", str(tmp_path)]) == 0
    listed = capsys.readouterr().out
    assert listed.startswith(
        f"outbox.db  epoch {outbox.epoch}  2 open, 1 undated, 1 acked, 1 rejected  from 2026-05-28T"
    )
    assert main(["outbox", "show", str(tmp_path)]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith(f"unit hall-front, epoch {outbox.epoch}")
    assert shown[1] == "5 numbers given, 0 events dropped for want of room"
    assert shown[3].split() == ["front-beams", "passage", "2", "1", "1", "1"]
    assert main(["outbox", "show", "--json", str(tmp_path / "outbox.db")]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert (whole["unit"], whole["max_seq"], sum(row["events"] for row in whole["events"])) == ("hall-front", 5, 5)


def test_an_exported_line_is_the_message_that_the_unit_would_send(
    outbox: Outbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["outbox", "export", str(tmp_path), "--status", "open", "--status", "rejected"]) == 0
    lines = capsys.readouterr().out.splitlines()
    batches = [EventBatch.model_validate_json(line) for line in lines]
    assert [(batch.epoch, batch.events[0].seq) for batch in batches] == [(outbox.epoch, seq) for seq in (2, 3, 4)]
    assert json.loads(lines[0])["reason"] == "no such hub"
    now = read(ManualClock(T0_NS))
    assert [json.loads(event.text) for event in outbox.load(outbox.epoch, [2, 3, 4], now)] == [
        json.loads(line)["events"][0] for line in lines
    ]
    assert main(["outbox", "export", str(tmp_path), "--status", "undated"]) == 0
    undated = json.loads(capsys.readouterr().out)
    assert (undated["boot"], undated["mono_ns"], undated["events"][0]["t_ns"]) == ("boot-1", 7, None)
    assert main(["outbox", "export", str(tmp_path)]) == 0
    assert [json.loads(line)["status"] for line in capsys.readouterr().out.splitlines()] == [
        "acked",
        "rejected",
        "open",
        "open",
        "undated",
    ]


def test_looking_changes_nothing_and_disturbs_nobody(outbox: Outbox, tmp_path: Path) -> None:
    before = (tmp_path / "outbox.db").read_bytes(), (tmp_path / "outbox.db-wal").read_bytes()
    for command in ("list", "show", "export"):
        assert main(["outbox", command, str(tmp_path)]) == 0
    assert ((tmp_path / "outbox.db").read_bytes(), (tmp_path / "outbox.db-wal").read_bytes()) == before
    now = read(ManualClock(T0_NS))
    outbox.append(passage(T0_NS + 99), now)
    assert outbox.commit(now, {})
    assert outbox.close(now, {})
    whole = (tmp_path / "outbox.db").read_bytes()
    assert main(["outbox", "list", str(tmp_path)]) == 0
    assert (tmp_path / "outbox.db").read_bytes() == whole
    assert Outbox(tmp_path, "hall-front", now).stats(now).max_seq == 6


def test_of_a_damaged_file_it_exports_what_can_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clock = ManualClock(T0_NS)
    outbox = Outbox(tmp_path, "hall-front", read(clock), OutboxSettings(durable=False))
    for number in range(5000):
        outbox.append(passage(T0_NS + number * NS_PER_S, note=number), read(clock))
    outbox.commit(read(clock), {})
    outbox.close(read(clock), {})
    file = tmp_path / "outbox.db"
    body_at = file.read_bytes().index(b'"note":2500')
    with file.open("r+b") as opened:
        opened.seek(body_at // 4096 * 4096)
        opened.write(b"\xa5" * 4096)
    assert main(["outbox", "export", str(file)]) == 1
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert 4500 < len(lines) < 5000, "a page of them is gone"
    assert "it is damaged" in printed.err
    for line in lines:
        EventBatch.model_validate_json(line)


@pytest.mark.parametrize("command", ["list", "show", "export"])
def test_what_is_no_outbox_is_one_clear_sentence(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["outbox", command, str(tmp_path)]) == 2
    assert f"foyer: {tmp_path}/outbox.db: there is no such file" in capsys.readouterr().err
    (tmp_path / "outbox.db").write_text("no database" * 1000, encoding="ascii")
    assert main(["outbox", command, str(tmp_path)]) == (1 if command == "list" else 2)
    said = "".join(capsys.readouterr())
    assert "nothing in it can be read (file is not a database)" in said
