"""Everything in a demo's buildings but the beams: counters on serial ports, meeting rooms, defibrillator cabinets.

`fitted` gives each serial device and thermometer of a fleet a place in a folder; `Premises` brings them to life there.
"""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from edge.clock import Clock
from firmware_cfg.load import Fleet
from firmware_cfg.schema import Hub, Sensor, Stay
from firmware_cfg.sensors import Cabinet, RadarLine, RoomPresence, SerialConfig, TerabeeEvo
from firmware_cfg.sensors import ModbusCounter as ModbusConfig
from firmware_cfg.times import NS_PER_S
from simulators.cabinets import w1_slave
from simulators.devices.counters import ModbusCounter, TerabeeCounter
from simulators.devices.ld2410 import Ld2410Radar, encode, encode_s
from simulators.devices.ld2450 import Ld2450Radar, Walk
from simulators.devices.line import Device, PtyPort
from simulators.people import Crossing

STEP_NS = 50_000_000
_RADAR_REACH_MM = 900.0
_RADAR_SPEED_MM_S = 1300.0
_MEETING_S, _EMPTY_S = (90.0, 300.0), (150.0, 400.0)
_IMPATIENT = {"pir_warm_up_s": 0.0, "vacant_after_door_min": 1.0, "vacant_after_min": 2.0}
"""A demo's rooms make up their minds while somebody watches; these sensors have been warm for long."""
_PIR_HOLD_NS = 5 * NS_PER_S
_DOOR_NS = 4 * NS_PER_S
_CABINET_EVERY_S = (20.0, 90.0)
_CABINET_OPEN_NS = 6 * NS_PER_S
_MEASURED_EVERY_NS = 30 * NS_PER_S

Step = Callable[[int], None]
Count = Callable[[Crossing], None]


def fitted(fleet: Fleet, folder: Path) -> Fleet:
    """The same fleet with serial ports and thermometers' files below `folder`, and rooms that decide quickly."""
    hubs = {}
    for name, hub in fleet.hubs.items():
        stays = [
            stay.model_copy(update={"sensors": [_fitted(sensor, folder / stay.id) for sensor in stay.sensors]})
            for stay in hub.units
        ]
        hubs[name] = hub.model_copy(update={"units": stays})
    return Fleet(hubs)


def _fitted(sensor: Sensor, folder: Path) -> Sensor:
    here = str((folder / sensor.name).absolute())
    if isinstance(sensor, SerialConfig):
        return sensor.model_copy(update={"port": f"{here}.tty"})
    if isinstance(sensor, RoomPresence):
        port = {} if sensor.radar_port is None else {"radar_port": f"{here}.tty"}
        return sensor.model_copy(update={**port, **_IMPATIENT})
    if isinstance(sensor, Cabinet) and sensor.temperature is not None:
        return sensor.model_copy(update={"temperature": f"{here}.w1_slave"})
    return sensor


class Premises:
    """Devices of a fleet that came from `fitted`, all stepped by one thread. `close` unplugs them."""

    def __init__(self, clock: Clock, seed: int) -> None:
        self._clock = clock
        self._seed = seed
        self._steps: list[Step] = []
        self._counts: dict[tuple[str, str | None], list[Count]] = defaultdict(list)
        self._plugged = ExitStack()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="premises", daemon=True)

    def fit(self, hub: Hub, stay: Stay, pins: Any) -> None:
        """Put the devices of one unit in their places, before the unit starts; `pins` is its gpiozero factory."""
        for sensor in stay.sensors:
            rng = random.Random(f"{self._seed}/{stay.id}/{sensor.name}")  # noqa: S311 - a simulation
            if isinstance(sensor, Cabinet):
                self._steps.append(_cabinet(sensor, pins, rng))
            elif isinstance(sensor, RoomPresence):
                self._room(sensor, pins, rng)
            elif isinstance(sensor, RadarLine):
                radar = Ld2450Radar(rng.getrandbits(32))
                self._plug(Path(sensor.port), radar)
                self._counts[hub.id, sensor.entrance].append(lambda crossing, r=radar, s=sensor: _walk(r, s, crossing))  # type: ignore[misc]  # bound now
            elif isinstance(sensor, TerabeeEvo | ModbusConfig):
                self._counter(hub, sensor)

    def crossing(self, hub: str, entrance: str, crossing: Crossing) -> None:
        """Somebody is going through that entrance, seen by all its sensors."""
        for count in self._counts[hub, entrance]:
            count(crossing)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._plugged.close()

    def _run(self) -> None:
        while not self._ending.wait(self._clock.real_s(STEP_NS)):
            now_ns = self._clock.monotonic_ns()
            for step in self._steps:
                step(now_ns)

    def _plug(self, path: Path, device: Device) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        port = self._plugged.enter_context(PtyPort(path, device))
        self._steps.append(port.step)

    def _counter(self, hub: Hub, sensor: TerabeeEvo | ModbusConfig) -> None:
        counter: TerabeeCounter | ModbusCounter
        if isinstance(sensor, TerabeeEvo):
            counter = TerabeeCounter()
        else:
            counter = ModbusCounter(
                address=sensor.address,
                in_register=sensor.in_register,
                out_register=sensor.out_register,
                word_order=sensor.word_order,
            )
        self._plug(Path(sensor.port), counter)
        self._counts[hub.id, sensor.entrance].append(
            lambda crossing: counter.count(**{"in_" if crossing.direction == "in" else "out": crossing.persons})
        )

    def _room(self, sensor: RoomPresence, pins: Any, rng: random.Random) -> None:
        life = _RoomLife(sensor, pins, rng)
        self._steps.append(life.step)
        if sensor.radar_port is not None:
            speak = encode if sensor.radar_model == "ld2410" else encode_s
            self._plug(Path(sensor.radar_port), Ld2410Radar(life.look, speak))


