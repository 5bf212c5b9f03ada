"""Which channels of a group to keep: those from which what the next layers read can be rebuilt best.

From the covariance of a group's channels and the weights that read them follows, for every set of channels kept, the error of the
layers behind when the others are replaced by their best linear prediction. Channels are taken away one by one, each time the one
whose loss costs least. An output of a layer counts as much as the loss depends on it (the diagonal of Fisher's information), so
that the errors of different groups can be compared: they are estimates of what the loss will rise by.
Sources: Luo et al. 2017, "ThiNet"; LeCun et al. 1989, "Optimal brain damage", for the weights; backward elimination in Gram form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from tacit.resizing.channels import Group
from tacit.resizing.readers import Reader, chunks, column_axis, hooked, layer_of, readers_of, rows_of
from tacit.signature.base import OutputType

#: Added to the variances, as a part of their mean: channels that never differ must not decide by rounding.
_RIDGE = 1e-4
_FISHER_EXAMPLES = 1024


@dataclass(frozen=True, eq=False)
class Ranking:
    """How the channels of a group leave. order: int64[channel], the first to go first. errors: float64[kept], index 0 to `size`."""

    order: np.ndarray
    errors: np.ndarray

    def kept(self, count: int) -> np.ndarray:
        """Give int64[count], the channels that stay, rising."""
        return np.sort(self.order[len(self.order) - count :])


@dataclass(eq=False)
class _Moments:
    """Of one reader: sums over rows of x x^T and of x, and the number of rows."""

    square: np.ndarray
    total: np.ndarray
    count: int = 0

    def covariance(self) -> np.ndarray:
        """Give float64[channel, channel]."""
        mean = self.total / self.count
        covered: np.ndarray = self.square / self.count - np.outer(mean, mean)
        return covered


def rank(network: nn.Module, groups: Sequence[Group], arrays: Sequence[Tensor], output: OutputType) -> tuple[Ranking, ...]:
    """Rank the channels of every group on a few thousand examples. output: what the scores stand for."""
    readers = [readers_of(network, group) for group in groups]
    moments = _moments(network, [reader for found in readers for reader in found], arrays)
    sensitivity = _sensitivity(network, {reader.name for found in readers for reader in found}, arrays, output)
    rankings = []
    for group, found in zip(groups, readers, strict=True):
        pairs = [(moments[id(reader)].covariance(), _metric(network, reader, sensitivity[reader.name])) for reader in found]
        rankings.append(_eliminate(group.size, pairs or [(np.eye(group.size), _size_of(network, group))]))
    return tuple(rankings)


def _moments(network: nn.Module, readers: Sequence[Reader], arrays: Sequence[Tensor]) -> dict[int, _Moments]:
    found = {id(reader): _Moments(np.zeros((len(reader.places),) * 2), np.zeros(len(reader.places))) for reader in readers}
    now = 0

    def note(reader: Reader) -> torch.utils.hooks.RemovableHandle:
        places = torch.from_numpy(reader.places)

        def hook(layer: nn.Module, given: tuple[Tensor, ...]) -> None:
            rows = rows_of(given[0], column_axis(layer), name=reader.name, chunk=now, total=len(arrays[0]))
            x = rows[:, places].movedim(2, 1).reshape(-1, len(places)).double().numpy()  # [row * k, channel]
            one = found[id(reader)]
            one.square += x.T @ x
            one.total += x.sum(axis=0)
            one.count += len(x)

        return network.get_submodule(reader.name).register_forward_pre_hook(hook)

    with hooked([note(reader) for reader in readers]), torch.no_grad():
        network.eval()
        for now, chunk in chunks(arrays):  # noqa: B007 - the hooks read it
            network(*chunk)
    return found


def _sensitivity(network: nn.Module, names: set[str], arrays: Sequence[Tensor], output: OutputType) -> dict[str, np.ndarray]:
    """Give float64[output] per layer: the mean over examples of the squared slopes of the loss, summed over positions."""
    sums: dict[str, np.ndarray] = {}
    count = min(_FISHER_EXAMPLES, len(arrays[0]))

    def note(name: str) -> torch.utils.hooks.RemovableHandle:
        def hook(layer: nn.Module, _: object, y: Tensor) -> None:
            def add(slope: Tensor) -> None:
                wide = slope.movedim(column_axis(layer), -1).reshape(-1, slope.shape[column_axis(layer)]).double()
                sums[name] = sums.get(name, np.zeros(wide.shape[1])) + wide.square().sum(0).numpy() / count

            if y.requires_grad:
                y.register_hook(add)  # type: ignore[no-untyped-call]

        return network.get_submodule(name).register_forward_hook(hook)

    generator = torch.Generator().manual_seed(0)
    with hooked([note(name) for name in sorted(names)]):
        network.eval()
        for _, chunk in chunks([array[:count] for array in arrays]):
            scores = network(*chunk)
            scores.backward(_slope(scores.detach(), output, generator))
    network.zero_grad(set_to_none=True)
    return {name: sums.get(name, np.ones(1)) for name in names}


def _slope(scores: Tensor, output: OutputType, generator: torch.Generator) -> Tensor:
    """Draw the slope of the loss at the scores, for labels drawn from what the network itself believes."""
    if output.loss == "cross_entropy":
        shares = torch.softmax(scores, dim=1)
        drawn = torch.multinomial(shares, 1, generator=generator)
        return shares.scatter_add(1, drawn, -torch.ones_like(drawn, dtype=shares.dtype))
    if output.loss == "binary_cross_entropy":
        shares = torch.sigmoid(scores)
        return shares - torch.bernoulli(shares, generator=generator)
    return torch.randn(scores.shape, generator=generator)


def _metric(network: nn.Module, reader: Reader, sensitivity: np.ndarray) -> np.ndarray:
    """Give float64[channel, channel]: how much an error of each pair of channels moves the outputs that matter."""
    layer = layer_of(network, reader.name)
    weight = layer.weight.detach().double().numpy()
    if isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d):
        weight = weight.swapaxes(0, 1)
    groups = layer.groups if isinstance(layer, nn.Conv1d | nn.Conv2d) else 1
    outer, inner = weight.shape[:2]
    wide = weight.reshape(outer, inner, -1) * np.sqrt(np.broadcast_to(sensitivity, (outer,)))[:, None, None]
    total = np.zeros((len(reader.places),) * 2)
    for column in reader.places.T:  # int64[channel], positions on the input's axis
        group = column // inner
        rows = wide.reshape(groups, outer // groups, inner, -1)[group, :, column % inner]  # [channel, output, tap]
        flat = rows.reshape(len(column), -1)
        total += flat @ flat.T * np.equal.outer(group, group)
    return total


def _size_of(network: nn.Module, group: Group) -> np.ndarray:
    """Give a diagonal metric from the weights that make the channels, for a group whose readers are not known."""
    total = np.zeros(group.size)
    state = network.state_dict()
    for place in group.producers:
        sizes = state[place.tensor].double().movedim(place.axis, 0).flatten(1).square().sum(1).numpy()
        inside = place.channels >= 0
        total += np.bincount(place.channels[inside], sizes[inside], minlength=group.size)
    return np.diag(total)


def _eliminate(size: int, pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> Ranking:
    """Take channels away one by one; see the module. pairs: (covariance, metric) per reader.

    With P the inverse covariance of those kept and B the predictor of all channels from them, taking c away adds
    ``(b_c^T A b_c) / P_cc`` to the error, b_c being the column of B.
    """
    inverses, predictors = [], []
    for covariance, _ in pairs:
        ridge = _RIDGE * max(float(np.trace(covariance)) / size, 1e-12)
        inverses.append(np.linalg.inv(covariance + ridge * np.eye(size)))
        predictors.append(np.eye(size))
    here = np.ones(size, bool)
    order, errors = [], np.zeros(size + 1)
    for left in range(size, 0, -1):
        costs = np.zeros(size)
        for (_, metric), inverse, predictor in zip(pairs, inverses, predictors, strict=True):
            diagonal = np.where(here, np.diag(inverse), 1.0)
            costs += np.einsum("ic,ic->c", predictor, metric @ predictor) / diagonal
        costs[~here] = np.inf
        gone = int(np.argmin(costs))
        errors[left - 1] = errors[left] + max(float(costs[gone]), 0.0)
        order.append(gone)
        for place, (inverse, predictor) in enumerate(zip(inverses, predictors, strict=True)):
            row = inverse[gone] / inverse[gone, gone]
            predictors[place] = predictor - np.outer(predictor[:, gone], row)
            inverses[place] = inverse - np.outer(inverse[:, gone], row)
            predictors[place][:, gone] = 0.0
            inverses[place][gone, :] = inverses[place][:, gone] = 0.0
        here[gone] = False
    return Ranking(np.array(order), errors)
