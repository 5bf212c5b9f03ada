"""Rate labels by the scores that a network gave while it learnt them, or to examples it has never seen. NumPy alone.

The margin, the score of the given label less the best other, averaged over a run, is that of Pleiss et al. 2020 ("area under the
margin"). The probability that a label is wrong comes from a model with two parts, fitted by expectation and maximisation: what is true
given the scores (a softmax with a temperature), and which label is written down for it (a matrix over classes). Northcutt et al. 2021
("Confident learning") count such a matrix from thresholds on held-out probabilities; here it's fitted, and no cross-validation is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tacit.signature.base import OutputType

#: So many scores of an example are kept: all of them up to this width, else those of the given class and the greatest others.
KEPT = 64
#: At most so many examples are used to fit temperature and matrix; every one is rated.
SAMPLE = 20_000
TEMPERATURES = np.geomspace(0.5, 4.0, 10)
ROUNDS = 25
#: Width of the kernel that smooths the density of margins, in (robust) standard deviations of all of them.
SMOOTHED = 0.3
#: A group of low margins stands apart when the density between it and the others falls to this share of its peak, and it has so many.
VALLEY, GROUP = 0.25, 10
#: Freedom of Student's t for the residuals of numbers: most are near normal, a few far out without being wrong.
FREEDOM = 4.0


@dataclass(frozen=True, eq=False)
class Rating:
    """How far labels can be believed; arrays over the examples.

    margins: float64[example], the lower the more suspicious; +inf where nothing is known. wrong: float64[example], the probability that
    the label is wrong, 0 where nothing is known. guesses: float32[example, score], scores whose `decode` is the label suggested instead.
    """

    margins: np.ndarray
    wrong: np.ndarray
    guesses: np.ndarray

    def probable(self, least: float) -> np.ndarray:
        """Give bool[example]: labels that are wrong with a probability of at least `least`, and have another that fits better."""
        return (self.wrong >= least) & (self.margins < 0)


def rate(output: OutputType, seen: Mapping[str, np.ndarray], targets: np.ndarray, *, unseen: bool = False) -> Rating | None:
    """Rate labels by ``scores`` float32[example, kept] and, where there are, ``counts``, ``final`` and ``classes`` of a training run.

    targets: as `output.encode` gives them. unseen: the scores are of examples that the network hasn't learnt from.
    None for outputs that aren't one class, several labels or one number.

    >>> from tacit.signature.outputs import Class
    >>> scores = np.array([[4.0, 0.0], [3.0, 0.0], [5.0, 0.0], [0.0, 4.0], [0.0, 3.0], [0.0, 5.0]] * 9, np.float32)
    >>> given = np.array([0, 0, 1, 1, 1, 1] + [0, 0, 0, 1, 1, 1] * 8)
    >>> rating = rate(Class("cat", "dog"), {"scores": scores}, given)
    >>> np.flatnonzero(rating.probable(0.7)), rating.margins[2]
    (array([2]), np.float64(-5.0))
    """
    scores = seen["scores"].astype(np.float64)
    if "final" in seen:
        scores = (scores + seen["final"]) / 2.0
    known = seen["counts"] > 0 if "counts" in seen else np.ones(len(scores), bool)
    if not known.any():
        return None
    if output.kind == "class":
        classes = seen["classes"][known] if "classes" in seen else None
        found = _classes(scores[known], targets[known], output.width, classes, unseen=unseen)
    elif output.kind == "labels":
        found = _labels(scores[known], targets[known])
    elif output.kind == "number":
        found = _numbers(scores[known], targets[known])
    else:
        return None
    return _spread(found, known)


def _spread(found: Rating, known: np.ndarray) -> Rating:
    margins, wrong = np.full(len(known), np.inf), np.zeros(len(known))
    guesses = np.zeros((len(known), found.guesses.shape[1]), np.float32)
    margins[known], wrong[known], guesses[known] = found.margins, found.wrong, found.guesses
    return Rating(margins, wrong, guesses)


# --- one of several classes ----------------------------------------------------------------------------------------


def _classes(scores: np.ndarray, given: np.ndarray, width: int, classes: np.ndarray | None, *, unseen: bool) -> Rating:
    """Rate classes; `classes`, int64[example, kept], says what the scores belong to where not all are kept."""
    rows = np.arange(len(scores))
    if classes is None:
        scores = level(scores, given)
        place = given
    else:
        place = (classes == given[:, None]).argmax(axis=1)
    others = scores.copy()
    others[rows, place] = -np.inf
    best = others.argmax(axis=1)
    margins = scores[rows, place] - others[rows, best]
    wrong = 1.0 - (_by_matrix(scores, given, width) if classes is None else _by_chance(scores, place, width))
    if not unseen:
        wrong = np.maximum(wrong, _apart(margins))
    guesses = np.full((len(scores), width), -np.inf, np.float32)
    guesses[rows, best if classes is None else classes[rows, best]] = 0.0
    return Rating(margins, wrong, guesses)


def level(scores: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Take away what a network gives a class before it looks: the logarithm of the mean softmax of each class.

    Where classes are about equally frequent they're taken to be so in truth, and what unevenness there is to come from wrong labels: then
    the network prefers the class that is written down too often, and hides its errors. Where one class has over twice the examples of
    another this is believed less and less, from four times on not at all. On a set with 15 % of one class it would do great harm.
    """
    counts = np.bincount(given, minlength=scores.shape[1])
    counts = counts[counts > 0]
    share = float(np.clip((4.0 - counts.max() / counts.min()) / 2.0, 0.0, 1.0))
    return np.asarray(scores - share * np.log(np.maximum(_softmax(scores).mean(axis=0), 1e-12)))


