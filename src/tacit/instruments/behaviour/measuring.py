"""From what two binaries answered to counts, scores with intervals, classes, and slices that changed by more than chance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tacit.binary.binary import Binary
from tacit.goals.own import of_scores_alone
from tacit.goals.table import METRICS, metric_of
from tacit.history.lines import source_of
from tacit.instruments.behaviour.difference import BROKE, CHANGED, FIXED, Metric, Moved, Slice, Split
from tacit.instruments.behaviour.outcomes import changed
from tacit.instruments.behaviour.running import Compared
from tacit.instruments.behaviour.slicing import features_of, slices_of
from tacit.instruments.behaviour.statistics import LEAST_MOVED, SURE, bootstrap, holm, interval_of_mean, interval_of_shares, sign_test
from tacit.program import Program
from tacit.signature.outputs import Class, Labels, Number
from tacit.signature.symbols import Symbols


def kinds_of(compared: Compared, program: Program, within: float | None) -> np.ndarray:
    """Give what happened to each example, str[example]: broke, fixed, changed, or nothing."""
    was, now = compared.first.right, compared.second.right
    kinds = np.where(changed(compared.first, compared.second), CHANGED, "")
    if isinstance(program.signature.output, Number) and within is None:
        return kinds
    return np.where(was & ~now, BROKE, np.where(~was & now, FIXED, np.where(was & now, "", kinds)))


def split_of(name: str, compared: Compared, kinds: np.ndarray, program: Program, first: Binary, second: Binary) -> Split:
    """Count what moved on one split and score both there."""
    rows = np.flatnonzero(compared.examples.splits == name)
    counts = {kind: int((kinds[rows] == kind).sum()) for kind in (BROKE, FIXED, CHANGED)}
    if isinstance(program.signature.output, Number) and not (counts[BROKE] or counts[FIXED]):
        nearer = np.sign(compared.second.margins[rows] - compared.first.margins[rows])
        probability = sign_test(int((nearer < 0).sum()), int((nearer > 0).sum()))
    else:
        probability = sign_test(counts[BROKE], counts[FIXED])
    refit = any((binary.evidence.get("run") or {}).get("refit") for binary in (first, second))
    learnt = name == "train" or (name == "validation" and refit)
    metrics = tuple(_metrics(compared, rows, program, first, second))
    return Split(name, len(rows), counts[BROKE], counts[FIXED], counts[CHANGED], probability, metrics, learnt)


def _metrics(compared: Compared, rows: np.ndarray, program: Program, first: Binary, second: Binary) -> Iterator[Metric]:
    """Give the share that is right (or the mean error), then what the goals ask for."""
    was, now, output = compared.first, compared.second, program.signature.output
    done = set()
    if isinstance(output, Number):
        errors = -was.margins[rows], -now.margins[rows]
        low, high = interval_of_mean(errors[1] - errors[0])
        yield Metric("mean_absolute_error", float(errors[0].mean()), float(errors[1].mean()), low, high, higher_is_better=False)
        done.add("mean_absolute_error")
    else:
        broke, fixed = int((was.right & ~now.right)[rows].sum()), int((~was.right & now.right)[rows].sum())
        name = "accuracy" if isinstance(output, Class) else "exact_match" if isinstance(output, Labels | Symbols) else "all parts right"
        low, high = interval_of_shares(broke, fixed, len(rows))
        yield Metric(name, float(was.right[rows].mean()), float(now.right[rows].mean()), low, high)
        done.add(name)
    if not first.signature.output == second.signature.output == output:
        return
    targets = compared.examples.targets[rows]
    one, two = (scores[rows] for scores in compared.scores)
    for goal in (*filter(of_scores_alone, program.goals), None):
        metric = metric_of(goal) if goal is not None else METRICS.get(output.metric)
        name = metric.name if metric.label is None else f"{metric.name} of `{metric.label}`"
        if name in done:
            continue
        done.add(name)

        def gain(some: np.ndarray, metric: Any = metric) -> float:
            return float(metric(two[some], targets[some], output) - metric(one[some], targets[some], output))

        low, high = bootstrap(gain, len(rows))
        before, after = float(metric(one, targets, output)), float(metric(two, targets, output))
        yield Metric(name, before, after, low, high, metric.higher_is_better)


def moved_in(compared: Compared, kinds: np.ndarray, headline: str) -> tuple[Moved, ...]:
    """List the examples that moved: the headline's first, what broke before what was fixed, the greatest change first."""
    examples, one, two = compared.examples, compared.first, compared.second
    rows = np.flatnonzero(kinds != "")
    rank: dict[str, int] = {BROKE: 0, FIXED: 1, CHANGED: 2}
    labels, change = examples.signature.output, np.abs(np.nan_to_num(two.margins - one.margins))
    order = sorted(
        map(int, rows), key=lambda row: (examples.splits[row] != headline, str(examples.splits[row]), rank[str(kinds[row])], -change[row])
    )
    return tuple(
        Moved(
            str(examples.ids[row]),
            str(kinds[row]),
            str(examples.splits[row]),
            labels.label(examples.targets[row]),
            one.answers[row],
            two.answers[row],
            _margin(one.margins[row]),
            _margin(two.margins[row]),
            _place(compared.places, str(examples.ids[row])),
        )
        for row in order
    )


