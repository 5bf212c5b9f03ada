"""Shortcuts: a trivial feature that tells the label nearly as well as a whole program does.

Each feature is given to a small classifier by itself and measured on examples that it has not seen, with as many of each class, against
chance and against what the examples themselves allow: the compiled program where there is one, else neighbours by content.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tacit.instruments.linting.check import Check
from tacit.instruments.linting.context import Context, few
from tacit.instruments.linting.finding import Code, Finding, Severity
from tacit.instruments.linting.trivial import Feature, features_of
from tacit.instruments.linting.wording import normal_form

FEWEST = 20  # examples of a class below which it is left out
MOST = 400  # examples of a class that are used
NEIGHBOURS = 7
PARTS = 48  # of the content, for the comparison
#: Severity -> how far above chance (0: chance, 1: perfect), and as what share of what the whole examples allow.
LIMITS: tuple[tuple[Severity, float, float], ...] = (("error", 0.85, 0.9), ("warning", 0.7, 0.8), ("note", 0.4, 0.6))
COLUMN_LIMITS: tuple[tuple[Severity, float, float], ...] = (("error", 0.97, 0.95), ("warning", 0.85, 0.9))
STAMPED, ELSEWHERE = 0.8, 0.02  # shares of a class and of the others within a window
WINDOW = 0.02  # of the range of a feature
WORD = 0.9  # F1 from which one word tells a class

SHORTCUT = Code(
    "TL501",
    "shortcut",
    "warning",
    "A trivial feature tells the label",
    "A small classifier that is given nothing but this feature is nearly as good, on examples that it has not seen, as a program that sees"
    " everything. The program will probably learn the feature, and fail where it means something else. An error where it tells nearly every"
    " label, a note where it tells a good part, which may be natural.",
    "find out how the feature came into the data; take it out (crop, level, mix the sources), or collect examples of each class without it",
)
STAMP = Code(
    "TL502",
    "stamp",
    "warning",
    "One class is stamped",
    "Most examples of a class have nearly the same value of a trivial feature, and hardly any other example has it.",
    "find out how the feature came into the data, and take it out of the class or give it to all",
)
COLUMN = Code(
    "TL503",
    "telling-column",
    "warning",
    "One column tells the label",
    "A single column tells nearly every label by itself. Often it was made from the label, or written down after it was known.",
    "take the column out if it isn't known when the program is to be used",
)


@dataclass(frozen=True)
class _Sample:
    """Rows to learn from and rows to measure on, equally many of each class; classes: int64 of both."""

    learn: np.ndarray
    measure: np.ndarray
    learn_classes: np.ndarray
    measure_classes: np.ndarray
    classes: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        return np.concatenate([self.learn, self.measure])

    @property
    def chance(self) -> float:
        return 1.0 / len(self.classes)


def _find(context: Context) -> Iterator[Finding]:
    sample = _sampled(context)
    if sample is None:
        return
    whole = _whole(context, sample)
    told = False
    for feature in features_of(context, sample.rows):
        guess = _guessed(feature, sample)
        right = float((guess == sample.measure_classes).mean())
        reach = (right - sample.chance) / (1 - sample.chance)
        share = (right - sample.chance) / max(max(whole, right) - sample.chance, 1e-9)
        limits = COLUMN_LIMITS if feature.content else LIMITS
        severity = next((name for name, least, of_whole in limits if reach >= least and share >= of_whole), None)
        evidence = {"accuracy": round(right, 4), "chance": round(sample.chance, 4), "whole": round(whole, 4), "share": round(share, 4)}
        stamps = [] if severity in ("error", "warning") or feature.kinds or feature.content else list(_stamps(context, sample, feature))
        if stamps:
            yield from stamps
        elif severity is not None:
            told = told or severity != "note"
            yield _told(context, sample, feature, guess, severity, evidence)
    if context.signature.input.kind == "text" and not told:
        yield from _words(context)


def _told(
    context: Context, sample: _Sample, feature: Feature, guess: np.ndarray, severity: Severity, evidence: dict[str, float]
) -> Finding:
    names = context.class_names
    recall = {names[place]: float((guess == place)[sample.measure_classes == place].mean()) for place in sample.classes}
    best = sorted(recall, key=lambda name: -recall[name])
    right = sample.measure[guess == sample.measure_classes][:5]
    message = (
        f"{feature.name} alone tells {evidence['accuracy']:.0%} of the labels (chance {evidence['chance']:.0%}, "
        f"the whole example {evidence['whole']:.0%}); best: {few([f'{name} {recall[name]:.0%}' for name in best])}"
    )
    code = COLUMN if feature.content else SHORTCUT
    details = {**evidence, "feature": feature.name, "recall": {name: round(value, 4) for name, value in recall.items()}}
    return code.finding(message, examples=context.ids[right], key=feature.name, severity=severity, evidence=details)


def _sampled(context: Context) -> _Sample | None:
    """Take equally many examples of each class to learn from and to measure on; None where there are too few."""
    chance = np.random.default_rng(context.options.seed)
    usable = context.readable & (context.classes >= 0)
    counts = np.bincount(context.classes[usable], minlength=len(context.class_names)) if context.class_names else np.zeros(0, int)
    classes = np.flatnonzero(counts >= FEWEST)
    if len(classes) < 2:
        return None
    each = min(MOST, int(counts[classes].min()) // 2 * 2 if counts[classes].min() < MOST else MOST)
    learn, measure = [], []
    for place in classes:
        rows = chance.permutation(np.flatnonzero(usable & (context.classes == place)))[:each]
        learn.append(rows[: each // 2])
        measure.append(rows[each // 2 :])
    first, second = np.concatenate(learn), np.concatenate(measure)
    return _Sample(first, second, context.classes[first], context.classes[second], classes)


def _guessed(feature: Feature, sample: _Sample) -> np.ndarray:
    """Give int64[measured]: the class that the feature speaks for."""
    learn, measure = np.split(feature.values, [len(sample.learn)])
    return _by_kind(learn, measure, sample) if feature.kinds else _by_neighbours(learn, measure, sample)


def _by_kind(learn: np.ndarray, measure: np.ndarray, sample: _Sample) -> np.ndarray:
    votes = np.zeros((int(max(learn.max(), measure.max())) + 1, int(sample.classes.max()) + 1))
    np.add.at(votes, (learn, sample.learn_classes), 1)
    votes += votes.sum(axis=0) * 1e-9  # a kind that was not seen: any class
    return np.asarray(votes[measure].argmax(axis=1))


def _by_neighbours(learn: np.ndarray, measure: np.ndarray, sample: _Sample) -> np.ndarray:
    """Let the nearest few vote, each part on a scale of its own; what is not known lies apart from all that is."""
    known = learn[np.isfinite(learn).all(axis=1)]
    if not len(known):
        return np.full(len(measure), sample.classes[0])
    middle = np.median(known, axis=0)
    low, high = np.percentile(known, (10, 90), axis=0)
    scale = np.where(high > low, (high - low) / 2.56, np.maximum(known.std(axis=0), 1e-9))
    one, other = (np.nan_to_num(np.clip((part - middle) / scale, -6, 6), nan=20.0) for part in (learn, measure))
    guess = np.empty(len(measure), np.int64)
    width = int(sample.classes.max()) + 1
    nearest = min(NEIGHBOURS, len(one))
    for start in range(0, len(other), 1000):
        block = other[start : start + 1000]
        apart = (block**2).sum(axis=1)[:, None] - 2 * block @ one.T + (one**2).sum(axis=1)
        near = np.argpartition(apart, nearest - 1, axis=1)[:, :nearest]
        votes = np.zeros((len(block), width))
        np.add.at(votes, (np.arange(len(block))[:, None], sample.learn_classes[near]), 1)
        guess[start : start + 1000] = votes.argmax(axis=1)
    return guess


def _whole(context: Context, sample: _Sample) -> float:
    """Give the accuracy, all classes counting the same, that the examples as a whole allow: the program's, or that of neighbours."""
    content = _content(context, sample.rows, context.options.seed)
    learn, measure = np.split(content, [len(sample.learn)])
    found = float((_by_neighbours(learn, measure, sample) == sample.measure_classes).mean())
    scores = {} if context.binary is None else (context.binary.evidence.get("scores") or {}).get("test") or {}
    recalls = [block.get("recall") for block in (scores.get("per_class") or {}).values() if isinstance(block, dict)]
    known = [float(value) for value in recalls if isinstance(value, int | float)]
    return max(found, float(np.mean(known)) if known else 0.0)


