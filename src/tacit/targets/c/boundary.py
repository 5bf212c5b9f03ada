"""The C text around a generated program for callers in Python: batches, numbers as they are stored, checks at the boundary.

The generated program takes float32 and int32 and checks nothing. Here stored numbers become float32, a number that is not finite or
picks a row that is not there stops the run, and many examples need one call.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tacit.ir.graph import Graph, Matmul
from tacit.ir.integer import IntegerGraph, IntegerMatmul
from tacit.ir.integer_verifier import shadow
from tacit.ir.interpreter import index_limits
from tacit.targets.c.emit import function_name

#: Code of a stored dtype in `tacit_call.kinds`.
KINDS = {"float32": 0, "uint8": 1, "int16": 2, "int32": 3}
ALIGNMENT = 64
_HEAD = r"""/* The boundary of a Tacit program for callers in Python. Generated. */
#include <stddef.h>
#include <stdint.h>
#include "@NAME@.h"

#if defined(_WIN32)
#define TACIT_EXPORT __declspec(dllexport)
#else
#define TACIT_EXPORT __attribute__((visibility("default")))
#endif
#define INLINE static inline __attribute__((unused))

struct tacit_call {
    void *arena;                     /* zero before its first use */
    int64_t count;                   /* examples */
    const void *const *inputs;       /* [count, size] each, as stored */
    const int64_t *kinds;            /* 0 float32, 1 uint8, 2 int16, 3 int32 */
    float *const *wide;              /* room for one example of each input that is not float32 */
    const int32_t *const *limits;    /* for inputs that pick rows: each element is below its limit */
    float *const *outputs;           /* [count, size] each */
};

INLINE const void *tacit_stored(const struct tacit_call *call, int64_t input, int64_t example, size_t size)
{
    static const size_t bytes[] = {4, 1, 2, 4};
    return (const char *)call->inputs[input] + (size_t)example * size * bytes[call->kinds[input]];
}

/* Give one example of an input as float32, or NULL when a number is not finite. */
INLINE const float *tacit_real(const struct tacit_call *call, int64_t input, int64_t example, size_t size)
{
    const void *stored = tacit_stored(call, input, example, size);
    float *wide = call->wide[input];
    if (call->kinds[input] == 0) {
        const uint32_t *bits = (const uint32_t *)stored;
        uint32_t bad = 0;
        for (size_t i = 0; i < size; i++)
            bad |= (uint32_t)((bits[i] & 0x7f800000u) == 0x7f800000u);
        return bad ? NULL : (const float *)stored;
    }
    if (call->kinds[input] == 1)
        for (size_t i = 0; i < size; i++)
            wide[i] = (float)((const uint8_t *)stored)[i];
    else if (call->kinds[input] == 2)
        for (size_t i = 0; i < size; i++)
            wide[i] = (float)((const int16_t *)stored)[i];
    else
        for (size_t i = 0; i < size; i++)
            wide[i] = (float)((const int32_t *)stored)[i];
    return wide;
}

/* Give one example of an input that picks rows, or NULL when a number is out of range. */
INLINE const int32_t *tacit_rows(const struct tacit_call *call, int64_t input, int64_t example, size_t size)
{
    const int32_t *rows = (const int32_t *)tacit_stored(call, input, example, size), *limits = call->limits[input];
    uint32_t bad = 0;
    for (size_t i = 0; i < size; i++)
        bad |= (uint32_t)((uint32_t)rows[i] >= (uint32_t)limits[i]);
    return bad ? NULL : rows;
}
"""


@dataclass(frozen=True)
class Entry:
    """What a caller has to know of an entry point: sizes and dtypes of the inputs, shapes of inputs and outputs."""

    name: str
    dtypes: tuple[str, ...]  # float32 or int32, as the program takes them
    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[int, ...], ...]


def entry_of(name: str, graph: Graph | IntegerGraph) -> Entry:
    """Describe an entry point. An int8 program takes floats all the same, but for the integers that pick rows."""
    inputs = graph.of_kind("input")
    dtypes = tuple("int32" if buffer.dtype == "int32" else "float32" for buffer in inputs)
    outputs = tuple(tuple(buffer.shape) for buffer in graph.of_kind("output"))
    return Entry(name, dtypes, tuple(tuple(buffer.shape) for buffer in inputs), outputs)


def macs_of(graph: Graph | IntegerGraph) -> int:
    """Count the multiply-accumulates of one run."""
    products = [step for step in graph.instructions if isinstance(step, Matmul | IntegerMatmul)]
    return sum(step.out.size * math.prod(step.a.shape[len(step.a.shape) - step.axes.inner :]) for step in products)


def row_limits(graph: Graph | IntegerGraph) -> dict[str, np.ndarray]:
    """Give for each integer input the least number that each of its elements must stay below, int64[element]."""
    return dict(index_limits(shadow(graph) if isinstance(graph, IntegerGraph) else graph))


def boundary(name: str, graphs: Mapping[str, Graph | IntegerGraph]) -> str:
    """Give the C text: ``tacit_run_N(call)`` and ``tacit_arena_bytes_N`` for the entry point numbered N in the order of `graphs`.

    A run gives -1, or ``example * inputs + input`` of the first input that it refused; the examples before that are done.
    """
    entries = (_entry(number, function_name(name, entry), entry_of(entry, graph)) for number, (entry, graph) in enumerate(graphs.items()))
    return _HEAD.replace("@NAME@", name) + "".join(entries)


def _entry(place: int, function: str, entry: Entry) -> str:
    count, lines = len(entry.inputs), []
    for number, (dtype, shape) in enumerate(zip(entry.dtypes, entry.inputs, strict=True)):
        kind, reader = ("float", "tacit_real") if dtype == "float32" else ("int32_t", "tacit_rows")
        lines += [
            f"        const {kind} *input_{number} = {reader}(call, {number}, example, {math.prod(shape)});",
            f"        if (!input_{number})",
            f"            return example * {count} + {number};",
        ]
    inputs = "".join(f", input_{number}" for number in range(count))
    outputs = "".join(f", call->outputs[{number}] + example * {math.prod(shape)}" for number, shape in enumerate(entry.outputs))
    return "\n".join(
        [
            "",
            f"TACIT_EXPORT extern const int64_t tacit_arena_bytes_{place};",
            f"const int64_t tacit_arena_bytes_{place} = {function.upper()}_ARENA_BYTES;",
            f"TACIT_EXPORT int64_t tacit_run_{place}(const struct tacit_call *call);",
            f"int64_t tacit_run_{place}(const struct tacit_call *call)",
            "{",
            "    for (int64_t example = 0; example < call->count; example++) {",
            *lines,
            f"        {function}_run_in(call->arena{inputs}{outputs});",
            "    }",
            "    return -1;",
            "}",
            "",
        ]
    )
