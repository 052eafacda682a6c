"""Is somebody in the room? Signs from a PIR, a radar and a door contact, added up as log-odds. Pure.

Each sign counts with its weight at once and fades to nothing over the time that the room waits before it is vacant:
a few minutes where the door was used after the last sign, longer where it was not. A room believed vacant takes more
to be believed occupied while its door stayed shut or its radar sees nobody. What makes a sign, and what does not,
is in `radar_memory` and in `Pir`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from edge.sensors.contact import Contact
from edge.sensors.ld2410 import Presence
from edge.sensors.radar_memory import RadarMemory
from firmware_cfg.sensors import RoomWeights
from firmware_cfg.times import NS_PER_S

State = Literal["occupied", "vacant", "unknown"]

_MINUTE_NS = 60 * NS_PER_S
_HOUR_NS = 60 * _MINUTE_NS
STEP_NS = NS_PER_S
STEPS_MAX = 3_600

PRIOR = -3.0
OCCUPIED_AT = 0.5
LOG_ODDS_MAX = 6.0
PIR_STUCK_NS = _HOUR_NS
PIR_AGAIN_NS, PIR_LONG_NS = _MINUTE_NS, 2 * NS_PER_S
PIR_INSISTS, PIR_INSISTS_NS, PIR_INSISTS_HIGH_NS = 4, 10 * _MINUTE_NS, 30 * NS_PER_S
PIR_WITNESS_NS = 12 * _HOUR_NS
DOOR_TAIL_NS = 10 * NS_PER_S
"""Signs this soon after the door moved last may be of those who went out; later ones are of who stayed or came."""
CLEAR_NS = 30 * NS_PER_S
EMPTY_NS = 10 * _MINUTE_NS
ALONE_NS = 30 * _MINUTE_NS
"""Whoever stays after the door was used moves enough for the PIR within this time."""


@dataclass(frozen=True, slots=True)
class RoomSettings:
    """What is fitted, and how long to wait."""

    pir: bool = True
    door: bool = True
    radar: bool = True
    pir_hold_ns: int = 5 * NS_PER_S
    pir_warm_up_ns: int = _MINUTE_NS
    radar_max_cm: int = 600
    vacant_after_door_ns: int = 5 * _MINUTE_NS
    vacant_after_ns: int = 15 * _MINUTE_NS
    silent_ns: int = 30 * NS_PER_S
    dwell_ns: int = 30 * NS_PER_S
    heartbeat_ns: int = 5 * _MINUTE_NS
    weights: RoomWeights = field(default_factory=RoomWeights)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The room at `t_ns`; `changed` tells a change of state from a sign of life."""

    t_ns: int
    state: State
    probability: float
    changed: bool = True

    def fields(self) -> dict[str, Any]:
        """As a `room` event carries it."""
        return {"state": self.state, "probability": self.probability}


class Pir:
    """A passive infrared detector's line: high while it sees movement and `hold_ns` longer, then blind for a while."""

    def __init__(self, hold_ns: int, warm_ns: int) -> None:
        self._hold_ns = hold_ns
        self._warm_ns = warm_ns
        self._level = False
        self._rise_ns: int | None = None
        self._fall_ns = 0
        self._rises_ns: deque[int] = deque(maxlen=PIR_INSISTS)
        self.heard_ns: int | None = None

    def feed(self, t_ns: int, level: bool) -> None:
        """What it says before it is warm is not heard."""
        if t_ns < self._warm_ns:
            return
        self.heard_ns = t_ns
        if level and not self._level:
            self._rise_ns = t_ns
            self._rises_ns.append(t_ns)
        elif self._level and not level:
            self._fall_ns = t_ns
        self._level = level

    def sign_ns(self, t_ns: int) -> int | None:
        """When it last saw movement. A line that stays high for an hour is stuck."""
        if self._rise_ns is None:
            return None
        high_ns = (t_ns if self._level else self._fall_ns) - self._rise_ns
        return self._rise_ns + (max(0, high_ns - self._hold_ns) if high_ns < PIR_STUCK_NS else 0)

    def sureness(self, t_ns: int) -> float:
        """A single short pulse may be warm air; people set it off again, or keep it up, and go on doing so."""
        if self._rise_ns is None:
            return 0.0
        high_ns = (t_ns if self._level else self._fall_ns) - self._rise_ns - self._hold_ns
        first_ns, before_ns = self._rises_ns[0], self._rises_ns[-2] if len(self._rises_ns) > 1 else None
        if high_ns > PIR_INSISTS_HIGH_NS or (
            len(self._rises_ns) == PIR_INSISTS and self._rise_ns - first_ns <= PIR_INSISTS_NS
        ):
            return 2.0
        again = before_ns is not None and self._rise_ns - before_ns <= PIR_AGAIN_NS
        return 1.0 if again or high_ns > PIR_LONG_NS else 0.5


