"""What stands below `foyer collector`. Each command imports what it needs inside its own body."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
