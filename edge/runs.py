"""Passages that wait, put into columns on their way out: such messages are a quarter as long, and soon read."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

RUN_MIN = 8
"""Fewer alike go singly: they would gain little."""
_COLUMN = re.compile(
    rb'"(seq|t_ns|direction|persons|speed_m_s|length_m|confidence)":(-?[0-9][-+.0-9eE]*|null|"[a-z]+")(?=[,}])'
)
_BETWEEN, _NAMES, _VALUES = slice(0, None, 3), slice(1, None, 3), slice(2, None, 3)
_PASSAGE = b'"kind":"passage"'
_ALIKE = {"kind", "clock", "sensor", "hub", "entrance", "room", "role"}
_SAID_ANYHOW = {b"persons": {b"1"}, b"speed_m_s": {b"null"}, b"length_m": {b"null"}}
"""A column of nothing else is left out."""

_Parts = tuple[tuple[bytes, ...], tuple[bytes, ...]]


def content(events: Sequence[bytes]) -> bytes:
    """The members `events` and `runs`, as far as they are filled, of a message that holds these events, each as JSON.

    Values are moved and not read, so that a passage says the same whether it comes singly or in a run.
    """
    alike: defaultdict[_Parts, list[tuple[bytes, list[bytes]]]] = defaultdict(list)
    singly: list[bytes] = []
    for event in events:
        if _PASSAGE in event:
            parts = _COLUMN.split(event)
            alike[tuple(parts[_BETWEEN]), tuple(parts[_NAMES])].append((event, parts[_VALUES]))
        else:
            singly.append(event)
    runs = []
    for (between, names), found in alike.items():
        head = _head(between, names) if len(found) >= RUN_MIN else None
        if head is None:
            singly += [event for event, _ in found]
        else:
            runs.append(head + b",".join(_columns(names, [values for _, values in found])) + b"}")
    members = ((b"events", singly), (b"runs", runs))
    return b",".join(b'"%s":[%s]' % (name, b",".join(found)) for name, found in members if found)


def _head(between: Sequence[bytes], names: Sequence[bytes]) -> bytes | None:
    """How a run of passages begins that have these words between their values; None where they are none such."""
    text = b"".join(b'%s"%s":0' % pair for pair in zip(between, names, strict=False)) + between[-1]
    try:
        said = json.loads(text)
    except ValueError:
        return None
    columns = [name.decode() for name in names]
    alike = {key: value for key, value in said.items() if key not in columns}
    if not {"kind", "role"} <= set(alike) <= _ALIKE or len(said) != len(alike) + len(columns):
        return None
    return json.dumps(alike, separators=(",", ":")).encode()[:-1] + b","


def _columns(names: Sequence[bytes], rows: Sequence[Sequence[bytes]]) -> list[bytes]:
    return [
        b'"%s":[%s]' % (name, b",".join(column))
        for name, column in zip(names, zip(*rows, strict=True), strict=True)
        if set(column) != _SAID_ANYHOW.get(name)
    ]
