"""What a hub's corrections make of totals, whichever question they are asked by: one day has one number."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from collector.analysis import overlay
from collector.analysis.counts import Sum
from collector.answers import Total
from collector.corrections import Version
from collector.store.base import ALL_HUBS, Grain, Rollup, Store

_UNKNOWN = {"value": None, "low": None, "high": None}


@dataclass(frozen=True, slots=True)
class Way:
    """What is added to the persons one way, and whether anything is known of them then."""

    change: Sum
    known: bool

    def net(self, counted: Sum) -> Sum:
        return Sum(counted.value + self.change.value, max(0.0, counted.variance + self.change.variance))

    def total(self, gross: Total, counted: Sum, corrections: list[int]) -> Total:
        """The net total; `counted` is the sum that `gross` shows."""
        net = self.net(counted).total(gross.completeness) if self.known else gross.model_copy(update=_UNKNOWN)
        said = {"gross": gross.value, "correction": self.change.value, "corrections": corrections}
        return net.model_copy(update=said)


@dataclass(frozen=True, slots=True)
class Amendment:
    """What corrections (their numbers) make of a stretch of time.

    What is excluded as a whole is a gap; what was counted by hand is none, whether or not a sensor watched.
    """

    visits: Way
    exits: Way
    corrections: list[int]

    def totals(self, gross: tuple[Total, Total], visits: Sum, exits: Sum) -> tuple[Total, Total]:
        """The net ones; `visits` and `exits` are the sums that `gross` shows."""
        return (
            self.visits.total(gross[0], visits, self.corrections),
            self.exits.total(gross[1], exits, self.corrections),
        )


class Amended:
    """One hub's corrections from `start_ns` until before `end_ns`, worked out once. Raises StoreUnavailable.

    Two are equal that change the same.
    """

    def __init__(self, store: Store, hub: str, active: Iterable[Version], start_ns: int, end_ns: int) -> None:
        self.start_ns, self.end_ns = start_ns, end_ns
        own = [version for version in active if version.correction.hub == hub]
        self.active = [version for version in own if version.correction.touches(start_ns, end_ns)]
        self.changes = sorted(overlay.changes(store, hub, own, start_ns, end_ns).items())
        self._times = [t_ns for t_ns, _ in self.changes]

    def __call__(self, start_ns: int, end_ns: int, *, watched: bool) -> Amendment:
        """Of a stretch within, of which the sensors know something (`watched`) or not."""
        found = [version for version in self.active if version.correction.touches(start_ns, end_ns)]
        visits, exits = Sum(), Sum()
        for _, change in self.changes[bisect_left(self._times, start_ns) : bisect_left(self._times, end_ns)]:
            visits.add(change.visits)
            exits.add(change.exits)
        excluded = self._all_excluded(start_ns, end_ns)

        def way(change: Sum, by_hand: Iterable[int | None]) -> Way:
            counted = any(number is not None for number in by_hand)
            return Way(change, counted or (not excluded and (watched or change.value != 0)))

        said = [version.correction for version in found]
        return Amendment(
            way(visits, [each.visits for each in said]),
            way(exits, [each.exits for each in said]),
            [version.id for version in found],
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Amended):
            return NotImplemented
        mine, its = ((each.start_ns, each.end_ns, each.active, each.changes) for each in (self, other))
        return mine == its

    __hash__ = None  # type: ignore[assignment]  # it is no key of anything

    def _all_excluded(self, start_ns: int, end_ns: int) -> bool:
        return any(
            each.kind == "exclusion" and each.entrance is None and each.start_ns <= start_ns and end_ns <= each.end_ns
            for each in (version.correction for version in self.active)
        )

    def buckets(self, bounds: Sequence[int]) -> Iterator[int]:
        """Which of the stretches that `bounds` divide it touches: the index of each, some of them more than once."""
        for version in self.active:
            for first_ns, last_ns in version.correction.spans:
                low = max(0, bisect_right(bounds, first_ns) - 1)
                yield from range(low, min(len(bounds) - 1, bisect_left(bounds, last_ns)))


@dataclass(frozen=True, slots=True)
class Amendments:
    """By the start of each bucket that a correction touches; `lineage` says by whom and why."""

    by_start: Mapping[int, Amendment]
    lineage: list[str]


def by_hub(store: Store, active: Iterable[Version], bounds: Sequence[int]) -> dict[str, Amended]:
    """Each hub of which something between the first and the last of `bounds` is corrected. Raises StoreUnavailable."""
    chosen = list(active)
    hubs = sorted({version.correction.hub for version in chosen})
    found = ((hub, Amended(store, hub, chosen, bounds[0], bounds[-1])) for hub in hubs)
    return {hub: amended for hub, amended in found if amended.active}


def of_rollups(
    store: Store,
    grain: Grain,
    place: str,
    rollups: Iterable[Rollup],
    bounds: Sequence[int],
    amended: Mapping[str, Amended],
) -> Amendments:
    """What corrections make of the rollups of a hub, or of ALL_HUBS, in the buckets that `bounds` divide.

    Raises StoreUnavailable.
    """
    watched = {rollup.t_ns: rollup.minutes for rollup in rollups}
    parts: dict[int, list[tuple[Amendment, int]]] = defaultdict(list)
    lineage: list[Version] = []
    for hub, own in amended.items():
        if place not in (ALL_HUBS, hub):
            continue
        lineage += own.active
        touched = sorted(set(own.buckets(bounds)))
        minutes = watched
        if place == ALL_HUBS:
            span = bounds[touched[0]], bounds[touched[-1] + 1]
            minutes = {rollup.t_ns: rollup.minutes for rollup in store.rollups(grain, *span, hub)}
        for index in touched:
            start_ns = bounds[index]
            known = minutes.get(start_ns, 0)
            parts[start_ns].append((own(start_ns, bounds[index + 1], watched=known > 0), known))
    return Amendments(
        {start_ns: _together(watched.get(start_ns, 0), found) for start_ns, found in sorted(parts.items())},
        [str(version) for version in sorted(lineage, key=lambda version: version.id)],
    )


def _together(minutes: int, parts: Sequence[tuple[Amendment, int]]) -> Amendment:
    """Of several hubs; those of which nothing is corrected count by their minutes, which are the rest."""
    others = minutes > sum(own for _, own in parts)

    def way(ways: Sequence[Way]) -> Way:
        change = Sum()
        for each in ways:
            change.add(each.change)
        return Way(change, others or any(each.known for each in ways))

    return Amendment(
        way([part.visits for part, _ in parts]),
        way([part.exits for part, _ in parts]),
        sorted(number for part, _ in parts for number in part.corrections),
    )