def _by_matrix(scores: np.ndarray, given: np.ndarray, width: int) -> np.ndarray:
    """Give float64[example], the probability that the given class is the true one, under the temperature and matrix that fit best."""
    every = max(1, len(scores) // SAMPLE)
    some, some_given = scores[::every], given[::every]
    best, fitted = -np.inf, (1.0, np.eye(width))
    for sharpness in TEMPERATURES:
        likelihood, matrix = _fit_matrix(_softmax(some * sharpness), some_given)
        if likelihood > best:
            best, fitted = likelihood, (float(sharpness), matrix)
    sharpness, matrix = fitted
    true = _softmax(scores * sharpness) * matrix[:, given].T
    return np.asarray(true[np.arange(len(given)), given] / np.maximum(true.sum(axis=1), 1e-300))


def _fit_matrix(true: np.ndarray, given: np.ndarray) -> tuple[float, np.ndarray]:
    """Fit float64[true class, given class] to float64[example, class] probabilities of what is true; give the mean log-likelihood, too.

    A few made-up right labels per class keep classes with few examples from looking wrong.
    """
    width = true.shape[1]
    order = np.argsort(given, kind="stable")
    true, given = true[order], given[order]
    starts = np.searchsorted(given, np.arange(width))
    present = np.flatnonzero(np.diff(np.append(starts, len(given))))
    matrix = np.full((width, width), 0.05 / max(1, width - 1))
    np.fill_diagonal(matrix, 0.95)
    for _ in range(ROUNDS):
        joint = true * matrix[:, given].T
        total = joint.sum(axis=1, keepdims=True)
        counts = np.ones((width, width))
        counts[np.arange(width), np.arange(width)] += 2.0 * width
        counts[:, present] += np.add.reduceat(joint / np.maximum(total, 1e-300), starts[present], axis=0).T
        matrix = counts / counts.sum(axis=1, keepdims=True)
    return float(np.log(np.maximum((true * matrix[:, given].T).sum(axis=1), 1e-300)).mean()), matrix


def _by_chance(scores: np.ndarray, place: np.ndarray, width: int) -> np.ndarray:
    """Do the same for many classes, where a wrong label is any of them alike."""
    rows, best, fitted = np.arange(len(scores)), -np.inf, np.ones(len(scores))
    for sharpness in TEMPERATURES:
        right, rate_of_noise = _softmax(scores * sharpness)[rows, place], 0.05
        for _ in range(ROUNDS):
            noise = rate_of_noise / width
            rate_of_noise = float((noise / ((1.0 - rate_of_noise) * right + noise)).mean())
        noise = rate_of_noise / width
        total = (1.0 - rate_of_noise) * right + noise
        likelihood = float(np.log(np.maximum(total, 1e-300)).mean())
        if likelihood > best:
            best, fitted = likelihood, right * (1.0 - rate_of_noise + noise) / np.maximum(total, 1e-300)
    return fitted


def _apart(margins: np.ndarray) -> np.ndarray:
    """Give float64[example], how surely a margin belongs to a group of low ones that stands apart; zeros where there is no such group.

    The density of the margins is smoothed by a normal kernel (Silverman 1981, "Using kernel density estimates to investigate
    multimodality"). A peak below 0 that a deep valley parts from the main one is that of wrong labels, and the valley is the border. A
    network that has bent towards every label it was shown explains wrong ones, too, so its probabilities are far too kind, but it gives
    them other margins. Without a valley what is low are the hard examples, and says nothing.
    """
    middle, none = float(np.median(margins)), np.zeros(len(margins))
    width = SMOOTHED * 1.4826 * float(np.median(np.abs(margins - middle)))
    low = float(margins.min())
    if low >= 0.0 or middle <= 0.0 or width <= 0.0:
        return none
    step = max(width / 8.0, (middle - low) / 4096.0)
    places = np.arange(low - 4.0 * width, middle + 4.0 * width, step)
    counts, _ = np.histogram(margins, np.append(places, places[-1] + step) - step / 2.0)
    reach = np.arange(-4.0 * width, 4.0 * width + step, step)
    kernel = np.exp(-0.5 * (reach / width) ** 2)
    inner = places <= middle
    density, places = np.convolve(counts, kernel, mode="same")[inner], places[inner]
    peaks = 1 + np.flatnonzero((density[1:-1] >= density[:-2]) & (density[1:-1] > density[2:]) & (places[1:-1] < 0.0))
    if len(peaks) == 0:
        return none
    valleys = np.array([peak + int(density[peak:].argmin()) for peak in peaks])
    depths = density[valleys] / density[peaks]
    best = int(depths.argmin())
    below = margins < places[valleys[best]]
    if depths[best] > VALLEY or below.sum() < GROUP:
        return none
    return np.where(below, 1.0 - depths[best], 0.0)


def _softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


# --- several labels, numbers ---------------------------------------------------------------------------------------


def _labels(scores: np.ndarray, targets: np.ndarray) -> Rating:
    """Rate each label for itself, given or not; an example is as suspicious as its worst one, and all bad ones are suggested turned."""
    given = (targets > 0.5).astype(np.int64)
    margins = np.where(given == 1, scores, -scores)
    wrong = np.zeros(scores.shape)
    for label in range(scores.shape[1]):
        pair = np.stack([np.zeros(len(scores)), scores[:, label]], axis=1)
        wrong[:, label] = 1.0 - _by_matrix(pair, given[:, label], 2)
    worst = np.where(margins < 0, wrong, 0.0).argmax(axis=1)
    rows = np.arange(len(scores))
    turned = (wrong >= 0.5) & (margins < 0)
    turned[rows, worst] = True
    guesses = np.where((given == 1) != turned, 1.0, -1.0).astype(np.float32)
    return Rating(margins[rows, worst], wrong[rows, worst], guesses)


def _numbers(scores: np.ndarray, targets: np.ndarray) -> Rating:
    """Rate one number by its residual: of a Student's t around the prediction, or drawn from all the numbers, whatever the input.

    The margin is 3 less the residual in robust standard deviations (1.4826 times the median absolute one), so below 0 it's far out.
    """
    numbers, predicted = targets.reshape(len(targets)).astype(np.float64), scores.reshape(len(targets))
    residuals = numbers - predicted
    scale = max(1.4826 * float(np.median(np.abs(residuals))), 1e-9)
    far = residuals / scale
    # Gamma(5/2) / (sqrt(4 pi) Gamma(2)) = 0.375
    near = 0.375 * (1.0 + far**2 / FREEDOM) ** (-(FREEDOM + 1.0) / 2.0) / scale
    spread = max(float(numbers.std()), 1e-9)
    anywhere = np.exp(-0.5 * ((numbers - numbers.mean()) / (1.5 * spread)) ** 2) / (1.5 * spread * np.sqrt(2.0 * np.pi))
    noise = 0.02
    for _ in range(ROUNDS):
        noise = float((noise * anywhere / (noise * anywhere + (1.0 - noise) * near)).mean())
    wrong = noise * anywhere / (noise * anywhere + (1.0 - noise) * near)
    return Rating(3.0 - np.abs(far), wrong, predicted.reshape(-1, 1).astype(np.float32))
