"""Passages in columns, and the same ones singly."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from firmware_cfg.wire import Passage, PassageRun

COLUMNS = ("seq", "t_ns", "direction", "persons", "speed_m_s", "length_m", "confidence")
_DEFAULTS = {name: Passage.model_fields[name].default for name in COLUMNS[3:]}


class NoRun(dict[str, Any]):
    """What came in the place of a run, and stands for no events: its columns are not lists of one length."""


def filled(run: PassageRun) -> dict[str, list[Any]]:
    """Every column in full, also those that were left out."""
    length = len(run.seq)
    said = run.__dict__
    return {name: said[name] or [_DEFAULTS[name]] * length for name in COLUMNS}


def singly(run: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What each passage would have said by itself, right or wrong, of a run as JSON says it.

    Raises ValueError where its columns are not lists of one length.
    """
    columns = {name: run[name] for name in COLUMNS if name in run and run[name] != []}
    lengths = {len(column) if isinstance(column, list) else -1 for column in columns.values()}
    if "seq" not in columns or -1 in lengths or len(lengths) != 1:
        raise ValueError("its columns are not lists of one length")
    alike = {key: value for key, value in run.items() if key not in COLUMNS}
    role = {"role": alike.pop("role")} if "role" in alike else {}
    for values in zip(*columns.values(), strict=True):
        said = dict(zip(columns, values, strict=True))
        first: dict[str, Any] = {name: said.pop(name) for name in ("seq", "t_ns") if name in said}
        yield {**first, **alike, **said, **role}


def spread(runs: Iterable[Any]) -> Iterator[Any]:
    """All that these runs say, singly; what is no run is given back, an object as `NoRun`."""
    for run in runs:
        try:
            yield from list(singly(run)) if isinstance(run, dict) else [run]
        except ValueError:
            yield NoRun(run)


def passages(run: PassageRun) -> list[Passage]:
    """The same as events. One whose `role` was left out says none either."""
    return [Passage.model_validate(said) for said in singly(run.model_dump(exclude_unset=True))]
