"""How the examples are spread over classes and splits."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tacit.examples.examples import SPLITS
from tacit.instruments.linting.check import Check
from tacit.instruments.linting.context import Context
from tacit.instruments.linting.finding import Code, Finding

FEW = 10  # training examples of a class below which nothing can be said about how it varies
UNEVEN = 10.0  # the largest class has so many times the examples of the smallest

SMALL = Code(
    "TL301",
    "few-examples",
    "warning",
    "A class has very few training examples",
    f"Fewer than {FEW} training examples say next to nothing about how a class varies, and a single wrong label among them counts a lot.",
    "add examples of the class, or join it with another",
)
MISSING = Code(
    "TL302",
    "class-missing-from-split",
    "warning",
    "A class is missing from a split",
    "A class that is not in the test split isn't measured; one that is not in train (then an error) can't be learned.",
    "add examples, or give some of them that split",
)
IMBALANCE = Code(
    "TL303",
    "imbalance",
    "note",
    "The classes are very uneven",
    f"The largest class has more than {UNEVEN:g} times the training examples of the smallest, so accuracy says little about the small one.",
    "set a goal for the small class (`[goal.classes.NAME]` recall = ...), add examples of it, or measure `macro_f1`",
)


def _find(context: Context) -> Iterable[Finding]:
    names = context.class_names
    if not names:
        return
    counts = {
        split: np.bincount(context.classes[(context.splits == split) & (context.classes >= 0)], minlength=len(names)) for split in SPLITS
    }
    total = sum(counts.values(), np.zeros(len(names), np.int64))
    for place, name in enumerate(names):
        if not total[place]:
            continue  # labels.py says so
        mine = {split: int(counts[split][place]) for split in SPLITS}
        evidence = {"class": name, "examples": mine}
        for split in SPLITS:
            if not mine[split] and counts[split].sum():
                severity = "error" if split == "train" else "warning"
                message = f"`{name}` has {total[place]:,} examples, none of them in {split}"
                yield MISSING.finding(message, key=f"{split} {name}", severity=severity, evidence=evidence, examples=_some(context, place))  # type: ignore[arg-type]
        if 0 < mine["train"] < FEW:
            message = f"`{name}` has {mine['train']} training examples, the median class {np.median(counts['train'][total > 0]):g}"
            yield SMALL.finding(message, key=name, evidence=evidence, examples=_some(context, place))
    train = counts["train"][total > 0]
    if len(train) > 1 and train.min() > 0 and train.max() > UNEVEN * train.min():
        least, most = (names[int(np.flatnonzero(total > 0)[at])] for at in (int(train.argmin()), int(train.argmax())))
        message = (
            f"`{most}` has {train.max():,} training examples, `{least}` {train.min():,}: {train.max() / train.min():.0f} times as many"
        )
        evidence = {"examples": {name: int(count) for name, count in zip(names, counts["train"], strict=True)}}
        yield IMBALANCE.finding(message, key="imbalance", evidence=evidence, examples=_some(context, names.index(least)))


def _some(context: Context, place: int) -> list[str]:
    return [str(name) for name in context.ids[np.flatnonzero(context.classes == place)[:3]]]


CHECK = Check((SMALL, MISSING, IMBALANCE), _find, needs_inputs=False)
