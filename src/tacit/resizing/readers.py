"""What the layers of a network read and give while examples run through it: gathered by hooks, a few positions of each example."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from tacit.resizing.channels import Group
from tacit.search.columns import seed_of

#: So many rows (example and position) of a layer tell enough of it: ten times the columns of a wide one.
ROWS = 40_000
CHUNK = 256

Layer = nn.Conv1d | nn.Conv2d | nn.ConvTranspose1d | nn.ConvTranspose2d | nn.Linear
BatchNorm = nn.modules.batchnorm._BatchNorm
_LAYERS = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.Linear)


@dataclass(frozen=True, eq=False)
class Reader:
    """A layer that reads a group. places: int64[channel, k], where each channel stands on the channel axis of the layer's input."""

    name: str
    places: np.ndarray


def readers_of(network: nn.Module, group: Group) -> tuple[Reader, ...]:
    """Give the layers that read a group; a weight that no layer of PyTorch holds is left out."""
    found = []
    for place in group.consumers:
        name, _, attribute = place.tensor.rpartition(".")
        layer = network.get_submodule(name)
        if not isinstance(layer, _LAYERS) or attribute != "weight":
            continue
        repeats = layer.groups if isinstance(layer, nn.Conv1d | nn.Conv2d) else 1
        channels = np.tile(place.channels, repeats)
        standing = [np.flatnonzero(channels == channel) for channel in range(group.size)]
        if len({len(each) for each in standing}) == 1:
            found.append(Reader(name, np.stack(standing)))
    return tuple(found)


def layer_of(network: nn.Module, name: str) -> Layer:
    """Give a layer by its name."""
    layer = network.get_submodule(name)
    if not isinstance(layer, _LAYERS):
        raise TypeError(f"{name} is no layer with weights")
    return layer


def column_axis(layer: nn.Module) -> int:
    """Give the axis of channels of a layer's input and output."""
    return -1 if isinstance(layer, nn.Linear) else 1


class Enough(Exception):
    """Raised inside a forward pass that has come as far as it is needed."""


@contextmanager
def hooked(handles: Sequence[torch.utils.hooks.RemovableHandle]) -> Iterator[None]:
    """Remove hooks at the end."""
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def chunks(arrays: Sequence[Tensor]) -> Iterator[tuple[int, tuple[Tensor, ...]]]:
    """Give a few examples at a time, and the number of the chunk."""
    for number, start in enumerate(range(0, len(arrays[0]), CHUNK)):
        yield number, tuple(array[start : start + CHUNK] for array in arrays)


