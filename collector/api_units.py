"""What the API tells of a unit: how complete what it sent is."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from collector.problems import ProblemAnswer, refuse
from collector.service import Collector
from collector.store.base import StoreUnavailable
from firmware_cfg.times import to_rfc3339


class OutboxReport(BaseModel):
    """How complete one outbox of a unit is: its events are numbered from 1, and `highest` was the last.

    `missing` numbers have not come, those of `holes`; `lost` never will, those of `gone`, as the unit said. Of both the
    lowest ranges are shown, as [first, last]. `holes_forgotten`: so many holes that they are not followed any more.
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


def known_unit(collector: Collector, unit: str) -> None:
    units = collector.fleet.units
    if unit not in units:
        refuse(404, f"unit {unit[:64]!r} is not known", "path", f"use one of: {', '.join(sorted(units))}")
