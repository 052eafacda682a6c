"""The formats made of lines: `.jsonl` and `.csv`, compressed or not.

`.jsonl` is the master format: a header object, then `[t_ns, "outer"|"inner", 0|1]` for an edge or
`[t_ns, "serial", "hex"]` for bytes received. `.csv` holds edges only: `t_ns,line,level`, after comment lines
`# key=value` for what the header knows (t0, sensor, separation_m, levels).
"""

from __future__ import annotations

import json
import zlib
from abc import abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO

from edge.counting import LINES
from edge.trace.files import open_bytes, why
from edge.trace.header import EXAMPLE, TraceHeader, checked_header, from_json, to_json
from edge.trace.model import Edge, Row, TornError, TraceError, TraceReader, TraceWriter
from firmware_cfg.times import to_rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CSV_COLUMNS = "t_ns,line,level"
_CSV_KEYS = ("t0", "sensor", "separation_m", "levels")
_LINE_BYTES_MAX = 1 << 20
_SHOWN_MAX = 80


class LinesReader(TraceReader):
    """A header and rows in lines of text."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._line_number = 0
        self._file = open_bytes(path)
        try:
            self.header = self._read_header()
        except TraceError:
            self.close()
            raise
        except ValueError as error:
            self.close()
            raise self._error(str(error)) from error

    @abstractmethod
    def _read_header(self) -> TraceHeader:
        """Consume the header's lines; raises ValueError saying what is wrong."""

    @abstractmethod
    def _split(self, text: str) -> tuple[object, object, object]:
        """Time, line's name and value of a line of text; raises ValueError saying what is wrong."""

    def close(self) -> None:
        self._file.close()

    def _error(self, what: str) -> TraceError:
        return TraceError(f"{self._path}:{self._line_number}: {what}")

    def _torn(self, what: str) -> TraceError:
        return TornError(str(self._error(what)))

    def _raw_rows(self) -> Iterator[tuple[object, object, object]]:
        while (text := self._next_line()) is not None:
            try:
                raw = self._split(text)
            except ValueError as error:
                if text.endswith("\n"):
                    raise self._error(str(error)) from error
                cut = "the file ends in the middle of it: delete it to read the rest"
                raise self._torn(f"{error}; {cut}") from error
            yield raw

    def _next_line(self) -> str | None:
        """The next line that is not blank, None at the end of the file."""
        while True:
            self._line_number += 1
            try:
                data = self._file.readline(_LINE_BYTES_MAX)
                text = data.decode("utf-8-sig" if self._line_number == 1 else "utf-8")
            except (EOFError, zlib.error) as error:
                raise self._torn(why(error)) from error
            except OSError as error:
                raise self._error(why(error)) from error
            except UnicodeDecodeError as error:
                raise self._error(
                    "this is not text: expected a trace, compressed only if its name ends in .gz"
                ) from error
            if len(data) == _LINE_BYTES_MAX:
                raise self._error(f"a line of over {_LINE_BYTES_MAX} bytes: this is no trace")
            if not data:
                return None
            if text.strip():
                return text


class JsonlReader(LinesReader):
    """`.jsonl`, the master format."""

    def _read_header(self) -> TraceHeader:
        text = self._next_line()
        if text is None:
            raise ValueError(f"the file is empty: expected a header such as {EXAMPLE}")
        return from_json(_parse_json(text))

    def _split(self, text: str) -> tuple[object, object, object]:
        row = _parse_json(text)
        if not isinstance(row, list) or len(row) != 3:  # noqa: PLR2004 - time, line, value
            raise ValueError(
                f'{text.strip()[:_SHOWN_MAX]!r} is no row: expected [t_ns, "outer", 1] or [t_ns, "serial", "hex"]'
            )
        return row[0], row[1], row[2]


def header_line(header: TraceHeader) -> str:
    """The first line of a `.jsonl` trace, without its end."""
    return json.dumps(to_json(header))


