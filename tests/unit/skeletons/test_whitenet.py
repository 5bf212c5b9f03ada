"""The network behind a fixed whitening: what the first layer makes of patches, and that it lowers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import tacit
from tacit.ir.interpreter import evaluate
from tacit.skeletons.layers import Standardise
from tacit.skeletons.table import SKELETONS, network_for
from tacit.skeletons.whitenet import WhiteNet, Whitening


def photos(count: int, side: int = 12, channels: int = 3) -> np.ndarray:
    """Give uint8[example, row, column, channel] whose neighbours are alike, as those of a photo are."""
    generator = np.random.default_rng(3)
    coarse = generator.normal(size=(count, side // 4 + 2, side // 4 + 2, channels))
    planes = np.repeat(np.repeat(coarse, 4, axis=1), 4, axis=2)[:, 2 : side + 2, 2 : side + 2]
    planes = planes + planes.mean(-1, keepdims=True) + 0.2 * generator.normal(size=planes.shape)
    return np.clip(128 + 30 * planes, 0, 255).astype(np.uint8)


def test_directions_of_training_patches_are_uncorrelated_and_of_one_size():
    white = Whitening(3, kernel=3, stride=1, padding=0, directions=9)
    white.fit(photos(400))
    made = white(torch.from_numpy(photos(400)).float())
    signed = (made[:, :9] - made[:, 9:]).permute(0, 2, 3, 1).reshape(-1, 9)
    covariance = (signed.T @ signed / len(signed)).numpy()
    assert np.abs(covariance - np.eye(9)).max() < 0.2
    plain = Standardise(3, axes=4, channel_axis=3)
    plain.fit(photos(400))
    raw = plain(torch.from_numpy(photos(400)).float()).reshape(-1, 3)
    assert np.abs((raw.T @ raw / len(raw)).numpy() - np.eye(3)).max() > 0.3  # the same measure on levels that are not whitened


def test_both_signs_keep_all_that_the_directions_hold():
    white = Whitening(1, kernel=2, stride=2, padding=0, directions=48)
    pictures = photos(50, channels=1)
    white.fit(pictures)
    made = white(torch.from_numpy(pictures).float())
    signed = made[:, :4] - made[:, 4:]
    back = torch.linalg.solve(white.weight[:4].reshape(4, 4), signed.permute(1, 0, 2, 3).reshape(4, -1)) + white.mean.flatten()
    patches = torch.from_numpy(pictures).float()[:, :, :, 0].unfold(1, 2, 2).unfold(2, 2, 2).reshape(-1, 4).T
    assert torch.allclose(back, patches, atol=0.05)


def test_the_first_layer_is_fixed_and_equal_for_equal_pictures():
    signature = tacit.Image(12, 12, 3) >> tacit.Class("a", "b")
    skeleton = SKELETONS.get("whitenet")
    one, two = (network_for(skeleton, signature, {"width": 8}, inputs=(photos(64),), seed=seed) for seed in (0, 1))
    assert torch.equal(one.white.weight, two.white.weight)
    assert not any(name.startswith("white") for name, _ in one.named_parameters())


@pytest.mark.parametrize("side", [8, 12, 28, 33, 64])
def test_every_size_of_plane_lowers_and_smaller_ones_are_taken(side):
    signature = tacit.Image(side, side, 3) >> tacit.Class("a", "b", "c")
    network = WhiteNet(signature, width=4, depths=(0, 1, 0), growth=1.5, block="residual", dropout=0.0).eval()
    pictures = photos(3, side + 4)[:, :side, :side]
    network.fit_inputs(pictures)
    lowered = tacit.lower(network, signature.input.arrays)
    expected = network(torch.from_numpy(pictures).float()).detach().numpy()
    assert np.abs(evaluate(lowered.graph, [pictures])[0] - expected).max() < 1e-3 * max(1.0, np.abs(expected).max())
    smaller = torch.from_numpy(photos(3, 16)[:, : side // 2 + 3, : side // 2 + 3]).float()
    assert network(smaller).shape == (3, 3)