def _walk(radar: Ld2450Radar, sensor: RadarLine, crossing: Crossing) -> None:
    """Straight across the middle of the line, there at the time of the crossing."""
    (x1, y1), (x2, y2) = sensor.line_mm
    middle = ((x1 + x2) / 2, (y1 + y2) / 2)
    across = (y1 - y2, x2 - x1)
    length = (across[0] ** 2 + across[1] ** 2) ** 0.5
    towards_inside = (sensor.inside_mm[0] - middle[0]) * across[0] + (sensor.inside_mm[1] - middle[1]) * across[1] > 0
    sign = (1 if towards_inside else -1) * (1 if crossing.direction == "in" else -1) * _RADAR_REACH_MM / length
    begin = (middle[0] - sign * across[0], middle[1] - sign * across[1])
    end = (middle[0] + sign * across[0], middle[1] + sign * across[1])
    start_ns = crossing.t_ns - int(_RADAR_REACH_MM / _RADAR_SPEED_MM_S * NS_PER_S)
    radar.add(Walk(start_ns, (begin, end), _RADAR_SPEED_MM_S))


def _cabinet(sensor: Cabinet, pins: Any, rng: random.Random) -> Step:
    """All is well but that somebody looks in now and then; between 12 and 18 degrees."""

    def contact(part: str, *, closed: bool) -> None:
        number = getattr(sensor, f"{part}_pin")
        if number is not None:
            pin = pins.pin(number)
            (pin.drive_low if closed != (part in sensor.inverted) else pin.drive_high)()

    for part in ("door", "aed", "mains"):
        contact(part, closed=True)
    state = {"change_ns": int(rng.uniform(1.0, _CABINET_EVERY_S[1]) * NS_PER_S), "open": 0, "measured_ns": 0}
    celsius = rng.uniform(12.0, 18.0)
    if sensor.temperature is not None:
        _show(Path(sensor.temperature), celsius)

    def step(now_ns: int) -> None:
        if now_ns >= state["change_ns"]:
            state["open"] = 1 - state["open"]
            contact("door", closed=not state["open"])
            wait_ns = _CABINET_OPEN_NS if state["open"] else int(rng.uniform(*_CABINET_EVERY_S) * NS_PER_S)
            state["change_ns"] = now_ns + wait_ns
        if sensor.temperature is not None and now_ns >= state["measured_ns"]:
            state["measured_ns"] = now_ns + _MEASURED_EVERY_NS
            _show(Path(sensor.temperature), celsius + rng.gauss(0, 0.1))

    return step


def _show(file: Path, celsius: float) -> None:
    """As the kernel shows it: never half of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".fresh")
    fresh.write_text(w1_slave(celsius), encoding="ascii")
    fresh.replace(file)


class _RoomLife:
    """Meetings and empty stretches, turn and turn about: door, then people who move now and then."""

    def __init__(self, sensor: RoomPresence, pins: Any, rng: random.Random) -> None:
        self._sensor = sensor
        self._pins = pins
        self._rng = rng
        self._occupied = rng.random() < 0.5  # noqa: PLR2004 - half of them
        self._change_ns = int(rng.uniform(5.0, _EMPTY_S[1]) * NS_PER_S)
        self._pir_until_ns = 0
        self._door_until_ns = 0
        self._moves_ns = 0
        self._drive("pir", high=False)
        self._drive("door", high=False)

    def look(self, now_ns: int) -> tuple[int | None, int | None]:
        if not self._occupied:
            return None, None
        return (150 if now_ns < self._pir_until_ns else None), 180

    def step(self, now_ns: int) -> None:
        if now_ns >= self._change_ns:
            self._occupied = not self._occupied
            lasts_s = self._rng.uniform(*(_MEETING_S if self._occupied else _EMPTY_S))
            self._change_ns = now_ns + int(lasts_s * NS_PER_S)
            self._door_until_ns = now_ns + _DOOR_NS
            self._drive("door", high=True)
            self._moves_ns = now_ns
        if self._door_until_ns and now_ns >= self._door_until_ns:
            self._door_until_ns = 0
            self._drive("door", high=False)
        if self._occupied and now_ns >= self._moves_ns:
            self._moves_ns = now_ns + int(self._rng.uniform(6.0, 25.0) * NS_PER_S)
            self._pir_until_ns = now_ns + _PIR_HOLD_NS
            self._drive("pir", high=True)
        if self._pir_until_ns and now_ns >= self._pir_until_ns:
            self._pir_until_ns = 0
            self._drive("pir", high=False)

    def _drive(self, part: str, *, high: bool) -> None:
        number = getattr(self._sensor, f"{part}_pin")
        if number is not None:
            pin = self._pins.pin(number)
            (pin.drive_high if high != (part in self._sensor.inverted) else pin.drive_low)()
