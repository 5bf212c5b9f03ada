"""`tacit.blame`: the training examples for and against one answer, each with the line, commit and author of its label."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from tacit.attribution.keeping import Features, open_features
from tacit.attribution.making import features_of
from tacit.binary.binary import Binary
from tacit.binary.loading import load
from tacit.directory.reading import is_program, read_program
from tacit.examples.inputs import Inputs
from tacit.examples.records import Record
from tacit.examples.store import read_store
from tacit.ground.errors import InputError, TacitError
from tacit.ground.progress import Reporter
from tacit.history.authorship import Written, who_wrote
from tacit.program import Program

TOP = 10


@dataclass(frozen=True)
class Witness:
    """One training example and what it did to an answer.

    influence: by how much it raises the answer's margin, estimated; spread: the standard error over the models. file, line: where its
    label stands, below the program directory. written: who wrote that line; None without git.
    """

    id: str
    label: Any
    split: str
    influence: float
    spread: float
    file: str | None = None
    line: int | None = None
    written: Written | None = None

    def to_json(self) -> dict[str, Any]:
        """Give JSON values."""
        place = {"id": self.id, "label": self.label, "split": self.split, "file": self.file, "line": self.line}
        said = {"influence": self.influence, "spread": self.spread}
        return {**place, **said, "written": None if self.written is None else self.written.to_json()}


@dataclass(frozen=True, eq=False)
class Blame:
    """What `blame` found.

    name: of the input. answer: what the binary says. margin_of: the answer whose margin is explained. supporting, opposing: the examples
    for and against it, strongest first. examples, models: how many were looked at. directory: of the program; None in memory.
    """

    name: str
    answer: Any
    margin_of: Any
    supporting: tuple[Witness, ...]
    opposing: tuple[Witness, ...]
    examples: int
    models: int
    unit: str
    directory: Path | None
    arrays: tuple[np.ndarray, ...]
    program_name: str

    def to_json(self) -> dict[str, Any]:
        """Give JSON values."""
        rows = {"for": [row.to_json() for row in self.supporting], "against": [row.to_json() for row in self.opposing]}
        about = {"input": self.name, "answer": self.answer, "margin_of": self.margin_of, "unit": self.unit}
        return {**about, **rows, "examples": self.examples, "models": self.models, "estimate": True}


@dataclass(frozen=True, eq=False)
class Opened:
    """A binary with its features, ready for many questions."""

    binary: Binary
    features: Features
    directory: Path | None
    name: str

    def ask(self, arrays: Sequence[np.ndarray], *, name: str = "input", towards: Any = None, top: int = TOP, history: bool = True) -> Blame:
        """Blame one input, given as the arrays [*shape] of its type; see `blame`."""
        batch = [np.asarray(array)[None] for array in arrays]
        scores = self.binary.run(batch)[0].reshape(1, -1)
        output = self.binary.signature.output
        answer = output.decode(scores[0])
        wanted = None if output.kind == "number" and towards is None else answer if towards is None else towards
        targets = None if wanted is None or output.kind == "joint" else output.encode(wanted)[None]
        shares = self.features.attribution.influence(batch, targets)[:, 0]
        mean = shares.mean(0)
        error = shares.std(0, ddof=1) / np.sqrt(len(shares)) if len(shares) > 1 else np.zeros_like(mean)
        order = np.argsort(-mean, kind="stable")
        ahead = [int(row) for row in order[:top] if mean[row] > 0]
        behind = [int(row) for row in order[::-1][:top] if mean[row] < 0]
        rows = {row: str(self.features.ids[row]) for row in [*ahead, *behind]}
        written, places = self._history(list(rows.values())) if history else ({}, {})

        def witness(row: int) -> Witness:
            own = rows[row]
            label = output.label(self.features.targets[row])
            file, line = places.get(own, (None, None))
            split = str(self.features.splits[row])
            return Witness(own, label, split, float(mean[row]), float(error[row]), file, line, written.get(own))

        unit = "log odds" if output.loss == "cross_entropy" else "standard deviations" if output.kind == "number" else "score"
        chosen = answer if wanted is None else wanted
        both = (tuple(map(witness, ahead)), tuple(map(witness, behind)))
        given = tuple(np.asarray(array) for array in arrays)
        return Blame(name, answer, chosen, *both, len(mean), len(shares), unit, self.directory, given, self.name)

    def _history(self, ids: Sequence[str]) -> tuple[dict[str, Written], Mapping[str, tuple[str, int]]]:
        """Give who wrote the labels, and where they stand; without git the places alone."""
        if self.directory is None:
            return {}, {}
        with contextlib.suppress(TacitError):
            written = who_wrote(self.directory, ids)
            return written, {name: (item.file, item.line) for name, item in written.items()}
        with contextlib.suppress(TacitError):
            places = read_store(self.directory).places
            return {}, {name: places[name] for name in ids if name in places}
        return {}, {}


def open_blame(
    binary: Binary | str | PathLike[str],
    *,
    against: Program | str | PathLike[str] | None = None,
    reporter: Reporter | None = None,
) -> Opened:
    """Open a binary for questions; without features (`tacit compile --features`) they are made first, which takes a while.

    against: the program that it was compiled from; for a file, by default, the program directory in which it lies.
    Raises: InputError when the program is not found or its labels are no longer those of the binary.
    """
    reporter = reporter or Reporter()
    loaded = binary if isinstance(binary, Binary) else load(Path(binary))
    if isinstance(against, Program):
        return Opened(loaded, features_of(against, loaded, reporter=reporter), against.directory, against.name)
    directory = None if against is None else Path(against)
    if directory is None:
        if isinstance(binary, Binary):
            raise InputError(
                "expected the program that the binary was compiled from, got none", fix="tacit.blame(binary, value, against=DIR)"
            )
        directory = directory_of(binary)
    features = open_features(directory, loaded.digest, loaded.signature)
    if features is None:
        program = read_program(directory, reporter=reporter)
        _check_signature(program, loaded, directory)
        reporter.note("no features are kept for this binary: making them once (`tacit compile --features` makes them while compiling)")
        features = features_of(program, loaded, reporter=reporter)
    return Opened(loaded, features, directory, str(loaded.evidence.get("name") or directory.resolve().name))


def directory_of(file: str | PathLike[str]) -> Path:
    """Give the program directory in which a file lies, else the one in which the command was given. Raises: InputError."""
    for folder in (Path(file).parent, Path(".")):
        if is_program(folder):
            return folder
    raise InputError(
        f"expected a binary in its program directory, got one that lies in none - at `{file}`",
        cause="the training examples are the program's; a binary does not hold them",
        fix="tacit blame FILE INPUT --in DIR",
    )


def blame(
    binary: Binary | str | PathLike[str],
    value: Any = None,
    *,
    example: str | None = None,
    against: Program | str | PathLike[str] | None = None,
    towards: Any = None,
    top: int = TOP,
    name: str = "input",
    reporter: Reporter | None = None,
) -> Blame:
    """List the training examples for and against an answer.

    value: what a person has, as for a call of the binary; or example: the id of an example of the program. against: the program that the
    binary was compiled from (default: where the file lies). towards: explain this answer instead of the binary's own. top: examples
    on each side. An influence is an estimate of how much lower the answer's margin would be had the program been trained without the
    example. Raises: InputError for an input that can't be read, an unknown id, a program that is not the binary's.
    """
    if (value is None) == (example is None):
        raise InputError("expected an input or the id of an example, got both or neither", fix="tacit.blame(binary, value)")
    opened = open_blame(binary, against=against, reporter=reporter)
    signature = opened.binary.signature
    if towards is not None:
        signature.output.encode(towards)
    if example is None:
        return opened.ask(signature.input.read(value), name=name, towards=towards, top=top)
    return opened.ask(arrays_of(opened, example), name=example, towards=towards, top=top)


def arrays_of(opened: Opened, example: str) -> tuple[np.ndarray, ...]:
    """Give the arrays of an example of the program by its id, or by as many of its first digits as name one. Raises: InputError."""
    if opened.directory is None:
        raise InputError(f"expected an input, got the id `{example}` of a program that has no directory", fix="give the input itself")
    store = read_store(opened.directory)
    found = [record for record in store.records if record.id.startswith(example)]
    if len(found) != 1:
        raise InputError(
            f"expected the id of an example, got `{example}`, which {'no' if not found else f'{len(found)}'} examples have",
            fix="give more of its digits" if found else "tacit labels log ID, or the path of an input",
        )
    return opened.binary.signature.input.read(Inputs(opened.directory).value(found[0]))


def _check_signature(program: Program, binary: Binary, directory: Path) -> None:
    if program.signature.to_json() != binary.signature.to_json():
        raise InputError(
            f"expected a binary of this program, got one for {binary.signature} - at `{directory}`",
            cause=f"the program is {program.signature}",
            fix="--in DIR, with the program that it was compiled from",
        )


def records_of(directory: Path, ids: Sequence[str]) -> dict[str, Record]:
    """Give the records of some examples."""
    store = read_store(directory)
    rows = {name: store.row(name) for name in ids}
    return {name: store.records[row] for name, row in rows.items() if row is not None}
