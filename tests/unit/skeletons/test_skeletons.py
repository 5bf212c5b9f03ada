import numpy as np
import pytest
import torch
from torch import nn

from tacit.ground.errors import ConfigError, UnknownName
from tacit.ir.interpreter import evaluate
from tacit.lowering.lower import lower_module
from tacit.passes.pipeline import optimise
from tacit.signature.audio import Audio
from tacit.signature.board import Board
from tacit.signature.image import Image
from tacit.signature.outputs import Class, Number
from tacit.signature.row import Row
from tacit.signature.series import Series
from tacit.signature.text import Text
from tacit.signature.vector import Vector
from tacit.skeletons.choices import candidates, choice
from tacit.skeletons.layers import PiecewiseLinear, Standardise
from tacit.skeletons.table import SKELETONS, check_settings, network_for, skeleton_for

TWO = Class("a", "b")
SIGNATURES = {
    "grey": Image(28, 28, 1) >> TWO,
    "colour": Image(32, 24, 3) >> Class("a", "b", "c"),
    "tiny": Image(8, 8, 1) >> TWO,
    "number": Image(8, 8, 1) >> Number(),
    "series": Series(6, 128) >> TWO,
    "audio": Audio(8000, 8000) >> TWO,
    "text": Text(20, 500) >> TWO,
    "row": Row(numbers=("x", "y"), categories=(("c", ("p", "q")), ("d", ("r", "s", "t")))) >> TWO,
    "numbers": Row(numbers=("x", "y", "z")) >> TWO,
    "product": Image(8, 8, 1) * Row(numbers=("x", "y")) >> TWO,
    "vector": Vector(5) >> TWO,
    "board": Board(3, 6, 7) >> Class("a", "b", "c"),
    "categories": Row(categories=(("c", ("p", "q")),)) >> TWO,
}


def inputs_of(signature, count=12):
    random = np.random.default_rng(0)
    arrays = []
    for spec in signature.input.arrays:
        high = spec.limit or {"uint8": 2 if spec.name.endswith("present") else 256, "int16": 20_000, "float32": 5}[spec.dtype]
        arrays.append(random.integers(0, high, (count, *spec.shape)).astype(spec.dtype))
    if signature.input.kind == "row" and signature.input.categories:
        limits = np.array(signature.input.category_limits)
        arrays[-1] = (arrays[-1] % limits).astype("int32")
    return tuple(arrays)


@pytest.mark.parametrize("name", list(SIGNATURES))
def test_the_default_skeleton_of_every_type_lowers_to_what_pytorch_computes(name):
    signature = SIGNATURES[name]
    skeleton = skeleton_for(signature, None)
    inputs = inputs_of(signature)
    network = network_for(skeleton, signature, dict(skeleton.sizes[0]), inputs=inputs, seed=0).train()
    tensors = [torch.from_numpy(a) if s.limit else torch.from_numpy(a).float() for a, s in zip(inputs, signature.input.arrays, strict=True)]
    for _ in range(3):
        network(*tensors)  # moves the running statistics of batch norm away from 0 and 1
    network.eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        wanted = network(*tensors).numpy()
    graph = optimise(lower_module(network, signature.input.arrays).graph)
    got = evaluate(graph, inputs)[0]
    assert wanted.shape == (12, signature.output.width)
    assert np.abs(got - wanted).max() <= 1e-4 * np.abs(wanted).max()
    assert np.ptp(wanted, axis=0).max() > 1e-3


@pytest.mark.parametrize("name", [name for name in SKELETONS if name])
def test_sizes_grow_and_are_settings_of_the_skeleton(name):
    skeleton = SKELETONS.get(name)
    usual = {"convnet1d": "seriesnet", "whitenet": "convnet2d"}.get(name, name)  # what else the types of their inputs are given
    signature = next(s for s in SIGNATURES.values() if s.input.skeleton == usual)
    counts = []
    for size in skeleton.sizes:
        check_settings(skeleton, size)
        network = network_for(skeleton, signature, size, inputs=inputs_of(signature), seed=0)
        counts.append(sum(parameter.numel() for parameter in network.parameters()))
    assert counts == sorted(counts)
    assert len(set(counts)) == len(counts)


