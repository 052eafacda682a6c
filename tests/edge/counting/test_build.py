from __future__ import annotations

import importlib.machinery
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import edge.counting
from edge.counting import build
from edge.counting.join import join

ROOT = Path(build.__file__).parents[2]
SAY_BUILD = "import edge.counting as c; print(c.BUILD, c.Door.__module__)"


def run(root: Path, wanted: str) -> subprocess.CompletedProcess[str]:
    """A new interpreter that imports the core below `root` and says which build it got."""
    return subprocess.run(
        [sys.executable, "-c", SAY_BUILD],
        cwd=root,
        env=os.environ | {"FOYER_CORE": wanted, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )


def needs_compiled() -> None:
    try:
        build.load_compiled()
    except build.CoreBuildError as error:
        pytest.skip(str(error))


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the core and what it imports, compiled modules included."""
    for name in ("edge/counting", "firmware_cfg"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "edge/__init__.py", tmp_path / "edge")
    return tmp_path


@pytest.mark.skipif(os.environ.get("CI") != "true", reason="only CI insists on the compiled core")
def test_ci_runs_the_compiled_core() -> None:
    assert isinstance(build.load_compiled().__loader__, importlib.machinery.ExtensionFileLoader)
    assert edge.counting.BUILD == "compiled"


def test_pure_twin_is_source() -> None:
    pure = build.load_pure()
    assert isinstance(pure.__loader__, importlib.machinery.SourceFileLoader)
    assert pure is build.load_pure()
    assert pure.Passage is edge.counting.Passage


def test_pure_on_request() -> None:
    assert run(ROOT, "pure").stdout.split() == ["pure", "edge.counting.pure.door"]


def test_unknown_request_is_an_error() -> None:
    done = run(ROOT, "fast")
    assert done.returncode != 0
    assert "FOYER_CORE=fast: expected auto, pure or compiled" in done.stderr


def test_compiled_on_request() -> None:
    needs_compiled()
    assert run(ROOT, "compiled").stdout.split() == ["compiled", "edge.counting._core"]


def test_without_compiled_modules_the_source_runs(house: Path) -> None:
    for compiled in (*house.glob("edge/counting/*.so"), *house.glob("edge/counting/*.pyd")):
        compiled.unlink()
    done = run(house, "auto")
    assert (done.stdout.split(), done.stderr) == (["pure", "edge.counting.pure.door"], "")
    assert "is not compiled; build it with" in run(house, "compiled").stderr


def test_modules_that_an_earlier_version_compiled_are_not_run(house: Path) -> None:
    """They lie beside the source by the same name, and Python would take them first."""
    for suffix in importlib.machinery.EXTENSION_SUFFIXES:
        (house / f"edge/counting/search{suffix}").write_bytes(b"no module")
    assert run(house, "pure").stdout.split() == ["pure", "edge.counting.pure.door"]


def test_names_are_defined_once_as_all_is_compiled_as_one(house: Path) -> None:
    folder = house / "edge/counting"
    source, types = join(folder, build.MODULES)
    assert "class Door:" in source
    assert "cdef class Door:" in types
    assert "#define FOYER_KEPT (8)" in types
    assert "KEPT = 8" not in source
    for name in re.findall(r"#define FOYER_(\w+)", types):
        assert not re.search(rf"^(\w+, )*{name}(, \w+)* = ", source, re.MULTILINE), name  # C cannot assign to a number
    with (folder / "search.py").open("a") as search:
        search.write("\n_ROOM = 3\n")
    with pytest.raises(ValueError, match=r"search\.py: _ROOM is defined in found\.py, too"):
        join(folder, build.MODULES)


@pytest.mark.parametrize("changed", [path.name for path in build.source_paths()])
def test_stale_compiled_core_is_noticed(house: Path, changed: str) -> None:
    needs_compiled()
    with (house / "edge/counting" / changed).open("a") as source:
        source.write("\n# changed since\n")
    done = run(house, "auto")
    assert done.stdout.split() == ["pure", "edge.counting.pure.door"]
    assert done.stderr.count("older than its source") == 1
    done = run(house, "compiled")
    assert done.returncode != 0
    assert "older than its source" in done.stderr
