"""What a door promises about any edges at all."""

from __future__ import annotations

import json
from array import array
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.counting import FOREVER_NS, T_NS_LIMIT, Columns, DoorSettings, EdgeError, Fault, Passage, SnapshotError
from firmware_cfg.errors import ConfigError

if TYPE_CHECKING:
    from types import ModuleType

MS = 1_000_000
S = 1_000_000_000

Stream = list[tuple[int, int, int]]
Found = list[Passage | Fault]

# From equal times over bounces, lags, pulses and pauses to stuck beams and half a century of silence.
GAPS_NS = st.one_of(
    st.just(0),
    st.integers(0, 10 * MS),
    st.integers(20 * MS, 400 * MS),
    st.integers(S // 2, 3 * S),
    st.sampled_from([8 * MS, 1500 * MS, 61 * S, 3600 * S, 2**60]),
)


@st.composite
def streams(draw: st.DrawFn) -> Stream:
    """Edges in order: mostly a line turning over, now and then a level that repeats."""
    t_ns = 0
    levels = [0, 0]
    edges = []
    for gap_ns, line, turn in draw(
        st.lists(st.tuples(GAPS_NS, st.integers(0, 1), st.sampled_from([1] * 9 + [0])), max_size=60)
    ):
        t_ns = min(t_ns + gap_ns, T_NS_LIMIT - 1)
        levels[line] ^= turn
        edges.append((t_ns, line, levels[line]))
    return edges


SETTINGS = st.builds(
    DoorSettings,
    separation_m=st.sampled_from([None, 0.05, 0.12, 0.6]),
    debounce_ns=st.sampled_from([0, 8 * MS, 50 * MS]),
)


def one_by_one(core: ModuleType, door: DoorSettings, edges: Stream) -> Found:
    live = core.Door(door)
    found: Found = []
    for edge in edges:
        found += live.feed(*edge)
    return found + live.finish()


def in_columns(core: ModuleType, door: DoorSettings, edges: Stream) -> Columns:
    batch = core.Door(door)
    columns: Columns = batch.replay(*(array("q", [edge[field] for edge in edges]) for field in range(3)))
    columns.extend(batch.finish())
    return columns


def passages(found: Found) -> list[Passage]:
    return [item for item in found if isinstance(item, Passage)]


@given(streams(), SETTINGS)
def test_both_entry_points_agree(core: ModuleType, edges: Stream, door: DoorSettings) -> None:
    live, batch = one_by_one(core, door, edges), in_columns(core, door, edges)
    assert list(batch.passages()) == passages(live)
    assert batch.faults == [item for item in live if isinstance(item, Fault)]
    assert len(batch) == len(passages(live))


@given(streams(), SETTINGS)
def test_both_builds_agree(core: ModuleType, edges: Stream, door: DoorSettings) -> None:
    from edge.counting import load_pure  # noqa: PLC0415 - the other side of the comparison

    assert one_by_one(core, door, edges) == one_by_one(load_pure(), door, edges)


@given(streams(), SETTINGS, st.data())
def test_how_often_time_is_told_changes_nothing(
    core: ModuleType, edges: Stream, door: DoorSettings, data: st.DataObject
) -> None:
    live = core.Door(door)
    found: Found = []
    for index, edge in enumerate(edges):
        found += live.feed(*edge)
        next_ns = edges[index + 1][0] if index + 1 < len(edges) else T_NS_LIMIT - 1
        for now_ns in sorted(data.draw(st.lists(st.integers(edge[0], next_ns), max_size=2))):
            found += live.advance(now_ns)
    assert found + live.finish() == one_by_one(core, door, edges)


@given(streams(), SETTINGS)
@example(  # both lines settle in the very moment in which the oldest pulse has waited long enough
    [(0, 0, 1), (0, 1, 1), (20 * MS, 1, 0), (1512 * MS + 1, 0, 0), (1512 * MS + 1, 1, 1), (1532 * MS + 1, 1, 0)],
    DoorSettings(),
)
def test_swapping_the_lines_swaps_the_directions(core: ModuleType, edges: Stream, door: DoorSettings) -> None:
    other = {"in": "out", "out": "in", "unknown": "unknown"}
    swapped = passages(one_by_one(core, door, [(t_ns, 1 - line, level) for t_ns, line, level in edges]))
    expected = [replace(found, direction=other[found.direction]) for found in passages(one_by_one(core, door, edges))]
    assert swapped == expected


@given(streams(), SETTINGS, st.data())
def test_a_snapshot_carries_on(core: ModuleType, edges: Stream, door: DoorSettings, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(edges)))
    first = core.Door(door)
    found: Found = []
    for edge in edges[:cut]:
        found += first.feed(*edge)
    second = core.Door.restore(json.loads(json.dumps(first.snapshot())))
    assert second.snapshot() == first.snapshot()
    for edge in edges[cut:]:
        found += second.feed(*edge)
    assert found + second.finish() == one_by_one(core, door, edges)


