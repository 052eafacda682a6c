"""Files that are written whole or not at all, and what to say where they cannot be opened."""

from __future__ import annotations

import io
import os
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from edge.trace.model import TraceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Buffer

_GZIP = 31
"""zlib's word for a gzip header and trailer around the data."""
_MAGIC = b"\x1f\x8b"
_BLOCK_BYTES = 8192


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
            return cast("BinaryIO", io.BufferedReader(_Unpacked(path)))
        return path.open("rb")
    except OSError as error:
        raise TraceError(f"{path}: {why(error)}") from error


class _Unpacked(io.RawIOBase):
    """A gzip file unpacked to the last byte before it is damaged or ends, where gzip's own reader drops a whole block.

    Reading on raises EOFError where it ends too early, zlib.error where it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._unpacker = zlib.decompressobj(_GZIP)
        self._ready = b""
        self._error: zlib.error | None = None
        self._begun = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        while not self._ready:
            if self._error:
                raise self._error
            packed = self._unpacker.unused_data or self._file.read(_BLOCK_BYTES)
            if not packed:
                if self._begun and not self._unpacker.eof:
                    raise EOFError
                return 0
            if not self._begun and not _MAGIC.startswith(packed[:2]):
                raise OSError(f"Not a gzipped file ({packed[:2]!r})")
            self._begun = True
            if self._unpacker.eof:  # another member follows
                self._unpacker = zlib.decompressobj(_GZIP)
            self._ready = self._unpack(packed)
        view = memoryview(buffer).cast("B")
        count = min(len(view), len(self._ready))
        view[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _unpack(self, packed: bytes) -> bytes:
        before = self._unpacker.copy()
        try:
            return self._unpacker.decompress(packed)
        except zlib.error as error:
            self._error = error
        whole = b""
        with suppress(zlib.error):
            for byte in packed:
                whole += before.decompress(bytes((byte,)))
        return whole

    def close(self) -> None:
        self._file.close()
        super().close()


def why(error: Exception) -> str:
    """What went wrong with a file, for people."""
    if isinstance(error, EOFError):
        return "the compressed file is cut short: copy it again, or unpack what is there"
    if isinstance(error, FileNotFoundError):
        return "no such file or directory"
    if isinstance(error, IsADirectoryError):
        return "this is a directory, expected a trace"
    return getattr(error, "strerror", None) or str(error)
