"""Messages taken out of what a broker sends, in whatever pieces it comes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from collector.mqtt_stream import Publish, acknowledgements, messages
from collector.subscriber import _Client

PROPERTIES = (b"", b"\x01\x01", b"\x02\x00\x00\x00\x3c", b"\x26\x00\x01a\x00\x01b" * 20)
PINGRESP = b"\xd0\x00"
PUBACK = b"\x40\x02\x00\x07"


def variable(value: int) -> bytes:
    coded = bytearray()
    while True:
        value, byte = divmod(value, 128)
        coded.append(byte | (0x80 if value else 0))
        if not value:
            return bytes(coded)


def coded(message: Publish, properties: bytes = b"", *, again: bool = False) -> bytes:
    name = message.topic.encode()
    mid = message.mid.to_bytes(2) if message.qos else b""
    rest = len(name).to_bytes(2) + name + mid + variable(len(properties)) + properties + message.payload
    return bytes([0x30 | again << 3 | message.qos << 1 | message.retained]) + variable(len(rest)) + rest


topics = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0#+"), min_size=1, max_size=40)
payloads = st.one_of(st.binary(max_size=300), st.integers(0, 70_000).map(bytes))
published = st.builds(
    lambda topic, payload, retained, qos, mid: Publish(topic, payload, retained, mid if qos else 0, qos),
    topics,
    payloads,
    st.booleans(),
    st.sampled_from((0, 1)),
    st.integers(1, 65_535),
)
packets = st.builds(lambda message, *how: (message, coded(message, how[0])), published, st.sampled_from(PROPERTIES))


@given(st.lists(packets, max_size=6), st.integers(0, 400))
def test_whole_messages_are_read_and_the_rest_is_left(sent: list[tuple[Publish, bytes]], cut: int) -> None:
    data = b"".join(packet for _, packet in sent)
    assert messages(data) == ([message for message, _ in sent], len(data))
    short = data[: max(0, len(data) - cut)]
    found, end = messages(short)
    assert found == [message for message, _ in sent][: len(found)]
    assert end == sum(len(packet) for _, packet in sent[: len(found)])
    assert len(found) == len(sent) or end + len(sent[len(found)][1]) > len(short)


@given(st.binary(max_size=200))
def test_rubbish_is_left_and_raises_nothing(data: bytes) -> None:
    found, end = messages(data)
    assert 0 <= end <= len(data)
    assert bool(found) == bool(end)


def test_what_is_no_message_of_ours_is_left_with_all_that_follows() -> None:
    good = coded(Publish("a/b", b"x", retained=False, mid=7, qos=1))
    name = b"\x00\x03a/b"
    for other in (
        PINGRESP,
        PUBACK,
        coded(Publish("a/b", b"x", retained=False, mid=7, qos=2)),
        b"\x36" + good[1:],  # QoS 3
        coded(Publish("a/b", b"x", retained=False, mid=0, qos=1)),  # nothing to acknowledge it by
        coded(Publish("", b"x", retained=False, mid=7, qos=1)),
        b"\x30\x08\x00\x03\xff/b\x00xx",  # no UTF-8
        b"\x30\x04\x00\x09a/",  # a topic longer than the packet
        b"\x30\x05" + name,  # no length of properties
        b"\x30\x07" + name + b"\x05x",  # properties longer than the packet
        b"\x30\xff\xff\xff\xff\x01",  # a length of five bytes
    ):
        found, end = messages(good + other + good)
        assert (len(found), end) == (1, len(good)), other


def test_a_message_that_comes_again_is_read_like_any_other() -> None:
    message = Publish("a/b", b"x", retained=True, mid=7, qos=1)
    assert messages(coded(message, again=True)) == ([message], len(coded(message)))


def test_acknowledgements_are_one_after_another() -> None:
    assert acknowledgements([7, 256]) == PUBACK + b"\x40\x02\x01\x00"
    assert acknowledgements([]) == b""


class Line:
    """A socket from which the given pieces come."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = [piece for piece in pieces if piece]

    def recv(self, size: int) -> bytes:
        if not self._pieces:
            raise BlockingIOError
        piece = self._pieces[0][:size]
        self._pieces[0] = self._pieces[0][size:]
        if not self._pieces[0]:
            del self._pieces[0]
        return piece

    def close(self) -> None:
        """Nothing to close."""


@given(
    st.lists(st.one_of(packets, st.just((None, PINGRESP)), st.just((None, PUBACK))), max_size=8),
    st.lists(st.integers(0, 2_000), max_size=8),
)
def test_a_client_takes_each_message_once_and_in_order_in_whatever_pieces_it_comes(
    sent: list[tuple[Publish | None, bytes]], cuts: list[int]
) -> None:
    data = b"".join(packet for _, packet in sent)
    ends = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    taken: list[Publish] = []

    def by_paho(_client: Any, _data: Any, message: MQTTMessage) -> None:
        taken.append(Publish(message.topic, bytes(message.payload), message.retain, message.mid, message.qos))

    client = _Client(CallbackAPIVersion.VERSION2, "c", protocol=MQTTProtocolVersion.MQTTv5, manual_ack=True)
    client.take = taken.append
    client.on_message = by_paho
    client._sock = Line([data[start:end] for start, end in pairwise(ends)])  # type: ignore[assignment]  # what of one is used
    handled = -1
    while client.handled != handled:
        handled = client.handled
        assert client.loop_read() == MQTTErrorCode.MQTT_ERR_SUCCESS
    client._sock = None
    client.reinitialise()
    assert taken == [message for message, _ in sent if message is not None]
    assert handled == len(data)
    assert not client.holds