def _margin(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)


def _place(places: Mapping[str, tuple[str, int]], name: str) -> str:
    return "{}:{}".format(*places[name]) if name in places else ""


def named(program: Program) -> bool:
    """Tell whether an answer is one of several names, so that pairs of them can be counted."""
    return isinstance(program.signature.output, Class)


def classes_of(compared: Compared, rows: np.ndarray) -> tuple[Slice, ...]:
    """Give the classes of the label on some rows; for several labels at once, the examples that have each."""
    output, targets = compared.examples.signature.output, compared.examples.targets[rows]
    if isinstance(output, Class):
        groups = [(name, rows[targets == place]) for place, name in enumerate(output.names)]
    elif isinstance(output, Labels):
        groups = [(name, rows[targets[:, place] > 0.5]) for place, name in enumerate(output.names)]
    else:
        return ()
    return tuple(_slice(name, compared, own, within=0.0) for name, own in groups if len(own))


def _slice(name: str, compared: Compared, rows: np.ndarray, *, within: float | None) -> Slice:
    """Count what broke and was fixed; numbers without a tolerance count as worse and better."""
    one, two = compared.first, compared.second
    if within is None and isinstance(compared.examples.signature.output, Number):
        broke, fixed = int((two.margins < one.margins)[rows].sum()), int((two.margins > one.margins)[rows].sum())
        before, after = -float(one.margins[rows].mean()), -float(two.margins[rows].mean())
    else:
        broke, fixed = int((one.right & ~two.right)[rows].sum()), int((~one.right & two.right)[rows].sum())
        before, after = float(one.right[rows].mean()), float(two.right[rows].mean())
    return Slice(name, len(rows), before, after, broke, fixed, sign_test(broke, fixed))


def significant_slices(compared: Compared, rows: np.ndarray, within: float | None) -> tuple[tuple[Slice, ...], int]:
    """Give the slices of some rows whose change is significant, and how many were tested.

    Only slices in which enough moved to be able to come out are tested: leaving the others out by their number costs nothing (Tarone
    1990, "A modified Bonferroni method for discrete data").
    """
    examples = compared.examples
    names = [str(name) for name in examples.ids[rows]]
    output = examples.signature.output
    named: dict[str, Sequence[Any]] = {}
    if isinstance(output, Class):
        named["class"] = [output.label(target) for target in examples.targets[rows]]
    if isinstance(output, Labels):
        named["number of labels"] = [len(output.label(target)) for target in examples.targets[rows]]
    if examples.groups is not None:
        named["group"] = examples.groups[rows].tolist()
    if all(name in compared.places for name in names):
        named["import"] = [source_of(compared.places[name][0]) for name in names]
    values = [compared.records[name].input if name in compared.records else None for name in names]
    features = features_of(examples.signature.input, [array[rows] for array in examples.inputs], values, named=named)
    near = within if within is not None or isinstance(output, Number) else 0.0
    found = [_slice(name, compared, rows[own], within=near) for name, own in slices_of(features)]
    tested = [item for item in found if item.broke + item.fixed >= LEAST_MOVED]
    adjusted = holm([item.probability for item in tested])
    sure = [
        Slice(item.name, item.count, item.before, item.after, item.broke, item.fixed, probability)
        for item, probability in zip(tested, adjusted, strict=True)
        if probability < SURE
    ]
    return tuple(sorted(sure, key=lambda item: item.probability)), len(tested)


def mean_change(compared: Compared, rows: np.ndarray) -> float | None:
    """Give by how much numbers moved on average, in their own unit; None for other answers."""
    if not isinstance(compared.examples.signature.output, Number):
        return None
    return float(np.abs(compared.second.values[rows] - compared.first.values[rows]).mean())
