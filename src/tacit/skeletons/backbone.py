"""Networks of the package `timm` as skeletons, with pretrained weights that are on this machine already. It is imported on use.

Nothing is ever fetched: weights come from a local file, or from where the Hub's own tools have put them. Those of ResNets and of whatever
else is made of convolutions, batch norms, ReLUs and pooling lower to the two operations; lowering refuses the others by name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from tacit.ground.errors import ConfigError, UnknownName
from tacit.ground.tables import did_you_mean, resolve
from tacit.signature.signature import Signature
from tacit.skeletons.table import Skeleton

#: The setting `weights` for weights drawn at random.
NONE = "none"
#: The files in which the Hub keeps weights, the better one first.
_FILES = ("model.safetensors", "pytorch_model.bin")


class Backbone(nn.Module):
    """Levels float32[batch, row, column, channel] 0..255 -> scores float32[batch, score], by a network that was made for 0..1, whitened.

    mean, scale: float32[channel, 1, 1] of levels, as the weights were trained with them.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, network: nn.Module, *, mean: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", 255.0 * mean.reshape(-1, 1, 1))
        self.register_buffer("scale", 255.0 * scale.reshape(-1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Scores of pictures."""
        scores: Tensor = self.network((x.permute(0, 3, 1, 2) - self.mean) / self.scale)
        return scores


@dataclass(frozen=True)
class Build:
    """Builds the network `name` of timm; a class and not a lambda, so that a skeleton pickles."""

    name: str

    def __call__(self, signature: Signature, *, weights: str | None = None) -> nn.Module:
        """Build the network for a signature of pictures.

        weights: a file (`.safetensors`, or `.pth` with plain tensors), ``none`` for random ones; None: those in the cache of the Hub.
        The last layer is drawn anew, for it has the signature's scores. Raises: ConfigError where weights are not there or are of another
        network.
        """
        (spec,) = signature.input.arrays
        if spec.axes != ("row", "column", "channel"):
            raise ConfigError(f"expected pictures for `timm:{self.name}`, got {signature.input!r} - at `skeleton.name`")
        channels = spec.shape[2]
        network = resolve("timm:create_model")(self.name, pretrained=False, in_chans=channels, num_classes=signature.output.width)
        about: Mapping[str, Any] = network.pretrained_cfg
        if weights != NONE:
            _load(network, found_weights(self.name, about, weights), self.name, about)
        mean, scale = (torch.tensor(about[key], dtype=torch.float32) for key in ("mean", "std"))
        if channels == 1:
            mean, scale = mean.mean(0, keepdim=True), scale.mean(0, keepdim=True)
        return Backbone(network, mean=mean, scale=scale)


def backbone(name: str) -> Skeleton:
    """Give the skeleton ``timm:name``. Raises: UnknownName; MissingPackage without timm."""
    if not resolve("timm:is_model")(name):
        raise UnknownName(
            f"expected a network that timm knows, got `{name}` - at `skeleton.name`", fix=did_you_mean(name, resolve("timm:list_models")())
        )
    return Skeleton(f"timm:{name}", Build(name))


def found_weights(name: str, about: Mapping[str, Any], given: str | None) -> Path:
    """Give the file of the weights: the one that is named, else that in the cache of the Hub. Raises: ConfigError."""
    if given is not None:
        if Path(given).is_file():
            return Path(given)
        raise ConfigError(
            f"expected a file of weights for `timm:{name}`, there is none - at `skeleton.weights`, `{given}`", fix="give its whole path"
        )
    repository = str(about.get("hf_hub_id") or "")
    folder = hub_cache() / f"models--{repository.replace('/', '--')}"
    try:
        snapshot = folder / "snapshots" / (folder / "refs" / "main").read_text(encoding="ascii").strip()
    except OSError:
        snapshot = folder
    for file in _FILES:
        if repository and (snapshot / file).is_file():
            return snapshot / file
    raise ConfigError(
        f"expected the pretrained weights of `timm:{name}` in the cache of the Hub, they are not there - at `{folder}`",
        cause="compiling fetches nothing",
        fix=f'weights = "FILE.safetensors" under [skeleton]; or `hf download {repository}`, once; or weights = "none"',
    )


def hub_cache() -> Path:
    """Give the folder in which the Hub's tools keep what they have fetched."""
    if given := os.environ.get("HF_HUB_CACHE"):
        return Path(given)
    base = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"
    return Path(base) / "hub"


def _load(network: nn.Module, path: Path, name: str, about: Mapping[str, Any]) -> None:
    """Load all weights but those of the last layer; colours become grey where the network sees grey. Raises: ConfigError."""
    try:
        if path.suffix == ".safetensors":
            given = safetensors.torch.load_file(path)
        else:
            given = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the readers raise nearly anything on other files
        raise ConfigError(
            f"expected a file of weights, got one that can't be read - at `{path}`",
            cause=f"{type(error).__name__}: {str(error).splitlines()[0]}",
        ) from error
    own = network.state_dict()
    last = tuple(f"{layer}." for layer in _layers(about.get("classifier")))
    problems = []
    for key, tensor in own.items():
        if key.startswith(last) or key.endswith("num_batches_tracked"):
            continue
        if key not in given:
            problems.append(f"it has no `{key}`")
            continue
        value = given[key]
        if tensor.ndim == 4 and tensor.shape[1] == 1 and key in {f"{layer}.weight" for layer in _layers(about.get("first_conv"))}:
            value = value.sum(dim=1, keepdim=True)
        if value.shape != tensor.shape:
            problems.append(f"`{key}` is {list(value.shape)}, not {list(tensor.shape)}")
            continue
        own[key] = value
    if problems:
        raise ConfigError(
            f"expected the weights of `timm:{name}`, got those of another network - at `{path}`",
            cause="; ".join(problems[:3]) + (f"; and {len(problems) - 3} more" if len(problems) > 3 else ""),
        )
    network.load_state_dict(own)


def _layers(names: Any) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names or ())
