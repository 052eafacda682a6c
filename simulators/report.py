"""Many simulated doors in several processes, and tables of what came out in the documents they belong to."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from multiprocessing import Pool
from pathlib import Path
from typing import TypeVar

from firmware_cfg.errors import ConfigError

Task = TypeVar("Task")
Outcome = TypeVar("Outcome")


def in_processes(judge: Callable[[Task], Outcome], tasks: Sequence[Task], jobs: int) -> list[Outcome]:
    """The outcome of each task in their order, whatever `jobs`; with progress on stderr.

    On a terminal every door is told, in a log every tenth part of them.
    """
    outcomes = []
    with Pool(jobs) as pool:
        for done, outcome in enumerate(pool.imap(judge, tasks), start=1):
            outcomes.append(outcome)
            if sys.stderr.isatty():
                end = "\n" if done == len(tasks) else ""
                print(f"\r{done} of {len(tasks)} doors", end=end, file=sys.stderr, flush=True)
            elif done * 10 // len(tasks) != (done - 1) * 10 // len(tasks):
                print(f"{done} of {len(tasks)} doors", file=sys.stderr, flush=True)
    return outcomes


def renew(path: Path, mark: str, told: Sequence[str], arguments: Sequence[str]) -> None:
    """Put a table, and the command that made it, between two comments in a file; raises ConfigError.

    They are `<!-- MARK -->` and `<!-- end of MARK -->`.
    """
    begin, end = f"<!-- {mark} -->", f"<!-- end of {mark} -->"
    try:
        before, rest = path.read_text(encoding="utf-8").split(begin)
        after = rest.split(end)[1]
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, IndexError) as error:
        raise ConfigError(f"{path}: expected once each, on lines of their own: {begin} and {end}") from error
    command = f"```\nfoyer {' '.join(arguments)}\n```"
    lines = "\n".join(told)
    path.write_text(f"{before}{begin}\n{command}\n\n{lines}\n{end}{after}", encoding="utf-8")
