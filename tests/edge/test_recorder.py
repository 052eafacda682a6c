"""What a unit records is counted again as it was published, whatever happened to the unit meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from edge_rig import HUB, INNER_PIN, OUTER_PIN, SECOND_SENSOR, T0_NS, Rig, fleet_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.clock import ManualClock, read
from edge.errors import StateError
from edge.eventfile import OutboxSettings
from edge.recorder import HOUR_NS, RETRY_NS, Recorder, RingSettings
from edge.replay import Replayed, replay
from edge.sensors.recording import RecordingSensor
from edge.trace import TraceError, open_trace
from edge.trace.segments import segment_files
from firmware_cfg.errors import ConfigError
from firmware_cfg.times import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from pathlib import Path

    from firmware_cfg.load import Fleet

DAY = RingSettings()
Passages = list[tuple[int, str, int, float]]


class RecordedRig(Rig):
    """A unit that records into `recordings`; `start` is a new process, recorder and all."""

    ring = DAY
    levels = (0, 0)

    @property
    def recordings(self) -> Path:
        return self.folder.parent / "recordings"

    @property
    def door(self) -> Path:
        return self.recordings / "front-beams"

    def start(self, levels: tuple[int, int] | None = None) -> None:
        """A new process; the beams are as they were, if nothing else is said."""
        self.extra["taps"] = Recorder(self.recordings, self.ring)
        super().start(self.levels if levels is None else levels)

    def drive(self, pin: int, level: int) -> None:
        self.levels = (level, self.levels[1]) if pin == OUTER_PIN else (self.levels[0], level)
        super().drive(pin, level)

    def published(self) -> Passages:
        """All that a collector got, in the order of time."""
        self.network.connect()
        self.run(2 * NS_PER_S)
        fields = ("t_ns", "direction", "persons", "confidence")
        return sorted(tuple(event[field] for field in fields) for event in self.network.passages())


def counted(replayed: Replayed) -> Passages:
    """As `published`: dated in UTC, of two at the same time the later one 1 ns later."""
    found: dict[int, Any] = {}
    for passage in replayed.found.passages():
        t_ns = passage.t_ns + (replayed.header.t0_ns or 0)
        while t_ns in found:
            t_ns += 1
        found[t_ns] = (t_ns, passage.direction, passage.persons, passage.confidence)
    return sorted(found.values())


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    return fleet_of(tmp_path_factory.mktemp("hubs"), HUB)


def rig(folder: Path, fleet: Fleet, ring: RingSettings = DAY) -> RecordedRig:
    folder.mkdir(exist_ok=True)
    kind: Any = type("Rig", (RecordedRig,), {"ring": ring})
    made: RecordedRig = kind(folder, fleet, outbox=OutboxSettings(durable=False))
    return made


def test_a_day_at_the_door(tmp_path: Path, fleet: Fleet) -> None:
    unit = rig(tmp_path / "unit", fleet)
    for number in range(20):
        unit.walk(inward=number % 3 > 0)
    replayed = replay(unit.recordings)
    assert (len(counted(replayed)), replayed.edges) == (20, 80)
    assert replayed.header.sensor == "front-beams"
    assert "it is being written" in replayed.notes[0]
    published = unit.published()
    assert counted(replayed) == published
    unit.stop()
    replayed = replay(unit.door)
    assert counted(replayed) == published
    assert replayed.notes == ()


actions = st.one_of(
    st.tuples(st.just("edge"), st.sampled_from([OUTER_PIN, INNER_PIN]), st.integers(1, 400)),
    st.tuples(st.just("walk"), st.booleans(), st.integers(0, 900)),
    st.tuples(st.sampled_from(["crash", "stop", "reboot", "set"]), st.just(0), st.integers(0, 300)),
    st.tuples(st.just("wait"), st.just(0), st.integers(1, 4_000)),
)


def act(unit: RecordedRig, action: tuple[str, Any, int], number: int) -> None:
    name, what, ms = action
    if name == "edge":
        unit.drive(what, 1 - unit.levels[what == INNER_PIN])
    elif name == "walk":
        unit.walk(inward=what, after_ns=0)
    elif name == "set":
        unit.clock.step_wall(-7 * NS_PER_MS)
    elif name in ("crash", "stop", "reboot"):
        unit.stop() if name == "stop" else unit.crash()
        unit.network.cut()
        if name == "reboot":
            wall_ns = unit.clock.wall_ns()
            unit.clock.reboot(f"boot-after-{number}", wall_ns=wall_ns + NS_PER_S, synced=True, mono_ns=5 * NS_PER_S)
        unit.start()
    unit.run(ms * NS_PER_MS)


@given(script=st.lists(actions, max_size=25), pieces=st.sampled_from([24, 50_000]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=120, deadline=None)
def test_whatever_happens_to_the_unit_it_is_counted_as_published(
    tmp_path_factory: pytest.TempPathFactory, fleet: Fleet, script: list[tuple[str, Any, int]], pieces: int
) -> None:
    """Also where segments are short (1.7 s), so that they begin and end in the middle of everything."""
    unit = rig(tmp_path_factory.mktemp("some") / "unit", fleet, RingSettings(pieces=pieces))
    for number, action in enumerate(script):
        act(unit, action, number)
    for pin, level in zip((OUTER_PIN, INNER_PIN), unit.levels, strict=True):
        if level:
            unit.drive(pin, 0)
    unit.run(70 * NS_PER_S)
    published = unit.published()
    unit.stop()
    assert counted(replay(unit.recordings)) == published
    files = segment_files(unit.door)
    assert counted(replay(*files)) == published
    assert len(published) == sum(len(counted(replay(file))) for file in files)


def test_a_clock_that_is_set_late_dates_what_came_before(tmp_path: Path, fleet: Fleet) -> None:
    """No time server for a while after the boot: the unit publishes these passages when it knows when they were."""
    unit = rig(tmp_path / "unit", fleet)
    unit.stop()
    unit.clock.reboot("boot-2", wall_ns=1_000 * NS_PER_S, synced=False, mono_ns=20 * NS_PER_S)
    unit.start()
    unit.walk()
    unit.stop()
    unit.start()
    unit.walk(inward=False)
    unit.clock.step_wall(T0_NS)
    unit.clock.set_synced(True)
    unit.walk()
    published = unit.published()
    assert len(published) == 3
    unit.stop()
    assert counted(replay(unit.recordings)) == published
    assert sorted(found for file in segment_files(unit.door) for found in counted(replay(file))) == published


def test_the_oldest_segments_go_and_the_rest_is_counted_as_published(tmp_path: Path, fleet: Fleet) -> None:
    """A quarter of an hour at most, in ten pieces; each walk takes 10 s."""
    unit = rig(tmp_path / "unit", fleet, RingSettings(keep_ns=HOUR_NS // 4, pieces=10))
    for number in range(200):
        unit.walk(inward=number % 3 > 0, after_ns=9_660 * NS_PER_MS)
        if number % 60 == 59:
            unit.crash()
            unit.start()
    published = unit.published()
    unit.stop()
    numbers = [int(file.name.partition(".")[0]) for file in segment_files(unit.door)]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert numbers[0] > 5
    found = counted(replay(unit.recordings))
    assert 80 <= len(found) <= 100
    assert found == published[-len(found) :]


def test_no_more_bytes_than_allowed(tmp_path: Path, fleet: Fleet) -> None:
    unit = rig(tmp_path / "unit", fleet, RingSettings(limit_bytes=30_000))
    for number in range(300):
        unit.walk(inward=number % 3 > 0)
    published = unit.published()
    unit.stop()
    assert 10_000 < sum(file.stat().st_size for file in segment_files(unit.door)) <= 30_000
    found = counted(replay(unit.recordings))
    assert found == published[-len(found) :]


def test_a_torn_segment_is_read_to_its_last_whole_line(tmp_path: Path, fleet: Fleet) -> None:
    """A power cut: the file ends anywhere, or in noise."""
    unit = rig(tmp_path / "unit", fleet)
    for _ in range(5):
        unit.walk()
    published = unit.published()
    unit.crash()
    (file,) = segment_files(unit.door)
    whole = file.read_bytes()
    counts = []
    for size in range(len(whole)):
        file.write_bytes(whole[:size])
        try:
            replayed = replay(file)
        except TraceError:  # not even its first line is there
            counts.append(0)
            continue
        counts.append(len(replayed.found))
        assert "(a power cut, or it is being written)" in replayed.notes[0]
        # Whoever was in the door when it ended may look like less.
        assert set(counted(replayed)[:-1]) <= set(published)
    assert counts == sorted(counts)
    assert counts[-1] == 5
    file.write_bytes(whole[:-20] + bytes(20))
    assert "a power cut" in replay(file).notes[0]


def test_rows_that_a_power_cut_took_are_told_and_the_next_segment_stands(tmp_path: Path, fleet: Fleet) -> None:
    unit = rig(tmp_path / "unit", fleet)
    for _ in range(3):
        unit.walk()
    unit.crash()
    (first,) = segment_files(unit.door)
    whole = first.read_bytes()
    unit.start()
    unit.walk(inward=False)
    published = unit.published()
    unit.stop()
    assert counted(replay(unit.recordings)) == published
    first.write_bytes(whole[:-40])
    replayed = replay(unit.recordings)
    assert any("rows are missing at its end" in note for note in replayed.notes)
    assert counted(replayed)[-1] == published[-1]
    first.write_bytes(b"")
    replayed = replay(unit.recordings)
    assert any("the file is empty" in note for note in replayed.notes)
    assert counted(replayed) == published[-1:]


def test_a_full_disk_pauses_the_recording_and_not_the_counting(
    tmp_path: Path, fleet: Fleet, caplog: pytest.LogCaptureFixture
) -> None:
    unit = rig(tmp_path / "unit", fleet)
    unit.network.connect()
    unit.walk()
    (first,) = segment_files(unit.door)
    first.rename(tmp_path / "aside")
    first.symlink_to("/dev/full")
    for _ in range(3):
        unit.walk()
    first.unlink()
    (tmp_path / "aside").rename(first)
    unit.run(RETRY_NS)
    unit.walk(inward=False)
    published = unit.published()
    unit.stop()
    assert len(published) == 5
    sentence = f"--record {unit.recordings}: No space left on device; recording pauses, counting goes on"
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [sentence]
    (fault,) = [event for event in unit.network.events if event["kind"] == "fault"]
    assert (fault["fault"], fault["detail"]) == ("recording_paused", sentence)
    replayed = replay(unit.recordings)
    assert counted(replayed) == [published[0], published[-1]]
    assert replayed.notes == (f"{first}: after it 12 rows could not be written",)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        StateError, match=r"--record .*file/x: cannot be made \(Not a directory\); give a folder that can"
    ):
        Recorder(tmp_path / "file" / "x")


def test_two_doors_and_a_folder_of_both(tmp_path: Path) -> None:
    unit = rig(tmp_path / "unit", fleet_of(tmp_path / "hubs", HUB + SECOND_SENSOR))
    unit.walk()
    published = unit.published()
    unit.stop()
    with pytest.raises(TraceError, match=r"one pair of beams; there are .*/front-beams, .*/spare-beams"):
        replay(unit.recordings)
    assert counted(replay(unit.door)) == published
    assert counted(replay(unit.recordings / "spare-beams")) == []
    with pytest.raises(TraceError, match="segments of several recordings: give those of one sensor, or its folder"):
        replay(*segment_files(unit.door), *segment_files(unit.recordings / "spare-beams"))


def test_a_segment_on_its_own(tmp_path: Path, fleet: Fleet) -> None:
    unit = rig(tmp_path / "unit", fleet)
    unit.walk()
    published = unit.published()
    unit.stop()
    alone = segment_files(unit.door)[0].rename(tmp_path / "from-the-hall.jsonl.gz")
    assert counted(replay(alone)) == published
    with pytest.raises(ConfigError, match="counted with that unit's separation and debounce time"):
        replay(alone, separation_m=0.2)
    with open_trace(alone) as trace:
        assert len(list(trace)) == 4


def test_a_segment_fed_to_a_unit_in_place_of_the_beams(tmp_path: Path, fleet: Fleet) -> None:
    """The core goes on from the state that the segment carries, and time begins where it begins."""
    unit = rig(tmp_path / "unit", fleet)
    unit.walk()
    unit.drive(OUTER_PIN, 1)
    unit.run(90 * NS_PER_MS)
    unit.drive(INNER_PIN, 1)
    unit.run(NS_PER_S // 2)
    unit.stop()
    unit.start()  # in the middle of somebody
    unit.drive(OUTER_PIN, 0)
    unit.run(90 * NS_PER_MS)
    unit.drive(INNER_PIN, 0)
    unit.run(3 * NS_PER_S)
    published = unit.published()
    unit.stop()
    assert len(published) == 2
    sensor = RecordingSensor(fleet.hubs["hall"].units[0].sensors[0], segment_files(unit.door)[1], 1.0)
    clock = ManualClock(0, mono_ns=7 * NS_PER_S)
    sensor.open(read(clock))
    sensor.poll(read(clock))
    assert (sensor.due_ns() or 0) <= 8 * NS_PER_S
    clock.advance(3 * NS_PER_S)
    found = [item.when for item in [*sensor.poll(read(clock)), *sensor.poll(read(clock))]]
    assert found == [published[1][0]]


@pytest.mark.parametrize(
    "segment", ["5", "{}", '{"number": 1, "begin_ns": -1, "after": null}', '{"number": 1, "after": 1}']
)
def test_headers_that_no_unit_wrote(tmp_path: Path, segment: str) -> None:
    (tmp_path / "a.jsonl").write_text(f'{{"foyer_trace": 1, "segment": {segment}}}\n')
    with pytest.raises(TraceError, match=r"a\.jsonl:1: segment .*: expected .*foyer agent --record writes"):
        replay(tmp_path / "a.jsonl")


def test_a_state_that_no_core_wrote(tmp_path: Path) -> None:
    segment = '{"number": 1, "begin_ns": 1, "after": null, "debounce_ns": 5, "state": {"version": 99}}'
    (tmp_path / "a.jsonl").write_text(f'{{"foyer_trace": 1, "segment": {segment}}}\n')
    with pytest.raises(TraceError, match=r"a\.jsonl: snapshot version 99: this core reads"):
        replay(tmp_path / "a.jsonl")
