"""Rewrite 3 x 3 convolutions of stride 1 with fewer multiplications, where that is expected to be faster.

``Y = At [(G g Gt) * (Bt d B)] A`` for every tile of 4 x 4 (or 2 x 2) outputs and 6 x 6 (4 x 4) inputs: the elementwise products,
summed over channels, are 36 (16) matmuls with a quarter (4/9) of the multiplications of the convolution. The transforms are matmuls
by small constant matrices, along rows and then along columns; their kernels write the constants into the text and drop the zeros.
So a rewritten graph is still a straight line of matmuls. The transformed weights are made here, in float64.

Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015, section 4.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tacit.ir.graph import Axes, Buffer, Graph, Matmul, View, contiguous
from tacit.targets.c.floats import FloatKernel
from tacit.targets.c.isa import Isa
from tacit.targets.c.template import weight_elements

Reals = npt.NDArray[np.float64]
_NEAR = 1 << 20  # bytes of weights that a core reads about as fast as it computes; beyond, each costs
_MANY = 900 << 10  # bytes of weights of a program that leave little room for more near the core
_CLOSE, _CROWDED, _FAR = 1 / 24, 1 / 8, 1 / 6  # cycles per byte
_BAND = 160 << 10  # bytes of the transformed inputs of one band
_TAPS = 3


@dataclass(frozen=True)
class Transform:
    """The three matrices for tiles of `size` x `size` outputs."""

    size: int
    given: Reals  # Bt [patch, patch]
    weights: Reals  # G [patch, 3]
    out: Reals  # At [size, patch]

    @property
    def patch(self) -> int:
        """Give the inputs along one side of a tile."""
        return self.size + _TAPS - 1


TRANSFORMS = (
    Transform(
        4,
        np.array(
            [
                [4, 0, -5, 0, 1, 0],
                [0, -4, -4, 1, 1, 0],
                [0, 4, -4, -1, 1, 0],
                [0, -2, -1, 2, 1, 0],
                [0, 2, -1, -2, 1, 0],
                [0, 4, 0, -5, 0, 1],
            ],
            float,
        ),
        np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]], float) / 24,
        np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]], float),
    ),
    Transform(
        2,
        np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]], float),
        np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]], float) / 2,
        np.array([[1, 1, 1, 0], [0, 1, -1, -1]], float),
    ),
)


@dataclass(frozen=True, eq=False)
class Convolution:
    """A matmul that is a 3 x 3 convolution of stride 1. `weights` is [tap, tap, channel, column]."""

    instruction: Matmul
    height: int
    width: int
    down: int  # stride of the input from one row to the next
    channels: int
    weights: Reals


def rewrite(graph: Graph, isa: Isa) -> Graph:
    """Give the graph with each fitting convolution in the form that is estimated to be fastest; scalar machines keep all."""
    if isa.lanes == 1:
        return graph
    price = _CLOSE if 4 * weight_elements(graph) < _MANY else _CROWDED
    buffers, weights, instructions = list(graph.buffers), dict(graph.weights), []
    for number, instruction in enumerate(graph.instructions):
        found = convolution_of(instruction, graph) if isinstance(instruction, Matmul) else None
        best, least = None, 0.0
        if found is not None:
            direct = _cycles(graph, (instruction,), isa, price)
            for transform in TRANSFORMS:
                if found.height % transform.size or found.width % transform.size:
                    continue
                part = _rewritten(found, transform, f"winograd{number}", graph)
                cycles = _cycles(part, part.instructions, isa, price)
                if cycles < direct and (best is None or cycles < least):
                    best, least = part, cycles
        if best is None:
            instructions.append(instruction)
        else:
            known = {buffer.name for buffer in buffers}
            buffers += [buffer for buffer in best.buffers if buffer.name not in known]
            weights |= best.weights
            instructions += best.instructions
    return Graph(tuple(buffers), tuple(instructions), weights)


def _cycles(graph: Graph, instructions: tuple[object, ...], isa: Isa, price: float) -> float:
    """Estimate what instructions cost, with the way that their weights have to come."""
    total = 0.0
    for instruction in instructions:
        kernel = FloatKernel(instruction, graph, isa)  # type: ignore[arg-type]
        total += kernel.cycles
        size = 4 * graph.buffer(kernel.nest.operands["b"].buffer).size
        total += min(size, _NEAR) * price + max(0, size - _NEAR) * _FAR
    return total


def convolution_of(instruction: Matmul, graph: Graph) -> Convolution | None:
    """Recognise a convolution by its views."""
    axes, a, b = instruction.axes, instruction.a, instruction.b
    shape = (axes.batch, axes.rows, axes.columns)
    if shape != (0, 2, 1) or a.index or b.index or graph.buffer(b.buffer).kind != "weight" or graph.buffer(a.buffer).kind == "weight":
        return None
    height, width, *inner = a.shape
    down, across, *steps = a.strides
    if len(inner) == 2 and inner[1] % _TAPS == 0 and steps[1] == 1:
        channels = inner[1] // _TAPS
        fits = inner[0] == _TAPS and steps[0] == down and across == channels
    elif len(inner) == 3:
        channels = inner[2]
        fits = inner[:2] == [_TAPS, _TAPS] and steps[:2] == [down, across] and steps[2] == 1 and across == channels
    else:
        return None
    if not fits or channels < 4:
        return None
    flat = graph.weights[b.buffer].reshape(-1)
    places = np.full(b.shape, b.offset, np.int64)
    for axis, (extent, stride) in enumerate(zip(b.shape, b.strides, strict=True)):
        places += (np.arange(extent) * stride).reshape([-1 if n == axis else 1 for n in range(len(b.shape))])
    values = flat[places].astype(np.float64).reshape(_TAPS, _TAPS, channels, b.shape[-1])
    return Convolution(instruction, height, width, down, channels, values)


def _rewritten(found: Convolution, transform: Transform, name: str, graph: Graph) -> Graph:
    """Give the five matmuls, with the buffers that they use."""
    instruction, size, patch = found.instruction, transform.size, transform.patch
    tall, wide = found.height // size, found.width // size
    if 4 * patch * patch * found.channels * found.weights.shape[-1] <= _NEAR:  # else each band would read them from afar again
        tall //= _bands(tall, 4 * patch * patch * wide * max(found.channels, found.weights.shape[-1]))
    columns, channels = found.weights.shape[-1], found.channels
    across = found.width + _TAPS - 1
    weights = np.einsum("pi,qj,ijcn->pqcn", transform.weights, transform.weights, found.weights).reshape(patch * patch, channels, columns)
    made = {
        f"{name}.given": transform.given,
        f"{name}.weights": weights,
        f"{name}.out": transform.out,
    }
    scratch = [
        Buffer(f"{name}.rows", "scratch", (patch, tall, across, channels)),
        Buffer(f"{name}.patches", "scratch", (patch, patch, tall, wide, channels)),
        Buffer(f"{name}.products", "scratch", (patch, patch, tall, wide, columns)),
        Buffer(f"{name}.sums", "scratch", (size, patch, tall, wide, columns)),
    ]
    arrays = {key: np.ascontiguousarray(value, np.float32) for key, value in made.items()}
    names = dict.fromkeys(view.buffer for view in (instruction.out, instruction.a, *([instruction.bias] if instruction.bias else [])))
    buffers = [*(graph.buffer(key) for key in names), *(Buffer(key, "weight", value.shape) for key, value in arrays.items()), *scratch]
    known = {buffer.name: buffer for buffer in buffers}
    bands = range(found.height // size // tall)
    steps = tuple(step for band in bands for step in _steps(found, transform, name, known, tall, wide, band))
    kept = {key: graph.weights[key] for key in names if key in graph.weights}
    return Graph(tuple(buffers), steps, {**kept, **arrays})


def _bands(tall: int, row_bytes: int) -> int:
    """Cut rows of tiles into the fewest equal bands that each stay near the core."""
    return next((bands for bands in range(1, tall) if tall % bands == 0 and tall // bands * row_bytes <= _BAND), tall)


def _steps(
    found: Convolution, transform: Transform, name: str, buffers: dict[str, Buffer], tall: int, wide: int, band: int
) -> Iterator[Matmul]:
    """Give the five matmuls of one band of the image."""
    instruction, size, patch, channels = found.instruction, transform.size, transform.patch, found.channels
    columns, across, tiles = found.weights.shape[-1], found.width + _TAPS - 1, tall * wide
    a, source = instruction.a, instruction.source
    given, out = (contiguous(buffers[f"{name}.{which}"]) for which in ("given", "out"))
    rows = contiguous(buffers[f"{name}.rows"])
    x = View(
        a.buffer, a.offset + band * tall * size * found.down, (patch, tall, across, channels), (found.down, size * found.down, channels, 1)
    )
    yield Matmul(rows, given, x, Axes(0, 1, 3, 1), source=source)
    line, plane = across * channels, tall * across * channels
    windows = View(rows.buffer, 0, (patch, patch, tall, wide, channels), (channels, plane, line, size * channels, 1))
    patches = buffers[f"{name}.patches"]
    cell = tiles * channels
    to = View(patches.name, 0, (patch, patch, tall, wide, channels), (cell, patch * cell, wide * channels, channels, 1))
    yield Matmul(to, given, windows, Axes(0, 1, 4, 1), source=source)
    products = buffers[f"{name}.products"]
    left = contiguous(patches, (patch * patch, tiles, channels))
    right = contiguous(buffers[f"{name}.weights"])
    yield Matmul(contiguous(products, (patch * patch, tiles, columns)), left, right, Axes(1, 1, 1, 1), source=source)
    sums = buffers[f"{name}.sums"]
    flat = patch * tiles * columns
    yield Matmul(contiguous(sums, (size, flat)), out, contiguous(products, (patch, flat)), Axes(0, 1, 1, 1), source=source)
    cell = tiles * columns
    read = View(sums.name, 0, (patch, tall, size, wide, columns), (cell, wide * columns, patch * cell, columns, 1))
    place = instruction.out
    y, x_step, n = place.strides
    written = View(
        place.buffer, place.offset + band * tall * size * y, (size, tall, size, wide, columns), (x_step, size * y, y, size * x_step, n)
    )
    bias = instruction.bias
    if bias is not None:
        bias = View(bias.buffer, bias.offset, (tall, size, wide, columns), (0, 0, 0, bias.strides[0]), bias.index)
    yield Matmul(written, out, read, Axes(0, 1, 4, 1), bias, instruction.accumulate, instruction.relu, source)
