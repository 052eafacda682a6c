"""What a unit records is counted again as it was published, whatever happened to the unit meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from edge_rig import HUB, INNER_PIN, OUTER_PIN, Rig, fleet_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.eventfile import OutboxSettings
from edge.recorder import Recorder, RingSettings
from edge.replay import Replayed, replay
from edge.trace.segments import segment_files
from firmware_cfg.times import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
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
            unit.clock.reboot(f"boot-{number}", wall_ns=wall_ns + NS_PER_S, synced=True, mono_ns=5 * NS_PER_S)
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
