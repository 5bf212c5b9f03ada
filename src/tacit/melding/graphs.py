"""The graphs of a meld: the whole as one straight line over one arena, and every part for itself, over the same weights."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from tacit.binary.binary import MAIN
from tacit.ir.graph import Buffer, Graph
from tacit.ir.linking import Piece, Source, link, renamed, sharing_names
from tacit.lowering.lower import lower_module
from tacit.melding.fitting import Leaf, Use
from tacit.melding.network import LiftedPart, Melded, encoded_leaf
from tacit.passes.pipeline import optimise
from tacit.signature.base import ArraySpec, Signature

ENCODER, ENDS = "encoder", "ends"


def graphs_of(melded: Melded) -> dict[str, Graph]:
    """Lower a meld: ``main``, and each part under its name. Weights that several have in common have one name. Raises: LoweringError."""
    joint = melded.joint
    encoder = None if melded.encoder is None else renamed(_encoder_graph(melded), ENCODER)
    alone: dict[str, list[Piece]] = {}
    for place, part in enumerate(melded.parts):
        own = tuple(Source(spec.name) for spec in part.signature.input.arrays)
        graph = renamed(_lowered(melded, place, mixed=False), part.name)
        if place in melded.encoded and encoder is not None:
            alone[part.name] = [Piece(ENCODER, encoder, own), Piece(part.name, graph, (Source(ENCODER),))]
        else:
            alone[part.name] = [Piece(part.name, graph, own)]
    pieces: list[Piece] = []
    for place, use in enumerate(melded.wiring.uses):
        sources = _sources(melded, place, use, pieces)
        part = melded.parts[use.part]
        graph = alone[part.name][-1].graph
        if use.part in melded.encoded and encoder is not None:
            name = f"{ENCODER}_{encoded_leaf(use)}"
            if all(piece.name != name for piece in pieces):
                pieces.append(Piece(name, encoder, tuple(sources)))
            sources = [Source(name)]
        elif melded.mixed[use.part] and any(not isinstance(given, Leaf) for given in use.inputs):
            graph = renamed(_lowered(melded, use.part, mixed=True), part.name)
        pieces.append(Piece(use.name, graph, tuple(sources)))
    ended = [Source(melded.wiring.uses[end].name) for end in melded.wiring.ends]
    if not melded.ends.same:
        widths = [melded.parts[melded.wiring.uses[end].part].signature.output.width for end in melded.wiring.ends]
        pieces.append(Piece(ENDS, renamed(_ends_graph(melded, widths), ENDS), tuple(ended)))
        ended = [Source(ENDS)]
    everything = [*pieces, *(piece for chain in alone.values() for piece in chain)]
    named = sharing_names({str(number): piece.graph for number, piece in enumerate(everything)}, "0")
    everything = [replace(piece, graph=named[str(number)]) for number, piece in enumerate(everything)]
    made = {MAIN: link(_buffers(joint), everything[: len(pieces)], ended)}
    at = len(pieces)
    for part in melded.parts:
        chain = everything[at : at + len(alone[part.name])]
        at += len(chain)
        made[part.name] = link(_buffers(part.signature), chain, [Source(chain[-1].name)])
    return made


def _sources(melded: Melded, place: int, use: Use, pieces: list[Piece]) -> list[Source]:
    """Give where the arrays of a use come from; what passes into it from other uses is added to the pieces."""
    names = [spec.name for spec in melded.joint.input.arrays]
    sources: list[Source] = []
    for slot, given in enumerate(use.inputs):
        if isinstance(given, Leaf):
            sources += [Source(names[array]) for array in given.arrays]
            continue
        adapter = melded.adapter(place, slot)
        name = f"into_{use.name}" if slot == 0 else f"into_{use.name}_{slot}"
        graph = renamed(optimise(lower_module(copy.deepcopy(adapter).cpu().eval(), adapter.specs).graph), name)
        pieces.append(Piece(name, graph, tuple(Source(melded.wiring.uses[other].name) for other in adapter.widths)))
        sources += [Source(name, output) for output in range(len(graph.of_kind("output")))]
    return sources


def _lowered(melded: Melded, place: int, *, mixed: bool) -> Graph:
    """Lower the network of a part; mixed: categories come in as shares."""
    network, part = melded.networks[place], melded.parts[place]
    if isinstance(network, LiftedPart):
        return network.graph(mixed=mixed)
    specs = list(part.signature.input.arrays)
    if place in melded.encoded:
        specs = [ArraySpec("features", (_features(melded),), "float32", ("feature",))]
    for array in melded.mixed[place] if mixed else ():
        spec = specs[array]
        specs[array] = ArraySpec(spec.name, (*spec.shape, spec.limit or 1), "float32", (*spec.axes, "value"))
    approximate = None if part.program is None else part.program.recipe.get("approximate")
    return optimise(lower_module(copy.deepcopy(network).cpu().eval(), specs, approximate=approximate).graph)


def _encoder_graph(melded: Melded) -> Graph:
    part = melded.parts[melded.encoded[0]]
    if melded.encoder is None:
        raise ValueError("expected an encoder")
    return optimise(lower_module(copy.deepcopy(melded.encoder).cpu().eval(), part.signature.input.arrays).graph)


def _features(melded: Melded) -> int:
    part = melded.parts[melded.encoded[0]]
    arrays = [
        torch.zeros(1, *spec.shape, dtype=torch.float32 if spec.limit is None else torch.int32) for spec in part.signature.input.arrays
    ]
    if melded.encoder is None:
        raise ValueError("expected an encoder")
    with torch.no_grad():
        return int(copy.deepcopy(melded.encoder).cpu().eval()(*arrays).shape[1])


def _ends_graph(melded: Melded, widths: Sequence[int]) -> Graph:
    """Lower what brings the last scores into the joint output's order and scale; it takes one array per use."""
    specs = [ArraySpec(f"scores{place}", (width,), "float32", ("score",)) for place, width in enumerate(widths)]
    return optimise(lower_module(_Joined(copy.deepcopy(melded.ends).cpu()), specs).graph)


class _Joined(nn.Module):
    def __init__(self, ends: nn.Module) -> None:
        super().__init__()
        self.ends = ends

    def forward(self, *scores: torch.Tensor) -> torch.Tensor:
        joined: torch.Tensor = self.ends(torch.cat(scores, dim=1) if len(scores) > 1 else scores[0])
        return joined


def _buffers(signature: Signature) -> list[Buffer]:
    """Give the inputs of a graph for a signature."""
    return [
        Buffer(spec.name, "input", tuple(spec.shape), "int32" if spec.dtype == "int32" else "float32") for spec in signature.input.arrays
    ]


def shared_bytes(graphs: dict[str, Graph]) -> int:
    """Give the bytes of weights that are stored once though several entry points read them."""
    sizes: dict[str, list[int]] = {}
    for graph in graphs.values():
        for name, array in graph.weights.items():
            sizes.setdefault(name, []).append(int(np.asarray(array).nbytes))
    return sum(found[0] * (len(found) - 1) for found in sizes.values())
