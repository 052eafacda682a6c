"""What can go wrong in a world. A fault begins at a random moment and ends; `heal` ends whatever is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from firmware_cfg.times import NS_PER_S
from simulators.world.hosts import HOLES_EVERY_S, HOLES_ON_QUIET_DAYS_S, RESTART_S, CollectorHost, Host, UnitHost
from simulators.world.network import Broker
from simulators.world.timeline import Timeline

DAY_S = 86_400.0


@dataclass(slots=True)
class Parts:
    """All that faults can happen to."""

    timeline: Timeline
    broker: Broker
    units: list[UnitHost]
    collector: CollectorHost
    broker_back_ns: int = 0
    """Until then it stays away."""

    def any_unit(self) -> UnitHost:
        return self.timeline.chance.choice(self.units)

    def later(self, low_s: float, high_s: float, action: Callable[[], None]) -> None:
        self.timeline.after(self.timeline.between(low_s, high_s), action)

    def heal(self) -> None:
        self.broker.up = True
        self.broker.delay_s = (0.001, 0.05)
        self.broker.twice = self.broker.acks_lost = 0.0
        self.broker.reachable.clear()
        self.broker.come_back()
        self.collector.set_store(away=False, answers_lost=0.0)
        self.collector.slow_s = 0.02
        self.collector.look_s = HOLES_EVERY_S
        self.collector.disk.full = False
        for unit in self.units:
            unit.disk.full = False
            unit.stretch_s = 0.0
            unit.clock.is_synced = True
            unit.clock.error_ns = 0
        for host in (*self.units, self.collector):
            host.spare()
            host.wake()


def _doom(parts: Parts, host: Host, *, torn: bool) -> None:
    host.doom(torn=torn, down_ns=parts.timeline.between(*RESTART_S))


def _unit_killed(parts: Parts) -> None:
    _doom(parts, parts.any_unit(), torn=False)


def _unit_power(parts: Parts) -> None:
    """The machine goes, with the unsynced end of its disk; it wakes without a clock for a while."""
    unit = parts.any_unit()
    unit.reboots = True
    _doom(parts, unit, torn=True)
    if parts.timeline.chance.random() < 0.5:  # noqa: PLR2004 - one in two
        unit.clock.is_synced = False
        unit.clock.error_ns = -parts.timeline.between(0, 400 * DAY_S)

        def synced() -> None:
            unit.clock.is_synced, unit.clock.error_ns = True, 0

        parts.later(5, 60, synced)


def _collector_killed(parts: Parts) -> None:
    _doom(parts, parts.collector, torn=False)


def _collector_power(parts: Parts) -> None:
    _doom(parts, parts.collector, torn=True)


def _broker_away(parts: Parts, low_s: float, high_s: float, *, wiped: bool) -> None:
    """It comes back when the last of those who took it away lets it."""
    parts.broker.crash(wiped=wiped)
    away_ns = parts.timeline.between(low_s, high_s)
    parts.broker_back_ns = max(parts.broker_back_ns, parts.timeline.now_ns + away_ns)

    def back() -> None:
        if parts.timeline.now_ns >= parts.broker_back_ns:
            parts.broker.up = True
            parts.broker.come_back()

    parts.timeline.after(away_ns, back)


def _broker_killed(parts: Parts) -> None:
    _broker_away(parts, 0.1, 10, wiped=False)


def _broker_wiped(parts: Parts) -> None:
    _broker_away(parts, 0.1, 10, wiped=True)


def _days_without_broker(parts: Parts) -> None:
    """People go on coming meanwhile; processes look at the world now and then."""
    days = parts.timeline.chance.uniform(1, 14)
    _broker_away(parts, days * DAY_S, days * DAY_S, wiped=parts.timeline.chance.random() < 0.5)  # noqa: PLR2004 - one in two
    parts.collector.look_s = HOLES_ON_QUIET_DAYS_S
    for unit in parts.units:
        unit.stretch_s = 8 * 3600.0
        start_ns, end_ns = parts.timeline.now_ns, parts.timeline.now_ns + int(days * DAY_S * NS_PER_S)
        come = [t_ns for t_ns in unit.times_ns if t_ns <= start_ns]
        rest = len(unit.times_ns) - len(come)
        come += sorted(parts.timeline.chance.randint(start_ns, end_ns) for _ in range(rest))
        unit.times_ns[:] = come


def _network_cut(parts: Parts) -> None:
    """The client's network is gone for a while, noticed at once or not."""
    chance = parts.timeline.chance
    host = chance.choice([*parts.units, parts.collector])
    parts.broker.reachable[host.name] = False
    line = host.link if isinstance(host, UnitHost) else parts.collector.line
    if line is not None:
        (line.cut if chance.random() < 0.5 else line.fall_silent)()  # noqa: PLR2004 - one in two

    def back() -> None:
        parts.broker.reachable[host.name] = True
        parts.broker.come_back()

    parts.later(0.1, 60, back)


def _slow_network(parts: Parts) -> None:
    """Answers come after the unit has sent again, and on other connections than it asked on."""
    parts.broker.delay_s = (0.5, 45.0)


def _twice(parts: Parts) -> None:
    parts.broker.twice = 0.4


def _acks_lost(parts: Parts) -> None:
    parts.broker.acks_lost = 0.7


def _store_away(parts: Parts) -> None:
    parts.collector.set_store(away=True)
    parts.later(1, 600, lambda: parts.collector.set_store(away=False))


def _store_unsure(parts: Parts) -> None:
    """It has stored and says that it has not."""
    parts.collector.set_store(answers_lost=0.6)


def _store_slow(parts: Parts) -> None:
    parts.collector.slow_s = 30.0


def _disk_full(parts: Parts) -> None:
    host = parts.timeline.chance.choice([*parts.units, parts.collector])
    host.disk.full = True

    def room() -> None:
        host.disk.full = False

    parts.later(1, 60, room)


def _clock_step(parts: Parts) -> None:
    """Hours back, or up to half an hour on: further, the collector takes it for a mistake and says so."""
    clock = parts.any_unit().clock
    clock.error_ns += parts.timeline.between(-6 * 3600, 1800)


FAULTS: dict[str, Callable[[Parts], None]] = {
    "unit killed": _unit_killed,
    "unit without power": _unit_power,
    "broker killed": _broker_killed,
    "broker wiped": _broker_wiped,
    "days without a broker": _days_without_broker,
    "collector killed": _collector_killed,
    "collector without power": _collector_power,
    "network cut": _network_cut,
    "slow network": _slow_network,
    "delivered twice": _twice,
    "acks lost": _acks_lost,
    "store away": _store_away,
    "store unsure": _store_unsure,
    "store slow": _store_slow,
    "disk full": _disk_full,
    "clock steps": _clock_step,
}
