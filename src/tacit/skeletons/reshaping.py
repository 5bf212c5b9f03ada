"""Give a network the widths of a state that was cut down or widened: what resize makes is the skeleton's network with other shapes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from tacit.ground.errors import ConfigError, raise_all

#: What counts channels in a module: attribute -> (parameter or buffer, axis, whether the count is per group along that axis).
_COUNTS: tuple[tuple[type[nn.Module], str, str, int], ...] = (
    (nn.Linear, "out_features", "weight", 0),
    (nn.Linear, "in_features", "weight", 1),
    (nn.Embedding, "num_embeddings", "weight", 0),
    (nn.Embedding, "embedding_dim", "weight", 1),
    (nn.modules.batchnorm._BatchNorm, "num_features", "running_mean", 0),
)


def fit_shapes(network: nn.Module, state: Mapping[str, Tensor]) -> nn.Module:
    """Load a state whose tensors may have other lengths than the network's, in place, and give the network.

    state: a tensor of the same number of axes for every tensor of `network.state_dict()`. The numbers of channels that modules keep
    (`in_channels`, `num_features` ...) follow. Raises: ConfigError naming every tensor that is missing, unknown, or of another rank.
    """
    own = network.state_dict()
    problems = [f"the tensor `{name}` is not in both" for name in sorted(set(own) ^ set(state))]
    problems += [
        f"`{name}` has {state[name].ndim} axes, not {tensor.ndim}"
        for name, tensor in own.items()
        if name in state and state[name].ndim != tensor.ndim
    ]
    raise_all(problems, heading="expected the state of the same network, of whatever widths", error=ConfigError)
    for prefix, module in network.named_modules():
        for name, parameter in list(module._parameters.items()):
            tensor = state.get(f"{prefix}.{name}" if prefix else name)
            if parameter is not None and tensor is not None and tensor.shape != parameter.shape:
                module._parameters[name] = nn.Parameter(
                    torch.empty_like(tensor, dtype=parameter.dtype), requires_grad=parameter.requires_grad
                )
        for name, buffer in list(module._buffers.items()):
            tensor = state.get(f"{prefix}.{name}" if prefix else name)
            if buffer is not None and tensor is not None and tensor.shape != buffer.shape:
                module._buffers[name] = torch.empty_like(tensor, dtype=buffer.dtype)
        _recount(module)
    network.load_state_dict(dict(state))
    return network


def _recount(module: nn.Module) -> None:
    """Set the numbers of channels that a module keeps beside its tensors to those of its tensors."""
    if isinstance(module, nn.modules.conv._ConvNd):
        transposed = isinstance(module, nn.modules.conv._ConvTransposeNd)
        outer, inner = module.weight.shape[:2]
        if module.groups > 1 and module.groups == module.in_channels and inner == 1 and not transposed:
            module.groups = outer // (module.out_channels // module.in_channels)  # depthwise: equally many filters for every channel
        counts = (inner * module.groups, outer) if not transposed else (outer, inner * module.groups)
        module.in_channels, module.out_channels = counts
    for kind, attribute, tensor, axis in _COUNTS:
        if isinstance(module, kind) and isinstance(getattr(module, tensor), Tensor):
            setattr(module, attribute, getattr(module, tensor).shape[axis])
