"""HLK-LD2450: worked frames, and walkers before a simulated radar against the truth."""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from serial_bench import STEP_NS, Bench, S, faults, readings, worked_frames

from edge.clock import read
from edge.sensors.frames import Frames
from edge.sensors.ld2450 import LAYOUT, Ld2450
from edge.sensors.tracks import TRACKS_MAX, Crossing, Line, LineCounter, Target
from firmware_cfg.sensors import RadarLine
from simulators.devices.ld2450 import Ld2450Radar, RadarFaults, Walk, encode
from simulators.devices.line import PtyPort

fuzz = settings(deadline=None)  # a busy machine is no failure

DOOR_MM = 2500
NEAR, FAR = (0.0, 400.0), (0.0, 5200.0)
slow = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
seeds = st.integers(0, 2**32 - 1)


def config(port: str = "/dev/none", **changes: object) -> RadarLine:
    line = {"line_mm": ((-1200, DOOR_MM), (1200, DOOR_MM)), "inside_mm": (0, 4000)}
    return RadarLine.model_validate(
        {"name": "r", "kind": "ld2450", "entrance": "front", "port": port, **line, **changes}
    )


def watch(walks: list[Walk], seed: int, faults: RadarFaults | None = None, after_s: float = 62.0) -> list[Crossing]:
    """What is counted of these walks, read some 200 ms apart as a busy unit does."""
    radar, device, wobble = Ld2450Radar(seed, faults), Ld2450(config()), random.Random(seed)  # noqa: S311 - the same each time
    for walk in walks:
        radar.add(walk)
    found: list[Crossing] = []
    t_ns, end_ns = S, max((walk.end_ns for walk in walks), default=0) + round(after_s * S)
    while t_ns < end_ns:
        t_ns += 200_000_000 + wobble.randint(-40_000_000, 40_000_000)
        found += device.feed(radar.due(t_ns), t_ns) + device.advance(t_ns)
    return found


def walk(direction: str, *, x_mm: float = 0.0, start_s: float = 2.0, speed_mm_s: float = 1340.0) -> Walk:
    ends = ((x_mm, 400.0 + abs(x_mm)), (x_mm, 5200.0))
    return Walk(round(start_s * S), ends if direction == "in" else ends[::-1], speed_mm_s)


def directions(found: list[Crossing]) -> Counter[str]:
    return Counter(crossing.direction for crossing in found)


# Frames


@pytest.mark.parametrize("name", ["ld2450_datasheet_example", "ld2450_two_targets", "ld2450_zero_targets"])
def test_worked_frames(name: str) -> None:
    frame = worked_frames()[name]
    (slots,) = Frames(LAYOUT).feed(frame["data"])
    expected = [
        Target(slot["x_mm"], slot["y_mm"], slot["speed_cm_s"]) if slot["present"] else None for slot in frame["decoded"]
    ]
    assert list(slots) == expected


def test_a_frame_without_its_tail_is_waited_for() -> None:
    reader = Frames(LAYOUT)
    assert reader.feed(worked_frames()["ld2450_tail_missing"]["data"]) == []
    assert len(reader.feed(b"\xcc")) == 0, "a tail of one byte only"
    assert len(reader.feed(worked_frames()["ld2450_datasheet_example"]["data"])) == 1


def test_joining_in_the_middle_of_a_frame() -> None:
    frames = worked_frames()
    found = Frames(LAYOUT).feed(frames["ld2450_mid_frame_join"]["data"])
    assert found == Frames(LAYOUT).feed(frames["ld2450_two_targets"]["data"])


def test_signs_are_no_twos_complement() -> None:
    frame = worked_frames()["ld2450_naive_int16_wrong"]
    ((target, _, _),) = Frames(LAYOUT).feed(frame["data"])
    assert target is not None
    assert target.y_mm != frame["wrong"]["y_mm"]
    assert (target.x_mm, target.y_mm, target.speed_cm_s) == (-782, 1713, -16)


@pytest.mark.parametrize("target", [(12_000, 500, 0), (0, -300, 0), (0, 12_000, 0), (0, 500, 1_200)])
def test_values_that_cannot_be_are_no_frame(target: tuple[int, int, int]) -> None:
    assert Frames(LAYOUT).feed(encode([target, None, None])) == []


# People


@slow
@given(seed=seeds, direction=st.sampled_from(["in", "out"]), speed=st.integers(500, 2300), x=st.integers(-800, 800))
def test_one_walker_is_counted_once_the_right_way(seed: int, direction: str, speed: int, x: int) -> None:
    who = walk(direction, x_mm=x, speed_mm_s=speed)
    (crossing,) = watch([who], seed, RadarFaults(miss=0.15, swap=0.1))
    assert crossing.direction == direction
    way_mm = DOOR_MM - who.points[0][1] if direction == "in" else FAR[1] - DOOR_MM
    assert abs(crossing.t_ns - (who.start_ns + way_mm / speed * S)) < 0.35 * S
    assert crossing.speed_m_s == pytest.approx(speed / 1000, rel=0.35)
    assert 0 < crossing.confidence <= 1


@slow
@given(
    seed=seeds,
    people=st.lists(st.tuples(st.sampled_from(["in", "out"]), st.floats(0, 1)), min_size=3, max_size=3),
)
def test_three_at_once(seed: int, people: list[tuple[str, float]]) -> None:
    lanes = zip((-800, 0, 800), people, strict=True)
    walks = [walk(direction, x_mm=x, start_s=2 + late) for x, (direction, late) in lanes]
    assert directions(watch(walks, seed, RadarFaults(swap=0.2))) == Counter(direction for direction, _ in people)


