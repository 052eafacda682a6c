"""What a trace holds, and what makes a row a good one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, Self, cast

from edge.counting import LINES, T_NS_LIMIT
from firmware_cfg.errors import FoyerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edge.trace.header import TraceHeader


class TraceError(FoyerError, ValueError):
    """A trace that cannot be read or written: the message names file and line, what is wrong and how to mend it."""


class TornError(TraceError):
    """A trace that ends in the middle of a row or of its compression, as by a power cut; all before was read."""


class Edge(NamedTuple):
    """Line 0 (outer) or 1 (inner) turned to level 1 (blocked) or 0."""

    t_ns: int
    line: int
    level: int


class SerialBytes(NamedTuple):
    """Bytes as they were received."""

    t_ns: int
    data: bytes


Row = Edge | SerialBytes

CHUNK_ROWS = 1 << 16
"""Columns are made of so many rows at a time."""


class EdgeColumns(NamedTuple):
    """Edges, a column each, in the types that the counting core reads where they lie."""

    t_ns: Sequence[int]
    line: Sequence[int]
    level: Sequence[int]


def backwards(last_ns: int, t_ns: int) -> str:
    """What is said where time runs backwards."""
    return (
        f"time runs backwards, from {last_ns} to {t_ns} ns: sort the rows by time, "
        "or split the recording where its clock was set"
    )


class TraceReader(ABC):
    """An open trace: its header, and its rows once. Use it in a `with`.

    Iterating raises TraceError at the first row that is wrong; times never run backwards and stay below 2^62.
    """

    header: TraceHeader

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def _raw_rows(self) -> Iterator[tuple[object, object, object]]:
        """Time, line's name and value as they stand in the file."""

    @abstractmethod
    def _error(self, what: str) -> TraceError:
        """The error that names the file and the row last read."""

    def __iter__(self) -> Iterator[Row]:
        last_ns = 0
        for raw in self._raw_rows():
            try:
                row = checked_row(*raw)
            except ValueError as error:
                raise self._error(str(error)) from error
            if row.t_ns < last_ns:
                raise self._error(backwards(last_ns, row.t_ns))
            last_ns = row.t_ns
            yield row

    def columns(self) -> Iterator[EdgeColumns]:
        """The edges in pieces, instead of iterating; bytes received are left out.

        A format may leave unchecked what the counting core checks, too: then a wrong row is in its place, and `Door`
        refuses it. Iterating over the trace, opened again, tells which one it is.
        """
        edges = (row for row in self if isinstance(row, Edge))
        while chunk := list(islice(edges, CHUNK_ROWS)):
            t_ns, line, level = zip(*chunk, strict=True)
            yield EdgeColumns(array("q", t_ns), array("b", line), array("b", level))


class TraceWriter(ABC):
    """Appends rows to a file; made by `create_trace`."""

    @abstractmethod
    def write(self, row: Row) -> None:
        """Append a row; raises TraceError if this format has no place for it."""

    @abstractmethod
    def close(self) -> None:
        """Write what is left; the file stays open."""


def checked_row(t_ns: object, line: object, value: object) -> Row:
    """The row these make; raises ValueError saying which of them is wrong."""
    if type(t_ns) is not int:
        raise ValueError(f"time {t_ns!r}: expected nanoseconds since t0 as an integer")
    if not 0 <= t_ns < T_NS_LIMIT:
        raise ValueError(f"time {t_ns} ns: expected 0 to below 2^62 (is it really in nanoseconds since t0?)")
    if line == "serial":
        try:
            return SerialBytes(t_ns, bytes.fromhex(cast("str", value)))
        except (TypeError, ValueError) as error:
            raise ValueError(f'serial data {value!r}: expected hexadecimal digits such as "aaff03"') from error
    if line not in LINES:
        raise ValueError(f"line {line!r}: expected one of {', '.join(LINES)}, serial")
    if type(value) is not int or value not in (0, 1):
        raise ValueError(f"level {value!r}: expected 1 (beam blocked) or 0 (clear)")
    return Edge(t_ns, LINES.index(line), value)
