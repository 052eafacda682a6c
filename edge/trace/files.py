"""Files that are written whole or not at all, and what to say where they cannot be opened."""

from __future__ import annotations

import gzip
import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from edge.trace.model import TraceError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write that appears at `path` when the block ends well, or not at all; raises TraceError.

    What is no regular file (a pipe, a terminal) is written as it is.
    """
    target = Path(os.path.realpath(path))
    direct = target.exists() and not target.is_file() and not target.is_dir()
    part = target if direct else target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        if target.is_dir():
            raise TraceError(f"{path}: is a directory, expected a file's name")
        with part.open("wb") as file:
            yield file
        if not direct:
            part.replace(target)
    except OSError as error:
        raise TraceError(f"{path}: cannot be written: {why(error)}") from error
    finally:
        if not direct:
            with suppress(OSError):
                part.unlink(missing_ok=True)


def open_bytes(path: Path) -> BinaryIO:
    """What a trace's file holds, unpacked where its name ends in .gz; raises TraceError."""
    try:
        if path.suffix == ".gz":
            return cast("BinaryIO", gzip.open(path, "rb"))
        return path.open("rb")
    except OSError as error:
        raise TraceError(f"{path}: {why(error)}") from error


def why(error: Exception) -> str:
    """What went wrong with a file, for people."""
    if isinstance(error, EOFError):
        return "the compressed file is cut short: copy it again, or unpack what is there"
    if isinstance(error, FileNotFoundError):
        return "no such file or directory"
    if isinstance(error, IsADirectoryError):
        return "this is a directory, expected a trace"
    return getattr(error, "strerror", None) or str(error)
