"""People who walk through a door, and what two beams see of them, with the truth beside it.

Geometry and nothing else: a body is an interval on a line, the outer beam stands at 0, the inner one at the separation.
The same seed gives the same edges on every machine: only `Random.random` and the arithmetic that IEEE 754 fixes.
"""

from __future__ import annotations

from simulators.people.beams import BeamEdge, edges_of
from simulators.people.bodies import Body, Crossing, Draw, Waypoint, walk
from simulators.people.parties import turn_back
from simulators.people.scenarios import SCENARIOS, Scenario, meetings, simulate

__all__ = [
    "SCENARIOS",
    "BeamEdge",
    "Body",
    "Crossing",
    "Draw",
    "Scenario",
    "Waypoint",
    "edges_of",
    "meetings",
    "simulate",
    "turn_back",
    "walk",
]
