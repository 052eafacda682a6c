"""Devices on serial ports as sensors: the only place that opens a port. Nothing here blocks."""

from __future__ import annotations

import errno
import logging
from collections.abc import Sequence
from typing import Any, Literal, Protocol

from edge.clock import Instant
from edge.drafts import Mark, Noticed, Reading, SensorStats, When
from edge.errors import SensorError
from edge.sensors.base import Surroundings
from edge.sensors.frames import Frames
from edge.sensors.serial_watch import Change, Talk, Watch
from edge.sensors.taps import NO_TAP, Signals, Tap
from firmware_cfg.sensors import SerialConfig
from firmware_cfg.times import NS_PER_S

log = logging.getLogger(__name__)

READ_BYTES_MAX = 4096  # what the kernel keeps
Parity = Literal["none", "even", "odd"]
NOISE = "port: bytes came that belong to no frame; check the cable, its length and its ground"


class SerialPort:
    """A port that is read and written without waiting; `key` is where the configuration names it.

    Every method but `close` raises SensorError, with the mend, where the port is not there (any more).
    """

    def __init__(self, sensor: str, key: str, path: str, baud_rate: int, parity: Parity = "none") -> None:
        self.path = path
        self._sensor = sensor
        self._key = key
        self._baud_rate = baud_rate
        self._parity = parity
        self._serial: Any = None

    def open(self) -> None:
        """Open it for this program alone; what came before is thrown away."""
        import serial  # noqa: PLC0415 - only a unit with serial sensors pays for it

        self.close()
        try:
            self._serial = serial.Serial(
                self.path,
                self._baud_rate,
                parity=self._parity[0].upper(),
                timeout=0,
                write_timeout=0,
                exclusive=True,
            )
        except Exception as error:  # OSError, ValueError for a baud rate, and termios.error, which is neither
            raise self._cannot_open(error) from error

    def read(self) -> bytes:
        """All that has come, perhaps nothing."""
        try:
            data: bytes = self._serial.read(READ_BYTES_MAX)
        except Exception as error:
            self.close()
            raise self._error("it went away", "plug it in again, or check its power") from error
        return data

    def write(self, data: bytes) -> None:
        """Send, as far as it can be sent at once."""
        try:
            self._serial.write(data)
        except Exception as error:
            self.close()
            raise self._error("it does not take what is sent", "plug it in again, or check its power") from error

    def close(self) -> None:
        if self._serial is not None:
            self._serial.close()
            self._serial = None

    def _cannot_open(self, error: Exception) -> SensorError:
        number = getattr(error, "errno", None) or getattr(error.__context__, "args", (None,))[0]
        if number in {errno.ENOENT, errno.ENODEV, errno.ENXIO}:
            return self._error("there is no such port", "plug it in, or correct the path (see /dev/serial/by-id)")
        if number in {errno.EACCES, errno.EPERM}:
            return self._error("it may not be opened", "put the unit's user into the group dialout")
        if number in {errno.EBUSY, errno.EAGAIN}:
            return self._error("another program has it", "stop that one; a console on it is disabled by raspi-config")
        if isinstance(error, ValueError):
            return self._error(f"it cannot do {self._baud_rate} baud", "correct baud_rate or use another adapter")
        if number in {errno.ENOTTY, errno.EINVAL, errno.EISDIR}:
            return self._error("it is no serial port", "correct the path (see /dev/serial/by-id)")
        return self._error(f"it cannot be opened ({error})", "check the adapter")

    def _error(self, what: str, mend: str) -> SensorError:
        return SensorError(self._sensor, f"{self._key} {self.path}", what, mend)


class Found(Protocol):
    """Something a device saw, dated by the clock its bytes are dated by."""

    @property
    def t_ns(self) -> int: ...

    def told(self, when: When) -> Reading | Noticed: ...


