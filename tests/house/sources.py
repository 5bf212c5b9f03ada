"""What a source file of the house may look like: names, words, lengths, surfaces. Each checker gives the problems it finds."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

BAD_STEMS = {"utils", "util", "helpers", "helper", "common", "misc", "shared", "stuff", "base_utils"}

#: Words of a domain; the core speaks of arrays, axes, examples and scores. Matched as whole words of identifiers and strings.
DOMAIN_WORDS = (
    *("pixel", "phoneme", "stone", "torque", "komi", "gripper", "pendulum", "vowel", "speaker", "utterance"),
    *("mnist", "cifar", "garment", "spam", "bleu", "chess"),
)

#: File -> the domain words that it may use, and why.
WORDS_ALLOWED: Mapping[str, Mapping[str, str]] = {
    "signature/image.py": {"pixel": "a picture is made of them"},
    "examples/probe.py": {"pixel": "the limit on decoded pictures, as Pillow counts it"},
    "examples/sources_arrays.py": {"speaker": "a name that people give to an array of groups"},
    "lowering/rules.py": {"pixel": "PyTorch's name of an operation, `pixel_shuffle`"},
    "resizing/atoms.py": {"pixel": "PyTorch's name of an operation, `pixel_shuffle`"},
    "lowering/shapes.py": {"pixel": "PyTorch's name of an operation, `pixel_shuffle`"},
}

LONGEST_FILE = 400
#: File -> why it is longer than `LONGEST_FILE` lines.
LONG_FILES: Mapping[str, str] = {}
LONGEST_FUNCTION = 100


def python_files(root: Path) -> list[Path]:
    """Give every Python file below a folder."""
    return sorted(root.rglob("*.py"))


def name_problems(root: Path) -> list[str]:
    """Name the files and folders that are called after no thought."""
    return [f"{path.relative_to(root)}: say what it holds" for path in sorted(root.rglob("*")) if path.stem in BAD_STEMS]


def exported_file_problems(root: Path) -> list[str]:
    """Name what a package exports under the name of one of its files: importing that file would replace the export."""
    problems = []
    for path in sorted(root.rglob("__init__.py")):
        stems = {p.stem for p in path.parent.glob("*.py")} | {p.parent.name for p in path.parent.glob("*/__init__.py")}
        names = set(declared(path) or ()) | _bound(path)
        problems += [f"{path.relative_to(root)}: exports `{name}`, which is also a file of the package" for name in sorted(names & stems)]
    return problems


def _bound(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            # `from package.file import file` binds a name over a file; `from package import file` is the file itself
            names |= {alias.asname or alias.name for alias in node.names if (node.module or "").rpartition(".")[2] != path.parent.name}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
    return names


def declared(path: Path) -> list[str] | None:
    """Give the names in `__all__` of a file, or None where it has none."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets) and getattr(node, "value", None) is not None:
            return [item.value for item in ast.walk(node.value) if isinstance(item, ast.Constant) and isinstance(item.value, str)]
    return None


def assert_problems(root: Path) -> list[str]:
    """Name each `assert`: Python drops them under `-O`, and none tells a person what to do."""
    found = []
    for path in python_files(root):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found += [f"{path.relative_to(root)}:{node.lineno}: assert" for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    return found


def word_problems(root: Path, allowed: Mapping[str, Mapping[str, str]] = WORDS_ALLOWED) -> list[str]:
    """Name the words of a domain in identifiers and strings (documentation strings may give examples)."""
    problems = []
    for path in python_files(root):
        file = path.relative_to(root).as_posix()
        forbidden = set(DOMAIN_WORDS) - set(allowed.get(file, ()))
        for line, text in _identifiers_and_strings(ast.parse(path.read_text(encoding="utf-8"))):
            words = {word.lower().rstrip("s") for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", text)}
            words |= {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", text)}
            problems += [f"{file}:{line}: `{word}` in {text[:60]!r}" for word in sorted(words & forbidden)]
    return sorted(set(problems))


def _identifiers_and_strings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 1)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield line, node.value
        elif isinstance(node, ast.Name):
            yield line, node.id
        elif isinstance(node, ast.arg | ast.keyword):
            yield line, node.arg or ""
        elif isinstance(node, ast.Attribute):
            yield line, node.attr
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.alias):
            yield line, node.name


def length_problems(root: Path, reasons: Mapping[str, str] = LONG_FILES) -> list[str]:
    """Name the files and functions that tell more than one story, and the reasons that are no longer needed."""
    problems, long = [], set()
    for path in python_files(root):
        file = path.relative_to(root).as_posix()
        text = path.read_text(encoding="utf-8")
        if (lines := text.count("\n")) > LONGEST_FILE:
            long.add(file)
            if file not in reasons:
                problems.append(f"{file}: {lines} lines, more than {LONGEST_FILE}; split it, or give the reason in LONG_FILES")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                span = (node.end_lineno or node.lineno) - node.lineno + 1
                if span > LONGEST_FUNCTION:
                    problems.append(f"{file}:{node.lineno}: `{node.name}` has {span} lines, more than {LONGEST_FUNCTION}")
    return problems + [f"{file}: no longer long; drop its row from LONG_FILES" for file in sorted(set(reasons) - long)]


def table_rows(root: Path) -> Iterator[tuple[str, int, str]]:
    """Give every string of the form ``module:attribute`` that names Tacit's own code: file, line, reference."""
    for path in python_files(root):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"tacit(_programs)?[.\w]*:\w+", node.value):
                yield path.relative_to(root).as_posix(), node.lineno, node.value
