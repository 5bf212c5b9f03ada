"""Nets written straight in the two operations, with random weights: the subjects of the interpreter's measurements and tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tacit.ir.builder import GraphBuilder
from tacit.ir.graph import Axes, Buffer, Graph, View, contiguous


@dataclass(frozen=True)
class Map:
    """A feature map float32[height, width, channel] within a buffer that has a border of zeros around it."""

    buffer: Buffer
    height: int
    width: int
    channels: int
    border: int
    first: int = 0  # channel at which the map begins, and
    depth: int = 0  # channels of the whole buffer (a concatenation holds several maps)

    @property
    def strides(self) -> tuple[int, int, int]:
        depth = self.depth or self.channels
        return (self.width + 2 * self.border) * depth, depth, 1

    def view(self) -> View:
        down, across, _ = self.strides
        return View(self.buffer.name, self.border * (down + across) + self.first, (self.height, self.width, self.channels), self.strides)

    def windows(self, kernel: int, stride: int, padding: int) -> View:
        """View the windows of a convolution: [y, x, ky, kx, channel]."""
        down, across, _ = self.strides
        height, width = (self.height + 2 * padding - kernel) // stride + 1, (self.width + 2 * padding - kernel) // stride + 1
        offset = (self.border - padding) * (down + across) + self.first
        return View(
            self.buffer.name, offset, (height, width, kernel, kernel, self.channels), (stride * down, stride * across, down, across, 1)
        )


class Net:
    """Grow a graph layer by layer; weights are drawn so that activations keep their size."""

    def __init__(self, seed: int = 0) -> None:
        self.builder, self.chance, self.count = GraphBuilder(), np.random.default_rng(seed), 0

    def weight(self, *shape: int, fan_in: int) -> Buffer:
        return self.builder.add_weight("w", self.chance.normal(0, (2 / fan_in) ** 0.5, shape).astype(np.float32))

    def constant(self, value: float) -> Buffer:
        return self.builder.add_weight("constant", np.full((1,), value, np.float32))

    def image(self, height: int, width: int, channels: int, *, border: int) -> Map:
        """Declare an input image and copy it into a bordered buffer."""
        given = Map(self.builder.add_input("image", (height, width, channels)), height, width, channels, 0)
        return self.copy(given, self.map(height, width, channels, border=border))

    def map(self, height: int, width: int, channels: int, *, border: int = 0) -> Map:
        buffer = self.builder.add_scratch("map", (height + 2 * border, width + 2 * border, channels), zeroed=border > 0)
        return Map(buffer, height, width, channels, border)

    def copy(self, source: Map, target: Map, *, accumulate: bool = False, relu: bool = False) -> Map:
        one = View(self.constant(1.0).name, 0, (), ())
        self.builder.matmul(target.view(), source.view(), one, axes=Axes(0, 3, 0, 0), accumulate=accumulate, relu=relu)
        return target

    def conv(
        self,
        source: Map,
        channels: int,
        *,
        kernel: int = 3,
        stride: int = 1,
        border: int = 1,
        relu: bool = True,
        onto: Map | None = None,
        accumulate: bool = False,
    ) -> Map:
        """Convolve; write to a new map, or to `onto`."""
        a = source.windows(kernel, stride, kernel // 2)
        target = onto or self.map(a.shape[0], a.shape[1], channels, border=border)
        fan_in = kernel * kernel * source.channels
        b = contiguous(self.weight(kernel, kernel, source.channels, channels, fan_in=fan_in))
        bias = contiguous(self.weight(channels, fan_in=100))
        self.builder.matmul(
            target.view(), a, b, axes=Axes(0, 2, 1, 3), bias=bias, accumulate=accumulate, relu=relu, source=f"conv{self.count}"
        )
        self.count += 1
        return target

    def depthwise(self, source: Map, *, stride: int = 1, border: int = 0) -> Map:
        """Convolve each channel by itself: the channels are a batch axis."""
        windows = source.windows(3, stride, 1)
        target = self.map(windows.shape[0], windows.shape[1], source.channels, border=border)
        a = View(windows.buffer, windows.offset, (source.channels, *windows.shape[:4]), (1, *windows.strides[:4]))
        b = contiguous(self.weight(source.channels, 3, 3, fan_in=9))
        bias = contiguous(self.weight(source.channels, fan_in=100))
        out = target.view()
        turned = View(out.buffer, out.offset, (source.channels, *out.shape[:2]), (1, *out.strides[:2]))
        self.builder.matmul(turned, a, b, axes=Axes(1, 2, 0, 2), bias=bias, relu=True)
        return target

    def mean(self, source: Map) -> Buffer:
        """Average over the image."""
        out = self.builder.add_scratch("mean", (source.channels,))
        view, part = source.view(), self.constant(1 / (source.height * source.width))
        a = View(view.buffer, view.offset, (source.channels, source.height, source.width), (1, *view.strides[:2]))
        b = View(part.name, 0, a.shape[1:], (0, 0))
        self.builder.matmul(contiguous(out), a, b, axes=Axes(0, 1, 0, 2))
        return out

    def linear(self, source: Buffer, outputs: int, *, relu: bool = False, last: bool = False) -> Buffer:
        """Multiply by a matrix stored [output, input], as PyTorch does."""
        size = source.size
        out = self.builder.add_output("scores", (outputs,)) if last else self.builder.add_scratch("hidden", (outputs,))
        w, bias = self.weight(outputs, size, fan_in=size), contiguous(self.weight(outputs, fan_in=100))
        b = View(w.name, 0, (size, outputs), (1, size))
        self.builder.matmul(contiguous(out), contiguous(source, (size,)), b, axes=Axes(0, 0, 1, 1), bias=bias, relu=relu)
        return out


def chain(seed: int = 0) -> Graph:
    """Make the study's net b in kind: a chain of convolutions of 3.9 MFLOP (2 x MACs) on 28 x 28 x 1."""
    net = Net(seed)
    x = net.conv(net.image(28, 28, 1, border=1), 16)
    x = net.conv(x, 32, stride=2)
    x = net.conv(x, 64, stride=2, border=0)
    net.linear(net.mean(x), 10, last=True)
    return net.builder.finish()


