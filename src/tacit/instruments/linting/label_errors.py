"""Probable label errors, from what a training run said of each example while it learnt.

Which labels are *probably* wrong is decided without a known error, by the probabilities of `tacit.search.suspicion`. A network bends
towards the labels it's shown, so for those the probabilities are cautious. For examples that it hasn't seen they're bold, for what
is hard looks wrong, and more is asked. How both were chosen: benchmarks/label_errors.py.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tacit.directory.reading import read_section
from tacit.examples.examples import Examples
from tacit.ground.budget import Budget
from tacit.ground.errors import ConfigError, FormatError
from tacit.ground.tables import resolve
from tacit.instruments.linting.check import Check
from tacit.instruments.linting.context import Context, shown
from tacit.instruments.linting.finding import Code, Finding
from tacit.program import Program
from tacit.search.suspicion import KEPT, Rating, rate
from tacit.signature.base import OutputType

LEAST = 0.6  # the probability from which a label that the network was shown is named
LEAST_UNSEEN = 0.9  # and one that it wasn't
FEWEST = 100  # examples; fewer say too little
PASSES = 12  # of a run of lint's own, at most: more would learn wrong labels by heart
STEPS = 300  # it takes at least so many steps, in smaller batches where there are few examples
COLUMNS = ("scores", "counts", "classes", "final")
TOO_FEW = 3.0  # passes that say nothing yet

PROBABLE = Code(
    "TL601",
    "label-error",
    "warning",
    "The label is probably wrong",
    "While it learnt, the network went on preferring another label to the one given (the margin, averaged over the training run, is far "
    "below 0), or, for an example it hasn't seen, another label is much more probable.",
    "look at the example; if the label is wrong: tacit labels set ID LABEL",
)


@dataclass(frozen=True, eq=False)
class Part:
    """Examples that were rated together. rows: places in `Context.examples`. named: bool, whose labels are probably wrong. how: said."""

    rows: np.ndarray
    rating: Rating
    named: np.ndarray
    how: str


def _find(context: Context) -> Iterable[Finding]:
    output = context.signature.output
    if output.kind not in ("class", "labels", "number") or (output.kind != "class" and output.width > KEPT):
        return []
    if int(context.sound.sum()) < FEWEST:
        return []
    if len(context.examples) < FEWEST or not _differ(output, context.examples.targets):
        return []
    if context.options.cross_validate:
        parts = _cross_validated(context, context.options.cross_validate)
    else:
        parts = _from_compile(context) or _from_own_run(context)
    return [_finding(context, part, place) for part in parts for place in _worst_first(part)]


def _differ(output: OutputType, targets: np.ndarray) -> bool:
    return bool((targets != targets[:1]).any()) if len(targets) else False


def _worst_first(part: Part) -> list[int]:
    places = np.flatnonzero(part.named)
    return [int(place) for place in places[np.argsort(part.rating.margins[places], kind="stable")]]


# --- where the scores come from ------------------------------------------------------------------------------------


def _from_compile(context: Context) -> list[Part]:
    """Rate by the newest run that `compile` kept; nothing where it says nothing of these examples or classes."""
    try:
        trained = context.trained
    except FormatError as error:  # a cache: lint trains a little itself then
        context.reporter.note(error.message)
        return []
    examples, binary = context.examples, context.binary
    if trained is None or trained.values.get("signature") != examples.signature.to_json():
        return []
    seen = {name: trained.examples[name].numpy() for name in COLUMNS if name in trained.examples}
    if "scores" not in seen:
        return []
    place = {name: row for row, name in enumerate(examples.ids.tolist())}
    kept = [row for row, name in enumerate(trained.values["ids"]) if name in place]
    learnt = np.array([place[trained.values["ids"][row]] for row in kept], np.int64)
    if len(learnt) < FEWEST:
        return []
    also_seen = [place[name] for name in trained.values.get("also_seen", ()) if name in place]
    rest = np.setdiff1d(np.arange(len(examples)), np.append(learnt, np.array(also_seen, np.int64)))
    parts = [_part(examples, learnt, {name: column[kept] for name, column in seen.items()})]
    if len(rest) >= FEWEST and binary is not None and binary.digest == trained.digest:
        context.reporter.phase("scoring the examples that were not learnt from")
        parts.append(_part(examples, rest, {"scores": binary.evaluate(examples.take(rest))}, unseen=True))
    return parts


def _from_own_run(context: Context) -> list[Part]:
    """Train once on all examples, whatever their split: nothing is measured by them here."""
    examples, options = context.examples, context.options
    if options.minutes <= 0:
        return []
    context.reporter.phase("training once to see which labels it disagrees with")
    observed = _observe(context, np.zeros(len(examples), bool), options.minutes)
    return [] if observed is None else [_part(examples, np.arange(len(examples)), observed.averages)]


def _cross_validated(context: Context, folds: int) -> list[Part]:
    """Train once per fold, and rate each fold by a network that hasn't seen it; the folds are rated together."""
    if folds < 2:
        raise ConfigError(f"expected at least 2 folds, got {folds} - at `--cross-validate`", fix="--cross-validate 5")
    examples, options = context.examples, context.options
    fold = np.random.default_rng(options.seed).permutation(len(examples)) % folds
    scores = np.zeros((len(examples), examples.signature.output.width), np.float32)
    for number in range(folds):
        context.reporter.phase(f"fold {number + 1} of {folds}")
        observed = _observe(context, fold == number, options.minutes / folds)
        if observed is None:
            return []
        scores[fold == number] = observed.scores
    return [_part(examples, np.arange(len(examples)), {"scores": scores}, unseen=True)]


