"""The way of Software 1.0 that this program replaces: histograms of the directions of gradients, and a support vector machine.

Source: Dalal and Triggs 2005, "Histograms of Oriented Gradients for Human Detection", with their square root of levels, unsigned directions
and blocks of 2 x 2 cells; Cortes and Vapnik 1995, "Support-Vector Networks".
"""

from __future__ import annotations

import importlib
import itertools
import pickle
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

import tacit

BINS = 9
#: What is tried: cells along the shorter side, grey or the strongest of three colours, what follows the histograms, and the machine.
CELLS = (6, 8, 10)
COLOURS = (False, True)
COMPONENTS = (80, 160)
REGULARISATION = (3.0, 10.0, 30.0)
GAMMA = (0.5, 1.0, 2.0)  # times 1 / (components x variance), what scikit-learn calls `scale`
#: The histograms are chosen by at most so many training pictures, for a machine's time grows with their square; it is fitted to at most
#: so many in the end.
CHOSEN_BY, FITTED_TO = 3_000, 12_000


@dataclass(frozen=True)
class Histograms:
    """How a picture becomes histograms. cells: along its shorter side."""

    cells: int
    colour: bool

    def of(self, pictures: np.ndarray) -> np.ndarray:
        """Give float32[example, feature] of uint8[example, row, column, channel]."""
        return np.concatenate([self._of(pictures[start : start + 256]) for start in range(0, len(pictures), 256)])

    def _of(self, pictures: np.ndarray) -> np.ndarray:
        levels = np.sqrt(pictures.astype(np.float32))
        if not self.colour:
            levels = levels.mean(axis=-1, keepdims=True)
        down, across = np.gradient(levels, axis=1), np.gradient(levels, axis=2)
        strength = np.hypot(down, across)
        strongest = strength.argmax(axis=-1)[..., None]
        strength, down, across = (np.take_along_axis(each, strongest, -1)[..., 0] for each in (strength, down, across))
        place = np.mod(np.arctan2(down, across), np.pi) * (BINS / np.pi)
        lower = np.floor(place)
        above = place - lower
        first = lower.astype(np.int64) % BINS
        planes = np.zeros((*strength.shape, BINS), np.float32)
        np.put_along_axis(planes, first[..., None], (strength * (1 - above))[..., None], -1)
        second = ((first + 1) % BINS)[..., None]
        np.put_along_axis(planes, second, np.take_along_axis(planes, second, -1) + (strength * above)[..., None], -1)
        return _blocks(self._cells(planes))

    def _cells(self, planes: np.ndarray) -> np.ndarray:
        """Sum float32[example, row, column, bin] over cells: each pixel goes to the cells beside it by how near it is."""
        rows, columns = planes.shape[1:3]
        side = min(rows, columns) / self.cells
        down, across = _shares(rows, max(1, round(rows / side))), _shares(columns, max(1, round(columns / side)))
        half = np.tensordot(planes, down, axes=(1, 0))  # [example, column, bin, cell down]
        return np.tensordot(half, across, axes=(1, 0)).transpose(0, 2, 3, 1)


def _shares(size: int, cells: int) -> np.ndarray:
    """Give float32[place, cell]: a triangle around the middle of each cell, two cells wide."""
    middles = (np.arange(cells) + 0.5) * (size / cells)
    distance = np.abs(np.arange(size)[:, None] + 0.5 - middles[None]) / (size / cells)
    return np.maximum(0.0, 1.0 - distance).astype(np.float32)


def _blocks(cells: np.ndarray) -> np.ndarray:
    """Normalise blocks of 2 x 2 cells, cut them at 0.2 and normalise again; float32[example, feature]."""
    corners = (cells[:, :-1, :-1], cells[:, 1:, :-1], cells[:, :-1, 1:], cells[:, 1:, 1:])
    blocks = np.concatenate(corners, axis=-1)
    blocks = blocks / np.sqrt((blocks**2).sum(-1, keepdims=True) + 1e-2)
    blocks = np.minimum(blocks, 0.2)
    normal: np.ndarray = (blocks / np.sqrt((blocks**2).sum(-1, keepdims=True) + 1e-4)).reshape(len(cells), -1).astype(np.float32)
    return normal


