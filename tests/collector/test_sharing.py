"""Several collectors on one broker."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest
from collector_rig import EPOCH, FLEET, HUB, UNIT, Make, Unit, event, ready, until
from pipeline_rig import Rig
from servers import Mosquitto

from collector.service import Collector
from collector.store.base import Tally
from firmware_cfg.endpoint import MqttEndpoint
from firmware_cfg.errors import FolderError


def test_collectors_share_the_work_and_each_shows_all(mosquitto: Mosquitto, make: Make) -> None:
    one, two = ready(make(state="one")), ready(make(state="two"))
    with Unit(mosquitto) as unit:
        for seq in range(1, 201):
            unit.send(event(seq))
        until(lambda: unit.done() == set(range(1, 201)), "acks")
        assert one.store.tally(UNIT, EPOCH) == {"passage": Tally(200, 200)}
        assert one.events_stored + two.events_stored == 200
        assert min(one.events_stored, two.events_stored) > 0
        for collector in (one, two):
            until(lambda collector=collector: len(collector.live.snapshot(HUB).last_passages) == 20, "live")
        until(lambda: one.live.snapshot(HUB).visits_today == two.live.snapshot(HUB).visits_today, "same")


def test_a_collector_that_stops_for_good_gives_up_its_share_at_once(mosquitto: Mosquitto, make: Make) -> None:
    one, two = ready(make(state="one")), ready(make(state="two"))
    with Unit(mosquitto) as unit:
        unit.send(event(1))
        until(lambda: unit.done() == {1}, "ack")
        one.close()
        for seq in range(2, 42):
            unit.send(event(seq))
        until(lambda: unit.done() == set(range(1, 42)), "acks of all, without a resend")
        assert two.events_stored >= 40


@pytest.mark.parametrize(("watch", "expiry_s"), [(True, 300), (False, 60)])
def test_the_share_of_one_that_crashed_waits_long_only_where_it_may_be_alone(
    tmp_path: Path, watch: bool, expiry_s: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as broker:
        endpoint = MqttEndpoint("127.0.0.1", broker.getsockname()[1])
        collector = Collector(FLEET, endpoint, f"sqlite:{tmp_path}/store.db", tmp_path, client_id="one", watch=watch)
        collector.start()
        connects = []
        for _ in range(1 + watch):  # the one that watches has no session
            line, _ = broker.accept()
            with line:
                connects.append(line.recv(4096))
        session_expiry = b"\x11" + expiry_s.to_bytes(4)
        assert sum(session_expiry in connect for connect in connects) == 1
        collector.close()


def test_a_second_collector_on_one_state_folder_is_refused(make: Make) -> None:
    make()
    with pytest.raises(FolderError, match="state: another process is using it; each needs a folder of its own"):
        make()


def test_collectors_of_one_name_say_so_and_take_turns_ever_more_seldom(mosquitto: Mosquitto, tmp_path: Path) -> None:
    with Rig(mosquitto, tmp_path / "one") as one, Rig(mosquitto, tmp_path / "two"):
        until(lambda: any("another client may be named 'rig'" in sentence for sentence in one.said), "sentence")
        began_s = time.monotonic()
        before = one.subscriber.connection
        until(lambda: one.subscriber.connection >= before + 4, "turns")
        assert time.monotonic() - began_s > 0.4 + 0.8 + 1.6  # the waits between them, even if the first was over


def test_a_session_that_was_taken_over_is_named_in_words(tmp_path: Path) -> None:
    """As a broker says it that gives the reason; Debian's Mosquitto just hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as broker:
        endpoint = MqttEndpoint("127.0.0.1", broker.getsockname()[1])
        collector = Collector(FLEET, endpoint, f"sqlite:{tmp_path}/store.db", tmp_path, client_id="twin", watch=False)
        collector.start()
        line, _ = broker.accept()
        with line:
            line.recv(4096)
            line.sendall(bytes.fromhex("2003000000"))  # CONNACK
            line.recv(4096)
            line.sendall(bytes.fromhex("e0028e00"))  # DISCONNECT
            sentence = "another client took over the name 'twin'; each collector needs a name of its own"
            until(lambda: sentence in collector.condition().reasons["broker"], "sentence")
        collector.close()
