"""Who runs pieces of work: this process, or workers elsewhere. What comes back is in the order of what was asked, whoever ran it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch

from tacit.ground.errors import ConfigError, TacitError
from tacit.ground.progress import Reporter
from tacit.ground.tables import Table, did_you_mean
from tacit.search.running import Outcome, Runner

#: What a piece of work may fail with without ending the whole: it is recorded, and the rest goes on.
FAILURES = (RuntimeError, MemoryError, ArithmeticError, TypeError, ValueError, TacitError)

#: Where work can run, by the word that ``--on`` begins with: (the rest, reporter) -> a context that gives `Workers`.
PLACES = Table("place to run on", {"ray": "tacit.search.cluster.joining:join"}, group="tacit.places")


@dataclass(frozen=True)
class Failure:
    """Why a piece of work gave nothing, in a line: the kind of the error and what it said."""

    reason: str


class Workers(Protocol):
    """Run pieces of work, each a function of one item that can be pickled and that holds no state between calls.

    Work that has a `stop` (a `Stop`) ends early when that is asked for, and what is not done yet is left out; all other work is finished.
    """

    @property
    def count(self) -> int:
        """How many pieces run at once."""

    def run(self, work: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        """Give (place in `items`, result or `Failure`) as each is done, in any order."""


@runtime_checkable
class Group(Workers, Protocol):
    """Workers that can also take the steps of one training run together."""

    def finish(self, runner: Runner, *, together: int) -> Outcome:
        """Drive a run to its end on so many workers; what it leaves is in `runner`, as if it had been driven here."""


class Here:
    """This process, one piece after the other. threads: of PyTorch for each piece (None: as they are)."""

    count = 1

    def __init__(self, *, threads: int | None = None) -> None:
        self.threads = threads

    def run(self, work: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        """Give (place, result or `Failure`), in order."""
        for place, item in enumerate(items):
            before = torch.get_num_threads()
            torch.set_num_threads(self.threads or before)
            try:
                result = attempt(work, item)
            finally:
                torch.set_num_threads(before)
            yield place, result


def attempt(work: Callable[[Any], Any], item: Any) -> Any:
    """Give what a piece of work gives, or the `Failure` that it ended with; an error that nobody foresaw goes through."""
    try:
        return work(item)
    except FAILURES as error:
        return Failure(f"{type(error).__name__}: {error}")


def workers_on(on: str | None, *, reporter: Reporter, alike: bool) -> AbstractContextManager[Workers]:
    """Give the workers of ``--on``, which are sent away when the context ends; None is this process.

    alike: give each piece one thread in this process, too, as workers elsewhere have, for sums depend on the number of threads in their
    last digits, and what is chosen can depend on those.
    Raises: ConfigError for a place that is not understood or does not answer; MissingPackage.
    """
    if on is None:
        return nullcontext(Here(threads=1 if alike else None))
    name = re.split("[:?]", on, maxsplit=1)[0]
    if name not in PLACES.rows():
        raise ConfigError(f"expected a place to run on, got `{on}` - at `--on`", fix=f"--on ray; {did_you_mean(name, list(PLACES))}")
    context: AbstractContextManager[Workers] = PLACES.get(name)(on.removeprefix(name), reporter=reporter)
    return context
