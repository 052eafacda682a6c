"""Sets of numbers, kept as the few ranges they fall into."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

RANGES_MAX = 10_000


class RangeSet:
    """A set of integers as sorted, disjoint, non-touching inclusive ranges.

    Holds at most `RANGES_MAX` ranges: beyond, the lowest hole is closed and counted in `holes_forgotten`.
    """

    __slots__ = ("_firsts", "_lasts", "holes_forgotten")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        self.holes_forgotten = 0
        for first, last in ranges:
            self.add(first, last)

    def add(self, first: int, last: int | None = None) -> bool:
        """Put `first`..`last` in; True where at least one of them was not in before. Raises ValueError if backwards."""
        last = first if last is None else last
        if last < first:
            raise ValueError(f"range {first}..{last} runs backwards")
        if self._lasts and self._lasts[-1] + 1 == first:  # the next number, as nearly always
            self._lasts[-1] = last
            return True
        low = bisect_left(self._lasts, first - 1)
        high = bisect_right(self._firsts, last + 1)
        if high - low == 1 and self._firsts[low] <= first and last <= self._lasts[low]:
            return False
        if low < high:
            first = min(first, self._firsts[low])
            last = max(last, self._lasts[high - 1])
        self._firsts[low:high] = [first]
        self._lasts[low:high] = [last]
        if len(self._firsts) > RANGES_MAX:
            del self._firsts[1], self._lasts[0]
            self.holes_forgotten += 1
        return True

    def add_new(self, first: int, last: int) -> bool:
        """Put `first`..`last` in where none of them was in before; False, and nothing is changed, where one was."""
        at = bisect_right(self._firsts, last)
        return not (at and self._lasts[at - 1] >= first) and self.add(first, last)

    def remove(self, first: int, last: int) -> bool:
        """Take `first`..`last` out; True where at least one of them was in."""
        before = list(self)
        pieces = [piece for low, high in before for piece in ((low, min(high, first - 1)), (max(low, last + 1), high))]
        pieces = [(low, high) for low, high in pieces if low <= high]
        self._firsts = [low for low, _ in pieces]
        self._lasts = [high for _, high in pieces]
        return pieces != before

    def __contains__(self, number: int) -> bool:
        index = bisect_right(self._firsts, number) - 1
        return index >= 0 and number <= self._lasts[index]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._firsts, self._lasts, strict=True)

    def __len__(self) -> int:
        """How many numbers are in the set, not how many ranges."""
        return sum(self._lasts) - sum(self._firsts) + len(self._firsts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RangeSet) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # mutable, as a set is

    def holes(self, start: int = 1) -> list[tuple[int, int]]:
        """The ranges missing between `start` and the highest number."""
        missing = []
        expected = start
        for first, last in self:
            if first > expected:
                missing.append((expected, first - 1))
            expected = max(expected, last + 1)
        return missing


def joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans from one number until before another, such as times: the same in order, and none of it twice."""
    found: list[tuple[int, int]] = []
    for first, end in sorted(spans):
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((first, end))
    return found


def consecutive(numbers: list[int]) -> bool:
    """Whether each is one more than the one before; whoever sent them may have left any gap."""
    return numbers == list(range(numbers[0], numbers[0] + len(numbers)))
