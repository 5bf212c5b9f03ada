"""Checkpoints: one safetensors file, replaced in one step, so that a kill at any moment leaves a whole one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from tacit.ground.errors import FormatError
from tacit.ground.files import write_atomic


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
    """Write tensors and JSON values. Raises: TacitError when the disk is full; the earlier checkpoint is then untouched."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_atomic(path, save(plain, metadata={"values": json.dumps(values, allow_nan=True)}))


def load_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save_checkpoint` wrote. Raises: FormatError when the file is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            values = json.loads((file.metadata() or {})["values"])
            return {name: file.get_tensor(name) for name in file.keys()}, values  # noqa: SIM118
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise FormatError(
            f"expected a checkpoint, got a damaged file - at `{path}`", cause=str(error), fix="compile without --resume"
        ) from error


def load_values(path: Path) -> dict[str, Any]:
    """Read the JSON values alone. Raises: FormatError when the file is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            values: dict[str, Any] = json.loads((file.metadata() or {})["values"])
            return values
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise FormatError(f"expected a checkpoint, got a damaged file - at `{path}`", cause=str(error)) from error


def tensors_under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give the tensors whose names begin with `prefix`, without it."""
    return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
