"""From what a person gives as an environment to an `Environment`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tacit.environments.environment import Environment
from tacit.ground.errors import ConfigError
from tacit.ground.tables import resolve
from tacit.signature.base import Signature
from tacit.signature.checks import what_came

_LANES = "tacit.environments.gymnasium_lanes"


def environment_of(given: Any, *, signature: Signature | None = None, options: Mapping[str, Any] | None = None) -> Environment:
    """Give the environment of a Gymnasium id, a function that makes one, an object with Gymnasium's interface, or one of Tacit's own.

    signature: the types where a person names them; they have to fit. options: of the id. Raises: UnknownName for an id that is not
    registered, MissingPackage without Gymnasium, ConfigError for anything else and for spaces without a type.

    >>> print(environment_of("CartPole-v1").signature)
    Vector(4) >> Class("0", "1")
    """
    if isinstance(given, Environment) and not isinstance(given, type):
        if signature is not None and signature != given.signature:
            raise ConfigError(f"expected the signature {given.signature} of the environment `{given.name}`, got {signature}")
        return given
    opened: Environment
    if isinstance(given, str):
        opened = resolve(f"{_LANES}:GymnasiumEnvironment")(given, resolve(f"{_LANES}:Registered")(given, dict(options or {})), signature)
    elif hasattr(given, "step") and hasattr(given, "reset") and not isinstance(given, type):
        copied = resolve(f"{_LANES}:Copied")(given)
        opened = resolve(f"{_LANES}:GymnasiumEnvironment")(type(given).__name__, copied, signature)
    elif callable(given):
        opened = resolve(f"{_LANES}:GymnasiumEnvironment")(getattr(given, "__name__", type(given).__name__), given, signature)
    else:
        raise ConfigError(
            f"expected an environment, got {what_came(given)}",
            fix='the id of a registered one, such as "CartPole-v1", a function that makes one, or an object with `reset` and `step`',
        )
    return _typed(opened)


def _typed(environment: Environment) -> Environment:
    """Ask for the types now, so that what is wrong with them is said before anything else is done."""
    (_,) = environment.signature.input.arrays
    return environment
