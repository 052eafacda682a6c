"""Puts corrections on the live view's visits of today."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from collector.analysis.amend import Amended
from collector.analysis.buckets import local_day
from collector.corrections import Version
from collector.ledger import Ledger
from collector.live import Live
from collector.store.base import Store
from collector.turns import Turns
from firmware_cfg.load import Fleet

EVERY_S = 2.0


class Amender(Turns):
    """Looks every `EVERY_S` what corrections make of the days that it is at the hubs.

    Where nothing of today is corrected that is one small question to the ledger.
    """

    def __init__(self, fleet: Fleet, ledger: Ledger, store: Store, live: Live, wall_ns: Callable[[], int]) -> None:
        super().__init__("amend", EVERY_S)
        self._fleet = fleet
        self._ledger = ledger
        self._store = store
        self._live = live
        self._wall_ns = wall_ns
        self._newest = -1
        self._active: Sequence[Version] = ()
        self._shown: dict[str, Amended] = {}

    def turn(self) -> None:
        """Look once. Raises StoreUnavailable; what was shown before is shown on."""
        newest = self._ledger.corrections.newest()
        if newest != self._newest:
            self._active = self._ledger.corrections.active()
            self._newest = newest
        now_ns = self._wall_ns()
        for name in sorted({version.correction.hub for version in self._active} | self._shown.keys()):
            if name in self._fleet.hubs:
                day = local_day(now_ns, self._fleet.hubs[name].zone)
                self._show(name, Amended(self._store, name, self._active, *day))

    def _show(self, name: str, amended: Amended) -> None:
        if amended == self._shown.get(name):
            return
        if amended.active or name in self._shown:
            self._live.amend(name, amended)
        self._shown[name] = amended
        if not amended.active:
            del self._shown[name]
