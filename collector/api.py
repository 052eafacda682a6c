"""The HTTP interface: JSON answers, and a stream of what changes.

Annotations are read as they stand here, since a route's dependency is made inside `_add_stream`.
"""

from collections.abc import AsyncIterator
from datetime import date
from typing import Annotated, NoReturn

from anyio import BrokenResourceError
from fastapi import APIRouter, Depends, HTTPException, Query, Response
from fastapi.responses import JSONResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel

from collector.analysis.buckets import midnight_ns
from collector.analysis.footfall import BUCKETS_MAX, footfall
from collector.answers import Bucket, Footfall, HubSummary, Live, Place
from collector.ledger import KeptLetter
from collector.live import Listener
from collector.service import Collector
from collector.store.base import StoreUnavailable
from firmware_cfg.schema import Hub
from firmware_cfg.times import from_rfc3339, to_rfc3339

_PAYLOAD_SHOWN_BYTES = 16 * 1024
_LATEST_NS = 4_102_444_800 * 1_000_000_000  # 2100


class Problem(BaseModel):
    """What is wrong, where in the request, and how to mend it."""

    what: str
    where: str
    mend: str


class ProblemAnswer(BaseModel):
    detail: Problem


class Condition(BaseModel):
    """`reasons` names each part that does not work, with a sentence; `dead_letters` counts them by code, ever."""

    ok: bool
    reasons: dict[str, str]
    dead_letters: dict[str, int]


class DeadLetterKept(BaseModel):
    """What could not be stored, and why. `payload` is the beginning of its `bytes`, as text."""

    t: str
    topic: str
    code: str
    reason: str
    unit: str | None
    epoch: str | None
    seqs: list[int]
    payload: str
    bytes: int


class DeadLetters(BaseModel):
    """`counts` has all there have ever been, by code; `letters` the newest, first the last one."""

    counts: dict[str, int]
    letters: list[DeadLetterKept]


def _refuse(status: int, what: str, where: str, mend: str) -> NoReturn:
    raise HTTPException(status, Problem(what=what, where=where, mend=mend).model_dump())


HubName = Annotated[str, Query(description="The hub's id, as in /api/v1/hubs", max_length=64)]
Moment = Annotated[
    str, Query(description="A local date (2026-03-29, its first moment) or an RFC 3339 time with offset", max_length=40)
]


def create_api(collector: Collector) -> APIRouter:
    """Every route below `/api/v1`, and `/healthz`."""
    router = APIRouter()
    for add in (_add_hubs, _add_stream, _add_footfall, _add_operation):
        add(router, collector)
    return router


def _add_hubs(router: APIRouter, collector: Collector) -> None:
    hubs = collector.fleet.hubs

    @router.get("/api/v1/hubs", tags=["hubs"])
    async def list_hubs() -> list[HubSummary]:
        """Every hub of the registry, by id."""
        return [_summary(hubs[name], collector.wall_ns()) for name in sorted(hubs)]

    @router.get("/api/v1/hubs/{hub}/live", tags=["live"], responses={404: {"model": ProblemAnswer}})
    async def live(hub: str) -> Live:
        """One hub now: people inside, visits today, last passages, rooms, cabinet, units and their faults."""
        _known(collector, hub, "path")
        return collector.live.snapshot(hub)


def _add_stream(router: APIRouter, collector: Collector) -> None:
    async def listening() -> AsyncIterator[Listener]:
        """Before the answer begins, so that it can still be a refusal."""
        try:
            listener = collector.live.listen()
        except OverflowError as error:
            _refuse(503, str(error), "stream", "close other windows, or ask /api/v1/hubs/{hub}/live now and then")
        try:
            yield listener
        except* BrokenResourceError:
            pass  # the browser went while FastAPI still held an event for it
        finally:
            collector.live.forget(listener)

    @router.get(
        "/api/v1/stream", tags=["live"], response_class=EventSourceResponse, responses={503: {"model": ProblemAnswer}}
    )
    async def stream(listener: Annotated[Listener, Depends(listening)]) -> AsyncIterator[ServerSentEvent]:
        """Server-sent events named `live`: one for every hub at once, then one whenever a hub changes.

        Each `data` is what `/api/v1/hubs/{hub}/live` answers. Comments keep the connection open.
        """
        async for answer in listener:
            yield ServerSentEvent(event="live", data=answer)