@given(streams(), SETTINGS)
def test_what_comes_out_is_sound(core: ModuleType, edges: Stream, door: DoorSettings) -> None:
    found = one_by_one(core, door, edges)
    first_ns, last_ns = (edges[0][0], edges[-1][0]) if edges else (0, 0)
    for passage in passages(found):
        assert first_ns <= passage.t_ns <= last_ns
        assert 0 <= passage.confidence <= 1
        assert (passage.speed_m_s is None) == (passage.length_m is None)
        assert passage.speed_m_s is None or (door.separation_m is not None and passage.speed_m_s > 0)
    assert 2 * len(passages(found)) <= len(edges)  # two bodies may look like one pulse on each line


@given(streams(), SETTINGS)
@settings(max_examples=50)
def test_state_is_bounded(core: ModuleType, edges: Stream, door: DoorSettings) -> None:
    live = core.Door(door)
    for edge in edges:
        live.feed(*edge)
        assert len(json.dumps(live.snapshot())) < 3000


@pytest.mark.parametrize("stuck", [0, 1])
def test_a_beam_that_never_clears_grows_no_state(core: ModuleType, stuck: int) -> None:
    live = core.Door(DoorSettings(0.12))
    live.feed(0, stuck, 1)
    sizes = set()
    for step in range(1, 4000):
        live.feed(step * 300 * MS, 1 - stuck, step % 2)
        sizes.add(len(json.dumps(live.snapshot())))
    assert max(sizes) < 4_000
    assert live.feed(4000 * 300 * MS + 10 * S, 1 - stuck, 0) == []
    live.finish()
    assert live.snapshot()["window"]["waiting"] == [0, 0]


@given(streams(), SETTINGS)
def test_all_is_decided_in_time(core: ModuleType, edges: Stream, door: DoorSettings) -> None:
    """With both beams clear, 1.5 s after the last edge nothing is left to say."""
    live = core.Door(door)
    levels = {line: level for _, line, level in edges}
    end_ns = edges[-1][0] if edges else 0
    edges = edges + [(end_ns, line, 0) for line, level in levels.items() if level]
    for edge in edges:
        live.feed(*edge)
    if end_ns < T_NS_LIMIT - 2 * S:
        live.advance(end_ns + 1500 * MS)
        assert live.finish() == []


@given(
    st.lists(st.tuples(st.integers(-5, 2**64), st.integers(-1, 2), st.integers(-1, 2)), max_size=30),
    st.lists(st.integers(0, 30), max_size=30),
)
def test_anything_at_all_is_counted_or_refused(core: ModuleType, wild: Stream, order: list[int]) -> None:
    live = core.Door()
    for index, (t_ns, line, level) in zip(order, wild, strict=False):
        before = live.snapshot()
        try:
            live.feed(t_ns if index % 3 else index * S, line, level)
        except EdgeError:
            assert live.snapshot() == before


@pytest.mark.parametrize(
    ("edge", "says"),
    [
        ((-1, 0, 1), "from 0 to below 2^62"),
        ((2**62, 0, 1), "from 0 to below 2^62"),
        ((2**80, 0, 1), "from 0 to below 2^62"),
        ((1.0, 0, 1), "an integer"),
        ((True, 0, 1), "an integer"),
        ((99, 0, 1), "time runs backwards, 100 ns has passed"),
        ((100, 2, 1), "expected 0 (outer) or 1 (inner)"),
        ((100, "outer", 1), "expected 0 (outer) or 1 (inner)"),
        ((100, 0, 2), "expected 1 (blocked) or 0 (clear)"),
        ((100, 0, None), "expected 1 (blocked) or 0 (clear)"),
    ],
)
def test_bad_edges_are_refused(core: ModuleType, edge: tuple[Any, Any, Any], says: str) -> None:
    live = core.Door()
    live.feed(100, 0, 1)
    before = live.snapshot()
    with pytest.raises(EdgeError) as caught:
        live.feed(*edge)
    assert says in str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert live.snapshot() == before
    with pytest.raises(EdgeError):
        live.replay([edge[0]], [edge[1]], [edge[2]])


