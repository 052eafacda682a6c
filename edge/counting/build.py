"""Which build of the core runs: compiled where it is there and fresh, else its source.

`FOYER_CORE` chooses: `auto` (the default), `pure`, or `compiled`, which makes a missing or stale one an error.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.machinery
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

COMPILED = "edge.counting._core"
MODULES = (
    "pulses",
    "evidence",
    "health",
    "found",
    "curves",
    "habits",
    "company",
    "scene",
    "measure",
    "candidates",
    "bodies",
    "places",
    "search",
    "groups",
    "recent",
    "teller",
    "window",
    "door",
)
"""What is compiled, as one module, so that the compiler sees through all calls: each after those it imports."""

_HERE = Path(__file__).parent
_PURE = "edge.counting.pure"


class CoreBuildError(ImportError):
    """FOYER_CORE asks for what there is not."""


class StaleCoreError(CoreBuildError):
    """A compiled core is there and is not what its source says."""


def source_paths(folder: Path = _HERE) -> list[Path]:
    """The files that the compiled core is made from."""
    names = ("terms", *MODULES)
    return [folder / f"{name}{suffix}" for name in names for suffix in (".py", ".pxd")]


def source_sha256(folder: Path = _HERE) -> str:
    """What a core compiled from the sources as they are now carries as SOURCE_SHA256."""
    digest = hashlib.sha256()
    for path in source_paths(folder):
        digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()


def load_pure() -> ModuleType:
    """The module `door` of the pure twin: the same source, never compiled, as `edge.counting.pure.door`."""
    last = f"{_PURE}.{MODULES[-1]}"
    if last in sys.modules:
        return sys.modules[last]
    package = ModuleType(_PURE)
    package.__path__ = []
    sys.modules[_PURE] = package
    for name in MODULES:
        path = _HERE / f"{name}.py"
        loader = importlib.machinery.SourceFileLoader(f"{_PURE}.{name}", str(path))
        spec = importlib.util.spec_from_file_location(loader.name, path, loader=loader)
        if spec is None:
            raise CoreBuildError(f"{path} cannot be loaded")
        module = importlib.util.module_from_spec(spec)
        sys.modules[loader.name] = module
        loader.exec_module(module)
        setattr(package, name, module)
    return sys.modules[last]


def load_compiled() -> ModuleType:
    """The compiled core; raises CoreBuildError where it is not there or not made from these sources."""
    mend = "build it with: pip install -e ."
    spec = importlib.util.find_spec(COMPILED)
    if spec is None or not isinstance(spec.loader, importlib.machinery.ExtensionFileLoader):
        raise CoreBuildError(f"the counting core is not compiled; {mend}")
    try:
        module = importlib.import_module(COMPILED)
    except (ImportError, TypeError, ValueError) as error:
        raise StaleCoreError(f"the compiled counting core does not load ({error}); {mend}") from error
    if source_sha256() != module.SOURCE_SHA256:
        raise StaleCoreError(f"the compiled counting core is older than its source; {mend}")
    return module


def load() -> tuple[ModuleType, str]:
    """The module with the `Door` that FOYER_CORE asks for, and which build it is: `compiled` or `pure`."""
    wanted = os.environ.get("FOYER_CORE", "auto")
    if wanted not in ("auto", "pure", "compiled"):
        raise CoreBuildError(f"FOYER_CORE={wanted}: expected auto, pure or compiled")
    if wanted == "pure":
        return load_pure(), "pure"
    try:
        return load_compiled(), "compiled"
    except CoreBuildError as error:
        if wanted == "compiled":
            raise
        if isinstance(error, StaleCoreError):
            print(f"foyer: {error}; counting uncompiled until then", file=sys.stderr)
        return load_pure(), "pure"
