"""What is written twice, in Python and for the compiler, is the same; and what a search leaves out changes nothing."""

from __future__ import annotations

import re
import sys
from array import array
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from benchmarks.adversary import PATTERNS
from hypothesis import given
from hypothesis import strategies as st

from edge.counting import DoorSettings, Passage, build
from edge.counting.terms import FIRST, LINE_MAX
from simulators.people import BeamEdge, simulate

if TYPE_CHECKING:
    from collections.abc import Iterator

TYPECODES = {"signed char": "b", "int": "i", "int64_t": "q", "float": "f", "double": "d"}


def held(thing: object, seen: set[int]) -> Iterator[Any]:
    """All objects of the pure core that one of them holds, and itself."""
    if id(thing) in seen or not type(thing).__module__.startswith("edge.counting.pure"):
        return
    seen.add(id(thing))
    yield thing
    for kind in type(thing).__mro__[:-1]:
        for name in getattr(kind, "__slots__", ()):
            yield from held(getattr(thing, name), seen)


def declared(pxd: str) -> Iterator[tuple[str, str, int]]:
    """The C columns of a class: name, typecode and length."""
    for kind, length, names in re.findall(r"^    cdef (?:readonly )?([\w ]+)\[(\d+)\] (.+)$", pxd, re.MULTILINE):
        for name in names.split(", "):
            yield name, TYPECODES[kind], int(length)


def test_columns_are_as_long_in_c_as_in_python() -> None:
    """A compiled column that is shorter would be written beyond its end."""
    door = build.load_pure().Door(DoorSettings(0.12))
    curve = sys.modules["edge.counting.pure.curves"].Curve(abs, 0.0, 1.0)
    checked = 0
    for thing in [*held(door, set()), curve]:
        for kind in type(thing).__mro__[:-1]:
            pxd = (Path(build.__file__).parent / f"{kind.__module__.rpartition('.')[2]}.pxd").read_text("utf-8")
            own = pxd.partition(f"cdef class {kind.__name__}")[2].partition("cdef class ")[0]
            columns = {name: (code, length) for name, code, length in declared(own)}
            slots: dict[str, Any] = {name: getattr(thing, name) for name in getattr(kind, "__slots__", ())}
            mine = {name: (value.typecode, len(value)) for name, value in slots.items() if isinstance(value, array)}
            if kind.__name__ != "Found":  # its columns grow
                assert mine == columns, kind.__name__
                checked += len(columns)
    assert checked > 50  # else the pattern no longer fits


SOME = pytest.mark.parametrize(("scenario", "separation_m"), [("busy", 0.12), ("abreast", 0.30), ("loiterers", 0.08)])


def columns_of(scenario: str, separation_m: float, hours: float = 0.4) -> list[array[int]]:
    edges = [event for event in simulate(scenario, 4, hours, separation_m) if isinstance(event, BeamEdge)]
    return [array("q", column) for column in zip(*edges, strict=True)]


def counted(columns: list[array[int]], separation_m: float) -> list[Passage]:
    """What the pure core, as it is now, finds at a new door."""
    return list(build.load_pure().Door(DoorSettings(separation_m)).replay(*columns).passages())


def seen(passages: list[Passage]) -> list[tuple[int, str]]:
    """When, and which way."""
    return [(one.t_ns, one.direction) for one in passages]


@SOME
def test_what_is_hopeless_may_be_left_out(monkeypatch: pytest.MonkeyPatch, scenario: str, separation_m: float) -> None:
    """Where no bound is known all is worked out, and the same people pass."""
    build.load_pure()
    columns = columns_of(scenario, separation_m)
    usual = counted(columns, separation_m)

    def endless(search: Any, body: int) -> None:
        search.bodies.most[body] = search.bodies.most_far[body] = search.bodies.most_joined[body] = float("inf")

    monkeypatch.setattr(sys.modules["edge.counting.pure.search"].Search, "_bound", endless)
    assert usual
    assert counted(columns, separation_m) == usual


@SOME
def test_more_hypotheses_would_find_the_same_people(
    monkeypatch: pytest.MonkeyPatch, scenario: str, separation_m: float
) -> None:
    """The few that are kept are enough: with three times as many, and none given up, hardly anybody is another."""
    build.load_pure()
    columns = columns_of(scenario, separation_m)
    usual = seen(counted(columns, separation_m))
    places, search, teller = (sys.modules[f"edge.counting.pure.{name}"] for name in ("places", "search", "teller"))
    for module in (places, search, teller):
        monkeypatch.setattr(module, "KEPT", 24)
    for module in (places, search):
        monkeypatch.setattr(module, "HOPE", 0.0)
    monkeypatch.setattr(places, "_PLACES", FIRST + 24 * (4 * LINE_MAX + 1))
    more = seen(counted(columns, separation_m))
    assert len(set(usual) ^ set(more)) <= 0.02 * len(more)
    assert abs(len(usual) - len(more)) <= 0.005 * len(more)