class RoomFusion:
    """Inputs in the order of time, verdicts out of `advance`.

    Each input is to be fed again at times although it did not change: what was not heard for `silent_ns` is silent.
    Where nothing that sees people is heard, or nobody is seen but something fitted is silent, the room is unknown:
    only sensors that work can tell that nobody is there.
    """

    def __init__(self, settings: RoomSettings, now_ns: int) -> None:
        self._settings = settings
        self._now_ns = self._judged_ns = now_ns
        self._pir = Pir(settings.pir_hold_ns, now_ns + settings.pir_warm_up_ns)
        self._radar = RadarMemory(settings.radar_max_cm)
        self._door = Contact()
        self._door_ns: int | None = None
        self._listening_ns: int | None = None
        self._state: State = "unknown"
        self._changed_ns: int | None = None
        self._told: Verdict | None = None
        self._out: list[Verdict] = []

    def pir(self, t_ns: int, level: bool) -> None:
        t_ns = self._run(t_ns)
        self._pir.feed(t_ns, level)
        self._judge()

    def door(self, t_ns: int, closed: bool) -> None:
        t_ns = self._run(t_ns)
        before = self._door.closed
        self._door.feed(t_ns, closed)
        if before is not None and before != closed:
            self._door_ns = t_ns
        self._judge()

    def radar(self, t_ns: int, presence: Presence) -> None:
        t_ns = self._run(t_ns)
        sign_ns = self._pir.sign_ns(t_ns)
        witness = self._heard(self._pir.heard_ns) and sign_ns is not None and t_ns - sign_ns < PIR_WITNESS_NS
        self._radar.sees(t_ns, presence, sign_ns, pir_asked=witness, empty=witness and self._known_empty(sign_ns))
        if t_ns - self._judged_ns >= STEP_NS:
            self._judge()

    def advance(self, now_ns: int) -> list[Verdict]:
        """What has become known until now."""
        now_ns = self._run(now_ns)
        self._judge()
        told = self._told
        if told is None or now_ns - told.t_ns >= self._settings.heartbeat_ns:
            self._tell(changed=told is None)
        out, self._out = self._out, []
        return out

    def due_ns(self) -> int:
        """When to call `advance` at the latest, although nothing came."""
        return self._now_ns + STEP_NS

    @property
    def log_odds(self) -> float:
        """Of somebody being there; never beyond `LOG_ODDS_MAX`, so never certain."""
        return self._log_odds(sum(self._signs()))

    def _log_odds(self, signs: float) -> float:
        odds = PRIOR + signs
        if self._state != "occupied":
            odds -= self._doubts()
        return max(-LOG_ODDS_MAX, min(LOG_ODDS_MAX, odds))

    def _run(self, t_ns: int) -> int:
        """Let time pass by steps, each judged at its own time; gives back the time that it is now."""
        t_ns = max(t_ns, self._now_ns)
        step_ns = max(STEP_NS, (t_ns - self._now_ns) // STEPS_MAX)
        while t_ns - self._now_ns > step_ns:
            self._now_ns += step_ns
            self._judge()
        self._now_ns = t_ns
        self._door.advance(t_ns)
        return t_ns

    def _heard(self, heard_ns: int | None) -> bool:
        return heard_ns is not None and self._now_ns - heard_ns < self._settings.silent_ns

    def _witnesses(self) -> Iterator[bool]:
        """Of each that sees people and is fitted, whether it is heard."""
        if self._settings.pir:
            yield self._heard(self._pir.heard_ns)
        if self._settings.radar:
            yield self._heard(self._radar.heard_ns)

    def _wait_ns(self, sign_ns: int) -> int:
        """How long a sign of that time counts."""
        used_after = self._door_ns is not None and sign_ns <= self._door_ns + DOOR_TAIL_NS
        return self._settings.vacant_after_door_ns if used_after else self._settings.vacant_after_ns

    def _radar_sign_ns(self, pir_ns: int | None) -> int | None:
        """The radar's, unless it went on alone for too long after the door was used."""
        sign_ns, door_ns = self._radar.sign_ns(self._now_ns), self._door_ns
        if sign_ns is None or pir_ns is None or door_ns is None or not self._heard(self._pir.heard_ns):
            return sign_ns
        alone = pir_ns <= door_ns + DOOR_TAIL_NS and self._now_ns - pir_ns < PIR_WITNESS_NS
        return min(sign_ns, door_ns) if alone and self._now_ns - door_ns >= ALONE_NS else sign_ns

    def _signs(self) -> Iterator[float]:
        weights, now_ns = self._settings.weights, self._now_ns
        pir_ns = self._pir.sign_ns(now_ns)
        radar_ns = self._radar_sign_ns(pir_ns)
        wait_ns = self._wait_ns(max(pir_ns or 0, radar_ns or 0))
        yield weights.pir * self._pir.sureness(now_ns) * self._fresh(pir_ns, wait_ns)
        moving = self._fresh(radar_ns, wait_ns)
        yield (weights.moving + (weights.still if self._radar.still(now_ns) else 0.0)) * moving
        yield weights.door * self._fresh(self._door_ns, self._settings.vacant_after_door_ns)

    def _fresh(self, sign_ns: int | None, wait_ns: int) -> float:
        """1 for a sign of now, 0 for one as old as that or older."""
        return 0.0 if sign_ns is None else max(0.0, 1.0 - (self._now_ns - sign_ns) / wait_ns)

    def _doubts(self) -> float:
        """What speaks against somebody being in a room that was not occupied until now."""
        weights, doubts = self._settings.weights, 0.0
        if self._state == "vacant" and self._shut():
            doubts += weights.shut
        seen_ns = self._radar.sign_ns(self._now_ns)
        clear = seen_ns is None or self._now_ns - seen_ns >= CLEAR_NS
        if clear and not self._radar.still(self._now_ns) and self._heard(self._radar.heard_ns):
            doubts += weights.clear
        return doubts

    def _shut(self) -> bool:
        """Nobody can have come in of late."""
        if not self._heard(self._door.heard_ns) or not self._door.closed or self._door.chatters(self._now_ns):
            return False
        return self._door_ns is None or self._now_ns - self._door_ns >= self._settings.vacant_after_door_ns

    def _known_empty(self, pir_sign_ns: int | None) -> bool:
        if self._state != "vacant" or not self._shut() or self._changed_ns is None:
            return False
        quiet_ns = max(self._changed_ns, pir_sign_ns or 0)
        return self._now_ns - quiet_ns >= EMPTY_NS

    def _judge(self) -> None:
        self._judged_ns = self._now_ns
        state = self._due_state()
        changed_ns = self._changed_ns
        if state != self._state and (changed_ns is None or self._now_ns - changed_ns >= self._settings.dwell_ns):
            self._state, self._changed_ns = state, self._now_ns
            self._tell(changed=True)

    def _due_state(self) -> State:
        heard = list(self._witnesses())
        if not any(heard):
            self._listening_ns = None
            return "unknown"
        if self._listening_ns is None:
            self._listening_ns = self._now_ns
        signs = sum(self._signs())
        if self._state != "occupied" and self._log_odds(signs) >= OCCUPIED_AT:
            return "occupied"
        if signs > 0:
            return self._state
        if not all(heard):
            return "unknown"
        quiet_ns = self._now_ns - self._listening_ns
        return "vacant" if self._state != "unknown" or quiet_ns >= self._wait_ns(self._listening_ns) else "unknown"

    def _tell(self, *, changed: bool) -> None:
        self._told = Verdict(self._now_ns, self._state, 1 / (1 + math.exp(-self.log_odds)), changed=changed)
        self._out.append(self._told)
