"""Factored gradients and kernels against one backward pass per example."""

import pytest
import torch
from torch import nn

from tacit.attribution.slopes import Dense, Factors, joined, kernel, layers_of, slopes
from tacit.signature.audio import Audio
from tacit.signature.base import Signature
from tacit.signature.image import Image
from tacit.signature.outputs import Class
from tacit.signature.row import Row
from tacit.signature.series import Series
from tacit.signature.text import Text
from tacit.skeletons.table import network_for, skeleton_for

THREE = Class("a", "b", "c")


def by_hand(network: nn.Module, arrays, direction) -> torch.Tensor:
    """float32[example, weight], one backward pass each."""
    network.eval()
    body = getattr(network, "behind_front", network)
    rows = []
    for place in range(len(direction)):
        network.zero_grad()
        (body(*(array[place : place + 1] for array in arrays)) * direction[place]).sum().backward()
        rows.append(torch.cat([torch.zeros_like(w).flatten() if w.grad is None else w.grad.flatten() for w in network.parameters()]))
    return torch.stack(rows)


def settle(network: nn.Module) -> nn.Module:
    """Give norms statistics that are not the ones of the start."""
    for part in network.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            part.running_mean.normal_(std=0.3)
            part.running_var.uniform_(0.5, 2.0)
            part.weight.data.uniform_(0.5, 1.5)
    return network.eval()


def agree(network: nn.Module, arrays, *, within: float = 1e-4) -> None:
    direction = torch.randn(len(arrays[0]), 3, generator=torch.Generator().manual_seed(2))
    wanted = by_hand(network, arrays, direction)
    found = slopes(network, arrays, direction)
    assert list(found) == list(layers_of(network))
    products = wanted @ wanted.T
    assert (kernel(found, found) - products).abs().max() <= within * products.abs().max()


NETWORKS = [
    ("mlp", Row(numbers=("age", "pay"), categories=(("job", ("x", "y")),), fill=(0.0, 0.0)), {"width": 8, "depth": 1, "bins": 4}),
    ("convnet2d", Image(8, 8, 1), {"width": 8, "depth": 1}),
    ("convnet1d", Series(2, 32), {"width": 8, "depth": 1}),
    ("seriesnet", Series(2, 32), {"width": 4, "mixtures": 2, "amplitudes": 4}),
    ("audionet", Audio(4000, 1600), {"width": 8, "bands": 10}),
]


def values_of(signature: Signature, count: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [
        torch.randint(0, spec.limit, (count, *spec.shape), generator=generator, dtype=torch.int32)
        if spec.limit is not None
        else torch.rand((count, *spec.shape), generator=generator) * 5
        for spec in signature.input.arrays
    ]


@pytest.mark.parametrize(("name", "kind", "settings"), NETWORKS, ids=[row[0] for row in NETWORKS])
def test_the_kernel_of_a_skeleton_is_that_of_its_gradients(name, kind, settings):
    signature = kind >> THREE
    arrays = values_of(signature, 5)
    given = tuple(array.numpy() for array in arrays)
    network = settle(network_for(skeleton_for(signature, name), signature, settings, inputs=given, seed=0))
    if hasattr(network, "front"):
        with torch.no_grad():
            arrays = [network.front(*arrays).clone()]
    agree(network, arrays)


def test_text_with_few_words_is_exact_and_with_many_is_near():
    for buckets, within in ((200, 1e-4), (4000, 0.3)):
        signature = Text(6, buckets, 2) >> THREE
        arrays = values_of(signature, 4)
        given = (arrays[0].numpy(),)
        network = network_for(skeleton_for(signature, "textnet"), signature, {"embedding": 4, "width": 4}, inputs=given, seed=0)
        agree(network, arrays, within=within)


class Own(nn.Module):
    """A module with a weight that no known layer holds, and a linear layer over positions that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.rand(4))
        self.mix = nn.Linear(4, 4)
        self.conv = nn.Conv1d(4, 6, 3, padding="same", groups=2)
        self.head = nn.Linear(6, 3, bias=False)

    def forward(self, x):
        x = torch.relu(self.mix(self.mix(x * self.scale)))
        return self.head(torch.relu(self.conv(x.transpose(1, 2))).mean(2))


def test_layers_of_a_persons_own():
    torch.manual_seed(0)
    agree(Own(), [torch.rand(5, 7, 4)])


def test_a_wrong_factor_is_seen():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    arrays, direction = [torch.rand(4, 4)], torch.randn(4, 3)
    found = slopes(network, arrays, direction)
    first = found["0"]
    assert isinstance(first, Factors)
    found["0"] = Factors(first.x, first.d, bias=False)  # the bias forgotten
    wanted = by_hand(network, arrays, direction)
    assert (kernel(found, found) - wanted @ wanted.T).abs().max() > 1e-2


def test_batches_join_and_a_sketch_keeps_products_on_average():
    torch.manual_seed(0)
    network = settle(nn.Sequential(nn.Conv2d(2, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.Flatten(), nn.Linear(256, 3)))
    arrays, direction = [torch.rand(6, 2, 8, 8)], torch.randn(6, 3)
    whole = slopes(network, arrays, direction)
    parts = [slopes(network, [arrays[0][at : at + 3]], direction[at : at + 3]) for at in (0, 3)]
    assert torch.allclose(kernel(joined(parts), whole), kernel(whole, whole), rtol=1e-4, atol=1e-5)
    sketched = slopes(network, arrays, direction, most=512)
    assert isinstance(sketched["2"], Dense)
    assert sketched["2"].g.shape[1] == 512
    own, near = whole["2"].kernel(whole["2"]), sketched["2"].kernel(sketched["2"])
    assert (own - near).abs().max() < 0.3 * own.diagonal().max()
