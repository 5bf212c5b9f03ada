"""The C file that turns a program into a WebAssembly module: static arrays, functions that give their addresses, and run."""

from __future__ import annotations

from collections.abc import Iterator

from tacit.ir.graph import Buffer, Graph, Kind
from tacit.ir.integer import IntegerBuffer, IntegerGraph
from tacit.targets.c.emit import MAIN, function_name
from tacit.targets.target import Source

KINDS: tuple[Kind, ...] = ("input", "output")

#: Freestanding: the linker wants these two when a compiler turns a loop or a copy into a call.
_MEMORY = """
void *memcpy(void *restrict to, const void *restrict from, size_t bytes) {
  unsigned char *out = to;
  const unsigned char *in = from;
  for (size_t i = 0; i < bytes; i++) out[i] = in[i];
  return to;
}
void *memset(void *to, int value, size_t bytes) {
  unsigned char *out = to;
  for (size_t i = 0; i < bytes; i++) out[i] = (unsigned char)value;
  return to;
}
"""


def exported(entry: str, part: str) -> str:
    """Give the name under which a part of an entry point is exported: `run`, `input_0`; those of others with their name in front.

    >>> exported("main", "run"), exported("next-step", "input_0")
    ('run', 'next_step_input_0')
    """
    return part if entry == MAIN else f"{function_name('', entry).lstrip('_')}_{part}"


def buffers(graph: Graph | IntegerGraph, kind: Kind) -> tuple[Buffer | IntegerBuffer, ...]:
    """Give the buffers of one kind in the order of the caller's arrays."""
    found: tuple[Buffer | IntegerBuffer, ...] = graph.of_kind(kind)
    return found


def takes_integers(buffer: Buffer | IntegerBuffer) -> bool:
    """Tell whether a caller's array holds int32 (indices of rows); all others hold float32, of int8 programs, too."""
    return buffer.kind == "input" and buffer.dtype == "int32"


def glue(source: Source) -> str:
    """Give the text of NAME_wasm.c, which stands beside NAME.c and NAME.h."""
    lines = [f'#include "{source.name}.h"', "#include <stddef.h>", "#define EXPORT(name) __attribute__((export_name(name), used))"]
    for number, (entry, graph) in enumerate(source.graphs.items()):
        lines += _entry(f"entry_{number}", entry, function_name(source.name, entry), graph)
    return "\n".join(lines) + "\n" + _MEMORY


def _entry(prefix: str, entry: str, function: str, graph: Graph | IntegerGraph) -> Iterator[str]:
    arguments = []
    for kind in KINDS:
        for number, buffer in enumerate(buffers(graph, kind)):
            array = f"{prefix}_{kind}_{number}"
            yield f"static {'int32_t' if takes_integers(buffer) else 'float'} {array}[{buffer.size}] __attribute__((aligned(64)));"
            yield f'EXPORT("{exported(entry, f"{kind}_{number}")}") void *{array}_address(void) {{ return {array}; }}'
            arguments.append(array)
    yield f'EXPORT("{exported(entry, "run")}") void {prefix}_run(void) {{ {function}_run({", ".join(arguments)}); }}'
