"""Examples that stand in the set more than once: within a split, on both sides of it, or under different labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tacit.examples.records import label_key
from tacit.instruments.linting.check import Check
from tacit.instruments.linting.context import Context, few
from tacit.instruments.linting.copies import Copies, copies_of
from tacit.instruments.linting.finding import Code, Finding, Mend

EXACT = Code(
    "TL101",
    "exact-duplicate",
    "warning",
    "The same input stands in the set twice",
    "Once they are decoded, the inputs are equal value for value: the files differ only in format or compression. Each copy makes its"
    " example count once more.",
    "tacit lint --fix keeps one of them",
)
NEAR = Code(
    "TL102",
    "near-duplicate",
    "note",
    "Nearly the same input stands in the set twice",
    "After shifting, stretching and matching contrast or loudness (texts: without case and punctuation; rows: up to rounding) the two"
    " differ far less than neighbours usually do here, in their details, too. The example counts twice.",
    "look at both; keep the better one, or give both one `group` so that they stay on one side of every split",
)
EXACT_LABELS = Code(
    "TL103",
    "duplicate-other-label",
    "error",
    "The same input has two labels",
    "Once decoded, the inputs are equal, but their labels are not: at least one is wrong, or the classes overlap.",
    "look at it and relabel: tacit labels set ID LABEL",
)
NEAR_LABELS = Code(
    "TL104",
    "near-duplicate-other-label",
    "warning",
    "Nearly the same input has two labels",
    "The inputs are near duplicates (see TL102) with different labels: probably one is wrong.",
    "look at both and relabel: tacit labels set ID LABEL",
)
EXACT_LEAK = Code(
    "TL201",
    "leak",
    "error",
    "The same input stands on both sides of a split",
    "Once decoded, an example that measures the program equals one that it learns from: the score is too good by what it remembers.",
    "take the copy out of train, or give all copies the same split",
)
NEAR_LEAK = Code(
    "TL202",
    "near-leak",
    "warning",
    "Nearly the same input stands on both sides of a split",
    "An example that measures the program is a near duplicate (see TL102) of one that it learns from.",
    'give both the same split, or one `group` and `by = "group"` in `[split]` of tacit.toml',
)
_ORDER = {"test": 0, "validation": 1, "train": 2}


def _find(context: Context) -> Iterator[Finding]:
    copies = copies_of(context)
    for rows in copies.exact:
        yield from _exact(context, rows)
    yield from _equal(context, copies)
    yield from _near(context, copies)


def _exact(context: Context, rows: Sequence[int]) -> Iterator[Finding]:
    """Report one content that several examples have."""
    rows = sorted(rows, key=lambda row: (_ORDER[str(context.splits[row])], row))
    ids = [context.records[row].id for row in rows]
    splits = {str(context.splits[row]) for row in rows}
    one_label = not _differ(context, rows)
    evidence = {"labels": [context.label(row) for row in rows], "splits": [str(context.splits[row]) for row in rows]}
    if not one_label:
        said = few([f"`{context.label(row)}`" for row in rows], 4)
        yield EXACT_LABELS.finding(f"{len(rows)} equal inputs have the labels {said}", examples=ids, evidence=evidence)
    if len(splits) > 1:
        yield EXACT_LEAK.finding(f"equal inputs stand in {_sides(splits)}", examples=ids, evidence=evidence)
    if one_label and len(splits) == 1:
        mend = (
            Mend(f"removed {few(ids[1:], 4)}, equal to {ids[0]}, which stays", remove=tuple(ids[1:])) if _certain(context, rows) else None
        )
        message = f"{len(rows)} equal inputs, all `{context.label(rows[0])}` in {splits.pop()}"
        yield EXACT.finding(message, examples=ids, evidence=evidence, mend=mend)


def _certain(context: Context, rows: Sequence[int]) -> bool:
    """Tell whether nothing but a copy is lost with all but the first: one label without dispute, one group, one given split."""
    records = [context.records[row] for row in rows]
    same = len({label_key(record.label) for record in records}) == len({(record.group, record.split) for record in records}) == 1
    return same and not any(record.id in context.store.opinions for record in records)


def _equal(context: Context, copies: Copies) -> Iterator[Finding]:
    """Report rows of a table that are equal as they stand and were given to both sides; one finding, for two things may well be equal."""
    torn = [rows for rows in copies.equal if len({str(context.splits[row]) for row in rows}) > 1]
    if torn:
        ids = [context.records[row].id for rows in torn for row in rows]
        message = f"{len(torn):,} rows equal a row on another side of the split in every column; they may be copies, or just alike"
        yield EXACT_LEAK.finding(message, examples=ids, key="equal rows", severity="note", evidence={"rows": len(torn)})


def _near(context: Context, copies: Copies) -> Iterator[Finding]:
    near = copies.near
    order = np.argsort(near.difference, kind="stable")
    joined: dict[int, int] = {}
    named: dict[str, set[int]] = {code.code: set() for code in (NEAR_LABELS, NEAR_LEAK)}

    def root(row: int) -> int:
        while joined.get(row, row) != row:
            row = joined[row]
        return row

    for at in order.tolist():
        pair = sorted((int(near.first[at]), int(near.second[at])), key=lambda row: (_ORDER[str(context.splits[row])], row))
        codes = []
        if _differ(context, pair):
            codes.append(NEAR_LABELS)
        if context.splits[pair[0]] != context.splits[pair[1]]:
            codes.append(NEAR_LEAK)
        # Of a group of many copies not every pair is told, only what joins it, and each example once.
        codes = [code for code in codes if not named[code.code].issuperset(pair)]
        one, other = root(pair[0]), root(pair[1])
        if one != other:
            joined[max(one, other)] = min(one, other)
            codes = codes or ([] if _differ(context, pair) or context.splits[pair[0]] != context.splits[pair[1]] else [NEAR])
        for code in codes:
            if code is not NEAR:
                named[code.code].update(pair)
            yield _pair(code, context, pair, float(near.difference[at]), float(near.details[at]))


def _pair(code: Code, context: Context, pair: Sequence[int], difference: float, details: float) -> Finding:
    labels, splits = [context.label(row) for row in pair], [str(context.splits[row]) for row in pair]
    said = f"both `{labels[0]}`" if not _differ(context, pair) else f"`{labels[0]}` and `{labels[1]}`"
    where = f"both in {splits[0]}" if splits[0] == splits[1] else f"in {splits[0]} and {splits[1]}"
    evidence = {"labels": labels, "splits": splits, "difference": round(difference, 4), "details": round(details, 4)}
    return code.finding(
        f"{said}, {where}; they differ by {difference:.2f}", examples=[context.records[row].id for row in pair], evidence=evidence
    )


def _differ(context: Context, rows: Sequence[int]) -> bool:
    """Tell whether labels contradict one another; numbers of two measurements may differ."""
    if context.signature.output.kind not in ("class", "labels"):
        return False
    return len({label_key(context.records[row].label) for row in rows}) > 1


def _sides(splits: set[str]) -> str:
    names = sorted(splits, key=_ORDER.__getitem__)
    return " and ".join(names) if len(names) == 2 else ", ".join(names)


CHECK = Check((EXACT, NEAR, EXACT_LABELS, NEAR_LABELS, EXACT_LEAK, NEAR_LEAK), _find)
