"""Write a program as freestanding C: one function per instruction, one arena, one file of weights.

Layout of the text: what it is, the head (`preamble`), the weights, the kernels in order, the entry points. Nothing in it branches on
data, allocates or calls a library; a compiler may turn copies into memcpy and memset.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tacit.ir.cost import instruction_cost
from tacit.ir.graph import Buffer, Graph, Instruction
from tacit.ir.integer import IntegerGraph
from tacit.ir.integer_verifier import shadow
from tacit.ir.text import print_instruction
from tacit.targets.c.floats import FloatKernel
from tacit.targets.c.integer_preamble import integer_preamble
from tacit.targets.c.isa import Isa
from tacit.targets.c.layout import Layout, float_layout, integer_layout, interleaved
from tacit.targets.c.preamble import float_preamble, top, weights_declaration
from tacit.targets.c.tiles import integer_kernel
from tacit.targets.c.transposing import turn_buffers
from tacit.targets.c.tuning import Kernel, Tuner, alternatives_of
from tacit.targets.c.weights import Blob
from tacit.targets.c.winograd import rewrite
from tacit.targets.target import Source

MAIN = "main"


@dataclass(frozen=True)
class Step:
    """One kernel: its C function, the instruction that it runs (after rewriting), and the cycles that it was estimated to take."""

    function: str
    instruction: Instruction
    macs: int
    cycles: float


@dataclass(frozen=True)
class CSource:
    """The generated files by name, and what a report says of them. arena_bytes, steps: per entry point."""

    files: Mapping[str, str | bytes]
    arena_bytes: Mapping[str, int]
    weight_bytes: int
    steps: Mapping[str, tuple[Step, ...]]


@dataclass(frozen=True)
class Entry:
    """One entry point as C: the name of its function, its parameters, its text."""

    function: str
    name: str
    inputs: tuple[Buffer, ...]
    outputs: tuple[Buffer, ...]
    arena_bytes: int
    text: str
    lanes: frozenset[int]
    steps: tuple[Step, ...]

    @property
    def macs(self) -> int:
        """Count the multiply-accumulates of one run."""
        return sum(step.macs for step in self.steps)


def emit_c(source: Source, isa: Isa, *, tuner: Tuner | None = None, literals: bool = True) -> CSource:
    """Give the header, the text and the weights of a program for one instruction set. tuner: measures instead of estimating.

    literals: write float constants that are one number into the text; without, other weights of the same network have the same text.
    Raises: TacitError when what is to be measured does not compile or run.
    """
    blob = Blob()
    entries = [_entry(source.name, name, graph, isa, blob, tuner, literals) for name, graph in source.graphs.items()]
    lanes = sorted({count for entry in entries for count in entry.lanes})
    parts = [
        f"/* {_title(source)}\n   Generated for {isa.name}; flags: {' '.join(isa.flags) or 'none'}. */\n",
        f'#include "{source.name}.h"\n',
        _preamble(source.graphs[MAIN], isa, lanes),
        weights_declaration(source.name, blob.size),
        *(entry.text for entry in entries),
    ]
    files: dict[str, str | bytes] = {
        f"{source.name}.h": _header(source, entries, blob.size),
        f"{source.name}.c": "".join(parts),
        f"{source.name}_weights.bin": blob.to_bytes() or bytes(64),
    }
    return CSource(files, {entry.name: entry.arena_bytes for entry in entries}, blob.size, {entry.name: entry.steps for entry in entries})


def _title(source: Source) -> str:
    return f"{source.name}: {source.signature}, digest {source.digest[:16]}".replace("*/", "* /")


def function_name(program: str, entry: str) -> str:
    """Give the C name of an entry point: that of the program for ``main``."""
    return program if entry == MAIN else f"{program}_{re.sub(r'[^a-z0-9]+', '_', entry.lower()).strip('_')}"


def _entry(program: str, name: str, graph: Graph | IntegerGraph, isa: Isa, blob: Blob, tuner: Tuner | None, literals: bool) -> Entry:
    function = function_name(program, name)
    if isinstance(graph, Graph):
        graph = rewrite(turn_buffers(graph, isa), isa)
    plain = shadow(graph) if isinstance(graph, IntegerGraph) else graph
    layout = integer_layout(graph, isa, blob, function) if isinstance(graph, IntegerGraph) else float_layout(graph)
    chosen = _kernels(graph, isa, layout, tuner, literals)
    kernels, steps = [], []
    for number, (instruction, kernel) in enumerate(zip(plain.instructions, chosen, strict=True)):
        body = "\n".join(f"  {line}" for line in kernel.lines(blob, layout.pointers))
        comment = print_instruction(instruction).replace("*/", "* /").replace("/*", "/ *")
        kernels.append(f"\n/* {comment} */\nKERNEL void {function}_{number}(unsigned char *restrict arena) {{\n{body}\n}}\n")
        steps.append(Step(f"{function}_{number}", instruction, instruction_cost(instruction, plain).macs, kernel.cycles))
    calls = [f"{step.function}(arena);" for step in steps]
    run = _run(function, plain, layout, [*interleaved(calls, layout.fills)])
    text = layout.helpers + "".join(kernels) + "\n".join(run) + "\n"
    inputs, outputs = plain.of_kind("input"), plain.of_kind("output")
    lanes = frozenset(width for kernel in chosen for width in kernel.lanes)
    return Entry(function, name, inputs, outputs, layout.arena_bytes, text, lanes, tuple(steps))


def _kernels(graph: Graph | IntegerGraph, isa: Isa, layout: Layout, tuner: Tuner | None, literals: bool) -> list[Kernel]:
    """Choose a kernel for every instruction."""
    found: list[Kernel]
    if isinstance(graph, IntegerGraph):
        found = [integer_kernel(instruction, graph, isa) for instruction in graph.instructions]
    else:
        found = [FloatKernel(instruction, graph, isa, literals=literals) for instruction in graph.instructions]
    if tuner is None:
        return found
    alternatives = [alternatives_of(kernel, kernel.schedules(isa)) for kernel in found]
    lanes = sorted({width for kernels in alternatives for kernel in kernels for width in kernel.lanes})
    return tuner.choose(alternatives, layout.pointers, layout.arena_bytes, _preamble(graph, isa, lanes))


def _preamble(graph: Graph | IntegerGraph, isa: Isa, lanes: list[int]) -> str:
    return top() + integer_preamble(isa.name, lanes) if isinstance(graph, IntegerGraph) else float_preamble(lanes)


def parameters(inputs: tuple[Buffer, ...], outputs: tuple[Buffer, ...]) -> list[str]:
    """Give the parameters of a run: one pointer per input, then one per output."""
    types = {"float32": "float", "int32": "int32_t"}
    given = [f"const {types[buffer.dtype]} *input_{number}" for number, buffer in enumerate(inputs)]
    return [*given, *(f"float *output_{number}" for number in range(len(outputs)))]


def _run(function: str, graph: Graph, layout: Layout, calls: list[str]) -> Iterator[str]:
    """Write the entry point: inputs into the arena (a NaN reads as 0), the kernels, outputs out of it."""
    inputs, outputs = graph.of_kind("input"), graph.of_kind("output")
    signature = ", ".join(parameters(inputs, outputs))
    names = ", ".join([*(f"input_{n}" for n in range(len(inputs))), *(f"output_{n}" for n in range(len(outputs)))])
    yield f"\nvoid {function}_run_in(void *memory, {signature}) {{"
    yield "  unsigned char *arena = memory;"
    yield "  FLUSH_BEGIN"
    yield from (f"  {line}" for line in [*layout.enter, *calls, *layout.leave])
    yield "  FLUSH_END"
    yield "}"
    yield "\n#if !defined(TACIT_NO_STATIC_ARENA)"
    yield "#if defined(__GNUC__)\n__attribute__((aligned(64)))\n#endif"
    yield f"static unsigned char {function}_arena[{function.upper()}_ARENA_BYTES];"
    yield f"void {function}_run({signature}) {{ {function}_run_in({function}_arena, {names}); }}"
    yield "#endif"


def _header(source: Source, entries: list[Entry], weight_bytes: int) -> str:
    guard = f"{source.name.upper()}_H"
    lines = [
        f"/* {_title(source)}",
        f"   {weight_bytes} bytes of weights; no allocation, no library, the same instructions for every input.",
        "   A NaN in an input reads as 0. */",
        f"#ifndef {guard}",
        f"#define {guard}",
        "#include <stdint.h>",
        "#ifdef __cplusplus",
        'extern "C" {',
        "#endif",
    ]
    for entry in entries:
        upper = entry.function.upper()
        lines.append("")
        lines.append(f"/* entry point {entry.name}: {entry.macs} multiply-accumulates, {entry.arena_bytes} bytes of arena */")
        for number, buffer in enumerate(entry.inputs):
            lines.append(f"#define {upper}_INPUT_{number}_SIZE {buffer.size} /* {buffer.name}: {buffer.dtype}{list(buffer.shape)} */")
        for number, buffer in enumerate(entry.outputs):
            lines.append(f"#define {upper}_OUTPUT_{number}_SIZE {buffer.size} /* {buffer.name}: float32{list(buffer.shape)} */")
        lines.append(f"#define {upper}_ARENA_BYTES {entry.arena_bytes}")
        given = ", ".join(parameters(entry.inputs, entry.outputs))
        lines.append("/* Run with the static arena; not to be called from two threads at once. */")
        lines.append(f"void {entry.function}_run({given});")
        lines.append("/* Run in memory of the caller: 64-byte aligned, and all zero before its first use. */")
        lines.append(f"void {entry.function}_run_in(void *arena, {given});")
    lines += ["", "#ifdef __cplusplus", "}", "#endif", "#endif", ""]
    return "\n".join(lines)
