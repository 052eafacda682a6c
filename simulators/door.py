"""Simulated people at a door, written as a trace and its truth: what `foyer simulate door` does."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from pathlib import Path

from edge.trace import Edge, TraceError, TraceHeader, create_trace, whole_file
from firmware_cfg.times import from_rfc3339
from simulators.people import BeamEdge, simulate

T0_NS = from_rfc3339("2026-03-02T09:00:00Z")


def write_door(
    scenario_name: str, seed: int, hours: float, separation_m: float, trace_path: Path, truth_path: Path | None = None
) -> dict[str, int]:
    """Write both files, or neither; returns the true totals. Without `truth_path`, the trace alone.

    Raises ConfigError, TraceError. The truth is one JSON object: what was asked for, `passages` (`t_ns` since t0,
    `direction`, `persons`), and `totals` in persons.
    """
    events = simulate(scenario_name, seed, hours, separation_m)
    if truth_path is not None and trace_path.resolve() == truth_path.resolve():
        raise TraceError(f"{trace_path}: the trace and its truth need two files")
    totals = {"in": 0, "out": 0}
    asked = {"scenario": scenario_name, "seed": seed, "hours": hours, "separation_m": separation_m}
    header = TraceHeader(T0_NS, f"simulated-{scenario_name}", separation_m)
    with ExitStack() as files:
        truth = files.enter_context(whole_file(truth_path or Path(os.devnull)))
        trace = files.enter_context(create_trace(trace_path, header))
        truth.write(f'{json.dumps(asked)[:-1]}, "passages": ['.encode())
        comma = "\n"
        for event in events:
            if isinstance(event, BeamEdge):
                trace.write(Edge(*event))
                continue
            totals[event.direction] += event.persons
            truth.write((comma + json.dumps(event._asdict())).encode())
            comma = ",\n"
        truth.write(f'\n], "totals": {json.dumps(totals)}}}\n'.encode())
    return totals