def test_the_last_nanosecond_counts(core: ModuleType) -> None:
    end_ns = T_NS_LIMIT - 1
    walk = [(end_ns - 320 * MS, 0, 1), (end_ns - 230 * MS, 1, 1), (end_ns - 90 * MS, 0, 0), (end_ns, 1, 0)]
    (passage,) = one_by_one(core, DoorSettings(0.12), walk)
    assert isinstance(passage, Passage)
    assert passage.t_ns == end_ns - 160 * MS


def test_columns_of_different_lengths_are_refused(core: ModuleType) -> None:
    with pytest.raises(EdgeError, match="columns of 2, 1 and 1 edges"):
        core.Door().replay([1, 2], [0], [1])


def test_replay_takes_any_sequence_and_carries_on(core: ModuleType) -> None:
    walk = [(1000 * MS, 0, 1), (1090 * MS, 1, 1), (1230 * MS, 0, 0), (1320 * MS, 1, 0)]
    door = core.Door(DoorSettings(0.12))
    t_ns, line, level = zip(*walk, strict=True)
    assert len(door.replay(t_ns[:2], list(line[:2]), memoryview(bytes(level[:2])))) == 0
    assert len(door.replay(t_ns[2:], line[2:], level[2:])) == 0
    assert door.feed(5 * S, 0, 1) == passages(one_by_one(core, DoorSettings(0.12), walk))


def test_advance_ignores_the_past_and_refuses_nonsense(core: ModuleType) -> None:
    live = core.Door()
    live.feed(S, 0, 1)
    assert live.advance(0) == []
    for now_ns in (-1, 2**62, 2**80, 1.5):
        with pytest.raises(EdgeError):
            live.advance(now_ns)


def test_wake_tells_when_to_advance(core: ModuleType) -> None:
    live = core.Door(DoorSettings(0.12))
    assert live.wake_ns == FOREVER_NS
    for edge in [(1000 * MS, 0, 1), (1090 * MS, 1, 1), (1230 * MS, 0, 0), (1320 * MS, 1, 0)]:
        assert live.feed(*edge) == []
    found: Found = []
    while live.wake_ns != FOREVER_NS:
        assert live.advance(live.wake_ns - 1) == []
        found += live.advance(live.wake_ns)
    assert len(found) == 1
    assert live.now_ns <= 2820 * MS


def test_a_clean_passage_is_told_early(core: ModuleType) -> None:
    live = core.Door(DoorSettings(0.12))
    for edge in [(1000 * MS, 0, 1), (1090 * MS, 1, 1), (1230 * MS, 0, 0), (1320 * MS, 1, 0)]:
        live.feed(*edge)
    # What belongs to a body, such as a pram, follows within 0.42 m: 0.3 s at this speed.
    assert len(live.advance(1650 * MS)) == 1


@pytest.mark.parametrize(
    "snapshot",
    [
        {},
        {"version": 2},
        {"version": 3},
        {"version": 3, "separation_m": 0.12, "debounce_ns": 0, "now_ns": 0, "wake_ns": 0, "beams": []},
    ],
)
def test_no_snapshot_is_refused(core: ModuleType, snapshot: dict[str, Any]) -> None:
    with pytest.raises(SnapshotError):
        core.Door.restore(snapshot)


@pytest.mark.parametrize("separation_m", [0.0, -0.1, float("nan"), float("inf"), 5.1])
def test_impossible_separations_are_refused(separation_m: float) -> None:
    with pytest.raises(ConfigError, match="expected the distance between the beams"):
        DoorSettings(separation_m)


@pytest.mark.parametrize("debounce_ns", [-1, 500 * MS + 1])
def test_impossible_debounce_times_are_refused(debounce_ns: int) -> None:
    with pytest.raises(ConfigError, match="expected 0 to 500 ms"):
        DoorSettings(0.12, debounce_ns)
