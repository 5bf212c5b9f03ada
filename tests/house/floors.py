"""The floors of the house, in one table, and the rules that every import has to keep.

A checker takes the folder that holds `tacit/` and gives the problems it finds, so that a test can show it a planted one.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SRC = Path(__file__).resolve().parents[2] / "src"

#: A file imports only from lower floors, or from its own package (the longest prefix in this table that fits it).
FLOORS: dict[str, float] = {
    "tacit.ground": 0,
    "tacit.signature": 1,
    "tacit.ir": 2,
    "tacit.examples": 3,
    "tacit.environments": 3,
    "tacit.skeletons": 3,
    "tacit.goals": 3,
    "tacit.lowering": 3,
    "tacit.passes": 3,
    "tacit.targets": 3,
    "tacit.program": 4,
    "tacit.directory": 4.5,  # reads and writes the nouns of floor 4
    "tacit.binary": 4.5,
    "tacit.search": 5,
    "tacit.quantisation": 5,
    "tacit.evidence": 5.5,
    "tacit.building": 5.5,
    "tacit.attribution": 5.5,
    "tacit.shipping": 5.8,  # from a trained network to a binary
    "tacit.acting": 5.9,  # programs that act in an environment or play a game
    "tacit.compiler": 6,
    "tacit.builder": 6,
    "tacit.resizing": 6,
    "tacit.melding": 6,
    "tacit.history": 6.5,  # git and remotes; the instruments ask it who wrote a label, and when
    "tacit.instruments": 7,
    "tacit.registry": 7,
    "tacit.domains": 7.2,  # runs other verbs and shows their reports
    "tacit": 7.5,  # the root: a table of contents, reached by name and only on use
    "tacit.cli": 8,
    "tacit.studio": 8,
    "tacit.serve": 8,
}

#: Packages that are not in the standard library, and where each may be imported. `None`: everywhere.
PACKAGES: dict[str, tuple[str, ...] | None] = {
    "numpy": None,
    "PIL": ("tacit.signature", "tacit.examples", "tacit.directory", "tacit.instruments", "tacit.studio"),
    "safetensors": ("tacit.binary", "tacit.search", "tacit.skeletons.backbone"),
    "typer": ("tacit.cli",),
    "click": ("tacit.cli",),
    "rich": ("tacit.cli",),
    "torch": (
        *("tacit.skeletons", "tacit.lowering", "tacit.search", "tacit.quantisation", "tacit.attribution"),
        *("tacit.evidence", "tacit.shipping", "tacit.acting", "tacit.compiler", "tacit.resizing", "tacit.melding"),
    ),
    "pyarrow": ("tacit.examples.table_parquet", "tacit.examples.chunks_parquet"),
    "onnx": ("tacit.targets.onnx",),
    "onnxruntime": ("tacit.targets.onnx",),
    "fsspec": ("tacit.history",),
    "wasmtime": ("tacit.targets.wasm.execution",),
    "optuna": ("tacit.search.studies",),
    "gymnasium": ("tacit.environments",),
    "ray": ("tacit.search.cluster",),
}


@dataclass(frozen=True)
class Import:
    """One import of one module, where it stands, and whether that is inside a function."""

    target: str
    line: int
    in_function: bool


def module_name(path: Path, root: Path) -> str:
    """Give the dotted name of a file below `root`."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules(root: Path, package: str) -> dict[str, Path]:
    """Give every module of a package by its dotted name."""
    return {module_name(path, root): path for path in sorted((root / package).rglob("*.py"))}


