"""Metrics: functions of scores and targets that give one number, by name in `tacit.goals.table`.

Definitions are those of scikit-learn, so that numbers can be laid beside each other; the tests compare the two.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tacit.ground.errors import ConfigError, InputError
from tacit.ground.tables import did_you_mean
from tacit.signature.base import Joint, OutputType
from tacit.signature.edits import edits
from tacit.signature.outputs import Class, Labels, Number
from tacit.signature.symbols import Symbols

Measure = Callable[[np.ndarray, np.ndarray, OutputType, str | None], float]


@dataclass(frozen=True)
class Metric:
    """One metric. Call it with scores float32[example, width], targets [example, ...] and the output type.

    kinds: the kinds of output that it is for (None: any). of_label: it is about one class, which must be named in the call or in `label`.
    The value is NaN where the metric is not defined (no examples, one class only for `roc_auc`).
    """

    name: str
    measure: Measure
    kinds: tuple[str, ...] | None
    higher_is_better: bool = True
    of_label: bool = False
    label: str | None = None

    def __call__(self, scores: np.ndarray, targets: np.ndarray, output: OutputType, *, label: str | None = None) -> float:
        """Measure. Raises: ConfigError when the metric is not for this output or label, InputError for unequal lengths."""
        label = self.label if label is None else label
        self.check(output, label=label)
        scores, targets = np.asarray(scores), np.asarray(targets)
        if scores.ndim != 2 or scores.shape[1] != output.width or targets.shape != (len(scores), *output.target.shape):
            raise InputError(
                f"expected scores [example, {output.width}] and as many targets of shape {list(output.target.shape)}, "
                f"got {list(scores.shape)} and {list(targets.shape)} - at the metric `{self.name}`"
            )
        return float(self.measure(scores, targets, output, label)) if len(scores) else math.nan

    def check(self, output: OutputType, *, label: str | None = None) -> None:
        """Refuse an output or a label that the metric is not for. Raises: ConfigError."""
        if self.kinds is not None and output.kind not in self.kinds:
            raise ConfigError(f"expected an output of the type {' or '.join(self.kinds)}, got {output!r} - at the metric `{self.name}`")
        if self.name == "roc_auc" and output.width != 2:
            raise ConfigError(f"expected an output of two classes, got {output.width} - at the metric `roc_auc`")
        label = self.label if label is None else label
        names = output.names if isinstance(output, Class | Labels) else ()
        if self.of_label and label is None:
            raise ConfigError(f"expected the name of one class, got none - at the metric `{self.name}`", fix=f'label = "{names[0]}"')
        if label is not None and not self.of_label:
            raise ConfigError(
                f"expected no class, got `{label}` - at the metric `{self.name}`", fix="`f1`, `precision` and `recall` are about one class"
            )
        if label is not None and label not in names:
            raise ConfigError(f"expected a known class, got `{label}` - at the metric `{self.name}`", fix=did_you_mean(label, list(names)))

    def better(self, value: float, than: float) -> bool:
        """Tell whether a value is better than another; a value that is not defined is worse than any."""
        if math.isnan(value) or math.isnan(than):
            return not math.isnan(value)
        return value > than if self.higher_is_better else value < than

    def met(self, value: float | None, threshold: float) -> bool:
        """Tell whether a value reaches a threshold; a value that is not defined does not."""
        if value is None or math.isnan(value):
            return False
        return value >= threshold if self.higher_is_better else value <= threshold


def confusion_counts(scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Count int64[true class, predicted class] from scores float32[example, class] and targets int64[example]."""
    classes = scores.shape[1]
    cells = targets.astype(np.int64) * classes + np.argmax(scores, axis=1)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def hits_and_misses(scores: np.ndarray, targets: np.ndarray, output: OutputType) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count true positives, false positives and false negatives, int64[class] each, of a `Class` or `Labels` output."""
    if isinstance(output, Labels):
        given, true = scores >= 0, targets > 0.5
        return (given & true).sum(axis=0), (given & ~true).sum(axis=0), (~given & true).sum(axis=0)
    classes, true = scores.shape[1], targets.astype(np.int64)
    guessed = np.argmax(scores, axis=1)
    right = np.bincount(true[guessed == true], minlength=classes)
    return right, np.bincount(guessed, minlength=classes) - right, np.bincount(true, minlength=classes) - right


def share(part: np.ndarray | float, whole: np.ndarray | float) -> np.ndarray:
    """Divide, a share of nothing being 0."""
    whole = np.asarray(whole, np.float64)
    return np.where(whole > 0, np.asarray(part, np.float64) / np.where(whole > 0, whole, 1.0), 0.0)


def real_numbers(scores: np.ndarray, targets: np.ndarray, output: OutputType) -> tuple[np.ndarray, np.ndarray]:
    """Turn standardised scores and targets of a `Number` into float64[example] in its own unit."""
    if not isinstance(output, Number):
        raise ConfigError(f"expected a Number, got {output!r}")
    guessed, true = (values.astype(np.float64).reshape(-1) * output.scale + output.mean for values in (scores, targets))
    return guessed, true


def _accuracy(scores: np.ndarray, targets: np.ndarray, output: OutputType, label: str | None) -> float:
    return float(np.mean(np.argmax(scores, axis=1) == targets))


def _balanced_accuracy(scores: np.ndarray, targets: np.ndarray, output: OutputType, label: str | None) -> float:
    right, _, missed = hits_and_misses(scores, targets, output)
    there = right + missed > 0
    return float(share(right, right + missed)[there].mean())


def _macro_f1(scores: np.ndarray, targets: np.ndarray, output: OutputType, label: str | None) -> float:
    right, wrong, missed = hits_and_misses(scores, targets, output)
    f1 = share(2 * right, 2 * right + wrong + missed)
    return float(f1.mean() if isinstance(output, Labels) else f1[right + wrong + missed > 0].mean())


def _micro_f1(scores: np.ndarray, targets: np.ndarray, output: OutputType, label: str | None) -> float:
    right, wrong, missed = (int(counts.sum()) for counts in hits_and_misses(scores, targets, output))
    return float(share(2 * right, 2 * right + wrong + missed))


def _exact_match(scores: np.ndarray, targets: np.ndarray, output: OutputType, label: str | None) -> float:
    if isinstance(output, Symbols):
        return float(np.mean([edits == (0, 0, 0) for edits in edits_of(scores, targets, output)]))
    return float(np.mean(((scores >= 0) == (targets > 0.5)).all(axis=1)))


def _symbol_error_rate(scores: np.ndarray, targets: np.ndarray, output: OutputType, label: str | None) -> float:
    """Divide the edits of all examples by the names of all targets; of words it is the word error rate. May exceed 1."""
    if not isinstance(output, Symbols):
        raise ConfigError(f"expected a sequence of symbols, got {output!r}")
    names = int((targets >= 0).sum())
    return sum(map(sum, edits_of(scores, targets, output))) / names if names else math.nan


def edits_of(scores: np.ndarray, targets: np.ndarray, output: Symbols) -> list[tuple[int, int, int]]:
    """Count (substitutions, deletions, insertions) for each example between what the best path spells and its target."""
    return [edits(true[true >= 0].tolist(), output.best_path(row)[0].tolist()) for row, true in zip(scores, targets, strict=True)]


def _of_label(kind: str) -> Measure:
    def measure(scores: np.ndarray, targets: np.ndarray, output: OutputType, label: str | None) -> float:
        if not isinstance(output, Class | Labels) or label is None:
            raise ConfigError(f"expected the name of one class - at the metric `{kind}`")
        right, wrong, missed = (int(counts[output.names.index(label)]) for counts in hits_and_misses(scores, targets, output))
        whole = {"precision": right + wrong, "recall": right + missed, "f1": right + (wrong + missed) / 2}[kind]
        return float(share(right, whole))

    return measure


def _log_loss(scores: np.ndarray, targets: np.ndarray, output: OutputType, label: str | None) -> float:
    wide = scores.astype(np.float64)
    greatest = wide.max(axis=1)
    total = greatest + np.log(np.exp(wide - greatest[:, None]).sum(axis=1))
    return float(np.mean(total - wide[np.arange(len(wide)), targets.astype(np.int64)]))


def _roc_auc(scores: np.ndarray, targets: np.ndarray, output: OutputType, label: str | None) -> float:
    """Count pairs by ranks (Mann and Whitney 1947), ties by half."""
    margins = scores[:, 1].astype(np.float64) - scores[:, 0]
    _, place, count = np.unique(margins, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    positive = targets == 1
    ones, zeros = int(positive.sum()), int((~positive).sum())
    if not ones or not zeros:
        return math.nan
    return float((ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def _mean_absolute_error(scores: np.ndarray, targets: np.ndarray, output: OutputType, label: str | None) -> float:
    guessed, true = real_numbers(scores, targets, output)
    return float(np.abs(guessed - true).mean())


def _root_mean_square_error(scores: np.ndarray, targets: np.ndarray, output: OutputType, label: str | None) -> float:
    guessed, true = real_numbers(scores, targets, output)
    return float(np.sqrt(np.square(guessed - true).mean()))


def _r2(scores: np.ndarray, targets: np.ndarray, output: OutputType, label: str | None) -> float:
    guessed, true = real_numbers(scores, targets, output)
    if len(true) < 2:
        return math.nan
    missed, spread = float(np.square(guessed - true).sum()), float(np.square(true - true.mean()).sum())
    return 1.0 - missed / spread if spread > 0 else float(missed == 0)


def _joint(scores: np.ndarray, targets: np.ndarray, output: OutputType, label: str | None) -> float:
    """Average one score per part in which 1 is perfect: accuracy of a class, micro F1 of labels, r2 of a number."""
    if not isinstance(output, Joint):
        raise ConfigError(f"expected a joint output, got {output!r}")
    pieces = zip(output.parts, output.divide_scores(scores), output.divide_targets(targets), strict=True)
    return float(np.mean([_ONE_IS_PERFECT[part.kind](own, true, part, None) for part, own, true in pieces]))


_ONE_IS_PERFECT: dict[str, Measure] = {"class": _accuracy, "labels": _micro_f1, "number": _r2, "symbols": _exact_match}

accuracy = Metric("accuracy", _accuracy, ("class",))
balanced_accuracy = Metric("balanced_accuracy", _balanced_accuracy, ("class",))
macro_f1 = Metric("macro_f1", _macro_f1, ("class", "labels"))
micro_f1 = Metric("micro_f1", _micro_f1, ("labels",))
exact_match = Metric("exact_match", _exact_match, ("labels", "symbols"))
f1 = Metric("f1", _of_label("f1"), ("class", "labels"), of_label=True)
precision = Metric("precision", _of_label("precision"), ("class", "labels"), of_label=True)
recall = Metric("recall", _of_label("recall"), ("class", "labels"), of_label=True)
symbol_error_rate = Metric("symbol_error_rate", _symbol_error_rate, ("symbols",), higher_is_better=False)
log_loss = Metric("log_loss", _log_loss, ("class",), higher_is_better=False)
roc_auc = Metric("roc_auc", _roc_auc, ("class",))
mean_absolute_error = Metric("mean_absolute_error", _mean_absolute_error, ("number",), higher_is_better=False)
root_mean_square_error = Metric("root_mean_square_error", _root_mean_square_error, ("number",), higher_is_better=False)
r2 = Metric("r2", _r2, ("number",))
joint = Metric("joint", _joint, ("joint",))
