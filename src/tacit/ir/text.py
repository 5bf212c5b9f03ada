"""The text form of a graph: one buffer or instruction per line; it prints and parses back to an equal graph.

A buffer is its kind, name, type and shape. A view is a buffer, an offset and ``extent:stride`` per axis, with the roles of
a matmul's axes between bars; an index stands in braces. ``#`` starts a comment.

    input   tokens: int32[20]
    weight  table: float32[1000, 64]
    weight  mean: float32[1]
    output  scores: float32[64]
    matmul scores+0[| | 64:1] = mean+0[| | 20:0] @ table{64 * tokens+0(1, 0) < 1000}+0[| 20:0 | 64:1] then relu from "net.py:3"

``+=`` accumulates onto `out`, ``@`` is the sum of products, ``+ bias`` may follow it. The values of weights are not in the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NoReturn, cast

import numpy as np

from tacit.ground.errors import GraphError
from tacit.ground.tables import did_you_mean
from tacit.ir.graph import Axes, Buffer, Graph, Index, Instruction, Kind, Matmul, Relu, View
from tacit.ir.operations import OPERATIONS, operation_of, role_counts

KINDS = ("input", "weight", "scratch", "output")
_PLAIN = re.compile(r"[A-Za-z_][\w.]*")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"')
_BLANK = re.compile(r"[ \t]*")
_INTEGER = re.compile(r"-?[0-9]+")
_REAL = re.compile(r"-?[0-9]+(\.[0-9]*)?(e[+-]?[0-9]+)?")
_AXES = re.compile(r"\[([^\]#\"]*)\]")
_OFFSET = re.compile(r"[ \t]*\+[ \t]*([0-9]+)")
_AXIS = re.compile(r"[ \t]*([0-9]+)[ \t]*:[ \t]*(-?[0-9]+)[ \t]*")


# --- printing -----------------------------------------------------------------------------------------------------------


def print_graph(graph: Graph) -> str:
    """Write a graph as text, the values of its weights left out.

    >>> buffers = Buffer("x", "input", (2,)), Buffer("y", "output", (2,))
    >>> print(print_graph(Graph(buffers, (Relu(View("y", 0, (2,), (1,)), View("x", 0, (2,), (1,))),))))
    input   x: float32[2]
    output  y: float32[2]
    <BLANKLINE>
    relu y+0[2:1] = x+0[2:1]
    <BLANKLINE>
    """
    buffers = [
        f"{buffer.kind:<7} {print_name(buffer.name)}: {buffer.dtype}[{', '.join(map(str, buffer.shape))}]" + " zeroed" * buffer.zeroed
        for buffer in graph.buffers
    ]
    return "\n".join([*buffers, "", *map(print_instruction, graph.instructions), ""])


def print_instruction(instruction: Instruction) -> str:
    """Write one instruction as a line of text."""
    source = f" from {json.dumps(instruction.source)}" if instruction.source else ""
    if isinstance(instruction, Relu):
        return f"relu {print_view(instruction.out, None)} = {print_view(instruction.x, None)}{source}"
    return f"matmul {print_products(instruction)}{' then relu' if instruction.relu else ''}{source}"


def print_products(instruction: Matmul) -> str:
    """Write ``out = a @ b + bias`` with all of its views."""
    views = {
        operand.field: print_view(view, role_counts(operand, instruction.axes))
        for operand in operation_of(instruction).operands
        if (view := getattr(instruction, operand.field)) is not None
    }
    sign = "+=" if instruction.accumulate else "="
    bias = f" + {views['bias']}" if "bias" in views else ""
    return f"{views['out']} {sign} {views['a']} @ {views['b']}{bias}"


def print_name(name: str) -> str:
    """Write the name of a buffer, quoted where it is not a plain word."""
    return name if _PLAIN.fullmatch(name) and name.isascii() else json.dumps(name)


def print_view(view: View, counts: tuple[int, ...] | None) -> str:
    """Write a view; `counts` axes stand between bars."""
    axes = [f"{extent}:{stride}" for extent, stride in zip(view.shape, view.strides, strict=True)]
    if counts is None:
        body = ", ".join(axes)
    else:
        parts, start = [], 0
        for count in counts:
            parts.append(", ".join(axes[start : start + count]))
            start += count
        body = " | ".join(parts).replace("|  |", "| |").replace("|  |", "| |").strip()
    index = ""
    if view.index is not None:
        found = view.index
        strides = ", ".join(map(str, found.strides))
        index = f"{{{found.step} * {print_name(found.buffer)}+{found.offset}({strides}) < {found.limit}}}"
    return f"{print_name(view.buffer)}{index}+{view.offset}[{body}]"


# --- parsing ------------------------------------------------------------------------------------------------------------


def parse_graph(text: str, weights: Mapping[str, np.ndarray] = {}) -> Graph:
    """Read the text form; `weights` become those of the graph. The result is not verified.

    Raises: GraphError that names line and column of the first mistake.
    """
    buffers: list[Buffer] = []
    instructions: list[Instruction] = []
    for number, line in enumerate(text.splitlines(), start=1):
        scan = Line(line, number)
        if scan.ended():
            continue
        word = scan.word()
        if word in KINDS:
            buffers.append(_parse_buffer(scan, cast(Kind, word)))
        elif word == "matmul":
            instructions.append(_parse_matmul(scan))
        elif word == "relu":
            instructions.append(_parse_relu(scan))
        else:
            scan.fail(f"a kind of buffer or an operation, got `{word}`", column=0, fix=did_you_mean(word, [*KINDS, *OPERATIONS]))
    return Graph(tuple(buffers), tuple(instructions), dict(weights))


class Line:
    """One line and the place up to which it is read."""

    def __init__(self, text: str, number: int) -> None:
        self.text, self.number, self.place = text, number, 0

    def fail(self, expected: str, *, column: int | None = None, fix: str | None = None) -> NoReturn:
        """Raise: what was expected, and where (columns count from 1)."""
        place = self.place if column is None else column
        while place < len(self.text) and self.text[place] in " \t" and column is None:
            place += 1
        got = ""
        if ", got " not in expected:
            rest = self.text[place : place + 16].strip()
            got = f", got `{rest}`" if rest else ", got the end of the line"
        raise GraphError(f"expected {expected}{got} - at line {self.number}, column {place + 1}", cause=self.text.strip(), fix=fix)

    def skip(self) -> None:
        """Pass over blanks."""
        self.place = cast("re.Match[str]", _BLANK.match(self.text, self.place)).end()

    def ended(self) -> bool:
        """Say whether nothing but a comment is left."""
        self.skip()
        return self.place == len(self.text) or self.text[self.place] == "#"

    def find(self, pattern: re.Pattern[str]) -> str | None:
        """Take what a pattern matches here, after blanks; None when it does not."""
        self.skip()
        match = pattern.match(self.text, self.place)
        if match is None:
            return None
        self.place = match.end()
        return match.group()

    def word(self) -> str:
        """Take a word, or fail."""
        return self.find(_PLAIN) or self.fail("a word")

    def has(self, mark: str) -> bool:
        """Take a mark if it is next."""
        self.skip()
        if not self.text.startswith(mark, self.place):
            return False
        self.place += len(mark)
        return True

    def take(self, mark: str) -> None:
        """Take a mark, or fail."""
        if not self.has(mark):
            self.fail(f"`{mark}`")

    def integer(self) -> int:
        """Take an integer, or fail."""
        found = self.find(_INTEGER)
        return self.fail("an integer") if found is None else int(found)

    def real(self) -> float:
        """Take a number, or fail."""
        found = self.find(_REAL)
        return self.fail("a number") if found is None else float(found)

    def string(self) -> str:
        """Take a quoted string, or fail."""
        self.skip()
        start = self.place
        found = self.find(_TOKEN)
        if found is None:
            self.fail("a string in double quotes")
        try:
            return str(json.loads(found))
        except ValueError:
            self.fail("a string as JSON writes it", column=start)

    def name(self) -> str:
        """Take the name of a buffer, quoted or not."""
        self.skip()
        if self.text.startswith('"', self.place):
            return self.string()
        return self.find(_PLAIN) or self.fail("the name of a buffer")

    def end(self) -> None:
        """Fail unless nothing but a comment is left."""
        if not self.ended():
            self.fail("the end of the line")


def parse_integers(scan: Line, close: str) -> Iterator[int]:
    """Take integers between commas up to a closing mark."""
    if scan.has(close):
        return
    yield scan.integer()
    while not scan.has(close):
        scan.take(",")
        yield scan.integer()


def _parse_buffer(scan: Line, kind: Kind) -> Buffer:
    name = scan.name()
    scan.take(":")
    scan.skip()
    column = scan.place
    dtype = scan.word()
    if dtype != "float32" and dtype != "int32":
        scan.fail(f"float32 or int32, got `{dtype}`", column=column)
    scan.take("[")
    shape = tuple(parse_integers(scan, "]"))
    zeroed = not scan.ended()
    if zeroed:
        scan.take("zeroed")
    scan.end()
    return Buffer(name, kind, shape, "float32" if dtype == "float32" else "int32", zeroed)


def parse_view(scan: Line, parts: int) -> tuple[View, tuple[int, ...]]:
    """Take a view whose axes stand in `parts` parts; give it and the count of axes of each part."""
    name = scan.name()
    index = _parse_index(scan) if scan.has("{") else None
    match = _OFFSET.match(scan.text, scan.place)
    if match is None:
        scan.fail("`+` and an offset")
    scan.place = match.end()
    scan.skip()
    start = scan.place
    body = _AXES.match(scan.text, start)
    if body is None:
        scan.fail("`[` and axes up to `]`")
    scan.place = body.end()
    pieces = body.group(1).split("|")
    if len(pieces) != parts:
        scan.fail(f"{parts} parts between bars, got {len(pieces)}" if parts > 1 else "axes without bars, got a `|`", column=start)
    shape: list[int] = []
    strides: list[int] = []
    counts, place = [], start + 1
    for piece in pieces:
        before = len(shape)
        if piece and not piece.isspace():
            for axis in piece.split(","):
                found = _AXIS.fullmatch(axis)
                if found is None:
                    blanks = len(axis) - len(axis.lstrip(" \t"))
                    scan.fail(f"an axis as extent:stride, got `{axis.strip()}`", column=place + blanks)
                shape.append(int(found[1]))
                strides.append(int(found[2]))
                place += len(axis) + 1
        else:
            place += len(piece) + 1
        counts.append(len(shape) - before)
    return View(name, int(match[1]), tuple(shape), tuple(strides), index), tuple(counts)


def _parse_index(scan: Line) -> Index:
    step = scan.integer()
    scan.take("*")
    buffer = scan.name()
    scan.take("+")
    offset = scan.integer()
    scan.take("(")
    strides = tuple(parse_integers(scan, ")"))
    scan.take("<")
    limit = scan.integer()
    scan.take("}")
    return Index(buffer, offset, strides, step, limit)


def parse_source(scan: Line) -> str:
    """Take where an instruction came from, when that is said, and the end of the line."""
    source = scan.string() if not scan.ended() and scan.has("from") else ""
    scan.end()
    return source


def _parse_relu(scan: Line) -> Relu:
    out, _ = parse_view(scan, 1)
    scan.take("=")
    x, _ = parse_view(scan, 1)
    return Relu(out, x, parse_source(scan))


def _parse_matmul(scan: Line) -> Matmul:
    products = parse_products(scan)
    relu = not scan.ended() and scan.has("then")
    if relu:
        scan.take("relu")
    return replace(products, relu=relu, source=parse_source(scan))


def parse_products(scan: Line) -> Matmul:
    """Take ``out = a @ b + bias`` with all of its views."""
    operands = {operand.field: operand for operand in OPERATIONS["matmul"].operands}
    counted: dict[str, int] = {}

    def take(field: str) -> View:
        scan.skip()
        column = scan.place
        view, counts = parse_view(scan, len(operands[field].roles))
        for role, count in zip(operands[field].roles, counts, strict=True):
            if counted.setdefault(role, count) != count:
                scan.fail(f"{counted[role]} {role} axes in {field} as before, got {count}", column=column)
        return view

    out = take("out")
    accumulate = scan.has("+=")
    if not accumulate:
        scan.take("=")
    a = take("a")
    scan.take("@")
    b = take("b")
    bias = take("bias") if scan.has("+") else None
    return Matmul(out, a, b, Axes(**counted), bias, accumulate)
