"""What tests of serial sensors share: worked frames, and a bench with a sensor at a simulated port."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edge.clock import ManualClock, read
from edge.drafts import Noticed, Reading
from edge.sensors.base import Driver, Surroundings
from edge.sensors.kinds import make
from firmware_cfg.wire import event_adapter

if TYPE_CHECKING:
    from collections.abc import Callable

    from firmware_cfg.schema import Sensor
    from simulators.devices.line import PtyPort

S = 1_000_000_000
STEP_NS = S // 10


def worked_frames() -> dict[str, dict[str, Any]]:
    """Worked frames by name, the bad ones too, their bytes under `data`; skips where the file is not there."""
    shared = Path(os.environ.get("FOYER_SHARED", Path(__file__).parents[2] / "shared"))
    file = shared / "data" / "serial" / "frames.json"
    if not file.is_file():
        pytest.skip(f"the worked frames are not at {file}; set FOYER_SHARED")
    content = json.loads(file.read_text(encoding="utf-8"))
    frames = [frame for frame in content["frames"] + content["negative"] if "hex" in frame]
    return {frame["name"]: {**frame, "data": bytes.fromhex(frame["hex"])} for frame in frames}


@dataclass
class Bench:
    """A sensor of that configuration at that port, on a clock that only `run` and `restart` move."""

    config: Sensor
    port: PtyPort
    memo: Any = None
    clock: ManualClock = field(default_factory=lambda: ManualClock(1_800_000_000 * S, mono_ns=100 * S))
    world_ns: int = 100 * S
    """The device's time, which goes on when the unit's begins again."""
    found: list[Reading | Noticed] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sensor: Driver = make(self.config, Surroundings(self.clock, memos={self.config.name: self.memo}))

    def open(self) -> None:
        self.sensor.open(read(self.clock))

    def run(self, seconds: float, each: Callable[[], None] = lambda: None) -> list[Reading | Noticed]:
        """Let that much time pass in steps of 100 ms; gives back what the sensor found meanwhile."""
        found: list[Reading | Noticed] = []
        for _ in range(round(seconds * S / STEP_NS)):
            each()
            self.clock.advance(STEP_NS)
            self.world_ns += STEP_NS
            self.port.step(self.world_ns)
            found += self.sensor.poll(read(self.clock))
        self.found += found
        return found

    def restart(self, *, boot_id: str | None = None, away_s: float = 0.0) -> None:
        """The unit's process ends and another begins, on the next boot if that is named."""
        memo = json.loads(json.dumps(self.sensor.memo()))
        self.sensor.close()
        self.clock.advance(round(away_s * S))
        self.world_ns += round(away_s * S)
        self.port.device.due(self.world_ns)  # what it sends meanwhile reaches nobody
        if boot_id:
            self.clock.reboot(boot_id, wall_ns=self.clock.wall_ns(), synced=True, mono_ns=5 * S)
        self.sensor = make(self.config, Surroundings(self.clock, memos={self.config.name: memo}))
        self.open()


def readings(found: list[Reading | Noticed]) -> list[Reading]:
    """The readings among what was found, each of them fit for the wire."""
    taken = [item for item in found if isinstance(item, Reading)]
    for item in taken:
        place = {"seq": 1, "t_ns": 1, "clock": "synced", "sensor": "r", "hub": "strood", "entrance": "front"}
        event_adapter.validate_python({**place, "kind": item.kind, **item.fields})
    return taken


def faults(found: list[Reading | Noticed]) -> list[tuple[str, bool]]:
    return [(item.fault, item.active) for item in found if isinstance(item, Noticed)]
