"""Channels are chosen by what can be rebuilt of them, and what is left makes up for the rest."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from tacit.resizing.channels import cut, groups_of
from tacit.resizing.least_squares import _open_up, rebuild, recalibrate
from tacit.resizing.ranking import _eliminate, rank
from tacit.resizing.readers import gather, links_of
from tacit.resizing.weighing import between, weigh
from tacit.signature.base import ArraySpec
from tacit.signature.outputs import Class
from tests.unit.resizing.cut_networks import NETWORKS, PICTURE, Residual, lively

CLASSES = Class(("a", "b", "c"))


def doubled() -> nn.Module:
    """A network whose second half of channels says nothing new: each is a multiple of one of the first half."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 5, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(5 * 196, 3)
    )
    with torch.no_grad():
        network[0].weight[4:] = 2.0 * network[0].weight[:4]
        network[0].bias[4:] = 2.0 * network[0].bias[:4]
    return network.eval()


def examples(count: int = 128) -> list[torch.Tensor]:
    return [torch.randn((count, *PICTURE.shape), generator=torch.Generator().manual_seed(1))]


def test_what_says_nothing_new_goes_without_loss():
    network, arrays = doubled(), examples()
    groups = groups_of(network, [PICTURE])
    rankings = rank(network, groups, arrays, CLASSES)
    assert {channel % 4 for channel in rankings[0].kept(4)} == {0, 1, 2, 3}
    assert rankings[0].errors[4] < 0.01 * rankings[0].errors[3]
    kept = {0: rankings[0].kept(4)}
    fresh = [torch.randn(64, *PICTURE.shape)]
    wanted = network(*fresh).detach()
    assert torch.allclose(rebuild(network, groups, kept, arrays)(*fresh), wanted, atol=2e-2 * float(wanted.abs().max()))
    assert not torch.allclose(cut(network, groups, kept)(*fresh), wanted, atol=0.1 * float(wanted.abs().max()))


@pytest.mark.parametrize("name", NETWORKS)
def test_fitting_is_better_than_leaving_out(name):
    torch.manual_seed(0)
    make, spec = NETWORKS[name]
    network = lively(make())
    arrays = [torch.randn((256, *spec.shape), generator=torch.Generator().manual_seed(1))]
    groups = groups_of(network, [spec])
    rankings = rank(network, groups, arrays, CLASSES)
    kept = {number: ranking.kept(-(-3 * group.size // 4)) for number, (group, ranking) in enumerate(zip(groups, rankings, strict=True))}
    wanted = network(*arrays)

    def error(made: nn.Module) -> float:
        return float((made(*arrays) - wanted).square().mean())

    before = copy.deepcopy(network.state_dict())
    assert error(rebuild(network, groups, kept, arrays)) < 0.7 * error(cut(network, groups, kept).eval())
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_the_error_is_that_of_the_best_prediction():
    """Backward elimination keeps inverses; the errors must be those of least squares from the channels kept."""
    chance = np.random.default_rng(0)
    x = chance.normal(size=(500, 6)) @ (np.eye(6) + 0.4 * chance.normal(size=(6, 6)))
    covariance = np.cov(x.T, bias=True)
    metric = (lambda a: a @ a.T)(chance.normal(size=(6, 3)))
    ranking = _eliminate(6, [(covariance, metric)])
    centred = x - x.mean(0)
    for count in range(1, 6):
        chosen = ranking.kept(count)
        predicted = centred[:, chosen] @ np.linalg.lstsq(centred[:, chosen], centred, rcond=None)[0]
        gone = centred - predicted
        wanted = np.trace(metric @ (gone.T @ gone) / len(x))
        assert ranking.errors[count] == pytest.approx(wanted, rel=0.05)


def test_a_shortcut_is_mended_by_the_branch_beside_it():
    network, arrays = lively(Residual()), examples()
    links = links_of(network, arrays, ["one", "two", "head"])
    assert links.order == ("one", "two", "head")
    assert links.norms == {"one": "one_norm", "two": "two_norm"}
    assert links.summed == {"two"}
    whole = gather(network, arrays, links)["two"]
    plain = gather(network, arrays, type(links)(links.order, links.norms, frozenset()))["two"]
    assert not torch.allclose(whole, plain)


def test_opening_up_a_batch_norm_changes_nothing():
    torch.manual_seed(0)
    layer, norm = nn.Conv2d(3, 4, 3), lively(nn.BatchNorm2d(4))
    norm.weight.data[1] = 1e-5
    x = torch.randn(2, 3, 6, 6)
    wanted = norm(layer(x))
    _open_up(layer, norm)
    assert float(norm.weight.abs().min()) > 0.05
    assert torch.allclose(norm(layer(x)), wanted, atol=1e-5)


def test_batch_norms_are_measured_anew():
    network, arrays = lively(Residual()), examples(300)
    recalibrate(network, arrays)
    stem = network.stem(arrays[0])
    assert torch.allclose(network.stem_norm.running_mean, stem.mean((0, 2, 3)), atol=5e-2)
    assert not network.stem_norm.training
    assert network.stem_norm.momentum == 0.1


def test_groups_are_weighed_by_what_happens_to_the_scores():
    network, arrays = doubled(), examples(256)
    groups = groups_of(network, [PICTURE])
    rankings = rank(network, groups, arrays, CLASSES)
    weighed = weigh(network, groups, rankings, arrays, CLASSES)
    assert weighed[0].errors[4] < 0.05 * weighed[0].errors[2]
    assert (weighed[0].order == rankings[0].order).all()


def test_errors_between_measured_widths_rise_as_channels_go():
    errors = between(16, [2, 4, 8, 12], [0.8, 0.5, 0.1, 0.02])
    assert errors[[2, 4, 8, 12, 16]] == pytest.approx([0.8, 0.5, 0.1, 0.02, 0.0])
    assert (np.diff(errors) <= 0).all()
    assert errors[14] == pytest.approx(0.02 / 4)


def test_a_layer_with_borders_that_are_not_zero_is_left_as_it_is():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3, padding=1, padding_mode="circular"), nn.Flatten(), nn.Linear(4 * 144, 3)
    )
    groups = groups_of(network.eval(), [ArraySpec("x", (1, 14, 14), "float32", ("channel", "row", "column"))])
    first = next(number for number, group in enumerate(groups) if group.name == "0")
    kept = {first: np.arange(4)}
    made = rebuild(network, groups, kept, examples())
    assert torch.equal(made.get_submodule("2").weight, network[2].weight[:, :4])
