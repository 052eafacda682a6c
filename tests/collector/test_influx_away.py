"""What tries to reach an InfluxDB that is away cost."""

from __future__ import annotations

import gc
import tracemalloc

import pytest
from servers import Influx, InfluxV2Front

from collector.store.base import StoreUnavailable
from collector.store.influx import InfluxServer

MIB = 2**20


@pytest.mark.parametrize(
    ("front", "says"), [("none", "does not answer"), ("stopped", "does not answer"), ("there", "502")]
)
def test_a_try_that_fails_holds_nothing_of_what_was_to_be_written(
    influx: Influx, influx_v2: InfluxV2Front, front: str, says: str
) -> None:
    """Once, each held it in the locals of a traceback until the garbage was collected, which rarely is in an outage."""
    server = InfluxServer.from_url(f"influxdb+{(influx if front == 'none' else influx_v2).url}/foyer")
    lines = ["x" * MIB + ",a=b c=1i 1"]
    assert server.write(["m,a=b c=1i 1"]) == []
    if front == "stopped":
        influx_v2.stop()
    influx.stop()
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        for _ in range(10):
            with pytest.raises(StoreUnavailable, match=says):
                server.write(lines)
        assert tracemalloc.get_traced_memory()[0] < MIB
    finally:
        tracemalloc.stop()
        gc.enable()
        server.close()
