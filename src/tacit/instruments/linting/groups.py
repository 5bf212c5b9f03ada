"""Groups that a split tears apart."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tacit.instruments.linting.check import Check
from tacit.instruments.linting.context import Context, few
from tacit.instruments.linting.finding import Code, Finding

TORN = Code(
    "TL203",
    "group-leak",
    "warning",
    "A group stands on both sides of a split",
    "What belongs together (one person, one machine, one recording) was given to train and to a side that measures. The score then says how"
    " well the program knows these groups, not new ones.",
    'split by group: `by = "group"` in `[split]` of tacit.toml, without given splits',
)


def _find(context: Context) -> Iterator[Finding]:
    groups, splits = context.groups, context.splits
    train = set(groups[(splits == "train") & (groups != "")].tolist())
    torn = sorted(train & set(groups[(splits != "train") & (groups != "")].tolist()))
    if not torn:
        return
    outside = np.isin(groups, torn) & (splits != "train")
    examples = [str(context.ids[np.flatnonzero(outside & (groups == name))[0]]) for name in torn[:20]]
    total = len(set(groups[groups != ""].tolist()))
    message = f"{len(torn):,} of {total:,} groups have examples in train and outside of it: {few(torn)}; {int(outside.sum()):,} examples"
    yield TORN.finding(message, examples=examples, key="groups", evidence={"groups": torn[:1000], "examples": int(outside.sum())})


CHECK = Check((TORN,), _find, needs_inputs=False)
