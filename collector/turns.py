"""What the collector does again and again beside storing, each in a thread of its own."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod

from collector.store.base import StoreUnavailable

log = logging.getLogger("foyer.collector")


class Turns(ABC):
    """A thread that takes a turn at once after its start and then every `every_s`, until it is closed.

    Where the store or the ledger is away it tries again the next time. `failure`: what ended it, a bug of ours.
    """

    def __init__(self, name: str, every_s: float) -> None:
        self._name = name
        self._every_s = every_s
        self.failure: BaseException | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        if self._thread.ident is not None:
            self._thread.join()

    def begin(self) -> None:  # noqa: B027 - most have nothing to do before
        """What is done before the first turn, again and again while it raises StoreUnavailable."""

    @abstractmethod
    def turn(self) -> None:
        """Look once. May raise StoreUnavailable."""

    def _run(self) -> None:
        fresh = True
        while not self._closing.is_set():
            try:
                if fresh:
                    self.begin()
                    fresh = False
                self.turn()
            except StoreUnavailable as error:  # the pipeline tells of it
                log.debug("%s: %s", self._name, error)
            except BaseException as error:  # a bug of ours must not look like silence
                self.failure = error
                raise
            self._closing.wait(self._every_s)
