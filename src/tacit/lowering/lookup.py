"""Functions of an integer input: embeddings, and any elementwise arithmetic on the integers before them.

Such a function is a table with one entry per value of the integer. Arithmetic is done on the table while lowering; what
is left at run time is the choice of a row, which is an addressing mode.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from tacit.lowering.emitter import Emitter
from tacit.lowering.strided import Axis, Factor, Rows, Strided, expand, row_major, tidy
from tacit.lowering.sums import squeeze_uniform


@dataclass(frozen=True)
class Lookup:
    """Element ``[i]`` is ``table[ints[i], i]``.

    ids: where the integers stand, one axis per axis of the value. table: [limit, *shape], expanded where it is the same.
    """

    ids: Strided
    table: torch.Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value."""
        return tuple(self.table.shape[1:])

    @property
    def limit(self) -> int:
        """How many values the integers have."""
        return int(self.table.shape[0])

    def broadcast(self, shape: tuple[int, ...]) -> Lookup:
        """Expand to `shape`."""
        table = self.table
        while table.dim() < len(shape) + 1:
            table = table.unsqueeze(1)
        return Lookup(expand(self.ids, shape), table.expand(self.limit, *shape))

    def moved(self, view: Callable[[Strided], Strided | None], tensor: Callable[[torch.Tensor], torch.Tensor]) -> Lookup | None:
        """Apply a change of axes: `view` to the integers, `tensor` to every row of the table."""
        ids = view(self.ids)
        if ids is None:
            return None
        if all(size == 1 or stride == 0 for size, stride in zip(self.table.shape[1:], self.table.stride()[1:], strict=True)):
            flat = narrow_broadcast(self.table).reshape(self.limit, *([1] * len(ids.shape)))
            return Lookup(ids, flat.expand(self.limit, *ids.shape))
        return Lookup(ids, torch.vmap(tensor)(self.table))

    def embed(self, weight: torch.Tensor) -> Lookup:
        """Use the values as rows of `weight`: adds an axis of the width of the weight."""
        indices = narrow_broadcast(self.table).long()
        rows = weight[indices.clamp(0, weight.shape[0] - 1)]
        shape = (*self.shape, int(weight.shape[1]))
        ids = replace(self.ids, axes=(*self.ids.axes, ()), margins=(*self.ids.margins, (0, 0)))
        return Lookup(expand(ids, shape), rows.expand(self.limit, *shape))

    def strided(self, emitter: Emitter, name: str) -> Strided:
        """Give the value as a view of a weight whose row the integer picks."""
        table = squeeze_uniform(narrow_broadcast(self.table).double())
        if table.shape[0] == 1:
            table = table.expand(self.limit, *table.shape[1:])
        kept = [size for size in table.shape[1:] if size > 1]
        values = table.to(torch.float32).reshape([self.limit, *kept]).contiguous().numpy()
        buffer = emitter.builder.add_weight(name, values)
        inner = row_major(buffer.name, tuple(table.shape[1:]))
        axes: list[Axis] = []
        for axis, along in zip(self.ids.axes, inner.axes, strict=True):
            size = math.prod(factor.size for factor in axis)
            stride = along[0].stride if along else 0
            factors = []
            for factor in axis:
                size //= factor.size
                factors.append(Factor(factor.size, stride * size, factor.stride))
            axes.append(tidy(tuple(factors)))
        rows = Rows(self.ids.buffer, self.ids.offset, math.prod(kept), self.limit)
        return replace(inner, axes=tuple(axes), rows=rows)


def narrow_broadcast(tensor: torch.Tensor) -> torch.Tensor:
    """Reduce broadcast axes (stride 0) to size 1, the first axis excepted."""
    for axis in range(1, tensor.dim()):
        if tensor.stride(axis) == 0 and tensor.shape[axis] > 1:
            tensor = tensor.narrow(axis, 0, 1)
    return tensor
