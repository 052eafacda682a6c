"""What corrections change of what the sensors counted, per quarter of an hour. Raw events stay as they are.

Whatever the order in which corrections were made, they work in this order: re-datings move events; exclusions take
events out, by their new times; audits set what is left of their span; manual counts are added.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from collector.analysis.counts import Sum, split
from collector.corrections import Correction, Version
from collector.ranges import joined
from collector.store.base import QUARTER_NS, Count, Store
from firmware_cfg.wire import Counter, Event, Kind, Passage

_PAGE = 5_000
_COUNTED: tuple[Kind, ...] = ("passage", "counter")

Key = tuple[int, str, str, str | None]
"""Quarter, unit, sensor, entrance."""


@dataclass(slots=True)
class Change:
    """What is to be added to the visits and exits of a quarter of an hour."""

    visits: Sum = field(default_factory=Sum)
    exits: Sum = field(default_factory=Sum)


@dataclass(frozen=True, slots=True)
class _Dated:
    """A counted event at the time that holds after re-dating."""

    t_ns: int
    key: Key
    count: Count


def changes(store: Store, hub: str, active: Iterable[Version], start_ns: int, end_ns: int) -> dict[int, Change]:
    """The change of each quarter from `start_ns` until before `end_ns`; those without one are left out.

    Raises StoreUnavailable.
    """
    chosen = [version.correction for version in touching(active, start_ns, end_ns)]
    if not chosen:
        return {}
    found = _Net(store, hub, chosen).changes()
    return {t_ns: change for t_ns, change in found.items() if start_ns <= t_ns < end_ns}


def touching(active: Iterable[Version], start_ns: int, end_ns: int) -> list[Version]:
    """Those that change something in that stretch, and those that change what these depend on, and so on."""
    left = list(active)
    chosen: list[Version] = []
    spans = [(start_ns, end_ns)]
    while spans:
        reached = [each for each in left if any(each.correction.touches(*_whole(*span)) for span in spans)]
        left = [each for each in left if each not in reached]
        chosen += reached
        spans = [span for each in reached for span in each.correction.spans]
    return chosen


def spread(amount: int, weights: Sequence[int]) -> list[int]:
    """Whole numbers in proportion to the weights, evenly where all are 0, that sum up to the amount.

    None takes more than its weight away, where the amount takes away no more than all weights together.
    """
    weights = weights if any(weights) else [1] * len(weights)
    total, before, parts = sum(weights), 0, []
    for weight in weights:
        after = before + weight
        parts.append(amount * after // total - amount * before // total)
        before = after
    return parts


class _Net:
    """What is counted at a hub after corrections."""

    def __init__(self, store: Store, hub: str, chosen: Sequence[Correction]) -> None:
        self._store = store
        self._hub = hub
        self._redatings = [each for each in chosen if each.kind == "redating"]
        self._exclusions = [each for each in chosen if each.kind == "exclusion"]
        self._audits = [each for each in chosen if each.kind == "audit"]
        self._manual = [each for each in chosen if each.kind == "manual"]
        self._gross: dict[Key, Count] = {
            (found.t_ns, found.unit, found.sensor, found.entrance): found.count
            for span in joined(_whole(*span) for each in chosen for span in each.spans)
            for found in store.counts_15m(hub, *span)
        }
        self._net = {key: _sum([count]) for key, count in self._gross.items()}
        self._moved: dict[int, list[_Dated]] = defaultdict(list)
        self._dated: dict[int, list[_Dated]] = {}

    def changes(self) -> dict[int, Change]:
        self._redate()
        self._exclude()
        found: dict[int, Change] = defaultdict(Change)
        for key in self._net.keys() | self._gross.keys():
            change = found[key[0]]
            for whole, sign in ((self._net, 1), (self._gross, -1)):
                for into, part in zip((change.visits, change.exits), _split(key, whole.get(key)), strict=True):
                    into.value += sign * part.value
                    into.variance += sign * part.variance
        self._audit(found)
        self._add_manual(found)
        return found

    def _redate(self) -> None:
        for each in self._redatings:
            for t_ns, unit, event in _events(self._store, self._hub, each.start_ns, each.end_ns):
                if unit != each.unit:
                    continue
                count = _count(event)
                place = (unit, event.sensor, event.entrance)
                _add(self._net.setdefault((_quarter(t_ns), *place), Count()), count, -1)
                new_ns = t_ns + each.shift_ns
                key = (_quarter(new_ns), *place)
                _add(self._net.setdefault(key, Count()), count, 1)
                self._moved[key[0]].append(_Dated(new_ns, key, count))

    def _exclude(self) -> None:
        partial = {quarter for each in self._exclusions for quarter in _cut(each)}
        for key in [key for key in self._net if key[0] in partial]:
            self._net[key] = _sum(dated.count for dated in self._in(key[0]) if dated.key == key)
        for key in self._net:
            if key[0] not in partial and any(_covers(each, key) for each in self._exclusions):
                self._net[key] = Count()

    def _in(self, quarter: int) -> list[_Dated]:
        """The events of a quarter, re-dated, without what is excluded."""
        if quarter not in self._dated:
            dated = list(self._moved[quarter])
            for t_ns, unit, event in _events(self._store, self._hub, quarter, quarter + QUARTER_NS):
                if not any(each.unit == unit and each.start_ns <= t_ns < each.end_ns for each in self._redatings):
                    dated.append(_Dated(t_ns, (quarter, unit, event.sensor, event.entrance), _count(event)))
            self._dated[quarter] = [
                each for each in dated if not any(_holds(out, each.t_ns, each.key[3]) for out in self._exclusions)
            ]
        return self._dated[quarter]

    def _audit(self, found: dict[int, Change]) -> None:
        net: dict[int, dict[Key, Count]] = defaultdict(dict)
        for key, count in self._net.items():
            net[key[0]][key] = count
        for each in self._audits:
            quarters = list(_quarters(each))
            seen = [self._within(each, quarter, net.get(quarter, {})) for quarter in quarters]
            for counted, way in ((each.visits, 0), (each.exits, 1)):
                if counted is None:
                    continue
                weights = [sums[way].value for sums in seen]
                for quarter, sums, part in zip(quarters, seen, spread(counted - sum(weights), weights), strict=True):
                    change = (found[quarter].visits, found[quarter].exits)[way]
                    change.value += part
                    change.variance -= sums[way].variance  # it was counted, not estimated

    def _within(self, audit: Correction, quarter: int, net: Mapping[Key, Count]) -> tuple[Sum, Sum]:
        """Visits and exits of a quarter as far as they lie in the audit's span; `net` is what exclusions left of it."""
        counts: dict[Key, Count]
        if quarter in _cut(audit):
            counts = defaultdict(Count)
            for dated in self._in(quarter):
                if _holds(audit, dated.t_ns, dated.key[3]):
                    _add(counts[dated.key], dated.count, 1)
        else:
            counts = {key: count for key, count in net.items() if audit.at(key[3])}
        visits, exits = Sum(), Sum()
        for key, count in counts.items():
            for whole, part in zip((visits, exits), _split(key, count), strict=True):
                whole.add(part)
        return visits, exits

    def _add_manual(self, found: dict[int, Change]) -> None:
        for each in self._manual:
            quarters = list(_quarters(each))
            even = [0] * len(quarters)
            for quarter, visits, exits in zip(
                quarters, spread(each.visits or 0, even), spread(each.exits or 0, even), strict=True
            ):
                found[quarter].visits.value += visits
                found[quarter].exits.value += exits


