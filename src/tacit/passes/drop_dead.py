"""Drop what no output depends on."""

from __future__ import annotations

from tacit.ir.graph import Graph, Instruction
from tacit.passes.places import used_names, views_read


def drop_dead(graph: Graph) -> Graph:
    """Drop instructions whose result is never read, then buffers and weights that no instruction names (inputs stay)."""
    needed = {buffer.name for buffer in graph.of_kind("output")}
    kept: list[Instruction] = []
    for instruction in reversed(graph.instructions):
        if instruction.out.buffer in needed:
            kept.append(instruction)
            needed.update(view.buffer for view in views_read(instruction))
    instructions = tuple(reversed(kept))
    used = used_names(instructions)
    buffers = tuple(buffer for buffer in graph.buffers if buffer.kind in ("input", "output") or buffer.name in used)
    return Graph(buffers, instructions, {name: array for name, array in graph.weights.items() if name in used})
