"""What the benchmark of targets runs: the five networks, and compiled programs; each as our graph and as the peers' ONNX files.

A program brings its graph along. Its peer is the network of PyTorch that it was lowered from, built anew from the settings in its
evidence, with weights that are drawn (speed does not depend on them), and exported as anyone would; that it lowers to the same
instructions is checked. Our own ONNX export of the program runs too, and the faster of the two counts for ONNX Runtime.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import target_nets
import torch
from peer_runtimes import with_global_pool
from torch import nn

from tacit.binary.binary import Binary
from tacit.binary.loading import load
from tacit.ir.cost import cost, instruction_cost
from tacit.ir.graph import Graph
from tacit.lowering.export import sample_arrays
from tacit.lowering.lower import lower_module
from tacit.passes.pipeline import optimise
from tacit.signature.outputs import Number
from tacit.signature.series import Series
from tacit.skeletons.table import network_for, skeleton_for
from tacit.targets.target import TARGETS, Options, Source, identifier

Arrays = list[np.ndarray]


@dataclass(frozen=True, eq=False)
class Subject:
    """One network or program. peer: the module that the peers are given, in their layout, by `for_peer`.

    draw: gives so many examples, [example, *shape] per input, float32 or int32. cnn: it is a convolutional network on pictures.
    """

    name: str
    title: str
    source: Source
    peer: nn.Module
    draw: Callable[[int, int], Arrays]
    for_peer: Callable[[Arrays], Arrays]
    cnn: bool
    program: bool
    trained: Binary | None = None

    @property
    def graph(self) -> Graph:
        """Give the graph of floats."""
        graph = self.source.graphs["main"]
        if not isinstance(graph, Graph):
            raise TypeError("expected a graph of floats")
        return graph

    @property
    def macs(self) -> int:
        """Count the multiply-accumulates of one run."""
        return cost(self.graph).macs

    @property
    def products(self) -> bool:
        """Tell whether it is made of products with matrices alone, which ONNX Runtime also quantises dynamically."""
        return not any(isinstance(layer, nn.Conv1d | nn.Conv2d) for layer in self.peer.modules())

    def export(self, folder: Path, *, built: bool) -> dict[str, Path]:
        """Write the ONNX files that a peer may choose from; the first is the plain one. built: the second is our own build."""
        arguments = [torch.from_numpy(array) for array in self.for_peer(self.draw(1, 0))]
        plain = target_nets.export_onnx(self.peer, arguments, folder / "exported.onnx")
        found = {"torch.onnx": with_global_pool(plain, folder / "plain.onnx")}
        if built and self.trained is not None:
            ours = folder / "ours"
            ours.mkdir()
            TARGETS.get("onnx")().write(self.source, ours, Options())
            found["tacit build"] = next(ours.glob("*.onnx"))
        return found


def nets() -> list[Subject]:
    """Give the five networks."""
    return [_net(name) for name in target_nets.NETS]


def _net(name: str) -> Subject:
    net = target_nets.NETS[name]
    graph = target_nets.our_graph(name)
    signature = Series(1, math.prod(net.shape)) >> Number()  # a title; nothing reads it
    return Subject(
        name=name,
        title=net.title,
        source=Source(f"net_{name}", {"main": graph}, signature, "0" * 64),
        peer=target_nets.peer_module(name),
        draw=lambda count, seed: [target_nets.examples(name, count, seed=seed)],
        for_peer=lambda arrays: [target_nets.for_peer(name, arrays[0])],
        cnn=net.picture,
        program=False,
    )


def programs(folder: Path) -> list[Subject]:
    """Give the compiled programs of a folder."""
    return [_program(path) for path in sorted(folder.glob("*.tacit"))]


def _program(path: Path) -> Subject:
    binary = load(path)
    specs = binary.signature.input.arrays

    def draw(count: int, seed: int) -> Arrays:
        return [array.numpy() for array in sample_arrays(specs, batch=count, seed=seed)]

    skeleton = skeleton_for(binary.signature, None)
    settings = binary.evidence.get("run", {}).get("settings", {})
    network = network_for(skeleton, binary.signature, settings, inputs=tuple(draw(256, 0)), seed=0).eval()
    _stir(network)
    again = optimise(lower_module(network, specs).graph)
    if _shape(again) != _shape(binary.graphs["main"]):
        raise ValueError(f"expected the settings in the evidence to give the program's network - at `{path.name}`")
    source = Source(identifier(path.stem), binary.graphs, binary.signature, binary.digest, binary.evidence)
    cnn = skeleton.name == "convnet2d"
    return Subject(path.stem, str(binary.signature)[:60], source, network, draw, lambda arrays: arrays, cnn, True, binary)


def _stir(network: nn.Module) -> None:
    """Move what a network begins with as zeros and ones, as training does: passes would fold it away."""
    chance = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in (*network.parameters(), *network.buffers()):
            if tensor.is_floating_point() and tensor.numel() == max(tensor.shape, default=1):
                noise = torch.randn(tensor.shape, generator=chance)
                tensor += 0.1 * noise.abs() * (tensor.abs() + 0.1)


def _shape(graph: Graph) -> list[tuple[int, int, int]]:
    costs = [instruction_cost(instruction, graph) for instruction in graph.instructions]
    return [(one.macs, one.elements, one.weight_bytes) for one in costs]


def reference(subject: Subject, arrays: Sequence[np.ndarray]) -> Arrays:
    """Give what PyTorch gives for the peer's module on examples of ours."""
    with torch.no_grad():
        made = subject.peer(*(torch.from_numpy(array) for array in subject.for_peer(list(arrays))))
    return [one.numpy() for one in (made if isinstance(made, tuple | list) else (made,))]
