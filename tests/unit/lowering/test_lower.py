"""The shape of what comes out: how many instructions, which buffers, what is reported."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from tacit.ir.cost import cost
from tacit.ir.graph import Matmul
from tacit.ir.interpreter import Interpreter
from tacit.lowering import products
from tacit.lowering.lower import lower_module
from tacit.passes.pipeline import optimise
from tacit.signature.base import ArraySpec

_spec = importlib.util.spec_from_file_location("random_modules", Path(__file__).with_name("random_modules.py"))
random_modules = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(random_modules)

FRAMES = [ArraySpec("frames", (4, 10), "float32", ("channel", "time"))]
PICTURE = [ArraySpec("picture", (12, 12, 3), "uint8", ("y", "x", "channel"))]


@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.integers(1000, 10**6))
def test_random_modules_agree_with_pytorch(seed):
    module, specs = random_modules.random_module(seed)
    lowered = lower_module(module, specs)
    assert lowered.max_relative_error <= 1e-4
    optimised = optimise(lowered.graph)
    assert len(optimised.instructions) <= len(lowered.graph.instructions)
    arrays = [np.random.default_rng(0).integers(0, 5, (2, *s.shape)).astype(np.float32 if s.limit is None else np.int32) for s in specs]
    (before,), (after,) = Interpreter(lowered.graph, batch=2)(arrays), Interpreter(optimised, batch=2)(arrays)
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-4 * np.abs(before).max())


def test_the_measured_error_would_show_a_wrong_graph(monkeypatch):
    honest = products.convolve

    def wrong(context, view, weight, *rest, **options):
        return honest(context, view, weight * 1.001, *rest, **options)

    monkeypatch.setattr(products, "convolve", wrong)
    assert lower_module(nn.Conv1d(4, 3, 3), FRAMES).max_relative_error > 1e-4


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.first, self.one = nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        self.second, self.two = nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)

    def forward(self, x):
        return F.relu(x + self.two(self.second(F.relu(self.one(self.first(x))))))


class Net(nn.Module):
    def __init__(self, *, padding=1, blocks=2):
        super().__init__()
        self.register_buffer("mean", torch.tensor([120.0, 110.0, 100.0]))
        self.register_buffer("std", torch.tensor([60.0, 61.0, 62.0]))
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=padding, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.blocks = nn.Sequential(*(Block(8) for _ in range(blocks)))
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = ((x - self.mean) / self.std).permute(0, 3, 1, 2)
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))


def instructions(module, specs, *, passes=True):
    graph = lower_module(module, specs).graph
    return (optimise(graph) if passes else graph).instructions


def test_convolution_norm_and_relu_are_one_matmul():
    module = nn.Sequential(nn.Conv1d(4, 6, 3, padding=1), nn.BatchNorm1d(6), nn.ReLU(), nn.Flatten())
    found = instructions(module, FRAMES, passes=False)
    assert len(found) >= 2  # the copy of the input into its border, the convolution
    assert found[1].relu and found[1].bias is not None
    module = nn.Sequential(nn.Conv1d(4, 6, 3), nn.BatchNorm1d(6), nn.ReLU())
    (only,) = instructions(module, FRAMES, passes=False)
    assert isinstance(only, Matmul) and only.relu


def test_a_residual_net_has_no_instruction_to_spare():
    found = instructions(Net(), PICTURE)
    # normalise, stem, two per block, mean, head
    assert len(found) == 1 + 1 + 2 * 2 + 1 + 1
    first, second = found[2], found[3]
    assert not first.accumulate and first.relu
    assert second.accumulate and second.relu and second.out.buffer == first.a.buffer


def test_normalisation_is_one_scaling_copy_into_the_border():
    found = instructions(Net(blocks=0), PICTURE, passes=False)
    graph = lower_module(Net(blocks=0), PICTURE).graph
    assert found[0].a.buffer == "picture" and found[0].axes.inner == 0 and found[0].bias is not None
    assert graph.buffer(found[0].out.buffer).zeroed
    assert graph.buffer(found[0].out.buffer).shape == (14, 14, 3)
    assert found[1].a.buffer == found[0].out.buffer


def test_normalisation_goes_into_a_convolution_without_padding():
    found = instructions(Net(padding=0, blocks=0), PICTURE, passes=False)
    assert found[0].a.buffer == "picture" and found[0].axes.inner > 0 and found[0].relu
    assert len(found) == 3


def test_flattening_moves_nothing():
    module = nn.Sequential(nn.Conv1d(4, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 5))
    assert len(instructions(module, FRAMES, passes=False)) == 2


def test_concatenation_is_written_in_place():
    class Dense(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Conv1d(4, 6, 1), nn.Conv1d(4, 5, 3), nn.Conv1d(11, 3, 3)

        def forward(self, x):
            return self.c(torch.cat([F.relu(self.a(x))[:, :, 1:-1], F.relu(self.b(x))], 1))

    assert len(instructions(Dense(), FRAMES, passes=False)) == 4  # a slice was asked of `a`, so only `b` goes in directly

    class Direct(Dense):
        def forward(self, x):
            return self.c(torch.cat([F.relu(self.a(x[:, :, 1:-1])), F.relu(self.b(x))], 1))

    assert len(instructions(Direct(), FRAMES, passes=False)) == 3


def test_a_skip_connection_lies_in_its_concatenation():
    class Skip(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Conv1d(4, 6, 3), nn.Conv1d(6, 5, 3, padding=1), nn.Conv1d(11, 3, 3)

        def forward(self, x):
            first = F.relu(self.a(x))
            return self.c(torch.cat([first, F.relu(self.b(first))], 1))

    found = instructions(Skip(), FRAMES, passes=False)
    assert len(found) == 3
    assert found[0].out.buffer == found[1].a.buffer == found[1].out.buffer == found[2].a.buffer


def test_two_convolutions_share_one_bordered_copy_of_their_input():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv1d(4, 6, 3, padding=1), nn.Conv1d(4, 6, 5, padding=2)

        def forward(self, x):
            return self.a(x) + self.b(x)

    found = instructions(Two(), FRAMES, passes=False)
    assert len(found) == 3  # the copy, and the two convolutions into one sum
    assert found[0].out.buffer == found[1].a.buffer == found[2].a.buffer


def test_arithmetic_on_integers_is_done_while_lowering():
    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.head = nn.Embedding(20, 6), nn.Linear(6, 3)

        def forward(self, x):
            return self.head((self.table(x) * (x != 0).float().unsqueeze(-1)).sum(1))

    found = instructions(Masked(), [ArraySpec("tokens", (9,), "int32", ("token",), 20)], passes=False)
    assert len(found) == 2  # the sum of the rows, the linear layer


def test_positions_do_not_multiply_the_table():
    class Positions(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.position = nn.Embedding(500, 16), nn.Parameter(torch.randn(12, 16))

        def forward(self, x):
            return (self.table(x) + self.position).flatten(1)

    graph = lower_module(Positions(), [ArraySpec("tokens", (12,), "int32", ("token",), 500)]).graph
    assert sum(array.size for array in graph.weights.values()) < 500 * 16 + 12 * 16 + 10


def test_upsampling_and_embedding_move_nothing():
    # both are only addresses: what is left is the copy into the zero border, and the convolution
    module = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv1d(4, 3, 3))
    assert len(instructions(module, FRAMES, passes=False)) <= 2

    class Text(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.conv = nn.Embedding(20, 6), nn.Conv1d(6, 3, 3)

        def forward(self, x):
            return self.conv(self.table(x).transpose(1, 2))

    (only,) = instructions(Text(), [ArraySpec("tokens", (9,), "int32", ("token",), 20)], passes=False)
    assert only.a.index.buffer == "tokens" and only.a.index.limit == 20


def test_a_transposed_convolution_by_two_is_one_matmul_without_zeros():
    for kernel, padding in ((2, 0), (4, 1)):
        layer = nn.ConvTranspose1d(4, 6, kernel, 2, padding)
        graph = lower_module(layer, FRAMES).graph
        convolutions = [instruction for instruction in graph.instructions if instruction.axes.inner]
        assert len(convolutions) == 1
        assert cost(graph).macs <= 10 * 4 * 6 * kernel + 14 * 4 + 20 * 6


def test_inputs_and_outputs_have_the_shapes_of_the_specs():
    class Two(nn.Module):
        def forward(self, x, ids):
            return x.mean(2), ids.float()

    specs = [*FRAMES, ArraySpec("ids", (3,), "int32", ("place",), 7)]
    lowered = lower_module(Two(), specs)
    assert [(b.name, b.shape, b.dtype) for b in lowered.graph.of_kind("input")] == [("frames", (4, 10), "float32"), ("ids", (3,), "int32")]
    assert [(b.name, b.shape) for b in lowered.graph.of_kind("output")] == [("scores", (4,)), ("scores_2", (3,))]


def test_every_instruction_says_where_it_comes_from():
    for instruction in instructions(Net(), PICTURE):
        assert instruction.source.startswith("test_lower.py:")
    assert any(instruction.source.endswith("stem.0 (Conv2d)") for instruction in instructions(Net(), PICTURE))


def test_the_module_is_left_as_it_was():
    module = nn.Sequential(nn.Linear(10, 3), nn.Dropout(0.5)).train()
    weight = module[0].weight.detach().clone()
    lower_module(module, FRAMES)
    assert module.training and torch.equal(weight, module[0].weight)


@pytest.mark.parametrize("shape", [(1, 4, 3), (5, 1, 2), (1, 1, 1)])
def test_axes_of_size_one(shape):
    module = nn.Sequential(nn.Conv2d(shape[0], 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 2, 3, padding=1), nn.Flatten())
    assert lower_module(module, [ArraySpec("x", shape, "float32", ("c", "y", "x"))]).max_relative_error < 1e-5
