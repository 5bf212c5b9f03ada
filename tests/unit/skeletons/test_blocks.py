import itertools

import numpy as np
import pytest
import torch

from tacit.ir.interpreter import evaluate
from tacit.lowering.lower import lower_module
from tacit.signature.image import Image
from tacit.signature.outputs import Class
from tacit.signature.series import Series
from tacit.skeletons.blocks import BLOCKS
from tacit.skeletons.table import CONVNET_1D, CONVNET_2D, network_for

PICTURES = Image(24, 20, 3) >> Class("a", "b", "c")


def lowered(network, signature, inputs):
    """Give the greatest difference between the lowered network and PyTorch, with norms that have seen something."""
    with torch.no_grad():
        network.train()
        network(torch.from_numpy(inputs))
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                torch.nn.init.normal_(module.weight, 1.0, 0.2)
        wanted = network.eval()(torch.from_numpy(inputs)).numpy()
    got = evaluate(lower_module(network, signature.input.arrays).graph, [inputs])[0]
    return np.abs(got - wanted).max() / np.abs(wanted).max()


@pytest.mark.parametrize("block", list(BLOCKS))
def test_every_block_is_lowered_to_what_pytorch_computes(block):
    pictures = np.random.default_rng(0).uniform(0, 255, (4, 24, 20, 3)).astype(np.float32)
    settings = {"width": 8, "block": block, "growth": 1.5, "depth": 0, "depth_1": 2, "depth_2": 1}
    network = network_for(CONVNET_2D, PICTURES, settings, inputs=(pictures,), seed=0)
    assert lowered(network, PICTURES, pictures) < 1e-4


@pytest.mark.parametrize("stem, kernel", list(itertools.product(("full", "half", "quarter"), (3, 5))))
def test_every_stem_is_lowered_and_shrinks_the_plane(stem, kernel):
    pictures = np.random.default_rng(0).uniform(0, 255, (3, 24, 20, 3)).astype(np.float32)
    network = network_for(CONVNET_2D, PICTURES, {"width": 4, "stem": stem, "kernel": kernel}, inputs=(pictures,), seed=0)
    shrunk = network.body[0](torch.zeros(1, 3, 24, 20)).shape[2:]
    assert tuple(shrunk) == {"full": (24, 20), "half": (12, 10), "quarter": (6, 5)}[stem]
    assert lowered(network, PICTURES, pictures) < 1e-4


def test_a_series_takes_blocks_too():
    signature = Series(2, 64) >> Class("a", "b")
    series = np.random.default_rng(0).normal(size=(3, 2, 64)).astype(np.float32)
    network = network_for(CONVNET_1D, signature, {"width": 8, "block": "separable"}, inputs=(series,), seed=0)
    assert lowered(network, signature, series) < 1e-4


def test_the_choices_left_alone_change_nothing():
    """The usual network has the parameters, in the order, that it had before there were choices."""
    pictures = np.zeros((2, 28, 28, 1), np.uint8)
    network = network_for(CONVNET_2D, Image(28, 28, 1) >> Class("a", "b"), {"width": 8}, inputs=(pictures,), seed=0)
    shapes = [tuple(parameter.shape) for parameter in network.parameters() if parameter.ndim == 4]
    stage = [(8, 8), (8, 8), (16, 8), (16, 16), (16, 16), (32, 16), (32, 32), (32, 32)]
    assert shapes == [(8, 1, 4, 4), *((outer, inner, 3, 3) for outer, inner in stage)]


def test_an_unknown_stem_is_refused():
    pictures = np.zeros((2, 24, 20, 3), np.float32)
    with pytest.raises(ValueError, match="one of full, half, quarter"):
        network_for(CONVNET_2D, PICTURES, {"stem": "third"}, inputs=(pictures,), seed=0)
