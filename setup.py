"""Compiles the counting core; everything else is in pyproject.toml.

Its modules are plain Python, typed for the compiler by the .pxd files beside them. They are compiled as one, so that
the compiler sees through the calls from one to the other: that is worth a third of the time of people who come one by
one. It carries the SHA-256 of all their sources, so that `edge.counting` notices when they have changed since. Without
a compiler the install goes on and the same sources run uncompiled.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

HERE = Path(__file__).parent
COUNTING = HERE / "edge/counting"
core = runpy.run_path(str(COUNTING / "build.py"))
join = runpy.run_path(str(COUNTING / "join.py"))["join"]
sources = [str(path.relative_to(HERE)) for path in core["source_paths"](COUNTING)]
BUILD = HERE / "build/cython"
JOINED = BUILD / "edge/counting/_core.py"

JOINED.parent.mkdir(parents=True, exist_ok=True)
joined, types = join(COUNTING, core["MODULES"])
JOINED.write_text(joined, "utf-8")
JOINED.with_suffix(".pxd").write_text(types, "utf-8")

# Fused multiply-adds would let the compiled core differ from the pure one in the last bit. What is for debuggers takes
# the compiler 900 MB in place of 330, which is more than some units have. Its own limits of what to put into its caller
# are for programs of which all is hot: here only counting is, and it is small.
FLAGS = ["-ffp-contract=off", "-fno-math-errno", "-g0"]
for limit in ("max-inline-insns-auto=300", "inline-unit-growth=100", "large-function-growth=400"):
    FLAGS += ["--param", limit]

extensions = cythonize(
    [
        Extension(
            core["COMPILED"],
            [str(JOINED.relative_to(HERE))],
            depends=sources,
            define_macros=[("FOYER_SOURCE_SHA256", f'"{core["source_sha256"](COUNTING)}"')],
            extra_compile_args=[] if sys.platform == "win32" else FLAGS,
            # Without it the linker takes the exp, log and log1p of an older interface, which check every argument.
            libraries=[] if sys.platform == "win32" else ["m"],
        )
    ],
    include_path=[str(BUILD)],
    # Pickling and bindings, which nobody uses, would cost a unit half a megabyte of memory.
    compiler_directives={
        "annotation_typing": False,
        "auto_pickle": False,
        "binding": False,
        "cdivision": True,
        "language_level": 3,
    },
)
for extension in extensions:
    extension.optional = True  # cythonize drops it

setup(ext_modules=extensions)
