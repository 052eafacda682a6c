"""Days in rooms and at cabinets: the same for the same seed, as their truth says; and how well the fusion does."""

from __future__ import annotations

from itertools import pairwise

import pytest

from edge.sensors.ld2410 import Presence
from edge.sensors.room_fusion import RoomSettings
from simulators.cabinets import SCRIPTS, Script, cabinet_day
from simulators.room_score import FIRST_SCORED_SEED, FITS, MINUTE_S, score, watch
from simulators.rooms import DAY_S, LEAD_IN_S, PIR_BLIND_S, PIR_HOLD_S, PROFILES, Profile, RoomDay, Visit, room_day

S = 1_000_000_000
FULL = FITS["PIR, radar, door"]


@pytest.mark.parametrize("profile", PROFILES)
def test_a_seed_makes_one_day_and_another_seed_another(profile: Profile) -> None:
    assert room_day(3, profile) == room_day(3, profile)
    assert room_day(3, profile) != room_day(4, profile)


def test_a_days_signals_are_the_same_each_time_and_in_order() -> None:
    day = room_day(5, "mixed")
    signals = list(day.signals())
    assert signals == list(day.signals())
    assert all(earlier.t_ns <= later.t_ns for earlier, later in pairwise(signals))
    assert signals[0].t_ns == -LEAD_IN_S * S
    assert sum(signal.sensor == "radar" for signal in signals) == LEAD_IN_S + DAY_S


def test_a_pirs_line_holds_and_is_blind_as_it_should() -> None:
    edges = [signal for signal in room_day(6, "meetings").signals() if signal.sensor == "pir"][1:]
    assert [bool(edge.value) for edge in edges] == [index % 2 == 0 for index in range(len(edges))]
    for earlier, later in pairwise(edges):
        least_s = PIR_HOLD_S if earlier.value else PIR_BLIND_S
        assert later.t_ns - earlier.t_ns >= least_s * S - 1000


def test_whoever_is_there_is_seen_and_an_empty_room_is_quiet() -> None:
    visit = Visit(36_000, 39_600, "talks")
    quiet = {"radar": 0, "pir": 0}
    busy = {"radar": 0, "pir": 0}
    for signal in RoomDay(1, "meetings", [visit]).signals():
        at_s = signal.t_ns / S
        if signal.sensor != "door":
            seen = signal.value != Presence() if signal.sensor == "radar" else bool(signal.value)
            (busy if 36_000 <= at_s < 39_605 else quiet)[signal.sensor] += seen
    assert busy["radar"] > 3_500
    assert busy["pir"] > 100
    assert quiet["radar"] == 0
    assert quiet["pir"] <= 10


def test_the_door_moves_as_often_as_somebody_goes_through() -> None:
    day = RoomDay(1, "meetings", [Visit(36_000, 39_600, "talks"), Visit(37_000, 38_000, "talks")])
    spans = day.door_spans()
    assert [round(begin_s, -1) for begin_s, _ in spans] == [36_000, 37_000, 38_000, 39_600]
    assert day.meeting_spans() == [(36_000, 39_600)]


def test_a_score_counts_what_is_right_and_what_is_missed() -> None:
    day = RoomDay(1, "meetings", [Visit(36_000, 39_600, "talks")])
    result = score(day, FULL)
    assert result.right + result.falsely_occupied + result.falsely_vacant + result.unknown == DAY_S // MINUTE_S
    assert 4 <= result.falsely_occupied <= 6  # the five minutes after the last one left
    blind = score(day, RoomSettings(radar=False, pir_warm_up_ns=2 * DAY_S * S))
    assert (blind.right, blind.unknown, blind.vacant_in_meeting_s) == (0, DAY_S // MINUTE_S, 0)
    deaf = score(day, RoomSettings(vacant_after_door_ns=S, vacant_after_ns=S, dwell_ns=0))
    assert deaf.vacant_in_meeting_s > 60


@pytest.mark.parametrize("profile", ["meetings", "sitters", "fan", "ghost", "mixed"])
def test_seeds_that_nothing_was_tuned_on_score_as_published(profile: Profile) -> None:
    seeds = range(FIRST_SCORED_SEED, FIRST_SCORED_SEED + 2)
    scores = [score(room_day(seed, profile), FULL) for seed in seeds]
    assert sum(day.share for day in scores) / len(scores) >= 0.98
    assert max(day.vacant_in_meeting_s for day in scores) <= MINUTE_S
    assert max(day.changes for day in scores) <= 40


def test_states_of_a_day_alternate() -> None:
    verdicts = watch(room_day(2, "cleaner"), FULL)
    assert all(earlier.state != later.state for earlier, later in pairwise(verdicts))
    assert verdicts[0].state == "unknown"


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_cabinets_day_is_its_scripts(script: Script) -> None:
    day = cabinet_day(script, 1)
    assert day == cabinet_day(script, 1)
    assert [given.at_s for given in day.inputs] == sorted(given.at_s for given in day.inputs)
    worst = {level for _, level in day.truth}
    expected = {
        "quiet": {"ok"},
        "opened": {"ok"},
        "left open": {"ok", "critical"},
        "used": {"ok", "critical"},
        "frost night": {"ok", "warning"},
        "hard frost": {"ok", "warning", "critical"},
        "mains cut": {"ok", "warning"},
        "thermometer dies": {"ok", "unknown"},
    }
    assert worst == expected[script]
