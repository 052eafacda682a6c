"""All modules of the core as one, for the compiler, which then sees through the calls from one to another.

Only setup.py reads this.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_HEAD = """from __future__ import annotations

SOURCE_SHA256 = FOYER_SOURCE_SHA256.decode()
"""
_NOT_NEEDED = ("__future__", "edge.counting.terms")
_TYPES_HEAD = """cimport cython
from libc.stdint cimport int64_t

cdef extern from *:
    const char* FOYER_SOURCE_SHA256
"""


def join(folder: Path, modules: Sequence[str]) -> tuple[str, str]:
    """One module's source, and its .pxd, made of those of all `modules`, each after those that it imports.

    Constants that are plain numbers are written into C as such. Raises ValueError where two modules define the same
    name.
    """
    sources, types = [_HEAD], []
    numbers: dict[str, float] = {}
    defined: dict[str, str] = {}
    for module in ("terms", *modules):
        source = (folder / f"{module}.py").read_text("utf-8")
        types.append((folder / f"{module}.pxd").read_text("utf-8"))
        for name in _names(source):
            if defined.setdefault(name, module) != module:
                raise ValueError(f"{module}.py: {name} is defined in {defined[name]}.py, too: they are compiled as one")
        numbers |= _numbers(source)
    typed = "\n".join(types)
    declared, typed = _declare(typed, numbers)
    for module in modules:
        source = (folder / f"{module}.py").read_text("utf-8")
        sources.append(f"# {module}.py\n{_body(source, declared)}\n")
    return "\n".join(sources), f"{_TYPES_HEAD}\n{_macros(declared, numbers)}\n{typed}"


def _declare(types: str, numbers: dict[str, float]) -> tuple[dict[str, str], str]:
    """The C type of each number that is declared, and the declarations without these."""
    declared: dict[str, str] = {}
    kept = []
    for line in types.splitlines():
        match = re.fullmatch(r"cdef (int|double|int64_t) ([\w, ]+)", line)
        if match:
            names = match[2].split(", ")
            declared |= {name: match[1] for name in names if name in numbers}
            rest = [name for name in names if name not in numbers]
            line = f"cdef {match[1]} {', '.join(rest)}" if rest else ""  # noqa: PLW2901 - what is left of it
        kept.append(line)
    return declared, "\n".join(kept)


def _macros(declared: dict[str, str], numbers: dict[str, float]) -> str:
    """Declarations of constants that C knows the values of."""
    macros = [f"    #define FOYER_{name} ({_number(kind, numbers[name])})" for name, kind in declared.items()]
    types = [f'    const {kind} {name} "FOYER_{name}"' for name, kind in declared.items()]
    return "\n".join(["cdef extern from *:", '    """', *macros, '    """', *types])


def _number(kind: str, value: float) -> str:
    if kind == "double":
        return repr(float(value))
    return f"{value}LL" if kind == "int64_t" else str(value)


def _body(source: str, declared: dict[str, str]) -> str:
    """A module without its docstring, what it imports from its siblings, and constants that are `declared`."""
    lines = source.splitlines()
    for index, node in enumerate(ast.parse(source).body):
        docstring = index == 0 and isinstance(node, ast.Expr)
        sibling = isinstance(node, ast.ImportFrom) and (node.level > 0 or node.module in _NOT_NEEDED)
        constant = isinstance(node, ast.Assign) and _targets(node) <= declared.keys()
        if docstring or sibling or constant:
            for line in range(node.lineno - 1, node.end_lineno or node.lineno):
                lines[line] = ""
    return "\n".join(lines)


def _targets(node: ast.Assign) -> set[str]:
    return {name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name)}


def _names(source: str) -> set[str]:
    """What a module defines."""
    names = set()
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= _targets(node)
    return names


def _numbers(source: str) -> dict[str, float]:
    """What a module defines that is a plain number, and nothing in the same statement is worked out."""
    numbers: dict[str, float] = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign):
            target, value = node.targets[0], node.value
            names = target.elts if isinstance(target, ast.Tuple) else [target]
            values = value.elts if isinstance(value, ast.Tuple) else [value]
            try:
                numbers |= {
                    ast.unparse(name): ast.literal_eval(each) for name, each in zip(names, values, strict=False)
                }
            except ValueError:
                continue
    return numbers
