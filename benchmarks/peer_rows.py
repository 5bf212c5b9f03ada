"""What scikit-learn reaches on Adult with the official split: a linear SVM on one-hot columns, and gradient boosting.

    python benchmarks/peer_rows.py [--cache DIR]

Settings are chosen on a fifth of the official training rows; the chosen model is fitted again on all of them.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import warnings
from pathlib import Path
from typing import Any

import datasets
import harness
import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import LinearSVC

NUMBERS = ("age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week")
SEEDS = (0, 1, 2)


def read(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[int], list[int]]:
    """Give rows object[row, column], labels, splits, and the positions of the number and category columns."""
    with open(path, encoding="utf8", newline="") as file:
        header, *rows = csv.reader(file)
    inputs = [name for name in header if name not in ("income", "split")]
    numbers = [inputs.index(name) for name in NUMBERS]
    categories = [place for place, name in enumerate(inputs) if name not in NUMBERS]
    table = np.array(rows, dtype=object)
    x = table[:, [header.index(name) for name in inputs]]
    x[:, numbers] = x[:, numbers].astype(float)
    return x, table[:, header.index("income")].astype(str), table[:, header.index("split")].astype(str), numbers, categories


def linear(kind: str, cost: float, numbers: list[int], categories: list[int]) -> Pipeline:
    """Give a linear SVM (or, for context, logistic regression) on one-hot categories and scaled or binned numbers."""
    of_numbers = (
        StandardScaler()
        if "scaled" in kind
        else KBinsDiscretizer(20, encode="onehot", strategy="quantile", quantile_method="averaged_inverted_cdf")
    )
    columns = make_column_transformer((of_numbers, numbers), (OneHotEncoder(handle_unknown="ignore"), categories))
    classifier = LogisticRegression(C=cost, max_iter=500) if "logistic" in kind else LinearSVC(C=cost, random_state=0)
    return make_pipeline(columns, classifier)


def boosting(settings: dict[str, Any], seed: int, numbers: list[int], categories: list[int]) -> Pipeline:
    """Give gradient boosting that splits on sets of categories."""
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    columns = make_column_transformer((encoder, categories), ("passthrough", numbers))
    mask = [True] * len(categories) + [False] * len(numbers)
    classifier = HistGradientBoostingClassifier(categorical_features=mask, early_stopping=False, random_state=seed, **settings)
    return make_pipeline(columns, classifier)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure a linear SVM and gradient boosting on Adult.")
    parser.add_argument("--cache", type=Path, default=datasets.default_cache())
    x, y, splits, numbers, categories = read(datasets.make("adult", parser.parse_args().cache))
    x_train, y_train, x_test, y_test = x[splits == "train"], y[splits == "train"], x[splits == "test"], y[splits == "test"]
    fit, held_out, y_fit, y_held_out = train_test_split(x_train, y_train, test_size=0.2, random_state=0, stratify=y_train)
    figures: dict[str, Any] = {}
    warnings.filterwarnings("ignore", message="Bins whose width")  # columns that are mostly one value have fewer bins

    for kind in ("SVM, numbers scaled", "SVM, numbers in 20 bins", "logistic, numbers in 20 bins"):
        scores = {c: linear(kind, c, numbers, categories).fit(fit, y_fit).score(held_out, y_held_out) for c in (0.01, 0.1, 1.0)}
        best = max(scores, key=scores.__getitem__)
        figures[f"linear {kind}: accuracy"] = float(linear(kind, best, numbers, categories).fit(x_train, y_train).score(x_test, y_test))
        figures[f"linear {kind}: chosen"] = f"C={best:g}, validation {scores[best]:.4f}"
        print(kind, scores, figures[f"linear {kind}: accuracy"], flush=True)

    grid = [
        {"learning_rate": rate, "max_iter": steps, "max_leaf_nodes": leaves, "min_samples_leaf": least, "l2_regularization": l2}
        for (rate, steps), leaves, (least, l2) in itertools.product(
            ((0.1, 100), (0.1, 200), (0.05, 300)), (15, 31), ((20, 0.0), (50, 10.0))
        )
    ]
    scored = [boosting(settings, 0, numbers, categories).fit(fit, y_fit).score(held_out, y_held_out) for settings in grid]
    best_settings = grid[int(np.argmax(scored))]
    models = {seed: boosting(best_settings, seed, numbers, categories).fit(x_train, y_train) for seed in SEEDS}
    figures["boosting: accuracy"] = {str(seed): float(model.score(x_test, y_test)) for seed, model in models.items()}
    figures["boosting: chosen"] = f"{best_settings}, validation {max(scored):.4f}"
    plain = boosting({}, 0, numbers, categories).fit(x_train, y_train)
    figures["boosting, scikit-learn's defaults: accuracy"] = float(plain.score(x_test, y_test))
    print(best_settings, max(scored), figures["boosting: accuracy"], figures["boosting, scikit-learn's defaults: accuracy"], flush=True)
    harness.record("peers-adult", figures, command=harness.command_line())


if __name__ == "__main__":
    main()
