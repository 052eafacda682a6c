"""Keeps the rollups up to date while the collector runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from collector.analysis.rollup import roll_up
from collector.store.base import Store, StoreUnavailable
from firmware_cfg.load import Fleet

EVERY_S = 5.0
_SHARE = 10
"""At most about one part in so many of the time goes into rolling up, but where a backlog waits."""
_FAILURES_TOLD = 3
"""The pipeline speaks of a store that is away; this is for what only rolling up meets."""


class Roller:
    """A thread that rolls up what writes touched, some seconds later. What it does not finish is done after a restart.

    `say` is told in a sentence where the store refuses that again and again, and "" when it is over.
    """

    def __init__(self, store: Store, fleet: Fleet, say: Callable[[str], None]) -> None:
        self._store = store
        self._fleet = fleet
        self._say = say
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="roll up", daemon=True)
        self.failure: BaseException | None = None

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        pause_s, failures = 0.0, 0
        try:
            while not self._closing.wait(pause_s):
                begun_s = time.monotonic()
                try:
                    roll_up(self._store, self._fleet, until=self._closing.is_set)
                except StoreUnavailable as error:
                    failures += 1
                    if failures >= _FAILURES_TOLD:
                        self._say(f"{error}; rolling up again later, nothing is lost meanwhile")
                else:
                    failures = 0
                    self._say("")
                pause_s = max(EVERY_S, _SHARE * (time.monotonic() - begun_s))
        except BaseException as error:  # a bug of ours must not look like silence
            self.failure = error
            self._say(f"rolling up failed: {error!r}")
            raise
