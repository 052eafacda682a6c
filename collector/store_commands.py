"""What stands below `foyer collector` about whole stores. Each command imports what it needs inside its own body."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from firmware_cfg.errors import ConfigError

_Store = Annotated[str, typer.Option("--store", help="The collector's --store.", show_default=False)]
_Url = "sqlite:PATH or influxdb+http(s)://HOST:PORT/BUCKET."


def add_to(app: typer.Typer) -> None:
    """Make `backup`, `restore`, `recheck`, `migrate` and `roll-up` commands of it."""
    for command in (backup, restore, recheck, migrate, roll_up):
        app.command(command.__name__.replace("_", "-"))(command)


def _embedded_path(store: str) -> Path:
    scheme, _, rest = store.partition(":")
    if scheme != "sqlite" or not rest:
        raise ConfigError(
            f"--store {store!r}: only an embedded store (sqlite:PATH) is one file; for InfluxDB use influxd backup, or"
            " foyer collector migrate into an embedded store"
        )
    return Path(rest.removeprefix("//"))


def backup(
    output: Annotated[Path, typer.Option("-o", "--output", help="The file to write; a new one.", show_default=False)],
    store: Annotated[str | None, typer.Option("--store", help="The collector's --store.", show_default=False)] = None,
    state: Annotated[
        Path | None, typer.Option("--state", help="In its place: save the ledger, with its corrections.")
    ] = None,
) -> None:
    """Save an embedded store, or a collector's ledger, into one file, while a collector may write to it."""
    from collector.ledger.database import save
    from collector.store import copying

    if (store is None) == (state is None):
        raise ConfigError("give --store or --state: each is saved into a file of its own")
    size = copying.backup(_embedded_path(store), output) if store is not None else save(state or Path(), output)
    print(f"{output}: {size / 1e6:,.1f} MB, complete and checked", file=sys.stderr)


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What backup wrote.", show_default=False)],
    store: _Store,
    replace: Annotated[bool, typer.Option("--replace", help="Move aside the store that is there.")] = False,
) -> None:
    """Put a backup in the place of an embedded store, while no collector has it open.

    Collectors that write into it see that when they start, and ask the units again for what it lacks.
    """
    from collector import restoring
    from collector.store import copying

    path = _embedded_path(store)
    restoring.mark(path)  # before: should the power go in between, a collector looks once in vain
    aside = copying.restore(file, path, replace=replace)
    print(f"{path}: restored from {file}" + (f"; what was there is now {aside}" if aside else ""), file=sys.stderr)


def recheck(
    state: Annotated[Path, typer.Option("--state", help="The --state of a collector, which is stopped.")],
    store: _Store,
) -> None:
    """Hold what a collector's ledger says is done against the store; what that lacks is asked for again.

    After a store was put back by other means than `restore`, such as `influxd restore` or the copy of a disk.
    """
    from collector import restoring
    from collector.commands import opened_ledger
    from collector.store import open_store
    from firmware_cfg.lock import locked

    with opened_ledger(state) as ledger, locked(state), closing(open_store(store)) as opened:
        taken = restoring.recheck(ledger, opened)
    for (unit, epoch), count in sorted(taken.items()):
        print(f"{unit} ({epoch}): not in the store, and will be asked for: {count}")
    if not taken:
        print("the store has all that the ledger says is done", file=sys.stderr)


def migrate(
    source: Annotated[str, typer.Option("--from", help=_Url, show_default=False)],
    target: Annotated[str, typer.Option("--to", help=_Url, show_default=False)],
) -> None:
    """Carry all events and health reports from one store into another, and compare them by count and checksum.

    Exits with 1 where they differ. Rollups are made anew by the collector that runs on the new store.
    """
    from collector.serve import log_to_stderr
    from collector.store import copying, open_store

    if source == target:
        raise ConfigError("--from and --to are the same store")
    log_to_stderr()
    with closing(open_store(source)) as old, closing(open_store(target)) as new:
        old.ping()
        for sentence in copying.carry_over(old, new):
            print(f"foyer: {sentence}", file=sys.stderr)
        compared = list(copying.compare(old, new))
    for line in copying.as_table(compared):
        print(line)
    if any(each.source != each.target for each in compared):
        sys.exit(1)


def roll_up(
    store: _Store,
    fleet: Annotated[Path, typer.Option("--fleet", help="Folder of TOML files, one a hub.", show_default=False)],
) -> None:
    """Make all rollups anew from the raw events: after the registry changed which sensor counts at an entrance."""
    from collector.analysis.rollup import roll_up as roll
    from collector.store import open_store
    from firmware_cfg.load import load_fleet

    known = load_fleet(fleet)
    with closing(open_store(store)) as opened:
        opened.touch_all()
        quarters = roll(opened, known)
    if quarters:
        print(f"{quarters:,} quarters of an hour rolled up", file=sys.stderr)
    else:
        print("nothing to do here: a running collector does it, or the store is empty", file=sys.stderr)
