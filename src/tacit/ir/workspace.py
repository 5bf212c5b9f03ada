"""What is kept while an interpreter is prepared: the steps, the scratch that they share, and the choices made so far."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from tacit.ir.contraction import Array, Contraction, Operand

Step = Callable[[], object]
Way = tuple[Callable[[], float], Callable[[], None]]  # an estimate of its time, and what adds its steps
ZERO = np.zeros((), np.float32)


@dataclass
class Workspace:
    """The steps prepared so far, and scratch that they share: no step keeps anything in it for a later instruction."""

    steps: list[Step] = field(default_factory=list)
    _scratch: dict[str, Array] = field(default_factory=dict)
    _packed: dict[tuple[object, ...], Array] = field(default_factory=dict)
    _chosen: dict[tuple[object, ...], int] = field(default_factory=dict)
    _uniform: dict[tuple[object, ...], float | None] = field(default_factory=dict)

    def scratch(self, slot: str, extents: list[int]) -> Array:
        """Give a contiguous array in a slot; two arrays of one slot share memory."""
        count = math.prod(extents)
        if slot not in self._scratch or self._scratch[slot].size < count:
            self._scratch[slot] = np.empty(count, np.float32)
        return self._scratch[slot][:count].reshape(extents)

    def add(self, function: Callable[..., object], *arguments: object) -> None:
        """Prepare one call."""
        self.steps.append(partial(function, *arguments))

    def relu(self, x: Array, out: Array) -> None:
        """Prepare ``out = max(0, x)``; a NaN stays one."""
        self.steps.append(partial(np.maximum, x, ZERO, out=out))

    def packed(self, operand: Operand, extents: list[int], strides: list[int]) -> Array:
        """Copy the elements of a constant into a contiguous array, once for equal requests."""
        key = (id(operand.storage), operand.offset, tuple(extents), tuple(strides))
        if key not in self._packed:
            self._packed[key] = np.array(operand.view(extents, strides), order="C")
        return self._packed[key]

    def choose(self, problem: Contraction, ways: list[Way]) -> Callable[[], None]:
        """Give the cheapest way; equal problems get the same one without another estimate."""
        factors = self.uniform(problem, "a"), self.uniform(problem, "b")
        key = (problem.axes, problem.a.constant, problem.b.constant, factors, problem.accumulate, len(ways))
        if key not in self._chosen:
            self._chosen[key] = min(range(len(ways)), key=lambda way: ways[way][0]())
        return ways[self._chosen[key]][1]

    def uniform(self, problem: Contraction, side: str) -> float | None:
        """Give the value of a constant factor if it is one number everywhere."""
        operand: Operand = getattr(problem, side)
        if not operand.constant:
            return None
        axes = tuple((axis.extent, getattr(axis, side)) for axis in problem.axes if getattr(axis, side) != 0)
        key = (id(operand.storage), operand.offset, axes)
        if key not in self._uniform:
            values = operand.view([extent for extent, _ in axes], [stride for _, stride in axes])
            first = values[(0,) * values.ndim]
            self._uniform[key] = float(first) if bool((values == first).all()) else None
        return self._uniform[key]
