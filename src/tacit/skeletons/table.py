"""The table of skeletons, and how a skeleton becomes a network for a signature."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from tacit.ground.errors import ConfigError
from tacit.ground.tables import Table, did_you_mean, resolve
from tacit.signature.signature import Signature
from tacit.skeletons.choices import Open
from tacit.skeletons.convnet import SIZES_1D, SIZES_2D, SPACE_1D, SPACE_2D, STARTS, ChannelsFirst, build_1d, build_2d
from tacit.skeletons.members import Members

#: Names that begin so are networks of another package.
BACKBONE = "timm:"
#: The setting that every skeleton has: how many networks are trained side by side and averaged.
MEMBERS = "members"

Build = Callable[..., nn.Module]


@dataclass(frozen=True)
class Skeleton:
    """A bounded space of networks: `build(signature, **settings)`, and sizes from small to large for the search to choose from."""

    name: str
    build: Build
    sizes: tuple[Mapping[str, Any], ...] = ({},)
    #: The size taken when nothing is measured (a budget in steps), as a place in `sizes`.
    usual: int = 0
    #: What is searched when a person asks for a search and opens nothing; settings known to be good in it; and the setting by which
    #: costs grow, so that a candidate can be made as large as a limit allows.
    space: Mapping[str, Open] = field(default_factory=dict)
    starts: tuple[Mapping[str, Any], ...] = ()
    scale: str | None = None


CONVNET_2D = Skeleton("convnet2d", build_2d, SIZES_2D, usual=2, space=SPACE_2D, starts=STARTS, scale="width")
CONVNET_1D = Skeleton("convnet1d", build_1d, SIZES_1D, usual=1, space=SPACE_1D, starts=STARTS, scale="width")

SKELETONS = Table(
    "skeleton",
    {
        "convnet2d": "tacit.skeletons.table:CONVNET_2D",
        "convnet1d": "tacit.skeletons.table:CONVNET_1D",
        "whitenet": "tacit.skeletons.whitenet:WHITENET",
        "seriesnet": "tacit.skeletons.seriesnet:SERIESNET",
        "mlp": "tacit.skeletons.mlp:MLP",
        "textnet": "tacit.skeletons.textnet:TEXTNET",
        "audionet": "tacit.skeletons.audionet:AUDIONET",
        "product": "tacit.skeletons.product:PRODUCT",
        "vectornet": "tacit.skeletons.vectornet:VECTORNET",
        "boardnet": "tacit.skeletons.boardnet:BOARDNET",
    },
    group="tacit.skeletons",
)


def skeleton_for(signature: Signature, chosen: Any) -> Skeleton:
    """Give the skeleton named `chosen`, the default of the input type (None), or one made of a function or a module class.

    A function takes the signature and settings; a class or function whose first parameter is not `signature` takes settings alone and
    its module gets what PyTorch modules expect (channels first, standardised). ``timm:NAME`` is a network of that package.
    Raises: UnknownName, MissingPackage.
    """
    if chosen is None:
        chosen = signature.input.skeleton
    if isinstance(chosen, Skeleton):
        return chosen
    if isinstance(chosen, str) and chosen.startswith(BACKBONE):
        found: Skeleton = resolve("tacit.skeletons.backbone:backbone")(chosen.removeprefix(BACKBONE))
        return found
    if isinstance(chosen, str):
        row = SKELETONS.get(chosen)
        return row if isinstance(row, Skeleton) else skeleton_for(signature, row)
    if isinstance(chosen, nn.Module):
        return Skeleton(type(chosen).__name__, _Afresh(signature, chosen))
    names = [name for name in inspect.signature(chosen).parameters if name != "self"]
    if names[:1] == ["signature"]:
        return Skeleton(chosen.__name__, chosen)
    return Skeleton(chosen.__name__, _Adapted(signature, chosen))


@dataclass(frozen=True, eq=False)
class _Afresh:
    """Build a copy of a module with weights drawn anew. A class and not a lambda, so that a skeleton pickles when its module does."""

    own: Signature
    module: nn.Module

    def __call__(self, _: Signature) -> nn.Module:
        return adapted(self.own, _afresh(self.module))


@dataclass(frozen=True, eq=False)
class _Adapted:
    """Build what a person's function or class of settings alone makes; it pickles when that does."""

    own: Signature
    make: Callable[..., nn.Module]

    def __call__(self, _: Signature, **settings: Any) -> nn.Module:
        return adapted(self.own, self.make(**settings))


def _afresh(module: nn.Module) -> nn.Module:
    """Copy a module and draw its weights anew, so that every trial, member and seed starts from its own."""
    copied = copy.deepcopy(module)
    for part in copied.modules():
        reset = getattr(part, "reset_parameters", None)
        if callable(reset):
            reset()
    return copied


def adapted(signature: Signature, module: nn.Module) -> nn.Module:
    """Wrap a person's module for one float input; leave it alone where the input has several arrays or integers."""
    specs = signature.input.arrays
    return ChannelsFirst(signature, module) if len(specs) == 1 and specs[0].limit is None else module


def check_settings(skeleton: Skeleton, settings: Mapping[str, Any]) -> None:
    """Refuse settings that the skeleton does not have. Raises: ConfigError naming all of them."""
    parameters = inspect.signature(skeleton.build).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    known = [name for name in parameters if name not in ("signature", "_")]
    problems = [f"  - `skeleton.{name}`: {did_you_mean(name, known)}" for name in settings if name not in (*known, MEMBERS)]
    if problems:
        raise ConfigError("\n".join([f"the skeleton `{skeleton.name}` does not have these settings", *problems]))


def network_for(
    skeleton: Skeleton, signature: Signature, settings: Mapping[str, Any], *, inputs: tuple[np.ndarray, ...], seed: int
) -> nn.Module:
    """Build a network with weights drawn from `seed` and fit what it fits to the training inputs (means, scales, knots).

    inputs: arrays [example, *shape], at most some ten thousand are looked at.
    """
    torch.manual_seed(seed)
    own = {name: value for name, value in settings.items() if name != MEMBERS}
    count = int(settings.get(MEMBERS, 1))
    if count < 1:
        raise ConfigError(f"expected at least 1 member, got {count} - at `skeleton.members`")
    network = skeleton.build(signature, **own)
    if count > 1:
        network = Members([network, *(skeleton.build(signature, **own) for _ in range(count - 1))])
    some = tuple(array[:: max(1, len(array) // 20_000)] for array in inputs)
    if hasattr(network, "fit_inputs"):
        network.fit_inputs(*some)  # type: ignore[operator]
    return network
