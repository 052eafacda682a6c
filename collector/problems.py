"""How a question is refused: what is wrong, where in it, and how to mend it."""

from __future__ import annotations

from datetime import date
from typing import NoReturn

from fastapi import HTTPException
from pydantic import BaseModel

from collector.analysis.buckets import midnight_ns
from firmware_cfg.load import Fleet
from firmware_cfg.schema import Hub
from firmware_cfg.times import from_rfc3339

LATEST_NS = 4_102_444_800 * 1_000_000_000  # 2100


class Problem(BaseModel):
    """What is wrong, where in the request, and how to mend it."""

    what: str
    where: str
    mend: str


class ProblemAnswer(BaseModel):
    detail: Problem


def refuse(status: int, what: str, where: str, mend: str) -> NoReturn:
    raise HTTPException(status, Problem(what=what, where=where, mend=mend).model_dump())


def known_hub(fleet: Fleet, hub: str, where: str) -> Hub:
    if hub not in fleet.hubs:
        refuse(404, f"hub {hub[:64]!r} is not known", where, f"use one of: {', '.join(sorted(fleet.hubs))}")
    return fleet.hubs[hub]


def moment_ns(text: str, where: str, hub: Hub) -> int:
    """A local date's first moment, or an RFC 3339 time."""
    try:
        t_ns = midnight_ns(date.fromisoformat(text), hub.zone) if len(text) == len("2026-03-29") else from_rfc3339(text)
    except (ValueError, OverflowError):
        t_ns = -1
    if not 0 <= t_ns <= LATEST_NS:
        refuse(
            400,
            f"{text!r} is neither a local date nor an RFC 3339 time between 1970 and 2100",
            where,
            "write 2026-03-29 or 2026-03-29T09:00:00+01:00, with + as %2B",
        )
    return t_ns
