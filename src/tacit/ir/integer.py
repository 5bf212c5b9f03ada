"""The integer graph: the same straight line of matmul and relu, over 8-bit numbers, with the same bits on every target.

Meaning, in one place (`integer_interpreter.py` is its executable form). All arithmetic is on 32-bit two's complement integers
that never overflow: whoever makes an integer graph proves it from the weights, and the verifier checks it.

- A *buffer* holds integers; element ``q`` stands for the real number ``scale * (q - zero)``. Activations are ``uint8``, or ``int16``
  where 8 bits are too few (outputs always are); weights are ``int8`` with zero 0 (one real scale per column, kept in the multipliers).
  An element of a *zeroed* buffer that no instruction has written holds `zero`, so that it reads as the real number 0.
- A float input is quantised at the boundary, in float32 without fused operations:
  ``q = trunc(clip(x * inverse + (zero - low + 0.5), 0, high - low)) + low`` with ``inverse = float32(1 / scale)``; a NaN becomes `zero`.
  `low` and `high` are the ends of its dtype. An input whose elements differ in range (the columns of a table) has `scales`, one per
  element in row-major order, and so one `inverse` per element; the instructions that read it know (in weights and multipliers).
- `IntegerMatmul`, for every element of `out`::

      acc = bias[b, n] + sum_k (a[b, m, k] - zero_a) * (b[b, k, n] - zero_b)
      t   = round_shift(acc, before) * multiplier[...] + (old - old_zero) * addend
      out = clip(zero_out + round_shift(t, after), low, high)

  with ``round_shift(x, s) = (x + ((1 << s) >> 1)) >> s`` (arithmetic). `old` is what stood in `out` before (0 without `accumulate`).
  A ReLU is ``low = zero_out``. `multiplier` is a view over an int32 weight with the shape of `out` (strides 0 where it does not vary).
- `IntegerRelu` is the same with ``acc = x - zero_x`` and ``before = 0``.
- An output is given to the caller as float32: ``float32(scale) * float32(q - zero)``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from tacit.ir.graph import Axes, Kind, View

IntegerType = Literal["uint8", "int8", "int16", "int32"]
BYTES: Mapping[str, int] = {"uint8": 1, "int8": 1, "int16": 2, "int32": 4}


@dataclass(frozen=True)
class IntegerBuffer:
    """A row of `size` integers; ``real = scale * (q - zero)``. `zeroed`: unwritten elements hold `zero` when a run starts.

    An integer input (it picks rows) is ``int32`` with scale 1 and zero 0 and is taken as it is. `scales`: of a float input alone, one
    scale per element in place of `scale`. The scale of scratch says what its numbers mean and changes no result.
    """

    name: str
    kind: Kind
    shape: tuple[int, ...]
    dtype: IntegerType
    scale: float = 1.0
    zero: int = 0
    zeroed: bool = False
    scales: tuple[float, ...] | None = None

    @property
    def size(self) -> int:
        """Count the elements."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """Count the bytes."""
        return self.size * BYTES[self.dtype]


@dataclass(frozen=True)
class Requantise:
    """How 32-bit sums become the numbers of a buffer; the formula stands at the top of this file."""

    before: int
    multiplier: View
    after: int
    low: int
    high: int
    addend: int = 0
    old_zero: int = 0


@dataclass(frozen=True)
class IntegerMatmul:
    """``out = requantise(sum_k a * b + bias)``; shapes and roles of axes as in `tacit.ir.graph.Matmul`. `bias` is int32."""

    out: View
    a: View
    b: View
    axes: Axes
    requantise: Requantise
    bias: View | None = None
    accumulate: bool = False
    source: str = ""


@dataclass(frozen=True)
class IntegerRelu:
    """``out = requantise(x)``; both views have the same shape."""

    out: View
    x: View
    requantise: Requantise
    source: str = ""


IntegerInstruction = IntegerMatmul | IntegerRelu


@dataclass(frozen=True, eq=False)
class IntegerGraph:
    """Buffers, instructions in order of execution, and the integers of the weights (arrays of the dtype of their buffer)."""

    buffers: tuple[IntegerBuffer, ...]
    instructions: tuple[IntegerInstruction, ...]
    weights: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {buffer.name: buffer for buffer in self.buffers})

    def buffer(self, name: str) -> IntegerBuffer:
        """Give the buffer called `name`. Raises: KeyError."""
        by_name: dict[str, IntegerBuffer] = self._by_name  # type: ignore[attr-defined]
        return by_name[name]

    def of_kind(self, kind: Kind) -> tuple[IntegerBuffer, ...]:
        """Give the buffers of one kind, in order of declaration."""
        return tuple(buffer for buffer in self.buffers if buffer.kind == kind)
