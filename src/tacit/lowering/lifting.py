"""Lift a graph to a PyTorch module that computes the same and can be trained: the way back from a binary.

Weights become parameters. Each instruction runs in the fastest form that fits: a convolution, a sum, a product of matrices; the rest
gathers what its views name. Buffers are never written in place, so that gradients pass. `lowered_again` gives the graph with the weights
as they are now: its instructions, and so its costs, are the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tacit.ir.graph import Buffer, Graph, Matmul
from tacit.lowering.walks import Along, Walk, Walks, along, refine, walks_of

#: What is known of a buffer while a module runs: float32[batch, *shape], or the integers of an input.
State = dict[str, Tensor]
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
        self.reads = {field: _Read(graph, walks, walk) for field, walk in walks.views.items()}
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
                return _Sum(self.reads[computed], walks, _number(self.graph, views[other].buffer))
        shape = self.shapes["a"]
        places = along(walks, views["a"], shape) if views["a"].index is None else None
        constant = self.graph.buffer(views["b"].buffer).kind == "weight" and views["b"].index is None
        if places is not None and constant and self.graph.buffer(views["a"].buffer).kind != "weight":
            convolution = _Convolution.of(self.graph, walks, places)
            if convolution is not None:
                return convolution
        return _Product(self.reads["a"], self.reads["b"], walks)

    def _is_number(self, walk: Walk) -> bool:
        buffer = self.graph.buffer(walk.buffer)
        return buffer.kind == "weight" and buffer.size == 1 and walk.index is None


def _number(graph: Graph, name: str) -> float:
    return float(graph.weights[name].reshape(-1)[0])


@dataclass(frozen=True)
class Value:
    """A tensor [batch, *letters] (without the batch for constants) and its letters in the order of its axes."""

    tensor: Tensor
    letters: Sequence[int]
    batched: bool = True


class _Read:
    """Read a view: by slices and windows where each letter keeps to one axis, by addresses otherwise."""

    def __init__(self, graph: Graph, walks: Walks, walk: Walk) -> None:
        self.walk, self.extents = walk, walks.extents
        self.buffer = graph.buffer(walk.buffer)
        self.constant = self.buffer.kind == "weight"
        self.letters = walk.letters()
        places = None if walk.index is not None or self.constant else along(walks, walk, self.buffer.shape)
        self.places = places if places is not None and all(len(place.steps) <= 2 for place in places) else None
        self.addresses: Tensor | None = None

    def __call__(self, state: State, batch: int) -> Value:
        if self.walk.index is not None:
            return self._indexed(state, batch)
        if self.constant and all(stride >= 0 for stride in self.walk.strides):
            shape, strides = [self.extents[x] for x in self.letters], [self.walk.strides[x] for x in self.letters]
            return Value(state[self.buffer.name].contiguous().as_strided(shape, strides, self.walk.offset), self.letters, batched=False)
        if self.places is not None:
            return sliced(state[self.buffer.name], self.places, self.extents)
        flat = state[self.buffer.name].reshape(-1 if self.constant else batch, *(() if self.constant else (self.buffer.size,)))
        addresses = self._addresses(flat.device)
        return Value(flat[..., addresses], self.letters, batched=not self.constant)

    def _addresses(self, device: torch.device) -> Tensor:
        if self.addresses is None or self.addresses.device != device:
            self.addresses = addresses_of(self.walk, self.letters, self.extents).to(device)
        return self.addresses

    def _indexed(self, state: State, batch: int) -> Value:
        """Read a view whose rows an integer input picks."""
        walk, index = self.walk, self.walk.index
        if index is None:
            raise ValueError("expected an index")
        integers = state[index.buffer].reshape(batch, -1).long()
        own = Walk(index.buffer, index.offset, walk.steps)
        chosen = integers[:, addresses_of(own, self.letters, self.extents).to(integers.device)]  # [batch, *letters]
        places = self._addresses(integers.device) + chosen * index.step
        if self.constant:
            return Value(self._rows(state[self.buffer.name].reshape(-1), places), self.letters)
        flat = state[self.buffer.name].reshape(batch, self.buffer.size)
        return Value(flat.gather(1, places.reshape(batch, -1)).reshape(places.shape), self.letters)

    def _rows(self, flat: Tensor, places: Tensor) -> Tensor:
        """Pick elements of a constant; whole rows that lie together are picked as rows."""
        steps = self.walk.steps
        rest = [letter for letter in self.letters if not steps[letter]]
        width = math.prod(self.extents[letter] for letter in rest)
        dense = [math.prod(self.extents[other] for other in rest[at + 1 :]) for at in range(len(rest))]
        last = self.letters[len(self.letters) - len(rest) :] == rest
        if rest and last and [self.walk.strides[letter] for letter in rest] == dense and len(flat) % width == 0:
            first = places.flatten(-len(rest))[..., 0]
            if self.walk.offset % width == 0 and self._aligned(width):
                return F.embedding(first // width, flat.reshape(-1, width)).reshape(places.shape)
        return flat[places]

    def _aligned(self, width: int) -> bool:
        picked = [letter for letter in self.letters if self.walk.steps[letter]]
        step = self.walk.index.step if self.walk.index is not None else 0
        return step % width == 0 and all(self.walk.strides[letter] % width == 0 for letter in picked)


def addresses_of(walk: Walk, letters: Sequence[int], extents: Sequence[int]) -> Tensor:
    """Give the address of every element of a view, int64[*letters], its index left out."""
    found = torch.tensor(walk.offset)
    for letter in letters:
        found = found.unsqueeze(-1) + torch.arange(extents[letter]) * walk.strides[letter]
    return found


def sliced(tensor: Tensor, places: Sequence[Along], extents: Sequence[int]) -> Value:
    """Read a tensor [batch, *axes] along at most two letters per axis."""
    letters: list[int] = []
    windows: list[int] = []
    axis = 1
    for place in places:
        if not place.steps:
            tensor = tensor.select(axis, place.base)
            continue
        (letter, step), *rest = place.steps
        count = extents[letter]
        if rest:
            other, fine = rest[0]
            reach = fine * (extents[other] - 1) + 1
            tensor = tensor.narrow(axis, place.base, (count - 1) * step + reach).unfold(axis, reach, step)[..., ::fine]
            windows.append(other)
        else:
            tensor = tensor[(slice(None),) * axis + (slice(place.base, place.base + (count - 1) * step + 1, step),)]
        letters.append(letter)
        axis += 1
    return Value(tensor, [*letters, *windows])


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


class _Sum:
    """``number * sum(a)``: a copy, a mean, a difference."""

    def __init__(self, read: _Read, walks: Walks, number: float) -> None:
        self.read = read
        self.summed = [letter for letter in read.letters if walks.inner[letter]]
        alone = [letter for letter, inner in enumerate(walks.inner) if inner and letter not in read.letters]
        self.factor = number * math.prod(walks.extents[letter] for letter in alone)

    def __call__(self, state: State, batch: int) -> Value:
        value = self.read(state, batch)
        axes = [value.letters.index(letter) + value.batched for letter in self.summed]
        tensor = value.tensor.sum(axes) if axes else value.tensor
        left = [letter for letter in value.letters if letter not in self.summed]
        return Value(tensor if self.factor == 1.0 else tensor * self.factor, left, value.batched)


class _Product:
    """``sum(a * b)`` as products of matrices."""

    def __init__(self, a: _Read, b: _Read, walks: Walks) -> None:
        self.a, self.b = a, b
        found = {*a.letters, *b.letters}
        self.left = [letter for letter, inner in enumerate(walks.inner) if not inner and letter in found]
        self.times = math.prod(walks.extents[letter] for letter, inner in enumerate(walks.inner) if inner and letter not in found)

    def __call__(self, state: State, batch: int) -> Value:
        a, b = self.a(state, batch), self.b(state, batch)
        batched = a.batched or b.batched
        labels = [[*([0] if value.batched else []), *(letter + 1 for letter in value.letters)] for value in (a, b)]
        wanted = [*([0] if batched else []), *(letter + 1 for letter in self.left)]
        made = torch.einsum(a.tensor, labels[0], b.tensor, labels[1], wanted)
        return Value(made * self.times if self.times > 1 else made, self.left, batched)


class _Convolution:
    """Windows along one or two axes, the other inner letters being channels."""

    def __init__(self, graph: Graph, walks: Walks, places: Sequence[Along], windows: Sequence[int], channels: Sequence[int]) -> None:
        self.walks, self.places, self.windows, self.channels = walks, places, windows, channels
        self.weights = _Read(graph, walks, walks.views["b"])
        self.name = walks.views["a"].buffer
        inner = walks.inner
        self.rows = [next(item for item in places[axis].steps if not inner[item[0]]) for axis in windows]
        self.taps = [next((item for item in places[axis].steps if inner[item[0]]), None) for axis in windows]
        self.columns = [letter for letter in self.weights.letters if not inner[letter]]

    @classmethod
    def of(cls, graph: Graph, walks: Walks, places: Sequence[Along]) -> _Convolution | None:
        """Recognise a convolution, or give None."""
        windows, channels, taps = [], [], 0
        b = walks.views["b"].letters()
        for axis, place in enumerate(places):
            inner = [item for item in place.steps if walks.inner[item[0]]]
            rows = [item for item in place.steps if not walks.inner[item[0]]]
            if len(rows) > 1 or len(inner) > 1 or any(letter in b for letter, _ in rows) or any(letter not in b for letter, _ in inner):
                return None
            if rows:
                windows.append(axis)
                taps += len(inner)
            elif inner:
                channels.append(axis)
        a = walks.views["a"].letters()
        if not taps or len(windows) > 2 or any(walks.inner[letter] and letter not in a for letter in b):
            return None
        return cls(graph, walks, places, windows, channels)

    def __call__(self, state: State, batch: int) -> Value:
        extents, x = self.walks.extents, state[self.name]
        index: list[slice | int] = [slice(None)]
        kept: list[int] = []
        for axis, place in enumerate(self.places):
            reach = sum(step * (extents[letter] - 1) for letter, step in place.steps) + 1
            if axis in self.windows:
                index.append(slice(place.base, place.base + reach))
            elif place.steps:
                index.append(slice(place.base, place.base + reach, place.steps[0][1]))
            else:
                index.append(place.base)
                continue
            kept.append(axis)
        order = [kept.index(axis) + 1 for axis in (*self.channels, *self.windows)]
        x = x[tuple(index)].permute(0, *order)
        spatial = list(x.shape[1 + len(self.channels) :])
        pad = [1] * (2 - len(self.windows))
        x = x.reshape(batch, -1, *pad, *spatial)
        weights = self.weights(state, batch)
        inner = [self.places[axis].steps[0][0] for axis in self.channels]
        taps = [item[0] for item in self.taps if item is not None]
        w = weights.tensor.permute([weights.letters.index(letter) for letter in (*self.columns, *inner, *taps)])
        kernel = [1 if item is None else extents[item[0]] for item in self.taps]
        columns = [extents[letter] for letter in self.columns]
        w = w.reshape(math.prod(columns), x.shape[1], *pad, *kernel)
        stride = [*pad, *(step for _, step in self.rows)]
        dilation = [*pad, *(1 if item is None else item[1] for item in self.taps)]
        made = F.conv2d(x, w, stride=stride, dilation=dilation)
        rows = [letter for letter, _ in self.rows]
        return Value(made.reshape(batch, *columns, *(extents[letter] for letter in rows)), [*self.columns, *rows])
