"""Background threads: a store that is away is tried again, and a bug of ours does not look like silence."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from collector.store.base import StoreUnavailable
from collector.turns import Turns


class Script(Turns):
    """Does these steps, one each time that it is asked to begin or to take a turn; then nothing."""

    def __init__(self, *steps: BaseException | None) -> None:
        super().__init__("script", 0.001)
        self.steps = list(steps)
        self.did: list[str] = []

    def begin(self) -> None:
        self._do("begin")

    def turn(self) -> None:
        self._do("turn")

    def _do(self, what: str) -> None:
        self.did.append(what)
        step = self.steps.pop(0) if self.steps else None
        if step is not None:
            raise step


def until(condition: Callable[[], object]) -> None:
    ends_s = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < ends_s
        time.sleep(0.001)


def test_it_begins_once_the_store_lets_it_and_goes_on_past_one_that_is_away() -> None:
    away = StoreUnavailable("away")
    script = Script(away, away, None, None, away, None)
    script.start()
    until(lambda: len(script.did) >= 8)
    script.close()
    assert script.did[:8] == ["begin", "begin", "begin", "turn", "turn", "turn", "turn", "turn"]
    assert script.failure is None
    after = len(script.did)
    time.sleep(0.02)
    assert len(script.did) == after, "it is closed"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # which is what is asked for
def test_a_bug_ends_it_and_is_told() -> None:
    script = Script(None, None, KeyError("a bug"))
    script.start()
    until(lambda: script.failure)
    script.close()
    assert isinstance(script.failure, KeyError)
    assert script.did == ["begin", "turn", "turn"]


def test_one_that_never_began_can_be_closed() -> None:
    Script().close()
