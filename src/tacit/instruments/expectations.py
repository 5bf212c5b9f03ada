"""`tests.toml`: what must hold besides the goals. Pinned examples have a fixed answer, invariances fixed under a change.

::

    [[pinned]]
    input = "that-one.png"        # a file beside tests.toml, the text itself, or a table of columns; or: id = "<24 hex>"
    expect = "cat"                # for a number also: within = 0.5
    [[invariance]]
    transform = "flip"            # a name in tacit.instruments.transforms
    agree = 0.98                  # the share of examples whose answer must stay the same
    amount = 0.1                  # how much; each transform has a usual amount
    examples = 500                # at most so many of `split`
    split = "test"
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tacit.ground.errors import ConfigError, raise_all
from tacit.ground.tables import did_you_mean
from tacit.instruments.transforms import TRANSFORMS

TESTS = "tests.toml"
_PINNED = {"input": (str, dict, list), "id": (str,), "expect": (str, int, float, list, dict), "within": (int, float)}
_INVARIANCE = {
    "transform": (str,),
    "agree": (int, float),
    "amount": (int, float),
    "examples": (int,),
    "split": (str,),
    "within": (int, float),
}


@dataclass(frozen=True)
class Pinned:
    """One input, by itself or by the id of an example, and the answer that it must have."""

    expect: Any
    input: Any = None
    id: str | None = None
    within: float = 0.0

    @property
    def name(self) -> str:
        """Say which input is meant."""
        return f"example {self.id}" if self.id is not None else str(self.input)


@dataclass(frozen=True)
class Invariance:
    """A change of the input under which the share `agree` of the answers must stay; numbers count as the same `within` a distance."""

    transform: str
    agree: float
    amount: float
    examples: int = 500
    split: str = "test"
    within: float | None = None


@dataclass(frozen=True)
class Expectations:
    """Everything in a `tests.toml`."""

    pinned: tuple[Pinned, ...] = ()
    invariances: tuple[Invariance, ...] = ()


def read_expectations(directory: Path, *, kind: str) -> Expectations:
    """Read the `tests.toml` of a program directory, empty when there is none; `kind` is that of the program's input.

    Raises: ConfigError that names every problem.
    """
    path = directory / TESTS
    if not path.is_file():
        return Expectations()
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"expected TOML - at `{path}`", cause=str(error)) from error
    problems = [
        f"unknown section `{name}`, {did_you_mean(name, ['pinned', 'invariance'])}"
        for name in document
        if name not in ("pinned", "invariance")
    ]
    pinned = [_pinned(row, f"[[pinned]] {number}", problems) for number, row in _rows(document, "pinned", problems)]
    invariances = [_invariance(row, f"[[invariance]] {number}", kind, problems) for number, row in _rows(document, "invariance", problems)]
    raise_all(problems, heading=f"expected tests that are understood - at `{path}`", error=ConfigError)
    return Expectations(tuple(row for row in pinned if row is not None), tuple(row for row in invariances if row is not None))


def _rows(document: Mapping[str, Any], name: str, problems: list[str]) -> list[tuple[int, Mapping[str, Any]]]:
    rows = document.get(name, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        problems.append(f"expected `[[{name}]]` with two brackets, got something else")
        return []
    return list(enumerate(rows, 1))


def _fields(row: Mapping[str, Any], known: Mapping[str, tuple[type, ...]], where: str, problems: list[str]) -> bool:
    before = len(problems)
    for key, value in row.items():
        if key not in known:
            problems.append(f"{where}: unknown key `{key}`, {did_you_mean(key, list(known))}")
        elif isinstance(value, bool) or not isinstance(value, known[key]):
            problems.append(f"{where}: expected {' or '.join(kind.__name__ for kind in known[key])}, got {value!r} - at `{key}`")
    return len(problems) == before


def _pinned(row: Mapping[str, Any], where: str, problems: list[str]) -> Pinned | None:
    if not _fields(row, _PINNED, where, problems):
        return None
    if ("input" in row) == ("id" in row):
        problems.append(f"{where}: expected `input` or `id`, got {'both' if 'id' in row else 'neither'}")
        return None
    if "expect" not in row:
        problems.append(f"{where}: expected the answer as `expect`, got none")
        return None
    return Pinned(row["expect"], row.get("input"), row.get("id"), float(row.get("within", 0.0)))


def _invariance(row: Mapping[str, Any], where: str, kind: str, problems: list[str]) -> Invariance | None:
    if not _fields(row, _INVARIANCE, where, problems):
        return None
    name = row.get("transform")
    fitting = [other for other, transform in TRANSFORMS.items() if kind in transform.kinds]
    if name not in fitting:
        hint = did_you_mean(str(name), fitting) if fitting else f"there are none for inputs of the type {kind}"
        problems.append(f"{where}: expected a transform for inputs of the type {kind}, got `{name}`; {hint}")
        return None
    agree, split, examples = row.get("agree", 1.0), row.get("split", "test"), row.get("examples", 500)
    if not 0 <= agree <= 1 or examples < 1 or split not in ("train", "validation", "test"):
        problems.append(f"{where}: expected agree from 0 to 1, examples of at least 1 and a split, got {agree}, {examples}, `{split}`")
        return None
    within = None if row.get("within") is None else float(row["within"])
    return Invariance(str(name), float(agree), float(row.get("amount", TRANSFORMS[str(name)].amount)), examples, split, within)
