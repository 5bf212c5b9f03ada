"""Build a graph step by step: the one mutable form, from which `finish` makes the immutable one."""

from __future__ import annotations

import hashlib
from typing import Literal

import numpy as np

from tacit.ground.errors import GraphError
from tacit.ir.graph import Axes, Buffer, Graph, Instruction, Matmul, Relu, View


class GraphBuilder:
    """Collect buffers and instructions in order.

    >>> from tacit.ir.graph import contiguous
    >>> builder = GraphBuilder()
    >>> x, y = builder.add_input("x", (2,)), builder.add_output("y", (2,))
    >>> builder.relu(contiguous(y), contiguous(x))
    >>> len(builder.finish().instructions)
    1
    """

    def __init__(self) -> None:
        self._buffers: dict[str, Buffer] = {}
        self._instructions: list[Instruction] = []
        self._weights: dict[str, np.ndarray] = {}
        self._by_content: dict[tuple[tuple[int, ...], bytes], str] = {}

    def add_input(self, name: str, shape: tuple[int, ...], *, dtype: Literal["float32", "int32"] = "float32") -> Buffer:
        """Declare an array that the caller gives. Raises: GraphError when the name is taken."""
        if name in self._buffers:
            raise GraphError(f"expected inputs with different names, got `{name}` twice", fix="rename one of the inputs")
        return self._add(Buffer(name, "input", shape, dtype))

    def add_output(self, name: str, shape: tuple[int, ...], *, zeroed: bool = False) -> Buffer:
        """Declare an array that the caller receives; a taken name gets a number."""
        return self._add(Buffer(self._free(name), "output", shape, zeroed=zeroed))

    def add_scratch(self, name: str, shape: tuple[int, ...], *, zeroed: bool = False) -> Buffer:
        """Declare memory between instructions; a taken name gets a number."""
        return self._add(Buffer(self._free(name), "scratch", shape, zeroed=zeroed))

    def add_weight(self, name: str, values: np.ndarray) -> Buffer:
        """Declare a constant float32 array; equal values of equal shape are stored once."""
        array = np.ascontiguousarray(values, dtype=np.float32).reshape(np.shape(values))
        content = (array.shape, hashlib.sha256(array.tobytes()).digest())
        if content in self._by_content:
            return self._buffers[self._by_content[content]]
        buffer = self._add(Buffer(self._free(name), "weight", array.shape))
        self._weights[buffer.name] = array
        self._by_content[content] = buffer.name
        return buffer

    def matmul(
        self,
        out: View,
        a: View,
        b: View,
        *,
        axes: Axes,
        bias: View | None = None,
        accumulate: bool = False,
        relu: bool = False,
        source: str = "",
    ) -> None:
        """Append a `Matmul`."""
        self._instructions.append(Matmul(out, a, b, axes, bias, accumulate, relu, source))

    def relu(self, out: View, x: View, *, source: str = "") -> None:
        """Append a `Relu`."""
        self._instructions.append(Relu(out, x, source))

    def finish(self) -> Graph:
        """Give the graph as it stands."""
        return Graph(tuple(self._buffers.values()), tuple(self._instructions), dict(self._weights))

    def _add(self, buffer: Buffer) -> Buffer:
        self._buffers[buffer.name] = buffer
        return buffer

    def _free(self, name: str) -> str:
        if name not in self._buffers:
            return name
        number = 2
        while f"{name}_{number}" in self._buffers:
            number += 1
        return f"{name}_{number}"
