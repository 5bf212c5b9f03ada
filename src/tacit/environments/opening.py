"""From what a person gives as an environment or a game to an `Environment` or a `Game`."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from tacit.environments.environment import Environment
from tacit.environments.game import Game
from tacit.environments.game_check import lacks
from tacit.ground.errors import ConfigError
from tacit.ground.tables import did_you_mean, resolve
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


def game_of(given: Any, *, directory: Path | None = None) -> Game:
    """Give the game of an object with the rules, a class or function that makes one, or ``"module:name"`` of either.

    directory: where a module is looked for first, as in ``"rules.py:MyGame"``. Raises: ConfigError.
    """
    if isinstance(given, str):
        given = named(given, directory, what="a game")
    if isinstance(given, type) or (callable(given) and lacks(given)):
        try:
            given = given()
        except Exception as error:  # a person's code
            raise ConfigError(f"expected a game that can be made - at `{given!r}`", cause=f"{type(error).__name__}: {error}") from error
    lacking = lacks(given)
    if lacking:
        raise ConfigError(
            f"expected a game, got {what_came(given)} without {', '.join(f'`{part}`' for part in lacking)}",
            fix="see the protocol `tacit.environments.game.Game`",
        )
    game: Game = given
    return game


def named(reference: str, directory: Path | None, *, what: str) -> Any:
    """Give what ``module:name`` or ``file.py:name`` is called; a file is looked for in `directory`. Raises: ConfigError."""
    place, _, attribute = reference.partition(":")
    if not place or not attribute:
        raise ConfigError(f"expected {what} as `module:name` or `file.py:name`, got `{reference}`", fix="rules.py:MyGame")
    try:
        module = _from_file(directory or Path(), place) if place.endswith(".py") else importlib.import_module(place)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"expected the module of {what}, there is none - at `{reference}`", cause=str(error), fix="file.py:name"
        ) from error
    except Exception as error:  # a person's code
        raise ConfigError(f"expected a module that can be imported - at `{reference}`", cause=f"{type(error).__name__}: {error}") from error
    if not hasattr(module, attribute):
        known = [name for name in vars(module) if not name.startswith("_")]
        raise ConfigError(f"expected {what} in `{place}`, got `{attribute}`", fix=did_you_mean(attribute, known))
    return getattr(module, attribute)


def _from_file(directory: Path, place: str) -> ModuleType:
    path = (directory / place).resolve()
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"there is no file `{path.name}` in `{directory}`")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)  # so that what it defines can be pickled
    spec.loader.exec_module(module)
    return module
