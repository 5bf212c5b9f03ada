"""int8: the bits of the interpreter in wasmtime, with vectors and without, and in Chromium, on 1,000 real pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import tacit_programs.digits as digits
from tacit.binary.binary import Binary
from tacit.binary.probes import record_probes
from tacit.ir.integer_interpreter import evaluate_integers
from tacit.lowering.lower import lower_module
from tacit.passes.pipeline import optimise
from tacit.quantisation.quantise import quantise
from tacit.signature.image import Image
from tacit.signature.outputs import Class
from tacit.targets.target import Options, Source
from tacit.targets.wasm.execution import Instance
from tacit.targets.wasm.target import WasmTarget
from tests.targets.wasm.chromium import chromium, scores_in_page

SIGNATURE = Image(8, 8, 1) >> Class(digits.CLASSES)
COUNT = 1000


class Net(nn.Module):
    """A convolution with a border, one with a stride, a mean, a dense layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 10, 3, padding=1), nn.Conv2d(10, 20, 3, stride=2)
        self.last = nn.Linear(20, 10)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(self.first(pixels.permute(0, 3, 1, 2) / 255))
        hidden = hidden + torch.relu(hidden - 0.1)
        return self.last(torch.relu(self.second(hidden)).mean((2, 3)))


@dataclass(frozen=True, eq=False)
class Built:
    folder: Path
    source: Source
    images: np.ndarray
    expected: np.ndarray  # uint32[example, score]: the bits of the interpreter


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    torch.manual_seed(0)
    images = digits.load_digits().images[..., None]
    floats = optimise(lower_module(Net(), SIGNATURE.input.arrays).graph)
    graph = quantise(floats, [images[COUNT : COUNT + 256]])
    probes = record_probes(Binary({"main": floats}, SIGNATURE), [images[:2]])
    source = Source("digits", {"main": graph}, SIGNATURE, "0" * 64, {"probes": probes})
    folder = tmp_path_factory.mktemp("digits")
    WasmTarget().write(source, folder, Options())
    expected = evaluate_integers(graph, [images[:COUNT]])[0].reshape(COUNT, -1)
    assert len(np.unique(expected)) > 100
    yield Built(folder, source, images[:COUNT], bits(expected))


def bits(scores: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(scores.reshape(COUNT, -1), np.float32).view(np.uint32)


@pytest.mark.parametrize("name", ["digits.wasm", "digits_plain.wasm"])
def test_wasmtime_has_the_bits_of_the_interpreter(built, name):
    found = Instance(built.folder / name, built.source.graphs["main"])([built.images])[0]
    assert np.array_equal(bits(found), built.expected)


@pytest.mark.system
def test_chromium_has_the_bits_of_the_interpreter(built, tmp_path):
    with chromium(tmp_path / "profile") as browser:
        for name in ("digits.wasm", "digits_plain.wasm"):
            found = scores_in_page(browser, built.folder / "digits.mjs", built.folder / name, built.images)
            assert np.array_equal(found, built.expected)


@pytest.mark.system
def test_the_page_says_that_it_computes_in_integers(built, tmp_path):
    with chromium(tmp_path / "profile") as browser:
        browser.open(built.folder / "digits.html")
        assert "8-bit integers" in browser.text(".tiles")
        assert browser.text(".facts > .hint").startswith(
            "Self-check: on 2 recorded inputs 8-bit scores differ from the 32-bit ones by up to"
        )
        assert browser.requests() == [] and browser.complaints() == []


def test_another_bit_would_be_seen(built):
    changed = built.images.copy()
    changed[17, 3, 3] ^= 64
    found = Instance(built.folder / "digits.wasm", built.source.graphs["main"])([changed])[0]
    assert np.argwhere((bits(found) != built.expected).any(axis=1)).ravel().tolist() == [17]
