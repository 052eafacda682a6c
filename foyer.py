"""The front door: one command line for units, collectors, analysts and developers.

Each command imports its room of the house inside its own body, so that `foyer replay` loads no web server. Commands
print results on stdout and everything else on stderr. Exit codes: 0 done, 1 done with failures, 2 bad input.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path  # noqa: TC003 - Typer reads the annotations at run time
from typing import Annotated, NoReturn

import typer

from firmware_cfg.errors import FoyerError

app = typer.Typer(
    name="foyer",
    help="Footfall and building sensors for community hubs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def agent(context: typer.Context) -> None:
    """Run a unit: sensors in, MQTT out. The same as python -m edge, which this process becomes."""
    os.execv(sys.executable, [sys.executable, "-m", "edge", *context.args])  # noqa: S606 - no shell, our own module


def main() -> NoReturn:
    """Run the command line; a FoyerError becomes one line on stderr and its exit code."""
    try:
        app()
    except FoyerError as error:
        print(f"foyer: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    sys.exit(0)


if __name__ == "__main__":
    main()