@slow
@given(seed=seeds, late=st.floats(0, 2))
def test_two_who_meet_on_the_line(seed: int, late: float) -> None:
    walks = [walk("in", x_mm=-250), walk("out", x_mm=250, start_s=2 + late)]
    assert directions(watch(walks, seed)) == Counter({"in": 1, "out": 1})


@slow
@given(seed=seeds, place=st.tuples(st.integers(-1000, 1000), st.integers(1500, 3500)))
def test_a_ghost_is_not_counted_and_hides_nobody(seed: int, place: tuple[int, int]) -> None:
    order = ["in", "out", "out", "in"]
    walks = [walk(direction, start_s=2 + 4 * index) for index, direction in enumerate(order)]
    assert directions(watch(walks, seed, RadarFaults(ghosts=(place,)))) == Counter(order)
    assert watch([], seed, RadarFaults(ghosts=(place,))) == []


@slow
@given(seed=seeds, stale_s=st.floats(0.5, 20))
def test_coordinates_left_behind_in_a_slot(seed: int, stale_s: float) -> None:
    order = ["in", "in", "out", "in"]
    walks = [walk(direction, start_s=2 + 4 * index) for index, direction in enumerate(order)]
    assert directions(watch(walks, seed, RadarFaults(stale_s=stale_s))) == Counter(order)


@slow
@given(seed=seeds, start=st.sampled_from([NEAR, FAR]))
def test_who_stands_about_on_the_threshold_is_not_counted(seed: int, start: tuple[float, float]) -> None:
    about = random.Random(seed)  # noqa: S311 - the same each time
    places = [(about.uniform(-300, 300), DOOR_MM + about.uniform(-150, 150)) for _ in range(60)]
    assert watch([Walk(2 * S, (start, *places, start), 400)], seed) == []


@slow
@given(seed=seeds, start=st.sampled_from([NEAR, FAR]), beyond=st.integers(-150, 150), speed=st.integers(600, 1800))
def test_who_turns_back_is_not_counted(seed: int, start: tuple[float, float], beyond: int, speed: int) -> None:
    assert watch([Walk(2 * S, (start, (0, DOOR_MM + beyond), start), speed)], seed) == []


def test_a_track_lost_on_the_line_for_some_frames_goes_on() -> None:
    counter = LineCounter(Line(-1000, 0, 1000, 0))
    found: list[Crossing] = []
    for frame in range(60):
        y_mm = -1500 + 130 * frame
        seen = [] if -500 < y_mm < 500 else [Target(frame % 7, y_mm, 130)]
        found += counter.feed(frame * S // 10, seen)
    assert [(crossing.direction, round(crossing.t_ns / S, 1)) for crossing in found] == [("in", 1.2)]
    assert found[0].confidence < 1


def test_last_seen_walking_away_past_the_line_counts_half() -> None:
    counter = LineCounter(Line(-1000, 0, 1000, 0))
    found: list[Crossing] = []
    for frame in range(14):
        found += counter.feed(frame * S // 10, [Target(frame % 5, 1500 - 130 * frame, -130)])
    assert found == []
    (crossing,) = counter.advance(4 * S)
    assert crossing.direction == "out"
    assert crossing.confidence == 0.5
    assert counter.tracks == 0


def test_past_the_end_of_the_line_is_not_through_the_opening() -> None:
    counter = LineCounter(Line(-1000, 0, 1000, 0))
    found = [
        crossing
        for frame in range(40)
        for crossing in counter.feed(frame * S // 10, [Target(1800 + frame % 5, -1500 + 130 * frame, 130)])
    ]
    assert found == []


@fuzz
@given(st.lists(st.lists(st.tuples(st.integers(-6000, 6000), st.integers(0, 6000)), max_size=3), max_size=60))
def test_tracks_are_bounded_whatever_is_seen(frames: list[list[tuple[int, int]]]) -> None:
    counter = LineCounter(Line(-1000, 2000, 1000, 2000))
    for index, places in enumerate(frames):
        counter.feed(index * S // 10, [Target(x, y, 0) for x, y in places])
        assert counter.tracks <= TRACKS_MAX
    counter.advance(1000 * S)
    assert counter.tracks == 0


# Configuration and port


def test_the_inside_is_where_the_configuration_says() -> None:
    radar = Ld2450Radar(1)
    radar.add(walk("in"))
    found: list[Crossing] = []
    device = Ld2450(config(inside_mm=(0, 1000)))
    for t_ns in range(S, 10 * S, S // 5):
        found += device.feed(radar.due(t_ns), t_ns)
    assert [crossing.direction for crossing in found] == ["out"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"line_mm": ((0, 1000), (100, 1000))}, "line_mm is 100 mm long"),
        ({"inside_mm": (0, DOOR_MM + 100)}, "give a point well inside"),
    ],
)
def test_a_line_that_cannot_be_is_refused(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        config(**changes)


def test_passages_from_a_port(tmp_path: Path) -> None:
    radar = Ld2450Radar(3)
    radar.add(walk("in", start_s=102))
    radar.add(walk("out", start_s=108))
    with PtyPort(tmp_path / "radar", radar) as port:
        bench = Bench(config(str(port.path)), port)
        bench.open()
        found = bench.run(14)
        deadline_s = time.monotonic() + 10.0
        while bench.sensor.stats().edges < 140 and time.monotonic() < deadline_s:
            time.sleep(0.01)  # the kernel of a busy machine hands over the last frames late
            bench.clock.advance(STEP_NS)  # a sensor is read only as its time goes on
            found += bench.sensor.poll(read(bench.clock))
        bench.sensor.close()
    assert [reading.fields["direction"] for reading in readings(found)] == ["in", "out"]
    assert [(reading.persons_in, reading.persons_out) for reading in readings(found)] == [(1, 0), (0, 1)]
    assert faults(found) == []
    assert bench.sensor.stats().edges == 140
