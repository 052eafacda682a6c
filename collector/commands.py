"""What stands below `foyer collector`. Each command imports what it needs inside its own body."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from firmware_cfg.errors import ConfigError

if TYPE_CHECKING:
    from collector.ledger import Ledger

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
dead_letters = typer.Typer(no_args_is_help=True, help="What could not be stored: list, retry, export.")
app.add_typer(dead_letters, name="dead-letters")

_State = Annotated[Path, typer.Option("--state", help="The collector's --state; it may be running.")]
_Fleet = Annotated[Path, typer.Option("--fleet", help="Folder of TOML files, one a hub.")]
_Store = Annotated[str, typer.Option("--store", help="The collector's --store.")]
_Code = Annotated[str | None, typer.Option("--code", help="Only those of this code.", show_default=False)]
_Unit = Annotated[str | None, typer.Option("--unit", help="Only those of this unit.", show_default=False)]


@contextmanager
def opened_ledger(state: Path) -> Iterator[Ledger]:
    """The ledger of a collector, which may be running; ConfigError where there is none."""
    from collector.ledger import Ledger

    if not (state / "ledger.sqlite").exists():
        raise ConfigError(f"--state {state}: there is no ledger.sqlite; give the folder of a collector")
    with closing(Ledger(state)) as ledger:
        yield ledger


@dead_letters.command("list")
def dead_letters_list(
    state: _State,
    code: _Code = None,
    unit: _Unit = None,
    limit: Annotated[int, typer.Option(help="The newest so many.", min=1)] = 50,
) -> None:
    """The newest last: number, time, code, unit, sequence numbers, reason."""
    from firmware_cfg.times import to_rfc3339

    with opened_ledger(state) as ledger:
        letters = deque(ledger.letters.oldest_first(code=code, unit=unit), maxlen=limit)
        for kept in letters:
            letter = kept.letter
            seqs = f"{letter.seqs[0]}…{letter.seqs[-1]}" if len(letter.seqs) > 1 else "".join(map(str, letter.seqs))
            head = f"{kept.id:>7}  {to_rfc3339(kept.t_ns)[:19]}Z  {letter.code:<13} {letter.unit or '-':<20}"
            print(f"{head} {seqs or '-':>12}  {letter.reason}")
        for each, count in ledger.letters.counts().items():
            print(f"{each}: {count} ever", file=sys.stderr)


@dead_letters.command("export")
def dead_letters_export(
    state: _State,
    code: _Code = None,
    unit: _Unit = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="A file; stdout if not given.")] = None,
) -> None:
    """One JSON object a line, with the payload: oldest first."""
    from collector.letters import exported

    with opened_ledger(state) as ledger, output.open("w") if output else nullcontext(sys.stdout) as out:
        for fields in exported(ledger.letters.oldest_first(code=code, unit=unit)):
            print(json.dumps(fields, ensure_ascii=False), file=out)


@dead_letters.command("retry")
def dead_letters_retry(
    state: _State,
    fleet: _Fleet,
    store: _Store,
    numbers: Annotated[list[int] | None, typer.Argument(metavar="[NUMBER]...", help="Which; all if not given.")] = None,
    code: _Code = None,
    unit: _Unit = None,
) -> None:
    """Try to store them, now that the cause is mended; each event is stored once, however often it is tried.

    Exits with 1 where some stay.
    """
    from collector.ingest import Ingest
    from collector.letters import retry
    from collector.store import open_store
    from firmware_cfg.load import load_fleet

    ingest = Ingest(load_fleet(fleet))
    with opened_ledger(state) as ledger, closing(open_store(store)) as opened:
        chosen = ledger.letters.oldest_first(numbers=numbers or (), code=code, unit=unit)
        outcome = retry(ledger.letters, chosen, ingest, opened, time.time_ns)
    print(f"{outcome.stored} stored, {outcome.gone} letters gone, {outcome.stay} stay")
    if outcome.stay:
        sys.exit(1)


corrections = typer.Typer(no_args_is_help=True, help="Audits, manual counts, exclusions, re-datings: add, list, undo.")
app.add_typer(corrections, name="corrections")

_Who = Annotated[str, typer.Option("--author", help="Who says so.", show_default=False)]
_Why = Annotated[str, typer.Option("--reason", help="Why.", show_default=False)]


@corrections.command("add")
def corrections_add(
    state: _State,
    fleet: _Fleet,
    kind: Annotated[str, typer.Argument(help="audit, manual, exclusion or redating.")],
    hub: Annotated[str, typer.Option(help="The hub's id.")],
    start: Annotated[str, typer.Option(help="A local date or an RFC 3339 time.")],
    end: Annotated[str, typer.Option(help="The same; exclusive.")],
    author: _Who,
    reason: _Why,
    entrance: Annotated[str | None, typer.Option(help="All of them if not given.", show_default=False)] = None,
    visits: Annotated[int | None, typer.Option(help="Persons in: all (audit), or more (manual).")] = None,
    exits: Annotated[int | None, typer.Option(help="Persons out, likewise.")] = None,
    unit: Annotated[str | None, typer.Option(help="Whose events are re-dated.", show_default=False)] = None,
    shift_s: Annotated[int | None, typer.Option(help="By how many seconds; later is positive.")] = None,
) -> None:
    """Make a correction; raw events stay as they are. Prints its number."""
    from pydantic import ValidationError

    from collector.corrections import NewCorrection
    from firmware_cfg.load import explain, load_fleet

    words = {"kind": kind, "hub": hub, "start": start, "end": end, "author": author, "reason": reason}
    words |= {name: word for name, word in (("entrance", entrance), ("unit", unit)) if word is not None}
    numbers = {"visits": visits, "exits": exits, "shift_s": shift_s}
    try:
        new = NewCorrection.model_validate({**words, **numbers})
        inside = new.inside(load_fleet(fleet))
    except ValidationError as error:
        raise ConfigError("; ".join(explain(error, root="correction"))) from error
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(f"--{error}") from error
    with opened_ledger(state) as ledger:
        print(ledger.corrections.add(inside, author, reason, time.time_ns()).id)


@corrections.command("list")
def corrections_list(
    state: _State,
    hub: Annotated[str | None, typer.Option(help="Only this hub's.", show_default=False)] = None,
) -> None:
    """Every entry as it was made, one JSON object a line; `active` says whether it holds."""
    from collector.corrections import shown

    with opened_ledger(state) as ledger:
        for version in ledger.corrections.versions(hub):
            print(shown(version).model_dump_json(exclude_none=True))


@corrections.command("undo")
def corrections_undo(
    state: _State,
    number: Annotated[int, typer.Argument(help="Which, as in list.")],
    author: _Who,
    reason: _Why,
) -> None:
    """Take a correction back; that is an entry of its own, and nothing is deleted. Prints its number."""
    with opened_ledger(state) as ledger:
        print(ledger.corrections.undo(number, author, reason, time.time_ns()).id)


@app.command("reconcile")
def reconcile_unit(
    unit: Annotated[str, typer.Argument(help="The unit's id.")],
    fleet: _Fleet,
    store: _Store,
    start: Annotated[str, typer.Option(help="A local date or an RFC 3339 time.")],
    end: Annotated[str, typer.Option(help="The same; exclusive, at most 31 days later.")],
) -> None:
    """A unit's own counters beside the stored events, per local day and sensor. Exits with 1 where they differ."""
    from collector.analysis.buckets import moment_ns
    from collector.analysis.reconcile import reconcile
    from collector.store import open_store
    from firmware_cfg.load import load_fleet

    known = load_fleet(fleet)
    if unit not in known.units:
        raise ConfigError(f"unit {unit!r} is not known; known: {', '.join(sorted(known.units))}")
    zone = known.stays(unit)[-1][0].zone
    try:
        span = moment_ns(start, zone), moment_ns(end, zone)
        with closing(open_store(store)) as opened:
            days = reconcile(opened, known, unit, *span)
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(f"--start, --end: {error}") from error
    if not days:
        print(f"nothing to compare: no health report of {unit} in that time", file=sys.stderr)
        return
    print(f"{'day':<10}  {'sensor':<20} {'unit in':>8} {'out':>6} {'store in':>9} {'out':>6} {'missing':>8}  notes")
    for day in days:
        notes = [f"{day.compared_minutes:.0f} minutes"]
        counts = ((day.new_outboxes, "new outbox"), (day.went_back, "went back"), (day.waiting, "waiting"))
        notes += [f"{count} {what}" for count, what in counts if count]
        ours = f"{day.reported_in:>8} {day.reported_out:>6} {day.stored_in:>9} {day.stored_out:>6}"
        missing = day.missing_in + day.missing_out
        print(f"{day.day}  {day.sensor:<20} {ours} {missing:>8}  {', '.join(notes)}")
    if any(day.missing_in or day.missing_out for day in days):
        sys.exit(1)
