"""What the counting core is measured on: edges of doors in columns, a real door's day and worse ones."""

from __future__ import annotations

import sys
from array import array
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[2]))

from simulators.people import BeamEdge, Body, Draw, edges_of, simulate, walk
from simulators.people.hub import hub_days
from simulators.people.parties import mixed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SEPARATION_M = 0.12
NS_PER_S = 1_000_000_000
DAY_NS = 86_400 * NS_PER_S
_OPENS_S, _OPEN_S = 9 * 3600.0, 11 * 3600.0
_APART_S = 2.0
_CLEAR_NS = NS_PER_S
_PARTIES = 305
"""A day, so that a door's year has some 470,000 edges."""
PACKED = 11_000
"""A day, one after the other without a pause: a billion edges then take less than the 146 years that times may last."""
MIXED_SHARES = {"separate": 0.0, "day": 0.1, "mixed-day": 1.0}


@dataclass(frozen=True, slots=True)
class Edges:
    """Columns as `Door.replay` reads them where they lie."""

    t_ns: array[int]
    line: array[int]
    level: array[int]

    def __len__(self) -> int:
        return len(self.t_ns)

    def columns(self) -> tuple[array[int], array[int], array[int]]:
        return self.t_ns, self.line, self.level

    def rows(self) -> list[tuple[int, int, int]]:
        return list(zip(self.t_ns, self.line, self.level, strict=True))

    def alone_share(self) -> float:
        """Of the edges, those of crossings of four edges with nobody else within a second."""
        starts = [0, *(at + 1 for at, (a, b) in enumerate(pairwise(self.t_ns)) if b - a > _CLEAR_NS), len(self)]
        return sum(4 for start, stop in pairwise(starts) if stop - start == 4) / len(self)


def edges_in_columns(events: Iterable[object]) -> Edges:
    edges = Edges(array("q"), array("b"), array("b"))
    for event in events:
        if isinstance(event, BeamEdge):
            for column, value in zip(edges.columns(), event, strict=True):
                column.append(value)
    return edges


def days(
    count: int, seed: int, mixed_share: float = MIXED_SHARES["day"], parties: int = _PARTIES
) -> Iterator[BeamEdge]:
    """Days of a door: 305 parties, unless told otherwise, between 9 and 20 h, each after the one before has gone.

    Most are somebody who crosses alone, with nothing apart. `mixed_share` of them are drawn as a busy hub's parties:
    groups, pairs, people who meet, prams, people with a bag apart, and some who turn back.
    """
    draw = Draw(seed)
    for day in range(count):
        gone_s = 0.0
        for come_s in sorted(_OPENS_S + draw.between(0.0, _OPEN_S) for _ in range(parties)):
            start_s = max(come_s, gone_s + _APART_S)
            if draw.chance(mixed_share):
                bodies = mixed(draw, start_s, SEPARATION_M)
            else:
                bodies = [Body(walk(draw, start_s, SEPARATION_M, draw.speed_m_s(), draw.chance(0.5)), draw.depth_m())]
            gone_s = max(body.way[-1].t_s for body in bodies)
            for edge in edges_of(draw, bodies, SEPARATION_M):
                yield edge._replace(t_ns=edge.t_ns + day * DAY_NS)


def traffic(name: str, scale: float = 1.0) -> Edges:
    """`separate`, `day` and `mixed-day` by `days`, `hub` with worn contacts and insects, else a scenario by name."""
    if name in MIXED_SHARES:
        return edges_in_columns(days(max(1, round(60 * scale)), 1, MIXED_SHARES[name]))
    if name == "hub":
        return edges_in_columns(hub_days(max(1, round(6 * scale)), 1, SEPARATION_M))
    return edges_in_columns(simulate(name, 1, 24.0 * scale, SEPARATION_M))
