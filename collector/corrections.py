"""What people correct beside the raw events, which are never changed: audits, manual counts, exclusions, re-datings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from collector.analysis.buckets import moment_ns
from firmware_cfg.load import Fleet
from firmware_cfg.times import NS_PER_S, to_rfc3339

CorrectionKind = Literal["audit", "manual", "exclusion", "redating"]
CORRECTION_KINDS: tuple[CorrectionKind, ...] = get_args(CorrectionKind)
DAY_NS = 86_400 * NS_PER_S
SPAN_NS_MAX = 366 * DAY_NS
SPREAD_NS_MAX = 31 * DAY_NS
"""Of an audit, a manual count or a re-dating."""
PERSONS_MAX = 1_000_000
SHIFT_S_MAX = 10 * 366 * 86_400

Author = Annotated[str, Field(min_length=1, max_length=100)]
Reason = Annotated[str, Field(min_length=1, max_length=500)]


@dataclass(frozen=True, slots=True)
class Correction:
    """From `start_ns` until before `end_ns`, at one entrance of a hub or (None) at all of them.

    - audit: so many persons there were, whatever the sensors say (None: nothing is said of that direction)
    - manual: so many more than the sensors saw, or fewer
    - exclusion: what sensors saw is not counted
    - redating: what `unit` dated into that time is `shift_ns` later, at any entrance
    """

    kind: CorrectionKind
    hub: str
    start_ns: int
    end_ns: int
    entrance: str | None = None
    visits: int | None = None
    exits: int | None = None
    unit: str | None = None
    shift_ns: int = 0

    @property
    def spans(self) -> list[tuple[int, int]]:
        """The stretches of time whose numbers it changes."""
        own = (self.start_ns, self.end_ns)
        return [own, (own[0] + self.shift_ns, own[1] + self.shift_ns)] if self.shift_ns else [own]

    def touches(self, start_ns: int, end_ns: int) -> bool:
        return any(first < end_ns and last > start_ns for first, last in self.spans)

    def at(self, entrance: str | None) -> bool:
        """Whether it is about that entrance."""
        return self.entrance is None or self.entrance == entrance

    def contradicts(self, other: Correction) -> bool:
        """Two audits of the same persons, or two re-datings of the same events."""
        if self.kind != other.kind or self.hub != other.hub:
            return False
        if self.start_ns >= other.end_ns or other.start_ns >= self.end_ns:
            return False
        if self.kind == "audit":
            return self.entrance is None or other.at(self.entrance)
        return self.kind == "redating" and self.unit == other.unit


@dataclass(frozen=True, slots=True)
class Version:
    """An entry in the book of corrections: a correction, or (`undoes`) the taking back of an earlier one."""

    id: int
    made_ns: int
    author: str
    reason: str
    correction: Correction
    undoes: int | None = None
    undone_by: int | None = None

    @property
    def active(self) -> bool:
        return self.undoes is None and self.undone_by is None

    def __str__(self) -> str:
        return f"{self.id}: {self.correction.kind} by {self.author}: {self.reason}"


class NewCorrection(BaseModel):
    """A correction as people give it.

    `start` and `end` are local dates or RFC 3339 times; `end` is exclusive. `audit` and `manual` have `visits`, `exits`
    or both, `redating` has `unit` and `shift_s` (seconds; later is positive).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: CorrectionKind
    author: Author
    reason: Reason
    hub: Annotated[str, Field(max_length=64)]
    start: Annotated[str, Field(max_length=40)]
    end: Annotated[str, Field(max_length=40)]
    entrance: Annotated[str | None, Field(max_length=64)] = None
    visits: Annotated[int | None, Field(ge=-PERSONS_MAX, le=PERSONS_MAX)] = None
    exits: Annotated[int | None, Field(ge=-PERSONS_MAX, le=PERSONS_MAX)] = None
    unit: Annotated[str | None, Field(max_length=64)] = None
    shift_s: Annotated[int | None, Field(ge=-SHIFT_S_MAX, le=SHIFT_S_MAX)] = None

    def inside(self, fleet: Fleet) -> Correction:
        """As it is used inside. ValueError, `field: what is wrong`, where it does not fit the registry or itself."""
        hub = fleet.hubs.get(self.hub)
        if hub is None:
            raise ValueError(f"hub: {self.hub!r} is not known; known: {', '.join(sorted(fleet.hubs))}")
        names = sorted(entrance.id for entrance in hub.entrances)
        if self.entrance is not None and self.entrance not in names:
            raise ValueError(f"entrance: {self.entrance!r} is not in hub {self.hub!r}; it has: {', '.join(names)}")
        start_ns, end_ns = moment_ns(self.start, hub.zone), moment_ns(self.end, hub.zone)
        longest_ns = SPAN_NS_MAX if self.kind == "exclusion" else SPREAD_NS_MAX
        if not start_ns < end_ns <= start_ns + longest_ns:
            raise ValueError(f"end: must be after start, by at most {longest_ns // DAY_NS} days for one {self.kind}")
        self._check_numbers()
        if self.kind == "redating" and self.unit not in {stay.id for stay in hub.units}:
            raise ValueError(f"unit: {self.unit!r} was never in hub {self.hub!r}")
        if self.kind == "redating" and start_ns + self.shift_ns < 0:
            raise ValueError("shift_s: leads to before 1970")
        return Correction(
            kind=self.kind,
            hub=self.hub,
            start_ns=start_ns,
            end_ns=end_ns,
            entrance=self.entrance,
            visits=self.visits,
            exits=self.exits,
            unit=self.unit,
            shift_ns=self.shift_ns,
        )

    @property
    def shift_ns(self) -> int:
        return (self.shift_s or 0) * NS_PER_S

    def _check_numbers(self) -> None:
        counted = [number for number in (self.visits, self.exits) if number is not None]
        if (self.kind in ("audit", "manual")) != bool(counted):
            raise ValueError("visits: an audit or manual count needs visits, exits or both; others have neither")
        if self.kind == "audit" and min(counted) < 0:
            raise ValueError("visits: an audit counts whole persons, none below zero")
        if self.kind == "redating" and (self.unit is None or not self.shift_s or self.entrance is not None):
            raise ValueError("unit: a redating needs unit and shift_s other than 0, and has no entrance")
        if self.kind != "redating" and (self.unit is not None or self.shift_s is not None):
            raise ValueError("unit: only a redating has unit and shift_s")


class CorrectionVersion(BaseModel):
    """One entry of the book of corrections; `undoes` names an earlier one that it takes back."""

    id: int
    made: str
    author: str
    reason: str
    kind: CorrectionKind
    hub: str
    start: str
    end: str
    entrance: str | None
    visits: int | None
    exits: int | None
    unit: str | None
    shift_s: int | None
    undoes: int | None
    undone_by: int | None
    active: bool


def shown(version: Version) -> CorrectionVersion:
    found = version.correction
    return CorrectionVersion(
        id=version.id,
        made=to_rfc3339(version.made_ns),
        author=version.author,
        reason=version.reason,
        kind=found.kind,
        hub=found.hub,
        start=to_rfc3339(found.start_ns),
        end=to_rfc3339(found.end_ns),
        entrance=found.entrance,
        visits=found.visits,
        exits=found.exits,
        unit=found.unit,
        shift_s=found.shift_ns // NS_PER_S if found.shift_ns else None,
        undoes=version.undoes,
        undone_by=version.undone_by,
        active=version.active,
    )
