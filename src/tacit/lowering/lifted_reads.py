"""How a lifted graph reads views and multiplies them: slices, windows and convolutions where they fit, addresses otherwise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tacit.ir.graph import Graph
from tacit.lowering.walks import Along, Walk, Walks, along

#: What is known of a buffer while a module runs: float32[batch, *shape], or the integers of an input.
State = dict[str, Tensor]


@dataclass(frozen=True)
class Value:
    """A tensor [batch, *letters] (without the batch for constants) and its letters in the order of its axes."""

    tensor: Tensor
    letters: Sequence[int]
    batched: bool = True


class Read:
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
        """Give the elements of the view."""
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


class Sum:
    """``number * sum(a)``: a copy, a mean, a difference."""

    def __init__(self, read: Read, walks: Walks, number: float) -> None:
        self.read = read
        self.summed = [letter for letter in read.letters if walks.inner[letter]]
        alone = [letter for letter, inner in enumerate(walks.inner) if inner and letter not in read.letters]
        self.factor = number * math.prod(walks.extents[letter] for letter in alone)

    def __call__(self, state: State, batch: int) -> Value:
        """Sum and scale."""
        value = self.read(state, batch)
        axes = [value.letters.index(letter) + value.batched for letter in self.summed]
        tensor = value.tensor.sum(axes) if axes else value.tensor
        left = [letter for letter in value.letters if letter not in self.summed]
        return Value(tensor if self.factor == 1.0 else tensor * self.factor, left, value.batched)


class Product:
    """``sum(a * b)`` as products of matrices."""

    def __init__(self, a: Read, b: Read, walks: Walks) -> None:
        self.a, self.b = a, b
        found = {*a.letters, *b.letters}
        self.left = [letter for letter, inner in enumerate(walks.inner) if not inner and letter in found]
        self.times = math.prod(walks.extents[letter] for letter, inner in enumerate(walks.inner) if inner and letter not in found)

    def __call__(self, state: State, batch: int) -> Value:
        """Multiply and sum."""
        a, b = self.a(state, batch), self.b(state, batch)
        batched = a.batched or b.batched
        labels = [[*([0] if value.batched else []), *(letter + 1 for letter in value.letters)] for value in (a, b)]
        wanted = [*([0] if batched else []), *(letter + 1 for letter in self.left)]
        made = torch.einsum(a.tensor, labels[0], b.tensor, labels[1], wanted)
        return Value(made * self.times if self.times > 1 else made, self.left, batched)


class Convolution:
    """Windows along one or two axes, the other inner letters being channels."""

    def __init__(self, graph: Graph, walks: Walks, places: Sequence[Along], windows: Sequence[int], channels: Sequence[int]) -> None:
        self.walks, self.places, self.windows, self.channels = walks, places, windows, channels
        self.weights = Read(graph, walks, walks.views["b"])
        self.name = walks.views["a"].buffer
        inner = walks.inner
        self.rows = [next(item for item in places[axis].steps if not inner[item[0]]) for axis in windows]
        self.taps = [next((item for item in places[axis].steps if inner[item[0]]), None) for axis in windows]
        self.columns = [letter for letter in self.weights.letters if not inner[letter]]

    @classmethod
    def of(cls, graph: Graph, walks: Walks, places: Sequence[Along]) -> Convolution | None:
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
        """Slide the windows."""
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
