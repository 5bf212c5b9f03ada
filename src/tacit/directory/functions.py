"""Functions that a program directory brings along, such as a score of its own: ``file.py:function``.

A directory may come from anybody, so nothing of it runs while it is read: whether the function is there, and what its parameters are,
is seen in the text alone. The file runs when the function is first called, and so only under the verbs that have to measure:
compile and test.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tacit.ground.digests import sha256
from tacit.ground.errors import ConfigError, InputError
from tacit.ground.tables import did_you_mean

_REFERENCE = re.compile(r"(?P<file>[\w./-]+\.py):(?P<name>[A-Za-z_]\w*)")


@dataclass(frozen=True)
class FileFunction:
    """A function in a file of a program directory, which pickles as its path and is run by whoever calls it first.

    reference: as it stands in `tacit.toml`. digest: of the text of the file. parameters: of the function, as the text says.
    """

    path: Path
    name: str
    reference: str
    digest: str
    parameters: tuple[inspect.Parameter, ...] = field(repr=False)

    @property
    def __name__(self) -> str:
        return self.name

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.Signature(self.parameters)

    def __call__(self, *given: Any) -> Any:
        """Call the function; the file is run once per process. Raises: InputError when the file can't be run."""
        return self._function()(*given)

    def __str__(self) -> str:
        return self.reference

    def _function(self) -> Callable[..., Any]:
        name = f"tacit_functions_{self.digest[:16]}"
        module = sys.modules.get(name)
        if module is None:
            spec = importlib.util.spec_from_file_location(name, self.path)
            if spec is None or spec.loader is None:
                raise InputError(f"expected a Python file - at `{self.path}`")
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module  # before it runs: dataclasses of the file look themselves up there
            try:
                spec.loader.exec_module(module)
            except Exception as error:  # people's code raises what it likes
                del sys.modules[name]
                said = str(error).strip().splitlines() or [""]
                raise InputError(
                    f"expected a file that runs by itself, got {type(error).__name__} - at `{self.path}`",
                    cause=said[0] or None,
                    fix="what it imports must be installed; it can't import other files of the program directory",
                ) from error
        function: Callable[..., Any] = getattr(module, self.name)
        return function


def find_function(directory: Path, reference: Any) -> FileFunction:
    """Find ``file.py:function`` in a program directory without running it. Raises: ConfigError when it is not there."""
    found = _REFERENCE.fullmatch(reference) if isinstance(reference, str) else None
    if found is None:
        raise ConfigError(f"expected `file.py:function`, got `{reference}`")
    path = directory / found["file"]
    if not path.resolve().is_relative_to(directory.resolve()):
        raise ConfigError(f"expected a file within the program directory, got `{found['file']}`")
    if not path.is_file():
        near = sorted(other.name for other in directory.glob("*.py"))
        raise ConfigError(f"expected a file of the program directory, there is no `{found['file']}`", fix=_hint(found["file"], near))
    try:
        text = path.read_bytes()
        tree = ast.parse(text, str(path))
    except (OSError, SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise ConfigError(f"expected Python, got {type(error).__name__}: {error.args[0]} - in `{found['file']}`{line}") from error
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    if found["name"] not in functions:
        raise ConfigError(
            f"expected a function of `{found['file']}`, there is no `{found['name']}`", fix=_hint(found["name"], sorted(functions))
        )
    return FileFunction(path, found["name"], reference, sha256(text), _parameters(functions[found["name"]]))


def _parameters(node: ast.FunctionDef) -> tuple[inspect.Parameter, ...]:
    """Give the parameters that stand in the text; of a default it is only known that there is one."""
    plain = [*node.args.posonlyargs, *node.args.args]
    first = len(plain) - len(node.args.defaults)
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    empty = inspect.Parameter.empty
    return tuple(inspect.Parameter(one.arg, kind, default=empty if at < first else None) for at, one in enumerate(plain))


def _hint(name: str, known: list[str]) -> str:
    return did_you_mean(name, known) if known else "write it: def score(binary): return ..."
