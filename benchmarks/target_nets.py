"""The five networks on which targets are compared with their peers, written once as PyTorch modules with random weights.

Each is lowered to our graph, and exported to ONNX for the peers, from the same module. Every contestant is given its input in the
layout that it likes best: ours takes a picture as [row, column, channel], the peers as [channel, row, column]; nobody pays for a
transposition. No network has a normalisation, for all sides fold it into the weights beforehand.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from tacit.ir.graph import Graph
from tacit.lowering.lower import lower_module
from tacit.passes.pipeline import optimise
from tacit.signature.base import ArraySpec


class Pictures(nn.Module):
    """Take pictures float32[batch, row, column, channel]; `body` takes them with the channel first."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        """Scores float32[batch, score]."""
        scores: Tensor = self.body(x.permute(0, 3, 1, 2))
        return scores


class Mean(nn.Module):
    """Average over the picture: float32[batch, channel, row, column] -> float32[batch, channel]."""

    def forward(self, x: Tensor) -> Tensor:
        """Average."""
        return x.mean(dim=(2, 3))


class Block(nn.Module):
    """Two convolutions and a shortcut, which is a convolution where sizes differ."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1)
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """float32[batch, channel, row, column]."""
        return torch.relu(self.second(torch.relu(self.first(x))) + self.shortcut(x))


class Attention(nn.Module):
    """A layer of an encoder with ReLU in the place of soft-max: ``x + relu(q k^T) v``, then ``x + mlp(x)``."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.mixed = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.up, self.down = nn.Linear(width, hidden, bias=False), nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """float32[batch, token, width]."""
        batch, tokens, width = x.shape
        query, key, value = (
            layer(x).reshape(batch, tokens, self.heads, width // self.heads).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        attended = torch.relu(query @ key.transpose(2, 3)) @ value
        x = x + self.mixed(attended.transpose(1, 2).reshape(batch, tokens, width))
        y: Tensor = x + self.down(torch.relu(self.up(x)))
        return y


def perceptron() -> nn.Module:
    """Make 784-256-256-10."""
    return nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))


def chain() -> nn.Module:
    """Make a chain of three convolutions of 3.85 MFLOP (2 x MACs)."""
    layers = [nn.Conv2d(1, 16, 3, 1, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 3, 2, 1), nn.ReLU()]
    return nn.Sequential(*layers, Mean(), nn.Linear(64, 10))


def resnet(width: int) -> nn.Module:
    """Make a ResNet-8: three stages of one block."""
    blocks = [Block(width, width, 1), Block(width, 2 * width, 2), Block(2 * width, 4 * width, 2)]
    return nn.Sequential(nn.Conv2d(3, width, 3, 1, 1), nn.ReLU(), *blocks, Mean(), nn.Linear(4 * width, 10))


def encoder(*, width: int = 128, layers: int = 4, heads: int = 4, hidden: int = 512) -> nn.Module:
    """Make an encoder, without norms."""
    return nn.Sequential(*(Attention(width, heads, hidden) for _ in range(layers)), nn.ReLU())


@dataclass(frozen=True)
class Net:
    """A network. shape: of one example as our side takes it."""

    title: str
    shape: tuple[int, ...]
    make: Callable[[], nn.Module]
    picture: bool = False

    @property
    def input(self) -> ArraySpec:
        """Describe the input to lowering."""
        return ArraySpec("x", self.shape, "float32", tuple(f"axis_{axis}" for axis in range(len(self.shape))))


NETS: dict[str, Net] = {
    "a": Net("perceptron 784-256-256-10", (784,), perceptron),
    "b": Net("CNN 28x28", (28, 28, 1), chain, picture=True),
    "c": Net("ResNet-8, width 16", (32, 32, 3), lambda: resnet(16), picture=True),
    "d": Net("ResNet-8, width 64", (32, 32, 3), lambda: resnet(64), picture=True),
    "e": Net("ReLU-attention encoder", (64, 128), encoder),
}


def peer_module(name: str, *, seed: int = 0) -> nn.Module:
    """Give the network as the peers take it, with weights by He (2015, eq. 10), small biases, and attention that keeps its size."""
    torch.manual_seed(seed)
    module = NETS[name].make().eval()
    with torch.no_grad():
        for path, layer in module.named_modules():
            if isinstance(layer, nn.Linear | nn.Conv2d):
                nn.init.normal_(layer.weight, 0, (2 / layer.weight[0].numel()) ** 0.5)
                if path.endswith(("query", "mixed", "down")):
                    layer.weight *= 0.002 if path.endswith("query") else 0.5  # else the encoder's numbers grow with the cube
                if layer.bias is not None:
                    nn.init.normal_(layer.bias, 0, 0.1)
    return module


def our_module(name: str, *, seed: int = 0) -> nn.Module:
    """Give the network as our side takes it."""
    module = peer_module(name, seed=seed)
    return Pictures(module).eval() if NETS[name].picture else module


def examples(name: str, count: int, *, seed: int = 1) -> np.ndarray:
    """Draw float32[example, *shape] in our layout."""
    return np.random.default_rng(seed).normal(size=(count, *NETS[name].shape)).astype(np.float32)


def for_peer(name: str, arrays: np.ndarray) -> np.ndarray:
    """Give examples in the layout of the peers."""
    return np.ascontiguousarray(arrays.transpose(0, 3, 1, 2)) if NETS[name].picture else arrays


def our_graph(name: str, *, seed: int = 0) -> Graph:
    """Lower the network and run the passes. Raises: ValueError when the graph does not follow the module."""
    net = NETS[name]
    lowered = lower_module(
        our_module(name, seed=seed), [ArraySpec("x", net.shape, "float32", tuple(f"axis{i}" for i in range(len(net.shape))))]
    )
    if lowered.max_relative_error > 1e-4:
        raise ValueError(f"expected a graph that follows the module, relative error {lowered.max_relative_error} - in net {name}")
    return optimise(lowered.graph)


def export_for_peer(name: str, path: Path, *, seed: int = 0) -> Path:
    """Write the network as ONNX for a batch of one (the peer may fix its shapes), as `torch.onnx.export` does by default."""
    example = torch.from_numpy(for_peer(name, examples(name, 1)))
    return export_onnx(peer_module(name, seed=seed), (example,), path)


def export_onnx(module: nn.Module, arguments: Sequence[Tensor], path: Path) -> Path:
    """Write a module as ONNX, weights within the file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names = [f"input_{place}" for place in range(len(arguments))]
        program = torch.onnx.export(module, tuple(arguments), input_names=names, output_names=["output"], dynamo=True, verbose=False)
    program.save(path, external_data=False)
    return path
