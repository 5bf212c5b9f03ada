"""Optimisers by name; weight decay falls on matrices and kernels only, not on biases and batch norms."""

from __future__ import annotations

import torch
from torch import nn

from tacit.ground.tables import Table
from tacit.search.recipe import Recipe


def groups(module: nn.Module, decay: float) -> list[dict[str, object]]:
    """Split the parameters into those that decay and those that don't."""
    decayed = [parameter for parameter in module.parameters() if parameter.requires_grad and parameter.ndim > 1]
    plain = [parameter for parameter in module.parameters() if parameter.requires_grad and parameter.ndim <= 1]
    return [{"params": decayed, "weight_decay": decay}, {"params": plain, "weight_decay": 0.0}]


def _fused(module: nn.Module) -> bool:
    """Tell whether the device has an optimiser in one kernel; on a CPU it is several times faster for large embeddings."""
    return next(module.parameters()).device.type in ("cpu", "cuda")


def sgd(module: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Stochastic gradient descent with Nesterov momentum."""
    parameters = groups(module, recipe.weight_decay)
    return torch.optim.SGD(parameters, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=True, fused=_fused(module))


def adamw(module: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""
    return torch.optim.AdamW(groups(module, recipe.weight_decay), lr=recipe.learning_rate, betas=(0.9, 0.99), fused=_fused(module))


OPTIMISERS = Table("optimiser", {"sgd": "tacit.search.optimisers:sgd", "adamw": "tacit.search.optimisers:adamw"}, group="tacit.optimisers")
