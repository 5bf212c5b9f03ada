"""The index as a domain program: a directory of keys, compiled into one file of an index, put beside its predecessors."""

from __future__ import annotations

import shutil
import time
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import tacit
from tacit_programs.index.index import compile
from tacit_programs.index.predecessor import predecessors, standing
from tacit_programs.index.sets import SETS, keys_of
from tacit_programs.index.structure import CHOICES, sample_queries

_HERE = Path(__file__).parent
_QUERIES = 200_000


class IndexProgram:
    """Where a query stands among sorted keys."""

    name = "index"
    title = "a database index, learned from its keys"
    sets: Mapping[str, tacit.DataSource | None] = SETS

    def write(self, directory: Path, data: str, *, reporter: tacit.Reporter) -> Path:
        """Write the settings and the keys. Raises: InputError when the keys can't be had."""
        keys = keys_of(data, reporter=reporter)
        directory.mkdir(parents=True, exist_ok=True)
        for name in ("tacit.toml", "README.md"):
            shutil.copyfile(_HERE / name, directory / name)
        np.save(directory / "keys.npy", keys)
        return directory

    def compile(
        self,
        directory: Path,
        *,
        minutes: float | None,
        steps: int | None,
        seed: int,
        resume: bool,
        output: Path | None,
        reporter: tacit.Reporter,
    ) -> Path:
        """Learn from the keys of a directory and write the index; there is nothing to train, so no budget either.

        Raises: TacitError for settings that are not understood, keys that can't be read or have no order.
        """
        settings = read_settings(directory)
        reporter.phase("reading keys")
        keys = read_keys(directory / settings["keys"])
        reporter.phase(f"learning from {len(keys):,} keys")
        index = compile(keys, sorted=settings["sorted"], structure=settings["structure"])
        path = output or directory / f"{settings['name']}.index"
        index.save(path)
        stats = index.stats()
        reporter.note(f"{len(index):,} keys of {index.kind}: {stats['structure']}, {stats['bytes per key']:.3f} bytes per key beside them")
        return path

    def standings(
        self, data: str, *, minutes: float | None, steps: int | None, seed: int, folder: Path, reporter: tacit.Reporter
    ) -> Iterator[tacit.Standing]:
        """Ask the predecessors and the index the same queries, half of them keys; give a row each."""
        keys = keys_of(data, reporter=reporter)
        queries = sample_queries(keys, _QUERIES, seed=seed + 1)
        expected = np.searchsorted(keys, queries)
        reporter.phase("bisection and a B+-tree")
        yield from predecessors(keys, queries, expected)
        reporter.phase("learning")
        begun = time.process_time()
        index = compile(keys)
        made_in = time.process_time() - begun
        name = f"index ({index.stats()['structure']})"
        yield standing(name, "program", index.lookup, queries, expected, made_in=made_in, bytes=index.stats()["bytes"])


def read_settings(directory: Path) -> dict[str, Any]:
    """Read `tacit.toml` of a directory of keys. Raises: one TacitError that names every line that is not understood."""
    path = directory / "tacit.toml"
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise tacit.TacitError(f"expected settings - at `{path}`", cause=str(error), fix="tacit new DIR --like index") from None
    program, index = given.get("program", {}), given.get("index", {})
    known: dict[str, Any] = {"keys": "keys.npy", "sorted": True, "structure": "auto"}
    problems = [f"unknown `index.{name}`" for name in index if name not in known]
    problems += [
        f"expected {type(value).__name__}, got {index[name]!r:.40} - at `index.{name}`"
        for name, value in known.items()
        if name in index and not isinstance(index[name], type(value))
    ]
    found = {**known, **index}
    if found["structure"] not in ("auto", *CHOICES):
        problems.append(f"expected auto, {', '.join(CHOICES)}, got {found['structure']!r:.40} - at `index.structure`")
    if problems:
        raise tacit.TacitError("\n  - ".join([f"expected settings of an index - at `{path}`", *problems]), fix="see the README beside it")
    name = str(program.get("name", "index")) if isinstance(program, dict) else "index"
    return {**found, "name": name, "structure": None if found["structure"] == "auto" else found["structure"]}


def read_keys(path: Path) -> Any:
    """Read keys: a `.npy` file of an array, or a text file with a key (a string) on each line. Raises: TacitError."""
    try:
        if path.suffix == ".npy":
            return np.load(path, allow_pickle=False)
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError, EOFError) as error:
        fix = "np.save(path, keys), or a text file with a key on each line"
        raise tacit.TacitError(f"expected keys - at `{path}`", cause=str(error), fix=fix) from None


PROGRAM = IndexProgram()
