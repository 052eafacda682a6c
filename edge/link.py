"""The unit's side of a network: what `edge.publisher` does over MQTT, and a simulated world in one thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from firmware_cfg.wire import VERSION, Address, Channel, State


@dataclass(frozen=True, slots=True)
class Connected:
    """The unit's `ack` and `cmd` are subscribed to and its birth is published, both under this `session`."""

    session: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    reason: str


@dataclass(frozen=True, slots=True)
class Received:
    """A message on the unit's own `ack` or `cmd`."""

    channel: Channel
    payload: bytes


Happening = Connected | Disconnected | Received


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the unit is on the network, and where."""

    hub: str
    unit: str
    version: str

    def topic(self, channel: Channel) -> str:
        return Address(self.hub, self.unit, channel).topic

    def state(self, session: str, *, online: bool) -> bytes:
        """Birth or death as JSON; death is also the last will, and both are retained."""
        word = State(
            v=VERSION, unit=self.unit, session=session, state="online" if online else "offline", version=self.version
        )
        return word.model_dump_json().encode()


class Link(Protocol):
    """A connection that comes and goes. Nothing blocks.

    `open` begins to connect and never gives up. `poll` gives back what happened since the last call, in order.
    `publish` is QoS 1; false where there is no connection or no room, and then nothing was sent. A message is never
    sent again by the link itself. `close` publishes death and ends.
    """

    def open(self, identity: Identity) -> None: ...

    def poll(self) -> list[Happening]: ...

    def publish(self, topic: str, payload: bytes) -> bool: ...

    def close(self) -> None: ...

    @property
    def dropped(self) -> int:
        """Messages that came faster than they were polled and were dropped."""
        ...
