"""Tables ``name -> "module:attribute"``: the one way in which Tacit is extended, and in which heavy code is reached lazily.

A row costs nothing until it is asked for, so `tacit --help` never imports torch. Other distributions add rows through
an entry-point group of the same name.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterator, Mapping
from typing import Any

from tacit.ground.errors import MissingPackage, UnknownName

#: Optional package -> the extra of `tacit` that installs it.
EXTRAS: Mapping[str, str] = {
    "torch": "train",
    "sklearn": "train",
    "pyarrow": "train",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "ziglang": "native",
    "wasmtime": "wasm",
    "fsspec": "remote",
    "ray": "ray",
    "optuna": "search",
    "gymnasium": "act",
    "timm": "timm",
    "torchvision": "timm",
}


def did_you_mean(name: str, known: list[str]) -> str:
    """Give ``did you mean `x`?`` or the list of known names.

    >>> did_you_mean("Imge", ["Image", "Audio"])
    'did you mean `Image`?'
    """
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean `{near[0]}`?" if near else f"known: {', '.join(sorted(known))}"


def resolve(reference: str) -> Any:
    """Import ``module:attribute``; a missing optional package becomes the `pip install` line that mends it."""
    module_name, _, attribute = reference.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in EXTRAS:
            raise missing(package) from error
        raise
    return getattr(module, attribute)


def missing(package: str) -> MissingPackage:
    """Make the error for an optional package that is not installed."""
    return MissingPackage(f"this needs the package `{package}`, which is not installed", fix=f'pip install "tacit[{EXTRAS[package]}]"')


class Table:
    """A table of extensions of one kind.

    >>> Table("codec", {"json": "json:dumps"}).get("json")([1])
    '[1]'
    """

    def __init__(self, kind: str, rows: Mapping[str, str], *, group: str | None = None) -> None:
        self.kind, self._rows, self._group = kind, dict(rows), group

    def rows(self) -> dict[str, str]:
        """Give every row, those of installed entry points included."""
        rows = dict(self._rows)
        if self._group:
            from importlib import metadata  # costs 25 ms, and the rows of Tacit itself don't need it

            for point in metadata.entry_points(group=self._group):
                rows.setdefault(point.name, point.value)
        return rows

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self.rows()))

    def get(self, name: str) -> Any:
        """Import and give the attribute of a row. Raises: UnknownName, MissingPackage."""
        if name in self._rows:
            return resolve(self._rows[name])
        rows = self.rows()
        if name not in rows:
            raise UnknownName(f"expected a known {self.kind}, got `{name}`", fix=did_you_mean(name, list(rows)))
        return resolve(rows[name])
