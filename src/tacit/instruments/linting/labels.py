"""Labels that the signature doesn't know, classes without examples, and people who disagree."""

from __future__ import annotations

import json
from collections.abc import Iterable

from tacit.ground.tables import did_you_mean
from tacit.instruments.linting.check import Check
from tacit.instruments.linting.context import Context, few, shown
from tacit.instruments.linting.finding import Code, Finding

UNKNOWN = Code(
    "TL011",
    "unknown-label",
    "error",
    "The label is not one of the signature",
    "The output type in `tacit.toml` doesn't know this label: it was misspelled, or its class was renamed or taken out. Compiling is"
    " refused.",
    "tacit labels set ID LABEL, or add the class to `names` in `[output]` of tacit.toml",
)
WITHOUT = Code(
    "TL012",
    "class-without-examples",
    "warning",
    "A class of the signature has no example",
    "The program would have a score for a class that it never saw, which costs weights and can only be wrong.",
    "add examples of the class, or take it out of `names` in `[output]` of tacit.toml",
)
DISPUTE = Code(
    "TL013",
    "dispute",
    "warning",
    "People disagree about the label",
    "Several opinions about one example stand side by side. Until that is resolved the label that most gave is in force; on a tie the"
    " example is left out of compiling.",
    "look at the example and resolve it: tacit labels set ID LABEL",
)


def _find(context: Context) -> Iterable[Finding]:
    known = list(context.class_names)
    for row, record in enumerate(context.records):
        if not context.sound[row]:
            name = json.dumps(record.label, ensure_ascii=False)
            hint = f"; {did_you_mean(str(record.label), known)}" if known else ""
            yield UNKNOWN.finding(
                f"the label {name} is not one of the signature{hint}", examples=[record.id], evidence={"label": record.label}
            )
    for place, name in enumerate(context.class_names):
        if not (context.classes == place).any():
            yield WITHOUT.finding(f"no example has the label `{name}`", key=name, evidence={"class": name})
    yield from _disputes(context)


def _disputes(context: Context) -> Iterable[Finding]:
    for name, opinions in context.store.disputes.items():
        said = [f"{source}: {shown(label)}" for source, label in opinions.items()]
        tie = name in context.store.undecided
        rest = "it is a tie, so the example is left out" if tie else f"`{context.label(context.row[name])}` is in force"
        yield DISPUTE.finding(f"{few(said, 6)}; {rest}", examples=[name], evidence={"opinions": opinions, "tie": tie})


CHECK = Check((UNKNOWN, WITHOUT, DISPUTE), _find, needs_inputs=False)
