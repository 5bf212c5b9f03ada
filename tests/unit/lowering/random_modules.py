"""Random modules made of the operations that lower, each drawn from a seed; used by the tests and by the benchmark."""

from __future__ import annotations

import random

import torch
import torch.nn.functional as F
from torch import nn

from tacit.signature.base import ArraySpec


class Residual(nn.Module):
    def __init__(self, inner, join):
        super().__init__()
        self.inner, self.join = inner, join

    def forward(self, x):
        y = self.inner(x)
        if self.join == "add":
            return x + y
        if self.join == "relu":
            return F.relu(y + x)
        if self.join == "sub":
            return x - y
        if self.join == "mul":
            return x * F.hardsigmoid(y)
        if self.join == "maximum":
            return torch.maximum(x, y)
        return torch.cat([x, y], 1)


class Excite(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.gate = nn.Linear(channels, channels)

    def forward(self, x):
        gate = F.hardsigmoid(self.gate(x.flatten(2).mean(2)))
        return x * gate.reshape(*gate.shape, *([1] * (x.dim() - 2)))


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.project, self.out, self.heads = nn.Linear(width, 3 * width), nn.Linear(width, width), heads

    def forward(self, x):
        batch, length, width = x.shape
        q, k, v = (part.reshape(batch, length, self.heads, -1).transpose(1, 2) for part in self.project(x).chunk(3, -1))
        scores = F.relu(q @ k.transpose(-1, -2) / length)
        return x + self.out((scores @ v).transpose(1, 2).reshape(batch, length, width))


class Lambda(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Program(nn.Module):
    """Reads the arrays into one tensor, runs the stages, ends in a linear layer."""

    def __init__(self, reader, stages, specs):
        super().__init__()
        self.reader, self.stages = reader, nn.Sequential(*stages)
        with torch.no_grad():
            probe = [torch.zeros(2, *s.shape) if s.limit is None else torch.zeros(2, *s.shape, dtype=torch.int32) for s in specs]
            width = self.stages(reader(*probe)).flatten(1).shape[1]
        self.head = nn.Linear(width, 5)

    def forward(self, *arrays):
        return self.head(self.stages(self.reader(*arrays)).flatten(1))


class ImageReader(nn.Module):
    def __init__(self, channels, draw):
        super().__init__()
        self.register_buffer("mean", torch.full((channels,), 127.0))
        self.register_buffer("std", torch.rand(channels) * 20 + 50)

    def forward(self, x):
        return ((x - self.mean) / self.std).permute(0, 3, 1, 2)


class RowReader(nn.Module):
    """Numbers and categories side by side."""

    def __init__(self, columns, limit):
        super().__init__()
        self.embedding = nn.Embedding(limit * columns, 3)
        self.register_buffer("offsets", torch.arange(columns) * limit)

    def forward(self, x, ids):
        return torch.cat([x, self.embedding(ids + self.offsets).flatten(1)], 1)


class TextReader(nn.Module):
    def __init__(self, limit, width):
        super().__init__()
        self.embedding = nn.Embedding(limit, width)

    def forward(self, ids):
        return self.embedding(ids).transpose(1, 2)


def activation(draw):
    return draw.choice(
        [
            nn.ReLU(),
            nn.ReLU(),
            nn.ReLU6(),
            nn.Hardtanh(-1, 2),
            nn.LeakyReLU(0.1),
            nn.Hardswish(),
            nn.Hardsigmoid(),
            nn.PReLU(),
            nn.Identity(),
        ]
    )


def spatial_stage(draw, shape):
    """Draw a layer for a tensor [channels, *spatial]."""
    channels, axes = shape[0], len(shape) - 1
    smallest = min(shape[1:])
    two = axes == 2
    conv, transposed, norm = (nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d) if two else (nn.Conv1d, nn.ConvTranspose1d, nn.BatchNorm1d)
    maximum, average = (nn.MaxPool2d, nn.AvgPool2d) if two else (nn.MaxPool1d, nn.AvgPool1d)
    adaptive = nn.AdaptiveAvgPool2d if two else nn.AdaptiveAvgPool1d

    def convolution(out, *, same=False):
        kernel = draw.choice([1, 3, 3, 5])
        dilation = draw.choice([1, 1, 2]) if smallest > 4 else 1
        groups = draw.choice([g for g in (1, 1, 2, channels) if channels % g == 0 and out % g == 0])
        if same or kernel > smallest:
            return conv(channels, out, kernel, padding="same", dilation=dilation, groups=groups, bias=draw.random() < 0.5)
        stride, padding = draw.choice([1, 1, 2]), draw.choice([0, kernel // 2, kernel // 2, kernel - 1])
        if dilation * (kernel - 1) >= smallest + 2 * padding:
            dilation = 1
        return conv(channels, out, kernel, stride, padding, dilation, groups, bias=draw.random() < 0.5)

    def block(out, *, same=False):
        return nn.Sequential(convolution(out, same=same), *([norm(out)] if draw.random() < 0.7 else []), activation(draw))

    kinds = ["block", "block", "block", "residual", "residual", "dense", "flip", "excite", "affine", "pad"]
    if smallest >= 3:
        kinds += ["max", "average", "adaptive", "slice"]
    if smallest <= 8:
        kinds += ["up", "transposed", "transposed"]
    if channels % (4 if two else 2) == 0 and smallest <= 8:
        kinds.append("shuffle")
    kind = draw.choice(kinds)
    out = draw.choice([2, 4, 6, 8])
    if kind == "block":
        return block(out)
    if kind == "residual":
        return Residual(block(channels, same=True), draw.choice(["add", "relu", "relu", "sub", "mul", "maximum"]))
    if kind == "dense":
        return Residual(block(out, same=True), "cat")
    if kind == "flip":
        return Lambda(lambda x: x.flip(-1))
    if kind == "excite":
        return Excite(channels)
    if kind == "affine":
        return norm(channels)
    if kind == "pad":
        low, high = draw.randint(0, 2), draw.randint(0, 2)
        return Lambda(lambda x: F.pad(x, (low, high)))
    if kind == "max":
        kernel = draw.choice([2, 3])
        return maximum(kernel, draw.choice([1, 2]), draw.choice([0, kernel // 2]), ceil_mode=draw.random() < 0.3)
    if kind == "average":
        kernel = draw.choice([2, 3])
        padding, ceil, include = draw.choice([0, kernel // 2]), draw.random() < 0.3, draw.random() < 0.5
        return average(kernel, 2, padding, ceil_mode=ceil, count_include_pad=include)
    if kind == "adaptive":
        return adaptive(draw.choice([2, 3]))
    if kind == "slice":
        start, step = draw.randint(0, 1), draw.choice([1, 2])
        return Lambda(lambda x: x[..., start::step])
    if kind == "up":
        return nn.Upsample(scale_factor=2)
    if kind == "transposed":
        kernel, stride = draw.choice([2, 3, 4]), draw.choice([1, 2, 3])
        padding = draw.choice([0, 1]) if kernel > 2 else 0
        extra = draw.randint(0, stride - 1)
        groups = draw.choice([g for g in (1, 2) if channels % g == 0])
        return nn.Sequential(transposed(channels, out, kernel, stride, padding, extra, groups), activation(draw))
    if two:
        return nn.PixelShuffle(2)
    return Lambda(lambda x: x.reshape(x.shape[0], 2, -1, x.shape[2]).permute(0, 2, 3, 1).flatten(2))


def flat_stage(draw, width):
    kind = draw.choice(["linear", "linear", "residual", "norm", "chunk", "outer", "square"])
    if kind == "linear":
        return nn.Sequential(nn.Linear(width, draw.choice([8, 12, 16])), activation(draw))
    if kind == "residual":
        return Residual(
            nn.Sequential(nn.Linear(width, width), activation(draw)), draw.choice(["add", "relu", "sub", "mul", "maximum", "cat"])
        )
    if kind == "norm":
        return nn.BatchNorm1d(width)
    if kind == "chunk" and width % 2 == 0:
        return Lambda(lambda x: (lambda a, b: a * F.hardsigmoid(b))(*x.chunk(2, 1)))
    if kind == "outer" and width <= 16:
        return Lambda(lambda x: (x[:, :, None] * x[:, None, :3]).flatten(1))
    return Lambda(lambda x: x / 2 + (x - 0.5).abs())


def random_module(seed):
    """Give a module and the specs of its inputs."""
    draw = random.Random(seed)
    torch.manual_seed(seed)
    kind = draw.choice(["image", "image", "image", "series", "series", "row", "text", "attention"])
    stages = []
    if kind == "image":
        height, width, channels = draw.choice([6, 8, 9, 12]), draw.choice([6, 8, 11]), draw.choice([1, 3])
        specs = [ArraySpec("image", (height, width, channels), "uint8", ("y", "x", "channel"))]
        reader, shape = ImageReader(channels, draw), (channels, height, width)
    elif kind == "series":
        shape = (draw.choice([1, 4, 6]), draw.choice([9, 16, 20]))
        specs = [ArraySpec("series", shape, "float32", ("channel", "time"))]
        reader = nn.Identity()
    elif kind == "text":
        specs = [ArraySpec("tokens", (12,), "int32", ("token",), 20)]
        reader, shape = TextReader(20, 4), (4, 12)
    elif kind == "row":
        specs = [ArraySpec("row", (5,), "float32", ("column",)), ArraySpec("categories", (3,), "int32", ("column",), 7)]
        reader, shape = RowReader(3, 7), (14,)
    else:
        specs = [ArraySpec("frames", (6, 8), "float32", ("time", "channel"))]
        reader, shape = nn.Identity(), (6, 8)
        stages = [Attention(8, draw.choice([1, 2, 4])) for _ in range(draw.randint(1, 2))]
    value = torch.zeros(2, *shape)
    for _ in range(draw.randint(2, 6)):
        if kind == "attention":
            break
        stage = (flat_stage(draw, value.shape[1]) if value.dim() == 2 else spatial_stage(draw, tuple(value.shape[1:]))).eval()
        with torch.no_grad():
            try:
                made = stage(value)
            except RuntimeError:  # a geometry that torch refuses
                continue
        if made.flatten(1).shape[1] > 6000 or 0 in made.shape:
            continue
        value = made
        stages.append(stage)
    if value.dim() > 2 and draw.random() < 0.6 and kind != "attention":
        stages.append(Lambda(draw.choice([lambda x: x.flatten(2).mean(2), lambda x: x.flatten(2).amax(2), lambda x: x.transpose(1, 2)])))
    module = Program(reader, stages, specs).eval()
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2)
            nn.init.normal_(layer.bias)
    return module, specs
