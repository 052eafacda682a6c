"""python -m edge with the GPIO chip of `gpio_chip` in place of the machine's; what `bench_unit` measures.

    python tests/benchmarks/unit_process.py 17,27=FD … -- OPTIONS OF python -m edge

Each group of pins is one request, whose events come through the socket of that number; all pins are low at first.
The clock counts as synced, whoever set it; where SYNC_MARK names a file, while that exists.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from edge.__main__ import main  # noqa: E402 - after the path
from edge.clock import SystemClock  # noqa: E402 - after the path

if __name__ == "__main__":
    at = sys.argv.index("--")
    pairs = (group.split("=") for group in sys.argv[1:at])
    fds = {tuple(int(pin) for pin in pins.split(",")): int(fd) for pins, fd in pairs}

    def chips() -> Iterator[Any]:
        from gpio_chip import Chip  # noqa: PLC0415 - it imports gpiod, which a unit does when a sensor opens

        yield Chip("pinctrl-rp1", lambda pins: (socket.socket(fileno=os.dup(fds[pins])), {}))

    mark = os.environ.get("SYNC_MARK")
    clock = SystemClock(ask=Path(mark).exists) if mark else SystemClock(trusted=True)
    sys.exit(main(sys.argv[at + 1 :], chips, clock))