def perceptron(seed: int = 0) -> Graph:
    """Make the study's net a: 784-256-256-10."""
    net = Net(seed)
    x = net.builder.add_input("x", (784,))
    net.linear(net.linear(net.linear(x, 256, relu=True), 256, relu=True), 10, last=True)
    return net.builder.finish()


def _residual(net: Net, x: Map, channels: int, stride: int) -> Map:
    """Add a block: the second convolution accumulates onto the shortcut."""
    h = net.conv(x, channels, stride=stride)
    out = net.map(h.height, h.width, channels, border=1)
    if stride == 1 and x.channels == channels:
        net.copy(x, out)
    else:
        net.conv(x, channels, kernel=1, stride=stride, relu=False, onto=out)
    return net.conv(h, channels, onto=out, accumulate=True)


def resnet(width: int = 16, blocks: int = 1, size: int = 32, seed: int = 0) -> Graph:
    """Make a residual net of three stages: blocks = 1 is ResNet-8, 3 is ResNet-20, 9 is ResNet-56."""
    net = Net(seed)
    x = net.conv(net.image(size, size, 3, border=1), width)
    for stage in range(3):
        for block in range(blocks):
            x = _residual(net, x, width << stage, 2 if stage and not block else 1)
    net.linear(net.mean(x), 10, last=True)
    return net.builder.finish()


