"""The way of Software 1.0 that this program replaces: a support vector machine on the values of the picture.

Source: Cortes and Vapnik 1995, "Support-Vector Networks"; it was the standard for digits of this size.
"""

from __future__ import annotations

import importlib
import itertools
import pickle
import time
from typing import Any

import numpy as np

import tacit

#: What is tried, beside what scikit-learn takes by itself.
REGULARISATION = (1.0, 3.0, 10.0, 30.0)
GAMMA: tuple[float | str, ...] = ("scale", 0.01, 0.03, 0.1)


def predecessor(examples: tacit.Examples, *, reporter: tacit.Reporter) -> tacit.Standing:
    """Choose a support vector machine on validation, fit it on train and validation, score it once on test.

    Raises: MissingPackage without scikit-learn.
    """
    begun = time.process_time()
    train, validation, test = (examples.split(name) for name in ("train", "validation", "test"))
    scores = {}
    pairs: list[tuple[float, float | str]] = list(itertools.product(REGULARISATION, GAMMA))
    for place, (regularisation, gamma) in enumerate(pairs):
        model = machine(regularisation, gamma).fit(values(train), train.targets)
        scores[regularisation, gamma] = model.score(values(validation), validation.targets)
        reporter.progress((place + 1) / len(pairs), None, f"C {regularisation:g}, gamma {gamma}")
    best = max(scores, key=lambda pair: scores[pair])  # of equals, the first: the least regularisation
    learnt = examples.take(examples.splits != "test")
    model = machine(*best).fit(values(learnt), learnt.targets)
    made_in = time.process_time() - begun
    one = values(test)[:1]
    return tacit.Standing(
        contestant="support vector machine",
        kind="predecessor",
        metric="accuracy",
        score=float(model.score(values(test), test.targets)),
        made_in=made_in,
        microseconds=tacit.time_per_answer(lambda: model.predict(one)),
        bytes=len(pickle.dumps(model)),
        macs=int(model.n_support_.sum()) * one.shape[1],
        note=f"RBF kernel, C {best[0]:g} and gamma {best[1]} of {len(pairs)} pairs by validation",
    )


def machine(regularisation: float, gamma: float | str) -> Any:
    """Make a support vector machine. Raises: MissingPackage."""
    try:
        return importlib.import_module("sklearn.svm").SVC(C=regularisation, gamma=gamma)
    except ModuleNotFoundError as error:
        raise tacit.TacitError("expected scikit-learn for the predecessor, got none", fix='pip install "tacit[train]"') from error


def values(examples: tacit.Examples) -> np.ndarray:
    """Give float32[example, 64], 0 (paper) to 1 (ink)."""
    flat: np.ndarray = examples.inputs[0].reshape(len(examples), -1).astype(np.float32) / 255
    return flat
