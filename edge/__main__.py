"""python -m edge: run one unit, on a Pi or from recordings."""

from __future__ import annotations

import argparse
import contextlib
import functools
import logging
import math
import signal
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from edge.clock import Clock, SystemClock
from edge.outbox import OutboxSettings
from edge.publisher import Publisher
from edge.sensors.base import Chips
from edge.sensors.taps import NO_TAP, Tap, Taps
from edge.unit import Replacement, Unit, UnitSettings
from firmware_cfg.endpoint import TlsFiles, parse_mqtt_url
from firmware_cfg.errors import ConfigError, FoyerError
from firmware_cfg.load import EXAMPLE_FLEET, Fleet, load_fleet, sensors_of
from firmware_cfg.lock import locked
from firmware_cfg.schema import Sensor
from firmware_cfg.times import NS_PER_S

log = logging.getLogger(__name__)

LIMIT_MIB_MIN = 1

EPILOG = """\
A recording given with --trace takes the place of that sensor: its events are dated as it was recorded, whatever the
speed. It is a file and no pipe, and is read to its end first: one that is damaged is refused, and nothing of it is fed.
How far it was fed is remembered in --state, so that after a crash nothing is lost and nothing counted twice, and a
recording that was fed to its end is not fed again without --again. Sensors that cannot be opened raise a fault, are
tried again, and do not keep the others from counting.

With --record the raw signals of beam pairs and serial devices are kept in a ring of files; foyer replay DIR/SENSOR
counts beams again as they were counted, also after crashes. A disk that is full pauses the recording, not the counting.

foyer agent outbox list|show|export looks at what is kept in --state, also while the agent runs; see its --help.

exit codes: 0 stopped or done; 1 something could not be stored or fed, or with --exit-when-done the collector refused an
event; 2 bad input
"""


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog="foyer agent",
        description="Run one unit: count what its sensors see, keep it until a collector has it, publish it by MQTT.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = options.add_argument
    add("--fleet", type=Path, default=EXAMPLE_FLEET, metavar="DIR", help="hub files (default: the example fleet)")
    add("--unit", required=True, metavar="ID", help="which of the fleet's units this is")
    add("--mqtt", required=True, metavar="URL", help="the broker: mqtt://[user[:password]@]host[:port] or mqtts://…")
    add("--state", required=True, type=Path, metavar="DIR", help="where events are kept until a collector has them")
    add("--trace", action="append", default=[], metavar="SENSOR=FILE", help="feed a recording in place of a sensor")
    add("--speed", type=_speed, default=1.0, metavar="N|max", help="how fast recordings are fed (default: 1)")
    add("--again", action="store_true", help="feed recordings from the start although they were fed before")
    add("--exit-when-done", action="store_true", help="end when every recording is fed and every event acked")
    add("--record", type=Path, metavar="DIR", help="keep the raw signals of the last day, for foyer replay DIR")
    add("--record-hours", type=_above_zero, default=24.0, metavar="H", help="keep so much (default: 24)")
    add("--record-mib", type=_mebibytes, default=256, metavar="N", help="in so much disk at most (default: 256)")
    add("--pin-factory", metavar="NAME", help="read every pin by this gpiozero pin factory, such as lgpio or mock")
    add("--outbox-mib", type=_mebibytes, default=256, metavar="N", help="how much disk events may take (default: 256)")
    add("--tls-ca", type=Path, metavar="FILE", help="who signs the broker's certificate, if no public authority does")
    add("--tls-cert", type=Path, metavar="FILE", help="this unit's certificate (PEM)")
    add("--tls-key", type=Path, metavar="FILE", help="its key (PEM)")
    return options


def _speed(text: str) -> float:
    return math.inf if text == "max" else _number(text, "neither a number above 0 nor max")


def _above_zero(text: str) -> float:
    return _number(text, "not a number above 0")


def _number(text: str, otherwise: str) -> float:
    with contextlib.suppress(ValueError):
        number = float(text)
        if math.isfinite(number) and number > 0:
            return number
    raise argparse.ArgumentTypeError(f"{text!r} is {otherwise}")


def _mebibytes(text: str) -> int:
    with contextlib.suppress(ValueError):
        size = int(text)
        if size >= LIMIT_MIB_MIN:
            return size
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of MiB from {LIMIT_MIB_MIN} on")


