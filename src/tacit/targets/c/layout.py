"""Where buffers stand in the arena, and how inputs get in and outputs get out, for float and for integer graphs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from tacit.ir.graph import Graph
from tacit.ir.integer import IntegerBuffer, IntegerGraph
from tacit.ir.integer_ranges import LIMITS
from tacit.ir.integer_verifier import shadow
from tacit.ir.memory import plan_memory
from tacit.targets.c.integers import BYTES, stored_as
from tacit.targets.c.isa import Isa
from tacit.targets.c.weights import Blob


@dataclass(frozen=True)
class Layout:
    """One arena. pointers: buffer -> C expression of its first element. fills: (before instruction, C text), in order.

    enter, leave: lines that bring inputs into the arena and outputs out of it. helpers: functions that they call.
    """

    pointers: Mapping[str, str]
    arena_bytes: int
    fills: tuple[tuple[int, str], ...]
    enter: tuple[str, ...]
    leave: tuple[str, ...]
    helpers: str = ""


def float_layout(graph: Graph) -> Layout:
    """Place the buffers of a float graph; a NaN in an input is read as 0."""
    plan = plan_memory(graph)
    kinds = {"float32": "real", "int32": "int32_t"}
    pointers = {
        buffer.name: f"({kinds[buffer.dtype]} *)(arena + {plan.offsets[buffer.name] * 4})"
        for buffer in graph.buffers
        if buffer.name in plan.offsets
    }
    fills = [
        (zeroing.before, f"for (int i = 0; i < {graph.buffer(zeroing.buffer).size}; i++) ({pointers[zeroing.buffer]})[i] = 0.0f;")
        for zeroing in plan.zeroings
    ]
    enter = []
    for number, buffer in enumerate(graph.of_kind("input")):
        if buffer.dtype == "int32":
            enter.append(f"COPY({pointers[buffer.name]}, input_{number}, {buffer.size * 4});")
        else:
            enter.append(f"for (int i = 0; i < {buffer.size}; i++) ({pointers[buffer.name]})[i] = NUMBER(input_{number}[i]);")
    leave = [f"COPY(output_{n}, {pointers[buffer.name]}, {buffer.size * 4});" for n, buffer in enumerate(graph.of_kind("output"))]
    return Layout(pointers, max(plan.elements * 4, 64), tuple(fills), tuple(enter), tuple(leave))


_QUANTISE = """
#if defined(__GNUC__) && !defined(__clang__)
#define EXACT __attribute__((optimize("fp-contract=off")))
#else
#define EXACT
#endif
/* trunc(clip(x * inverse + shift, 0, range)) + low, each step rounded to float32; a NaN becomes the zero. Floats that are not
   negative are in the order of their bits. */
#define QUANTISE(kind, to, from, count, inverse, shift, range, low) \\
  for (int i = 0; i < (count); i++) { \\
    float y = NUMBER((from)[i]) * (inverse); \\
    y = y + (shift); \\
    int32_t bits = BITS(y), over; \\
    bits &= ~(bits >> 31); \\
    over = ((range) - bits) >> 31; \\
    HIDE(over); \\
    (to)[i] = (kind)((int32_t)REAL((bits & ~over) | ((range) & over)) + (low)); \\
  }
"""


def integer_layout(graph: IntegerGraph, isa: Isa, blob: Blob, function: str) -> Layout:
    """Place the buffers of an integer graph, in bytes; floats are quantised on the way in.

    Where groups of bytes are multiplied, a run that does not fill its last group is read beyond its end, times a weight of 0: so
    every buffer has that much room behind it.
    """
    slack = 64 if isa.tiles else 4 * (isa.group > 1)
    kinds = {buffer.name: stored_as(buffer, isa) for buffer in graph.buffers}
    sizes = {buffer.name: buffer.size * BYTES[kinds[buffer.name]] + slack for buffer in graph.buffers}
    plan = plan_memory(shadow(graph), alignment=64, sizes=sizes)
    pointers = {name: f"({kinds[name]} *)(arena + {offset})" for name, offset in plan.offsets.items()}
    dirty = {zeroing.buffer for zeroing in plan.zeroings}
    fills = []
    for buffer in graph.buffers:
        if buffer.name in plan.offsets and (buffer.name in dirty or (buffer.zeroed and buffer.zero)):
            text = f"for (int i = 0; i < {buffer.size}; i++) ({pointers[buffer.name]})[i] = {buffer.zero};"
            fills.append((max(0, plan.lifetimes[buffer.name][0]), text))
    helpers, enter = [], []
    for number, buffer in enumerate(graph.of_kind("input")):
        if buffer.dtype == "int32":
            enter.append(f"COPY({pointers[buffer.name]}, input_{number}, {buffer.size * 4});")
            continue
        helpers.append(_quantiser(buffer, pointers[buffer.name], kinds[buffer.name], blob, f"{function}_quantise_{number}"))
        enter.append(f"{function}_quantise_{number}(arena, input_{number});")
    leave = []
    for number, buffer in enumerate(graph.of_kind("output")):
        value = f"{_hex(buffer.scale)} * (float)((int32_t)({pointers[buffer.name]})[i] - {buffer.zero})"
        leave.append(f"for (int i = 0; i < {buffer.size}; i++) output_{number}[i] = {value};")
    text = _QUANTISE + "".join(helpers) if helpers else ""
    return Layout(pointers, max(plan.elements, 64), tuple(sorted(fills)), tuple(enter), tuple(leave), text)


def _quantiser(buffer: IntegerBuffer, pointer: str, kind: str, blob: Blob, name: str) -> str:
    low, high = LIMITS[buffer.dtype]
    inverse = _hex(float(np.float32(1.0 / np.float64(buffer.scale))))
    if buffer.scales is not None:
        inverses = (1.0 / np.array(buffer.scales, np.float64)).astype(np.float32)
        inverse = f"((const float *)(weights + {blob.add(inverses)}))[i]"
    shift = _hex(float(np.float32(buffer.zero - low + 0.5)))
    lines = f"  {kind} *to = {pointer};\n  QUANTISE({kind}, to, input, {buffer.size}, {inverse}, {shift}, {_bits(high - low)}, {low})\n"
    pragma = "#if defined(__clang__)\n#pragma clang fp contract(off)\n#endif\n"
    return f"\nKERNEL EXACT void {name}(unsigned char *restrict arena, const float *restrict input) {{\n{pragma}{lines}}}\n"


def _hex(value: float) -> str:
    return f"{float(np.float32(value)).hex()}f"


def _bits(value: float) -> str:
    return f"0x{int(np.float32(value).view(np.int32)):x}"


def interleaved(calls: list[str], fills: tuple[tuple[int, str], ...]) -> Iterator[str]:
    """Give the calls of the kernels in order, each fill before the instruction that it is for."""
    for number in range(len(calls) + 1):
        yield from (text for before, text in fills if before == number)
        yield from calls[number : number + 1]
