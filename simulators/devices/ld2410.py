"""HLK-LD2410 and LD2410S: presence radars that tell how far away somebody moves or keeps still."""

from __future__ import annotations

from collections.abc import Callable

FRAME_NS = 100_000_000
Look = Callable[[int], tuple[int | None, int | None]]
"""What it sees at a time: cm to who moves and to who keeps still, None where there is nobody."""


def encode(moving_cm: int | None, still_cm: int | None, *, energy: int = 50, gates: list[int] | None = None) -> bytes:
    """A report, basic, or engineering where the energies of 9 moving and 9 still gates are given."""
    status = (1 if moving_cm is not None else 0) + (2 if still_cm is not None else 0)
    body = bytearray((2 if gates is None else 1, 0xAA, status))
    for distance_cm in (moving_cm, still_cm):
        body += bytes(((distance_cm or 0) % 256, (distance_cm or 0) // 256, 0 if distance_cm is None else energy))
    nearest_cm = min((cm for cm in (moving_cm, still_cm) if cm is not None), default=0)
    body += bytes((nearest_cm % 256, nearest_cm // 256))
    if gates is not None:
        body += bytes((8, 8, *gates, 0, 0))
    body += bytes((0x55, 0x00))
    return bytes((0xF4, 0xF3, 0xF2, 0xF1, len(body), 0, *body, 0xF8, 0xF7, 0xF6, 0xF5))


def encode_s(moving_cm: int | None, still_cm: int | None) -> bytes:
    """An LD2410S's short report."""
    seen = [cm for cm in (moving_cm, still_cm) if cm is not None]
    nearest_cm = min(seen, default=0)
    return bytes((0x6E, 2 if seen else 0, nearest_cm % 256, nearest_cm // 256, 0x62))


class Ld2410Radar:
    """Sends a report each 100 ms of what `look` sees then."""

    def __init__(self, look: Look, speak: Callable[[int | None, int | None], bytes] = encode) -> None:
        self._look = look
        self._speak = speak
        self._next_ns: int | None = None

    def due(self, now_ns: int) -> bytes:
        if self._next_ns is None:
            self._next_ns = now_ns
        sent = b""
        while self._next_ns <= now_ns:
            sent += self._speak(*self._look(self._next_ns))
            self._next_ns += FRAME_NS
        return sent

    def receive(self, data: bytes, now_ns: int) -> bytes:
        """It answers nothing: its commands are not simulated."""
        del data, now_ns
        return b""
