"""Persons on a floor: targets seen ten times a second become tracks, and tracks become crossings of a line.

Slots mean nothing here: a radar hands a person from one slot to another, and leaves the last coordinates of someone
gone standing in a third. What counts is where a target can have come from.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from edge.drafts import Reading, When
from firmware_cfg.times import NS_PER_S

TRACKS_MAX = 16
MOVING_LOST_NS = NS_PER_S
STANDING_LOST_NS = 60 * NS_PER_S
"""So long a track is kept that no target fits: radars lose people who stand still, and find them again."""
STANDING_MM_S = 300.0
GATE_MM = 500.0
GATE_GROWS_MM_S = 700.0
"""How far from its expected place a target may be and still be the same person, at once and while a walker is lost."""
FRAME_S, FRAME_S_MIN = 0.1, 0.05
"""Frames are dated when they are read: closer than the least, they only look it."""
OPENING_MARGIN_MM = 300.0
SPEED_OVER_NS = NS_PER_S
SURE_HITS = 10
SMOOTH_PLACE, SMOOTH_VELOCITY = 0.5, 0.2
"""How far a frame moves what is believed of a track; more, the longer the frame before it was ago."""


@dataclass(frozen=True, slots=True)
class Target:
    """One target of one frame, in the radar's coordinates. `speed_cm_s` is along the line of sight only."""

    x_mm: int
    y_mm: int
    speed_cm_s: int


@dataclass(frozen=True, slots=True)
class Line:
    """A threshold; inside is to the left of who walks from (x1, y1) to (x2, y2), on a plan with x right and y up."""

    x1_mm: float
    y1_mm: float
    x2_mm: float
    y2_mm: float

    @property
    def length_mm(self) -> float:
        return math.hypot(self.x2_mm - self.x1_mm, self.y2_mm - self.y1_mm)

    def place(self, x_mm: float, y_mm: float) -> tuple[float, float]:
        """How far along the line, from its first point, and how far from it: above 0 is inside."""
        along_x, along_y = (self.x2_mm - self.x1_mm) / self.length_mm, (self.y2_mm - self.y1_mm) / self.length_mm
        x, y = x_mm - self.x1_mm, y_mm - self.y1_mm
        return along_x * x + along_y * y, along_x * y - along_y * x


@dataclass(frozen=True, slots=True)
class Crossing:
    """Somebody went over the line, dated when they were on it; `confidence` is how well the track was seen."""

    t_ns: int
    direction: Literal["in", "out"]
    speed_m_s: float
    confidence: float

    def told(self, when: When) -> Reading:
        fields = {
            "direction": self.direction,
            "persons": 1,
            "speed_m_s": self.speed_m_s,
            "length_m": None,
            "confidence": self.confidence,
        }
        return Reading("passage", when, fields, int(self.direction == "in"), int(self.direction == "out"))


@dataclass(slots=True)
class _Track:
    t_ns: int
    x_mm: float
    y_mm: float
    seen: Target
    vx_mm_s: float = 0.0
    vy_mm_s: float = 0.0
    hits: int = 1
    frames: int = 1
    side: int = 0
    """1 inside, -1 outside, 0 not known yet: changes only `clear_mm` beyond the line."""
    distance_mm: float = 0.0
    crossed_ns: int | None = None
    """When it was last on the line, if that was within the opening."""
    trail: deque[tuple[int, float, float, int]] = field(default_factory=lambda: deque(maxlen=16))

    def expected(self, t_ns: int) -> tuple[float, float]:
        dt_s = min(t_ns - self.t_ns, MOVING_LOST_NS) / NS_PER_S
        return self.x_mm + self.vx_mm_s * dt_s, self.y_mm + self.vy_mm_s * dt_s

    def gate_mm(self, t_ns: int) -> float:
        lost_ns = t_ns - self.t_ns
        # Of two places this far apart one cannot be clear inside and the other clear outside, once a walker is lost.
        return GATE_MM + (GATE_GROWS_MM_S * lost_ns / NS_PER_S if lost_ns <= MOVING_LOST_NS else 0.0)

    @property
    def lost_after_ns(self) -> int:
        return STANDING_LOST_NS if math.hypot(self.vx_mm_s, self.vy_mm_s) < STANDING_MM_S else MOVING_LOST_NS

    def hit(self, t_ns: int, target: Target) -> None:
        """Move on to a target: a least-squares line at first, an alpha-beta filter once there is a past."""
        x, y = self.expected(t_ns)
        dt_s = max((t_ns - self.t_ns) / NS_PER_S, FRAME_S_MIN)
        self.hits += 1
        k = min(self.hits, 100)
        frames = dt_s / FRAME_S
        place = max(1 - (1 - SMOOTH_PLACE) ** frames, 2 * (2 * k - 1) / (k * (k + 1)))
        velocity = max(1 - (1 - SMOOTH_VELOCITY) ** frames, 6 / (k * (k + 1)))
        off_x, off_y = target.x_mm - x, target.y_mm - y
        self.x_mm, self.y_mm = x + place * off_x, y + place * off_y
        self.vx_mm_s += velocity * off_x / dt_s
        self.vy_mm_s += velocity * off_y / dt_s
        self.t_ns, self.seen = t_ns, target
        self.trail.append((t_ns, self.x_mm, self.y_mm, abs(target.speed_cm_s)))


