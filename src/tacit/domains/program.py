"""What a domain program offers, and the table of those that are installed.

A distribution adds a program by an entry point of the group ``tacit.programs``, name -> ``package.program:PROGRAM``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

from tacit.domains.data import DataSource
from tacit.domains.standing import Standing
from tacit.examples.examples import Examples
from tacit.ground.errors import MissingPackage, UnknownName
from tacit.ground.progress import Reporter
from tacit.ground.tables import Table, did_you_mean

PROGRAMS = Table("domain program", {}, group="tacit.programs")


class DomainProgram(Protocol):
    """A domain program: the object ``PROGRAM`` of its package.

    name: as its entry point. title: one line, what it learns and from what. sets: the data sets that it knows by name; the first is the
    default, embedded in the package (None), so that it needs no network. A program has `predecessor` (see `HasPredecessor`) or
    `standings` (see `Compares`), and may have `compile` (see `Compiles`) and `play` (see `Plays`).
    """

    @property
    def name(self) -> str:
        """As its entry point."""

    @property
    def title(self) -> str:
        """One line: what it learns, and from what."""

    @property
    def sets(self) -> Mapping[str, DataSource | None]:
        """The data sets by name, the default first."""

    def write(self, directory: Path, data: str, *, reporter: Reporter) -> Path:
        """Make a program directory with a data set: `tacit.toml`, what it learns from, a README; give its path.

        Raises: InputError when something is there already, or the data set can't be had; nothing is left then.
        """


@runtime_checkable
class HasPredecessor(Protocol):
    """A domain program with a predecessor that learns from the same examples; the scoreboard compiles the program and scores both."""

    def predecessor(self, examples: Examples, *, reporter: Reporter) -> Standing:
        """Make the predecessor from the train and validation splits, and give its row, by the metric of the program, on the test split."""


@runtime_checkable
class Compares(Protocol):
    """A domain program that is put beside its predecessor in a way of its own."""

    def standings(
        self, data: str, *, minutes: float | None, steps: int | None, seed: int, folder: Path, reporter: Reporter
    ) -> Iterable[Standing]:
        """Run the predecessor and the program on the same test data; give a row each, as they come.

        minutes, steps: the budget of the program; None and None: its own. folder: to work in; what is long to make may be kept there.
        """


@runtime_checkable
class Compiles(Protocol):
    """A domain program that is compiled in a way of its own; the others by `tacit.compile(tacit.read(directory))`."""

    def compile(
        self,
        directory: Path,
        *,
        minutes: float | None,
        steps: int | None,
        seed: int,
        resume: bool,
        output: Path | None,
        reporter: Reporter,
    ) -> Path:
        """Compile a directory that `write` made and give the path of what was written: `output`, or a file in the directory."""


@runtime_checkable
class Plays(Protocol):
    """A domain program with which a person can play in a terminal, or another program over a protocol.

    play_options: name of each option without its dashes -> one line of help, ``{"size": "Side of the board."}``.
    """

    @property
    def play_options(self) -> Mapping[str, str]:
        """The options of `play`, with a line of help each."""

    def play(self, options: Mapping[str, str], *, reporter: Reporter) -> int:
        """Play on stdin and stdout; give the exit code.

        options: as they were typed; ``--size 9`` is ``{"size": "9"}``, an option without a value has ``""``.
        """


def installed_programs() -> list[str]:
    """Name the domain programs that are installed. Raises: MissingPackage when none is."""
    if not (names := list(PROGRAMS)):  # they are found by what an installation notes down of itself, and not by their files
        fix = "pip install --editable . once more, or pip install tacit"
        raise MissingPackage("expected installed domain programs, found none", fix=fix)
    return names


def domain_program(name: str) -> DomainProgram:
    """Give an installed domain program by its name; ``_`` may stand for ``-``. Raises: UnknownName, MissingPackage."""
    installed_programs()
    program: DomainProgram = PROGRAMS.get(name.replace("_", "-"))
    return program


def data_set(program: DomainProgram, name: str | None) -> str:
    """Give the name of a data set of a program, its default for None. Raises: UnknownName."""
    names = list(program.sets)
    if name is None:
        return names[0]
    if name not in program.sets:
        raise UnknownName(
            f"expected a data set of `{program.name}`, got `{name}`", cause=known_sets(program), fix=did_you_mean(name, names)
        )
    return name


def known_sets(program: DomainProgram) -> str:
    """Say in one line which data sets a program knows."""
    embedded = [name if source is not None else f"{name} (embedded)" for name, source in program.sets.items()]
    return f"it knows {', '.join(embedded)}"
