"""What the counting core is measured beside: the same columns through a path tracker in C, and through numpy."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import tempfile
from array import array
from pathlib import Path
from time import process_time
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(HERE)]
sys.path.append(str(ROOT / "build/bench"))  # where `make bench` puts it: a venv with numpy loads it with pyarrow

from traffic import Edges  # noqa: E402 - after the path

from simulators.decoders import Debounced, PathTracking  # noqa: E402 - after the path
from simulators.people import BeamEdge  # noqa: E402 - after the path

try:
    import numpy as np
except ImportError:
    sys.exit("numpy is not there: make bench installs it into build/bench")

_REPEATED_EDGES = 4_000_000


def compiled_tracker() -> Any:
    """`track` of path_tracker.c, made by gcc -O2."""
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "path_tracker.so"
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", str(library), str(HERE / "path_tracker.c")], check=True)
        track = ctypes.CDLL(str(library)).track
    track.restype = ctypes.c_size_t
    return track


TRACK = compiled_tracker()


def by_path_tracker(edges: Edges) -> list[tuple[int, str]]:
    """Passages that it found."""
    found_ns, found_way = array("q", bytes(8 * len(edges))), array("b", bytes(len(edges)))
    count = TRACK(len(edges), *map(_address, (*edges.columns(), found_ns, found_way)))
    ways = {1: "in", -1: "out"}
    return [(t_ns, ways[way]) for t_ns, way in zip(found_ns[:count], found_way[:count], strict=True)]


def check_path_tracker(edges: Edges) -> None:
    """It finds what the simulator's own does; exits if not."""
    decoder = Debounced(PathTracking())
    found = [counted for row in edges.rows() for counted in decoder.feed(BeamEdge(*row))] + decoder.finish()
    if by_path_tracker(edges) != found:
        sys.exit("path_tracker.c does not find what simulators.decoders does")


def path_tracker_edges_per_s(edges: Edges) -> float:
    """On the columns repeated, so that they do not fit the processor's caches."""
    many = _repeated(edges)
    count = len(many[0])
    found = np.empty(count, np.int64), np.empty(count, np.int8)
    found[0].fill(0)  # the pages are there before the clock starts
    found[1].fill(0)
    start = process_time()
    TRACK(count, *(ctypes.c_void_p(column.ctypes.data) for column in (*many, *found)))
    return count / (process_time() - start)


def numpy_edges_per_s(edges: Edges) -> float:
    """The greatest value of each column: as fast as memory gives them."""
    many = _repeated(edges)
    start = process_time()
    for column in many:
        column.max()
    return len(many[0]) / (process_time() - start)


def columns_of(edges: Edges) -> tuple[Any, Any, Any]:
    """The same columns for numpy, not copied."""
    t_ns, line, level = edges.columns()
    return np.frombuffer(t_ns, np.int64), np.frombuffer(line, np.int8), np.frombuffer(level, np.int8)


def _repeated(edges: Edges) -> tuple[Any, Any, Any]:
    times = -(-_REPEATED_EDGES // len(edges))
    t_ns, line, level = columns_of(edges)
    span_ns = int(t_ns[-1]) + 10_000_000_000
    later = np.repeat(np.arange(times, dtype=np.int64) * span_ns, len(edges))
    return np.tile(t_ns, times) + later, np.tile(line, times), np.tile(level, times)


def _address(column: array[int]) -> ctypes.c_void_p:
    return ctypes.c_void_p(column.buffer_info()[0])
