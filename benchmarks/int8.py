"""Measure what int8 loses on every program of the spine, on its test examples, by its own metric.

    python benchmarks/int8.py [CASE ...] [--programs FOLDER] [--cache DIR]

A program that is not in FOLDER (`CASE.tacit` beside its program directory `CASE`) is compiled through the command line, with the budget
of its case in `spine.py`. Integer graphs are calibrated on training examples alone; whether more effort is made is decided by the drop on
validation examples, so that test examples choose nothing. Drops are in points: hundredths of the metric. Scores are those of the NumPy
interpreter of integers, whose bits every target gives.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import datasets
import harness
import numpy as np
import spine
import tacit_command

from tacit.binary.binary import Binary
from tacit.binary.loading import load
from tacit.directory.reading import read_program
from tacit.goals.evidence import evaluate_scores
from tacit.ir.integer_interpreter import IntegerInterpreter
from tacit.program import Program
from tacit.quantisation.quantise import Quantised, attempts

ALLOWED = 0.3
#: Program -> the case of `spine.py` that says how it is compiled, and which of its variants.
PROGRAMS: Mapping[str, tuple[str, str]] = {
    "digits": ("digits", ""),
    "mnist": ("mnist", ""),
    "fashion-mnist": ("fashion-mnist-1", ""),
    "uci-har": ("uci-har", ""),
    "sms": ("sms", "fold 0"),
    "adult": ("adult", ""),
    "fsdd": ("fsdd", ""),
}


def program(name: str, folder: Path, cache: Path) -> tuple[Binary, Program]:
    """Give a compiled program and its examples, compiling it where it is not in `folder`."""
    case, variant = PROGRAMS[name]
    rules = spine.CASES[case]
    binary, directory = folder / f"{name}.tacit", folder / name
    if not directory.exists():
        folder.mkdir(parents=True, exist_ok=True)
        source = datasets.make(rules.sets[variant], cache)
        tacit_command.tacit(["new", str(directory), "--from", str(source), *rules.options])
    if not binary.exists():
        words = ["compile", str(directory), "--minutes", f"{rules.minutes:g}", "--seed", "0", *rules.compile_options]
        tacit_command.tacit([*words, "-o", str(binary)])
    return load(binary), read_program(directory)


def score(name: str, binary: Binary, scores: np.ndarray, targets: np.ndarray) -> tuple[str, float]:
    """Give the metric of a program's case and its value."""
    metric, path = next(iter(spine.CASES[PROGRAMS[name][0]].metric.items()))
    value: Any = evaluate_scores(binary.signature.output, scores, targets)
    for part in path:
        value = value[part]
    return metric, float(value)


def measured(name: str, binary: Binary, subject: Program) -> dict[str, Any]:
    """Give the row of one program; more effort is made only while the drop on validation is beyond what is allowed."""
    train, validation, test = (subject.examples.split(split) for split in ("train", "validation", "test"))
    graph = binary.graphs["main"]
    started = time.perf_counter()
    before = score(name, binary, binary.evaluate(validation), validation.targets)[1]
    tried: list[tuple[float, str, Quantised]] = []
    for how, candidate in attempts(graph, train.inputs):
        after = score(name, binary, IntegerInterpreter(candidate.graph)(validation.inputs)[0], validation.targets)[1]
        tried.append((100 * (before - after), how, candidate))
        if tried[-1][0] <= ALLOWED:
            break
    on_validation, how, made = min(tried, key=lambda attempt: attempt[0])
    floats, scores = binary.evaluate(test), IntegerInterpreter(made.graph)(test.inputs)[0]
    (metric, first), (_, second) = (score(name, binary, each, test.targets) for each in (floats, scores))
    spread = float(floats.std()) or 1.0
    return {
        "key": name,
        "metric": metric,
        "test examples": len(test),
        "float32": first,
        "int8": second,
        "drop, points": round(100 * (first - second), 6),
        "drop on validation, points": round(on_validation, 6),
        "attempts": len(tried),
        "same answer": float(np.mean(floats.argmax(1) == scores.argmax(1))),
        "error of the scores": float(np.sqrt(np.mean((floats - scores) ** 2))) / spread,
        "made by": how,
        "buffers of 16 bits": list(made.wide),
        "kilobytes of weights": sum(buffer.bytes for buffer in made.graph.of_kind("weight")) / 1e3,
        "kilobytes of weights, float32": sum(values.nbytes for values in graph.weights.values()) / 1e3,
        "seconds": round(time.perf_counter() - started, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what int8 loses on the programs of the spine.")
    parser.add_argument("cases", nargs="*", choices=[*PROGRAMS, []], metavar="CASE", help=f"of {', '.join(PROGRAMS)} (default: all)")
    parser.add_argument("--programs", type=Path, help="folder of compiled programs: NAME.tacit beside its program directory NAME")
    parser.add_argument("--cache", type=Path, default=datasets.default_cache())
    options = parser.parse_args()
    folder = (options.programs or options.cache / "int8").resolve()
    rows = []
    for name in options.cases or PROGRAMS:
        rows.append(measured(name, *program(name, folder, options.cache.resolve())))
        row = rows[-1]
        print(f"{name:14} {row['metric']:12} {row['float32']:.4f} -> {row['int8']:.4f}, drop {row['drop, points']:+.2f}", flush=True)
    if options.cases:
        return
    drops = {row["key"]: row["drop, points"] for row in rows}
    figures = {
        "drop by int8, points": drops,
        "score, float32": {row["key"]: row["float32"] for row in rows},
        "score, int8": {row["key"]: row["int8"] for row in rows},
    }
    harness.record(
        "int8",
        figures,
        command=harness.command_line(),
        target={"drop by int8, points": f"max <= {ALLOWED:g}"},
        notes=[
            "one compiled binary per program, seed 0; calibrated on training examples, measured on test examples",
            "after a first attempt, more effort is decided by the drop on validation examples",
        ],
        runs=rows,
    )


if __name__ == "__main__":
    main()