@dataclass(frozen=True)
class Components:
    """The strongest principal components of features. mean: float32[feature]; directions: float32[feature, component]."""

    mean: np.ndarray
    directions: np.ndarray

    @classmethod
    def fitted(cls, features: np.ndarray, count: int) -> Components:
        """Find them by the covariance of at most 10,000 examples."""
        some = features[:: max(1, len(features) // 10_000)].astype(np.float64)
        mean = some.mean(0)
        covariance = (some - mean).T @ (some - mean)
        return cls(mean.astype(np.float32), np.linalg.eigh(covariance)[1][:, ::-1][:, :count].astype(np.float32))

    def of(self, features: np.ndarray) -> np.ndarray:
        """Give float32[example, component]."""
        strengths: np.ndarray = (features - self.mean) @ self.directions
        return strengths


@dataclass(frozen=True, eq=False)
class Recogniser:
    """Histograms, components, and the machine behind them."""

    histograms: Histograms
    components: Components
    machine: Any

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """Give the classes of pictures, as numbers."""
        named: np.ndarray = self.machine.predict(self.components.of(self.histograms.of(pictures)))
        return named


def predecessor(examples: tacit.Examples, *, reporter: tacit.Reporter) -> tacit.Standing:
    """Choose histograms and machine on validation, fit them on train and validation, score them once on test.

    Raises: TacitError without scikit-learn.
    """
    begun = time.process_time()
    chosen, tried = tune(examples, reporter=reporter)
    histograms, count, regularisation, gamma = chosen
    learnt = _some(examples.take(examples.splits != "test"), FITTED_TO)
    features = histograms.of(learnt.inputs[0])
    components = Components.fitted(features, count)
    inputs = components.of(features)
    made = Recogniser(histograms, components, _machine(inputs, regularisation, gamma).fit(inputs, learnt.targets))
    made_in = time.process_time() - begun
    test = examples.split("test")
    one = test.inputs[0][:1]
    colours = "the strongest of three colours" if histograms.colour else "grey"
    return tacit.Standing(
        contestant="HOG + SVM",
        kind="predecessor",
        metric="accuracy",
        score=float((made(test.inputs[0]) == test.targets).mean()),
        made_in=made_in,
        microseconds=tacit.time_per_answer(lambda: made(one)),
        bytes=len(pickle.dumps(made)),
        note=f"{histograms.cells} cells, {colours}, {count} components, C {regularisation:g}, gamma {gamma:g}: the best of {tried} ways "
        f"on validation; fitted to {len(learnt):,} pictures",
    )


def tune(examples: tacit.Examples, *, reporter: tacit.Reporter) -> tuple[tuple[Histograms, int, float, float], int]:
    """Give what did best on validation, and how many ways were tried: histograms first, then the machine."""
    train, validation = _some(examples.split("train"), CHOSEN_BY), examples.split("validation")
    colours = COLOURS if train.inputs[0].shape[-1] == 3 else (False,)
    kinds = [Histograms(cells, colour) for cells, colour in itertools.product(CELLS, colours)]
    scores: dict[tuple[Histograms, int, float, float], float] = {}

    def score(histograms: Histograms, count: int, pairs: list[tuple[float, float]]) -> None:
        components = Components.fitted(features[histograms][0], count)
        here, there = (components.of(part) for part in features[histograms])
        for regularisation, gamma in pairs:
            made = _machine(here, regularisation, gamma).fit(here, train.targets)
            scores[histograms, count, regularisation, gamma] = float(made.score(there, validation.targets))

    features = {}
    for place, kind in enumerate(kinds):
        features[kind] = (kind.of(train.inputs[0]), kind.of(validation.inputs[0]))
        for count in COMPONENTS:
            score(kind, count, [(10.0, 1.0)])
        reporter.progress((place + 1) / (len(kinds) + 1), None, f"{kind.cells} cells")
    kind, count, *_ = max(scores, key=lambda way: scores[way])
    score(kind, count, [pair for pair in itertools.product(REGULARISATION, GAMMA) if pair != (10.0, 1.0)])
    return max(scores, key=lambda way: scores[way]), len(scores)


def _some(examples: tacit.Examples, most: int) -> tacit.Examples:
    """Give at most so many examples, drawn once."""
    if len(examples) <= most:
        return examples
    return examples.take(np.sort(np.random.default_rng(0).permutation(len(examples))[:most]))


def _machine(inputs: np.ndarray, regularisation: float, gamma: float) -> Any:
    """Make a support vector machine with an RBF kernel for float32[example, component]; gamma as in `GAMMA`. Raises: TacitError."""
    try:
        svm = importlib.import_module("sklearn.svm")
    except ModuleNotFoundError as error:
        raise tacit.TacitError("expected scikit-learn for the predecessor, got none", fix='pip install "tacit[train]"') from error
    return svm.SVC(C=regularisation, gamma=gamma / (inputs.shape[1] * float(inputs.var())))
