"""`.vcd`, for exchange with logic analysers: two wires named `outer` and `inner`.

Ours count in ns; their first comment holds the trace's header, `$dumpvars` the levels at the start. In others' files
any time unit will do, other signals are ignored, and a signal's first value is its level at the start, clear where
that is unknown (x or z).
"""

from __future__ import annotations

import json
import zlib
from collections import deque
from typing import TYPE_CHECKING, BinaryIO, cast

from vcd.reader import ScalarChange, Token, TokenKind, VarDecl, VCDParseError, VectorChange, tokenize

from edge.counting import LINES
from edge.trace.files import open_bytes, why
from edge.trace.header import TraceHeader, from_json, to_json
from edge.trace.model import Edge, Row, TraceError, TraceReader, TraceWriter, backwards

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator
    from pathlib import Path

_CODES = ("o", "i")
_NOTE = "foyer "
_UNITS = ("zs", "as", "fs", "ps", "ns", "us", "ms", "s")
_TICKS = {unit: 1000**power for power, unit in enumerate(_UNITS)}
"""Time units in the least that a dump may have, so that all of it stays in integers."""


class VcdReader(TraceReader):
    """The two signals of a value change dump; times finer than ns are rounded down."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._line_number = 1
        self._file = open_bytes(path)
        self._tokens = tokenize(cast("io.BufferedIOBase", self._file))
        self._ahead: deque[tuple[int, int, int]] = deque()
        self._lines: dict[str, int] = {}
        self._unit_ticks = 0
        self._t_ns: int | None = None
        self._levels: list[int | None] = [None, None]
        try:
            header = self._read_definitions()
            self.header = TraceHeader(header.t0_ns, header.sensor, header.separation_m, self._read_start())
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._file.close()

    def _error(self, what: str) -> TraceError:
        return TraceError(f"{self._path}:{self._line_number}: {what}")

    def _next(self) -> Token | None:
        """The next token, None at the end of the file."""
        try:
            token = next(self._tokens, None)
        except VCDParseError as error:
            self._line_number = error.loc.line
            raise self._error(f"this is no value change dump ({str(error).partition(': ')[2]})") from error
        except (EOFError, OSError, zlib.error) as error:
            raise self._error(why(error)) from error
        except ValueError as error:  # letters beyond ASCII, or a number without end
            raise self._error(f"this is no value change dump ({error})") from error
        if token is not None:
            self._line_number = token.span.start.line
        return token

    def _read_definitions(self) -> TraceHeader:
        header = TraceHeader()
        signals: dict[str, VarDecl] = {}
        token = self._next()
        if token is None:
            raise self._error("the file is empty: expected a value change dump")
        while token.kind is not TokenKind.ENDDEFINITIONS:
            if token.kind is TokenKind.COMMENT and token.comment.startswith(_NOTE):
                header = self._noted(token.comment.removeprefix(_NOTE))
            elif token.kind is TokenKind.TIMESCALE:
                self._unit_ticks = token.timescale.magnitude * _TICKS[token.timescale.unit.value]
            elif token.kind is TokenKind.VAR:
                self._take_signal(token.var, signals)
            token = self._next()
            if token is None:
                raise self._error("the file ends before $enddefinitions: copy it again")
        if missing := [name for name in LINES if name not in signals]:
            there = ", ".join(sorted(signals)) or "none"
            raise self._error(
                f"no signal named {' and none named '.join(missing)}: rename the channels of your logic analyser; "
                f"there are {there}"
            )
        if not self._unit_ticks:
            raise self._error("no $timescale: expected the unit of its times, such as $timescale 1 ns $end")
        return header

    def _noted(self, text: str) -> TraceHeader:
        try:
            return from_json(json.loads(text))
        except ValueError as error:
            raise self._error(f"the comment that Foyer wrote cannot be read: {error}") from error

    def _take_signal(self, signal: VarDecl, signals: dict[str, VarDecl]) -> None:
        name = signal.reference if signal.bit_index is None else signal.ref_str
        before = signals.setdefault(name, signal)
        if name not in LINES:
            return
        if before.id_code != signal.id_code:
            raise self._error(f"a second signal named {name}: rename the one that is not the beam")
        if signal.size != 1:
            raise self._error(f"signal {name} is {signal.size} bits wide: expected one")
        self._lines[signal.id_code] = LINES.index(name)

    def _read_start(self) -> tuple[int, int]:
        """The levels before the first edge: what comes before the second time, of each signal the first value."""
        start: list[int | None] = [None, None]
        seen: set[int] = set()
        first_ns: int | None = None
        beyond: tuple[int, int | None] | None = None
        while len(seen) < len(LINES) and (change := self._next_change()):
            first_ns = self._t_ns if first_ns is None else first_ns
            if self._t_ns != first_ns or change[0] in seen:
                beyond = change
                break
            seen.add(change[0])
            start[change[0]] = change[1]
        self._levels = [*start]
        if beyond:
            self._edge(*beyond)
        return start[0] or 0, start[1] or 0

    def _next_change(self) -> tuple[int, int | None] | None:
        """One of our signals and its new level, None where unknown; None at the end of the file."""
        while (token := self._next()) is not None:
            data = token.data
            if token.kind is TokenKind.CHANGE_TIME:
                t_ns = token.time_change * self._unit_ticks // _TICKS["ns"]
                if self._t_ns is not None and t_ns < self._t_ns:  # before any change: a file cut in the middle of it
                    raise self._error(backwards(self._t_ns, t_ns))
                self._t_ns = t_ns
            elif isinstance(data, ScalarChange | VectorChange) and data.id_code in self._lines:
                return self._lines[data.id_code], {"0": 0, "1": 1}.get(str(data.value))
        return None

    def _edge(self, line: int, level: int | None) -> None:
        """Put a change of level among those to be read."""
        before, self._levels[line] = self._levels[line], level
        if level is None:
            if before is not None:
                raise self._error(f"{LINES[line]} becomes unknown (x or z): expected 1 (beam blocked) or 0 (clear)")
        elif before is not None or level:
            self._ahead.append((self._t_ns or 0, line, level))

    def _raw_rows(self) -> Iterator[tuple[object, object, object]]:
        while True:
            while self._ahead:
                t_ns, line, level = self._ahead.popleft()
                yield t_ns, LINES[line], level
            change = self._next_change()
            if change is None:
                return
            self._edge(*change)


class VcdWriter(TraceWriter):
    """Each row as it is, a repeated level too, which pyvcd's own writer leaves out."""

    def __init__(self, file: BinaryIO, header: TraceHeader) -> None:
        self._file = file
        self._t_ns = 0
        known = to_json(header)
        for key in (
            "levels",
            "segment",
        ):  # the one stands in $dumpvars, the other is only for the unit's own recordings
            known.pop(key, None)
        note = json.dumps(known).replace("$", "\\u0024")  # a name must not end the comment
        lines = [f"$date {known['t0']} $end"] if "t0" in known else []
        lines += [f"$comment {_NOTE}{note} $end", "$timescale 1 ns $end", "$scope module foyer $end"]
        lines += [f"$var wire 1 {code} {name} $end" for code, name in zip(_CODES, LINES, strict=True)]
        lines += ["$upscope $end", "$enddefinitions $end", "#0", "$dumpvars"]
        lines += [f"{level}{code}" for level, code in zip(header.levels, _CODES, strict=True)]
        self._write("\n".join([*lines, "$end\n"]))

    def write(self, row: Row) -> None:
        if not isinstance(row, Edge):
            raise TraceError("a .vcd trace holds edges only: write serial rows to .jsonl or .parquet")
        time = "" if row.t_ns == self._t_ns else f"#{row.t_ns}\n"
        self._t_ns = row.t_ns
        self._write(f"{time}{row.level}{_CODES[row.line]}\n")

    def close(self) -> None:
        """Every row is written already."""

    def _write(self, text: str) -> None:
        self._file.write(text.encode("ascii"))
