from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tacit.ground.errors import ConfigError
from tacit.lowering.export import sample_arrays
from tacit.resizing.channels import groups_of
from tacit.resizing.widening import TOLERANCE, difference, widened
from tacit.signature.audio import Audio
from tacit.signature.base import ArraySpec, Signature
from tacit.signature.image import Image
from tacit.signature.outputs import Class
from tacit.signature.series import Series
from tacit.signature.text import Text
from tacit.skeletons.table import network_for, skeleton_for

ANSWER = Class("yes", "no", "perhaps")
CASES = {
    "pictures": (Image(12, 12, 1) >> ANSWER, {"width": 8, "depth": 1}),
    "pictures, two members": (Image(12, 12, 1) >> ANSWER, {"width": 8, "depth": 1, "members": 2}),
    "series": (Series(3, 64) >> ANSWER, {"width": 4}),
    "text": (Text(16, 64) >> ANSWER, {}),
    "sound": (Audio(8000, 4000) >> ANSWER, {"width": 8}),
}


def network(signature: Signature, settings: dict) -> nn.Module:
    """A network whose batch norms do something, in evaluation mode."""
    skeleton = skeleton_for(signature, None)
    few = tuple(array.numpy() for array in sample_arrays(signature.input.arrays, batch=32))
    made = network_for(skeleton, signature, settings, inputs=few, seed=0).eval()
    generator = torch.Generator().manual_seed(1)
    for layer in made.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            for tensor in (layer.weight.data, layer.bias.data, layer.running_mean, layer.running_var):
                tensor += 0.5 * torch.rand(tensor.shape, generator=generator)
    return made


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("factor", [2.0, 1.5])
def test_a_wider_network_computes_the_same(name, factor):
    signature, settings = CASES[name]
    specs = signature.input.arrays
    before = network(signature, settings)
    wider = widened(before, specs, factor)
    assert difference(wider, before, sample_arrays(specs, batch=6, seed=3)) <= TOLERANCE
    sizes = [[group.size for group in groups_of(one, specs)] for one in (before, wider)]
    assert sizes[1] == [round(size * factor) for size in sizes[0]]


def test_a_wider_network_computes_the_same_while_it_trains():
    signature, settings = CASES["pictures"]
    before = network(signature, settings)
    wider = widened(before, signature.input.arrays, 2.0)
    (x,) = sample_arrays(signature.input.arrays, batch=32, seed=3)
    assert torch.allclose(wider.train()(x), before.train()(x), atol=1e-3)


def test_what_was_there_begins_to_read_new_channels_at_the_first_step():
    signature, settings = CASES["pictures"]
    wider = widened(network(signature, settings), signature.input.arrays, 2.0).train()
    reads = wider.head.weight
    assert (reads[:, 1::2] == 0).all()
    assert (reads[:, 0::2] != 0).any()
    (x,) = sample_arrays(signature.input.arrays, batch=16)
    nn.functional.cross_entropy(wider(x), torch.arange(16) % 3).backward()
    assert reads.grad[:, 1::2].abs().max() > 0.1 * reads.grad.abs().max()


def test_new_channels_are_as_large_as_the_others():
    signature, settings = CASES["pictures"]
    wider = widened(network(signature, settings), signature.input.arrays, 2.0)
    weight = wider.body[1].first.conv.weight.detach()
    assert weight[1::2].std() == pytest.approx(float(weight[0::2, 0::2].std()), rel=0.3)


def test_new_channels_are_drawn_from_the_seed():
    signature, settings = CASES["pictures"]
    before, specs = network(signature, settings), signature.input.arrays
    first, again, other = (widened(before, specs, 2.0, seed=seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_flattened_and_concatenated_channels_stay_in_place():
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two, self.head = nn.Conv1d(2, 3, 3), nn.Conv1d(2, 4, 3), nn.Linear(7 * 6, 2)

        def forward(self, x):
            return self.head(torch.relu(torch.cat([self.one(x), self.two(x)], dim=1)).flatten(1))

    torch.manual_seed(0)
    before, specs = Both().eval(), (ArraySpec("x", (2, 8), "float32", ("channel", "time")),)
    wider = widened(before, specs, 2.0)
    assert wider.head.weight.shape == (2, 14 * 6)
    assert difference(wider, before, sample_arrays(specs, batch=6, seed=3)) <= TOLERANCE


def test_a_group_whose_new_channels_would_change_something_is_left_alone():
    class Squared(nn.Module):
        """What is added up over the channels of `one` grows with them."""

        def __init__(self) -> None:
            super().__init__()
            self.one, self.two, self.head = nn.Linear(4, 6), nn.Linear(4, 6), nn.Linear(1, 2)
            self.three = nn.Linear(4, 5)
            self.last = nn.Linear(5, 2)

        def forward(self, x):
            product = (self.one(x).unsqueeze(1) @ self.two(x).unsqueeze(2)).squeeze(2)
            return self.head(product) + self.last(torch.relu(self.three(x)))

    torch.manual_seed(0)
    before, specs = Squared().eval(), (ArraySpec("x", (4,), "float32", ("number",)),)
    wider = widened(before, specs, 2.0)
    assert wider.one.weight.shape == (6, 4)
    assert wider.three.weight.shape == (10, 4)
    assert difference(wider, before, sample_arrays(specs, batch=6, seed=3)) <= TOLERANCE


def test_nothing_to_widen_is_said():
    specs = (ArraySpec("x", (4,), "float32", ("number",)),)
    with pytest.raises(ConfigError, match="channels to which others can be added, found none"):
        widened(nn.Linear(4, 2).eval(), specs, 2.0)


def test_a_changed_weight_is_a_difference():
    before = nn.Linear(4, 2)
    after = nn.Linear(4, 2)
    assert difference(before, after, (torch.from_numpy(np.ones((3, 4), np.float32)),)) > TOLERANCE
    assert difference(before, nn.Linear(4, 3), (torch.ones(3, 4),)) == float("inf")
