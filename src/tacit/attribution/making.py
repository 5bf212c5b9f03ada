"""From a compiled program to its features: which examples it learnt from, with which skeleton, settings and recipe."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tacit.attribution.attribution import Plan, attribute, plan_for
from tacit.attribution.keeping import Features, described, keep_features, open_features
from tacit.binary.binary import Binary
from tacit.examples.examples import Examples
from tacit.ground.errors import ConfigError, InputError, TacitError
from tacit.ground.progress import Reporter
from tacit.program import Program
from tacit.search.recipe import recipe_for
from tacit.search.trained import load_trained
from tacit.signature.symbols import Symbols
from tacit.skeletons.choices import first_of
from tacit.skeletons.table import skeleton_for


def features_of(program: Program, binary: Binary, *, plan: Plan | None = None, reporter: Reporter | None = None) -> Features:
    """Give the features of a binary: those kept in the program directory, or new ones, which are then kept.

    Raises: InputError when the binary was made from other examples than the program has now.
    """
    kept = None if program.directory is None else open_features(program.directory, binary.digest, program.signature)
    return kept or write_features(program, binary, plan=plan, reporter=reporter)


def write_features(program: Program, binary: Binary, *, plan: Plan | None = None, reporter: Reporter | None = None) -> Features:
    """Make the features of a binary and keep them in the program directory, if there is one.

    Raises: InputError when the binary was made from other examples than the program has now; ConfigError for an output of symbols.
    """
    reporter = reporter or Reporter()
    program.need_examples("the features for blame")
    if isinstance(program.signature.output, Symbols):
        raise ConfigError(
            f"expected an output of classes, labels or numbers for blame, got {program.signature.output!r}",
            cause="an answer that is a sequence has no single score to ask for",
            fix="tacit test, tacit diff: they compare sequences",
        )
    values = _made_with(program, binary)
    examples = _learnt(program, binary, values.pop("ids"))
    recipe = recipe_for(program.signature, program.recipe, examples=len(examples))
    plan = plan or plan_for(len(examples))
    skeleton = skeleton_for(program.signature, program.skeleton)
    attribution = attribute(examples, skeleton, values["settings"], recipe, seed=int(values["seed"]), plan=plan, reporter=reporter)
    features = described(examples, attribution, {**values, "plan": dataclasses.asdict(plan)})
    if program.directory is None or not isinstance(program.skeleton, str | None):
        return features
    try:
        keep_features(program.directory, binary.digest, features)
    except TacitError as error:
        reporter.note(f"features are not kept: {error.message}")
        return features
    # From disk, as every later question has them: one way to answer, not two.
    return open_features(program.directory, binary.digest, program.signature) or features


def _made_with(program: Program, binary: Binary) -> dict[str, Any]:
    """Say how a binary was made: from the run that is kept beside it, else from its evidence."""
    trained = None
    if program.directory is not None:
        try:
            trained = load_trained(Path(program.directory), binary.digest)
        except TacitError:  # damaged: a cache
            trained = None
    run: Mapping[str, Any] = binary.evidence.get("run") or {}
    settings = trained.values["settings"] if trained else run.get("settings")
    if settings is None:
        settings = first_of(program.settings)
    return {
        "ids": list(trained.values["ids"]) if trained else None,
        "settings": dict(settings),
        "skeleton": program.skeleton if isinstance(program.skeleton, str | None) else None,
        "seed": int(run.get("seed") or 0),
        "labels": (binary.evidence.get("labels") or {}).get("digest"),
    }


def _learnt(program: Program, binary: Binary, ids: list[str] | None) -> Examples:
    """Give the examples that the shipped weights have seen. Raises: InputError when the labels are no longer those."""
    examples = program.examples
    made_from = (binary.evidence.get("labels") or {}).get("digest")
    if made_from is not None and examples.labels_digest and made_from != examples.labels_digest:
        raise InputError(
            f"expected the labels that the binary was made from, got others - at `{program.directory or program.name}`",
            cause=f"it was made from {made_from[:12]}, the program now has {examples.labels_digest[:12]}",
            fix="tacit compile --features, or go back to the commit that the binary names (`tacit inspect`)",
        )
    if ids is None:
        refit = bool((binary.evidence.get("run") or {}).get("refit"))
        return examples.take(examples.splits != "test") if refit else examples.split("train")
    return examples.take(np.flatnonzero(np.isin(examples.ids, np.array(ids))))
