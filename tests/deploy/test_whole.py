"""A real unit and a real collector through the deployed broker, with certificate, password and ACL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from deployed import SECRET, Deployed
from house import agent, collector, wait_until
from servers import answers

if TYPE_CHECKING:
    from pathlib import Path

T0 = "2026-03-02T09:00:00Z"
WALKERS = 20


def write_trace(file: Path) -> None:
    """Persons who walk in, one after the other."""
    lines: list[object] = [{"foyer_trace": 1, "t0": T0, "sensor": "front-beams", "separation_m": 0.12}]
    for walker in range(WALKERS):
        at_ms = 2000 + walker * 4000
        edges = ((0, "outer", 1), (90, "inner", 1), (250, "outer", 0), (340, "inner", 0))
        lines += [[(at_ms + ms) * 1_000_000, line, level] for ms, line, level in edges]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def test_what_a_unit_counts_is_stored_and_acknowledged(broker: Deployed, tmp_path: Path) -> None:
    trace = tmp_path / "walkers.jsonl"
    write_trace(trace)
    local = f"mqtt://collector.1:{SECRET}@127.0.0.1:{broker.local_port}"
    folder = broker.certificates
    options = ["--tls-ca", "ca.crt", "--tls-cert", "armley-front.crt", "--tls-key", "armley-front.key"]
    options = [str(folder / word) if word.endswith((".crt", ".key")) else word for word in options]
    options += ["--trace", f"front-beams={trace}", "--speed", "max", "--exit-when-done"]
    with collector(local, f"sqlite:{tmp_path / 'store.db'}", tmp_path / "collector") as service:
        wait_until("the collector answers", lambda: answers(f"http://127.0.0.1:{service.port}/healthz"))
        with agent("armley-front", f"mqtts://127.0.0.1:{broker.port}", tmp_path / "unit", *options) as unit:
            code = unit.wait()  # it ends when all is acknowledged
        assert code == 0, unit.log.read_text(encoding="utf-8")
        day = service.get("/api/v1/footfall?hub=armley&start=2026-03-02&end=2026-03-03")
        assert day["total"]["value"] == WALKERS
        live = service.get("/api/v1/hubs/armley/live")
        assert live["units"][0]["online"] is not None  # its retained state came through
