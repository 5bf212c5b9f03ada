"""Who runs pieces of work: this process, or workers elsewhere. What comes back is in the order of what was asked, whoever ran it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tacit.ground.errors import TacitError

#: What a piece of work may fail with without ending the whole: it is recorded, and the rest goes on.
FAILURES = (RuntimeError, MemoryError, ArithmeticError, TypeError, ValueError, TacitError)


@dataclass(frozen=True)
class Failure:
    """Why a piece of work gave nothing, in a line: the kind of the error and what it said."""

    reason: str


class Workers(Protocol):
    """Run pieces of work, each a function of one item that can be pickled and that holds no state between calls."""

    @property
    def count(self) -> int:
        """How many pieces run at once."""

    def run(self, work: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        """Give (place in `items`, result or `Failure`) as each is done, in any order."""


class Here:
    """This process, one piece after the other."""

    count = 1

    def run(self, work: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        """Give (place, result or `Failure`), in order."""
        for place, item in enumerate(items):
            try:
                yield place, work(item)
            except FAILURES as error:
                yield place, Failure(f"{type(error).__name__}: {error}")
