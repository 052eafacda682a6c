"""Compiles the counting core; everything else is in pyproject.toml.

The modules are plain Python, typed for the compiler by the .pxd files beside them. Each compiled one carries the
SHA-256 of all their sources, so that `edge.counting` notices when they have changed since. Without a compiler the
install goes on and the same sources run uncompiled.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from Cython.Build import cythonize
from Cython.Build.SharedModule import generate_shared_module
from Cython.Compiler.Options import CompilationOptions
from setuptools import Extension, setup

HERE = Path(__file__).parent
core = runpy.run_path(str(HERE / "edge/counting/build.py"))
sources = [str(path.relative_to(HERE)) for path in core["source_paths"](HERE / "edge/counting")]

# What typed columns need is in a module of its own: in each of ours it would cost a unit some 2 MB of memory.
SHARED, SHARED_C = "edge.counting._columns", "build/cython/edge/counting/_columns.c"
(HERE / SHARED_C).parent.mkdir(parents=True, exist_ok=True)
generate_shared_module(CompilationOptions(shared_c_file_path=SHARED_C))

extensions = cythonize(
    [
        Extension(
            f"edge.counting.{name}",
            [f"edge/counting/{name}.py"],
            depends=sources,
            define_macros=[("FOYER_SOURCE_SHA256", f'"{core["source_sha256"](HERE / "edge/counting")}"')],
            # Fused multiply-adds would let the compiled core differ from the pure one in the last bit.
            extra_compile_args=[] if sys.platform == "win32" else ["-ffp-contract=off", "-fno-math-errno"],
            # Without it the linker takes the exp, log and log1p of an older interface, which check every argument.
            libraries=[] if sys.platform == "win32" else ["m"],
        )
        for name in core["MODULES"]
    ],
    build_dir="build/cython",
    # Pickling and bindings, which nobody uses, would cost a unit half a megabyte of memory.
    compiler_directives={"annotation_typing": False, "auto_pickle": False, "binding": False, "language_level": 3},
    shared_utility_qualified_name=SHARED,
)
extensions.append(Extension(SHARED, [SHARED_C]))
for extension in extensions:
    extension.optional = True  # cythonize drops it

setup(ext_modules=extensions)
