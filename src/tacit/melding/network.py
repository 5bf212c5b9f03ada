"""The programs of a meld as one network that is trained."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from tacit.ir.graph import Graph
from tacit.ir.linking import softened
from tacit.lowering.lifting import Lifted, lift, lowered_again
from tacit.melding.fitting import Leaf, Use, Wiring, leaves_of
from tacit.melding.parts import Part
from tacit.melding.wires import Adapter, Ends
from tacit.signature.base import Joint, Signature
from tacit.skeletons.mlp import RowNet


class Melded(nn.Module):
    """All parts, and what passes between them: the joint program's arrays, batch first -> its scores.

    networks: one per part; where `encoder` is shared, those of the parts in `encoded` take what it gives.
    """

    def __init__(self, parts: Sequence[Part], wiring: Wiring, joint: Signature) -> None:
        super().__init__()
        self.parts, self.wiring, self.joint = tuple(parts), wiring, joint
        self.mixed = [mixed_arrays(wiring, place, part.signature) for place, part in enumerate(parts)]
        self.networks = nn.ModuleList(trainable(part, mixed) for part, mixed in zip(parts, self.mixed, strict=True))
        self.encoder: nn.Module | None = None
        self.encoded: tuple[int, ...] = ()
        self.adapters = nn.ModuleDict()
        for place, use in enumerate(wiring.uses):
            for slot, given in enumerate(use.inputs):
                if not isinstance(given, Leaf):
                    target = leaves_of(parts[use.part].signature.input)[slot].type
                    read = dict.fromkeys(item.atom.use for item in given)
                    widths = {other: parts[wiring.uses[other].part].signature.output.width for other in read}
                    self.adapters[f"{place}_{slot}"] = Adapter(target, given, widths)
        ended = [parts[wiring.uses[end].part].signature.output for end in wiring.ends]
        self.ends = Ends(ended[0] if len(ended) == 1 else Joint(tuple(ended)), joint.output)

    def adapter(self, place: int, slot: int) -> Adapter:
        """Give what passes into one plain input of a use. Raises: KeyError where a leaf is read."""
        adapter = self.adapters[f"{place}_{slot}"]
        if not isinstance(adapter, Adapter):
            raise KeyError(f"{place}_{slot}")
        return adapter

    def part(self, place: int, arrays: Sequence[Tensor], features: Tensor | None = None) -> Tensor:
        """Run a part alone, float32[batch, score]. features: what the encoder made of the arrays, where that is known."""
        if place in self.encoded and self.encoder is not None:
            arrays = (self.encoder(*arrays) if features is None else features,)
        scores: Tensor = self.networks[place](*arrays)
        return scores.mean(dim=1) if scores.ndim == 3 else scores  # the members of an ensemble

    def forward(self, *arrays: Tensor) -> Tensor:
        """Give the joint scores, float32[batch, score]."""
        return self.run(arrays, {})

    def run(self, arrays: Sequence[Tensor], known: Mapping[int, Tensor]) -> Tensor:
        """Give the joint scores, float32[batch, score]. known: the scores of uses that are not to be run."""
        found: list[Tensor] = []
        features: dict[str, Tensor] = {}
        for place, use in enumerate(self.wiring.uses):
            if place in known:
                found.append(known[place])
                continue
            given: list[Tensor] = []
            for slot, source in enumerate(use.inputs):
                if isinstance(source, Leaf):
                    given += [arrays[array] for array in source.arrays]
                else:
                    adapter = self.adapter(place, slot)
                    given += adapter(*(found[other] for other in adapter.widths))
            if use.part in self.encoded and self.encoder is not None:
                name = encoded_leaf(use)
                features.setdefault(name, self.encoder(*given))
                found.append(self.part(use.part, given, features[name]))
            else:
                found.append(self.part(use.part, given))
        ended = [found[end] for end in self.wiring.ends]
        scores: Tensor = self.ends(ended[0] if len(ended) == 1 else torch.cat(ended, dim=1))
        return scores


def encoded_leaf(use: Use) -> str:
    """Name the input that an encoder reads in a use."""
    return "_".join(given.name for given in use.inputs if isinstance(given, Leaf))


def pipeline(melded: Melded, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Run the parts apart, each on the answers of those before it; give the scores of each use, float32[example, score]."""
    found: list[np.ndarray] = []
    for place, use in enumerate(melded.wiring.uses):
        given: list[np.ndarray] = []
        for slot, source in enumerate(use.inputs):
            if isinstance(source, Leaf):
                given += [arrays[array] for array in source.arrays]
            else:
                adapter = melded.adapter(place, slot)
                given += adapter.answers({other: found[other] for other in adapter.widths})
        (scores, *_) = melded.parts[use.part].binary.run(given)
        found.append(scores.reshape(len(scores), -1))
    return found


def ended(melded: Melded, found: Sequence[np.ndarray]) -> np.ndarray:
    """Give the joint scores, float32[example, score], of the scores of all uses."""
    scores = np.concatenate([found[end] for end in melded.wiring.ends], axis=1)
    with torch.no_grad():
        joined: np.ndarray = melded.ends(torch.from_numpy(scores)).numpy()
    return joined


class LiftedPart(nn.Module):
    """A part that was lifted from its instructions; categories may come in as integers or as shares, with the same weights."""

    def __init__(self, graph: Graph, mixed: Sequence[int], limits: Sequence[int | None]) -> None:
        super().__init__()
        self.plain = lift(graph)
        self.mixed = tuple(mixed)
        self.mixing: Lifted | None = None
        if mixed:
            names = [buffer.name for buffer in graph.of_kind("input")]
            for array in mixed:
                graph = softened(graph, names[array], limits[array] or 1)
            self.mixing = lift(graph).sharing(self.plain)

    def forward(self, *arrays: Tensor) -> Tensor:
        """Scores float32[batch, score]."""
        mixes = self.mixing is not None and any(arrays[array].is_floating_point() for array in self.mixed)
        found = self.mixing(*arrays) if mixes and self.mixing is not None else self.plain(*arrays)
        scores: Tensor = found[0] if isinstance(found, tuple) else found
        return scores.reshape(len(scores), -1)

    def graph(self, *, mixed: bool) -> Graph:
        """Give the instructions with the weights as they are now."""
        return lowered_again(self.mixing if mixed and self.mixing is not None else self.plain)


def trainable(part: Part, mixed: Sequence[int]) -> nn.Module:
    """Give the network of a part: as it was trained where that is kept (and can take shares where it has to), else its instructions."""
    if part.network is not None and (not mixed or isinstance(part.network, RowNet)):
        return copy.deepcopy(part.network)
    return LiftedPart(part.binary.graphs["main"], mixed, [spec.limit for spec in part.signature.input.arrays])


def mixed_arrays(wiring: Wiring, part: int, signature: Signature) -> tuple[int, ...]:
    """Give the places of the arrays of a part that come in as shares of categories in some use."""
    found: list[int] = []
    for use in wiring.uses:
        if use.part == part:
            for leaf, given in zip(leaves_of(signature.input), use.inputs, strict=True):
                if not isinstance(given, Leaf) and any(item.way == "category" for item in given):
                    found.append(leaf.arrays[-1])
    return tuple(dict.fromkeys(found))