class Device(Protocol):
    """A device's side of the talk, without port and clock: the same for a live port and for a recording of its bytes.

    Times are monotonic ns and never go back. `resume` comes before all else, with what an earlier run's `memo` gave.
    """

    @property
    def frames(self) -> Frames[Any]: ...

    def resume(self, memo: Any, now: Instant) -> None: ...

    def feed(self, data: bytes, t_ns: int) -> Sequence[Found]: ...

    def advance(self, now_ns: int) -> Sequence[Found]:
        """What is known because nothing came."""
        ...

    def ask(self, now_ns: int) -> bytes:
        """What to send to the device now."""
        ...

    def due_ns(self, now_ns: int) -> int:
        """When to look again."""
        ...

    def memo(self) -> Any: ...


class SerialSensor:
    """A device on a port as the unit wants it: read when due, watched for silence, its noise counted."""

    can_wait = False
    finished = False
    failed = False

    def __init__(
        self, name: str, port: SerialPort, device: Device, watch: Watch, memo: Any = None, tap: Tap = NO_TAP
    ) -> None:
        self.name = name
        self._tap = tap
        self._port = port
        self._device = device
        self._watch = watch
        self._memo = memo or {}
        if self._memo:
            self._watch.trouble = self._memo["trouble"]
        self._before: list[int] = self._memo.get("frames", [0, 0, 0])
        self._noise_told = 0
        self._resumed = False
        self._due_ns: int | None = None

    def open(self, now: Instant) -> None:
        self._port.open()
        if not self._resumed:
            self._device.resume(self._memo.get("device"), now)
            self._resumed = True
        self._device.frames.forget()
        self._tap.begin(Signals(self._device.memo), self._device.memo(), now.mono_ns)
        self._watch.opened(now.mono_ns)
        self._due_ns = now.mono_ns

    def poll(self, now: Instant) -> list[Reading | Noticed]:
        if self._due_ns is None or now.mono_ns < self._due_ns:
            return []
        good = self._device.frames.good
        data = self._port.read()
        if data:
            self._tap.data(now.mono_ns, data)
        found = [*(self._device.feed(data, now.mono_ns) if data else ()), *self._device.advance(now.mono_ns)]
        asked = self._device.ask(now.mono_ns)
        if asked:
            self._port.write(asked)
        self._due_ns = self._device.due_ns(now.mono_ns)
        out: list[Reading | Noticed] = [item.told(Mark(now.boot, item.t_ns)) for item in found]
        here = Mark(now.boot, now.mono_ns)
        changes = self._watch.look(now.mono_ns, data, good=self._device.frames.good > good)
        return out + self._noise(here) + [self._noticed(change, here) for change in changes]

    def due_ns(self) -> int | None:
        return self._due_ns

    def memo(self) -> dict[str, Any]:
        device = self._device.memo() if self._resumed else self._memo.get("device")
        return {"device": device, "trouble": self._watch.trouble, "frames": self._counted()}

    def stats(self) -> SensorStats:
        """Frames as `edges`, spoilt ones as `lost_edges`, bytes of noise as `chatter`."""
        good, bad, noise = self._counted()
        return SensorStats(edges=good, lost_edges=bad, chatter=noise, ok=self._watch.trouble is None)

    def close(self) -> None:
        self._port.close()
        self._due_ns = None

    def _counted(self) -> list[int]:
        frames = self._device.frames
        return [before + now for before, now in zip(self._before, (frames.good, frames.bad, frames.noise), strict=True)]

    def _noise(self, when: Mark) -> list[Reading | Noticed]:
        new, self._noise_told = self._device.frames.noise - self._noise_told, self._device.frames.noise
        return [Noticed("line_noise", when, None, NOISE, new)] if new and self._watch.trouble is None else []

    def _noticed(self, change: Change, when: Mark) -> Noticed:
        if change.active:
            log.warning("sensor %r: %s", self.name, change.detail)
        return Noticed(change.trouble, when, None, change.detail, active=change.active)


def serial_sensor(config: SerialConfig, device: Device, name: str, quiet: str, around: Surroundings) -> SerialSensor:
    """That device on the configured port; `name` and `quiet` are for sentences to people, as in `Talk`."""
    port = SerialPort(config.name, "port", config.port, config.baud_rate, getattr(config, "parity", "none"))
    watch = Watch(Talk(name, config.port, config.baud_rate, quiet), round(config.silent_s * NS_PER_S))
    return SerialSensor(config.name, port, device, watch, around.memos.get(config.name), around.taps.tap(config.name))
