from __future__ import annotations

import pytest
import torch
from torch import nn

from tacit.ground.errors import ConfigError
from tacit.lowering.export import sample_arrays
from tacit.resizing.channels import cut, groups_of
from tacit.resizing.deepening import deepened
from tacit.resizing.widening import TOLERANCE, difference
from tacit.signature.base import ArraySpec
from tacit.signature.signature import Signature
from tacit.skeletons.table import network_for, skeleton_for
from tests.unit.resizing.test_widening import CASES, network


def template(signature: Signature, settings: dict) -> nn.Module:
    few = tuple(array.numpy() for array in sample_arrays(signature.input.arrays, batch=32))
    return network_for(skeleton_for(signature, None), signature, settings, inputs=few, seed=7)


@pytest.mark.parametrize("name", ["pictures", "pictures, two members", "series", "sound"])
def test_a_deeper_network_computes_the_same(name):
    signature, settings = CASES[name]
    before = network(signature, settings)
    deeper = deepened(before, template(signature, settings | {"depth": 3}), signature.input.arrays)
    assert difference(deeper, before, sample_arrays(signature.input.arrays, batch=6, seed=3)) <= TOLERANCE
    assert len(list(deeper.modules())) > len(list(before.modules()))


def test_new_blocks_take_the_widths_of_a_cut_network_and_learn():
    signature, settings = CASES["pictures"]
    whole = network(signature, settings)
    groups = groups_of(whole, signature.input.arrays)
    before = cut(whole, groups, {place: torch.arange(group.size - 1).numpy() for place, group in enumerate(groups)})
    deeper = deepened(before, template(signature, settings | {"depth": 2}), signature.input.arrays)
    assert [deeper.body[place].first.conv.weight.shape[0] for place in (1, 2)] == [7, 7]
    (x,) = sample_arrays(signature.input.arrays, batch=16)
    nn.functional.cross_entropy(deeper.train()(x), torch.arange(16) % 3).backward()
    assert deeper.body[2].second.norm.weight.grad.abs().max() > 0


def test_blocks_that_cannot_begin_as_nothing_are_refused():
    class Plain(nn.Module):
        def __init__(self, depth: int) -> None:
            super().__init__()
            self.layers = nn.Sequential(*(nn.Linear(4, 4) for _ in range(depth)))

        def forward(self, x):
            return self.layers(x)

    specs = (ArraySpec("x", (4,), "float32", ("number",)),)
    with pytest.raises(ConfigError, match="leave the scores as they are"):
        deepened(Plain(2).eval(), Plain(3).eval(), specs)


def test_a_network_of_another_kind_is_refused():
    specs = (ArraySpec("x", (4,), "float32", ("number",)),)
    with pytest.raises(ConfigError, match="the layers of the network in the deeper one"):
        deepened(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), nn.Sequential(nn.Linear(4, 4)), specs)