def _events(store: Store, hub: str, start_ns: int, end_ns: int) -> Iterator[tuple[int, str, Passage | Counter]]:
    """What counting sensors saw: time, unit, event."""
    for kind in _COUNTED:
        next_ns = start_ns
        while True:
            page = store.events(kind, hub, next_ns, end_ns, limit=_PAGE)
            full = len(page) == _PAGE
            if full and page[0].event.t_ns != page[-1].event.t_ns:  # the last moment may go on in the next page
                page = [stored for stored in page if stored.event.t_ns < page[-1].event.t_ns]
            for stored in page:
                event = _counting(stored.event)
                if event is not None:
                    yield event.t_ns, stored.unit, event
            if not full:
                break
            next_ns = page[-1].event.t_ns + 1


def _counting(event: Event) -> Passage | Counter | None:
    return event if isinstance(event, Passage | Counter) and event.role == "counting" else None


def _count(event: Passage | Counter) -> Count:
    if isinstance(event, Counter):
        return Count(event.in_, event.out, events=1)
    persons = event.persons
    variance = persons * persons * event.confidence * (1 - event.confidence)
    return Count(
        persons if event.direction == "in" else 0,
        persons if event.direction == "out" else 0,
        persons if event.direction == "unknown" else 0,
        variance if event.direction == "in" else 0.0,
        variance if event.direction == "out" else 0.0,
        1,
    )


def _add(into: Count, count: Count, sign: int) -> None:
    into.in_ += sign * count.in_
    into.out += sign * count.out
    into.unknown += sign * count.unknown
    into.variance_in += sign * count.variance_in
    into.variance_out += sign * count.variance_out
    into.events += sign * count.events


def _sum(counts: Iterable[Count]) -> Count:
    whole = Count()
    for count in counts:
        _add(whole, count, 1)
    return whole


def _split(key: Key, count: Count | None) -> tuple[Sum, Sum]:
    return split(key[0], count) if count is not None else (Sum(), Sum())


def _quarter(t_ns: int) -> int:
    return t_ns // QUARTER_NS * QUARTER_NS


def _whole(start_ns: int, end_ns: int) -> tuple[int, int]:
    """Widened to whole quarters."""
    return _quarter(start_ns), -(-end_ns // QUARTER_NS) * QUARTER_NS


def _quarters(each: Correction) -> range:
    return range(*_whole(each.start_ns, each.end_ns), QUARTER_NS)


def _cut(each: Correction) -> set[int]:
    """Quarters of which only a part is in its span."""
    return {_quarter(end_ns) for end_ns in (each.start_ns, each.end_ns) if end_ns % QUARTER_NS}


def _covers(each: Correction, key: Key) -> bool:
    return each.start_ns <= key[0] and key[0] + QUARTER_NS <= each.end_ns and each.at(key[3])


def _holds(each: Correction, t_ns: int, entrance: str | None) -> bool:
    return each.start_ns <= t_ns < each.end_ns and each.at(entrance)
