"""Deepen a network without changing what it computes: its skeleton with a greater depth, whose new blocks begin as nothing.

A new block is one whose sum with its input is that input as long as its last layer gives 0. The layers that were there are found again
by their kind and order; a new block takes the widths of the one before it. Source: Chen et al. 2016, "Net2Net", section 2.3 (identity
layers); of the zero at the end: He et al. 2018, "Bag of Tricks for Image Classification", section 3.1.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from tacit.ground.errors import ConfigError
from tacit.lowering.export import sample_arrays
from tacit.resizing.widening import TOLERANCE, difference
from tacit.signature.base import ArraySpec
from tacit.skeletons.reshaping import fit_shapes

_BATCH = 4


def deepened(network: nn.Module, template: nn.Module, specs: Sequence[ArraySpec]) -> nn.Module:
    """Give the network with the further layers of `template`, the same skeleton built deeper; both are left as they are.

    specs: what the forward takes, batch first. Raises: ConfigError when the layers of the network are not found in the template, or
    when the new ones can't begin as nothing.
    """
    made = copy.deepcopy(template)
    state = dict(_states(network, made, ""))
    cause = None
    try:
        grown = fit_shapes(made, state)
        apart = difference(grown, network, sample_arrays(specs, batch=_BATCH))
    except (RuntimeError, ValueError, ConfigError) as error:
        apart, cause = float("inf"), f"{type(error).__name__}: {str(error).splitlines()[0]}"
    if apart > TOLERANCE:
        raise ConfigError(
            f"expected new layers that leave the scores as they are, got a relative difference of {apart:.2g}",
            cause=cause or "its blocks are not sums with their input",
            fix="grow without --deeper",
        )
    return grown


def _states(old: nn.Module, new: nn.Module, prefix: str) -> Iterator[tuple[str, Tensor]]:
    """Give the tensors of the deeper network by name: those of the old one where it has the layer, else those of a new block."""
    for name, tensor in (*old._parameters.items(), *old._buffers.items()):
        if tensor is not None:
            yield prefix + name, tensor.detach()
    before: nn.Module | None = None
    for name, inner, outer in _matched(old, new, prefix):
        if inner is None:
            block = _as_nothing(outer if before is None or type(before) is not type(outer) else before)
            yield from ((f"{prefix}{name}.{key}", tensor) for key, tensor in block.state_dict().items())
        else:
            yield from _states(inner, outer, f"{prefix}{name}.")
            before = inner


def _matched(old: nn.Module, new: nn.Module, prefix: str) -> list[tuple[str, nn.Module | None, nn.Module]]:
    """Give (name in the new one, layer of the old one, layer of the new one) for all inner layers; None where it is a new one.

    In a sequence the next layer of the old one is the next of its kind, else by name. Raises: ConfigError.
    """
    left = list(old.named_children())
    found: list[tuple[str, nn.Module | None, nn.Module]] = []
    for name, outer in new.named_children():
        if left and type(left[0][1]) is type(outer):
            found.append((name, left.pop(0)[1], outer))
        else:
            found.append((name, None, outer))
    grows = any(inner is None for _, inner, _ in found)
    if left or (grows and not isinstance(new, nn.Sequential | nn.ModuleList)):
        raise ConfigError(
            f"expected the layers of the network in the deeper one, got others - at `{prefix.rstrip('.') or 'the network'}`",
            fix="grow without --deeper",
        )
    return found


def _as_nothing(block: nn.Module) -> nn.Module:
    """Give a copy of a block with fresh weights, whose last layer gives 0."""
    fresh = copy.deepcopy(block)
    for layer in fresh.modules():
        reset = getattr(layer, "reset_parameters", None)
        if callable(reset):
            reset()
    weighted = [layer for layer in fresh.modules() if isinstance(getattr(layer, "weight", None), nn.Parameter)]
    if weighted:
        with torch.no_grad():
            for parameter in weighted[-1].parameters(recurse=False):
                parameter.zero_()
    return fresh
