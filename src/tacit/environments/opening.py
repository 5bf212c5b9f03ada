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
from tacit.ground.digests import sha256
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


class FromFile:
    """A game in a file of a person's, ``rules.py:MyGame``. It pickles as its path, so that workers elsewhere load it themselves."""

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._called = Path(path), name
        self._made: Any = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if self._made is None:
            self._made = _made(getattr(_from_file(self._path), self._called, None), f"{self._path.name}:{self._called}")
        return getattr(self._made, name)

    def __reduce__(self) -> tuple[Any, ...]:
        return (FromFile, (self._path, self._called))

    def __repr__(self) -> str:
        return f"{self._path.name}:{self._called}"


def game_of(given: Any) -> Game:
    """Give the game of an object with the rules, a class or function that makes one, or ``module:name`` of either. Raises: ConfigError."""
    game: Game
    if isinstance(given, str):
        place, _, attribute = given.partition(":")
        if not place or not attribute:
            raise ConfigError(f"expected a game as `module:name`, got `{given}`", fix="give the object with the rules itself")
        try:
            module = importlib.import_module(place)
        except ModuleNotFoundError as error:
            raise ConfigError(f"expected the module of a game, there is none - at `{given}`", cause=str(error)) from error
        except Exception as error:  # a person's code
            raise ConfigError(f"expected a module that can be imported - at `{given}`", cause=f"{type(error).__name__}: {error}") from error
        if not hasattr(module, attribute):
            known = [name for name in vars(module) if not name.startswith("_")]
            raise ConfigError(f"expected a game in `{place}`, got `{attribute}`", fix=did_you_mean(attribute, known))
        game = _made(getattr(module, attribute), given)
        return game
    if isinstance(given, type) or (callable(given) and lacks(given)):
        game = _made(given, getattr(given, "__name__", type(given).__name__))
        return game
    return _held(given)


def _made(thing: Any, where: str) -> Game:
    """Call what makes a game, take what is one. Raises: ConfigError."""
    if isinstance(thing, type) or (callable(thing) and lacks(thing)):
        try:
            thing = thing()
        except Exception as error:  # a person's code
            raise ConfigError(f"expected a game that can be made - at `{where}`", cause=f"{type(error).__name__}: {error}") from error
    return _held(thing)


def _held(thing: Any) -> Game:
    lacking = lacks(thing)
    if lacking:
        raise ConfigError(
            f"expected a game, got {what_came(thing)} without {', '.join(f'`{part}`' for part in lacking)}",
            fix="see the protocol `tacit.environments.game.Game`",
        )
    game: Game = thing
    return game


def _from_file(path: Path) -> ModuleType:
    """Run a person's file, once per process and version of its text. Raises: ConfigError."""
    try:
        name = f"tacit_rules_{sha256(path.read_bytes())[:16]}"
        if name not in sys.modules:
            spec = importlib.util.spec_from_file_location(name, path)
            if spec is None or spec.loader is None:
                raise ConfigError(f"expected a Python file - at `{path}`")
            sys.modules[name] = importlib.util.module_from_spec(spec)  # before it runs: dataclasses of the file look themselves up there
            spec.loader.exec_module(sys.modules[name])
    except OSError as error:
        raise ConfigError(f"expected a Python file that can be read - at `{path}`", cause=str(error.strerror)) from error
    except ConfigError:
        raise
    except Exception as error:  # a person's code
        sys.modules.pop(name, None)
        raise ConfigError(f"expected a file that can be run - at `{path}`", cause=f"{type(error).__name__}: {error}") from error
    return sys.modules[name]