def _observe(context: Context, left_out: np.ndarray, minutes: float) -> Any:
    """Train once, by the program's settings and recipe but shorter; None, and a note, where there was too little time."""
    settings, recipe = read_section(context.directory, "skeleton"), read_section(context.directory, "train")
    count = int((~left_out).sum())
    usual = resolve("tacit.search.recipe:recipe_for")(context.signature, recipe, examples=count)
    batch = max(8, min(usual.batch, count * PASSES // STEPS))
    rate_of_learning = usual.learning_rate * (batch / usual.batch if usual.optimiser == "sgd" else 1.0)
    program = Program(
        context.outline.name,
        context.signature,
        context.examples,
        skeleton=settings.pop("name", context.signature.input.skeleton),
        settings={key: value for key, value in settings.items() if not isinstance(value, list)},  # open choices stay at their usual
        recipe={**recipe, "epochs": min(usual.epochs, PASSES), "batch": batch, "learning_rate": rate_of_learning},
        budget=Budget(minutes=minutes),
        directory=context.directory,
    )
    observed = resolve("tacit.compiler:observe")(program, held_out=left_out, seed=context.options.seed, reporter=context.reporter)
    if observed.passes < TOO_FEW:
        context.reporter.note(f"label errors weren't looked for: {minutes:g} minutes are too little to train in; try --minutes")
        return None
    return observed


def _part(examples: Examples, rows: np.ndarray, seen: Mapping[str, np.ndarray], *, unseen: bool = False) -> Part:
    how = "a network that hasn't seen the example" if unseen else "the training run"
    rating = rate(examples.signature.output, seen, examples.targets[rows], unseen=unseen) if "scores" in seen else None
    if rating is None:
        return Part(rows[:0], Rating(np.zeros(0), np.zeros(0), np.zeros((0, 1), np.float32)), np.zeros(0, bool), how)
    return Part(rows, rating, rating.probable(LEAST_UNSEEN if unseen else LEAST), how)


# --- what is reported ----------------------------------------------------------------------------------------------


def _finding(context: Context, part: Part, place: int) -> Finding:
    name = str(context.examples.ids[part.rows[place]])
    given = context.records[context.row[name]].label
    guess = context.signature.output.decode(part.rating.guesses[place])
    evidence = {
        "label": given,
        "guess": guess,
        "margin": round(float(part.rating.margins[place]), 3),
        "probability": round(float(part.rating.wrong[place]), 3),
        "by": part.how,
    }
    typed = ";".join(guess) if isinstance(guess, list) else f"{guess:g}" if isinstance(guess, float) else str(guess)
    return PROBABLE.finding(
        f"labelled {shown(given)}, but {part.how} speaks for {shown(guess)}",
        examples=[name],
        evidence=evidence,
        key=f"{name} {shown(given)}",
        fix=f"look at it; if the label is wrong: tacit labels set {name} {shlex.quote(typed)}",
    )


CHECK = Check((PROBABLE,), _find)
