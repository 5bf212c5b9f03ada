"""Enough of YAML to read a workflow: mappings, lists of mappings, scalars, and blocks that begin with `|`."""

from __future__ import annotations

from typing import Any


def parse(text: str) -> Any:
    """Read a document; ValueError names the line that is not understood."""
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1)]
    value, rest = _block(lines, 0)
    left = [number for number, line in rest if line.strip() and not line.lstrip().startswith("#")]
    if left:
        raise ValueError(f"line {left[0]}: not understood: {text.splitlines()[left[0] - 1]!r}")
    return value


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _skip(lines: list[tuple[int, str]]) -> list[tuple[int, str]]:
    while lines and (not lines[0][1].strip() or lines[0][1].lstrip().startswith("#")):
        lines = lines[1:]
    return lines


def _block(lines: list[tuple[int, str]], indent: int) -> tuple[Any, list[tuple[int, str]]]:
    lines = _skip(lines)
    items: list[Any] = []
    fields: dict[str, Any] = {}
    while lines := _skip(lines):
        number, line = lines[0]
        if _indent(line) < indent:
            break
        if _indent(line) > indent or "\t" in line:
            raise ValueError(f"line {number}: unexpected indentation: {line!r}")
        content = line.strip()
        if content.startswith("- "):
            inner = [(number, " " * (indent + 2) + content[2:]), *lines[1:]]
            value, lines = _block(inner, indent + 2)
            items.append(value)
            continue
        key, colon, scalar = content.partition(":")
        if not colon or (scalar and not scalar.startswith(" ")):
            raise ValueError(f"line {number}: expected `key: value`, got {content!r}")
        if key in fields:
            raise ValueError(f"line {number}: `{key}` stands twice")
        scalar = scalar.split(" #")[0].strip()
        lines = lines[1:]
        if scalar == "|":
            taken = []
            while lines and (not lines[0][1].strip() or _indent(lines[0][1]) > indent):
                taken.append(lines[0][1])
                lines = lines[1:]
            depth = _indent(taken[0])
            fields[key] = "\n".join(line[depth:] for line in taken).rstrip("\n") + "\n"
        elif scalar:
            fields[key] = scalar.strip('"')
        else:
            fields[key], lines = _block(lines, _indent(_skip(lines)[0][1]))
    return (items or fields), lines
