"""What scikit-learn's SVC reaches on the handwritten digits, with the very split that Tacit uses.

    python benchmarks/peer_digits.py [--cache DIR]

C and gamma are chosen on Tacit's validation split. The machine is then fitted on train and validation together, as is usual
after a grid search; the figure for train alone stands beside it, for Tacit's weights see the training split alone.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from pathlib import Path

import datasets
import harness
import numpy as np
from sklearn.svm import SVC

from tacit.directory.making import new_program
from tacit.directory.reading import read_program


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure an RBF machine on the digits.")
    parser.add_argument("--cache", type=Path, default=datasets.default_cache())
    source = datasets.make("digits", parser.parse_args().cache)
    with tempfile.TemporaryDirectory() as folder:
        examples = read_program(new_program(Path(folder) / "digits", source=source)).examples
    x = examples.inputs[0].reshape(len(examples), -1) / 255.0
    y, splits = examples.targets, examples.splits
    fit, held_out, test = (splits == name for name in ("train", "validation", "test"))
    scores = {}
    for c, gamma in itertools.product((1.0, 3.0, 10.0, 30.0), (0.25, 0.5, 1.0, 2.0)):
        scale = gamma / (x.shape[1] * x[fit].var())  # in units of scikit-learn's "scale"
        scores[c, scale] = SVC(C=c, gamma=scale).fit(x[fit], y[fit]).score(x[held_out], y[held_out])
    c, scale = max(scores, key=scores.__getitem__)
    both = fit | held_out
    figures = {
        "accuracy": float(SVC(C=c, gamma=scale).fit(x[both], y[both]).score(x[test], y[test])),
        "accuracy, fitted on train alone": float(SVC(C=c, gamma=scale).fit(x[fit], y[fit]).score(x[test], y[test])),
        "accuracy, scikit-learn's defaults, train and validation": float(SVC().fit(x[both], y[both]).score(x[test], y[test])),
        "chosen": f"C={c:g}, gamma={scale:.3g}, validation {scores[c, scale]:.4f}",
        "examples": ", ".join(f"{np.sum(splits == name)} {name}" for name in ("train", "validation", "test")),
    }
    print(figures)
    harness.record("peers-digits", figures, command=harness.command_line())


if __name__ == "__main__":
    main()
