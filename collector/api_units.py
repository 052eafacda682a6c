"""What the API tells of a unit: how complete what it sent is."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from collector.analysis.reconcile import DAYS_MAX, reconcile
from collector.problems import ProblemAnswer, moment_ns, refuse
from collector.service import Collector
from collector.store.base import StoreUnavailable
from firmware_cfg.times import to_rfc3339

Moment = Annotated[str, Query(description="A local date or an RFC 3339 time with offset", max_length=40)]


class OutboxReport(BaseModel):
    """How complete one outbox of a unit is: its events are numbered from 1, and `highest` was the last.

    `missing` numbers have not come, those of `holes`; `lost` never will, those of `gone`, as the unit said. Of both the
    lowest ranges are shown, as [first, last]. `holes_forgotten`: so many holes
    that they are not followed any more.
    """

    epoch: str
    highest: int
    missing: int
    holes: list[tuple[int, int]]
    lost: int
    gone: list[tuple[int, int]]
    holes_forgotten: int
    asked: str | None
    answer: str


class DayCompared(BaseModel):
    """Persons that the unit's own cumulative counters and the stored events say of one sensor and local day.

    `missing`: the unit counted so many that the store has not; below zero: the store has more. While `waiting` events
    are still to come they may be those. Compared are the stretches between health reports that end on that day, over
    `compared_minutes`; not those between two outboxes (`new_outboxes`), or in which a counter `went_back`. Who passes
    at the very moment of the day's last report may count on the one day here and on the next there.
    """

    day: str
    sensor: str
    reported_in: int
    reported_out: int
    stored_in: int
    stored_out: int
    missing_in: int
    missing_out: int
    compared_minutes: float
    new_outboxes: int
    went_back: int
    waiting: int


class UnitReport(BaseModel):
    """One unit: the hubs that the registry ever gave it to, and its outboxes, each with an `epoch` of its own."""

    id: str
    hubs: list[str]
    outboxes: list[OutboxReport]


def add_units(router: APIRouter, collector: Collector) -> None:
    @router.get(
        "/api/v1/units/{unit}", tags=["units"], responses={code: {"model": ProblemAnswer} for code in (404, 503)}
    )
    def unit_report(unit: str) -> UnitReport:
        """How complete what a unit sent is: what is missing and was asked for again, and what is lost for good."""
        known_unit(collector, unit)
        try:
            states = collector.ledger.outboxes.of_unit(unit)
        except StoreUnavailable as error:
            refuse(503, str(error), "ledger", "see that --state can be read; /healthz says when it can")
        outboxes = []
        for state in states:
            asked_ns, answer = collector.holes.last_asked(unit, state.epoch)
            outboxes.append(
                OutboxReport(
                    epoch=state.epoch,
                    highest=state.highest,
                    missing=state.missing,
                    holes=list(state.holes),
                    lost=state.lost,
                    gone=list(state.gone),
                    holes_forgotten=state.holes_forgotten,
                    asked=None if asked_ns is None else to_rfc3339(asked_ns),
                    answer=answer,
                )
            )
        return UnitReport(id=unit, hubs=[hub.id for hub, _stay in collector.fleet.stays(unit)], outboxes=outboxes)

    @router.get(
        "/api/v1/units/{unit}/days",
        tags=["units"],
        responses={code: {"model": ProblemAnswer} for code in (400, 404, 503)},
    )
    def unit_days(unit: str, start: Moment, end: Moment) -> list[DayCompared]:
        """The unit's own counters beside the stored events, per local day and sensor; at most 31 days."""
        known_unit(collector, unit)
        hub = collector.fleet.stays(unit)[-1][0]
        start_ns, end_ns = moment_ns(start, "start", hub), moment_ns(end, "end", hub)
        if start_ns >= end_ns:
            refuse(400, f"end {end} is not after start {start}", "end", "end is exclusive: give a later one")
        try:
            days = reconcile(collector.store, collector.fleet, unit, start_ns, end_ns)
        except ValueError as error:
            refuse(400, str(error), "end", f"ask for at most {DAYS_MAX} days at a time")
        except StoreUnavailable as error:
            refuse(503, str(error), "store", "try again later; /healthz says when it is back")
        return [DayCompared.model_validate(day, from_attributes=True) for day in days]


def known_unit(collector: Collector, unit: str) -> None:
    units = collector.fleet.units
    if unit not in units:
        refuse(404, f"unit {unit[:64]!r} is not known", "path", f"use one of: {', '.join(sorted(units))}")
