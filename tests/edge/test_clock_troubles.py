"""A unit whose clock is late, set by hours either way, or never set: nobody is lost, doubled or out of order."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from edge_rig import HOUR_NS, HUB, T0_NS, Network, Rig, fleet_of
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.clock import ManualClock
from edge.eventfile import OutboxSettings
from firmware_cfg.times import NS_PER_MS, NS_PER_S

pytestmark = pytest.mark.timeout(400)

MONTH_NS = 30 * 24 * HOUR_NS
MIDDLE_NS = 170 * NS_PER_MS
QUICK = OutboxSettings(durable=False)


@dataclass
class Story:
    """A unit through boots and clock troubles. `network.now_ns` is the truth; `walks` are when people really came."""

    folder: Path
    walks: list[tuple[str, int]] = field(default_factory=list)
    synced: set[str] = field(default_factory=set)
    """Boots whose clock was right at some time."""
    misled: bool = False
    """Somebody set the clock wrong and vouched for it."""
    boots: int = 1

    def __post_init__(self) -> None:
        clock = ManualClock(5 * NS_PER_S, mono_ns=20 * NS_PER_S, synced=False)
        network = Network(now_ns=T0_NS)
        self.rig = Rig(self.folder, fleet_of(self.folder / "fleet", HUB), clock, QUICK, network)

    def walk(self, people: int) -> None:
        for _ in range(people):
            self.walks.append((self.rig.clock.boot_id, self.rig.network.now_ns))
            self.rig.walk(after_ns=2500 * NS_PER_MS)

    def wait(self, seconds: int) -> None:
        self.rig.run(seconds * NS_PER_S)

    def step(self, by_ns: int) -> None:
        """The wall clock jumps; where it counted as right, everybody is misled."""
        self.rig.clock.step_wall(by_ns)
        self.misled = self.misled or (self.rig.clock.synced() and abs(by_ns) > 0)

    def sync(self) -> None:
        clock = self.rig.clock
        clock.step_wall(self.rig.network.now_ns - clock.wall_ns())
        clock.set_synced(synced=True)
        self.rig.run(2 * NS_PER_S)
        self.synced.add(clock.boot_id)

    def unsync(self) -> None:
        self.rig.clock.set_synced(synced=False)

    def reboot(self, off_s: int, wall_ns: int) -> None:
        """The power goes, and comes again `off_s` later with the wall clock somewhere."""
        self.rig.crash()
        self.boots += 1
        self.rig.network.now_ns += off_s * NS_PER_S
        self.rig.clock.reboot(f"boot-{self.boots}", wall_ns=wall_ns, mono_ns=15 * NS_PER_S)
        self.rig.network.cut()
        self.rig.start()

    def connect(self, up: bool) -> None:
        self.rig.network.connect() if up else self.rig.network.cut()

    def end(self) -> list[dict[str, Any]]:
        """The clock is right at last and the collector answers; all that arrived, by number."""
        self.reboot(100, 0)
        self.sync()
        self.rig.network.connect()
        self.rig.run(5 * NS_PER_S)
        assert self.rig.unit.stats().open_ == 0
        assert self.rig.stop()
        return self.rig.network.passages()


OPS = st.one_of(
    st.tuples(st.just("walk"), st.tuples(st.integers(1, 3))),
    st.tuples(st.just("wait"), st.tuples(st.sampled_from([1, 30, 400, 1000]))),
    st.tuples(
        st.just("step"), st.tuples(st.sampled_from([-30, -5, -1, 1, 7, 30, 720]).map(lambda hours: hours * HOUR_NS))
    ),
    st.tuples(st.just("sync"), st.tuples()),
    st.tuples(st.just("unsync"), st.tuples()),
    st.tuples(
        st.just("reboot"), st.tuples(st.integers(5, 5000), st.sampled_from([0, T0_NS - MONTH_NS, T0_NS + MONTH_NS]))
    ),
    st.tuples(st.just("connect"), st.tuples(st.booleans())),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(OPS, min_size=3, max_size=14))
def test_whatever_the_clock_does_each_arrives_once_in_order_and_dated_as_well_as_can_be(ops: list[Any]) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        story = Story(folder)
        for name, arguments in ops:
            getattr(story, name)(*arguments)
        judge(story, story.end())
    finally:
        shutil.rmtree(folder)


def judge(story: Story, arrived: list[dict[str, Any]]) -> None:
    assert len(arrived) == len(story.walks), "lost or counted twice"
    times = [event["t_ns"] for event in arrived]
    assert len(set(times)) == len(times), "two events of one sensor share a time"
    if story.misled:
        return  # dated as the clock said; what arrives and how often does not depend on it
    assert times == sorted(times), "out of order"
    for event, (boot, began_ns) in zip(arrived, story.walks, strict=True):
        if boot in story.synced:
            assert event["t_ns"] == began_ns + MIDDLE_NS, "the clock was right, and yet it is dated wrongly"
        if event["clock"] == "synced":
            assert boot in story.synced


@pytest.mark.parametrize(
    "by_ns", [-5 * HOUR_NS, 5 * HOUR_NS, MONTH_NS, -MONTH_NS], ids=["back", "on", "month on", "month back"]
)
def test_a_clock_set_wrong_for_a_while_loses_nobody(tmp_path: Path, by_ns: int) -> None:
    story = Story(tmp_path)
    story.connect(up=True)
    story.sync()
    story.walk(2)
    story.step(by_ns)
    story.walk(2)
    story.rig.clock.step_wall(-by_ns)
    story.walk(2)
    arrived = story.end()
    judge(story, arrived)
    right = [began_ns + MIDDLE_NS for _, began_ns in story.walks]
    times = [event["t_ns"] for event in arrived]
    assert times[:2] + times[4:] == right[:2] + right[4:]
    assert times[2:4] == [time_ns + by_ns for time_ns in right[2:4]]


def test_a_leap_of_a_month_does_not_forget_what_the_collector_has_just_got(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.connect(up=True)
    story.sync()
    story.walk(5)
    story.step(MONTH_NS)
    story.wait(4000)
    assert story.rig.unit.stats().acked == 5, "kept for seven days, and not for what the clock says"


def test_a_boot_that_was_never_set_comes_after_the_last_event_of_the_one_before(tmp_path: Path) -> None:
    """The clocks are noted every ten minutes, and much may happen since."""
    story = Story(tmp_path)
    story.sync()
    story.wait(550)
    story.walk(2)
    story.reboot(5, 0)
    story.walk(2)
    judge(story, story.end())


def test_the_notes_of_the_clock_stay_few_however_long_a_boot_lasts(tmp_path: Path) -> None:
    story = Story(tmp_path)
    for _ in range(500):
        story.rig.clock.advance(601 * NS_PER_S)
        story.rig.network.now_ns += 601 * NS_PER_S
        story.rig.unit.step()
    story.walk(1)
    notes = story.rig.unit._outbox._file._db.execute("SELECT count(*) FROM anchor").fetchone()[0]
    assert notes < 20
    judge(story, story.end())
