"""Programs of one input side by side: one encoder for all of them, and a head for each.

The encoder is that of the first. The head of another is fitted by least squares, so that on what the encoder gives of the joint examples
it answers as its own network did; training together does the rest.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from tacit.melding.fitting import Leaf
from tacit.melding.network import LiftedPart, Melded

MOST_EXAMPLES = 4096
#: Ridge, relative to the mean square of a feature.
RIDGE = 1e-3


def share_encoder(melded: Melded, inputs: Sequence[np.ndarray]) -> list[str]:
    """Let the parts that read the same inputs, and nothing else, have one encoder; give their names (none where nothing is shared).

    inputs: arrays of joint examples [example, *shape].
    """
    alike = _side_by_side(melded)
    if len(alike) < 2:
        return []
    cuts = [cut_head(melded.networks[place], melded.parts[place].signature.output.width) for place in alike]
    if any(cut is None for cut in cuts):
        return []
    encoder, head = cuts[0]  # type: ignore[misc]
    use = next(use for use in melded.wiring.uses if use.part == alike[0])
    places = [place for given in use.inputs if isinstance(given, Leaf) for place in given.arrays]
    arrays = [inputs[place][:MOST_EXAMPLES] for place in places]
    specs = melded.parts[alike[0]].signature.input.arrays
    features = _run(encoder, arrays, specs)
    heads = [head]
    for place in alike[1:]:
        heads.append(fitted_head(features, _run(melded.networks[place], arrays, specs)))
    melded.encoder, melded.encoded = encoder, tuple(alike)
    for place, own in zip(alike, heads, strict=True):
        melded.networks[place] = own
    return [melded.parts[place].name for place in alike]


def _side_by_side(melded: Melded) -> list[int]:
    """Give the parts that read leaves alone, all of them the same ones, in the form in which they were trained."""
    read = {
        use.part: tuple(given.name for given in use.inputs if isinstance(given, Leaf))
        for use in melded.wiring.uses
        if all(isinstance(given, Leaf) for given in use.inputs)
    }
    counts = [use.part for use in melded.wiring.uses]
    groups: dict[tuple[str, ...], list[int]] = {}
    for part, names in read.items():
        if counts.count(part) == 1 and not isinstance(melded.networks[part], LiftedPart):
            groups.setdefault(names, []).append(part)
    return max(groups.values(), key=len, default=[])


def cut_head(network: nn.Module, width: int) -> tuple[nn.Module, nn.Module] | None:
    """Cut a network before its last linear layer: what comes before it, and the layer; None where it does not end in one."""
    last = [name for name, module in network.named_modules() if isinstance(module, nn.Linear) and module.out_features == width][-1:]
    if not last:
        return None
    encoder = copy.deepcopy(network)
    path, _, name = last[0].rpartition(".")
    owner = encoder.get_submodule(path)
    head = getattr(owner, name)
    setattr(owner, name, nn.Identity())
    return encoder, head


def fitted_head(features: np.ndarray, scores: np.ndarray) -> nn.Linear:
    """Fit a linear layer from float32[example, feature] to float32[example, score] by least squares with a little ridge."""
    mean, wanted = features.mean(axis=0), scores.mean(axis=0)
    x, y = (features - mean).astype(np.float64), (scores - wanted).astype(np.float64)
    square = x.T @ x
    square += np.eye(len(square)) * RIDGE * max(float(np.trace(square)) / len(square), 1e-12)
    weights = np.linalg.solve(square, x.T @ y).T
    head = nn.Linear(features.shape[1], scores.shape[1])
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(weights))
        head.bias.copy_(torch.from_numpy(wanted - weights @ mean))
    return head


def _run(network: nn.Module, arrays: Sequence[np.ndarray], specs: Sequence[object], batch: int = 256) -> np.ndarray:
    """Run a network in evaluation mode, float32[example, number]."""
    network.eval()
    found: list[Tensor] = []
    with torch.no_grad():
        for start in range(0, len(arrays[0]), batch):
            some = [torch.from_numpy(np.ascontiguousarray(array[start : start + batch])) for array in arrays]
            found.append(network(*(tensor if tensor.dtype == torch.int32 else tensor.float() for tensor in some)))
    joined: np.ndarray = torch.cat(found).numpy()
    return joined
