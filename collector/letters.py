"""What the store will not take becomes a dead letter; dead letters are tried again, shown and exported."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from collector.ingest import DeadLetter, Ingest
from collector.ledger.letters import KeptLetter, Letters
from collector.store.base import Parcel, Refused, Store, StoreUnavailable
from firmware_cfg.times import to_rfc3339
from firmware_cfg.wire import Address, Health

_GROUP = 200

log = logging.getLogger("foyer.collector")


def write_apart(store: Store, parcels: Sequence[Parcel], reports: Sequence[Health] = ()) -> list[Refused]:
    """Like `Store.write`; what makes the store fail in a way that nobody foresaw is refused too, and nothing else."""
    try:
        return store.write(parcels, reports)
    except StoreUnavailable:
        raise
    except Exception as error:  # whatever it is, it must not keep the rest from the store
        single = [Parcel(parcel.unit, parcel.epoch, [event]) for parcel in parcels for event in parcel.events]
        if len(single) + len(reports) == 1:
            log.exception("the store failed on one message; it is kept as a dead letter", extra={"part": "store"})
            reason = f"the store failed on it: {error!r}"
            return [Refused(parcel.unit, parcel.epoch, parcel.events[0], reason) for parcel in single] + [
                Refused(report.unit, report.epoch, report, reason) for report in reports
            ]
    if not single:
        half = len(reports) // 2
        return write_apart(store, [], reports[:half]) + write_apart(store, [], reports[half:])
    half = max(1, len(single) // 2)
    rest = single[half:]
    return write_apart(store, single[:half]) + (write_apart(store, rest, reports) if rest or reports else [])


def letter_of(refused: Refused, hub: str) -> DeadLetter:
    """`hub`: whose topic it came on."""
    report = isinstance(refused.event, Health)
    return DeadLetter(
        topic=Address(hub, refused.unit, "health" if report else "events").topic,
        payload=refused.event.model_dump_json(by_alias=True, exclude_none=True).encode(),
        code="refused",
        reason=refused.reason,
        unit=refused.unit,
        epoch=refused.epoch,
        seqs=() if isinstance(refused.event, Health) else (refused.event.seq,),
    )


@dataclass(slots=True)
class Retried:
    """What came of trying again: events and reports stored, letters taken out, letters that stay."""

    stored: int = 0
    gone: int = 0
    stay: int = 0


def retry(
    letters: Letters, chosen: Iterable[KeptLetter], ingest: Ingest, store: Store, wall_ns: Callable[[], int]
) -> Retried:
    """Judge again, store, and only then take the letter out, so that an end in between does no harm.

    An event keeps its identity and is stored once, however often it is tried. What is still dead of a letter of several
    events is kept as letters of its own. Raises StoreUnavailable.
    """
    outcome = Retried()
    left = iter(chosen)
    while group := list(islice(left, _GROUP)):
        now_ns = wall_ns()
        verdicts = [ingest.judge_again(kept.letter, now_ns) for kept in group]
        parcels = [verdict.parcel for verdict in verdicts if verdict.parcel is not None]
        reports = [verdict.report for verdict in verdicts if verdict.report is not None]
        refused = write_apart(store, parcels, reports) if parcels or reports else []
        changes = []
        for kept, verdict in zip(group, verdicts, strict=True):
            own = [found for found in refused if _in(found, verdict.parcel, verdict.report)]
            hub = verdict.address.hub if verdict.address else ""
            rest = [*verdict.dead, *(letter_of(found, hub) for found in own)]
            events = verdict.parcel.count if verdict.parcel else 0
            outcome.stored += events + (verdict.report is not None) - len(own)
            if len(rest) == 1 and (rest[0].code, rest[0].seqs) == (kept.letter.code, kept.letter.seqs):
                outcome.stay += 1
            else:
                changes.append((kept, rest))
                outcome.gone += 1
                outcome.stay += len(rest)
        letters.replace(changes, now_ns)
    return outcome


def _in(refused: Refused, parcel: Parcel | None, report: Health | None) -> bool:
    if refused.event is report:
        return True
    return parcel is not None and any(event is refused.event for event in parcel.events)


def exported(letters: Iterable[KeptLetter]) -> Iterator[dict[str, Any]]:
    """In JSON's types; a payload that is no text is `payload_base64`."""
    for kept in letters:
        letter = kept.letter
        try:
            payload = {"payload": letter.payload.decode()}
        except UnicodeDecodeError:
            payload = {"payload_base64": base64.b64encode(letter.payload).decode()}
        yield {
            "id": kept.id,
            "t": to_rfc3339(kept.t_ns),
            "topic": letter.topic,
            "code": letter.code,
            "reason": letter.reason,
            "unit": letter.unit,
            "epoch": letter.epoch,
            "seqs": list(letter.seqs),
            **payload,
        }
