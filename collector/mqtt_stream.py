"""The messages in what an MQTT 5 broker sends, without a client: for a flood, in which all else is rare. Pure."""

from __future__ import annotations

from typing import NamedTuple

_PUBLISH = 0x30
_QOS_0, _QOS_1, _QOS = 0x00, 0x02, 0x06
_RETAINED = 0x01
_LENGTH_BYTES = 4
_PUBACK = b"\x40\x02"


class Publish(NamedTuple):
    """`mid` is 0 where there is nothing to acknowledge."""

    topic: str
    payload: bytes
    retained: bool
    mid: int
    qos: int


def messages(data: bytes) -> tuple[list[Publish], int]:
    """The whole messages of QoS 0 and 1 at the beginning of `data`, where a packet begins, and where they end.

    Never raises: what is not as it should be is left, from there on, to whoever knows what to say about it.
    """
    found: list[Publish] = []
    start, size = 0, len(data)
    while start < size:
        first = data[start]
        if first & 0xF0 != _PUBLISH or first & _QOS not in {_QOS_0, _QOS_1}:
            break
        length, begin = _variable(data, start + 1)
        end = begin + length
        message = _message(data, first, begin, end) if begin and end <= size else None
        if message is None:
            break
        found.append(message)
        start = end
    return found, start


def _message(data: bytes, first: int, begin: int, end: int) -> Publish | None:
    """None where it is not one."""
    at = begin + 2 + int.from_bytes(data[begin : begin + 2])
    name = data[begin + 2 : at]
    mid = 0
    if first & _QOS:
        mid = int.from_bytes(data[at : at + 2])
        at += 2
        if not mid:
            return None
    if at >= end or not name:
        return None
    if data[at] == 0:  # no properties
        at += 1
    else:
        length, at = _variable(data, at)
        if at == 0 or at + length > end:
            return None
        at += length
    try:
        topic = name.decode()
    except UnicodeDecodeError:
        return None
    return Publish(topic, data[at:end], bool(first & _RETAINED), mid, (first & _QOS) >> 1)


def _variable(data: bytes, at: int) -> tuple[int, int]:
    """A number of up to four bytes and where it ends; 0 for that where it does not."""
    value = shift = 0
    for position in range(at, min(at + _LENGTH_BYTES, len(data))):
        byte = data[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the bit that says that there is more
            return value, position + 1
        shift += 7
    return 0, 0


def acknowledgements(mids: list[int]) -> bytes:
    """A PUBACK for each, one after another."""
    return b"".join([_PUBACK + mid.to_bytes(2) for mid in mids])
