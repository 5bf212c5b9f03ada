"""Probable label errors, from what a training run said of each example while it learnt.

Which labels are *probably* wrong is decided without a known error. For examples that the network has never seen, the probabilities of
`tacit.search.suspicion` decide. For those it has learnt from they're cautious, for a network bends towards the labels it's shown; so as
large a share is named, the lowest margins first, as is surely wrong among the unseen ones.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tacit.directory.reading import read_section
from tacit.examples.examples import Examples
from tacit.ground.budget import Budget
from tacit.ground.tables import resolve
from tacit.instruments.linting.check import Check
from tacit.instruments.linting.context import Context, shown
from tacit.instruments.linting.finding import Code, Finding
from tacit.program import Program
from tacit.search.suspicion import Rating, rate
from tacit.signature.base import OutputType

LEAST = 0.7  # the probability from which a label is named
FEWEST = 100  # examples; fewer say too little
CALIBRATION = 0.1  # the share of the examples that a run of lint's own leaves out, to see how wrong the labels are
STEPS = 600  # a run of lint's own takes so many steps, and at least so many passes
PASSES = 10
SURE = 1.64  # standard errors: one-sided 95 %

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
    if output.kind not in ("class", "labels", "number") or int(context.sound.sum()) < FEWEST:
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
    trained, examples, binary = context.trained, context.examples, context.binary
    if trained is None or trained.values.get("signature") != examples.signature.to_json():
        return []
    seen = {name: tensor.numpy() for name, tensor in trained.examples.items()}
    if "scores" not in seen:
        return []
    place = {name: row for row, name in enumerate(examples.ids.tolist())}
    kept = [row for row, name in enumerate(trained.values["ids"]) if name in place]
    learnt = np.array([place[trained.values["ids"][row]] for row in kept], np.int64)
    if len(learnt) < FEWEST:
        return []
    also_seen = [place[name] for name in trained.values.get("also_seen", ()) if name in place]
    rest = np.setdiff1d(np.arange(len(examples)), np.append(learnt, np.array(also_seen, np.int64)))
    unseen = None
    if len(rest) and binary is not None and binary.digest == trained.digest:
        context.reporter.phase("scoring the examples that were not learnt from")
        unseen = _unseen(examples, rest, binary.evaluate(examples.take(rest)))
    return _with_learnt(examples, learnt, {name: column[kept] for name, column in seen.items()}, unseen)


def _from_own_run(context: Context) -> list[Part]:
    """Train once, with a tenth of the examples left out."""
    examples, options = context.examples, context.options
    if options.minutes <= 0:
        return []
    context.reporter.phase("training once to see which labels it disagrees with")
    left_out = np.random.default_rng(options.seed).permutation(len(examples)) < round(CALIBRATION * len(examples))
    observed = _observe(context, left_out, options.minutes)
    unseen = _unseen(examples, np.flatnonzero(left_out), observed.scores)
    return _with_learnt(examples, np.flatnonzero(~left_out), observed.averages, unseen)


def _cross_validated(context: Context, folds: int) -> list[Part]:
    """Train once per fold, and rate each fold by a network that hasn't seen it; the folds are rated together."""
    examples, options = context.examples, context.options
    fold = np.random.default_rng(options.seed).permutation(len(examples)) % folds
    scores = np.zeros((len(examples), examples.signature.output.width), np.float32)
    for number in range(folds):
        context.reporter.phase(f"fold {number + 1} of {folds}")
        scores[fold == number] = _observe(context, fold == number, options.minutes / folds).scores
    part = _unseen(examples, np.arange(len(examples)), scores)
    return [] if part is None else [part]


def _observe(context: Context, left_out: np.ndarray, minutes: float) -> Any:
    settings = read_section(context.directory, "skeleton")
    recipe = read_section(context.directory, "train")
    program = Program(
        context.outline.name,
        context.signature,
        context.examples,
        skeleton=settings.pop("name", context.signature.input.skeleton),
        settings={key: value for key, value in settings.items() if not isinstance(value, list)},  # open choices stay at their usual
        recipe=recipe,
        budget=Budget(minutes=minutes),
        directory=context.directory,
    )
    usual = resolve("tacit.search.recipe:recipe_for")(program.signature, recipe, examples=int((~left_out).sum()))
    passes = max(PASSES, -(-STEPS * usual.batch // max(1, int((~left_out).sum()))))
    program = replace(program, recipe={**recipe, "epochs": min(usual.epochs, passes)})
    return resolve("tacit.compiler:observe")(program, held_out=left_out, seed=context.options.seed, reporter=context.reporter)


# --- which labels are named ----------------------------------------------------------------------------------------


def _unseen(examples: Examples, rows: np.ndarray, scores: np.ndarray) -> Part | None:
    rating = rate(examples.signature.output, {"scores": scores}, examples.targets[rows])
    if rating is None:
        return None
    return Part(rows, rating, rating.probable(LEAST), "a network that hasn't seen the example")


def _with_learnt(examples: Examples, rows: np.ndarray, seen: Mapping[str, np.ndarray], unseen: Part | None) -> list[Part]:
    """Name labels among those learnt from, and give both parts.

    As many are named as are wrong with more than 95 % certainty, going by the share among the unseen; and those with a high probability.
    """
    rating = rate(examples.signature.output, seen, examples.targets[rows])
    if rating is None:
        return [] if unseen is None else [unseen]
    named = rating.probable(LEAST)
    if unseen is not None and len(unseen.rows) >= FEWEST:
        share = float(unseen.named.mean())
        surely = share - SURE * float(np.sqrt(share * (1.0 - share) / len(unseen.rows)))
        lowest = np.argsort(rating.margins, kind="stable")[: max(0, int(surely * len(rows)))]
        named[lowest[rating.margins[lowest] < 0]] = True
    learnt = Part(rows, rating, named, "the training run")
    return [learnt] if unseen is None else [learnt, unseen]


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
