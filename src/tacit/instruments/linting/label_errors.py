"""Probable label errors, from what the training run saw of each example."""

from __future__ import annotations

from collections.abc import Iterable

from tacit.instruments.linting.check import Check
from tacit.instruments.linting.context import Context
from tacit.instruments.linting.finding import Code, Finding

PROBABLE = Code(
    "TL601",
    "label-error",
    "warning",
    "The label is probably wrong",
    "The margin of the given label, averaged over the training run, is far below that of another label.",
    "look at the example; if the label is wrong: tacit labels set ID LABEL",
)


def _find(context: Context) -> Iterable[Finding]:
    return []


CHECK = Check((PROBABLE,), _find)
