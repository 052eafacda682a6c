"""Every parser of a serial protocol, by the same rules: no byte is too many, none is missed, none is believed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.sensors import ld2450, modbus, terabee
from edge.sensors.frames import Frames, Layout
from firmware_cfg.sensors import ModbusCounter
from simulators.devices import counters
from simulators.devices import ld2450 as radar

fuzz = settings(deadline=None)  # a busy machine is no failure

MODBUS = ModbusCounter(name="m", kind="modbus-counter", entrance="front", port="/dev/x")
LAYOUTS: dict[str, Layout[Any]] = {
    "ld2450": ld2450.LAYOUT,
    "terabee": terabee.LAYOUT,
    "modbus": modbus.Protocol(MODBUS).layout,
}
BAUD_START = {"ld2450": b"\xaa\xff\x03\x00", "terabee": b"PC", "modbus": b"\x01\x04\x08"}

u16 = st.integers(0, 2**16 - 1)
u32 = st.integers(0, 2**32 - 1)
slot = st.none() | st.tuples(st.integers(-6000, 6000), st.integers(0, 6000), st.integers(-300, 300))
frames = {
    "ld2450": st.tuples(slot, slot, slot).map(radar.encode),
    "terabee": st.builds(lambda in_, out: counters.TerabeeCounter(in_, out).frame(), u16, u16),
    "modbus": st.builds(
        lambda in_, out: counters.ModbusCounter(in_, out).receive(bytes.fromhex("010400000004f1c9"), 0), u32, u32
    ),
}
protocols = pytest.mark.parametrize("protocol", LAYOUTS)


def streams(protocol: str) -> st.SearchStrategy[bytes]:
    """Frames whole, broken and with one bit wrong, their beginnings, and any bytes, in any order."""
    whole = frames[protocol]
    broken = st.builds(lambda frame, at: frame[:at], whole, st.integers(0, 30))
    flipped = st.builds(
        lambda frame, bit: bytes(
            byte ^ (1 << bit % 8) * (at == bit // 8 % len(frame)) for at, byte in enumerate(frame)
        ),
        whole,
        st.integers(0, 240),
    )
    piece = whole | broken | flipped | st.just(BAUD_START[protocol]) | st.binary(max_size=20)
    return st.lists(piece, max_size=8).map(b"".join)


@protocols
@fuzz
@given(data=st.data())
def test_however_the_bytes_are_split_the_same_frames_come_out(protocol: str, data: st.DataObject) -> None:
    stream = data.draw(streams(protocol))
    whole = Frames(LAYOUTS[protocol])
    expected = whole.feed(stream)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    parts = Frames(LAYOUTS[protocol])
    found = []
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += parts.feed(stream[begin:end])
        assert parts.pending < LAYOUTS[protocol].longest
    assert found == expected
    assert (parts.good, parts.bad, parts.noise) == (whole.good, whole.bad, whole.noise)


@protocols
@fuzz
@given(data=st.data())
def test_a_frame_after_any_garbage_is_found(protocol: str, data: st.DataObject) -> None:
    # The second copy: garbage may end in what makes the first one the rest of another frame.
    frame = data.draw(frames[protocol])
    expected = Frames(LAYOUTS[protocol]).feed(frame)
    assert len(expected) == 1
    assert Frames(LAYOUTS[protocol]).feed(data.draw(streams(protocol)) + frame + frame)[-1:] == expected


@protocols
@fuzz
@given(data=st.data())
def test_what_a_whole_frame_is_followed_by_changes_nothing(protocol: str, data: st.DataObject) -> None:
    frame = data.draw(frames[protocol])
    reader = Frames(LAYOUTS[protocol])
    assert len(reader.feed(frame)) == 1
    assert reader.pending == 0


@pytest.mark.parametrize("protocol", ["terabee", "modbus"])
@fuzz
@given(data=st.data())
def test_one_wrong_bit_is_never_believed(protocol: str, data: st.DataObject) -> None:
    frame = bytearray(data.draw(frames[protocol]))
    bit = data.draw(st.integers(0, 8 * len(frame) - 1))
    frame[bit // 8] ^= 1 << bit % 8
    assert Frames(LAYOUTS[protocol]).feed(bytes(frame)) == []


@protocols
def test_noise_and_spoilt_frames_are_counted_once_joined(protocol: str) -> None:
    frame = {
        "ld2450": radar.encode([None, None, None]),
        "terabee": counters.TerabeeCounter(3, 2).frame(),
        "modbus": counters.ModbusCounter(3, 2).receive(bytes.fromhex("010400000004f1c9"), 0),
    }[protocol]
    spoilt = frame[:-1] + bytes((frame[-1] ^ 0xFF,))
    reader = Frames(LAYOUTS[protocol])
    reader.feed(frame[5:])
    assert (reader.good, reader.bad, reader.noise) == (0, 0, 0)
    reader.feed(frame + b"\x11\x22" + spoilt + frame)
    assert (reader.good, reader.bad, reader.noise) == (2, 1, 2 + len(frame))
    reader.forget()
    reader.feed(b"\x11" + frame)
    assert (reader.good, reader.noise) == (3, 2 + len(frame))


def test_a_layout_that_wants_too_much_is_not_waited_for() -> None:
    greedy = Frames(Layout(4, lambda window: None if window[:1] == b"?" else 1, lambda frame: frame))
    assert greedy.feed(b"????a") == []
    assert greedy.pending == 3
    assert greedy.feed(b"bcde") == [b"a", b"b", b"c", b"d", b"e"]
