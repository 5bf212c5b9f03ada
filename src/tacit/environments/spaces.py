"""From Gymnasium's spaces to types, and from the values of one to those of the other."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.spaces.utils import flatdim, flatten

from tacit.ground.errors import ConfigError
from tacit.signature.base import InputType, Joint, OutputType, Signature
from tacit.signature.image import Image
from tacit.signature.outputs import Class, Number
from tacit.signature.vector import Vector

#: A space flattens to numbers when it is made of these.
_FLAT = (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)
_ACTIONS = (spaces.Discrete, spaces.Box, spaces.MultiDiscrete)
_MOST_ACTIONS = 65_536


def signature_of(observation: Any, action: Any, *, name: str, given: Signature | None = None) -> Signature:
    """Give the signature of an environment with these spaces, or check one that a person gave against them.

    Raises: ConfigError naming every space that has no type, and what would do.
    """
    problems = (
        []
        if _flattens(observation)
        else [f"the observation space {_spell(observation)}: {_instead(_FLAT, ', or a Dict or Tuple of them')}"]
    )
    problems += (
        []
        if _acts(action)
        else [f"the action space {_spell(action)}: {_instead(_ACTIONS, ', Box of floats, the others with at least two choices')}"]
    )
    if problems:
        raise ConfigError(
            "\n".join([f"expected an environment whose spaces have a type - at `{name}`", *(f"  - {problem}" for problem in problems)]),
            fix="wrap the environment: gymnasium.wrappers.TransformObservation, TransformAction",
        )
    if given is None:
        return _input(observation) >> _output(action)
    shape, width = _shape(observation), _output(action).width
    if len(given.input.arrays) != 1 or math.prod(given.input.arrays[0].shape) != math.prod(shape):
        problems.append(f"expected an input of {math.prod(shape)} numbers in one array, got {given.input!r}; {_input(observation)!r} fits")
    if given.output.width != width or given.output.kind != _output(action).kind:
        problems.append(f"expected an output such as {_output(action)!r}, got {given.output!r}")
    if problems:
        raise ConfigError("\n".join([f"the signature does not fit the environment - at `{name}`", *(f"  - {text}" for text in problems)]))
    return given


def reader(space: Any, kind: InputType) -> Callable[[Any], np.ndarray]:
    """Give the function from an observation to the array of `kind`, [*shape]."""
    (spec,) = kind.arrays
    if isinstance(space, spaces.Box):
        return lambda value: np.asarray(value, spec.dtype).reshape(spec.shape)
    return lambda value: np.asarray(flatten(space, value), spec.dtype).reshape(spec.shape)


def writer(space: Any, output: OutputType) -> Callable[[np.ndarray], Any]:
    """Give the function from targets [lane, ...] to a sequence of actions, one per lane."""
    if isinstance(space, spaces.Discrete):
        start = int(space.start)
        return lambda targets: [start + int(target) for target in targets]
    if isinstance(space, spaces.MultiDiscrete):
        starts = np.asarray(space.start)
        return lambda targets: (targets.round().astype(space.dtype) + starts.reshape(-1)).reshape(len(targets), *space.shape)
    parts = output.parts if isinstance(output, Joint) else (output,)
    numbers = [part for part in parts if isinstance(part, Number)]
    mean, scale = (np.array([getattr(part, name) for part in numbers], np.float64) for name in ("mean", "scale"))
    low, high = space.low.reshape(-1), space.high.reshape(-1)
    return lambda targets: np.clip(targets * scale + mean, low, high).astype(space.dtype).reshape(len(targets), *space.shape)


def _flattens(space: Any) -> bool:
    if isinstance(space, spaces.Dict):
        return all(map(_flattens, space.values()))
    if isinstance(space, spaces.Tuple):
        return all(map(_flattens, space.spaces))
    return isinstance(space, _FLAT)


def _acts(space: Any) -> bool:
    if isinstance(space, spaces.Discrete):
        return 2 <= int(space.n) <= _MOST_ACTIONS
    if isinstance(space, spaces.MultiDiscrete):
        return bool((np.asarray(space.nvec) >= 2).all())
    return isinstance(space, spaces.Box) and bool(np.issubdtype(space.dtype, np.floating)) and math.prod(space.shape) > 0


def _shape(space: Any) -> tuple[int, ...]:
    return tuple(space.shape) if isinstance(space, spaces.Box) else (int(flatdim(space)),)


def _input(space: Any) -> InputType:
    shape = _shape(space)
    if isinstance(space, spaces.Box) and space.dtype == np.uint8 and len(shape) == 3 and shape[2] in (1, 3):
        return Image(shape[0], shape[1], shape[2])
    return Vector(math.prod(shape) if shape else 1)


def _output(space: Any) -> OutputType:
    if isinstance(space, spaces.Discrete):
        return Class(tuple(str(int(space.start) + place) for place in range(int(space.n))))
    if isinstance(space, spaces.MultiDiscrete):
        starts, counts = np.asarray(space.start).reshape(-1), np.asarray(space.nvec).reshape(-1)
        parts: list[OutputType] = [
            Class(tuple(str(start + place) for place in range(count)))
            for start, count in zip(starts.tolist(), counts.tolist(), strict=True)
        ]
    else:
        pairs = zip(space.low.reshape(-1).tolist(), space.high.reshape(-1).tolist(), strict=True)
        parts = [_between(low, high) for low, high in pairs]
    return parts[0] if len(parts) == 1 and not isinstance(space, spaces.MultiDiscrete) else Joint(tuple(parts))


def _between(low: float, high: float) -> Number:
    """Give the number whose scores -1 and 1 are the bounds; where there are none, scores are the number itself."""
    bounded = math.isfinite(low) and math.isfinite(high) and high > low and high - low < 1e6
    return Number((low + high) / 2, (high - low) / 2) if bounded else Number()


def _spell(space: Any) -> str:
    text = str(space)
    return text if len(text) <= 60 else text[:57] + "..."


def _instead(kinds: tuple[type, ...], more: str = "") -> str:
    names = ", ".join(f"`{kind.__name__}`" for kind in kinds)
    return f"{names} would do{more}"
