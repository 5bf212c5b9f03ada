"""Store equal weights once."""

from __future__ import annotations

import hashlib

import numpy as np

from tacit.ir.graph import Graph
from tacit.passes.places import map_views, renamed


def share_weights(graph: Graph) -> Graph:
    """Let instructions read the first of several weights that hold the same numbers in the same order."""
    first: dict[tuple[int, bytes], str] = {}
    names: dict[str, str] = {}
    for buffer in graph.of_kind("weight"):
        content = (buffer.size, hashlib.sha256(np.ascontiguousarray(graph.weights[buffer.name]).tobytes()).digest())
        names[buffer.name] = first.setdefault(content, buffer.name)
    names = {name: other for name, other in names.items() if name != other}
    if not names:
        return graph
    instructions = tuple(map_views(instruction, lambda view: renamed(view, names)) for instruction in graph.instructions)
    buffers = tuple(buffer for buffer in graph.buffers if buffer.name not in names)
    return Graph(buffers, instructions, {name: array for name, array in graph.weights.items() if name not in names})
