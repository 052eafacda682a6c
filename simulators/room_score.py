"""How well the fusion of a room's sensors does on simulated days: `python -m simulators.room_score`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace

from edge.sensors.ld2410 import Presence
from edge.sensors.room_fusion import RoomFusion, RoomSettings, State, Verdict
from firmware_cfg.times import NS_PER_S
from simulators.rooms import DAY_S, DEPTH_CM, LEAD_IN_S, PROFILES, Profile, RoomDay, room_day

MINUTE_S = 60
FIRST_SCORED_SEED = 1_000
"""Smaller seeds are for looking at and tuning on; what is published comes from this one on."""

FITS: dict[str, RoomSettings] = {
    "PIR, radar, door": RoomSettings(radar_max_cm=DEPTH_CM),
    "the same, radar's reach not set": RoomSettings(),
    "PIR, radar": RoomSettings(door=False, radar_max_cm=DEPTH_CM),
    "PIR, door": RoomSettings(radar=False),
    "PIR": RoomSettings(radar=False, door=False),
    "radar": RoomSettings(pir=False, door=False, radar_max_cm=DEPTH_CM),
}


@dataclass(frozen=True, slots=True)
class Score:
    """One day. A minute is right where the state at its middle is the truth; `unknown` is never right."""

    right: int
    falsely_vacant: int
    falsely_occupied: int
    unknown: int
    vacant_in_meeting_s: float
    changes: int

    @property
    def share(self) -> float:
        return self.right / (DAY_S // MINUTE_S)


def watch(day: RoomDay, settings: RoomSettings) -> list[Verdict]:
    """What the fusion makes of a day: every change of state, times since its midnight."""
    shift_ns = LEAD_IN_S * NS_PER_S
    fusion = RoomFusion(settings, 0)
    fitted = {"pir": settings.pir, "door": settings.door, "radar": settings.radar}
    lines: dict[str, Callable[[int, bool], None]] = {"pir": fusion.pir, "door": fusion.door}
    levels: dict[str, bool] = {}
    verdicts: list[Verdict] = []
    next_ns = 0
    for signal in day.signals():
        t_ns = signal.t_ns + shift_ns
        if t_ns >= next_ns:  # the driver looks at its lines now and then, changed or not
            for sensor, level in levels.items():
                lines[sensor](t_ns, level)
            verdicts += fusion.advance(t_ns)
            next_ns = t_ns + 10 * NS_PER_S
        if not fitted[signal.sensor]:
            continue
        value = signal.value
        if isinstance(value, Presence):
            fusion.radar(t_ns, value)
        else:
            levels[signal.sensor] = value
            lines[signal.sensor](t_ns, value)
    verdicts += fusion.advance((DAY_S + LEAD_IN_S) * NS_PER_S)
    return [replace(verdict, t_ns=verdict.t_ns - shift_ns) for verdict in verdicts if verdict.changed]


def score(day: RoomDay, settings: RoomSettings) -> Score:
    changes = [(verdict.t_ns / NS_PER_S, verdict.state) for verdict in watch(day, settings)]
    spans: list[tuple[float, float, State]] = [
        (begin_s, end_s, state)
        for (begin_s, state), (end_s, _) in zip(changes, [*changes[1:], (float(DAY_S), "unknown")], strict=True)
    ]
    right = falsely_vacant = falsely_occupied = unknown = at = 0
    for minute in range(DAY_S // MINUTE_S):
        middle_s = (minute + 0.5) * MINUTE_S
        while spans[at][1] <= middle_s:
            at += 1
        state, truth = spans[at][2], day.occupied(middle_s)
        right += state == ("occupied" if truth else "vacant")
        falsely_vacant += truth and state == "vacant"
        falsely_occupied += not truth and state == "occupied"
        unknown += state == "unknown"
    missed_s = sum(
        max(0.0, min(end_s, until_s) - max(begin_s, from_s))
        for begin_s, end_s, state in spans
        if state == "vacant"
        for from_s, until_s in day.meeting_spans()
    )
    made = sum(begin_s >= 0 for begin_s, _, _ in spans)
    return Score(right, falsely_vacant, falsely_occupied, unknown, missed_s, made)


def row(name: str, profile: Profile, seeds: range) -> str:
    """One line of the table in docs/rooms.md."""
    scores = [score(room_day(seed, profile), FITS[name]) for seed in seeds]
    shares = sorted((day.share, seed) for day, seed in zip(scores, seeds, strict=True))
    missed = sorted(((day.vacant_in_meeting_s, seed) for day, seed in zip(scores, seeds, strict=True)), reverse=True)
    over = sum(seconds > MINUTE_S for seconds, _ in missed)
    return (
        f"| {name} | {profile} | {sum(share for share, _ in shares) / len(shares):.2%} "
        f"| {shares[0][0]:.2%} ({shares[0][1]}) | {missed[0][0]:.0f} s ({missed[0][1]}) | {over} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m simulators.room_score", description=__doc__)
    parser.add_argument("--days", type=int, default=20, help="days of each kind")
    parser.add_argument("--first-seed", type=int, default=FIRST_SCORED_SEED)
    parser.add_argument("--fit", choices=FITS, action="append", help="which sensors; the first two if not given")
    parser.add_argument("--profile", choices=PROFILES, action="append", help="which kind of day; all if not given")
    options = parser.parse_args()
    seeds = range(options.first_seed, options.first_seed + options.days)
    print(f"{options.days} days of each kind, seeds {seeds[0]} to {seeds[-1]}\n")
    print("| sensors | days with | minutes right | worst day (seed) | most missed (seed) | days missing > 60 s |")
    print("|---|---|---|---|---|---|")
    for name in options.fit or list(FITS)[:2]:
        for profile in options.profile or PROFILES:
            print(row(name, profile, seeds), flush=True)


if __name__ == "__main__":
    main()
