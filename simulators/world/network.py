"""MQTT without sockets: a broker in memory, connections that delay, break and fall silent, and the clients' ends."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from collector.subscriber import Delivery
from edge.link import Connected, Disconnected, Happening, Identity, Received
from firmware_cfg.wire import Channel, parse_topic
from simulators.world.parts import Danger
from simulators.world.timeline import Timeline

NOTICE_S = (30.0, 45.0)
"""How long after it fell silent a connection is given up."""
RETRY_S = (0.5, 8.0)
TO_COLLECTOR = ("events", "health", "state", "reply")


class Connection:
    """One connection of a client: what goes one way arrives in order. `lost` is called when the client notices."""

    def __init__(self, broker: Broker, lost: Callable[[], None]) -> None:
        self._timeline = broker.timeline
        self._broker = broker
        self._lost = lost
        self.open = True
        self.silent = False
        self._last_ns = {True: 0, False: 0}
        self._on_the_way: dict[int, bool] = {}
        self._number = 0
        broker.connections.append(self)

    def send(self, arrive: Callable[[], None], *, up: bool) -> None:
        """To the broker (`up`) or from it; lost without a word while the connection is silent or gone."""
        if self.silent or not self.open:
            return
        timeline = self._timeline
        low_s, high_s = self._broker.delay_s
        arrive_ns = max(self._last_ns[up], timeline.now_ns + timeline.between(low_s, high_s))
        self._last_ns[up] = arrive_ns
        self._number += 1
        number = self._number
        self._on_the_way[number] = up

        def arrived() -> None:
            if self._on_the_way.pop(number, None) is not None:
                arrive()

        timeline.after(arrive_ns - timeline.now_ns, arrived)

    def cut(self) -> None:
        """It breaks: of what was on its way to the broker the first part may still arrive, however late."""
        if not self.open:
            return
        self.open = False
        self._broker.connections.remove(self)
        upward = [number for number, up in self._on_the_way.items() if up]
        kept = set(upward[: self._timeline.chance.randint(0, len(upward))])
        self._on_the_way = {number: True for number in upward if number in kept}
        self._lost()

    def fall_silent(self) -> None:
        """Nothing comes through any more; after a while the client notices."""
        self.silent = True
        self._on_the_way.clear()
        self._timeline.after(self._timeline.between(*NOTICE_S), self.cut)


@dataclass(frozen=True, slots=True)
class _Message:
    topic: str
    payload: bytes
    retained: bool = False


@dataclass(slots=True)
class _Session:
    """What the broker keeps for the collector."""

    queue: deque[_Message] = field(default_factory=deque)
    unacked: dict[int, _Message] = field(default_factory=dict)

    def copy(self) -> _Session:
        return _Session(deque([*self.unacked.values(), *self.queue]))


class Broker:
    """Routes; keeps a session for the collector and the last state of each unit. May be down, late, or wiped."""

    def __init__(self, timeline: Timeline, receive_max: int) -> None:
        self.timeline = timeline
        self.receive_max = receive_max
        self.connections: list[Connection] = []
        self.up = True
        self.delay_s = (0.001, 0.05)
        self.twice = 0.0
        """The part of messages that is delivered twice."""
        self.acks_lost = 0.0
        self.reachable: dict[str, bool] = {}
        """By client: whether its network leads here."""
        self.units: dict[str, UnitLink] = {}
        self.collector: CollectorLine | None = None
        self._session: _Session | None = None
        self._states: dict[str, bytes] = {}
        self._saved: tuple[_Session | None, dict[str, bytes]] = (None, {})
        self._mid = 0
        self._waiting: list[Callable[[], None]] = []

    def answers(self, client: str) -> bool:
        return self.up and self.reachable.get(client, True)

    def when_back(self, retry: Callable[[], None]) -> None:
        """Have a client try again some seconds after it or the broker has come back."""
        self._waiting.append(retry)

    def come_back(self) -> None:
        """It is up, or a network leads here again."""
        waiting, self._waiting = self._waiting, []
        for retry in waiting:
            self.timeline.after(self.timeline.between(*RETRY_S), retry)

    def publish(self, topic: str, payload: bytes) -> None:
        """A message has arrived here."""
        address = parse_topic(topic)
        if not self.up or address is None:
            return
        self.timeline.note(topic, payload)
        if address.channel in TO_COLLECTOR:
            if address.channel == "state":
                self._states[topic] = payload
            if self._session is not None:
                copies = 2 if self.timeline.chance.random() < self.twice else 1
                self._session.queue.extend([_Message(topic, payload)] * copies)
                self._pump()
        elif address.unit in self.units and self.timeline.chance.random() >= self.acks_lost:
            self.units[address.unit].receive(address.channel, payload)
        if self.timeline.chance.random() < 0.2:  # noqa: PLR2004 - saves to disk now and then
            self._saved = (self._session and self._session.copy(), dict(self._states))

    def subscribe(self, line: CollectorLine) -> None:
        """The collector is back: what it never acknowledged comes again, in the order in which it came."""
        self.collector = line
        if self._session is None:
            self._session = _Session()
        self._session = self._session.copy()
        retained = [_Message(topic, payload, retained=True) for topic, payload in self._states.items()]
        self._session.queue.extendleft(retained)
        self._pump()

    def acknowledged(self, mids: Sequence[int]) -> None:
        if self._session is not None:
            for mid in mids:
                self._session.unacked.pop(mid, None)
            self._pump()

    def _pump(self) -> None:
        session, line = self._session, self.collector
        while session and line and session.queue and len(session.unacked) < self.receive_max:
            message = session.queue.popleft()
            self._mid += 1
            session.unacked[self._mid] = message
            line.deliver(Delivery(message.topic, message.payload, message.retained, self._mid, 1, line.number))

    @property
    def idle(self) -> bool:
        return self._session is None or not (self._session.queue or self._session.unacked)

    def crash(self, *, wiped: bool) -> None:
        """Gone, and with it what was not saved; `wiped`: all of it."""
        self.up = False
        for connection in list(self.connections):
            connection.cut()
        session, states = (None, {}) if wiped else self._saved
        self._session, self._states = session and session.copy(), dict(states)
        self._saved = (session, states)


class UnitLink:
    """`edge.link.Link` in this world. `wake` is called when something has come."""

    def __init__(self, broker: Broker, danger: Danger, wake: Callable[[], None], number: int) -> None:
        self.dropped = 0
        self._broker = broker
        self._danger = danger
        self._wake = wake
        self._number = number
        self._connections = 0
        self._identity: Identity | None = None
        self._connection: Connection | None = None
        self._happenings: deque[Happening] = deque()

    def open(self, identity: Identity) -> None:
        self._identity = identity
        self._connect()

    def poll(self) -> list[Happening]:
        self._danger("reads")
        happenings = list(self._happenings)
        self._happenings.clear()
        return happenings

    def publish(self, topic: str, payload: bytes) -> bool:
        self._danger("publishes")
        if self._connection is None:
            return False
        self._connection.send(lambda: self._broker.publish(topic, payload), up=True)
        return True

    def receive(self, channel: Channel, payload: bytes) -> None:
        connection = self._connection
        if connection is not None:
            connection.send(lambda: self._happened(Received(channel, payload)), up=False)

    def close(self) -> None:
        """Also what a crash does to it: nothing comes or goes any more."""
        self._identity = None
        if self._connection is not None:
            self._connection.cut()

    def _connect(self) -> None:
        identity = self._identity
        if identity is None or self._connection is not None:
            return
        if not self._broker.answers(identity.unit):
            self._broker.when_back(self._connect)
            return
        self._connections += 1
        session = f"session-{self._number}-{self._connections}"
        connection = self._connection = Connection(self._broker, lambda: self._gone(identity, session))
        self._broker.units[identity.unit] = self
        birth = identity.state(session, online=True)
        connection.send(lambda: self._broker.publish(identity.topic("state"), birth), up=True)
        connection.send(lambda: self._happened(Connected(session)), up=False)

    def _gone(self, identity: Identity, session: str) -> None:
        """The broker says the last will, we try again."""
        self._connection = None
        timeline = self._broker.timeline
        will = identity.state(session, online=False)
        timeline.after(timeline.between(0, 1), lambda: self._broker.publish(identity.topic("state"), will))
        self._happened(Disconnected("it broke"))
        timeline.after(timeline.between(*RETRY_S), self._connect)

    def _happened(self, happening: Happening) -> None:
        self._happenings.append(happening)
        self._wake()

    def cut(self) -> None:
        if self._connection is not None:
            self._connection.cut()

    def fall_silent(self) -> None:
        if self._connection is not None:
            self._connection.fall_silent()


class CollectorLine:
    """What `collector.subscriber.Subscriber` is to the pipeline. `arrived` takes what the broker sends."""

    def __init__(
        self, broker: Broker, danger: Danger, arrived: Callable[[Delivery], None], wake: Callable[[], None]
    ) -> None:
        self.number = 0
        """Of the connection."""
        self._broker = broker
        self._danger = danger
        self._arrived = arrived
        self._wake = wake
        self._connection: Connection | None = None
        self._closed = False
        self._connect()

    def publish(self, topic: str, payload: bytes) -> None:
        self._danger("answers")
        if self._connection is not None:
            self._connection.send(lambda: self._broker.publish(topic, payload), up=True)

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        self._danger("acknowledges")
        mids = [delivery.mid for delivery in deliveries if delivery.connection == self.number]
        if self._connection is not None and mids:
            self._connection.send(lambda: self._broker.acknowledged(mids), up=True)

    def wake(self) -> None:
        self._wake()

    def deliver(self, delivery: Delivery) -> None:
        connection = self._connection
        if connection is not None:
            connection.send(lambda: self._take(delivery), up=False)

    def _take(self, delivery: Delivery) -> None:
        self._arrived(delivery)
        self._wake()

    def close(self) -> None:
        self._closed = True
        self.cut()

    def cut(self) -> None:
        if self._connection is not None:
            self._connection.cut()

    def fall_silent(self) -> None:
        if self._connection is not None:
            self._connection.fall_silent()

    def _connect(self) -> None:
        if self._closed or self._connection is not None:
            return
        if not self._broker.answers("collector"):
            self._broker.when_back(self._connect)
            return
        self.number += 1
        connection = self._connection = Connection(self._broker, self._gone)

        def subscribed() -> None:
            if connection.open:  # a broker answers, and learns that nobody is there any more
                self._broker.subscribe(self)

        connection.send(subscribed, up=True)

    def _gone(self) -> None:
        self._connection = None
        if self._broker.collector is self:
            self._broker.collector = None
        timeline = self._broker.timeline
        timeline.after(timeline.between(*RETRY_S), self._connect)
