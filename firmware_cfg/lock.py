"""A state folder belongs to one process."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from firmware_cfg.errors import FolderError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """The state folder, made if it is missing, for this process alone; raises FolderError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise FolderError(f"--state {folder}: cannot be written ({error.strerror}); give a folder that can") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise FolderError(
                f"--state {folder}: another process is using it; each needs a folder of its own"
            ) from error
        yield
