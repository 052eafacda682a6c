"""What of a radar's word to believe: people come, change and go; fans, ghosts and neighbours are where they always are.

The room is cut by distance into gates. A gate loses its say while something moves in it without a pause and the PIR
sees nobody (a machine), when it never rests for hours where there is no PIR to ask, and for half a day when it moved
again and again in a room known to be shut and empty (a curtain, a neighbour behind a partition).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from edge.sensors.ld2410 import Presence
from firmware_cfg.times import NS_PER_S

GATE_CM, BORDER_CM = 75, 20
_MINUTE_NS = 60 * NS_PER_S
_HOUR_NS = 60 * _MINUTE_NS

DUTY_MEMORY_NS = _MINUTE_NS
STEP_NS_MAX = NS_PER_S
"""A report speaks for the time since the last one, but for no longer than this."""
MACHINE_DUTY, REST_DUTY = 0.8, 0.3
PIR_ASKED_NS = 2 * _MINUTE_NS
RESTLESS_NS = _HOUR_NS
HAUNTED_MINUTES, HAUNTED_NS = 3, 12 * _HOUR_NS


@dataclass(slots=True, eq=False)
class _Gate:
    """`duty` is the share of the last minute or so in which something moved here or at its border, as of `duty_ns`."""

    duty: float = 0.0
    duty_ns: int = 0
    restless_ns: int | None = None
    machine: bool = False
    haunted_minutes: int = 0
    haunted_ns: int | None = None
    sign_ns: int | None = None

    def share(self, t_ns: int) -> float:
        return self.duty * math.exp((self.duty_ns - t_ns) / DUTY_MEMORY_NS)

    def moves(self, t_ns: int, step_ns: int) -> None:
        before, kept = self.share(t_ns - step_ns), math.exp(-step_ns / DUTY_MEMORY_NS)
        self.duty, self.duty_ns = before * kept + 1 - kept, t_ns
        if before < REST_DUTY:
            self.machine = False
        if self.duty < MACHINE_DUTY:
            self.restless_ns = None
        elif self.restless_ns is None:
            self.restless_ns = t_ns

    def is_machine(self, t_ns: int, *, pir_asked: bool, pir_quiet: bool) -> bool:
        """Whether that becomes known now."""
        if self.machine or self.restless_ns is None:
            return False
        return pir_quiet if pir_asked else t_ns - self.restless_ns >= RESTLESS_NS

    def haunt(self, t_ns: int) -> None:
        if not self._haunted_lately(t_ns):
            self.haunted_minutes = 0
        if self.haunted_ns is None or t_ns - self.haunted_ns >= _MINUTE_NS:
            self.haunted_minutes += 1
            self.haunted_ns = t_ns

    def believed(self, t_ns: int) -> bool:
        return not self.machine and not (self.haunted_minutes >= HAUNTED_MINUTES and self._haunted_lately(t_ns))

    def _haunted_lately(self, t_ns: int) -> bool:
        return self.haunted_ns is not None and t_ns - self.haunted_ns < HAUNTED_NS


class RadarMemory:
    """Presences in, signs of life out. Times must not run backwards."""

    def __init__(self, max_cm: int) -> None:
        self._gates = [_Gate() for _ in range(max_cm // GATE_CM + 1)]
        self._max_cm = max_cm
        self._still: list[_Gate] = []
        self.heard_ns: int | None = None

    def sees(self, t_ns: int, presence: Presence, pir_sign_ns: int | None, *, pir_asked: bool, empty: bool) -> None:
        """Take a report. `pir_asked`: the PIR would tell of people; `empty`: the room is known to be."""
        step_ns = min(t_ns - self.heard_ns, STEP_NS_MAX) if self.heard_ns is not None else 0
        self.heard_ns = t_ns
        still_cm = presence.still_cm
        self._still = [] if still_cm is None or still_cm > self._max_cm else self._around(still_cm)
        moving_cm = presence.moving_cm
        if moving_cm is None or moving_cm > self._max_cm:
            return
        pir_quiet = pir_sign_ns is None or t_ns - pir_sign_ns >= PIR_ASKED_NS
        for near in self._around(moving_cm):
            near.moves(t_ns, step_ns)
            if near.is_machine(t_ns, pir_asked=pir_asked, pir_quiet=pir_quiet):
                self._silence(near)
        gate = self._gates[moving_cm // GATE_CM]
        if any(near.machine for near in self._around(moving_cm)):
            return
        if empty:
            gate.haunt(t_ns)
        gate.sign_ns = t_ns

    def _silence(self, machine: _Gate) -> None:
        """What a machine did was no sign of life, here or just beyond the border."""
        machine.machine = True
        at = self._gates.index(machine)
        for gate in self._gates[max(0, at - 1) : at + 2]:
            gate.sign_ns = None

    def sign_ns(self, t_ns: int) -> int | None:
        """When it last saw somebody move."""
        signs = [gate.sign_ns for gate in self._gates if gate.sign_ns is not None and gate.believed(t_ns)]
        return max(signs, default=None)

    def still(self, t_ns: int) -> bool:
        """Whether it sees somebody who keeps still."""
        return bool(self._still) and all(gate.believed(t_ns) for gate in self._still)

    def _around(self, distance_cm: int) -> list[_Gate]:
        """What is near a border is in both gates."""
        first, last = max(0, distance_cm - BORDER_CM) // GATE_CM, (distance_cm + BORDER_CM) // GATE_CM
        return self._gates[first : last + 1]
