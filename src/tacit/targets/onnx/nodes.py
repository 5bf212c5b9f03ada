"""Nodes as they are collected: every tensor keeps its shape and type, and equal nodes are made once.

A `Tensor` always has the batch as its first axis, which its `shape` leaves out; constants have none.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper


@dataclass(frozen=True)
class Tensor:
    """The output of a node: float32[batch, *shape] and the like."""

    name: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        """Count the elements of one example."""
        return math.prod(self.shape)


class Nodes:
    """Collect nodes and constants of one model."""

    def __init__(self, opset: int) -> None:
        self.opset = opset
        self.source = ""  # what the next nodes come from; becomes their documentation
        self.constants: dict[str, np.ndarray] = {}
        self._nodes: list[onnx.NodeProto] = []
        self._made: dict[Any, Tensor] = {}
        self._taken: set[str] = set()
        self._counts: dict[str, int] = {}
        self._tensors: dict[str, Tensor] = {}
        self._makers: dict[str, onnx.NodeProto] = {}
        self._parts: dict[tuple[str, int], list[Tensor]] = {}  # the output of a concatenation and its axis -> what it joins
        self._turned: dict[str, tuple[Tensor, list[int]]] = {}  # the output of a transposition -> what it turns, and how
        self._reshaped: dict[str, Tensor] = {}  # the output of a reshape -> what it reshapes

    def add(
        self, operation: str, inputs: Sequence[Tensor | str], shape: Sequence[int], dtype: str = "float32", **attributes: Any
    ) -> Tensor:
        """Add a node with one output, or give the output of an equal one."""
        names = [item.name if isinstance(item, Tensor) else item for item in inputs]
        key = (operation, tuple(names), repr(sorted(attributes.items())))
        if key not in self._made:
            self._made[key] = Tensor(self.free(operation.lower()), tuple(shape), dtype)
            node = helper.make_node(operation, names, [self._made[key].name], name=self._made[key].name, **attributes)
            node.doc_string = self.source
            self._nodes.append(node)
            self._makers[node.name] = node
            self._tensors[node.name] = self._made[key]
        return self._made[key]

    def constant(self, values: np.ndarray) -> str:
        """Give the name of a constant; equal ones are stored once."""
        array = np.asarray(values, order="C")
        key = (str(array.dtype), array.shape, hashlib.sha256(array.tobytes()).digest())
        if key not in self._made:
            name = self.free("constant")
            self.constants[name] = array
            self._made[key] = Tensor(name, array.shape, str(array.dtype))
        return self._made[key].name

    def integers(self, values: Sequence[int]) -> str:
        """Give the name of a constant int64[length]."""
        return self.constant(np.array(values, np.int64))

    def maker(self, tensor: Tensor) -> onnx.NodeProto | None:
        """Give the node that a tensor comes from; None for inputs and constants."""
        return self._makers.get(tensor.name)

    def inputs_of(self, tensor: Tensor, operation: str) -> list[Tensor]:
        """Give the computed inputs of the node that a tensor comes from; none where it is of another operation."""
        node = self._makers.get(tensor.name)
        if node is None or node.op_type != operation:
            return []
        return [self._tensors[name] for name in node.input if name in self._tensors]

    def free(self, stem: str) -> str:
        """Give a name that is not taken: the stem, if need be with a number."""
        name = stem
        while name in self._taken:
            self._counts[stem] = self._counts.get(stem, 1) + 1
            name = f"{stem}_{self._counts[stem]}"
        self._taken.add(name)
        return name

    def name(self, tensor: Tensor, name: str) -> None:
        """Give a tensor out under a name of the caller's."""
        self._nodes.append(helper.make_node("Identity", [tensor.name], [name], name=name))

    def needed(self, outputs: Sequence[str]) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
        """Give the nodes and constants from which the named outputs are computed."""
        wanted, nodes = set(outputs), []
        for node in reversed(self._nodes):
            if node.output[0] in wanted:
                wanted.update(node.input)
                nodes.append(node)
        constants = [numpy_helper.from_array(array, name) for name, array in self.constants.items() if name in wanted]
        return nodes[::-1], constants

    def batch(self, given: str) -> Tensor:
        """Give the count of examples, int64[1], from an input of the model."""
        shape = self.add("Shape", [given], (), "int64")
        return self.add("Slice", [shape.name, self.integers([0]), self.integers([1])], (), "int64")

    # --- moving data -------------------------------------------------------------------------------------------------------

    def reshape(self, tensor: Tensor, shape: Sequence[int]) -> Tensor:
        """Give the same elements in the same order under another shape."""
        tensor = self._reshaped.get(tensor.name, tensor)
        if tuple(shape) == tensor.shape:
            return tensor
        earlier = self._reshaped_before(tensor, shape)
        if earlier is not None:
            return earlier
        made = self.add("Reshape", [tensor, self.integers([0, *shape])], shape, tensor.dtype)
        self._reshaped[made.name] = tensor
        return made

    def _reshaped_before(self, tensor: Tensor, shape: Sequence[int]) -> Tensor | None:
        """Reshape an input of the model before single numbers are added to it or multiply it, where it is reshaped anyhow."""
        chain, name = [], tensor.name
        while (node := self._makers.get(name)) is not None and node.op_type in ("Mul", "Add", "Relu"):
            if any(name not in self.constants or self.constants[name].shape for name in node.input[1:]):
                return None
            chain.append(node)
            name = node.input[0]
        origin = self._reshaped.get(name)
        before = None if origin is None else self._makers.get(origin.name)
        if not chain or origin is None or (before is not None and before.input[0] in self._makers):
            return None
        made = self.reshape(origin, shape)
        for node in reversed(chain):
            made = self.add(node.op_type, [made, *node.input[1:]], shape, tensor.dtype)
        return made

    def transpose(self, tensor: Tensor, order: Sequence[int]) -> Tensor:
        """Reorder the axes (counted without the batch); a reshape where no element moves."""
        if tensor.name in self._turned:
            tensor, before = self._turned[tensor.name]
            order = [before[axis] for axis in order]
        shape = [tensor.shape[axis] for axis in order]
        moving = [axis for axis in order if tensor.shape[axis] > 1]
        if moving == sorted(moving):
            return self.reshape(tensor, shape)
        made = self.add("Transpose", [tensor], shape, tensor.dtype, perm=[0, *(axis + 1 for axis in order)])
        self._turned[made.name] = tensor, list(order)
        return made

    def slice(self, tensor: Tensor, ranges: Sequence[range]) -> Tensor:
        """Take a range of each axis (without the batch)."""
        axes = [axis for axis, taken in enumerate(ranges) if taken != range(tensor.shape[axis])]
        if not axes:
            return tensor
        ends = [ranges[axis].stop if ranges[axis].stop >= 0 else -(2**31) for axis in axes]
        given = [[ranges[axis].start for axis in axes], ends, [axis + 1 for axis in axes], [ranges[axis].step for axis in axes]]
        shape = [len(taken) for taken in ranges]
        return self.add("Slice", [tensor, *(self.integers(values) for values in given)], shape, tensor.dtype)

    def pad(self, tensor: Tensor, before: Sequence[int], after: Sequence[int], value: float) -> Tensor:
        """Put constants around the axes (without the batch)."""
        if not any(before) and not any(after):
            return tensor
        if tensor.dtype == "int16":  # onnxruntime pads no 16-bit numbers
            return self.cast(self.pad(self.cast(tensor, "int32"), before, after, value), "int16")
        shape = [low + size + high for low, size, high in zip(before, tensor.shape, after, strict=True)]
        inputs = [tensor.name, self.integers([0, *before, 0, *after]), self.constant(np.array(value, tensor.dtype))]
        return self.add("Pad", inputs, shape, tensor.dtype)

    def gather(self, tensor: Tensor, axis: int, places: np.ndarray) -> Tensor:
        """Take the elements at `places` of one axis, which becomes the axes of `places`."""
        shape = (*tensor.shape[:axis], *places.shape, *tensor.shape[axis + 1 :])
        return self.add("Gather", [tensor, self.constant(places.astype(np.int64))], shape, tensor.dtype, axis=axis + 1)

    def concat(self, tensors: Sequence[Tensor], axis: int) -> Tensor:
        """Put tensors one behind the other along an axis (without the batch)."""
        if len(tensors) == 1:
            return tensors[0]
        tensors = [part for tensor in tensors for part in self._parts.get((tensor.name, axis), [tensor])]
        shape = list(tensors[0].shape)
        shape[axis] = sum(tensor.shape[axis] for tensor in tensors)
        made = self.add("Concat", tensors, shape, tensors[0].dtype, axis=axis + 1)
        self._parts[made.name, axis] = list(tensors)
        return made

    def expand(self, tensor: Tensor, shape: Sequence[int]) -> Tensor:
        """Repeat along axes of extent 1."""
        if tuple(shape) == tensor.shape:
            return tensor
        return self.add("Expand", [tensor, self.integers([1, *shape])], shape, tensor.dtype)

    def cast(self, tensor: Tensor, dtype: str) -> Tensor:
        """Change the type."""
        if dtype == tensor.dtype:
            return tensor
        return self.add("Cast", [tensor], tensor.shape, dtype, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))
