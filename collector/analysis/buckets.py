"""Stretches of local time: days of 23, 24 or 25 hours, weeks from Monday."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from collector.answers import Bucket
from collector.store.base import QUARTER_NS
from firmware_cfg.times import NS_PER_S, from_rfc3339

LATEST_NS = 4_102_444_800 * NS_PER_S  # 2100
QUARTER_S = QUARTER_NS // NS_PER_S


def midnight_ns(day: date, zone: ZoneInfo) -> int:
    """The first moment of a local day."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * NS_PER_S


def local_date(t_ns: int, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(t_ns // NS_PER_S, zone).date()


def local_day(t_ns: int, zone: ZoneInfo) -> tuple[int, int]:
    """Start and end of the local day that `t_ns` is in."""
    day = local_date(t_ns, zone)
    return midnight_ns(day, zone), midnight_ns(day + timedelta(days=1), zone)


def moment_ns(text: str, zone: ZoneInfo) -> int:
    """A local date's first moment, or an RFC 3339 time; ValueError where it is neither, or not from 1970 to 2100."""
    try:
        t_ns = midnight_ns(date.fromisoformat(text), zone) if len(text) == len("2026-03-29") else from_rfc3339(text)
    except (ValueError, OverflowError):
        t_ns = -1
    if not 0 <= t_ns <= LATEST_NS:
        raise ValueError(f"{text!r} is neither a local date nor an RFC 3339 time between 1970 and 2100")
    return t_ns


def local_rfc3339(t_ns: int, zone: ZoneInfo) -> str:
    """To the second, with the local offset: `2026-03-29T00:00:00+00:00`."""
    return datetime.fromtimestamp(t_ns // NS_PER_S, zone).isoformat()


def floor(t_ns: int, bucket: Bucket, zone: ZoneInfo) -> int:
    """The start of the bucket that `t_ns` is in. Offsets from UTC are multiples of 15 minutes everywhere today."""
    if bucket == "15m":
        return t_ns // QUARTER_NS * QUARTER_NS
    if bucket == "1h":
        quarter_ns = t_ns // QUARTER_NS * QUARTER_NS
        return quarter_ns - datetime.fromtimestamp(quarter_ns // NS_PER_S, zone).minute * 60 * NS_PER_S
    day = local_date(t_ns, zone)
    return midnight_ns(day - timedelta(days=day.weekday() if bucket == "1w" else 0), zone)


def edges(start_ns: int, end_ns: int, bucket: Bucket, zone: ZoneInfo, limit: int) -> list[int]:
    """Starts of the buckets that touch `start_ns`..`end_ns`, and the end of the last. ValueError beyond `limit`."""
    step: dict[Bucket, Callable[[int], int]] = {
        "15m": lambda t_ns: t_ns + QUARTER_NS,
        "1h": lambda t_ns: _next_hour(t_ns, zone),
        "1d": lambda t_ns: midnight_ns(local_date(t_ns, zone) + timedelta(days=1), zone),
        "1w": lambda t_ns: midnight_ns(local_date(t_ns, zone) + timedelta(days=7), zone),
    }
    found = [floor(start_ns, bucket, zone)]
    while found[-1] < end_ns:
        if len(found) > limit:
            raise ValueError(f"more than {limit} buckets of {bucket}")
        found.append(step[bucket](found[-1]))
    return found


def _next_hour(t_ns: int, zone: ZoneInfo) -> int:
    after_s = t_ns // NS_PER_S + 4 * QUARTER_S
    if not datetime.fromtimestamp(after_s, zone).minute:
        return after_s * NS_PER_S
    next_s = t_ns // NS_PER_S + QUARTER_S
    while datetime.fromtimestamp(next_s, zone).minute:
        next_s += QUARTER_S
    return next_s * NS_PER_S
