"""Networks of another package with weights that are on this machine: what is loaded, what is refused, and that nothing is fetched."""

from __future__ import annotations

import importlib
import pickle
import sys
import types

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

import tacit
from tacit.ir.interpreter import evaluate
from tacit.skeletons.layers import Residual
from tacit.skeletons.table import check_settings, network_for, skeleton_for

SIGNATURE = tacit.Image(16, 12, 3) >> tacit.Class("a", "b")
ABOUT = {"hf_hub_id": "timm/tiny", "mean": (0.5, 0.4, 0.3), "std": (0.2, 0.25, 0.3), "first_conv": "conv1", "classifier": "fc"}


class Tiny(nn.Module):
    """A residual network with the names that timm gives to layers."""

    def __init__(self, in_chans: int, num_classes: int, width: int = 8) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_chans, width, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = Residual(width, spatial=2)
        self.fc = nn.Linear(width, num_classes)
        self.pretrained_cfg = ABOUT

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.layer1(self.maxpool(torch.relu(self.bn1(self.conv1(x))))).mean((2, 3)))


@pytest.fixture(autouse=True)
def package(monkeypatch):
    """Stand in for timm: the same three functions, and no network to fetch from."""
    made = types.ModuleType("timm")
    widths = {"tiny": 8, "tiny_wide": 12}
    made.is_model = lambda name: name in widths
    made.list_models = lambda: list(widths)

    def create_model(name, *, pretrained, in_chans, num_classes):
        assert pretrained is False, "it would fetch"
        return Tiny(in_chans, num_classes, widths[name])

    made.create_model = create_model
    monkeypatch.setitem(sys.modules, "timm", made)
    monkeypatch.delitem(sys.modules, "tacit.skeletons.backbone", raising=False)
    yield
    sys.modules.pop("tacit.skeletons.backbone", None)


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(7)
    model = Tiny(3, 1000)
    with torch.no_grad():
        model.bn1.running_mean.normal_()
    safetensors.torch.save_file(model.state_dict(), tmp_path / "tiny.safetensors")
    return tmp_path / "tiny.safetensors"


def pictures(channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 16, 12, channels)).astype(np.uint8)


def build(name: str, signature=SIGNATURE, **settings):
    channels = signature.input.channels
    return network_for(skeleton_for(signature, f"timm:{name}"), signature, settings, inputs=(pictures(channels),), seed=0).eval()


def test_weights_of_a_file_are_loaded_and_the_network_lowers(weights):
    network = build("tiny", weights=str(weights))
    given = safetensors.torch.load_file(weights)
    assert torch.equal(network.network.conv1.weight, given["conv1.weight"])
    assert torch.equal(network.network.bn1.running_mean, given["bn1.running_mean"])
    assert network.network.fc.weight.shape == (2, 8)  # drawn anew
    by_hand = torch.from_numpy(pictures()).permute(0, 3, 1, 2) / 255
    by_hand = (by_hand - torch.tensor(ABOUT["mean"]).reshape(3, 1, 1)) / torch.tensor(ABOUT["std"]).reshape(3, 1, 1)
    expected = network.network(by_hand).detach().numpy()
    lowered = tacit.lower(network, SIGNATURE.input.arrays)
    assert np.abs(evaluate(lowered.graph, [pictures()])[0] - expected).max() < 1e-5


def test_weights_of_pytorch_are_read_without_unpickling_objects(tmp_path, weights):
    torch.save(safetensors.torch.load_file(weights), tmp_path / "tiny.pth")
    assert torch.equal(
        build("tiny", weights=str(tmp_path / "tiny.pth")).network.conv1.weight, build("tiny", weights=str(weights)).network.conv1.weight
    )
    (tmp_path / "evil.pth").write_bytes(pickle.dumps(print))
    with pytest.raises(tacit.TacitError, match="can't be read"):
        build("tiny", weights=str(tmp_path / "evil.pth"))


def test_the_cache_of_the_hub_is_found(tmp_path, weights, monkeypatch):
    folder = tmp_path / "hub" / "models--timm--tiny"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("abc")
    (folder / "snapshots" / "abc").mkdir(parents=True)
    weights.rename(folder / "snapshots" / "abc" / "model.safetensors")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    given = safetensors.torch.load_file(folder / "snapshots" / "abc" / "model.safetensors")
    assert torch.equal(build("tiny").network.conv1.weight, given["conv1.weight"])
    monkeypatch.delenv("HF_HUB_CACHE")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    assert torch.equal(build("tiny").network.conv1.weight, given["conv1.weight"])


def test_weights_that_are_nowhere_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(tacit.TacitError) as caught:
        build("tiny")
    assert "`hf download timm/tiny`" in str(caught.value) and 'weights = "none"' in str(caught.value)
    with pytest.raises(tacit.TacitError, match=r"there is none - at `skeleton\.weights`"):
        build("tiny", weights=str(tmp_path / "not there"))
    assert build("tiny", weights="none").network.fc.weight.shape == (2, 8)


def test_grey_pictures_see_the_sum_of_the_colours(weights):
    network = build("tiny", tacit.Image(16, 12, 1) >> tacit.Class("a", "b"), weights=str(weights))
    given = safetensors.torch.load_file(weights)
    assert torch.allclose(network.network.conv1.weight, given["conv1.weight"].sum(1, keepdim=True))


def test_weights_of_another_network_are_refused_by_name(weights):
    with pytest.raises(tacit.TacitError, match=r"`conv1.weight` is \[8, 3, 3, 3\], not \[12, 3, 3, 3\]"):
        build("tiny_wide", weights=str(weights))


def test_a_network_that_is_not_known_is_told_from_a_package_that_is_not_there(monkeypatch):
    with pytest.raises(tacit.TacitError, match="did you mean `tiny`"):
        skeleton_for(SIGNATURE, "timm:tinny")
    monkeypatch.setitem(sys.modules, "timm", None)
    monkeypatch.delitem(sys.modules, "tacit.skeletons.backbone", raising=False)
    importlib.invalidate_caches()
    with pytest.raises(tacit.TacitError, match=r'pip install "tacit\[timm\]"'):
        skeleton_for(SIGNATURE, "timm:tiny")


def test_settings_that_it_does_not_have_are_refused():
    with pytest.raises(tacit.TacitError, match=r"skeleton\.width"):
        check_settings(skeleton_for(SIGNATURE, "timm:tiny"), {"width": 3})
