"""A recording given to a unit is checked to its end first: what is damaged is refused, and nothing of it is stored."""

from __future__ import annotations

import gzip
import math
import os
from typing import TYPE_CHECKING

import pytest
from edge_rig import HUB, fleet_of

from edge.__main__ import main
from edge.clock import ManualClock, read
from edge.sensors.recording import RecordingSensor, checked_digest
from edge.trace import TraceError
from firmware_cfg.schema import BeamPair

if TYPE_CHECKING:
    from pathlib import Path

HEADER = '{"foyer_trace": 1, "t0": "2026-03-02T09:00:00Z"}\n'
SEGMENT = '{"foyer_trace": 1, "segment": {"number": 1, "begin_ns": 1, "after": null}}\n'
PASSAGE = '[10, "outer", 1]\n[90000000, "inner", 1]\n[250000000, "outer", 0]\n[340000000, "inner", 0]\n'
DOOR = BeamPair(name="front-beams", kind="beam-pair", entrance="front", outer_pin=17, inner_pin=27)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ('[5000000000, "outer"', ":6: '[5000000000, \"outer\"' is not JSON"),
        ('[50, "outer", 1]\n', ":6: time runs backwards, from 340000000 to 50 ns"),
        ('[5000000000, "middle", 1]\n', ":6: line 'middle': expected one of outer, inner, serial"),
        ("nonsense\n" + PASSAGE, ":6: 'nonsense' is not JSON"),
    ],
    ids=["truncated", "backwards", "unknown-line", "rubbish"],
)
def test_a_damaged_recording_is_refused_before_anything_of_it_is_fed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, rows: str, says: str
) -> None:
    (tmp_path / "a.jsonl").write_text(HEADER + PASSAGE + rows)
    fleet_of(tmp_path / "fleet", HUB)
    arguments = ["--fleet", str(tmp_path / "fleet"), "--unit", "hall-front", "--mqtt", "mqtt://127.0.0.1:1"]
    arguments += ["--state", str(tmp_path / "state"), "--trace", f"front-beams={tmp_path / 'a.jsonl'}"]
    assert main([*arguments, "--speed", "max", "--exit-when-done"]) == 2
    assert capsys.readouterr().err.startswith(f"foyer: {tmp_path}/a.jsonl{says}")
    assert not (tmp_path / "state").exists()
    assert "fed to its end" not in caplog.text


def test_a_recording_that_is_damaged_while_it_is_fed_is_not_called_fed_to_its_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.jsonl").write_text(HEADER + PASSAGE + "nonsense\n")
    sensor = RecordingSensor(DOOR, tmp_path / "a.jsonl", math.inf)
    now = read(ManualClock(0))
    sensor.open(now)
    sensor.poll(now)
    assert sensor.failed
    assert "fed to its end" not in caplog.text


def test_a_torn_segment_of_a_units_own_recording_is_fed_to_its_last_whole_row(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "00000001.jsonl.gz"
    path.write_bytes(gzip.compress((SEGMENT + PASSAGE + '[5000000000, "outer"').encode())[:-12])
    checked_digest(path)
    assert caplog.text.count("the rows before that are fed") == 1
    sensor = RecordingSensor(DOOR, path, math.inf)
    now = read(ManualClock(0))
    sensor.open(now)
    assert len(sensor.poll(now)) == 1
    assert (sensor.finished, sensor.failed, sensor.stats().edges) == (True, False, 4)


def test_a_pipe_is_no_recording_for_a_unit(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(TraceError, match=r"pipe\.jsonl: is no regular file: a unit reads a recording more than once"):
        checked_digest(tmp_path / "pipe.jsonl")
