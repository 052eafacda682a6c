"""The front door: one command line for units, collectors, analysts and developers.

`foyer_commands` has its commands, by Typer. A plain `foyer replay` goes past them, as Typer loads pydantic to read the
name of a file, which takes longer than counting a short recording.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import NoReturn

from firmware_cfg.errors import FoyerError


def _plain_replay(arguments: list[str]) -> bool:
    """Answer `replay TRACE... [--json]` for one recording, as the command does; False where anything else is asked."""
    options = {argument for argument in arguments[1:] if argument.startswith("-")}
    traces = [Path(argument) for argument in arguments[1:] if not argument.startswith("-")]
    if arguments[:1] != ["replay"] or not traces or options - {"--json"}:
        return False
    if sys.platform == "win32":  # there Typer says which files a * stands for
        return False
    from edge import replay as replaying

    if not replaying.is_one(traces):
        return False
    replaying.tell(replaying.replay(*traces), in_json=bool(options))
    return True


def main() -> NoReturn:
    """Run the command line; a FoyerError becomes one line on stderr and its exit code, and so does a full disk."""
    try:
        try:
            if not _plain_replay(sys.argv[1:]):
                from foyer_commands import app

                app()
        finally:
            sys.stdout.flush()
    except FoyerError as error:
        print(f"foyer: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)  # as Typer has it
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EPIPE}:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left is not tried again at exit
        if error.errno == errno.ENOSPC:
            print(f"foyer: {error.filename or 'the output'} cannot be written: {error.strerror}", file=sys.stderr)
        sys.exit(1)
    sys.exit(0)


if __name__ == "__main__":
    main()
