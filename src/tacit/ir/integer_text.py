"""The text form of an integer graph; it prints and parses back to an equal graph. Views are written as in `text.py`.

    input   x: uint8[3] scale 0.5 zero 10
    weight  w: int8[3, 2]
    weight  m: int32[2]
    output  y: int16[2] scale 0.25 zero 0
    matmul y+0[| | 2:1] = x+0[| | 3:1] @ w+0[| 3:2 | 2:1] >> 1 * m+0[2:1] >> 10 within 0 to 32767

Both ``>>`` round. ``+=`` is followed by ``old ZERO times ADDEND`` at the end. The values of weights are not in the text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

import numpy as np

from tacit.ground.tables import did_you_mean
from tacit.ir.graph import Kind, Matmul
from tacit.ir.integer import BYTES, IntegerBuffer, IntegerGraph, IntegerInstruction, IntegerMatmul, IntegerRelu, IntegerType, Requantise
from tacit.ir.operations import OPERATIONS
from tacit.ir.text import KINDS, Line, parse_integers, parse_products, parse_source, parse_view, print_name, print_products, print_view


def print_integer_graph(graph: IntegerGraph) -> str:
    """Write an integer graph as text, the values of its weights left out."""
    return "\n".join([*map(_print_buffer, graph.buffers), "", *map(print_integer_instruction, graph.instructions), ""])


def _print_buffer(buffer: IntegerBuffer) -> str:
    text = f"{buffer.kind:<7} {print_name(buffer.name)}: {buffer.dtype}[{', '.join(map(str, buffer.shape))}]"
    if buffer.kind == "weight":
        return text
    scales = "" if buffer.scales is None else f" scales {' '.join(map(repr, buffer.scales))}"
    return f"{text} scale {buffer.scale!r} zero {buffer.zero}{' zeroed' if buffer.zeroed else ''}{scales}"


def print_integer_instruction(step: IntegerInstruction) -> str:
    """Write one instruction as a line of text."""
    rule, source = step.requantise, f" from {json.dumps(step.source)}" if step.source else ""
    after = f"* {print_view(rule.multiplier, None)} >> {rule.after} within {rule.low} to {rule.high}"
    if isinstance(step, IntegerRelu):
        return f"relu {print_view(step.out, None)} = {print_view(step.x, None)} {after}{source}"
    products = print_products(Matmul(step.out, step.a, step.b, step.axes, step.bias, step.accumulate))
    old = f" old {rule.old_zero} times {rule.addend}" if step.accumulate else ""
    return f"matmul {products} >> {rule.before} {after}{old}{source}"


def parse_integer_graph(text: str, weights: Mapping[str, np.ndarray] = {}) -> IntegerGraph:
    """Read the text form; `weights` become those of the graph. The result is not verified.

    Raises: GraphError that names line and column of the first mistake.
    """
    buffers: list[IntegerBuffer] = []
    instructions: list[IntegerInstruction] = []
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
    return IntegerGraph(tuple(buffers), tuple(instructions), dict(weights))


def _parse_buffer(scan: Line, kind: Kind) -> IntegerBuffer:
    name = scan.name()
    scan.take(":")
    scan.skip()
    column = scan.place
    dtype = scan.word()
    if dtype not in BYTES:
        scan.fail(f"{', '.join(BYTES)}, got `{dtype}`", column=column)
    scan.take("[")
    shape, found = tuple(parse_integers(scan, "]")), cast(IntegerType, dtype)
    if kind == "weight":
        scan.end()
        return IntegerBuffer(name, kind, shape, found)
    scan.take("scale")
    scale = scan.real()
    scan.take("zero")
    zero = scan.integer()
    zeroed = scan.has("zeroed")
    scales = None
    if scan.has("scales"):
        reals = [scan.real()]
        while not scan.ended():
            reals.append(scan.real())
        scales = tuple(reals)
    scan.end()
    return IntegerBuffer(name, kind, shape, found, scale, zero, zeroed, scales)


def _parse_rule(scan: Line, *, before: bool, accumulate: bool) -> Requantise:
    first = 0
    if before:
        scan.take(">>")
        first = scan.integer()
    scan.take("*")
    multiplier, _ = parse_view(scan, 1)
    scan.take(">>")
    after = scan.integer()
    scan.take("within")
    low = scan.integer()
    scan.take("to")
    high = scan.integer()
    old_zero = addend = 0
    if accumulate:
        scan.take("old")
        old_zero = scan.integer()
        scan.take("times")
        addend = scan.integer()
    return Requantise(first, multiplier, after, low, high, addend, old_zero)


def _parse_matmul(scan: Line) -> IntegerMatmul:
    made = parse_products(scan)
    rule = _parse_rule(scan, before=True, accumulate=made.accumulate)
    return IntegerMatmul(made.out, made.a, made.b, made.axes, rule, made.bias, made.accumulate, parse_source(scan))


def _parse_relu(scan: Line) -> IntegerRelu:
    out, _ = parse_view(scan, 1)
    scan.take("=")
    x, _ = parse_view(scan, 1)
    return IntegerRelu(out, x, _parse_rule(scan, before=False, accumulate=False), parse_source(scan))