def unet(width: int = 16, size: int = 32, depth: int = 3, seed: int = 0) -> Graph:
    """Make a U-net: each skip is written straight into its half of a concatenation, up-sampling is a zero stride."""
    net = Net(seed)
    x, skips = net.image(size, size, 3, border=1), []
    for level in range(depth):
        channels = width << level
        x = net.conv(x, channels)
        joined = net.builder.add_scratch("joined", (x.height + 2, x.width + 2, 3 * channels), zeroed=True)
        left = Map(joined, x.height, x.width, channels, 1, 0, 3 * channels)
        net.conv(x, channels, onto=left)
        skips.append(left)
        x = net.conv(left, 2 * channels, stride=2)
    for left in reversed(skips):
        source, one = x.view(), net.constant(1.0)
        down, across, _ = source.strides
        right = Map(left.buffer, left.height, left.width, 2 * left.channels, 1, left.channels, left.depth).view()
        high, wide, channels = source.shape
        row, pixel, _ = right.strides
        out = View(right.buffer, right.offset, (high, 2, wide, 2, channels), (2 * row, row, 2 * pixel, pixel, 1))
        a = View(source.buffer, source.offset, out.shape, (down, 0, across, 0, 1))
        net.builder.matmul(out, a, View(one.name, 0, (), ()), axes=Axes(0, 5, 0, 0))
        x = net.conv(Map(left.buffer, left.height, left.width, left.depth, 1), left.channels)
    out_buffer = net.builder.add_output("mask", (size, size, 2))
    net.conv(x, 2, kernel=1, relu=False, onto=Map(out_buffer, size, size, 2, 0))
    return net.builder.finish()


def mobile(width: int = 32, size: int = 32, seed: int = 0) -> Graph:
    """Make a depthwise-separable net."""
    net = Net(seed)
    x = net.conv(net.image(size, size, 3, border=1), width, stride=2)
    for channels, stride in ((2 * width, 1), (4 * width, 2), (4 * width, 1), (8 * width, 2)):
        x = net.conv(net.depthwise(x, stride=stride), channels, kernel=1)
    net.linear(net.mean(x), 10, last=True)
    return net.builder.finish()


def attention(tokens: int = 64, width: int = 128, heads: int = 4, layers: int = 2, seed: int = 0) -> Graph:
    """Make an encoder with ReLU in the place of soft-max: relu(Q K^T) V, heads by strides."""
    net = Net(seed)
    per_head = width // heads
    x = net.builder.add_input("x", (tokens, width))
    row = (width, 1)

    def project(source: Buffer, outputs: int, *, relu: bool = False, onto: Buffer | None = None, shrink: int = 1) -> Buffer:
        inputs = source.shape[-1]
        out = onto or net.builder.add_scratch("tokens", (tokens, outputs))
        b = contiguous(net.weight(inputs, outputs, fan_in=inputs * shrink))
        net.builder.matmul(contiguous(out), contiguous(source), b, axes=Axes(0, 1, 1, 1), relu=relu, accumulate=onto is not None)
        return out

    def copy(source: Buffer) -> Buffer:
        out = net.builder.add_scratch("tokens", source.shape)
        net.builder.matmul(contiguous(out), contiguous(source), View(net.constant(1.0).name, 0, (), ()), axes=Axes(0, 2, 0, 0))
        return out

    x = copy(x)
    for _ in range(layers):
        query, key, value = project(x, width, shrink=10**6), project(x, width), project(x, width)  # else it grows with the cube
        weights = net.builder.add_scratch("attended", (heads, tokens, tokens))
        q = View(query.name, 0, (heads, tokens, per_head), (per_head, *row))
        k = View(key.name, 0, (heads, per_head, tokens), (per_head, 1, width))
        net.builder.matmul(contiguous(weights), q, k, axes=Axes(1, 1, 1, 1), relu=True)
        mixed = net.builder.add_scratch("mixed", (tokens, width))
        heads_of = (heads, tokens, per_head), (per_head, *row)
        v = View(value.name, 0, *heads_of)
        net.builder.matmul(View(mixed.name, 0, *heads_of), contiguous(weights), v, axes=Axes(1, 1, 1, 1))
        project(mixed, width, onto=x)
        project(project(x, 4 * width, relu=True), width, onto=x)
    out = net.builder.add_output("y", (tokens, width))
    net.builder.relu(contiguous(out), contiguous(x))
    return net.builder.finish()
