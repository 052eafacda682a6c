"""Integer nanoseconds inside, RFC 3339 towards people and browsers."""

from __future__ import annotations

import re
from datetime import UTC, datetime

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000

_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)")


def to_rfc3339(t_ns: int) -> str:
    """UTC time of `t_ns` (ns since 1970) with as many decimals as it needs, up to nine, ending in `Z`."""
    seconds, ns = divmod(t_ns, NS_PER_S)
    whole = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{ns:09d}".rstrip("0").rstrip(".") + "Z"


def from_rfc3339(text: str) -> int:
    """Nanoseconds since 1970 of an RFC 3339 time; raises ValueError where an offset or a digit is missing."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not an RFC 3339 time such as 2026-03-02T09:00:00Z")
    whole, fraction, offset = match.groups()
    moment = datetime.fromisoformat(whole.upper().replace(" ", "T") + offset.upper().replace("Z", "+00:00"))
    return int(moment.timestamp()) * NS_PER_S + int((fraction or "").ljust(9, "0"))
