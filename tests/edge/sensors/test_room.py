"""Is somebody in the room? Each rule alone, what must always hold, and a live room on mock pins and a pty."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.sensors.ld2410 import Presence
from edge.sensors.radar_memory import GATE_CM, HAUNTED_MINUTES, HAUNTED_NS, RadarMemory
from edge.sensors.room_fusion import LOG_ODDS_MAX, PIR_STUCK_NS, Pir, RoomFusion, RoomSettings, Verdict

if TYPE_CHECKING:
    pass

S = 1_000_000_000
MINUTE = 60 * S
HOUR = 60 * MINUTE
NOBODY = Presence()
SITTER = Presence(None, 180)
MOVER = Presence(200, 180)


class World:
    """A room whose lines and radar keep saying what they said last, each second."""

    def __init__(self, *, awake: bool = True, **fitted: Any) -> None:
        self.settings = RoomSettings(**fitted)
        self.fusion = RoomFusion(self.settings, 0)
        self.now_ns = 0
        self.pir, self.shut, self.presence = False, True, NOBODY
        self.dead: set[str] = set()
        self.told: list[Verdict] = []
        if awake:
            self.run(20 * MINUTE)
            assert self.state == "vacant"

    @property
    def state(self) -> str:
        return [verdict for verdict in self.told if verdict.changed][-1].state

    def run(self, duration_ns: int) -> None:
        end_ns = self.now_ns + duration_ns
        while self.now_ns < end_ns:
            self.say()
            self.now_ns += S
            self.told += self.fusion.advance(self.now_ns)

    def say(self) -> None:
        if self.settings.pir and "pir" not in self.dead:
            self.fusion.pir(self.now_ns, self.pir)
        if self.settings.door and "door" not in self.dead:
            self.fusion.door(self.now_ns, self.shut)
        if self.settings.radar and "radar" not in self.dead:
            self.fusion.radar(self.now_ns, self.presence)

    def moved(self) -> None:
        """The PIR sees a movement: high for five seconds."""
        self.pir = True
        self.run(5 * S)
        self.pir = False
        self.run(S)

    def used_door(self) -> int:
        """Open for four seconds; gives back when it shut."""
        self.shut = False
        self.run(4 * S)
        self.shut = True
        at_ns = self.now_ns
        self.run(S)
        return at_ns

    def came_in(self) -> None:
        self.presence = MOVER
        self.used_door()
        self.moved()
        self.moved()
        self.run(20 * S)
        self.presence = NOBODY
        assert self.state == "occupied"

    def vacant_after(self, since_ns: int, at_most_ns: int) -> int:
        """How long after that time the room becomes vacant."""
        while self.state != "vacant":
            assert self.now_ns - since_ns < at_most_ns, "it stays occupied"
            self.run(S)
        return self.told[-1].t_ns - since_ns


FITS = [{}, {"radar": False}, {"door": False}, {"radar": False, "door": False}, {"pir": False, "door": False}]


@pytest.mark.parametrize("fitted", [{}, {"radar": False}])
def test_whoever_comes_in_is_noticed_at_once(fitted: dict[str, Any]) -> None:
    world = World(**fitted)
    world.used_door()
    world.pir, world.presence = True, MOVER
    world.run(2 * S)
    assert world.state == "occupied"


def test_vacant_five_minutes_after_the_door_was_used_and_nobody_moved() -> None:
    world = World()
    world.came_in()
    world.run(10 * MINUTE)
    world.moved()
    shut_ns = world.used_door()
    assert world.vacant_after(shut_ns, HOUR) == 5 * MINUTE


def test_vacant_fifteen_minutes_after_the_last_movement_without_the_door() -> None:
    world = World()
    world.came_in()
    world.run(2 * MINUTE)
    world.moved()
    seen_ns = world.fusion._pir.sign_ns(world.now_ns)
    assert seen_ns is not None
    assert abs(world.vacant_after(seen_ns, HOUR) - 15 * MINUTE) <= S


def test_a_room_without_a_door_contact_waits_fifteen_minutes() -> None:
    world = World(door=False)
    world.presence = MOVER
    world.moved()
    world.moved()
    world.presence = NOBODY
    begin_ns = world.now_ns
    assert 14 * MINUTE < world.vacant_after(begin_ns, HOUR) <= 15 * MINUTE


def test_the_waits_are_the_rooms_own() -> None:
    world = World(vacant_after_door_ns=2 * MINUTE, vacant_after_ns=4 * MINUTE)
    world.came_in()
    shut_ns = world.used_door()
    assert world.vacant_after(shut_ns, HOUR) == 2 * MINUTE


def test_a_still_sitter_stays_whom_the_radar_sees_stir_now_and_then() -> None:
    world = World()
    world.came_in()
    for minute in range(90):
        world.presence = MOVER if minute % 3 == 0 else SITTER
        world.run(S)
        world.presence = SITTER
        world.run(59 * S)
        if minute % 20 == 10:
            world.moved()
        assert world.state == "occupied", f"lost after {minute} min"


def test_a_radar_alone_is_not_believed_for_ever_after_the_door_was_used() -> None:
    world = World()
    world.came_in()
    shut_ns = world.used_door()
    while world.now_ns - shut_ns < 29 * MINUTE:
        world.presence = MOVER if world.now_ns // S % 40 == 0 else SITTER
        world.run(S)
    assert world.state == "occupied"
    world.run(2 * MINUTE)
    assert world.state == "vacant"


def test_a_stuck_ghost_does_not_keep_a_room_occupied() -> None:
    world = World()
    world.came_in()
    world.presence = SITTER
    shut_ns = world.used_door()
    assert world.vacant_after(shut_ns, HOUR) == 5 * MINUTE


def test_a_fan_left_on_does_not_keep_a_room_occupied() -> None:
    world = World()
    world.came_in()
    world.presence = Presence(150, 150)  # on a gate's border
    shut_ns = world.used_door()
    while world.state != "vacant":
        assert world.now_ns - shut_ns <= 5 * MINUTE
        world.presence = Presence(145 + world.now_ns // S % 11, 150)
        world.run(S)


def test_a_curtain_in_a_shut_empty_room_is_nobody() -> None:
    world = World()
    for minute in range(120):
        world.presence = MOVER if minute % 3 else NOBODY
        world.run(10 * S)
        world.presence = NOBODY
        world.run(50 * S)
        if minute % 30 == 7:
            world.moved()
        assert world.state == "vacant"


def test_warm_air_is_nobody_where_the_radar_sees_nobody() -> None:
    world = World(door=False)
    for _ in range(20):
        world.moved()
        world.run(10 * MINUTE)
    assert world.state == "vacant"


def test_what_is_beyond_the_room_is_not_in_it() -> None:
    world = World(radar_max_cm=400)
    world.used_door()
    world.presence = Presence(401, 420)
    world.run(10 * MINUTE)
    assert world.state == "vacant"


@pytest.mark.parametrize("fitted", FITS)
def test_a_room_is_unknown_until_its_sensors_are_warm_and_long_enough_quiet(fitted: dict[str, Any]) -> None:
    world = World(awake=False, **fitted)
    warm_ns = world.settings.pir_warm_up_ns if world.settings.pir else 0
    first_ns = 0 if world.settings.radar else warm_ns
    world.run(first_ns + 14 * MINUTE)
    assert world.state == "unknown"
    world.run(2 * MINUTE)
    assert world.state == "vacant"


def test_what_a_cold_pir_says_is_not_heard() -> None:
    world = World(awake=False, radar=False, door=False)
    world.pir = True
    world.run(59 * S)
    assert world.state == "unknown"
    world.run(10 * S)
    assert world.state == "occupied"


@pytest.mark.parametrize("fitted", FITS)
@pytest.mark.parametrize("occupied", [True, False])
def test_a_room_whose_sensors_all_fall_silent_is_unknown(fitted: dict[str, Any], occupied: bool) -> None:
    world = World(**fitted)
    if occupied:
        world.used_door()
        world.pir, world.presence = True, MOVER
    world.run(MINUTE)
    assert world.state == ("occupied" if occupied else "vacant")
    world.dead = {"pir", "door", "radar"}
    world.run(world.settings.silent_ns + 2 * S)
    assert world.state == "unknown"


def test_with_its_radar_silent_a_room_may_be_occupied_but_is_never_vacant() -> None:
    world = World()
    world.dead = {"radar"}
    world.run(MINUTE)
    assert world.state == "unknown"
    world.used_door()
    world.moved()
    world.moved()
    assert world.state == "occupied"
    world.run(30 * MINUTE)
    assert world.state == "unknown"
    world.dead = set()
    world.run(MINUTE)
    assert world.state == "vacant"


def test_a_sign_of_life_comes_at_least_every_five_minutes() -> None:
    world = World()
    world.run(HOUR)
    times = [verdict.t_ns for verdict in world.told]
    assert max(later - earlier for earlier, later in pairwise(times)) <= 5 * MINUTE
    assert [verdict.changed for verdict in world.told].count(True) == 2


def test_a_pir_sees_movement_until_its_hold_time_before_it_falls() -> None:
    pir = Pir(5 * S, 0)
    pir.feed(10 * S, level=True)
    assert pir.sign_ns(12 * S) == 10 * S
    assert pir.sign_ns(20 * S) == 15 * S
    pir.feed(21 * S, level=False)
    assert pir.sign_ns(60 * S) == 16 * S


def test_one_short_pulse_is_less_sure_than_two_or_a_long_one() -> None:
    pir = Pir(5 * S, 0)
    pir.feed(10 * S, level=True)
    pir.feed(15 * S, level=False)
    assert pir.sureness(60 * S) == 0.5
    pir.feed(70 * S, level=True)
    assert pir.sureness(70 * S) == 1.0
    pir.feed(75 * S, level=False)
    pir.feed(200 * S, level=True)
    assert (pir.sureness(207 * S), pir.sureness(207 * S + 1)) == (0.5, 1.0)
    assert (pir.sureness(235 * S), pir.sureness(235 * S + 1)) == (1.0, 2.0)


def test_whoever_was_taken_for_gone_is_noticed_again_though_the_door_stayed_shut() -> None:
    world = World(radar=False)
    world.came_in()
    world.run(20 * MINUTE)
    assert world.state == "vacant"
    for _ in range(4):
        assert world.state == "vacant"
        world.moved()
        world.run(2 * MINUTE)
    assert world.state == "occupied"


def test_a_pir_that_stays_high_for_an_hour_is_stuck() -> None:
    pir = Pir(5 * S, 0)
    pir.feed(10 * S, level=True)
    assert pir.sign_ns(10 * S + PIR_STUCK_NS - 1) == 5 * S + PIR_STUCK_NS - 1
    assert pir.sign_ns(10 * S + PIR_STUCK_NS) == 10 * S


def watch(memory: RadarMemory, from_s: int, until_s: int, cm: int, **asked: Any) -> None:
    known = {"pir_asked": True, "empty": False, **asked}
    for second in range(from_s, until_s):
        memory.sees(second * S, Presence(cm, None), None, **known)


def test_who_moves_without_a_pause_unseen_by_the_pir_is_a_machine_and_only_in_its_gate() -> None:
    memory = RadarMemory(600)
    watch(memory, 0, 80, 110)
    assert memory.sign_ns(80 * S) == 79 * S
    watch(memory, 80, 140, 110)
    assert memory.sign_ns(140 * S) is None
    memory.sees(141 * S, Presence(110 + 2 * GATE_CM, None), None, pir_asked=True, empty=False)
    assert memory.sign_ns(141 * S) == 141 * S


def test_a_machines_gate_is_its_own_again_once_it_rested() -> None:
    memory = RadarMemory(600)
    watch(memory, 0, 140, 110)
    watch(memory, 240, 241, 110)
    assert memory.sign_ns(241 * S) == 240 * S


def test_without_a_pir_to_ask_only_what_never_rests_for_an_hour_is_a_machine() -> None:
    memory = RadarMemory(600)
    watch(memory, 0, 3600, 110, pir_asked=False)
    assert memory.sign_ns(3600 * S) == 3599 * S
    watch(memory, 3600, 3800, 110, pir_asked=False)
    assert memory.sign_ns(3800 * S) is None


def test_what_moved_in_an_empty_room_is_not_believed_for_half_a_day() -> None:
    memory = RadarMemory(600)
    for minute in range(HAUNTED_MINUTES):
        assert (memory.sign_ns(minute * MINUTE) is None) == (minute == 0)
        watch(memory, minute * 60, minute * 60 + 2, 110, empty=True)
    last_ns = (HAUNTED_MINUTES - 1) * MINUTE
    assert memory.sign_ns(last_ns + MINUTE) is None
    later_s = (last_ns + HAUNTED_NS) // S
    watch(memory, later_s, later_s + 1, 110)
    assert memory.sign_ns(later_s * S) == later_s * S


signals = st.lists(
    st.tuples(
        st.integers(1, 400),
        st.sampled_from(["pir", "door", "radar", "look"]),
        st.booleans(),
        st.none() | st.integers(0, 1000),
        st.none() | st.integers(0, 1000),
    ),
    max_size=60,
)


@settings(deadline=None)  # the machine is shared
@given(st.sampled_from(FITS), signals, st.integers(0, 120))
def test_whatever_comes_a_room_does_not_flap_and_is_never_certain(
    fitted: dict[str, Any], given_: list[tuple[Any, ...]], dwell_s: int
) -> None:
    fusion = RoomFusion(RoomSettings(dwell_ns=dwell_s * S, pir_warm_up_ns=0, **fitted), 0)
    told: list[Verdict] = []
    now_ns = 0
    for after_s, what, level, moving_cm, still_cm in given_:
        now_ns += after_s * S
        match what:
            case "pir":
                fusion.pir(now_ns, level)
            case "door":
                fusion.door(now_ns, level)
            case "radar":
                fusion.radar(now_ns, Presence(moving_cm, still_cm))
            case _:
                told += fusion.advance(now_ns)
        assert abs(fusion.log_odds) <= LOG_ODDS_MAX
    told += fusion.advance(now_ns + 5 * MINUTE)
    assert told[-1].state == "unknown"  # everything has been silent for long
    bound = 1 / (1 + math.exp(-LOG_ODDS_MAX))
    assert all(1 - bound <= verdict.probability <= bound for verdict in told)
    changed = [verdict for verdict in told if verdict.changed]
    for earlier, later in pairwise(changed[1:]):
        assert later.t_ns - earlier.t_ns >= dwell_s * S
        assert later.state != earlier.state


# Live