class Additions(TorchFunctionMode):
    """Call `met(first, second, sum)` for every addition of two tensors inside the block."""

    def __init__(self, met: Callable[[Tensor, Tensor, Tensor], None]) -> None:
        super().__init__()
        self.met = met

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation, and tell of it."""
        made = func(*args, **(kwargs or {}))
        if func in _ADDITIONS and len(args) == 2 and all(isinstance(one, Tensor) for one in args) and args[0].shape == args[1].shape:
            self.met(args[0], args[1], made)
        return made


_ADDITIONS = (torch.add, Tensor.add, Tensor.__add__, Tensor.__radd__)


@dataclass(frozen=True, eq=False)
class Links:
    """How layers hang together. order: as a forward pass meets them. norms: layer -> the batch norm behind it. summed: those whose result,
    behind the norm, is the last to come into a sum of two."""

    order: tuple[str, ...]
    norms: Mapping[str, str]
    summed: frozenset[str]


def links_of(network: nn.Module, arrays: Sequence[Tensor], names: Sequence[str]) -> Links:
    """Find out how layers hang together by a forward pass over two examples."""
    gave: dict[str, Tensor] = {}
    norms: dict[str, str] = {}
    ends: dict[str, Tensor] = {}
    summed: set[str] = set()

    def layer_hook(name: str) -> torch.utils.hooks.RemovableHandle:
        def hook(_: nn.Module, __: object, y: Tensor) -> None:
            if name not in gave:
                gave[name] = ends[name] = y

        return network.get_submodule(name).register_forward_hook(hook)

    def norm_hook(norm: str) -> torch.utils.hooks.RemovableHandle:
        def hook(_: nn.Module, given: tuple[Tensor, ...], y: Tensor) -> None:
            for name, tensor in gave.items():
                if tensor is given[0]:
                    norms[name], ends[name] = norm, y

        return network.get_submodule(norm).register_forward_hook(hook)

    def met(first: Tensor, second: Tensor, _: Tensor) -> None:
        both = [name for name, tensor in ends.items() if tensor is first or tensor is second]
        summed.update(both[-1:])

    handles = [layer_hook(name) for name in names]
    handles += [norm_hook(name) for name, part in network.named_modules() if isinstance(part, BatchNorm) and part.running_mean is not None]
    with hooked(handles), torch.no_grad(), Additions(met):
        network.eval()(*(array[:2] for array in arrays))
    return Links(tuple(gave), norms, frozenset(summed))


def rows_of(tensor: Tensor, axis: int, *, name: str, chunk: int, total: int) -> Tensor:
    """Give float32[row, channel] of an array [batch, ...]: for every example the same few of its positions, drawn by name and chunk."""
    flat = tensor.movedim(axis, -1)
    flat = flat.reshape(flat.shape[0], -1, flat.shape[-1])
    return flat[:, _chosen(flat.shape[1], name, chunk, total)].reshape(-1, flat.shape[-1])


def _chosen(count: int, name: str, chunk: int, total: int) -> Tensor:
    most = max(1, ROWS // max(total, 1))
    if count <= most:
        return torch.arange(count)
    generator = torch.Generator().manual_seed(seed_of("positions", name, chunk))
    return torch.randperm(count, generator=generator)[:most].sort().values


def patches_of(layer: nn.Module, x: Tensor, *, name: str, chunk: int, total: int) -> Tensor | None:
    """Give float32[row, column]: what each chosen output position of a layer reads, columns in the order of its weight.

    None for layers that are not refitted: transposed and grouped convolutions, and borders that are not zeros.
    """
    if isinstance(layer, nn.Linear):
        return rows_of(x, -1, name=name, chunk=chunk, total=total)
    if not isinstance(layer, nn.Conv1d | nn.Conv2d) or layer.groups != 1 or layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        return None
    if isinstance(layer, nn.Conv1d):
        x = x.unsqueeze(2)
        found = F.unfold(
            x, (1, layer.kernel_size[0]), (1, layer.dilation[0]), (0, int(layer.padding[0])), (1, layer.stride[0])
        )  # float32[batch, channel * tap, position]
    else:
        found = F.unfold(x, layer.kernel_size, layer.dilation, layer.padding, layer.stride)
    return rows_of(found, 1, name=name, chunk=chunk, total=total)


def gather(network: nn.Module, arrays: Sequence[Tensor], links: Links) -> dict[str, Tensor]:
    """Give what layers give, float32[row, channel] each, at the chosen rows (see `rows_of`); for `links.summed` the sum they end in."""
    kept: dict[str, list[Tensor]] = {name: [] for name in links.order}
    ends: dict[str, Tensor] = {}
    now, total = 0, len(arrays[0])

    def keep(name: str, tensor: Tensor) -> None:
        kept[name].append(rows_of(tensor, column_axis(network.get_submodule(name)), name=name, chunk=now, total=total))

    def note(name: str) -> torch.utils.hooks.RemovableHandle:
        if name in links.summed:
            return end_hook(network, name, links, ends)
        return network.get_submodule(name).register_forward_hook(lambda _, __, y: keep(name, y))

    def met(first: Tensor, second: Tensor, made: Tensor) -> None:
        for name, end in ends.items():
            if end is first or end is second:
                keep(name, made)

    with hooked([note(name) for name in links.order]), torch.no_grad(), Additions(met):
        network.eval()
        for now, chunk in chunks(arrays):  # noqa: B007 - the hooks read it
            ends.clear()
            network(*chunk)
    return {name: torch.cat(parts) for name, parts in kept.items()}


def end_hook(network: nn.Module, name: str, links: Links, ends: dict[str, Tensor]) -> torch.utils.hooks.RemovableHandle:
    """Note in `ends` what comes out of a layer and of the batch norm behind it."""

    def hook(_: nn.Module, __: object, y: Tensor) -> None:
        ends[name] = y

    return network.get_submodule(links.norms.get(name, name)).register_forward_hook(hook)
