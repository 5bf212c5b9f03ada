"""What scikit-learn reaches on the SMS spam messages: a linear SVM on TF-IDF, and gradient boosting on its components.

    python benchmarks/peer_text.py

The five folds are those that Tacit gets (`datasets.sms_folds`: stratified, one copy of each message). Features and C are
chosen anew in each fold, on a fifth of its training messages, and the chosen model is fitted again on all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import datasets
import harness
import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.svm import LinearSVC

FEATURES: dict[str, Callable[[], Any]] = {
    "words 1-2": lambda: TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
    "characters 2-5": lambda: TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, min_df=2),
    "both": lambda: make_union(FEATURES["words 1-2"](), FEATURES["characters 2-5"]()),
}
COSTS = (0.3, 1.0, 3.0, 10.0)
BOOSTING = [
    {"learning_rate": rate, "max_leaf_nodes": leaves, "max_iter": steps} for rate, steps in ((0.1, 200), (0.05, 400)) for leaves in (7, 31)
]


def support_vector_machine(features: str, cost: float) -> Pipeline:
    """Give TF-IDF of `features`, then a linear SVM."""
    return make_pipeline(FEATURES[features](), LinearSVC(C=cost, random_state=0))


def boosting(features: str, settings: dict[str, Any]) -> Pipeline:
    """Give TF-IDF of `features`, its first 100 components, then gradient boosting (which takes no sparse input)."""
    return make_pipeline(
        FEATURES[features](),
        TruncatedSVD(100, random_state=0),
        HistGradientBoostingClassifier(early_stopping=False, random_state=0, **settings),
    )


class Fold:
    """One fold: its training messages, a part of them to choose on, and its test messages."""

    def __init__(self, texts: np.ndarray, labels: np.ndarray, test: np.ndarray) -> None:
        self.texts, self.labels, self.test = texts, labels, test
        learnt = np.flatnonzero(~test)
        inner = StratifiedGroupKFold(5, shuffle=True, random_state=0)
        fit, held_out = next(inner.split(learnt, labels[learnt], texts[learnt]))
        self.fit, self.held_out = learnt[fit], learnt[held_out]

    def choice(self, models: Sequence[Callable[[], Pipeline]]) -> int:
        """Give the position of the model with the best F1 of spam on the held-out part (the first of equals)."""
        scores = [self._f1(model().fit(self.texts[self.fit], self.labels[self.fit]), self.held_out) for model in models]
        return int(np.argmax(scores))

    def measure(self, model: Pipeline) -> tuple[float, float]:
        """Fit on all training messages; give F1 of spam and accuracy on the test messages."""
        model.fit(self.texts[~self.test], self.labels[~self.test])
        rows = np.flatnonzero(self.test)
        return self._f1(model, rows), float(model.score(self.texts[rows], self.labels[rows]))

    def _f1(self, model: Pipeline, rows: np.ndarray) -> float:
        return float(f1_score(self.labels[rows], model.predict(self.texts[rows]), pos_label="spam"))


def main() -> None:
    rows = datasets.sms_rows()
    labels, texts = np.array([label for label, _ in rows]), np.array([text for _, text in rows], dtype=object)
    grids: dict[str, list[tuple[str, Callable[[], Pipeline]]]] = {
        "linear SVM": [
            (f"{name}, C={cost:g}", lambda name=name, cost=cost: support_vector_machine(name, cost)) for name in FEATURES for cost in COSTS
        ],
        "boosting": [(f"both, {settings}".replace("'", ""), lambda settings=settings: boosting("both", settings)) for settings in BOOSTING],
        "linear SVM, words 1-2, C=1, not tuned": [("fixed", lambda: support_vector_machine("words 1-2", 1.0))],
    }
    figures: dict[str, Any] = {}
    for fold_number in range(datasets.FOLDS):
        fold = Fold(texts, labels, datasets.sms_folds() == fold_number)
        for title, grid in grids.items():
            chosen = fold.choice([model for _, model in grid]) if len(grid) > 1 else 0
            f1, accuracy = fold.measure(grid[chosen][1]())
            figures.setdefault(f"{title}: F1 of spam", {})[str(fold_number)] = f1
            figures.setdefault(f"{title}: accuracy", {})[str(fold_number)] = accuracy
            figures.setdefault(f"{title}: chosen", {})[str(fold_number)] = grid[chosen][0]
            print(fold_number, title, grid[chosen][0], f"F1 {f1:.4f} accuracy {accuracy:.4f}", flush=True)
    harness.record("peers-sms", figures, command=harness.command_line(), notes="values are by fold")


if __name__ == "__main__":
    main()
