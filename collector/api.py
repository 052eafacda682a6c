"""The HTTP interface: JSON answers, and a stream of what changes.

Annotations are read as they stand here, since a route's dependency is made inside `_add_stream`.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from anyio import BrokenResourceError
from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import JSONResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel

from collector import service
from collector.analysis import visits
from collector.analysis.footfall import BUCKETS_MAX, footfall
from collector.analysis.visits_answers import HeatMap, VisitsByDay, VisitsByHour, YearOnYear
from collector.answers import Bucket, Footfall, HubSummary, Live, Place
from collector.api_corrections import add_corrections
from collector.api_units import add_units
from collector.ledger import KeptLetter
from collector.live import Listener
from collector.problems import ProblemAnswer, known_hub
from collector.problems import moment_ns as _moment
from collector.problems import refuse as _refuse
from collector.service import Collector
from collector.store.base import StoreUnavailable
from firmware_cfg.schema import Hub
from firmware_cfg.times import to_rfc3339

_PAYLOAD_SHOWN_BYTES = 16 * 1024


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


HubName = Annotated[str, Query(description="The hub's id, as in /api/v1/hubs", max_length=64)]
MaybeHub = Annotated[str | None, Query(description="A hub's id; all hubs together if left out", max_length=64)]
Moment = Annotated[
    str, Query(description="A local date (2026-03-29, its first moment) or an RFC 3339 time with offset", max_length=40)
]


def create_api(collector: Collector) -> APIRouter:
    """Every route below `/api/v1`, `/healthz` and `/readyz`."""
    router = APIRouter()
    for add in (_add_hubs, _add_stream, _add_footfall, _add_visits, add_units, add_corrections, _add_operation):
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
    store, fleet = collector.store, collector.fleet

    @router.get(
        "/api/v1/footfall",
        tags=["history"],
        responses={code: {"model": ProblemAnswer} for code in (400, 404, 503)},
    )
    def get_footfall(hub: HubName, start: Moment, end: Moment, bucket: Bucket = "1d") -> Footfall:
        """Visits and exits in buckets of local time, `start` inclusive, `end` exclusive.

        Both are widened to whole buckets. A bucket that no working sensor watched has the value null, not 0.
        Corrections are applied: each total says gross, correction, net (`value`) and which corrections.
        """
        place = _known(collector, hub, "hub")
        start_ns, end_ns = _moment(start, "start", place), _moment(end, "end", place)
        if start_ns >= end_ns:
            _refuse(400, f"end {end} is not after start {start}", "end", "end is exclusive: give a later one")
        with _refusals("bucket", f"ask for at most {BUCKETS_MAX} buckets: a shorter time or a wider bucket"):
            active = collector.ledger.corrections.active(hub)
            return footfall(store, fleet, hub, start_ns, end_ns, bucket, now_ns=collector.wall_ns(), active=active)


def _add_visits(router: APIRouter, collector: Collector) -> None:
    """Long stretches, from rollups that are some seconds behind the events. Corrections are applied."""
    store, fleet, book = collector.store, collector.fleet, collector.ledger.corrections
    problems: dict[int | str, dict[str, Any]] = {code: {"model": ProblemAnswer} for code in (400, 404, 503)}
    mend = f"ask for at most {BUCKETS_MAX} hours or days, and for one hub where their local times differ"

    def stretch(start: str, end: str, hub: Hub) -> tuple[int, int]:
        start_ns, end_ns = _moment(start, "start", hub), _moment(end, "end", hub)
        if start_ns >= end_ns:
            _refuse(400, f"end {end} is not after start {start}", "end", "end is exclusive: give a later one")
        return start_ns, end_ns

    def any_hub(hub: str | None) -> Hub:
        return _known(collector, hub, "hub") if hub is not None else next(iter(fleet.hubs.values()))

    @router.get("/api/v1/visits/hours", tags=["history"], responses=problems)
    def get_hours(hub: HubName, start: Moment, end: Moment) -> VisitsByHour:
        """Visits and exits of one hub in each local hour, in columns; null where nothing is known."""
        start_ns, end_ns = stretch(start, end, _known(collector, hub, "hub"))
        with _refusals("start", mend):
            return visits.by_hour(
                store, fleet, hub, start_ns, end_ns, now_ns=collector.wall_ns(), active=book.active(hub)
            )

    @router.get("/api/v1/visits/days", tags=["history"], responses=problems)
    def get_days(start: Moment, end: Moment) -> VisitsByDay:
        """Visits and exits of every hub on each local day, and of all together, in columns."""
        start_ns, end_ns = stretch(start, end, any_hub(None))
        with _refusals("start", mend):
            return visits.by_day(store, fleet, start_ns, end_ns, now_ns=collector.wall_ns(), active=book.active())

    @router.get("/api/v1/visits/heatmap", tags=["history"], responses=problems)
    def get_heat_map(start: Moment, end: Moment, hub: MaybeHub = None) -> HeatMap:
        """Visits by weekday and local hour, summed over the time asked for; of all hubs where none is named."""
        start_ns, end_ns = stretch(start, end, any_hub(hub))
        with _refusals("start", mend):
            return visits.heat_map(
                store, fleet, hub, start_ns, end_ns, now_ns=collector.wall_ns(), active=book.active(hub)
            )

    @router.get("/api/v1/visits/years", tags=["history"], responses=problems)
    def get_years(year: Annotated[int, Query(ge=1971, le=2099)], hub: MaybeHub = None) -> YearOnYear:
        """Each month's visits beside those on the same dates a year before; of all hubs where none is named."""
        any_hub(hub)
        with _refusals("hub", mend):
            return visits.year_on_year(store, fleet, hub, year, now_ns=collector.wall_ns(), active=book.active(hub))


@contextmanager
def _refusals(where: str, mend: str) -> Iterator[None]:
    """What an analysis raises, as an answer."""
    try:
        yield
    except ValueError as error:
        _refuse(400, str(error), where, mend)
    except StoreUnavailable as error:
        _refuse(503, str(error), "store", "try again later; /healthz says when it is back")


def _add_operation(router: APIRouter, collector: Collector) -> None:
    @router.get("/healthz", tags=["operation"], responses={503: {"model": Condition}})
    def healthz() -> JSONResponse:
        """200 where broker, store and ledger can be used and events move, else 503; the reasons are in the body."""
        return _condition(collector.condition())

    @router.get("/readyz", tags=["operation"], responses={503: {"model": Condition}})
    def readyz() -> JSONResponse:
        """200 where questions can be answered, also while the broker is away, else 503; the reasons are in the body."""
        return _condition(collector.readiness())

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


def _condition(found: service.Condition) -> JSONResponse:
    body = Condition(ok=found.ok, reasons=found.reasons, dead_letters=found.dead_letters)
    return JSONResponse(body.model_dump(), 200 if found.ok else 503, {"Cache-Control": "no-store"})


def _known(collector: Collector, hub: str, where: str) -> Hub:
    return known_hub(collector.fleet, hub, where)


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
