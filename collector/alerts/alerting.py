"""Alerting at work: a thread that looks, and one for each address that delivers, each message in a process of its own.

Nothing here is waited for by what counts.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from collector.alerts.book import Book, Waiting
from collector.alerts.receivers import Receivers
from collector.alerts.rules import alarms, rule_of
from collector.alerts.standing import step
from collector.live import Live
from collector.store.base import StoreUnavailable
from firmware_cfg.load import Fleet
from firmware_cfg.times import NS_PER_S

LOOK_S = 5.0
SETTLE_NS = 6 * 60 * NS_PER_S
"""After a start units have so long to be heard of before their silence means anything."""
BACKOFF_S = (10, 900)
GIVE_UP_NS = 24 * 3600 * NS_PER_S
_DELIVERY_S = 60.0
_LAST_S = 4.0
"""At the end a delivery that has begun may still take so long: who took a message is not to get it again."""
_TICK_S = 0.2

log = logging.getLogger("foyer.collector.alerts")


class Alerting:
    """Looks at what `live` shows and tells `receivers`. Does nothing where there are none, or no rules.

    `seeded`: whether the live view has what the store knows; before that nothing is judged.
    """

    def __init__(
        self,
        fleet: Fleet,
        live: Live,
        folder: Path,
        receivers: Receivers,
        *,
        wall_ns: Callable[[], int],
        seeded: Callable[[], bool],
    ) -> None:
        self._hubs = [hub for hub in fleet.hubs.values() if hub.alerts]
        self._live = live
        self._wall_ns = wall_ns
        self._seeded = seeded
        self._targets = {name: len(addresses) for name, addresses in receivers.items()}
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._book: Book | None = None
        if self._hubs and not receivers:
            log.warning("hubs have alerts, but no receivers are given: nobody is told; see --receivers")
        if not self._hubs or not receivers:
            return
        self._book = book = Book(folder)
        self._threads.append(threading.Thread(target=self._look, args=(book,), name="alerts", daemon=True))
        for name, addresses in receivers.items():
            for index, url in enumerate(addresses):
                postman = _Postman(f"{name}/{index}", url, book, wall_ns, self._closing)
                self._threads.append(threading.Thread(target=postman.run, name=f"alerts {name}", daemon=True))

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """What is not delivered yet waits in the ledger."""
        self._closing.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
        if self._book is not None:
            self._book.close()

    def counts(self) -> tuple[int, int]:
        """Alarms that stand, and messages that wait to be delivered. Raises StoreUnavailable."""
        if self._book is None:
            return 0, 0
        return len(self._book.standing()), self._book.waiting()

    def _look(self, book: Book) -> None:
        begun_ns = self._wall_ns()
        while not self._closing.wait(LOOK_S if self._seeded() else _TICK_S):
            if not self._seeded():
                continue
            try:
                self._judge(book, settled=self._wall_ns() - begun_ns > SETTLE_NS)
            except StoreUnavailable as error:
                log.warning("%s; alarms are judged again in a moment", error)

    def _judge(self, book: Book, *, settled: bool) -> None:
        now_ns = self._wall_ns()
        found = [alarm for hub in self._hubs for alarm in alarms(hub, self._live.snapshot(hub.id), settled=settled)]
        rules = {(hub.id, rule.when, "+".join(rule.to)) for hub in self._hubs for rule in hub.alerts}
        stood = book.standing()
        before = {key: each for key, each in stood.items() if rule_of(key) in rules}  # others were taken out
        after, notices = step(before, found, now_ns)
        if after == stood and not notices:
            return
        gone = book.record(after, notices, self._targets, now_ns)
        for notice in notices:
            log.info("alert to %s: %s", notice.to, notice.title)
        if gone:
            log.warning("%d old messages had to go: their receivers have not been reached for long", gone)


class _Postman:
    """Delivers the messages of one address, in order, for as long as it takes: up to a day each."""

    def __init__(self, target: str, url: str, book: Book, wall_ns: Callable[[], int], closing: threading.Event) -> None:
        self._target = target
        self._url = url
        self._book = book
        self._wall_ns = wall_ns
        self._closing = closing
        self._reached = True

    def run(self) -> None:
        while not self._closing.wait(_TICK_S):
            try:
                waiting = self._book.due(self._target, self._wall_ns())
                if waiting is not None:
                    self._deliver(waiting)
            except StoreUnavailable as error:
                log.warning("%s; %s waits", error, self._target)
                self._closing.wait(LOOK_S)

    def _deliver(self, waiting: Waiting) -> None:
        taken = self._send(waiting)
        if self._closing.is_set() and not taken:
            return
        if taken:
            self._book.settle(waiting.number)
        elif self._wall_ns() - waiting.made_ns > GIVE_UP_NS:
            self._book.settle(waiting.number)
            log.error("alert to %s given up after %d tries: %s", self._target, waiting.tries + 1, waiting.title)
        else:
            wait_s = min(BACKOFF_S[1], BACKOFF_S[0] * 2 ** min(waiting.tries, 10))
            self._book.postpone(waiting.number, self._wall_ns() + wait_s * NS_PER_S)
        if taken != self._reached:
            self._reached = taken
            log.warning(
                "receiver %s %s", self._target, "is there again" if taken else "did not take an alert; it waits"
            )

    def _send(self, waiting: Waiting) -> bool:
        asked = json.dumps({"url": self._url, "title": waiting.title, "body": waiting.body, "kind": waiting.kind})
        with subprocess.Popen(
            [sys.executable, "-P", "-m", "collector.alerts.notify"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            assert process.stdin is not None  # noqa: S101 - as asked for
            process.stdin.write(asked)
            process.stdin.close()
            ending, ends_s = False, time.monotonic() + _DELIVERY_S
            while process.poll() is None:
                if not ending and self._closing.is_set():
                    ending, ends_s = True, min(ends_s, time.monotonic() + _LAST_S)
                if time.monotonic() > ends_s:
                    process.kill()
                time.sleep(_TICK_S / 4)
            return process.returncode == 0
