"""The arithmetic of float graphs as nodes. What is exported in integers replaces these methods, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tacit.ir.graph import Matmul, Relu
from tacit.targets.onnx.access import Access
from tacit.targets.onnx.constants import Constant, Weights
from tacit.targets.onnx.nodes import Nodes, Tensor
from tacit.targets.onnx.peepholes import limited, simplified_sum
from tacit.targets.onnx.problem import AnyInstruction, Problem


@dataclass(frozen=True)
class Geometry:
    """What a convolution is besides its weights: per spatial axis, and the count of groups."""

    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    groups: int = 1


@dataclass(frozen=True)
class Term:
    """A sum that is not stored yet: one letter per axis of the tensor, a factor still to come, and whether the bias is in it."""

    tensor: Tensor
    letters: tuple[int, ...]
    factor: float = 1.0
    biased: bool = False


class Arithmetic:
    """Make nodes that compute; tensors that come in are as they are stored, what goes out is a sum that is not stored yet.

    An `Access` beside a tensor says what its numbers mean.
    """

    averages = True  # whether means have nodes of their own
    type = "float32"  # of sums

    def __init__(self, nodes: Nodes) -> None:
        self.nodes = nodes

    # --- the boundary and the stores ----------------------------------------------------------------------------------------

    def taken(self, given: Tensor, buffer: Any) -> Tensor:
        """Store what the caller gives for a float input; what is not above minus infinity, such as NaN, is read as 0.

        ``Where(IsNaN(x), 0, x)`` says the same, and takes onnxruntime as long as a small convolution.
        """
        return self.nodes.add("ThresholdedRelu", [given], given.shape, alpha=-math.inf)

    def given(self, stored: Tensor, buffer: Any) -> Tensor:
        """Give the caller the float32 numbers of an output."""
        return stored

    def begin(self, graph: Any, instruction: AnyInstruction, problem: Problem) -> None:
        """Take note of the instruction whose nodes come next."""
        self.instruction, self.problem = instruction, problem

    def stored(self, term: Term, bias: np.ndarray | Tensor | None, old: tuple[Tensor, Access] | None) -> Tensor:
        """Finish a sum: its factor, the bias (over the letters of the sum), what stood there before, the rectifier."""
        if isinstance(bias, np.ndarray) and bias.size == 1:
            bias = bias.reshape(())
        if isinstance(bias, np.ndarray) and term.factor == -1:
            x = self._difference(bias, term.tensor)
        else:
            x = self.applied(term)
            if bias is not None:
                x = self.add(x, bias if isinstance(bias, Tensor) else self.constant(bias))
        if old is not None:
            x = self.add(x, self.value(*old))
        if isinstance(self.instruction, Relu) or (isinstance(self.instruction, Matmul) and self.instruction.relu):
            x = self.nodes.add("Relu", [x], x.shape)
        return x

    def _difference(self, bias: np.ndarray, x: Tensor) -> Tensor:
        """Give ``bias - x``."""
        held = limited(self.nodes, bias, x)
        if held is None:
            return self.nodes.add("Sub", [self.constant(bias), x], np.broadcast_shapes(bias.shape, x.shape))
        smaller, rest = held
        return smaller if rest == 0 else self.add(smaller, self.constant(np.array(rest)))

    def applied(self, term: Term) -> Tensor:
        """Multiply by the factor that a term still lacks."""
        if term.factor == 1:
            return term.tensor
        return self.multiply(term.tensor, self.constant(np.array(term.factor)), term.tensor.shape)

    def constant(self, values: np.ndarray) -> Tensor:
        """Give an array that takes part in sums; it has no batch."""
        array = values.astype(self.type)
        return Tensor(self.nodes.constant(array), array.shape, self.type)

    # --- factors --------------------------------------------------------------------------------------------------------------

    def scaled(self, constant: Constant, scale: float) -> Constant:
        """Give a factor the meaning that the instruction gives it, next to another one of which a step is worth `scale`."""
        return constant

    def scaled_bias(self, constant: Constant) -> Constant:
        """Give a bias the meaning that the instruction gives it."""
        return constant

    def between(self, term: Term, a: Access, b: Access) -> Term:
        """Give the product of two computed factors the meaning that the instruction gives it."""
        return term

    def number(self, constant: Constant) -> float | None:
        """Give a constant that is one number; None for others."""
        return float(constant.real.reshape(())) if constant.real.size == 1 else None

    def factors(self, constant: Constant) -> np.ndarray:
        """Give a constant as it multiplies sums."""
        return constant.real.astype(np.float32)

    def value(self, x: Tensor, about: Access) -> Tensor:
        """Give the numbers that a stored tensor means."""
        return x

    def weights(self, weights: Weights, channel: int, x: Tensor) -> str:
        """Give a factor of a product with a stored tensor; `channel` is its axis of output channels."""
        return self.nodes.constant(weights.values.astype(np.float32))

    def bias(self, bias: Weights, weights: Weights, x: Tensor) -> str:
        """Give a constant that is added to each channel of a product."""
        return self.nodes.constant(bias.values.astype(np.float32))

    # --- nodes ----------------------------------------------------------------------------------------------------------------

    def convolve(
        self, x: Tensor, about: Access, weights: Weights, bias: Weights | None, geometry: Geometry, shape: Sequence[int]
    ) -> Tensor | None:
        """Convolve [channel, *position] with [output, channel / groups, *tap]; None where there is no such node."""
        inputs = [self.value(x, about).name, self.weights(weights, 0, x)]
        if bias is not None:
            inputs.append(self.bias(bias, weights, x))
        return self.nodes.add(
            "Conv",
            inputs,
            shape,
            kernel_shape=list(weights.values.shape[2:]),
            strides=list(geometry.strides),
            dilations=list(geometry.dilations),
            pads=[*geometry.before, *geometry.after],
            group=geometry.groups,
        )

    def linear(self, x: Tensor, about: Access, weights: Weights, bias: Weights | None) -> Tensor:
        """Multiply [inner] by [inner, output]."""
        inputs = [self.value(x, about).name, self.weights(weights, 1, x)]
        if bias is not None:
            inputs.append(self.bias(bias, weights, x))
        return self.nodes.add("Gemm", inputs, weights.values.shape[1:])

    def matrices(self, x: Tensor, about: Access, weights: Weights) -> Tensor:
        """Multiply [..., row, inner] by [..., inner, output]."""
        shape = (*x.shape[:-1], weights.values.shape[-1])
        return self.nodes.add("MatMul", [self.value(x, about).name, self.weights(weights, weights.values.ndim - 1, x)], shape)

    def product(self, x: Tensor, about: Access, y: Tensor, about_y: Access) -> Tensor:
        """Multiply [..., row, inner] by [..., inner, column], both of them computed."""
        return self.nodes.add("MatMul", [self.value(x, about), self.value(y, about_y)], (*x.shape[:-1], y.shape[-1]))

    def multiply(self, x: Tensor, y: Tensor, shape: Sequence[int]) -> Tensor:
        """Multiply two sums element by element."""
        return self.nodes.add("Mul", [x, y], shape, self.type)

    def sum(self, x: Tensor, axes: Sequence[int]) -> Tensor:
        """Sum over axes (without the batch)."""
        shape = [size for axis, size in enumerate(x.shape) if axis not in axes]
        inputs = [x.name, self.nodes.integers([axis + 1 for axis in axes])]
        return self.nodes.add("ReduceSum", inputs, shape, self.type, keepdims=0)

    def mean(self, x: Tensor, about: Access, axes: Sequence[int]) -> Tensor:
        """Average over axes (without the batch)."""
        shape = [size for axis, size in enumerate(x.shape) if axis not in axes]
        value, places = self.value(x, about), [axis + 1 for axis in axes]
        if len(x.shape) > 1 and places == list(range(2, len(x.shape) + 1)):
            pooled = self.nodes.add("GlobalAveragePool", [value], [x.shape[0], *[1] * len(axes)])
            return self.nodes.reshape(pooled, shape)
        if self.nodes.opset < 18:
            return self.nodes.add("ReduceMean", [value], shape, axes=places, keepdims=0)
        return self.nodes.add("ReduceMean", [value.name, self.nodes.integers(places)], shape, keepdims=0)

    def pool(self, x: Tensor, about: Access, kernel: Sequence[int], geometry: Geometry, shape: Sequence[int]) -> Tensor:
        """Average over windows of [channel, *position], the border counted as zeros."""
        pads = [*geometry.before, *geometry.after]
        return self.nodes.add(
            "AveragePool", [self.value(x, about)], shape, kernel_shape=list(kernel), strides=list(geometry.strides), pads=pads,
            count_include_pad=1,
        )  # fmt: skip

    def add(self, x: Tensor, y: Tensor, sign: int = 1) -> Tensor:
        """Add two sums, or subtract the second."""
        shorter = simplified_sum(self.nodes, x, y) if sign > 0 else None
        if shorter is not None:
            return shorter
        shape = np.broadcast_shapes(x.shape, y.shape)
        return self.nodes.add("Add" if sign > 0 else "Sub", [x, y], shape, self.type)