def _content(context: Context, rows: np.ndarray, seed: int) -> np.ndarray:
    """Give float64[example, part]: the inputs of some examples, projected at random."""
    chance = np.random.default_rng(seed)
    parts = []
    for array, spec in zip(context.inputs, context.signature.input.arrays, strict=True):
        flat = np.asarray(array[rows]).reshape(len(rows), -1)
        if spec.limit is not None:  # ids of pieces or categories: count them in as many places
            places = (flat.astype(np.int64) * 2654435761 + np.arange(flat.shape[1]) * (spec.limit < 1000)) % 1024
            counted = np.zeros((len(rows), 1024))
            np.add.at(counted, (np.arange(len(rows))[:, None], places), flat != 0)
            flat = np.sqrt(counted)
        values = flat.astype(np.float64)
        values = (values - values.mean(axis=0)) / np.maximum(values.std(axis=0).mean(), 1e-9)
        parts.append(values @ chance.normal(size=(values.shape[1], PARTS)) / np.sqrt(values.shape[1]))
    return np.concatenate(parts, axis=1)


def _stamps(context: Context, sample: _Sample, feature: Feature) -> Iterator[Finding]:
    """Report the classes most of which have one value of a feature that hardly any other example has."""
    rows = sample.rows
    classes = np.concatenate([sample.learn_classes, sample.measure_classes])
    for part in range(feature.values.shape[1]):
        values = feature.values[:, part]
        low, high = np.nanpercentile(values, (1, 99))
        width = WINDOW * max(high - low, 1e-9)
        for place in sample.classes:
            mine = np.sort(values[(classes == place) & np.isfinite(values)])
            count = int(np.ceil(STAMPED * (classes == place).sum()))
            if len(mine) < count or count < 2:
                continue
            spans = mine[count - 1 :] - mine[: len(mine) - count + 1]
            at = int(spans.argmin())
            if spans[at] > width:
                continue
            inside = (values >= mine[at] - width / 20) & (values <= mine[at + count - 1] + width / 20)
            others = float(inside[classes != place].mean())
            if others <= ELSEWHERE:
                name, own = context.class_names[place], float(inside[classes == place].mean())
                message = f"{own:.0%} of `{name}` and {others:.1%} of the others have nearly the same value of {feature.name}"
                evidence = {"feature": feature.name, "class": name, "inside": round(own, 4), "others": round(others, 4)}
                examples = context.ids[rows[inside & (classes == place)][:5]]
                yield STAMP.finding(message, examples=examples, key=f"{feature.name} {name}", evidence=evidence)
                return


