"""Integer graphs as QDQ: what is stored is quantised, what is computed stands between DequantizeLinear and QuantizeLinear.

Runtimes turn such patterns into their integer kernels. Scales and zeros are those of the program; the scale of each output channel
follows from the multiplier of the instruction. Rounding is in floating point, so that a number may differ by one step from the
definition (`integer.py`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import onnx

from tacit.ir.integer import IntegerBuffer
from tacit.ir.integer_ranges import LIMITS
from tacit.targets.onnx.access import Access
from tacit.targets.onnx.arithmetic import Arithmetic, Term
from tacit.targets.onnx.constants import Constant, Weights, constant_of
from tacit.targets.onnx.nodes import Nodes, Tensor
from tacit.targets.onnx.problem import Problem
from tacit.targets.onnx.weighted import aligned

OPSET = 21  # the first in which 16-bit numbers may be quantised


class QuantisedArithmetic(Arithmetic):
    """Compute with the real numbers that stored integers mean."""

    def __init__(self, nodes: Nodes) -> None:
        super().__init__(nodes)
        self._step = Constant(np.ones(()))  # what one step of the sum of the current instruction is worth

    # --- the boundary and the stores ---------------------------------------------------------------------------------------

    def taken(self, given: Tensor, buffer: Any) -> Tensor:
        """Quantise what the caller gives; elements with scales of their own are divided by them first."""
        number = super().taken(given, buffer)
        if buffer.scales is None:
            return self._quantise(number, buffer.scale, buffer)
        inverse = (1.0 / np.array(buffer.scales, np.float64)).astype(np.float32).reshape(buffer.shape)
        return self._quantise(self.multiply(number, self.constant(inverse), number.shape), 1.0, buffer)

    def given(self, stored: Tensor, buffer: Any) -> Tensor:
        """Give the float32 numbers of an output."""
        return self._dequantise(stored, buffer.scale, buffer.zero)

    def begin(self, graph: Any, instruction: Any, problem: Problem) -> None:
        """Take note of what a step of each sum is worth."""
        super().begin(graph, instruction, problem)
        self.out, self.rule = graph.buffer(instruction.out.buffer), instruction.requantise
        view = problem.views["multiplier"]
        multiplier = constant_of(view, graph.weights[view.buffer].reshape(-1)).values
        self._step = Constant(multiplier * (self.out.scale / 2.0 ** (self.rule.before + self.rule.after)))

    def stored(self, term: Term, bias: np.ndarray | Tensor | None, old: tuple[Tensor, Access] | None) -> Tensor:
        """Finish a sum and quantise it; a factor that is still to come goes into the scale."""
        x, factor = term.tensor, term.factor
        if bias is not None or old is not None or factor <= 0:
            x, factor = self.applied(term), 1.0
        if bias is not None:
            x = self.add(x, bias if isinstance(bias, Tensor) else self.constant(bias))
        if old is not None:
            scale = self.rule.addend * self.out.scale / 2.0**self.rule.after
            x = self.add(x, self._dequantise(old[0], scale, self.rule.old_zero))
        scale = self.out.scale / factor
        return self._quantise(self._clipped(x, scale), scale, self.out)

    def _clipped(self, x: Tensor, scale: float) -> Tensor:
        """Hold a sum within what the instruction allows, where the type of its buffer does not do that."""
        low, high = LIMITS[self.out.dtype]
        if (self.rule.low, self.rule.high) == (low, high):
            return x
        if self.rule.high == high and self.rule.low == self.out.zero:
            return self.nodes.add("Relu", [x], x.shape)
        ends = [np.array((end - self.out.zero) * scale, np.float32) for end in (self.rule.low, self.rule.high)]
        return self.nodes.add("Clip", [x.name, *map(self.nodes.constant, ends)], x.shape)

    # --- factors -----------------------------------------------------------------------------------------------------------

    def scaled(self, constant: Constant, scale: float) -> Constant:
        """Let a step of the constant times a step of the other factor be a step of the sum."""
        return Constant(constant.values, self._step.values / scale)

    def scaled_bias(self, constant: Constant) -> Constant:
        """Let a step of the bias be a step of the sum."""
        return Constant(constant.values, self._step.values)

    def between(self, term: Term, a: Access, b: Access) -> Term:
        """Let a step of both factors be a step of the sum."""
        constant = Constant(np.ones((1,) * self._step.values.ndim), self._step.values / (a.scale * b.scale))
        number = self.number(constant)
        if number is not None:
            return replace(term, factor=term.factor * number)
        return replace(
            term, tensor=self.multiply(term.tensor, self.constant(aligned(self.factors(constant), term.letters)), term.tensor.shape)
        )

    def value(self, x: Tensor, about: Access) -> Tensor:
        """Give the numbers that a stored tensor means."""
        return self._dequantise(x, about.scale, about.zero)

    def weights(self, weights: Weights, channel: int, x: Tensor) -> str:
        """Give a factor of a product in 8 bits, with one scale per channel.

        Runtimes dequantise weights again in every run where they have no integer kernel; there a product that they fold stands instead.
        """
        if weights.scale is None or not _fits(weights):
            return self.nodes.constant(_real(weights, channel))
        values = weights.values.astype(np.int8)
        if self._has_kernel(weights, x):
            return self._dequantised(values, weights.scale, channel)
        wide = self.nodes.add("Cast", [self.nodes.constant(values)], values.shape, to=onnx.TensorProto.FLOAT)
        steps = self.nodes.constant(_along(weights.scale, channel, values.ndim).astype(np.float32))
        return self.nodes.add("Mul", [wide.name, steps], values.shape).name

    def bias(self, bias: Weights, weights: Weights, x: Tensor) -> str:
        """Give a bias in 32 bits, in steps of the sum."""
        if bias.scale is None or not self._has_kernel(weights, x):
            return self.nodes.constant(bias.real)
        return self._dequantised(bias.values.astype(np.int32), np.broadcast_to(bias.scale, bias.values.shape), 0)

    def _has_kernel(self, weights: Weights, x: Tensor) -> bool:
        """Say whether runtimes make one integer kernel of a product and what follows it, which must be nothing but the rounding."""
        if (
            weights.scale is None
            or not _fits(weights)
            or x.dtype not in ("uint8", "int8")
            or getattr(self.instruction, "accumulate", False)
        ):
            return False
        return len(x.shape) == 1 or weights.values.ndim > 2 or "bias" not in self.problem.views

    # --- nodes ---------------------------------------------------------------------------------------------------------------

    def _quantise(self, x: Tensor, scale: float, buffer: IntegerBuffer) -> Tensor:
        inputs = [x.name, self.nodes.constant(np.array(scale, np.float32)), self.nodes.constant(np.array(buffer.zero, buffer.dtype))]
        return self.nodes.add("QuantizeLinear", inputs, x.shape, buffer.dtype)

    def _dequantise(self, x: Tensor, scale: float, zero: int) -> Tensor:
        inputs = [x.name, self.nodes.constant(np.array(scale, np.float32)), self.nodes.constant(np.array(zero, x.dtype))]
        return self.nodes.add("DequantizeLinear", inputs, x.shape)

    def _dequantised(self, values: np.ndarray, scale: np.ndarray, axis: int) -> str:
        single = scale.size == 1
        attributes: dict[str, Any] = {} if single else {"axis": axis}
        steps = scale.reshape(()) if single else scale
        inputs = [self.nodes.constant(array) for array in (values, steps.astype(np.float32), np.zeros(steps.shape, values.dtype))]
        return self.nodes.add("DequantizeLinear", inputs, values.shape, **attributes).name


def _fits(weights: Weights) -> bool:
    return int(np.abs(weights.values).max(initial=0)) <= 127


def _along(scale: np.ndarray, channel: int, rank: int) -> np.ndarray:
    """Give one number, or one per channel along its axis."""
    return scale.reshape(()) if scale.size == 1 else scale.reshape([-1 if axis == channel else 1 for axis in range(rank)])


def _real(weights: Weights, channel: int) -> np.ndarray:
    """Give the numbers that weights mean."""
    if weights.scale is None:
        return weights.real
    made: np.ndarray = (weights.values * _along(weights.scale, channel, weights.values.ndim)).astype(np.float32)
    return made
