"""Long recordings: python tests/benchmarks/bench_replay.py [--stream-edges 20000000] [--fleet] [--doors 96] [--jobs 2].

Prints a JSON line each:
- a door's year of some 470,000 edges in Parquet through `foyer replay`, table and `--json`: processor time of the whole
  process, of one that counts an empty trace, and of a pass of numpy over the same file's columns;
- so many edges of one door in generated chunks through `Door.replay`: edges per second of processor time, and how much
  memory the process took after the first tenth and at the end;
- with `--fleet`, a year of 48 hubs with two doors each, 45 million edges in Parquet, through `foyer replay DIR
  --jobs N`: edges per second on the clock and of processor time, and the greatest memory of one of its processes.
A year is the same 73 days five times, as making people takes longer than counting them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]

from limits import columns_of, np  # noqa: E402, I001 - after the path, and pyarrow finds numpy only after this
import pyarrow as pa  # noqa: E402 - after the path
from pyarrow import parquet  # noqa: E402 - after the path
from traffic import DAY_NS, PACKED, SEPARATION_M, days, edges_in_columns  # noqa: E402 - after the path

from edge.counting import BUILD, Door, DoorSettings  # noqa: E402 - after the path
from edge.trace import TraceHeader, create_trace  # noqa: E402 - after the path
from firmware_cfg.times import from_rfc3339  # noqa: E402 - after the path

Columns = tuple[Any, Any, Any]
ROOT = Path(__file__).resolve().parents[2]
T0_NS = from_rfc3339("2026-01-01T00:00:00Z")
MEASURE = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([used.ru_utime + used.ru_stime, time.perf_counter() - start, used.ru_maxrss]))
"""
"""In a small process of its own: one that this one began would be said to need at least as much memory as this one."""
YEAR_DAYS, SEEDS = 365, 3
_MADE_DAYS = 73
CHUNK_DAYS = 3


def year(seed: int) -> Columns:
    made = columns_of(edges_in_columns(days(_MADE_DAYS, seed)))
    times = YEAR_DAYS // _MADE_DAYS
    later = np.repeat(np.arange(times, dtype=np.int64) * _MADE_DAYS * DAY_NS, len(made[0]))
    return np.tile(made[0], times) + later, np.tile(made[1], times), np.tile(made[2], times)


def write(path: Path, t_ns: Any, line: Any, level: Any) -> None:
    """As `create_trace` writes it, from columns."""
    with create_trace(path, TraceHeader(T0_NS, "beams", SEPARATION_M)):
        pass
    if not len(t_ns):
        return
    schema = parquet.read_schema(path)
    names = pa.array(["outer", "inner"])
    arrays = [
        pa.array(t_ns),
        pa.DictionaryArray.from_arrays(pa.array(line), names),
        pa.array(level),
        pa.nulls(len(t_ns), pa.binary()),
    ]
    table = pa.Table.from_arrays(arrays, schema=schema)
    parquet.write_table(table, path, compression="zstd", row_group_size=1 << 16)


def foyer_replay(*arguments: object) -> tuple[float, float, int]:
    """Processor time, time on the clock, and the greatest memory of a process, in kB."""
    command = [sys.executable, "-c", MEASURE, sys.executable, "-m", "foyer", "replay", *map(str, arguments)]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, check=True
    )
    cpu_s, clock_s, memory_kb = json.loads(done.stdout)
    return cpu_s, clock_s, memory_kb


def door_year(folder: Path, rounds: int) -> None:
    edges = year(1)
    trace, empty = folder / "year.parquet", folder / "empty.parquet"
    write(trace, *edges)
    write(empty, (), (), ())
    taken: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, arguments in (("table", [trace]), ("json", [trace, "--json"]), ("start_up", [empty])):
            taken.setdefault(name, []).append(foyer_replay(*arguments)[0])
        start = process_time()
        table = parquet.read_table(trace, columns=["t_ns", "level"], use_threads=False)
        for column in table.columns:
            column.to_numpy().max()
        taken.setdefault("numpy", []).append(process_time() - start)
    figures = {f"{name}_cpu_s": round(median(each), 3) for name, each in taken.items()}
    print(json.dumps({"case": "door-year", "edges": len(edges[0]), "build": BUILD} | figures), flush=True)


def memory_kb() -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError


def stream(count: int) -> None:
    edges = edges_in_columns(days(CHUNK_DAYS, 1, parties=PACKED))
    t_ns, line, level = columns_of(edges)
    door = Door(DoorSettings(SEPARATION_M))
    done = passages = tenth_kb = 0
    taken_s = 0.0
    while done < count:
        chunk = t_ns + done // len(edges) * CHUNK_DAYS * DAY_NS
        start = process_time()
        found = door.replay(chunk, line, level)
        taken_s += process_time() - start
        passages += len(found)
        done += len(edges)
        if not tenth_kb and done >= count / 10:
            tenth_kb = memory_kb()
    figures = {"passages": passages, "edges_per_s": round(done / taken_s), "snapshot_bytes": len(str(door.snapshot()))}
    memory = {"memory_after_a_tenth_kb": tenth_kb, "memory_at_the_end_kb": memory_kb()}
    print(json.dumps({"case": "stream", "edges": done, "build": BUILD} | figures | memory), flush=True)


def fleet(folder: Path, doors: int, jobs: int) -> None:
    years = [year(seed) for seed in range(1, SEEDS + 1)]
    total = 0
    for door in range(doors):
        columns = rotated(years[door % SEEDS], door // SEEDS * 7 * DAY_NS)
        total += len(columns[0])
        path = folder / f"fleet/hub{door // 2:02d}/door{door % 2}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, *columns)
    size = sum(path.stat().st_size for path in folder.glob("fleet/*/*.parquet"))
    cpu_s, clock_s, memory_kb = foyer_replay(folder / "fleet", "--jobs", jobs)
    print(
        json.dumps(
            {
                "case": "fleet-year",
                "doors": doors,
                "edges": total,
                "build": BUILD,
                "mb": round(size / 1e6),
                "jobs": jobs,
                "clock_s": round(clock_s, 1),
                "cpu_s": round(cpu_s, 1),
                "edges_per_s": round(total / clock_s),
                "edges_per_cpu_s": round(total / cpu_s),
                "memory_kb_of_a_process": memory_kb,
            }
        ),
        flush=True,
    )


def rotated(columns: Columns, by_ns: int) -> Columns:
    """The same year begun so much later, its first days at its end: no two doors have the same trace."""
    cut = int(np.searchsorted(columns[0], by_ns))
    t_ns, line, level = (np.roll(column, -cut) for column in columns)
    return np.where(t_ns < by_ns, t_ns + YEAR_DAYS * DAY_NS, t_ns) - by_ns, line, level


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stream-edges", type=int, default=20_000_000)
    parser.add_argument("--fleet", action="store_true")
    parser.add_argument("--doors", type=int, default=96)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        door_year(Path(name), options.rounds)
        if options.stream_edges:
            stream(options.stream_edges)
        if options.fleet:
            fleet(Path(name), options.doors, options.jobs)


if __name__ == "__main__":
    main()