@pytest.mark.parametrize("name", ["tiny", "audio", "row"])
def test_members_learn_apart_and_answer_together(name):
    signature = SIGNATURES[name]
    skeleton, inputs = skeleton_for(signature, None), inputs_of(signature)
    settings = {**skeleton.sizes[0], "members": 3}
    check_settings(skeleton, settings)
    network = network_for(skeleton, signature, settings, inputs=inputs, seed=0)
    tensors = [torch.from_numpy(a) if s.limit else torch.from_numpy(a).float() for a, s in zip(inputs, signature.input.arrays, strict=True)]
    apart = network.train()(*tensors)
    assert apart.shape == (12, 3, signature.output.width)
    assert not torch.allclose(apart[:, 0], apart[:, 1])
    together = network.eval()(*tensors)
    assert torch.allclose(together, torch.stack([member(*tensors) for member in network.networks]).mean(0), atol=1e-5)
    graph = optimise(lower_module(network, signature.input.arrays).graph)
    assert np.abs(evaluate(graph, inputs)[0] - together.detach().numpy()).max() <= 1e-4 * float(together.detach().abs().max())


def test_unknown_skeletons_and_settings_get_a_suggestion():
    with pytest.raises(UnknownName) as unknown:
        skeleton_for(SIGNATURES["grey"], "convnet3d")
    assert "did you mean `convnet" in str(unknown.value)
    with pytest.raises(ConfigError) as setting:
        check_settings(skeleton_for(SIGNATURES["grey"], None), {"widht": 3})
    assert str(setting.value) == "the skeleton `convnet2d` does not have these settings\n  - `skeleton.widht`: did you mean `width`?"


def test_choices_open_every_combination_and_nothing_else():
    assert candidates({"a": choice(1, 2), "b": 3, "c": choice("x", "y")}) == [
        {"a": 1, "b": 3, "c": "x"},
        {"a": 1, "b": 3, "c": "y"},
        {"a": 2, "b": 3, "c": "x"},
        {"a": 2, "b": 3, "c": "y"},
    ]
    with pytest.raises(ConfigError, match="at least one value"):
        choice()


class Own(nn.Module):
    """What a person would write: channels first."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, width, 3)
        self.head = nn.Linear(width, 2)

    def forward(self, x):
        return self.head(torch.relu(self.conv(x)).mean((2, 3)))


def test_a_module_of_a_persons_own_is_a_skeleton_and_sees_standardised_pictures():
    signature = SIGNATURES["tiny"]
    inputs = inputs_of(signature)
    network = network_for(skeleton_for(signature, Own), signature, {"width": 6}, inputs=inputs, seed=0).eval()
    assert network.module.conv.weight.shape[0] == 6
    seen = {}
    network.module.register_forward_pre_hook(lambda _, arguments: seen.update(x=arguments[0]))
    network(torch.from_numpy(inputs[0]).float())
    assert seen["x"].shape == (12, 1, 8, 8)
    assert abs(float(seen["x"].mean())) < 1e-4
    assert abs(float(seen["x"].std()) - 1) < 1e-2


def test_standardise_leaves_a_constant_channel_alone():
    layer = Standardise(2, axes=3, channel_axis=1)
    array = np.stack([np.full((5, 7), 3.0), np.arange(35.0).reshape(5, 7)], axis=1)
    layer.fit(array)
    out = layer(torch.from_numpy(array).float()).numpy()
    assert np.allclose(out[:, 0], 0)
    assert abs(out[:, 1].std() - 1) < 1e-3


def test_piecewise_linear_is_monotone_bounded_and_survives_repeated_values():
    layer = PiecewiseLinear(2, 8)
    random = np.random.default_rng(0)
    layer.fit(np.stack([random.normal(size=500), np.repeat([0.0, 7.0], 250)], axis=1))
    x = torch.stack([torch.linspace(-9, 9, 50), torch.linspace(-9, 9, 50)], dim=1)
    out = layer(x)
    assert out.min() >= 0
    assert out.max() <= 1
    assert (out.sum(2).diff(dim=0) >= -1e-6).all()
    assert torch.isfinite(out).all()


def test_knots_reach_into_the_rare_values_of_a_column_that_is_nearly_always_zero():
    column = np.zeros(1000)
    column[:40] = np.linspace(100, 5000, 40)
    layer = PiecewiseLinear(1, 16)
    layer.fit(column[:, None])
    out = layer(torch.tensor([[100.0], [1500.0], [3000.0], [5000.0]])).sum(2)[:, 0]
    assert (out.diff() > 2).all()
