"""What the checks of `tacit lint` look at: one program directory, read once, each part only when a check asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from tacit.binary.binary import Binary
from tacit.binary.loading import load
from tacit.directory.reading import Outline, compiled_in, read_outline
from tacit.examples.examples import Examples
from tacit.examples.intake import split_of
from tacit.examples.load import labels_digest, load_readable, targets_of
from tacit.examples.media import MediaReader
from tacit.examples.records import Record
from tacit.examples.store import Store, read_store
from tacit.ground.errors import InputError, TacitError
from tacit.ground.progress import Reporter
from tacit.ground.tables import resolve
from tacit.instruments.linting.finding import Place
from tacit.signature.base import Signature
from tacit.signature.outputs import Class

T = TypeVar("T")


@dataclass(frozen=True)
class Options:
    """What a person may set for the checks.

    seed: decides what is sampled. cross_validate: look for label errors by so many folds, not from a training run (0: don't).
    minutes: what lint may spend on training where `compile` has left no run to go by (0: nothing).
    """

    seed: int = 0
    cross_validate: int = 0
    minutes: float = 1.0


_USUAL = Options()


class Context:
    """One program directory as the checks see it. Rows are those of `records`: every example with a sound record, sorted by id.

    Everything is read on first use and kept. Nothing here needs torch but `trained`.
    """

    def __init__(self, directory: Path, *, options: Options = _USUAL, reporter: Reporter | None = None) -> None:
        self.directory, self.options, self.reporter = Path(directory), options, reporter or Reporter()
        self._shared: dict[str, Any] = {}

    @cached_property
    def outline(self) -> Outline:
        """Name, signature and rule of the splits, from `tacit.toml`. Raises: ConfigError."""
        return read_outline(self.directory)

    @property
    def signature(self) -> Signature:
        """Types of the input and the output."""
        return self.outline.signature

    @cached_property
    def store(self) -> Store:
        """Every label, as `tacit.examples.store` reads it. Raises: InputError for label files that are not sound."""
        return read_store(self.directory)

    @property
    def records(self) -> list[Record]:
        """Every example with its label in force, sorted by id; labels that the signature doesn't know are among them."""
        return self.store.records

    @cached_property
    def row(self) -> Mapping[str, int]:
        """Id -> row."""
        return {record.id: row for row, record in enumerate(self.records)}

    @cached_property
    def ids(self) -> np.ndarray:
        """str[example]."""
        return np.array([record.id for record in self.records], dtype=f"U{24}")

    @cached_property
    def splits(self) -> np.ndarray:
        """str[example]: train, validation or test."""
        return np.array([split_of(record, self.outline.rule) for record in self.records], dtype="U10")

    @cached_property
    def groups(self) -> np.ndarray:
        """str[example], "" for an example without a group."""
        return np.array([record.group or "" for record in self.records])

    @cached_property
    def classes(self) -> np.ndarray:
        """int64[example]: the position of the label among the classes; -1 for one that is unknown, or where the output is no class."""
        output = self.signature.output
        known = {name: place for place, name in enumerate(output.names)} if isinstance(output, Class) else {}
        return np.array([known.get(record.label, -1) if isinstance(record.label, str) else -1 for record in self.records], np.int64)

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """The classes of the signature; empty where the output is no class."""
        return self.signature.output.names if isinstance(self.signature.output, Class) else ()

    @cached_property
    def _loaded(self) -> tuple[tuple[np.ndarray, ...], dict[str, str]]:
        return load_readable(self.directory, self.signature.input, self.records, reporter=self.reporter)

    @property
    def inputs(self) -> tuple[np.ndarray, ...]:
        """The decoded inputs as arrays [example, ...]; an input that can't be read is zeros and not `readable`."""
        return self._loaded[0]

    @property
    def unread(self) -> Mapping[str, str]:
        """Id -> why its input can't be read."""
        return self._loaded[1]

    @cached_property
    def readable(self) -> np.ndarray:
        """bool[example]: whether the input could be read."""
        return np.array([record.id not in self.unread for record in self.records], bool)

    @cached_property
    def media(self) -> MediaReader | None:
        """The media of the directory, None where inputs stand in the records."""
        return MediaReader(self.directory) if any(record.input is None for record in self.records) else None

    @cached_property
    def examples(self) -> Examples:
        """The examples from which a program could be compiled: readable inputs with labels that the signature knows."""
        rows = np.flatnonzero(self.readable & self.sound)
        records = [self.records[row] for row in rows]
        splits = self.splits[rows]
        return Examples(
            self.signature,
            self.ids[rows],
            tuple(array[rows] for array in self.inputs),
            targets_of(self.signature.output, records),
            splits,
            self.groups[rows] if (self.groups != "").any() else None,
            labels_digest(records, splits),
        )

    @cached_property
    def sound(self) -> np.ndarray:
        """bool[example]: whether the label is one that the signature knows."""
        seen: dict[Any, bool] = {}
        for record in self.records:
            key = tuple(record.label) if isinstance(record.label, list) else record.label
            if key not in seen:
                seen[key] = self._known(record.label)
        keys = [tuple(record.label) if isinstance(record.label, list) else record.label for record in self.records]
        return np.array([seen[key] for key in keys], bool)

    def _known(self, label: Any) -> bool:
        output = self.signature.output
        if isinstance(output, Class):
            return label in output.names
        try:
            output.encode(label)
        except InputError:
            return False
        return True

    @cached_property
    def trained(self) -> Any:
        """The newest run that `compile` kept (`tacit.search.trained.Trained`), or None. Raises: MissingPackage, FormatError."""
        return resolve("tacit.search.trained:latest_trained")(self.directory)

    @cached_property
    def binary(self) -> Binary | None:
        """The binary that `compile` left in the directory, or None."""
        try:
            return load(compiled_in(self.directory, self.outline.name))
        except TacitError:
            return None

    def place(self, name: str) -> Place | None:
        """Give the file and line of an example's label."""
        found = self.store.places.get(name)
        return None if found is None else Place(*found)

    def shared(self, name: str, make: Callable[[Context], T]) -> T:
        """Give what `make` makes of this context, made once for all checks that ask for it under this name."""
        if name not in self._shared:
            self._shared[name] = make(self)
        made: T = self._shared[name]
        return made

    def label(self, row: int) -> str:
        """Give the label of an example as a person reads it."""
        return shown(self.records[row].label)


def shown(label: Any) -> str:
    """Write a label for a sentence.

    >>> shown(["a", "b"]), shown(2.0), shown("cat")
    ('a, b', '2', 'cat')
    """
    if isinstance(label, list):
        return ", ".join(map(str, label)) or "(none)"
    return f"{label:g}" if isinstance(label, float) else str(label)


def few(items: Sequence[Any], most: int = 3) -> str:
    """Name the first few of many.

    >>> few(["a", "b", "c", "d"])
    'a, b, c and 1 more'
    """
    more = len(items) - most
    return ", ".join(map(str, items[:most])) + (f" and {more:,} more" if more > 0 else "")
