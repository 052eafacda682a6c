"""Corrections over HTTP: the book of them, a new one, and taking one back.

Annotations are read as they stand here, since FastAPI must see the dependencies made below.
"""

import ipaddress
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from collector.corrections import Author, CorrectionVersion, NewCorrection, Reason, shown
from collector.ledger import CorrectionRefused
from collector.problems import ProblemAnswer, known_hub, refuse
from collector.service import Collector
from collector.store.base import StoreUnavailable

TOKEN_VARIABLE = "FOYER_WRITE_TOKEN"  # noqa: S105 - the name of a variable
_PROXIED = ("forwarded", "x-forwarded-for", "x-real-ip")
_MEND = f"set {TOKEN_VARIABLE} where the collector runs and send it as Authorization: Bearer …"


def may_write(request: Request) -> None:
    """Refuse who may not: without the token, where there is one; else from elsewhere than this machine."""
    token = os.environ.get(TOKEN_VARIABLE, "")
    if token:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not secrets.compare_digest(given.encode(), token.encode()):
            refuse(401, "the token is missing or wrong", "Authorization", _MEND)
        return
    host = request.client.host if request.client else ""
    if not _is_loopback(host) or any(name in request.headers for name in _PROXIED):
        refuse(403, "changes are taken from this machine only", "client", _MEND)
    if not _is_loopback(request.url.hostname or "") or request.headers.get("sec-fetch-site") == "cross-site":
        refuse(403, "changes are not taken from other sites' pages", "Host", _MEND)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except CorrectionRefused as error:
        refuse(409, str(error), "corrections", "GET /api/v1/corrections lists those that hold")
    except StoreUnavailable as error:
        refuse(503, str(error), "ledger", "see that --state can be written; /healthz says when it can")
    except ValueError as error:
        where, _, what = str(error).partition(": ")
        refuse(400, what or where, where if what else "body", "see /openapi.json for what each kind needs")


def add_corrections(router: APIRouter, collector: Collector) -> None:
    problems: dict[int | str, dict[str, Any]] = {
        code: {"model": ProblemAnswer} for code in (400, 401, 403, 404, 409, 503)
    }

    @router.get("/api/v1/corrections", tags=["corrections"], responses=problems)
    def list_corrections(hub: Annotated[str | None, Query(max_length=64)] = None) -> list[CorrectionVersion]:
        """Every entry of the book, of one hub or of all, as it was made: also what was taken back, and by whom."""
        if hub is not None:
            known_hub(collector.fleet, hub, "hub")
        with _refusals():
            return [shown(version) for version in collector.ledger.corrections.versions(hub)]

    @router.post(
        "/api/v1/corrections",
        tags=["corrections"],
        status_code=201,
        responses=problems,
        dependencies=[Depends(may_write)],
    )
    def add_correction(new: NewCorrection) -> CorrectionVersion:
        """Make a correction. Raw events stay as they are; answers apply it from now on."""
        with _refusals():
            inside = new.inside(collector.fleet)
            return shown(collector.ledger.corrections.add(inside, new.author, new.reason, collector.wall_ns()))

    @router.delete(
        "/api/v1/corrections/{number}", tags=["corrections"], responses=problems, dependencies=[Depends(may_write)]
    )
    def undo_correction(
        number: int, author: Annotated[Author, Query()], reason: Annotated[Reason, Query()]
    ) -> CorrectionVersion:
        """Take a correction back; that is an entry of its own, and nothing is deleted."""
        with _refusals():
            return shown(collector.ledger.corrections.undo(number, author, reason, collector.wall_ns()))
