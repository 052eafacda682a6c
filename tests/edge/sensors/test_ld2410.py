"""Presence radars' reports: worked frames, any bytes in any split, and what one means."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serial_bench import worked_frames

from edge.sensors.frames import Frames, Layout
from edge.sensors.ld2410 import LAYOUT, LAYOUT_S, Ld2410, Ld2410S, Presence, Report
from simulators.devices.ld2410 import Ld2410Radar, encode, encode_s

LAYOUTS: dict[str, Layout[Report]] = {"ld2410": LAYOUT, "ld2410s": LAYOUT_S}
both = pytest.mark.parametrize("model", LAYOUTS)

distance = st.none() | st.integers(0, 1000)
energies = st.none() | st.lists(st.integers(0, 100), min_size=18, max_size=18)
whole = {
    "ld2410": st.builds(lambda moving, still, gates: encode(moving, still, gates=gates), distance, distance, energies),
    "ld2410s": st.builds(encode_s, distance, distance),
}
START = {"ld2410": b"\xf4\xf3\xf2\xf1\x0d\x00", "ld2410s": b"\x6e\x02"}


def streams(model: str) -> st.SearchStrategy[bytes]:
    """Frames whole, broken and with a byte wrong, their beginnings, and any bytes, in any order."""
    broken = st.builds(lambda frame, at: frame[:at], whole[model], st.integers(0, 44))
    wrong = st.builds(
        lambda frame, at, byte: frame[: at % len(frame)] + bytes((byte,)) + frame[at % len(frame) + 1 :],
        whole[model],
        st.integers(0, 44),
        st.integers(0, 255),
    )
    piece = whole[model] | broken | wrong | st.just(START[model]) | st.binary(max_size=20)
    return st.lists(piece, max_size=8).map(b"".join)


def test_the_worked_frames_say_what_they_should() -> None:
    frames = worked_frames()
    for name in ("ld2410_basic", "ld2410_engineering"):
        decoded = frames[name]["decoded"]
        keys = ("target_status", "moving_cm", "moving_energy", "static_cm", "static_energy", "detection_cm")
        assert Frames(LAYOUT).feed(frames[name]["data"]) == [Report(*(decoded[key] for key in keys))]
    decoded = frames["ld2410s_minimal"]["decoded"]
    assert Frames(LAYOUT_S).feed(frames["ld2410s_minimal"]["data"]) == [Report(2, still_cm=decoded["distance_cm"])]


def test_a_corrupt_length_is_refused_at_once() -> None:
    frames = worked_frames()
    reader = Frames(LAYOUT)
    assert reader.feed(frames["ld2410_len_corrupt"]["data"]) == []
    assert len(reader.feed(frames["ld2410_basic"]["data"])) == 1
    assert reader.pending == 0


@both
@given(data=st.data())
def test_however_the_bytes_are_split_the_same_reports_come_out(model: str, data: st.DataObject) -> None:
    stream = data.draw(streams(model))
    expected = Frames(LAYOUTS[model]).feed(stream)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    parts = Frames(LAYOUTS[model])
    found: list[Report] = []
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += parts.feed(stream[begin:end])
        assert parts.pending < LAYOUTS[model].longest
    assert found == expected
    for report in found:
        assert 0 <= report.status <= 6
        assert 0 <= max(report.moving_cm, report.still_cm, report.detection_cm) <= 1000


@both
@given(data=st.data())
def test_a_report_after_any_garbage_is_found(model: str, data: st.DataObject) -> None:
    # Garbage may end in what looks like the beginning of a longer frame: two more reports show that it was not.
    frame = data.draw(whole[model])
    [expected] = Frames(LAYOUTS[model]).feed(frame)
    assert Frames(LAYOUTS[model]).feed(data.draw(streams(model)) + 3 * frame)[-1] == expected


@pytest.mark.parametrize(
    ("at", "byte"),
    [(4, 0x0E), (6, 0x01), (7, 0xAB), (8, 7), (10, 0x04), (11, 101), (19, 0x54), (20, 1), (-1, 0xF4)],
    ids=["length", "type", "AA", "status", "distance", "energy", "55", "00", "tail"],
)
def test_a_value_that_cannot_be_is_refused(at: int, byte: int) -> None:
    frame = bytearray(encode(80, 200))
    frame[at] = byte
    assert Frames(LAYOUT).feed(bytes(frame)) == []


@given(distance, distance)
def test_a_report_says_who_moves_and_who_keeps_still(moving_cm: int | None, still_cm: int | None) -> None:
    assert Ld2410().feed(encode(moving_cm, still_cm)) == [Presence(moving_cm, still_cm)]


@pytest.mark.parametrize("status", [4, 5, 6])
def test_a_radar_that_calibrates_says_nothing(status: int) -> None:
    frame = bytearray(encode(80, 200))
    frame[8] = status
    radar = Ld2410()
    assert radar.feed(bytes(frame)) == []
    assert radar.frames.good == 1


def test_who_changes_place_before_an_ld2410s_moves() -> None:
    radar = Ld2410S()
    places: list[Any] = [None, 150, 155, 159, 160, 151, None, 151]
    seen = [radar.feed(encode_s(None, place))[0] for place in places]
    assert [presence.still_cm for presence in seen] == places
    assert [presence.moving_cm for presence in seen] == [None, 150, None, None, 160, None, None, 151]


def test_a_simulated_radar_reports_ten_times_a_second() -> None:
    radar = Ld2410Radar(lambda t_ns: (None, t_ns // 10**8))
    assert radar.due(5 * 10**8) == encode(None, 5)
    assert radar.due(8 * 10**8 - 1) == encode(None, 6) + encode(None, 7)
    assert radar.due(8 * 10**8 - 1) == b""
