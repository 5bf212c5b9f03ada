"""The target ``numpy``: one file of Python, its weights, and how to call it."""

from __future__ import annotations

import importlib.util
import inspect
import io
import re
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tacit.ground.errors import ConfigError
from tacit.ground.files import write_atomic
from tacit.targets.numpy import library
from tacit.targets.numpy.code import Code
from tacit.targets.numpy.readme import readme
from tacit.targets.target import Options, Source

_FUNCTIONS: tuple[Callable[..., np.ndarray], ...] = (
    library.view, library.picked, library.product, library.taken, library.counted, library.quantised, library.centred, library.shifted,
    library.requantised,
)  # fmt: skip


class NumpyTarget:
    """Write a program as Python over NumPy; import it and call it."""

    def write(self, source: Source, folder: Path, options: Options) -> None:
        """Write NAME.py, NAME.npz and README.md. Raises: ConfigError for an option that has no meaning here."""
        if options.triple is not None or options.isa != "native":
            raise ConfigError("expected no machine for the target `numpy`, for Python runs on all of them", fix="leave out the option")
        weights, keys = _weights(source)
        packed = io.BytesIO()
        np.savez(packed, **weights)  # type: ignore[arg-type]
        write_atomic(folder / f"{source.name}.npz", packed.getvalue())
        write_atomic(folder / f"{source.name}.py", python_text(source, keys))
        write_atomic(folder / "README.md", readme(source))

    def run(self, source: Source, folder: Path, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Import NAME.py and call its function `run` on arrays [example, *shape]."""
        spec = importlib.util.spec_from_file_location(f"tacit_built_{source.name}", folder / f"{source.name}.py")
        if spec is None or spec.loader is None:
            raise ConfigError(f"expected a module of Python - at `{folder / source.name}.py`")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        made = module.run(*arrays)
        return list(made) if isinstance(made, tuple) else [made]


def python_text(source: Source, keys: dict[str, dict[str, str]]) -> str:
    """Give the text of the module. keys: entry point -> weight -> its name in the file of weights."""
    bodies = []
    for entry, graph in source.graphs.items():
        code = Code(graph, keys[entry])
        bodies.append(_function("run" if entry == "main" else f"run_{_word(entry)}", code))
    text = "\n\n".join(bodies)
    used = [text]
    functions: list[str] = []
    for function in reversed(_FUNCTIONS):
        if any(re.search(rf"\b{function.__name__}\(", part) for part in used):
            functions.insert(0, inspect.getsource(function).rstrip())
            used.append(functions[0])
    return "\n\n\n".join([_head(source), *functions, text]) + "\n"


def _head(source: Source) -> str:
    about = textwrap.fill(f"{source.signature.input.describe()}, to {source.signature.output.describe()}.", 120)
    about = about.replace("\\", "\\\\").replace('"', "'")  # a name of a class must not end the text
    return f'''"""{source.name}: {about}

Made by Tacit from the binary {source.digest}; needs NumPy and {source.name}.npz beside this file.
Every line of a program is a product of matrices or a rectifier over views of flat buffers [example, element].
"""

import math
from pathlib import Path

import numpy as np

with np.load(Path(__file__).with_name("{source.name}.npz")) as _file:
    weights = {{name: _file[name].reshape(1, -1) for name in _file.files}}'''


def _function(name: str, code: Code) -> str:
    arguments = ", ".join(code.arguments)
    parts = ", ".join(f"{argument}[i : i + {code.batch}]" for argument in code.arguments)
    outputs = code.graph.of_kind("output")
    joined = "np.concatenate(parts)" if len(outputs) == 1 else "tuple(np.concatenate(part) for part in zip(*parts, strict=True))"
    body = textwrap.indent("\n".join(code.lines()), "    ")
    return f'''def {name}({arguments}):
    """Run any number of examples, {code.batch} at once."""
    parts = [_{name}({parts}) for i in range(0, max(1, len({code.arguments[0]})), {code.batch})]
    return {joined}


def _{name}({arguments}):
{body}'''


def _word(entry: str) -> str:
    return re.sub(r"\W", "_", entry)


def _weights(source: Source) -> tuple[dict[str, np.ndarray], dict[str, dict[str, str]]]:
    """Give all weights by their names in the file; equal ones of several entry points are stored once."""
    stored: dict[str, np.ndarray] = {}
    keys: dict[str, dict[str, str]] = {}
    for entry, graph in source.graphs.items():
        keys[entry] = {}
        for name, array in graph.weights.items():
            key = name if name not in stored or np.array_equal(stored[name], array) else f"{entry}.{name}"
            stored[key] = array
            keys[entry][name] = key
    return stored, keys