def imports(path: Path, name: str, known: set[str]) -> Iterator[Import]:
    """Give every import of a file, those in functions and under `TYPE_CHECKING` included; `from a import b` may mean `a.b`."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    yield from _walk(tree, package, known, in_function=False)


def _walk(node: ast.AST, package: str, known: set[str], *, in_function: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        inside = in_function or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, child.lineno, in_function) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            base = child.module or ""
            if child.level:
                parts = package.split(".")
                base = ".".join([*parts[: len(parts) - child.level + 1], *([base] if base else [])])
            for alias in child.names:
                whole = f"{base}.{alias.name}"
                yield Import(whole if whole in known else base, child.lineno, in_function)
        elif isinstance(child, ast.Call) and _is_dynamic(child) and child.args and isinstance(child.args[0], ast.Constant):
            yield Import(str(child.args[0].value).partition(":")[0], child.lineno, True)
        yield from _walk(child, package, known, in_function=inside)


def _is_dynamic(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return name in ("import_module", "__import__")


def owner(name: str) -> str | None:
    """Give the row of `FLOORS` that a module belongs to, or None for a module that has no floor."""
    rows = [row for row in FLOORS if name == row or (row != "tacit" and name.startswith(row + "."))]
    return max(rows, key=len, default=None)


def floor_problems(root: Path) -> list[str]:
    """Name every import of Tacit's own code that goes up, sideways, to the root from below, or hides in a function."""
    known = set(modules(root, "tacit"))
    problems = []
    for name, path in modules(root, "tacit").items():
        mine = owner(name)
        if mine is None:
            problems.append(f"{name}: has no floor; give it a row in FLOORS")
            continue
        for item in imports(path, name, known):
            if item.target.split(".")[0] == "tacit_programs":
                problems.append(f"{name}:{item.line} imports {item.target}: the core can't see the domain programs")
            if item.target.split(".")[0] != "tacit":
                continue
            theirs = owner(item.target)
            if item.in_function:
                problems.append(f"{name}:{item.line} imports {item.target} inside a function")
            elif theirs is None:
                problems.append(f"{name}:{item.line} imports {item.target}, which has no floor")
            elif theirs != mine and FLOORS[theirs] >= FLOORS[mine]:
                problems.append(f"{name}:{item.line} (floor {FLOORS[mine]:g}) imports {item.target} (floor {FLOORS[theirs]:g})")
    return problems


def package_problems(root: Path) -> list[str]:
    """Name every import of an outside package where it does not belong."""
    problems = []
    for name, path in modules(root, "tacit").items():
        for item in imports(path, name, set()):
            top = item.target.split(".")[0]
            if top in sys.stdlib_module_names or top in ("tacit", "tacit_programs"):
                continue
            allowed = PACKAGES.get(top, ())
            if allowed is not None and not any(name == row or name.startswith(row + ".") for row in allowed):
                where = f"only in {', '.join(allowed)}" if allowed else "nowhere"
                problems.append(f"{name}:{item.line} imports {item.target}, allowed {where}")
    return problems


def program_problems(root: Path) -> list[str]:
    """Name every import by a domain program of anything of Tacit but its root, or of another program."""
    problems = []
    known = set(modules(root, "tacit_programs")) | set(modules(root, "tacit"))
    for name, path in modules(root, "tacit_programs").items():
        for item in imports(path, name, known):
            parts = item.target.split(".")
            if parts[0] == "tacit" and len(parts) > 1:
                problems.append(f"{name}:{item.line} imports {item.target}; a program sees only `import tacit`")
            if parts[0] == "tacit_programs" and parts[1:2] != name.split(".")[1:2]:
                problems.append(f"{name}:{item.line} imports {item.target}, another program")
    return problems


def knots(root: Path) -> list[list[str]]:
    """Give the groups of files that all reach one another by imports (Tarjan's strongly connected components above one file)."""
    found = modules(root, "tacit")
    graph = {name: {i.target for i in imports(path, name, set(found)) if i.target in found} - {name} for name, path in found.items()}
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(name: str) -> None:
        order[name] = low[name] = len(order)
        stack.append(name)
        for target in sorted(graph[name]):
            if target not in order:
                visit(target)
                low[name] = min(low[name], low[target])
            elif target in stack:
                low[name] = min(low[name], order[target])
        if low[name] == order[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(group) > 1:
                groups.append(sorted(group))

    for name in graph:
        if name not in order:
            visit(name)
    return groups
