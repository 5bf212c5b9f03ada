"""What a row of the table of checks holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tacit.instruments.linting.context import Context
from tacit.instruments.linting.finding import Code, Finding


@dataclass(frozen=True)
class Check:
    """A row of the table of checks: the codes that it may report, and the function that looks for them.

    find: takes the context, gives findings; it may raise MissingPackage, which makes `lint` go on without it and say so.
    needs_inputs: whether it looks at what is within the inputs; otherwise labels and records are enough.
    """

    codes: tuple[Code, ...]
    find: Callable[[Context], Iterable[Finding]]
    needs_inputs: bool = True
