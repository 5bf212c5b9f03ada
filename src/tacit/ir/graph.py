"""The graph: a straight line of two compute operations over buffers whose places are known at compile time.

Meaning, in one place (`interpreter.py` is its executable form):

- A *buffer* is a flat row of elements. An `input` is given by the caller, a `weight` is constant, `scratch` and `output`
  are written by instructions. The graph describes **one** example; there is no batch axis in it.
- A *view* names elements of a buffer: element ``(i0, i1, ...)`` stands at ``offset + sum(i_j * strides[j])``. Strides may be
  zero (a broadcast) and views may overlap (the windows of a convolution). With an `Index` an integer input picks the row:
  ``+ step * ints[index.offset + sum(i_j * index.strides[j])]``. That is an addressing mode, not an operation.
- `Matmul`: ``out[b, m, n] (+)= sum_k a[b, m, k] * b[b, k, n] (+ bias[b, n])``, then ``max(0, .)`` when `relu`. Each of
  b, m, n, k stands for several axes (`Axes` counts them), in this order within each view.
- `Relu`: ``out[...] = max(0, x[...])``.

float32 throughout (integer inputs are int32). The order of summation within a matmul is not defined.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

Kind = Literal["input", "weight", "scratch", "output"]


@dataclass(frozen=True)
class Buffer:
    """A row of `size` elements; `shape` is how a person would read it (row-major).

    `zeroed`: every element is 0 when a run starts, so that elements which no instruction writes (the border around an
    image) read as 0. Only scratch and output buffers may be zeroed.
    """

    name: str
    kind: Kind
    shape: tuple[int, ...]
    dtype: Literal["float32", "int32"] = "float32"
    zeroed: bool = False

    @property
    def size(self) -> int:
        """Count the elements."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Index:
    """Pick rows by an integer input: adds ``step * ints[offset + sum(i_j * strides[j])]`` to the address of a view.

    `strides` has one entry per axis of the view (0 where the index does not depend on that axis). The caller of a graph
    guarantees ``0 <= ints[...] < limit``; the boundary of the binary refuses anything else.
    """

    buffer: str
    offset: int
    strides: tuple[int, ...]
    step: int
    limit: int


@dataclass(frozen=True)
class View:
    """Elements of one buffer: offset and one stride per axis, in elements."""

    buffer: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    index: Index | None = None

    @property
    def size(self) -> int:
        """Count the elements that the view names (an element named twice counts twice)."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Axes:
    """How many axes each of the four roles of a matmul has."""

    batch: int
    rows: int
    columns: int
    inner: int


@dataclass(frozen=True)
class Matmul:
    """``out[b, m, n] (+)= sum_k a[b, m, k] * b[b, k, n] (+ bias[b, n])``, then ReLU when `relu`.

    Shapes: out = batch + rows + columns; a = batch + rows + inner; b = batch + inner + columns; bias = batch + columns.
    `source` says which line or layer of the person's network it came from.
    """

    out: View
    a: View
    b: View
    axes: Axes
    bias: View | None = None
    accumulate: bool = False
    relu: bool = False
    source: str = ""


@dataclass(frozen=True)
class Relu:
    """``out[...] = max(0, x[...])``; both views have the same shape."""

    out: View
    x: View
    source: str = ""


Instruction = Matmul | Relu


@dataclass(frozen=True, eq=False)
class Graph:
    """Buffers in order of declaration, instructions in order of execution, and the values of the weights.

    `weights[name]` is a float32 array whose shape is that of the buffer `name`.
    """

    buffers: tuple[Buffer, ...]
    instructions: tuple[Instruction, ...]
    weights: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {buffer.name: buffer for buffer in self.buffers})

    def buffer(self, name: str) -> Buffer:
        """Give the buffer called `name`. Raises: KeyError."""
        by_name: dict[str, Buffer] = self._by_name  # type: ignore[attr-defined]
        return by_name[name]

    def of_kind(self, kind: Kind) -> tuple[Buffer, ...]:
        """Give the buffers of one kind, in order of declaration (for inputs: the order of the caller's arrays)."""
        return tuple(buffer for buffer in self.buffers if buffer.kind == kind)


def contiguous(buffer: Buffer, shape: tuple[int, ...] | None = None, offset: int = 0) -> View:
    """View a buffer from `offset` on as a row-major array of `shape` (its own shape when not given).

    >>> contiguous(Buffer("x", "input", (2, 3))).strides
    (3, 1)
    """
    wanted = buffer.shape if shape is None else shape
    strides = tuple(math.prod(wanted[axis + 1 :]) for axis in range(len(wanted)))
    return View(buffer.name, offset, wanted, strides)
