"""Where a network is trained, and in which precision it multiplies there."""

from __future__ import annotations

import torch

from tacit.ground.errors import ConfigError


def device_for(name: str) -> torch.device:
    """Choose the device: ``auto`` takes CUDA, then Apple's MPS, when there is one. `CUDA_VISIBLE_DEVICES` is respected.

    Raises: ConfigError when the device is unknown or not there.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(
            f"expected a device that is there, got `{name}`", cause=str(error).splitlines()[0], fix="--device auto"
        ) from error
    return device


def multiplies_bfloat16(device: torch.device) -> bool:
    """Tell whether bfloat16 is multiplied in hardware and so pays: CUDA, or a CPU with matrix tiles (AMX).

    Without them bfloat16 is four times slower than float32 on a CPU. The answer depends on the machine alone, not on a
    measurement, so that equal runs stay equal.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    probe = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return device.type == "cpu" and probe is not None and bool(probe())