def recordings(options: argparse.Namespace, fleet: Fleet) -> dict[str, Replacement]:
    """What `--trace` says, checked; raises ConfigError or TraceError."""
    import edge.sensors.recording as rec  # noqa: PLC0415 - a unit with real sensors does not need it

    _, stay = fleet.present(options.unit, SystemClock().wall_ns())
    sensors = sensors_of(stay)
    found: dict[str, Replacement] = {}
    for text in options.trace:
        name, equals, file = text.partition("=")
        if not equals or not file:
            raise ConfigError(f"--trace {text!r}: expected SENSOR=FILE")
        if name not in sensors:
            allowed = ", ".join(sorted(sensors)) or "none"
            raise ConfigError(f"--trace {text!r}: unit {options.unit!r} has no sensor {name!r}; it has {allowed}")
        if name in found:
            raise ConfigError(f"--trace {text!r}: sensor {name!r} is given twice")
        path = Path(file)
        key = f"trace:{name}:{rec.checked_digest(path)}"
        make = functools.partial(_recording, sensors[name], path, options)
        make(None, NO_TAP).close()  # that it can be used is known before anything is started
        found[name] = Replacement(key, make)
    return found


def _recording(config: Sensor, path: Path, options: argparse.Namespace, memo: Any, tap: Tap) -> Any:
    import edge.sensors.recording as rec  # noqa: PLC0415 - a unit with real sensors does not need it

    if memo and memo["finished"] and options.again:
        memo = None
    elif memo and memo["finished"]:
        log.warning("sensor %s: %s was fed before and is not fed again; --again does so", config.name, path)
    return rec.RecordingSensor(config, path, options.speed, memo, tap)


def run(options: argparse.Namespace, chips: Chips | None = None, clock: Clock | None = None) -> int:
    """The unit until it is stopped; raises FoyerError where it cannot begin."""
    endpoint = parse_mqtt_url(options.mqtt, TlsFiles(options.tls_ca, options.tls_cert, options.tls_key))
    fleet = load_fleet(options.fleet)
    fleet.present(options.unit, 0)
    replace = recordings(options, fleet) if options.trace else {}
    with locked(options.state):
        woken: list[Unit] = []
        publisher = Publisher(
            endpoint,
            lambda: woken[0].wake() if woken else None,
        )
        clock = clock or SystemClock(trusted=bool(options.trace))
        settings = UnitSettings(
            fleet=fleet,
            unit=options.unit,
            folder=options.state,
            version=_version(),
            outbox=OutboxSettings(limit_bytes=options.outbox_mib * 1024 * 1024),
            pin_factory=_pin_factory(options.pin_factory, clock) if options.pin_factory else None,
            chips=chips,
            replace=replace,
            taps=_taps(options),
        )
        unit = Unit(settings, clock, publisher)
        woken.append(unit)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: unit.stop())
        try:
            unit.run((lambda: unit.idle) if options.exit_when_done else (lambda: False))
        finally:
            stored = unit.close()
    if unit.rejected:
        log.error("the collector refused %d of this run's events (the first: %s)", unit.rejected, unit.first_reason)
    return 0 if stored and not unit.failed and not (options.exit_when_done and unit.rejected) else 1


def _taps(options: argparse.Namespace) -> Taps:
    if options.record is None:
        return Taps()
    from edge.recorder import MIB, Recorder, RingSettings  # noqa: PLC0415 - only where it is asked for

    keep_ns = round(options.record_hours * 3600 * NS_PER_S)
    return Recorder(options.record, RingSettings(keep_ns, options.record_mib * MIB))


def _pin_factory(name: str, clock: Clock) -> Callable[[], Any]:
    def factory() -> Any:
        if name == "mock":
            from edge.sensors.mock import ClockFactory  # noqa: PLC0415 - only where it is asked for

            return ClockFactory(clock)
        from edge.sensors.gpio import load_factory  # noqa: PLC0415 - only a unit with GPIO sensors needs it

        return load_factory(name)

    return functools.cache(factory)


def _version() -> str:
    try:
        return version("foyer-hub")
    except PackageNotFoundError:
        return "unknown"


def look_at_outbox(argv: list[str]) -> int:
    from edge.outboxcommand import run as run_command  # noqa: PLC0415 - no running unit needs it

    return run_command(argv)


def main(argv: list[str] | None = None, chips: Chips | None = None, clock: Clock | None = None) -> int:
    """Run the command line; its exit code. `chips` and `clock` stand in for the machine's."""
    argv = sys.argv[1:] if argv is None else argv
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="foyer: %(message)s")
    try:
        if argv[:1] == ["outbox"]:
            return look_at_outbox(argv[1:])
        return run(parser().parse_args(argv), chips, clock)
    except FoyerError as error:
        print(f"foyer: {error}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
