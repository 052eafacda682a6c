"""Reference decoders: how two beams are commonly counted. Each judges when both beams are clear again."""

from __future__ import annotations

from typing import Protocol

from simulators.people import BeamEdge

DEBOUNCE_NS = 8_000_000
Counted = tuple[int, str]
"""When, and `in` or `out`."""

_BOTH = 3
_PATHS: dict[tuple[int, ...], str] = {(1, _BOTH, 2): "in", (2, _BOTH, 1): "out"}
_CYCLE = (0, 1, _BOTH, 2)  # the states on the way in: clear, outer, both, inner


class Decoder(Protocol):
    """Told each state of the beams: bit 0 the outer one, bit 1 the inner one."""

    def state(self, t_ns: int, beams: int) -> str | None:
        """`in` or `out` where this state completes a passage."""


class FirstBroken:
    """Once both beams were blocked, the one that broke first tells the way."""

    def __init__(self) -> None:
        self._first = 0
        self._seen = 0

    def state(self, t_ns: int, beams: int) -> str | None:  # noqa: ARG002 - the order alone matters here
        if beams:
            self._first = self._first or (beams if beams != _BOTH else 0)
            self._seen |= beams
            return None
        first, seen = self._first, self._seen
        self._first = self._seen = 0
        if seen != _BOTH or not first:
            return None
        return "in" if first == 1 else "out"


class PathTracking:
    """The states between clear and clear must be one beam, both, the other: as time-of-flight counters do it."""

    def __init__(self) -> None:
        self._path: list[int] = []

    def state(self, t_ns: int, beams: int) -> str | None:  # noqa: ARG002 - the order alone matters here
        if beams:
            if len(self._path) <= len(_CYCLE):  # longer ones match nothing
                self._path.append(beams)
            return None
        path, self._path = tuple(self._path), []
        return _PATHS.get(path)


class Quadrature:
    """Steps around the cycle of states, forth and back, as a rotary encoder's; four of them are a passage."""

    def __init__(self) -> None:
        self._last = 0
        self._position = 0

    def state(self, t_ns: int, beams: int) -> str | None:  # noqa: ARG002 - the order alone matters here
        step = (_CYCLE.index(beams) - _CYCLE.index(self._last)) % len(_CYCLE)
        self._last = beams
        self._position += {0: 0, 1: 1, 2: 0, 3: -1}[step]
        if beams:
            return None
        position, self._position = self._position, 0
        if abs(position) < len(_CYCLE):
            return None
        return "in" if position > 0 else "out"


class Debounced:
    """A decoder behind plain debouncing: a change counts once it has lasted, and from then on."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._levels = [0, 0]
        self._raw = [0, 0]
        self._due_ns: list[int | None] = [None, None]

    def feed(self, edge: BeamEdge) -> list[Counted]:
        counted = self._until(edge.t_ns)
        self._raw[edge.line] = edge.level
        self._due_ns[edge.line] = edge.t_ns + DEBOUNCE_NS if edge.level != self._levels[edge.line] else None
        return counted

    def finish(self) -> list[Counted]:
        return self._until(None)

    def _until(self, now_ns: int | None) -> list[Counted]:
        counted = []
        due = sorted((t_ns, line) for line, t_ns in enumerate(self._due_ns) if t_ns is not None)
        for t_ns, line in due:
            if now_ns is not None and t_ns > now_ns:
                break
            self._due_ns[line] = None
            self._levels[line] = self._raw[line]
            way = self._decoder.state(t_ns, self._levels[0] + 2 * self._levels[1])
            if way is not None:
                counted.append((t_ns, way))
        return counted


REFERENCES: dict[str, type[FirstBroken | PathTracking | Quadrature]] = {
    "first broken": FirstBroken,
    "path": PathTracking,
    "quadrature": Quadrature,
}
