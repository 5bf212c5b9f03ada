"""One module per operation, compared with PyTorch."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tacit.lowering.lower import lower_module
from tacit.signature.base import ArraySpec

TOLERANCE = 1e-4


def image(channels=6, height=8, width=9):
    return ArraySpec("image", (channels, height, width), "float32", ("channel", "y", "x"))


def series(channels=6, time=12):
    return ArraySpec("series", (channels, time), "float32", ("channel", "time"))


def row(width=12):
    return ArraySpec("row", (width,), "float32", ("column",))


def tokens(length=7, limit=11):
    return ArraySpec("tokens", (length,), "int32", ("token",), limit)


class Function(nn.Module):
    """A module whose forward is a function; modules given are its layers."""

    def __init__(self, forward, **layers):
        super().__init__()
        self.function = forward
        for name, layer in layers.items():
            if isinstance(layer, torch.Tensor):
                self.register_buffer(name, layer)
            else:
                setattr(self, name, layer)

    def forward(self, *arrays):
        return self.function(self, *arrays)


def stirred(module):
    """Give batch norms statistics as after training."""
    generator = torch.Generator().manual_seed(1)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.running_mean.copy_(torch.randn(layer.running_mean.shape, generator=generator))
            layer.running_var.copy_(torch.rand(layer.running_var.shape, generator=generator) + 0.5)
            layer.weight.data.copy_(torch.randn(layer.weight.shape, generator=generator))
            layer.bias.data.copy_(torch.randn(layer.bias.shape, generator=generator))
    return module


def flat(function):
    return Function(lambda m, *arrays: function(*arrays).flatten(1))


def on(spec, layer):
    return pytest.param(stirred(nn.Sequential(layer, nn.Flatten())), [spec], id=f"{layer}".replace("\n", "")[:90])


LAYERS = [
    on(image(), nn.Conv2d(6, 5, 3)),
    on(image(), nn.Conv2d(6, 5, 3, padding=1)),
    on(image(), nn.Conv2d(6, 5, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2))),
    on(image(), nn.Conv2d(6, 5, 4, padding="same")),
    on(image(), nn.Conv2d(6, 4, 3, groups=2, padding=1)),
    on(image(), nn.Conv2d(6, 6, 3, groups=6, padding=2, stride=2)),
    on(image(), nn.Conv2d(6, 12, 3, groups=6, dilation=2)),
    on(image(), nn.Conv2d(6, 5, 1, bias=False)),
    on(image(height=1), nn.Conv2d(6, 5, 3, padding=1)),
    on(series(), nn.Conv1d(6, 5, 3, padding=1)),
    on(series(), nn.Conv1d(6, 4, 5, stride=2, groups=2, padding=4, dilation=2)),
    on(series(), nn.Conv1d(6, 4, 4, padding="same", dilation=3)),
    on(image(), nn.ConvTranspose2d(6, 5, 2, 2)),
    on(image(), nn.ConvTranspose2d(6, 5, 4, 2, 1)),
    on(image(), nn.ConvTranspose2d(6, 5, 3, 2, 1, output_padding=1)),
    on(image(), nn.ConvTranspose2d(6, 4, (3, 5), (3, 2), (0, 2), groups=2)),
    on(image(), nn.ConvTranspose2d(6, 4, 3, 1, 1, dilation=2)),
    on(image(), nn.ConvTranspose2d(6, 4, 2, 3, bias=True)),
    on(image(), nn.Sequential(nn.ConvTranspose2d(6, 5, 3, 2, 1), nn.BatchNorm2d(5), nn.ReLU(), nn.Conv2d(5, 3, 3, padding=1))),
    on(series(), nn.ConvTranspose1d(6, 5, 8, 4, 2)),
    on(series(), nn.ConvTranspose1d(6, 6, 7, 4, 3, output_padding=2, groups=3)),
    on(series(), nn.ConvTranspose1d(6, 6, 4, 3, 0, dilation=2)),
    on(row(), nn.Linear(12, 5)),
    on(series(), nn.Linear(12, 5)),
    on(row(), nn.BatchNorm1d(12)),
    on(series(), nn.BatchNorm1d(6)),
    on(image(), nn.BatchNorm2d(6)),
    on(image(), nn.Sequential(nn.BatchNorm2d(6), nn.Conv2d(6, 5, 3))),
    on(image(), nn.Sequential(nn.BatchNorm2d(6), nn.Conv2d(6, 4, 3, padding=1, groups=2))),
    on(image(), nn.Sequential(nn.BatchNorm2d(6), nn.Conv2d(6, 4, 3, groups=2))),
    on(image(), nn.MaxPool2d(2)),
    on(image(), nn.MaxPool2d(3, 2, 1)),
    on(image(), nn.MaxPool2d(3, 2, ceil_mode=True)),
    on(image(), nn.MaxPool2d((2, 5), (1, 2), (1, 2))),
    on(image(), nn.MaxPool2d(3, 1, 1, dilation=2)),
    on(image(), nn.MaxPool2d(1, 2)),
    on(image(), nn.Sequential(nn.ReLU(), nn.MaxPool2d(3, 2, 1), nn.Conv2d(6, 4, 3, padding=1))),
    on(series(), nn.MaxPool1d(3)),
    on(image(), nn.Sequential(nn.Upsample(scale_factor=2), nn.MaxPool2d(3, 2, 1))),
    on(series(), nn.MaxPool1d(4, 2, 2)),
    on(series(), nn.MaxPool1d(7, 1, 3)),
    on(image(), nn.AvgPool2d(2)),
    on(image(), nn.AvgPool2d(3, 2, 1)),
    on(image(), nn.AvgPool2d(3, 2, 1, count_include_pad=False)),
    on(image(), nn.AvgPool2d(3, 2, 1, ceil_mode=True)),
    on(image(), nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False)),
    on(image(), nn.AvgPool2d(2, divisor_override=3)),
    on(series(), nn.AvgPool1d(4, 2, 1)),
    on(image(), nn.AdaptiveAvgPool2d((4, 3))),
    on(image(), nn.AdaptiveAvgPool2d((3, 5))),
    on(image(), nn.AdaptiveAvgPool2d(1)),
    on(series(), nn.AdaptiveAvgPool1d(5)),
    on(image(), nn.AdaptiveMaxPool2d((4, 3))),
    on(series(), nn.AdaptiveMaxPool1d(3)),
    on(image(), nn.Upsample(scale_factor=2)),
    on(series(), nn.Upsample(scale_factor=3)),
    on(image(), nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(6, 4, 3, padding=1))),
    on(image(8), nn.PixelShuffle(2)),
    on(image(8), nn.Sequential(nn.Conv2d(8, 12, 3, padding=1), nn.PixelShuffle(2), nn.Conv2d(3, 2, 3, padding=1))),
    on(image(), nn.ReLU6()),
    on(image(), nn.Hardtanh(-0.5, 0.7)),
    on(image(), nn.Hardsigmoid()),
    on(image(), nn.Hardswish()),
    on(image(), nn.LeakyReLU(0.1)),
    on(image(), nn.LeakyReLU(1.7)),
    on(image(), nn.PReLU(6, init=0.3)),
    on(image(), nn.Sequential(nn.Conv2d(6, 4, 3), nn.Hardswish(), nn.Conv2d(4, 4, 3, padding=1), nn.ReLU6())),
    on(image(), nn.Dropout(0.5)),
    on(image(), nn.Identity()),
    on(image(), nn.ZeroPad2d((1, 2, 0, 3))),
    on(image(), nn.ConstantPad2d((1, 2, 0, 3), 1.5)),
    on(image(), nn.Sequential(nn.Conv2d(6, 4, 3), nn.ZeroPad2d(1), nn.Conv2d(4, 4, 3, padding=1))),
]


def case(name, function, *specs, **layers):
    return pytest.param(stirred(Function(function, **layers)), list(specs), id=name)


WEIGHT = torch.linspace(-1, 1, 12)
FUNCTIONS = [
    case("scale", lambda m, x: 2 * x * m.w - 1.0, row(), w=WEIGHT),
    case("reverse subtract", lambda m, x: 3 - x, row()),
    case("constant minus", lambda m, x: m.w - x / 4, row(), w=WEIGHT),
    case("twice", lambda m, x: x + x, row()),
    case("alpha", lambda m, x: torch.add(x, x.flip(1), alpha=3), row()),
    case("neg", lambda m, x: -x, row()),
    case("square", lambda m, x: x * x + x**2 - x.square(), row()),
    case("cube", lambda m, x: x**3 + x**4, row()),
    case("two products", lambda m, x: x * x.flip(1) + x, row()),
    case("broadcast sum", lambda m, x: (x.mean(2, keepdim=True) + x).flatten(1), series()),
    case("broadcast product", lambda m, x: (x * x.mean((2, 3), keepdim=True)).flatten(1), image()),
    case("outer", lambda m, x: (x[:, :, None] * x[:, None, :]).flatten(1), row()),
    case("abs", lambda m, x: x.abs(), row()),
    case("maximum", lambda m, x: torch.maximum(x, x.flip(1)), row()),
    case("minimum", lambda m, x: torch.minimum(x, x.flip(1) * 0.5), row()),
    case("clamp", lambda m, x: x.clamp(-0.3, 0.9), row()),
    case("clamp low", lambda m, x: x.clamp(min=-0.3), row()),
    case("clamp high", lambda m, x: x.clamp(max=0.3), row()),
    case("clamp wide", lambda m, x: x.clamp(-0.3, 1e6), row()),
    case("relu of sum of relus", lambda m, x: F.relu(F.relu(x) + F.relu(-x) - 1), row()),
    case("sum of lazy relus", lambda m, x: F.relu(m.a(x)) + F.relu(m.b(x)), row(), a=nn.Linear(12, 5), b=nn.Linear(12, 5)),
    case("difference of lazy relus", lambda m, x: F.relu(m.a(x)) - F.relu(m.b(x)), row(), a=nn.Linear(12, 5), b=nn.Linear(12, 5)),
    case("linear then scale", lambda m, x: m.a(x) * m.w + 1, row(), a=nn.Linear(12, 12), w=WEIGHT),
    case("affine then linear", lambda m, x: m.a(x * m.w + 1), row(), a=nn.Linear(12, 12), w=WEIGHT),
    case("affine by time then linear", lambda m, x: m.a(x * m.w[:6, None]).flatten(1), series(), a=nn.Linear(12, 12), w=WEIGHT),
    case("mean", lambda m, x: x.mean((2, 3)), image()),
    case("sum all", lambda m, x: x.sum((1, 2, 3)).unsqueeze(1), image()),
    case("mean of one", lambda m, x: x.mean(1).flatten(1), image()),
    case("amax", lambda m, x: x.amax((2, 3)), image()),
    case("amax keep", lambda m, x: x.amax(2, keepdim=True).flatten(1), series()),
    case("amin", lambda m, x: x.amin(2), series()),
    case("max of one axis", lambda m, x: x.max(2).values, series()),
    case("permute", lambda m, x: x.permute(0, 2, 3, 1).flatten(1), image()),
    case("transpose", lambda m, x: x.transpose(1, 2).reshape(-1, 9, 8), series()),
    case("flatten conv linear", lambda m, x: m.l(F.relu(m.c(x)).flatten(1)), image(), c=nn.Conv2d(6, 4, 3), l=nn.Linear(4 * 6 * 7, 5)),
    case("reshape across", lambda m, x: m.c(x).reshape(-1, 8, 21), image(), c=nn.Conv2d(6, 4, 3)),
    case("slice", lambda m, x: x[:, 1:5, ::2].flatten(1), series()),
    case("select", lambda m, x: x[:, 2], series()),
    case("flip", lambda m, x: x.flip(1, 2).flatten(1), series()),
    case("split", lambda m, x: torch.cat(x.split([2, 4], 1)[::-1], 1).flatten(1), series()),
    case("chunk of lazy", lambda m, x: (lambda p, q: p * q)(*m.a(x).chunk(2, 1)), row(), a=nn.Linear(12, 8)),
    case("unbind", lambda m, x: sum(x.unbind(2)), series()),
    case("stack", lambda m, x: torch.stack([x, 2 * x], 1).flatten(1), series()),
    case(
        "cat",
        lambda m, x: m.c(torch.cat([F.relu(m.a(x)), x, m.b(x)], 1)).flatten(1),
        image(),
        a=nn.Conv2d(6, 4, 3, padding=1),
        b=nn.Conv2d(6, 4, 1),
        c=nn.Conv2d(14, 3, 3, padding=1),
    ),
    case(
        "cat, norm, relu",
        lambda m, x: F.relu(m.n(torch.cat([m.a(x), x], 1))).flatten(1),
        image(),
        a=nn.Conv2d(6, 4, 1),
        n=nn.BatchNorm2d(10),
    ),
    case("cat of constant", lambda m, x: torch.cat([x, m.w.expand(x.shape[0], -1)], 1), row(), w=WEIGHT),
    case("expand", lambda m, x: x[:, :, None].expand(-1, -1, 3).flatten(1), row()),
    case("repeat", lambda m, x: x.repeat(1, 3), row()),
    case("repeat 2", lambda m, x: x.repeat(1, 2, 3).flatten(1), series()),
    case("repeat_interleave", lambda m, x: x.repeat_interleave(2, dim=1), row()),
    case("index", lambda m, x: x[:, [3, 4, 1, 0, 11]], row()),
    case("index even", lambda m, x: x[:, [9, 6, 3, 0]], row()),
    case("squeeze", lambda m, x: x.unsqueeze(1).squeeze(1), row()),
    case("unflatten", lambda m, x: x.unflatten(1, (3, 4)).transpose(1, 2).flatten(1), row()),
    case("pad negative", lambda m, x: F.pad(x, (-1, 2)).flatten(1), series()),
    case("matmul", lambda m, x: (x @ x.transpose(1, 2)).flatten(1), series()),
    case("matmul constant left", lambda m, x: (m.w.reshape(2, 6) @ x).flatten(1), series(), w=WEIGHT),
    case("matvec", lambda m, x: x @ m.w, series(), w=WEIGHT),
    case("bmm", lambda m, x: torch.bmm(x, x.transpose(1, 2)).flatten(1), series()),
    case("baddbmm", lambda m, x: torch.baddbmm(x[:, :, :6], x, x.transpose(1, 2)).flatten(1), series()),
    case("addmm", lambda m, x: torch.addmm(m.w, x, m.v), row(), w=WEIGHT, v=torch.randn(12, 12)),
    case("einsum", lambda m, x: torch.einsum("bct,dt->bdc", x, m.w.reshape(1, 12)).flatten(1), series(), w=WEIGHT),
    case("einsum of two", lambda m, x: torch.einsum("bct,bdt->bcd", x, x).flatten(1), series()),
    case("einsum of one", lambda m, x: torch.einsum("bct->bc", x), series()),
    case("constant output", lambda m, x: x * 0 + m.w, row(), w=WEIGHT),
    case("constants", lambda m, x: x + torch.arange(12.0) + torch.full((12,), 2.0) + torch.zeros(12), row()),
    case("to", lambda m, x: x.to(torch.float32).contiguous().clone(), row()),
    case(
        "squeeze and excite", lambda m, x: (x * F.hardsigmoid(m.a(x.mean((2, 3))))[:, :, None, None]).flatten(1), image(), a=nn.Linear(6, 6)
    ),
    case("embedding", lambda m, x: m.e(x).flatten(1), tokens(), e=nn.Embedding(11, 4)),
    case("embedding mean", lambda m, x: m.e(x).mean(1), tokens(), e=nn.Embedding(15, 4)),
    case(
        "embedding, conv", lambda m, x: F.relu(m.c(m.e(x).transpose(1, 2))).amax(2), tokens(), e=nn.Embedding(11, 4), c=nn.Conv1d(4, 5, 3)
    ),
    case(
        "embedding, padded conv",
        lambda m, x: m.c(m.e(x).transpose(1, 2)).flatten(1),
        tokens(),
        e=nn.Embedding(11, 4),
        c=nn.Conv1d(4, 5, 3, padding=1),
    ),
    case("embedding and position", lambda m, x: (m.e(x) + m.p).flatten(1), tokens(), e=nn.Embedding(11, 4), p=torch.randn(7, 4)),
    case(
        "embedding of columns",
        lambda m, x: torch.cat([m.a(x[:, 0]), m.b(x[:, 1])], 1),
        tokens(2),
        a=nn.Embedding(11, 4),
        b=nn.Embedding(11, 3),
    ),
    case("embedding with offsets", lambda m, x: m.e(x + torch.tensor([0, 11, 30])).flatten(1), tokens(3), e=nn.Embedding(41, 4)),
    case("masked sum", lambda m, x: (m.e(x) * (x != 0).float().unsqueeze(-1)).sum(1), tokens(), e=nn.Embedding(11, 4)),
    case("integers as numbers", lambda m, x: x.float() * 2 + 1, tokens()),
    case("two inputs", lambda m, x, t: torch.cat([x, m.e(t).flatten(1)], 1), row(), tokens(), e=nn.Embedding(11, 4)),
]


@pytest.mark.parametrize(("module", "specs"), LAYERS + FUNCTIONS)
def test_agrees_with_pytorch(module, specs):
    lowered = lower_module(module, specs)
    assert lowered.max_relative_error <= TOLERANCE
    assert not lowered.approximations
