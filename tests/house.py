"""The project's own processes, for tests that start and kill them as they run in the field."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.request import urlopen

from servers import free_port

from firmware_cfg.load import EXAMPLE_FLEET

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S = 60.0
ENDING_S = 20.0


def wait_until(what: str, condition: Callable[[], Any], *, patience_s: float = PATIENCE_S) -> None:
    """Return when `condition()` is true; fail with `what` and its last value when it never is."""
    deadline = time.monotonic() + patience_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"never came: {what} (last: {value!r})")
        time.sleep(0.05)


@dataclass
class FoyerProcess:
    """One of our commands as a process with a log. Used in `with`, it is gone afterwards."""

    arguments: list[str]
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> Self:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", sys.executable, "-m", *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return self

    def kill(self) -> None:
        """A power cut."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        return self._end(signal.SIGTERM)

    def wait(self, patience_s: float = PATIENCE_S) -> int:
        assert self.process is not None
        return self.process.wait(patience_s)

    def _end(self, how: signal.Signals) -> int:
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(ENDING_S)
        self.process = None
        return code

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()


def agent(unit: str, mqtt: str, folder: Path, *options: str, fleet: Path = EXAMPLE_FLEET) -> FoyerProcess:
    """A unit with its state below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    common = ["--fleet", str(fleet), "--unit", unit, "--mqtt", mqtt, "--state", str(folder / "state")]
    return FoyerProcess(["foyer", "agent", *common, *options], folder / "agent.log")


@dataclass
class CollectorProcess(FoyerProcess):
    """A collector; `get` asks its API."""

    port: int = 0

    def get(self, path: str) -> Any:
        with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as response:
            return json.load(response)


def collector(mqtt: str, store: str, folder: Path, *, fleet: Path = EXAMPLE_FLEET) -> CollectorProcess:
    """A collector with its state below `folder`, listening on a free loopback port."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    common = ["--fleet", str(fleet), "--mqtt", mqtt, "--store", store, "--state", str(folder / "state")]
    arguments = ["foyer", "collector", *common, "--http", f"127.0.0.1:{port}"]
    return CollectorProcess(arguments, folder / "collector.log", port=port)


def replay(trace: Path, *options: str) -> dict[str, Any]:
    """What `foyer replay --json` prints of a trace."""
    command = [sys.executable, "-m", "foyer", "replay", str(trace), "--json", *options]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE_S)
    result: dict[str, Any] = json.loads(printed.stdout)
    return result
