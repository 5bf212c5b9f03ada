"""Lift a graph to a PyTorch module that computes the same and can be trained: the way back from a binary.

Weights become parameters. Each instruction runs in the fastest form that fits: a convolution, a sum, a product of matrices; the rest
gathers what its views name. Buffers are never written in place, so that gradients pass. `lowered_again` gives the graph with the weights
as they are now: its instructions, and so its costs, are the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tacit.ir.graph import Buffer, Graph, Matmul
from tacit.lowering.lifted_reads import Convolution, Product, Read, State, Sum, Value, addresses_of
from tacit.lowering.walks import Walk, Walks, along, refine, walks_of

Step = Callable[[State, int], None]
Box = tuple[tuple[int, int], ...]


class Lifted(nn.Module):
    """A graph as a module: arrays [batch, *shape] in the order of the graph's inputs -> its outputs (one tensor when there is one).

    A parameter is a weight divided by a fixed number, so that it is as large as a fresh one is: after standardisation was folded into
    them, first weights are as small as their inputs are large, and an optimiser would treat them as the others. Weights of one element
    (the 1 of a copy, the 1/n of a mean) belong to the instructions and are not trained.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        self._factors: dict[str, float] = {}
        for name, values in graph.weights.items():
            tensor = torch.from_numpy(np.array(values, np.float32))
            if tensor.numel() == 1:
                self.register_buffer(_key(name), tensor)
            else:
                factor = self._factors[name] = _factor(graph, name, tensor)
                self.register_parameter(_key(name), nn.Parameter(tensor / factor))
        self._steps = [*self._prepared()]

    def weight(self, name: str) -> Tensor:
        """Give a weight of the graph as it is now, float32[*shape]."""
        tensor: Tensor = getattr(self, _key(name))
        return tensor * self._factors[name] if name in self._factors else tensor

    def sharing(self, other: Lifted) -> Lifted:
        """Take the weights of another module for those of the same names, so that both are trained as one; give this module."""
        for name, factor in other._factors.items():
            if name in self._factors:
                self._factors[name] = factor
                self.register_parameter(_key(name), getattr(other, _key(name)))
        return self

    def forward(self, *arrays: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Run the graph on a batch."""
        batch = len(arrays[0])
        state: State = {name: self.weight(name) for name in self.graph.weights}
        for buffer, array in zip(self.graph.of_kind("input"), arrays, strict=True):
            state[buffer.name] = array.reshape(batch, *buffer.shape)
        for step in self._steps:
            step(state, batch)
        outputs = tuple(state[buffer.name].reshape(batch, *buffer.shape) for buffer in self.graph.of_kind("output"))
        return outputs[0] if len(outputs) == 1 else outputs

    def _prepared(self) -> list[Step]:
        written: dict[str, list[Box] | None] = {}
        return [_Instruction(self.graph, instruction, written) for instruction in self.graph.instructions]


def lift(graph: Graph) -> Lifted:
    """Give a graph as a module that can be trained. Its outputs are those of the interpreter, to float32's rounding.

    >>> from tacit.lowering.lower import lower_module
    >>> from tacit.signature.base import ArraySpec
    >>> linear = nn.Linear(3, 2)
    >>> lifted = lift(lower_module(linear, [ArraySpec("x", (3,), "float32", ("column",))]).graph)
    >>> torch.allclose(lifted(torch.ones(1, 3)), linear(torch.ones(1, 3)), atol=1e-5)
    True
    """
    return Lifted(graph)


def lowered_again(module: Lifted) -> Graph:
    """Give the graph of a lifted module with the weights that it has now."""
    weights = {name: module.weight(name).detach().cpu().numpy().astype(np.float32) for name in module.graph.weights}
    return replace(module.graph, weights=weights)


def _key(name: str) -> str:
    return f"weight:{name.replace('.', '/')}"


def _factor(graph: Graph, name: str, tensor: Tensor) -> float:
    """Give the number by which a weight is divided: its root mean square becomes 1 / sqrt(terms of its sum), as in a fresh layer."""
    for instruction in graph.instructions:
        if isinstance(instruction, Matmul) and instruction.b.buffer == name:
            terms = math.prod(instruction.a.shape[instruction.axes.batch + instruction.axes.rows :])
            size = float(tensor.square().mean().sqrt())
            return size * math.sqrt(terms) if terms > 1 and size > 0 else 1.0
    return 1.0


class _Instruction:
    """One instruction, prepared: reads its views, computes, and puts a new tensor in the place of the buffer that it writes."""

    def __init__(self, graph: Graph, instruction: object, written: dict[str, list[Box] | None]) -> None:
        self.graph, self.instruction = graph, instruction
        self.walks = walks = walks_of(instruction)  # type: ignore[arg-type]
        self.shapes = {field: graph.buffer(walk.buffer).shape for field, walk in walks.views.items()}
        for field, walk in walks.views.items():
            if graph.buffer(walk.buffer).kind != "weight" and walk.index is None:
                refine(walks, field, self.shapes[field])
        self.letters = [letter for letter, summed in enumerate(walks.inner) if not summed]
        self.reads = {field: Read(graph, walks, walk) for field, walk in walks.views.items()}
        self.write = _Write(graph.buffer(walks.views["out"].buffer), walks, walks.views["out"], self.letters, written)
        self.product = self._product() if isinstance(instruction, Matmul) else None
        self.accumulates = isinstance(instruction, Matmul) and instruction.accumulate
        self.rectifies = instruction.relu if isinstance(instruction, Matmul) else True

    def __call__(self, state: State, batch: int) -> None:
        value = self.reads["x"](state, batch) if self.product is None else self.product(state, batch)
        value = self._whole(value, batch)
        if "bias" in self.reads:
            value = Value(value.tensor + self._whole(self.reads["bias"](state, batch), batch, expand=False).tensor, value.letters)
        if self.accumulates and self.write.buffer.name in state:
            value = Value(value.tensor + self._whole(self.reads["out"](state, batch), batch).tensor, value.letters)
        tensor = torch.relu(value.tensor) if self.rectifies else value.tensor
        self.write(state, tensor, batch)

    def _whole(self, value: Value, batch: int, *, expand: bool = True) -> Value:
        """Give a value the axes of all letters of the result, in order, and the batch before them."""
        tensor = value.tensor if value.batched else value.tensor.unsqueeze(0)
        order = sorted(range(len(value.letters)), key=lambda place: value.letters[place])
        tensor = tensor.permute(0, *(place + 1 for place in order))
        for axis, letter in enumerate(self.letters, 1):
            if letter not in value.letters:
                tensor = tensor.unsqueeze(axis)
        if expand:
            tensor = tensor.expand(batch, *(self.walks.extents[letter] for letter in self.letters))
        return Value(tensor, self.letters)

    def _product(self) -> Callable[[State, int], Value]:
        walks, views = self.walks, self.walks.views
        for computed, other in (("a", "b"), ("b", "a")):
            if self._is_number(views[other]):
                return Sum(self.reads[computed], walks, _number(self.graph, views[other].buffer))
        shape = self.shapes["a"]
        places = along(walks, views["a"], shape) if views["a"].index is None else None
        constant = self.graph.buffer(views["b"].buffer).kind == "weight" and views["b"].index is None
        if places is not None and constant and self.graph.buffer(views["a"].buffer).kind != "weight":
            convolution = Convolution.of(self.graph, walks, places)
            if convolution is not None:
                return convolution
        return Product(self.reads["a"], self.reads["b"], walks)

    def _is_number(self, walk: Walk) -> bool:
        buffer = self.graph.buffer(walk.buffer)
        return buffer.kind == "weight" and buffer.size == 1 and walk.index is None


def _number(graph: Graph, name: str) -> float:
    return float(graph.weights[name].reshape(-1)[0])


class _Write:
    """Put a value [batch, *letters] in the place of a buffer."""

    def __init__(self, buffer: Buffer, walks: Walks, walk: Walk, letters: Sequence[int], written: dict[str, list[Box] | None]) -> None:
        self.buffer, self.walk, self.letters, self.extents = buffer, walk, letters, walks.extents
        places = along(walks, walk, buffer.shape)
        plain = places is not None and all(len(place.steps) <= 1 and all(step == 1 for _, step in place.steps) for place in places)
        self.places = places if plain else None
        self.addresses: Tensor | None = None
        before = written.get(buffer.name, [])
        self.box: Box | None = None
        if self.places is not None:
            sizes = [walks.extents[place.steps[0][0]] if place.steps else 1 for place in self.places]
            self.box = tuple((place.base, place.base + size) for place, size in zip(self.places, sizes, strict=True))
        #: Whether nothing else is in the buffer, or nothing where this is written.
        self.alone = self.box is not None and before is not None and all(box == self.box for box in before)
        self.apart = self.box is not None and before is not None and all(_apart(self.box, box) for box in before)
        written[buffer.name] = None if self.box is None or before is None else [*before, self.box]

    def __call__(self, state: State, value: Tensor, batch: int) -> None:
        name, shape = self.buffer.name, self.buffer.shape
        if self.places is not None and self.box is not None and (self.alone or self.apart):
            order = [self.letters.index(place.steps[0][0]) + 1 for place in self.places if place.steps]
            sizes = [high - low for low, high in self.box]
            tensor = value.permute(0, *order).reshape(batch, *sizes)
            edges = [edge for (low, high), size in reversed([*zip(self.box, shape, strict=True)]) for edge in (low, size - high)]
            tensor = F.pad(tensor, edges) if any(edges) else tensor
            state[name] = tensor if self.alone else state[name] + tensor
            return
        before = state[name].reshape(batch, -1) if name in state else value.new_zeros(batch, self.buffer.size)
        if self.addresses is None or self.addresses.device != value.device:
            self.addresses = addresses_of(self.walk, self.letters, self.extents).reshape(-1).to(value.device)
        state[name] = before.index_copy(1, self.addresses, value.reshape(batch, -1)).reshape(batch, *shape)


def _apart(one: Box, other: Box) -> bool:
    return any(high <= start or stop <= low for (low, high), (start, stop) in zip(one, other, strict=True))
