"""Which alarms stand, and what is to be told: once when raised, hourly while critical, once when over. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from collector.alerts.rules import Alarm
from firmware_cfg.times import NS_PER_S, to_rfc3339

REPEAT_NS = 3600 * NS_PER_S
OVER_NS = 120 * NS_PER_S
"""An alarm is over when it was away for so long: what flickers is told of once."""

Kind = Literal["failure", "warning", "success"]
"""Something critical, something else that is wrong, or something that is over."""


@dataclass(frozen=True, slots=True)
class Standing:
    """An alarm since `since_ns`. `told_stage` 0: nobody was told yet. `away_ns`: since when it is gone, else 0."""

    key: str
    to: tuple[str, ...]
    title: str
    body: str
    critical: bool
    since_ns: int
    told_ns: int = 0
    told_stage: int = 0
    away_ns: int = 0


@dataclass(frozen=True, slots=True)
class Notice:
    """A message for one receiver, by name; `kind` is Apprise's word for how grave it is."""

    to: str
    title: str
    body: str
    kind: Kind = "warning"


def step(
    standing: dict[str, Standing], found: Iterable[Alarm], now_ns: int
) -> tuple[dict[str, Standing], list[Notice]]:
    """What stands now, and what is to be told. `found` has the alarms of all hubs, each key once."""
    after: dict[str, Standing] = {}
    notices: list[Notice] = []
    undecided = set()
    for alarm in found:
        known = standing.get(alarm.key)
        if not alarm.decided:
            undecided.add(alarm.key)
            continue
        after[alarm.key] = _seen(known, alarm, now_ns, notices)
    for key, known in standing.items():
        if key in after:
            continue
        if key in undecided:
            after[key] = known
        elif known.told_stage and now_ns - (known.away_ns or now_ns) < OVER_NS:
            after[key] = replace(known, away_ns=known.away_ns or now_ns)
        elif known.told_stage:
            body = f"It was so since {to_rfc3339(known.since_ns // NS_PER_S * NS_PER_S)}."
            notices += [Notice(to, f"Over: {known.title}", body, "success") for to in known.to]
    return after, notices


def _seen(known: Standing | None, alarm: Alarm, now_ns: int, notices: list[Notice]) -> Standing:
    now = Standing(alarm.key, alarm.to, alarm.title, alarm.body, alarm.critical, known.since_ns if known else now_ns)
    if known is not None:
        now = replace(now, told_ns=known.told_ns, told_stage=known.told_stage)
    again = now.told_stage and alarm.critical and not 0 <= now_ns - now.told_ns < REPEAT_NS
    ripe = now_ns - now.since_ns >= alarm.after_ns
    if not again and (alarm.stage == now.told_stage or not ripe):
        return replace(known, away_ns=0) if known is not None and known.told_stage else now
    still = "Still: " if now.told_stage == alarm.stage else ""
    since = f" Since {to_rfc3339(now.since_ns // NS_PER_S * NS_PER_S)}."
    kind: Kind = "failure" if alarm.critical else "warning"
    notices += [Notice(to, still + alarm.title, f"{alarm.body}.{since}", kind) for to in alarm.to]
    return replace(now, told_ns=now_ns, told_stage=alarm.stage)
