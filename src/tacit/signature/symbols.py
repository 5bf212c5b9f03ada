"""`Symbols`: an output that is a sequence of names of any length, read off steps of fixed number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from tacit.ground.errors import ConfigError, InputError, raise_all
from tacit.ground.tables import did_you_mean
from tacit.signature.base import ArraySpec, OutputType
from tacit.signature.cells import category_text
from tacit.signature.checks import check_names, check_whole, what_came
from tacit.signature.edits import edits

_SHOWN = 12


@dataclass(frozen=True, init=False, repr=False)
class Symbols(OutputType):
    """A sequence of names without known places: ``Symbols("yes", "no", steps=50)``; a value is a text such as ``yes no no``.

    Scores: float32[step * (name + 1)], for each of `steps` steps those of the names and, last, of "nothing here"; before any softmax.
    Target: int64[place], the positions of the names in order, -1 behind the last; half of the steps (rounded up) at most, since equal
    names in a row need a step with nothing between them. Source: Graves et al. 2006, "Connectionist temporal classification".

    >>> answer = Symbols("yes", "no", steps=4)
    >>> answer.label(answer.encode("no yes"))
    'no yes'
    >>> answer.decode(np.array([[0, 1, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0]], np.float32).ravel())
    'no no'
    """

    kind: ClassVar[str] = "symbols"
    loss: ClassVar[str] = "ctc"
    metric: ClassVar[str] = "symbol_error_rate"

    names: tuple[str, ...]
    steps: int

    def __init__(self, *given: str | Sequence[str], steps: int, names: Iterable[str] | None = None) -> None:
        listed = given if names is None else tuple(names)
        alone = listed[0] if len(listed) == 1 and not isinstance(listed[0], str) and isinstance(listed[0], Iterable) else listed
        object.__setattr__(self, "names", tuple(alone))
        object.__setattr__(self, "steps", steps)
        check_names(self.names, name="names", kind="Symbols", least=1)
        odd = [name for name in self.names if name.split() != [name]]
        if odd:
            raise ConfigError(f"expected names without spaces, got `{odd[0]}` - at `Symbols.names`", fix="write `_` in place of spaces")
        check_whole(steps, name="steps", kind="Symbols", most=2**20)
        object.__setattr__(self, "_places", {name: place for place, name in enumerate(self.names)})

    def __repr__(self) -> str:
        shown = ", ".join(f'"{name}"' for name in self.names[:_SHOWN])
        more = f", ... {len(self.names)} names" if len(self.names) > _SHOWN else ""
        return f"Symbols({shown}{more}, steps={self.steps})"

    def describe(self) -> str:
        """Say in one line what the type is."""
        shown = ", ".join(self.names[:_SHOWN]) + (f" ... ({len(self.names)} in all)" if len(self.names) > _SHOWN else "")
        return f"a sequence of the names {shown}, read off {self.steps} steps"

    @property
    def width(self) -> int:
        """For each step the scores of the names and that of nothing."""
        return self.steps * (len(self.names) + 1)

    @property
    def longest(self) -> int:
        """How many names a sequence may have."""
        return (self.steps + 1) // 2

    @property
    def target(self) -> ArraySpec:
        """The positions of the names in order, -1 behind the last."""
        return ArraySpec("target", (self.longest,), "int64", ("place",))

    def encode(self, label: Any) -> np.ndarray:
        """Turn a text of names with spaces between them, or a list of names, into int64[place]. Raises: InputError."""
        names = self.listed(label)
        target = np.full(self.longest, -1, np.int64)
        target[: len(names)] = [self._places[name] for name in names]  # type: ignore[attr-defined]
        return target

    def listed(self, label: Any) -> list[str]:
        """Give the names of a label in order, ``[]`` for none. Raises: InputError that names every part that is no name."""
        if isinstance(label, str):
            parts: list[Any] = label.split()
        elif isinstance(label, list | tuple | np.ndarray):
            parts = list(label)
        elif category_text(label) is not None:
            parts = [label]
        else:
            raise InputError(f"expected a text of names with spaces between them, got {what_came(label)}")
        names = [part if isinstance(part, str) else category_text(part) for part in parts]
        wrong = [(part, name) for part, name in zip(parts, names, strict=True) if name not in self._places]  # type: ignore[attr-defined]
        problems = [
            f"`{part}`: {did_you_mean(str(name), list(self.names))}" if name is not None else f"{what_came(part)} is no name"
            for part, name in dict.fromkeys(wrong)
        ]
        raise_all(problems, heading=f"expected names that are known, got {what_came(label)}")
        if len(names) > self.longest:
            raise InputError(
                f"expected at most {self.longest} names, as {self.steps} steps can hold, got {len(names)}",
                fix="more steps, or shorter inputs",
            )
        return [str(name) for name in names]

    def decode(self, scores: np.ndarray) -> str:
        """Give the names of the best path: the greatest score of each step, repeats merged, nothing left out."""
        return self.spell(self.best_path(scores)[0])

    def label(self, target: np.ndarray) -> str:
        """Give the text of the names in a target."""
        return self.spell(np.asarray(target)[np.asarray(target) >= 0])

    def spell(self, places: Iterable[Any]) -> str:
        """Give the text of names by their positions."""
        return " ".join(self.names[int(place)] for place in places)

    def edits(self, wanted: Any, given: Any) -> tuple[int, int, int]:
        """Count (substitutions, deletions, insertions) between two labels. Raises: InputError for what is no label.

        >>> Symbols("yes", "no", steps=4).edits("yes no", "no")
        (0, 1, 0)
        """
        return edits(self.listed(wanted), self.listed(given))

    def by_step(self, scores: np.ndarray) -> np.ndarray:
        """Give scores [..., width] as [..., step, name + 1]."""
        scores = np.asarray(scores)
        return scores.reshape(*scores.shape[:-1], self.steps, len(self.names) + 1)

    def best_path(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give the names that the best path spells and the steps at which they begin, int64[place] each, of scores [width]."""
        path = self.by_step(scores).argmax(axis=-1)
        begins = (path != np.concatenate([[-1], path[:-1]])) & (path < len(self.names))
        return path[begins], np.flatnonzero(begins)