def row_line(row: Row) -> str:
    """A row's line in a `.jsonl` trace, without its end."""
    if isinstance(row, Edge):
        return f'[{row.t_ns}, "{LINES[row.line]}", {row.level}]'
    return f'[{row.t_ns}, "serial", "{row.data.hex()}"]'


class CsvReader(LinesReader):
    """`.csv`: comment lines `# key=value`, the columns' names, then edges."""

    def _read_header(self) -> TraceHeader:
        known: dict[str, object] = dict.fromkeys(_CSV_KEYS)
        while (text := self._next_line()) is not None and text.startswith("#"):
            key, equals, value = (part.strip() for part in text[1:].partition("="))
            if equals and key in _CSV_KEYS:
                known[key] = _csv_known(key, value)
                checked_header(**known)  # now, so that the error names this line
        if text is None:
            raise ValueError(f"the file is empty: expected the columns {_CSV_COLUMNS}")
        if text.strip() != _CSV_COLUMNS:
            raise ValueError(f"{text.strip()[:_SHOWN_MAX]!r} instead of the columns' names: expected {_CSV_COLUMNS}")
        return checked_header(**known)

    def _split(self, text: str) -> tuple[object, object, object]:
        cells = text.strip().split(",")
        if len(cells) != 3:  # noqa: PLR2004 - time, line, level
            raise ValueError(f"{text.strip()[:_SHOWN_MAX]!r} is no row: expected {_CSV_COLUMNS}")
        if cells[1] == "serial":
            raise ValueError("serial rows are for .jsonl and .parquet: a .csv trace holds edges only")
        return _csv_integer(cells[0]), cells[1], _csv_integer(cells[2])


class LinesWriter(TraceWriter):
    """A header and rows in lines of text."""

    def __init__(self, file: BinaryIO, header: TraceHeader) -> None:
        self._file = file
        self._write_header(header)

    @abstractmethod
    def _write_header(self, header: TraceHeader) -> None: ...

    def close(self) -> None:
        """Every row is written already."""

    def _write_line(self, text: str) -> None:
        self._file.write(f"{text}\n".encode())


class JsonlWriter(LinesWriter):
    def _write_header(self, header: TraceHeader) -> None:
        self._write_line(header_line(header))

    def write(self, row: Row) -> None:
        self._write_line(row_line(row))


class CsvWriter(LinesWriter):
    def _write_header(self, header: TraceHeader) -> None:
        if header.t0_ns is not None:
            self._write_line(f"# t0={to_rfc3339(header.t0_ns)}")
        if header.sensor is not None:
            self._write_line(f"# sensor={' '.join(header.sensor.split())}")
        if header.separation_m is not None:
            self._write_line(f"# separation_m={header.separation_m!r}")
        if any(header.levels):
            self._write_line(f"# levels={header.levels[0]},{header.levels[1]}")
        self._write_line(_CSV_COLUMNS)

    def write(self, row: Row) -> None:
        if not isinstance(row, Edge):
            raise TraceError("a .csv trace holds edges only: write serial rows to .jsonl or .parquet")
        self._write_line(f"{row.t_ns},{LINES[row.line]},{row.level}")


def _parse_json(text: str) -> Any:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no number that JSON knows")

    try:
        return json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise ValueError(f"{text.strip()[:_SHOWN_MAX]!r} is not JSON ({error.msg} at column {error.colno})") from error
    except RecursionError as error:
        raise ValueError("brackets nested too deep for a trace") from error


def _csv_known(key: str, value: str) -> object:
    """What a comment says of `key`, or the text as it is, for the check that names it."""
    if key == "levels":
        return [_csv_integer(level) for level in value.split(",")]
    if key == "separation_m":
        with suppress(ValueError):
            return float(value)
    return value


def _csv_integer(cell: str) -> object:
    """The integer a cell holds, or the cell as it is, for the check that names it."""
    return int(cell) if cell.isascii() and cell.isdigit() and len(cell) < 30 else cell  # noqa: PLR2004 - 2^62 has 19