class LineCounter:
    """Crossings of one line by up to a few persons at once.

    A person has crossed once they are `clear_mm` past the line and had been `clear_mm` before it: whoever sways on the
    threshold, turns back on it, or never moves is not counted. Somebody last seen walking away past it, though not
    that far, is counted when given up, with half the confidence.
    """

    def __init__(self, line: Line, clear_mm: float = 300.0) -> None:
        self._line = line
        self._clear_mm = clear_mm
        self._tracks: list[_Track] = []

    @property
    def tracks(self) -> int:
        """How many are followed, at most `TRACKS_MAX`."""
        return len(self._tracks)

    def feed(self, t_ns: int, targets: Sequence[Target]) -> list[Crossing]:
        """One frame's targets; frames come in the order of time."""
        found = self.advance(t_ns)
        for track in self._tracks:
            track.frames += track.t_ns > t_ns - MOVING_LOST_NS
        pairs = self._pair(t_ns, targets)
        for track, target in pairs:
            if target != track.seen:  # nobody alive is twice in exactly the same place: the slot is stale
                found += self._move(track, t_ns, target)
        taken = {id(target) for _, target in pairs}
        for target in targets:
            if id(target) not in taken:
                self._begin(t_ns, target)
        return found

    def advance(self, now_ns: int) -> list[Crossing]:
        """Give up whom nothing has been seen of for too long."""
        found: list[Crossing] = []
        kept: list[_Track] = []
        for track in self._tracks:
            if now_ns - track.t_ns <= track.lost_after_ns:
                kept.append(track)
            else:
                found += self._end(track)
        self._tracks = kept
        return found

    def _pair(self, t_ns: int, targets: Sequence[Target]) -> list[tuple[_Track, Target]]:
        """Which target is whose: nearest first, each once, none farther than somebody can have come."""
        reach: list[tuple[float, int, _Track, Target]] = []
        for track in self._tracks:
            x, y = track.expected(t_ns)
            gate_mm = track.gate_mm(t_ns)
            for target in targets:
                away_mm = math.hypot(target.x_mm - x, target.y_mm - y)
                if away_mm <= gate_mm:
                    reach.append((away_mm, len(reach), track, target))
        pairs: list[tuple[_Track, Target]] = []
        for _, _, track, target in sorted(reach, key=lambda item: item[:2]):
            if all(track is not other and target is not taken for other, taken in pairs):
                pairs.append((track, target))
        return pairs

    def _begin(self, t_ns: int, target: Target) -> None:
        if len(self._tracks) >= TRACKS_MAX:
            self._tracks.remove(min(self._tracks, key=lambda track: track.t_ns))
        track = _Track(t_ns, target.x_mm, target.y_mm, target)
        _, track.distance_mm = self._line.place(track.x_mm, track.y_mm)
        if abs(track.distance_mm) >= self._clear_mm:
            track.side = 1 if track.distance_mm > 0 else -1
        self._tracks.append(track)

    def _move(self, track: _Track, t_ns: int, target: Target) -> list[Crossing]:
        before_ns, before_mm = track.t_ns, track.distance_mm
        track.hit(t_ns, target)
        along_mm, now_mm = self._line.place(track.x_mm, track.y_mm)
        track.distance_mm = now_mm
        if before_mm * now_mm <= 0 and before_mm != now_mm:
            inside = -OPENING_MARGIN_MM <= along_mm <= self._line.length_mm + OPENING_MARGIN_MM
            part = before_mm / (before_mm - now_mm)
            track.crossed_ns = before_ns + round(part * (t_ns - before_ns)) if inside else None
        side = 1 if now_mm > 0 else -1
        _, seen_mm = self._line.place(target.x_mm, target.y_mm)
        if min(side * now_mm, side * seen_mm) < self._clear_mm:
            return []  # both what is believed and what was seen: belief runs ahead of who turns back
        crossed = track.side == -side
        track.side = side
        return self._crossing(track, 1.0) if crossed else []

    def _end(self, track: _Track) -> list[Crossing]:
        """Somebody is gone: past the line and walking away from it, they crossed."""
        _, leaving_mm = self._line.place(track.x_mm + track.vx_mm_s, track.y_mm + track.vy_mm_s)
        beyond_mm, away_mm = -track.side * track.distance_mm, -track.side * leaving_mm
        crossed = beyond_mm >= self._clear_mm / 2 and away_mm - beyond_mm >= STANDING_MM_S
        return self._crossing(track, 0.5) if crossed else []

    def _crossing(self, track: _Track, trust: float) -> list[Crossing]:
        if track.crossed_ns is None:
            return []
        direction: Literal["in", "out"] = "in" if track.distance_mm > 0 else "out"
        seen = track.hits / max(track.frames, track.hits)
        confidence = trust * seen * min(1.0, track.hits / SURE_HITS)
        return [Crossing(track.crossed_ns, direction, _speed_m_s(track), round(confidence, 3))]


def _speed_m_s(track: _Track) -> float:
    """How fast they came: over the ground in the last second, or along the line of sight where that was faster."""
    recent = [point for point in track.trail if point[0] >= track.t_ns - SPEED_OVER_NS]
    (first_ns, x1, y1, _), (last_ns, x2, y2, _) = recent[0], recent[-1]
    ground_mm_s = math.hypot(x2 - x1, y2 - y1) * NS_PER_S / max(last_ns - first_ns, 1)
    sight_mm_s = sorted(point[3] for point in recent)[len(recent) // 2] * 10
    return round(max(ground_mm_s if last_ns > first_ns else 0.0, sight_mm_s) / 1000, 2)
