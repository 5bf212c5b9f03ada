"""Groups of channels: what hangs together, in every skeleton and in networks of one's own."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from tacit.lowering.export import sample_arrays
from tacit.resizing import channels
from tacit.resizing.channels import Place, cut, groups_of, positions, widths
from tacit.signature.audio import Audio
from tacit.signature.base import Product, Signature
from tacit.signature.image import Image
from tacit.signature.outputs import Class
from tacit.signature.row import Row
from tacit.signature.series import Series
from tacit.signature.text import Text
from tacit.skeletons.table import network_for, skeleton_for
from tests.unit.resizing.cut_networks import NETWORKS, PICTURE, Residual, lively

CLASSES = Class(("a", "b", "c"))
ROW = Row(numbers=("a", "b"), categories=(("x", ("p", "q")), ("y", ("r", "s", "t"))))
SKELETONS = {
    "convnet2d": (Image(12, 12, 1), {"width": 8}, 4),
    "whitenet": (Image(12, 12, 3), {"width": 8}, 4),
    "convnet1d": (Series(3, 32), {"width": 8}, 6),
    "seriesnet": (Series(3, 32), {"width": 8}, 7),
    "mlp": (ROW, {"width": 16}, 5),
    "textnet": (Text(8, 50), {}, 3),
    "audionet": (Audio(2000, 800), {"width": 8}, 7),
    "members": (Image(12, 12, 1), {"width": 8, "members": 2}, 8),
}


def skeleton_network(name):
    kind, settings, count = SKELETONS[name]
    signature = Signature(kind, CLASSES)
    skeleton = skeleton_for(signature, "convnet2d" if name == "members" else name)
    inputs = tuple(array.numpy() for array in sample_arrays(kind.arrays, batch=16))
    return lively(network_for(skeleton, signature, settings, inputs=inputs, seed=0)), kind.arrays, count


@pytest.mark.parametrize("name", SKELETONS)
def test_every_skeleton_has_groups_and_runs_without_half_of_them(name):
    network, specs, count = skeleton_network(name)
    groups = groups_of(network, specs)
    assert len(groups) == count
    kept = {number: np.arange(group.size // 2) for number, group in enumerate(groups)}
    before = sum(tensor.numel() for tensor in network.parameters())
    smaller = cut(network, groups, kept).eval()
    assert sum(tensor.numel() for tensor in smaller.parameters()) < 0.8 * before
    arrays = sample_arrays(specs, batch=3)
    assert smaller(*arrays).shape == network(*arrays).shape


def test_a_product_has_the_groups_of_its_parts():
    signature = Signature(Product((Image(12, 12, 1), ROW)), CLASSES)
    skeleton = skeleton_for(signature, "product")
    inputs = tuple(array.numpy() for array in sample_arrays(signature.input.arrays, batch=16))
    network = lively(network_for(skeleton, signature, {}, inputs=inputs, seed=0))
    names = {group.name.split(".")[1] for group in groups_of(network, signature.input.arrays) if group.name.startswith("networks.")}
    assert names == {"0", "1"}


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("mixed", {"first": 8, "point": 4, "grouped": 6, "join": 8, "flat": 10}),
        ("written", {"first": 8}),
        ("attention", {"enter": 16, "value": 12}),
        ("widening", {"down": 8, "up": 6, "join": 8}),
        ("residual", {"stem": 8, "one": 8}),
    ],
)
def test_networks_of_ones_own(name, sizes):
    torch.manual_seed(0)
    make, spec = NETWORKS[name]
    assert {group.name: group.size for group in groups_of(lively(make()), [spec])} == sizes


def test_a_residual_sum_is_one_group_with_all_that_reads_it():
    stem, one = groups_of(lively(Residual()), [PICTURE])
    assert {place.tensor for place in stem.producers} == {"stem.weight", "two.weight"}
    assert {place.tensor for place in stem.consumers} == {"one.weight", "head.weight"}
    assert {place.tensor.rpartition(".")[0] for place in stem.followers} == {"stem_norm", "two_norm"}
    assert {place.tensor for place in one.consumers} == {"two.weight"}


def test_a_group_that_is_wrong_is_not_given_out(monkeypatch):
    """Without what reads it, a group is not what it seems; the trial finds that."""
    network = lively(Residual())
    honest = channels._grouped

    def wrong(marked, own):
        stem, one = honest(marked, own)
        rolled = {"consumer": 1}
        places = [dataclasses.replace(place, channels=np.roll(place.channels, rolled.get(place.role, 0))) for place in one.places]
        return stem, dataclasses.replace(one, places=tuple(places))

    monkeypatch.setattr(channels, "_grouped", wrong)
    assert [group.name for group in groups_of(network, [PICTURE])] == ["stem"]


def test_widths_and_positions_agree():
    network, specs, _ = skeleton_network("seriesnet")
    groups = groups_of(network, specs)
    kept = {number: np.arange(group.size // 2) for number, group in enumerate(groups)}
    shapes = widths(network.state_dict(), groups, {number: len(channels) for number, channels in kept.items()})
    assert shapes == {name: tuple(tensor.shape) for name, tensor in cut(network, groups, kept).state_dict().items()}
    assert all(len(stays) for stays in positions(groups, kept).values())


def test_a_channel_that_stands_in_several_positions_goes_from_all():
    place = Place("weight", 1, np.array([0, 0, 1, 1, -1]), "consumer")
    group = channels.Group("x", 2, (place,))
    assert positions([group], {0: np.array([1])})["weight", 1].tolist() == [2, 3, 4]
