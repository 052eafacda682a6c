"""Simulated people at a door, written as a trace and its truth: what `foyer simulate door` does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from edge.trace import Edge, TraceError, TraceHeader, create_trace, whole_file
from firmware_cfg.times import from_rfc3339
from simulators.people import BeamEdge, simulate

if TYPE_CHECKING:
    from pathlib import Path

T0_NS = from_rfc3339("2026-03-02T09:00:00Z")


def write_door(
    scenario_name: str, seed: int, hours: float, separation_m: float, trace_path: Path, truth_path: Path
) -> dict[str, int]:
    """Write both files, or neither; returns the true totals. Raises ConfigError, TraceError.

    The truth is one JSON object: what was asked for, `passages` (`t_ns` since t0, `direction`, `persons`), `totals`.
    """
    events = simulate(scenario_name, seed, hours, separation_m)
    if trace_path.resolve() == truth_path.resolve():
        raise TraceError(f"{trace_path}: the trace and its truth need two files")
    totals = {"in": 0, "out": 0}
    asked = {"scenario": scenario_name, "seed": seed, "hours": hours, "separation_m": separation_m}
    header = TraceHeader(T0_NS, f"simulated-{scenario_name}", separation_m)
    with whole_file(truth_path) as truth, create_trace(trace_path, header) as trace:
        truth.write(f'{json.dumps(asked)[:-1]}, "passages": ['.encode())
        comma = "\n"
        for event in events:
            if isinstance(event, BeamEdge):
                trace.write(Edge(*event))
            else:
                truth.write((comma + json.dumps(event._asdict())).encode())
                totals[event.direction] += event.persons
                comma = ",\n"
        truth.write(f'\n], "totals": {json.dumps(totals)}}}\n'.encode())
    return totals
