"""The letters of an instruction: one for each axis that its views share.

``out[b, m, n] = sum over k of a[b, m, k] * b[b, k, n]`` has the letters of b, m, n and k; a ReLU has those of its output.
"""

from __future__ import annotations

from dataclasses import dataclass

from tacit.ir.graph import Matmul, Relu
from tacit.ir.integer import IntegerMatmul, IntegerRelu


@dataclass(frozen=True)
class Letters:
    """extents: of every letter. inner: which of them are summed over. places: field of a view -> the letters of its axes, in order."""

    extents: tuple[int, ...]
    inner: tuple[bool, ...]
    places: dict[str, list[int]]

    @property
    def kept(self) -> list[int]:
        """Give the letters of an extent above 1."""
        return [letter for letter, extent in enumerate(self.extents) if extent > 1]


def letters_of(instruction: Matmul | Relu | IntegerMatmul | IntegerRelu) -> Letters:
    """Name the axes of an instruction, of floats or of integers."""
    if isinstance(instruction, Relu | IntegerRelu):
        rank = len(instruction.out.shape)
        return Letters(tuple(instruction.out.shape), (False,) * rank, {"out": list(range(rank)), "x": list(range(rank))})
    axes = instruction.axes
    first = axes.batch + axes.rows
    rank = first + axes.columns
    batch, rows, columns = list(range(axes.batch)), list(range(axes.batch, first)), list(range(first, rank))
    summed = list(range(rank, rank + axes.inner))
    places = {"out": batch + rows + columns, "a": batch + rows + summed, "b": batch + summed + columns, "bias": batch + columns}
    extents = (*instruction.out.shape, *instruction.a.shape[first:])
    return Letters(extents, (False,) * rank + (True,) * axes.inner, places)
