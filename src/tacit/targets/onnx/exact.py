"""Integer graphs in integer arithmetic: ConvInteger and MatMulInteger, then the formula of `integer.py`, bit for bit.

ONNX has no arithmetic shift; ``round_shift(x, s)`` is ``floor(x * 2**-s + 0.5)`` in float64, in which all of it is exact: numbers stay
below 2**31 in size, and scaling by powers of two changes no digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tacit.ir.integer_ranges import LIMITS
from tacit.targets.onnx.access import Access
from tacit.targets.onnx.arithmetic import Arithmetic, Geometry, Term
from tacit.targets.onnx.constants import Constant, Weights, constant_of
from tacit.targets.onnx.nodes import Nodes, Tensor
from tacit.targets.onnx.problem import Problem
from tacit.targets.onnx.weighted import aligned

_BYTES = ("uint8", "int8")


class ExactArithmetic(Arithmetic):
    """Compute with 32-bit sums of integers."""

    averages = False
    type = "int32"

    def __init__(self, nodes: Nodes) -> None:
        super().__init__(nodes)
        self._multiplier = np.ones(())

    # --- the boundary and the stores ---------------------------------------------------------------------------------------

    def taken(self, given: Tensor, buffer: Any) -> Tensor:
        """Quantise what the caller gives, in float32 and in the order of the definition."""
        low, high = LIMITS[buffer.dtype]
        scales = np.float64(buffer.scale) if buffer.scales is None else np.array(buffer.scales, np.float64).reshape(buffer.shape)
        shape = given.shape
        nothing = self.nodes.add("IsNaN", [given], shape, "bool")
        number = self.nodes.add("Where", [nothing.name, self.nodes.constant(np.array(0, np.float32)), given.name], shape)
        moved = self._float("Mul", [number], (1.0 / scales).astype(np.float32), shape)
        moved = self._float("Add", [moved], np.float32(buffer.zero - low + 0.5), shape)
        ends = [self.nodes.constant(np.array(end, np.float32)) for end in (0, high - low)]
        places = self.nodes.cast(self.nodes.add("Clip", [moved.name, *ends], shape), "int32")
        if low:
            places = self.add(places, self.constant(np.array(low)))
        return self.nodes.cast(places, buffer.dtype)

    def given(self, stored: Tensor, buffer: Any) -> Tensor:
        """Give the float32 numbers of an output."""
        centred = self.nodes.cast(self._centred(stored, buffer.zero), "float32")
        return self._float("Mul", [centred], np.float32(buffer.scale), centred.shape)

    def begin(self, graph: Any, instruction: Any, problem: Problem) -> None:
        """Take note of how sums become the numbers of a buffer."""
        super().begin(graph, instruction, problem)
        self.out, self.rule = graph.buffer(instruction.out.buffer), instruction.requantise
        view = problem.views["multiplier"]
        self._multiplier = constant_of(view, graph.weights[view.buffer].reshape(-1)).values

    def stored(self, term: Term, bias: np.ndarray | Tensor | None, old: tuple[Tensor, Access] | None) -> Tensor:
        """Finish a sum by the formula of the definition."""
        x, rule = self.applied(term), self.rule
        if bias is not None:
            x = self.add(x, bias if isinstance(bias, Tensor) else self.constant(bias))
        made = self.nodes.cast(x, "float64")
        if rule.before:
            made = self._shifted(made, 2.0**-rule.before, 0.5)
        multiplier = aligned(self._multiplier, term.letters).astype(np.float64) * 2.0**-rule.after
        shape = np.broadcast_shapes(made.shape, multiplier.shape)
        made = self._double("Mul", made, multiplier, shape)
        if old is not None:
            before = self.nodes.cast(self._centred(old[0], rule.old_zero), "float64")
            before = self._double("Mul", before, np.float64(rule.addend * 2.0**-rule.after), before.shape)
            made = self.nodes.add("Add", [made, before], np.broadcast_shapes(made.shape, before.shape), "float64")
        made = self._double("Add", made, np.float64((0.5 if rule.after else 0.0) + self.out.zero), made.shape)
        if rule.low < 0:  # else the cast rounds down as well
            made = self.nodes.add("Floor", [made], made.shape, "float64")
        ends = [self.nodes.constant(np.array(end, np.float64)) for end in (rule.low, rule.high)]
        return self.nodes.cast(self.nodes.add("Clip", [made.name, *ends], made.shape, "float64"), self.out.dtype)

    def _shifted(self, x: Tensor, factor: float, half: float) -> Tensor:
        moved = self._double("Add", self._double("Mul", x, np.float64(factor), x.shape), np.float64(half), x.shape)
        return self.nodes.add("Floor", [moved], moved.shape, "float64")

    # --- factors -----------------------------------------------------------------------------------------------------------

    def number(self, constant: Constant) -> float | None:
        """Give a constant that is one number; None for others."""
        return float(constant.values.reshape(())) if constant.values.size == 1 else None

    def factors(self, constant: Constant) -> np.ndarray:
        """Give a constant as it multiplies sums."""
        return constant.values.astype(np.int32)

    def value(self, x: Tensor, about: Access) -> Tensor:
        """Give the numbers of a stored tensor, less what stands for zero."""
        return self._centred(x, about.zero)

    def _centred(self, x: Tensor, zero: int) -> Tensor:
        wide = self.nodes.cast(x, "int32")
        return wide if zero == 0 else self.nodes.add("Sub", [wide, self.constant(np.array(zero))], x.shape, "int32")

    # --- nodes ---------------------------------------------------------------------------------------------------------------

    def convolve(
        self, x: Tensor, about: Access, weights: Weights, bias: Weights | None, geometry: Geometry, shape: Sequence[int]
    ) -> Tensor | None:
        """Convolve 8-bit numbers; others have no node of their own."""
        if x.dtype != "uint8" or not _fits(weights):
            return None
        unsigned = (weights.values.astype(np.int16) + 128).astype(np.uint8)  # older onnxruntime convolves with no other weights
        inputs = [x.name, self.nodes.constant(unsigned), self._zero(x, about), self.nodes.constant(np.array(128, np.uint8))]
        made = self.nodes.add(
            "ConvInteger", inputs, shape, "int32", kernel_shape=list(weights.values.shape[2:]), strides=list(geometry.strides),
            dilations=list(geometry.dilations), pads=[*geometry.before, *geometry.after], group=geometry.groups,
        )  # fmt: skip
        return made if bias is None else self.add(made, self.constant(bias.values.reshape(-1, *[1] * (len(shape) - 1))))

    def linear(self, x: Tensor, about: Access, weights: Weights, bias: Weights | None) -> Tensor:
        """Multiply [inner] by [inner, output]."""
        made = self.matrices(x, about, weights)
        return made if bias is None else self.add(made, self.constant(bias.values))

    def matrices(self, x: Tensor, about: Access, weights: Weights) -> Tensor:
        """Multiply [..., row, inner] by [..., inner, output]."""
        shape = (*x.shape[:-1], weights.values.shape[-1])
        if x.dtype in _BYTES and _fits(weights):
            inputs = [x.name, self.nodes.constant(weights.values.astype(np.int8)), self._zero(x, about)]
            return self.nodes.add("MatMulInteger", inputs, shape, "int32")
        factor = self.constant(weights.values)
        if _fits(weights):  # stored in a quarter of the bytes; runtimes fold the cast
            factor = self.nodes.cast(Tensor(self.nodes.constant(weights.values.astype(np.int8)), factor.shape, "int8"), "int32")
        return self.nodes.add("MatMul", [self.value(x, about), factor], shape, "int32")

    def product(self, x: Tensor, about: Access, y: Tensor, about_y: Access) -> Tensor:
        """Multiply [..., row, inner] by [..., inner, column], both of them computed."""
        shape = (*x.shape[:-1], y.shape[-1])
        if x.dtype in _BYTES and y.dtype in _BYTES:
            return self.nodes.add("MatMulInteger", [x.name, y.name, self._zero(x, about), self._zero(y, about_y)], shape, "int32")
        return self.nodes.add("MatMul", [self.value(x, about), self.value(y, about_y)], shape, "int32")

    def _zero(self, x: Tensor, about: Access) -> str:
        return self.nodes.constant(np.array(about.zero, x.dtype))

    def _float(self, operation: str, inputs: Sequence[Tensor], constant: np.ndarray | np.generic, shape: Sequence[int]) -> Tensor:
        names = [*(item.name for item in inputs), self.nodes.constant(np.asarray(constant, np.float32))]
        return self.nodes.add(operation, names, shape)

    def _double(self, operation: str, x: Tensor, constant: np.ndarray | np.generic, shape: Sequence[int]) -> Tensor:
        return self.nodes.add(operation, [x.name, self.nodes.constant(np.asarray(constant, np.float64))], shape, "float64")


def _fits(weights: Weights) -> bool:
    return int(np.abs(weights.values).max(initial=0)) <= 127
