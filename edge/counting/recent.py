"""Who passed last in one direction: company for the next.

Compiled by Cython with the types in `recent.pxd`; the same source runs uncompiled.
"""

from __future__ import annotations

from typing import Any

from cython import cast, longlong

from .search import Search

_RECENT_NS = 3_000_000_000


class Recent:
    """Of the last person one way: from when to when they were halfway between the beams, and their lag."""

    __slots__ = ("centre_ns", "end_ns", "has_wheels", "lag_s", "start_ns", "width_sd_s")

    def __init__(self) -> None:
        self.centre_ns = self.start_ns = self.end_ns = -1
        self.lag_s = self.width_sd_s = 0.0
        self.has_wheels = False

    def note(self, search: Search, place: int, origin_ns: int) -> None:
        """Take over a person from a search that counts its seconds from `origin_ns`."""
        self.centre_ns = origin_ns + cast(longlong, search.centre_s[place] * 1e9)
        self.start_ns = origin_ns + cast(longlong, search.start_s[place] * 1e9)
        self.end_ns = origin_ns + cast(longlong, search.end_s[place] * 1e9)
        self.lag_s, self.width_sd_s = search.lag_s[place], search.width_sd_s[place]
        self.has_wheels = search.has_wheels[place] != 0

    def note_clean(self, start_ns: int, end_ns: int, lag_s: float) -> None:
        """Take over a person whom both beams saw well."""
        self.start_ns, self.end_ns = start_ns, end_ns
        self.centre_ns = start_ns + (end_ns - start_ns) // 2
        self.lag_s, self.width_sd_s, self.has_wheels = lag_s, 0.0, False

    def show(self, search: Search, place: int, origin_ns: int) -> bool:
        """Put them into a place of a search; false if they passed long ago."""
        if self.lag_s == 0.0 or origin_ns - self.end_ns > _RECENT_NS:
            return False
        search.centre_s[place] = (self.centre_ns - origin_ns) * 1e-9
        search.start_s[place] = (self.start_ns - origin_ns) * 1e-9
        search.end_s[place] = (self.end_ns - origin_ns) * 1e-9
        search.lag_s[place], search.width_sd_s[place] = self.lag_s, self.width_sd_s
        search.has_wheels[place], search.has_person[place] = self.has_wheels, True
        search.group[place], search.length_m[place] = -1, 0.0
        search.follows[place] = search.abreast[place] = search.meets[place] = 0.0
        return True

    def snapshot(self) -> list[float]:
        return [self.centre_ns, self.start_ns, self.end_ns, self.lag_s, self.width_sd_s, self.has_wheels]

    def restore(self, state: list[Any]) -> None:
        """Take over what `snapshot` gave; raises TypeError or ValueError where it is something else."""
        self.centre_ns, self.start_ns, self.end_ns, self.lag_s, self.width_sd_s, self.has_wheels = state
