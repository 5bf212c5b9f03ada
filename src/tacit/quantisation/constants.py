"""Read constants of a float graph, and add some."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tacit.ir.graph import Buffer, Graph, Instruction, View
from tacit.quantisation.weights import Reals


def is_constant(view: View, graph: Graph) -> bool:
    """Say whether a view is of a weight."""
    return graph.buffer(view.buffer).kind == "weight"


def constants(view: View, graph: Graph) -> Reals:
    """Give the values of a view of a weight without an index; axes of stride 0 have extent 1."""
    flat = np.ascontiguousarray(graph.weights[view.buffer], np.float64).reshape(-1)
    shape = [extent if stride else 1 for extent, stride in zip(view.shape, view.strides, strict=True)]
    return np.lib.stride_tricks.as_strided(flat[view.offset :], shape, [stride * flat.itemsize for stride in view.strides])


class Additions:
    """Buffers and weights that a rewritten graph has on top of the old one."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.buffers: list[Buffer] = []
        self.weights: dict[str, np.ndarray] = {}
        self._taken = {buffer.name for buffer in graph.buffers}

    def scratch(self, name: str, like: Buffer) -> str:
        """Add a scratch buffer of the size of another; give its name."""
        free = self._free(name)
        self.buffers.append(replace(like, name=free, kind="scratch"))
        return free

    def view(self, name: str, values: Reals, shape: tuple[int, ...]) -> View:
        """Add a constant whose extents are those of `shape`, or 1 where it does not vary; give the view of that shape."""
        free = self._free(name)
        kept = tuple(extent for extent in values.shape if extent > 1)
        self.buffers.append(Buffer(free, "weight", kept))
        self.weights[free] = values.reshape(kept).astype(np.float32)
        return View(free, 0, shape, dense_strides(values.shape))

    def finish(self, instructions: Sequence[Instruction]) -> Graph:
        """Give the graph with what was added and these instructions."""
        return Graph((*self.graph.buffers, *self.buffers), tuple(instructions), {**self.graph.weights, **self.weights})

    def _free(self, name: str) -> str:
        free, number = name, 2
        while free in self._taken:
            free, number = f"{name}_{number}", number + 1
        self._taken.add(free)
        return free


def dense_strides(extents: tuple[int, ...]) -> tuple[int, ...]:
    """Give the strides of a row-major array; 0 along axes of extent 1.

    >>> dense_strides((2, 1, 3))
    (3, 0, 1)
    """
    return tuple(math.prod(extents[place + 1 :]) if extent > 1 else 0 for place, extent in enumerate(extents))