def _words(context: Context) -> Iterator[Finding]:
    """Report single words that tell a class by themselves."""
    usable = np.flatnonzero(context.readable & (context.classes >= 0))
    totals = np.bincount(context.classes[usable], minlength=len(context.class_names))
    counts: dict[str, np.ndarray] = {}
    for row in usable:
        for word in set(normal_form(str(context.records[row].input)).split()):
            counts.setdefault(word, np.zeros(len(totals), np.int64))[context.classes[row]] += 1
    for word, found in counts.items():
        if found.sum() < FEWEST:
            continue
        scores = 2 * found / np.maximum(found.sum() + totals, 1)
        place = int(scores.argmax())
        if scores[place] >= WORD and totals[place] < 0.9 * totals.sum():
            name = context.class_names[place]
            share, others = found[place] / totals[place], found.sum() - found[place]
            message = f"the word `{word}` stands in {share:.0%} of `{name}` and in {others:,} other texts"
            evidence = {"feature": f"the word `{word}`", "class": name, "f1": round(float(scores[place]), 4)}
            mine = usable[context.classes[usable] == place][:200]
            rows = [row for row in mine if word in normal_form(str(context.records[row].input)).split()]
            yield SHORTCUT.finding(message, examples=context.ids[rows[:5]], key=f"word {word}", evidence=evidence)


CHECK = Check((SHORTCUT, STAMP, COLUMN), _find)
