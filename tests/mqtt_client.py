"""How a test ends the paho clients that it made."""

from __future__ import annotations

import gc
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paho.mqtt.client import Client


def end(client: Client) -> None:
    """Disconnect, stop the thread, and close what paho would leave to the garbage collector; in any state of it.

    A client whose callbacks lead back to it is a cycle. The collector would end its wake-up sockets before the client
    could close them, and warn of it in whatever test runs by then.
    """
    client.loop_stop()  # first: after the goodbye its thread would end by itself, and paho looks at it twice
    client.disconnect()
    client.reinitialise()  # closes the sockets and forgets the callbacks


@contextmanager
def running(client: Client) -> Iterator[Client]:
    """A connected client's thread, for as long as the `with` lasts."""
    try:
        client.loop_start()
        yield client
    finally:
        end(client)


def open_sockets() -> int:
    """This process's, whoever holds them."""
    links = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the look itself
            links.append(str(entry.readlink()))
    return sum(link.startswith("socket:") for link in links)


def left_to_the_collector() -> list[str]:
    """What warns of not having been closed, now that the garbage is collected."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", ResourceWarning)
        gc.collect()
    return [str(warning.message) for warning in heard if issubclass(warning.category, ResourceWarning)]
