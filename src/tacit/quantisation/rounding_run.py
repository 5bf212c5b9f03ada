"""Run a float graph in torch with the rounding of its integer form, so that gradients reach its weights.

Rounding has no useful derivative; it counts as the identity within the range and as constant beyond (Bengio et al., "Estimating or
Propagating Gradients Through Stochastic Neurons", 2013, section 4; Jacob et al., "Quantization and Training of Neural Networks", 2018).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from tacit.ir.graph import Graph, Instruction, Matmul, Relu, View
from tacit.ir.integer_ranges import LIMITS
from tacit.quantisation import aligning
from tacit.quantisation.constants import constants, is_constant
from tacit.quantisation.formats import Format
from tacit.quantisation.inputs import scale_of
from tacit.quantisation.useful import Limits
from tacit.quantisation.weights import MOST, RATIO, exact

Memory = dict[str, Tensor]


class RoundingRun:
    """Run a graph on a few examples at once. weights: name -> tensor, in place of the graph's own."""

    def __init__(self, graph: Graph, formats: Mapping[str, Format], limits: Limits) -> None:
        self.graph, self.formats = graph, formats
        self.limits = {
            name: tuple(torch.from_numpy(np.nan_to_num(side, posinf=3e38, neginf=-3e38).astype(np.float32)) for side in pair)
            for name, pair in limits.items()
            if np.isfinite(pair[0]).any() or np.isfinite(pair[1]).any()
        }
        self._addresses: dict[tuple[str, int, tuple[int, ...], tuple[int, ...]], Tensor] = {}
        self._weights = {name: torch.from_numpy(np.array(values, np.float32)) for name, values in graph.weights.items()}
        self.trainable = {name: self._weights[name] for name in trainable(graph)}

    def __call__(self, arrays: Sequence[np.ndarray], weights: Mapping[str, Tensor], *, rounding: bool = True) -> Tensor:
        """Give all outputs side by side, float32[example, element]."""
        count = len(arrays[0])
        memory: Memory = {}
        for buffer in self.graph.buffers:
            if buffer.kind == "weight":
                values = weights.get(buffer.name)
                memory[buffer.name] = (self._weights[buffer.name] if values is None else values).reshape(1, -1)
            elif buffer.kind != "input":
                memory[buffer.name] = torch.zeros(count, buffer.size)
        for buffer, array in zip(self.graph.of_kind("input"), arrays, strict=True):
            whole = buffer.dtype == "int32"
            given = torch.from_numpy(np.array(array, np.int64 if whole else np.float32)).reshape(count, buffer.size)
            memory[buffer.name] = given if whole else self._stored(buffer.name, given, None, rounding)
        for step in self.graph.instructions:
            self._run(step, memory, rounding)
        return torch.cat([memory[buffer.name] for buffer in self.graph.of_kind("output")], 1)

    def _run(self, step: Instruction, memory: Memory, rounding: bool) -> None:
        if isinstance(step, Relu):
            values = torch.relu(self._read(step.x, memory))
        else:
            a, b = self._operand(step, "a", memory, rounding), self._operand(step, "b", memory, rounding)
            values = self._products(step, a, b)
            if step.bias is not None:
                bias = self._read(step.bias, memory)
                batch, rows = step.axes.batch, step.axes.rows
                values = values + bias.reshape(len(bias), *bias.shape[1 : 1 + batch], *(1,) * rows, *bias.shape[1 + batch :])
            if step.accumulate:
                values = values + self._read(step.out, memory)
            if step.relu:
                values = torch.relu(values)
        name, flat = step.out.buffer, memory[step.out.buffer]
        values = values.expand(len(flat), *step.out.shape).reshape(len(flat), -1)
        places = self._places(step.out)
        memory[name] = flat.index_copy(1, places, self._stored(name, values, places, rounding))

    def _stored(self, name: str, values: Tensor, places: Tensor | None, rounding: bool) -> Tensor:
        """Clip and round what is written to a buffer at some places (None: all)."""
        if name in self.limits:
            low, high = (side if places is None else side[places] for side in self.limits[name])
            values = torch.minimum(torch.maximum(values, low), high)
        if not rounding:
            return values
        form = self.formats[name]
        low_q, high_q = (end - form.zero for end in LIMITS[form.dtype])
        scale = torch.tensor(form.scale) if form.scales is None else torch.tensor(form.scales)
        if form.scales is not None and places is not None:
            scale = scale[places]
        scaled = (values / scale).clamp(low_q, high_q)
        return (scaled + (scaled.round() - scaled).detach()) * scale

    def _operand(self, step: Matmul, field: str, memory: Memory, rounding: bool) -> Tensor:
        """Read an operand of a matmul; a constant one is rounded to 8 bits per column (or row)."""
        view: View = getattr(step, field)
        values = self._read(view, memory)
        if not rounding or view.buffer not in self.trainable:
            return values
        axes = step.axes
        first = 1 + axes.batch + (axes.rows if field == "a" else 0)
        over = list(range(first, first + axes.inner))
        if view.index is not None or (field == "a" and step.bias is not None):
            over = list(range(values.ndim))
        grid = self._grid(step, field)
        plain = values.detach() * grid
        scale = plain.abs().amax(over, keepdim=True) / MOST
        scale = torch.maximum(scale, scale.max() / RATIO).clamp(min=1e-30)
        return values + (torch.round(plain / scale) * scale / grid - values).detach()

    def _grid(self, step: Matmul, field: str) -> Tensor:
        """Give what the constant operand is multiplied with before it is rounded: scales of its partner that differ within a sum."""
        other = step.b if field == "a" else step.a
        form = self.formats.get(other.buffer)
        if form is None or form.scales is None:
            return torch.tensor(1.0)
        scales, axes = scale_of(other, np.array(form.scales)), step.axes
        whole = aligning.aligned_b(scales, axes) if field == "a" else aligning.aligned_a(scales, axes)
        if all(whole.shape[axis] == 1 for axis in aligning.inner_axes(axes)):
            return torch.tensor(1.0)
        own = aligning.back_to_a(whole, axes) if field == "a" else aligning.back_to_b(whole, axes)
        return torch.from_numpy((own / own.max()).astype(np.float32))[None]

    def _products(self, step: Matmul, a: Tensor, b: Tensor) -> Tensor:
        batch, rows, columns, inner = (int(np.prod(extents)) for extents in _extents(step))
        left, right = a.reshape(len(a), batch, rows, inner), b.reshape(len(b), batch, inner, columns)
        if inner == 1:
            made = left * right
        elif len(right) == 1:
            tall = left.transpose(0, 1).reshape(batch, len(left) * rows, inner)
            made = (tall @ right[0]).reshape(batch, len(left), rows, columns).transpose(0, 1)
        else:
            made = left @ right
        return made.reshape(len(made), *step.out.shape)

    def _read(self, view: View, memory: Memory) -> Tensor:
        flat = memory[view.buffer]
        if view.index is None:
            return flat.index_select(1, self._places(view)).reshape(len(flat), *view.shape)
        index = view.index
        ints = memory[index.buffer].index_select(1, self._places(View(index.buffer, index.offset, view.shape, index.strides)))
        places = ints * index.step + self._places(View(view.buffer, view.offset, view.shape, view.strides))
        if len(flat) == 1:
            return flat[0][places].reshape(len(places), *view.shape)
        return flat.gather(1, places).reshape(len(places), *view.shape)

    def _places(self, view: View) -> Tensor:
        """Give the addresses of a view without its index, int64[element]."""
        key = (view.buffer, view.offset, view.shape, view.strides)
        if key not in self._addresses:
            places = np.full(view.shape, view.offset, np.int64)
            for axis, (extent, stride) in enumerate(zip(view.shape, view.strides, strict=True)):
                places += (np.arange(extent) * stride).reshape([-1 if place == axis else 1 for place in range(len(view.shape))])
            self._addresses[key] = torch.from_numpy(places.reshape(-1))
        return self._addresses[key]


def _extents(step: Matmul) -> tuple[tuple[int, ...], ...]:
    axes, shape = step.axes, step.out.shape
    first, second = axes.batch, axes.batch + axes.rows
    return shape[:first], shape[first:second], shape[second:], step.a.shape[second:]


def trainable(graph: Graph) -> list[str]:
    """Name the weights that rounding changes, and their biases: not those of copies, scales and other exact factors."""
    found: dict[str, None] = {}
    fixed: set[str] = set()
    for step in graph.instructions:
        if not isinstance(step, Matmul):
            continue
        rounded = False
        for view in (step.a, step.b):
            if is_constant(view, graph):
                inexact = view.index is not None or (aligning.terms(step) > 1 and exact(constants(view, graph)) is None)
                rounded |= inexact
                if inexact:
                    found.setdefault(view.buffer)
                else:
                    fixed.add(view.buffer)
        if step.bias is not None and is_constant(step.bias, graph):
            if rounded:
                found.setdefault(step.bias.buffer)
            else:
                fixed.add(step.bias.buffer)
    return [name for name in found if name not in fixed]
