"""How a question is refused: what is wrong, where in it, and how to mend it."""

from __future__ import annotations

from typing import NoReturn

from fastapi import HTTPException
from pydantic import BaseModel

from collector.analysis import buckets
from firmware_cfg.load import Fleet
from firmware_cfg.schema import Hub


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
        return buckets.moment_ns(text, hub.zone)
    except ValueError as error:
        refuse(400, str(error), where, "write 2026-03-29 or 2026-03-29T09:00:00+01:00, with + as %2B")