def _add_footfall(router: APIRouter, collector: Collector) -> None:
    @router.get(
        "/api/v1/footfall",
        tags=["history"],
        responses={code: {"model": ProblemAnswer} for code in (400, 404, 503)},
    )
    def get_footfall(hub: HubName, start: Moment, end: Moment, bucket: Bucket = "1d") -> Footfall:
        """Visits and exits in buckets of local time, `start` inclusive, `end` exclusive.

        Both are widened to whole buckets. A bucket that no working sensor watched has the value null, not 0.
        """
        place = _known(collector, hub, "hub")
        start_ns, end_ns = _moment(start, "start", place), _moment(end, "end", place)
        if start_ns >= end_ns:
            _refuse(400, f"end {end} is not after start {start}", "end", "end is exclusive: give a later one")
        try:
            return footfall(collector.store, collector.fleet, hub, start_ns, end_ns, bucket, now_ns=collector.wall_ns())
        except ValueError as error:
            _refuse(
                400, str(error), "bucket", f"ask for at most {BUCKETS_MAX} buckets: a shorter time or a wider bucket"
            )
        except StoreUnavailable as error:
            _refuse(503, str(error), "store", "try again later; /healthz says when it is back")


def _add_operation(router: APIRouter, collector: Collector) -> None:
    @router.get("/healthz", tags=["operation"], responses={503: {"model": Condition}})
    def healthz() -> JSONResponse:
        """200 where broker and store are reachable and events move, else 503; the reasons are in the body."""
        condition = collector.condition()
        body = Condition(ok=condition.ok, reasons=condition.reasons, dead_letters=condition.dead_letters)
        return JSONResponse(body.model_dump(), 200 if condition.ok else 503, {"Cache-Control": "no-store"})

    @router.get("/metrics", tags=["operation"], response_class=Response)
    def metrics() -> Response:
        """Figures of this collector for Prometheus, in its text format."""
        return Response(collector.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    @router.get("/api/v1/dead-letters", tags=["operation"], responses={503: {"model": ProblemAnswer}})
    def dead_letters(limit: Annotated[int, Query(ge=1, le=100)] = 20) -> DeadLetters:
        """What this collector could not store, with the reason: counts, and the newest letters."""
        try:
            letters = [_shown(kept) for kept in collector.ledger.dead_letters(limit)]
            return DeadLetters(counts=collector.ledger.dead_counts(), letters=letters)
        except StoreUnavailable as error:
            _refuse(503, str(error), "ledger", "see that --state can be read; /healthz says when it can")


def _known(collector: Collector, hub: str, where: str) -> Hub:
    hubs = collector.fleet.hubs
    if hub not in hubs:
        _refuse(404, f"hub {hub[:64]!r} is not known", where, f"use one of: {', '.join(sorted(hubs))}")
    return hubs[hub]


def _moment(text: str, where: str, hub: Hub) -> int:
    try:
        t_ns = midnight_ns(date.fromisoformat(text), hub.zone) if len(text) == len("2026-03-29") else from_rfc3339(text)
    except (ValueError, OverflowError):
        t_ns = -1
    if not 0 <= t_ns <= _LATEST_NS:
        _refuse(
            400,
            f"{text!r} is neither a local date nor an RFC 3339 time between 1970 and 2100",
            where,
            "write 2026-03-29 or 2026-03-29T09:00:00+01:00, with + as %2B",
        )
    return t_ns


def _shown(kept: KeptLetter) -> DeadLetterKept:
    letter = kept.letter
    return DeadLetterKept(
        t=to_rfc3339(kept.t_ns),
        topic=letter.topic,
        code=letter.code,
        reason=letter.reason,
        unit=letter.unit,
        epoch=letter.epoch,
        seqs=list(letter.seqs),
        payload=letter.payload[:_PAYLOAD_SHOWN_BYTES].decode(errors="replace"),
        bytes=len(letter.payload),
    )


def _summary(hub: Hub, now_ns: int) -> HubSummary:
    return HubSummary(
        id=hub.id,
        name=hub.name,
        type=hub.type,
        nearest_extra=hub.nearest_extra,
        timezone=hub.timezone,
        hours={
            day: [f"{hours.opens:%H:%M}-{hours.closes:%H:%M}" for hours in stretches]
            for day, stretches in hub.hours.items()
        },
        entrances=[Place(id=entrance.id, name=entrance.name) for entrance in hub.entrances],
        rooms=[Place(id=room.id, name=room.name) for room in hub.rooms],
        cabinet=hub.cabinet is not None,
        units=sorted({stay.id for stay in hub.units if stay.holds(now_ns)}),
    )
