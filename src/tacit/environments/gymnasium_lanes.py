"""Environments with Gymnasium's interface: by id, by a function that makes one, or an object of which copies are made."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import gymnasium
import numpy as np

from tacit.environments.environment import Step
from tacit.environments.spaces import reader, signature_of, writer
from tacit.ground.errors import ConfigError, InputError, MissingPackage, UnknownName
from tacit.ground.tables import did_you_mean
from tacit.signature.base import Signature

Make = Callable[[], Any]


@dataclass(frozen=True)
class Registered:
    """Make an environment by its Gymnasium id. Pickles, so that workers elsewhere make their own."""

    id: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self) -> Any:
        """Make one. Raises: UnknownName, MissingPackage, ConfigError."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # such as "a newer version exists": the person chose this one
                # `disable_env_checker`: `Checked` looks at what matters, for all lanes at once and in every step
                return gymnasium.make(self.id, disable_env_checker=True, **self.options)
        except gymnasium.error.UnregisteredEnv as error:
            raise UnknownName(
                f"expected the id of an environment, got `{self.id}`", fix=did_you_mean(self.id, sorted(gymnasium.registry))
            ) from error
        except (gymnasium.error.DependencyNotInstalled, ModuleNotFoundError) as error:
            raise MissingPackage(f"the environment `{self.id}` needs a package that is not installed", fix=_install(error)) from error
        except Exception as error:  # a person's options, or a person's registered code
            raise ConfigError(
                f"expected an environment that can be made - at `{self.id}`",
                cause=f"{type(error).__name__}: {error}",
                fix="look at its options" if self.options else "make it by hand: gymnasium.make(...)",
            ) from error


@dataclass(frozen=True, eq=False)
class Copied:
    """Make copies of an environment that a person gave as an object."""

    original: Any

    def __call__(self) -> Any:
        """Copy it. Raises: ConfigError when it can't be copied."""
        try:
            return copy.deepcopy(self.original)
        except Exception as error:
            raise ConfigError(
                f"expected an environment that can be copied, got a `{type(self.original).__name__}`",
                cause=f"{type(error).__name__}: {error}",
                fix="give a function that makes one: environment=lambda: MyEnvironment()",
            ) from error


@dataclass(frozen=True, eq=False)
class GymnasiumEnvironment:
    """An environment made of single ones with Gymnasium's interface."""

    name: str
    make: Make
    given: Signature | None = None

    @cached_property
    def signature(self) -> Signature:
        """Its types. Raises: ConfigError for spaces that have none."""
        one = made(self.make, self.name)
        signature = signature_of(one.observation_space, one.action_space, name=self.name, given=self.given)
        closed(one)
        return signature

    def lanes(self, count: int) -> GymnasiumLanes:
        """Make `count` of them."""
        return GymnasiumLanes([made(self.make, self.name) for _ in range(count)], self.signature, self.name)


class GymnasiumLanes:
    """Single environments, stepped one after the other."""

    def __init__(self, environments: list[Any], signature: Signature, name: str) -> None:
        self._environments, self._name = environments, name
        self._spec = signature.input.arrays[0]
        self._read = reader(environments[0].observation_space, signature.input)
        self._write = writer(environments[0].action_space, signature.output)

    def reset(self, lanes: np.ndarray, seeds: Sequence[int]) -> np.ndarray:
        """Begin episodes. Raises: InputError when the environment fails."""
        observations = np.empty((len(lanes), *self._spec.shape), self._spec.dtype)
        for place, (lane, seed) in enumerate(zip(lanes.tolist(), seeds, strict=True)):
            try:
                observations[place] = self._read(self._environments[lane].reset(seed=int(seed))[0])
            except Exception as error:
                raise self._failure("reset", f"seed={seed}", error) from error
        return observations

    def step(self, lanes: np.ndarray, actions: np.ndarray) -> Step:
        """Act. Raises: InputError when the environment fails."""
        count = len(lanes)
        observations = np.empty((count, *self._spec.shape), self._spec.dtype)
        rewards, ended, cut = np.empty(count), np.empty(count, bool), np.empty(count, bool)
        for place, (lane, action) in enumerate(zip(lanes.tolist(), self._write(actions), strict=True)):
            try:
                observation, rewards[place], ended[place], cut[place], _ = self._environments[lane].step(action)
                observations[place] = self._read(observation)
            except Exception as error:
                raise self._failure("step", str(action), error) from error
        return Step(observations, rewards, ended, cut)

    def _failure(self, call: str, argument: str, error: Exception) -> InputError:
        return InputError(
            f"expected an environment that runs, `{call}({argument})` failed - at `{self._name}`",
            cause=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}".rstrip(": "),
            fix="call it by hand; `reset` gives (observation, info), `step` (observation, reward, terminated, truncated, info)",
        )


def made(make: Make, name: str) -> Any:
    """Make one environment and see that it has the interface. Raises: ConfigError."""
    try:
        one = make()
    except (ConfigError, UnknownName, MissingPackage):
        raise
    except Exception as error:
        raise ConfigError(
            f"expected a function that makes an environment - at `{name}`", cause=f"{type(error).__name__}: {error}"
        ) from error
    lacking = [part for part in ("reset", "step", "observation_space", "action_space") if not hasattr(one, part)]
    if lacking:
        raise ConfigError(
            f"expected an environment with Gymnasium's interface, got a `{type(one).__name__}` without "
            f"{', '.join(f'`{part}`' for part in lacking)} - at `{name}`",
            fix='the id of a registered one, such as "CartPole-v1", or an object that inherits gymnasium.Env',
        )
    return one


def closed(one: Any) -> None:
    """Let an environment go."""
    if hasattr(one, "close"):
        one.close()


def _install(error: Exception) -> str:
    """Give the `pip install` line that the error itself names, else the one of this project."""
    _, found, rest = str(error).partition("pip install ")
    return f"pip install {rest.strip().strip('`.')}" if found else 'pip install "tacit[act]"'
