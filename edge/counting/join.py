"""All modules of the core as one, for the compiler, which then sees through the calls from one to another.

Only setup.py reads this.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_HEAD = """from __future__ import annotations

SOURCE_SHA256 = FOYER_SOURCE_SHA256.decode()
"""
_TYPES_HEAD = """cimport cython
from libc.stdint cimport int64_t

cdef extern from *:
    const char* FOYER_SOURCE_SHA256
"""


def join(folder: Path, modules: Sequence[str]) -> tuple[str, str]:
    """One module's source, and its .pxd, made of those of all `modules`, each after those that it imports.

    Raises ValueError where two of them define the same name.
    """
    sources, types = [_HEAD], [_TYPES_HEAD, (folder / "terms.pxd").read_text("utf-8")]
    defined: dict[str, str] = {}
    for module in modules:
        source = (folder / f"{module}.py").read_text("utf-8")
        for name in _names(source):
            if defined.setdefault(name, module) != module:
                raise ValueError(f"{module}.py: {name} is defined in {defined[name]}.py, too: they are compiled as one")
        sources.append(f"# {module}.py\n{_body(source)}\n")
        types.append((folder / f"{module}.pxd").read_text("utf-8"))
    return "\n".join(sources), "\n".join(types)


def _body(source: str) -> str:
    """A module without its docstring and what it imports from its siblings."""
    lines = source.splitlines()
    for index, node in enumerate(ast.parse(source).body):
        docstring = index == 0 and isinstance(node, ast.Expr)
        sibling = isinstance(node, ast.ImportFrom) and (node.level > 0 or node.module == "__future__")
        if docstring or sibling:
            for line in range(node.lineno - 1, node.end_lineno or node.lineno):
                lines[line] = ""
    return "\n".join(lines)


def _names(source: str) -> set[str]:
    """What a module defines."""
    names = set()
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return names
