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