@pytest.mark.parametrize(
    ("scenario", "separation_m", "hours"),
    [
        ("busy", 0.12, 0.4),
        ("abreast", 0.30, 0.4),
        ("loiterers", 0.08, 0.4),
        ("wheels", 0.12, 0.4),
        ("opposite", 0.60, 4.0),  # some pulses are each other's like by chance
    ],
)
def test_nobody_hides_an_edge_where_pulses_are_even(
    monkeypatch: pytest.MonkeyPatch, scenario: str, separation_m: float, hours: float
) -> None:
    """Bodies with hidden edges that are not even tried there are not the likeliest when they are."""
    build.load_pure()
    columns = columns_of(scenario, separation_m, hours)
    scene = sys.modules["edge.counting.pure.scene"].Scene
    weigh, even = scene.weigh, []

    def noted(pulses: Any, separation_m: float) -> None:
        weigh(pulses, separation_m)
        even.append(pulses.even)

    def never(pulses: Any, separation_m: float) -> None:
        pulses.even = pulses.whole = separation_m < 0.0

    monkeypatch.setattr(scene, "weigh", noted)
    usual = seen(counted(columns, separation_m))
    monkeypatch.setattr(scene, "weigh", never)
    more = seen(counted(columns, separation_m))
    assert sum(even) >= 5  # else nothing was left out
    assert len(set(usual) ^ set(more)) <= 0.01 * len(more)
    assert abs(len(usual) - len(more)) <= 0.005 * len(more)


@SOME
def test_what_a_plain_scene_leaves_out_counts_nobody(
    monkeypatch: pytest.MonkeyPatch, scenario: str, separation_m: float
) -> None:
    """Nobody, and who takes one pulse of two that are each other's like, are not even tried there: the same people."""
    build.load_pure()
    columns = columns_of(scenario, separation_m)
    bodies = sys.modules["edge.counting.pure.bodies"].Bodies
    fill, plain = bodies.fill, []

    def noted(self: Any, scene: Any, habits: Any, came: int, thorough: bool) -> None:
        fill(self, scene, habits, came, thorough)
        plain.append(self.plain)

    def everything(self: Any, scene: Any, habits: Any, came: int, _thorough: bool) -> None:
        fill(self, scene, habits, came, True)

    def nothing(self: Any, scene: Any, habits: Any, came: int, thorough: bool) -> None:
        fill(self, scene, habits, came, thorough)
        if self.plain:
            self.count = self.straights = 0
            self.link(scene.edges)

    monkeypatch.setattr(bodies, "fill", noted)
    usual = counted(columns, separation_m)
    monkeypatch.setattr(bodies, "fill", everything)
    more = counted(columns, separation_m)
    monkeypatch.setattr(bodies, "fill", nothing)
    again = counted(columns, separation_m)
    assert sum(plain) >= 5  # else nothing was left out
    assert seen(usual) == seen(more)
    assert again == more  # where what was tried explains nothing, the rest is tried, too


@pytest.mark.parametrize(
    "name", ["one line full, then the other", "found by a search: an uneven shuffle, then a pause"]
)
def test_bodies_that_move_straight_leave_room_for_all_others(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Else nobody had made some edges, and nothing could be told of the others."""
    core = build.load_pure()
    candidates = sys.modules["edge.counting.pure.candidates"]
    bodies = sys.modules["edge.counting.pure.bodies"].Bodies
    others = []
    fill = bodies.fill

    def noted(self: Any, scene: Any, habits: Any, came: int, thorough: bool) -> None:
        fill(self, scene, habits, came, thorough)
        assert self.straights <= candidates._STRAIGHTS_MAX
        assert all(self.head[edge] >= 0 for edge in range(scene.edges)) or self.plain
        others.append(self.count - self.straights)

    monkeypatch.setattr(bodies, "fill", noted)
    monkeypatch.setattr(candidates, "_STRAIGHTS_MAX", 5)
    pattern = PATTERNS[name]
    edges = list(islice(pattern.edges(), 600))
    core.Door(DoorSettings(pattern.separation_m)).replay(*zip(*edges, strict=True))
    assert 40 < max(others) <= candidates._BODIES_MAX - 768


@given(mask=st.integers(0, 2**35 - 1))
def test_the_earliest_edge_that_is_not_explained(mask: int) -> None:
    build.load_pure()
    found = sys.modules["edge.counting.pure.scene"].Scene().first(~mask)
    assert not mask >> found & 1
    assert mask & (1 << found) - 1 == (1 << found) - 1
