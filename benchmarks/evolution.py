"""Goals without a gradient: a pole balanced by evolution alone, and a score of one's own on real data, beside what gradient descent finds.

    python benchmarks/evolution.py [CASE ...] [--seeds N ...] [--cache DIR] [--again] [--trial]

`pole`: CartPole-v1, the weights of a network of the two operations, searched by evolution from random ones; the shipped binary is then
measured over 100 episodes that nothing else has seen. *Solved* after so many evaluations: the first look at which the mean return over
the 32 episodes that decide is at least 475.

`alarm`: UCI Adult. The goal is F1 at a fixed false-alarm rate: at most 5 false alarms in a hundred within every class of work (the
threshold is the highest that any of them needs; groups of fewer than 50 count for nothing), a score of ranks and groups that no gradient
sees. Gradient descent on the usual loss, for as many steps as were best on validation, is the start; evolution goes on from there on the
training examples, and validation decides what is kept. Beside it, by the same split: gradient descent alone; gradient descent for as many
CPU seconds as both together, or the short run where validation prefers it; all of them as they would be used, with the one threshold that
validation chose; and with a threshold per group, which whoever uses it would have to keep beside the binary. The number of steps, the
group and the rate were chosen on validation with a seed that is not among these; the test examples are used once for each binary.

Each seed is written down in the cache when it is done, and not run again without `--again`. `--trial`: another seed, small budgets,
nothing recorded. CPU seconds are those of one thread.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import harness
import numpy as np
import torch

import tacit

SEEDS = (0, 1, 2, 3, 4)
SOLVED, EPISODES = 475.0, 100
#: False alarms among those without the label that each group may have.
ALARMS, FEWEST = 0.05, 50
GROUP = "workclass"
SETTINGS = {"width": 16, "depth": 1, "bins": 8}
STEPS, GENERATIONS = 3000, 60
EVOLUTION: dict[str, Any] = {"population": 32}
POLE_GENERATIONS = 40


# --- pole ----------------------------------------------------------------------------------------------------------


def pole(seed: int, _: Path, *, trial: bool) -> dict[str, Any]:
    """Evolve, ship, and measure the binary; give the row of a seed."""
    program = tacit.Program(
        "pole",
        environment="CartPole-v1",
        goals=(tacit.Goal("return", SOLVED),),
        settings={"width": 16, "depth": 1},
        evolution={"population": 32},
        budget=tacit.Budget(generations=3 if trial else POLE_GENERATIONS),
    )
    begun, computing = time.perf_counter(), time.process_time()
    binary = tacit.compile(program, seed=seed)
    wall, computed = time.perf_counter() - begun, time.process_time() - computing
    block, run = binary.evidence["scores"]["test"], binary.evidence["run"]
    first = next((look for look in run["history"] if (look["best"] or 0.0) >= SOLVED), None)
    return {
        "mean return of 100 fresh episodes": block["return"],
        "least return of them": block["return_least"],
        "evaluations until solved": None if first is None else first["evaluations"],
        "generations until solved": None if first is None else first["generation"],
        "evaluations": run["recipe"]["evaluations"],
        "weights": run["recipe"]["weights"],
        "MACs": binary.evidence["costs"]["macs"],
        "CPU seconds": round(computed, 2),
        "wall seconds": round(wall, 2),
    }


# --- alarm ---------------------------------------------------------------------------------------------------------


def thresholds(margins: np.ndarray, targets: np.ndarray, groups: np.ndarray) -> dict[int, float]:
    """Give for each group the least threshold that keeps its false alarms within `ALARMS`."""
    found = {}
    for group in np.unique(groups):
        quiet = np.sort(margins[(targets == 0) & (groups == group)])
        if len(quiet) < FEWEST:
            continue
        found[int(group)] = float(quiet[len(quiet) - 1 - int(ALARMS * len(quiet))])
    return found


def f1_above(margins: np.ndarray, targets: np.ndarray, threshold: np.ndarray | float) -> float:
    raised = margins > threshold
    hits = int((raised & (targets == 1)).sum())
    return 2 * hits / (int(raised.sum()) + int((targets == 1).sum()))


def goal_for(column: int) -> Callable[..., float]:
    """Give the score; `column` of the categories says who belongs to which group."""

    def alarm(scores: np.ndarray, targets: np.ndarray, inputs: tuple[np.ndarray, ...]) -> float:
        margins, groups = scores[:, 1] - scores[:, 0], inputs[-1][:, column]
        return f1_above(margins, targets, max(thresholds(margins, targets, groups).values()))

    return alarm


def as_used(binary: tacit.Binary, program: tacit.Program, column: int) -> dict[str, float]:
    """Measure test with the threshold that validation chose: one for all, and one for each group."""
    chosen: dict[int, float] = {}
    out = {}
    for split in ("validation", "test"):
        examples = program.examples.split(split)
        scores = binary.evaluate(examples)
        margins, groups, targets = scores[:, 1] - scores[:, 0], examples.inputs[-1][:, column], examples.targets
        if split == "validation":
            chosen = thresholds(margins, targets, groups)
            continue
        one = max(chosen.values())
        each = np.array([chosen.get(int(group), one) for group in groups])
        worst = max(float((margins[(targets == 0) & (groups == group)] > one).mean()) for group in chosen)
        out = {"F1": f1_above(margins, targets, one), "worst": worst, "F1 each": f1_above(margins, targets, each)}
    return out


def alarm(seed: int, cache: Path, *, trial: bool) -> dict[str, Any]:
    """Compile by gradient descent, by evolution from there, and by gradient descent for as long; give the row of a seed."""
    directory = cache / "adult-alarm.program"
    if not directory.exists():
        tacit.new(directory, source=datasets.make("adult", cache), label="income")
    program = tacit.read(directory, overrides={"split.validation": "0.2"})
    program = replace(program, settings=SETTINGS, goals=(), budget=tacit.Budget(steps=50 if trial else STEPS), directory=None)
    column = [name for name, _ in program.signature.input.categories].index(GROUP)
    goal = tacit.Goal(score=goal_for(column))
    measure = goal.score
    assert measure is not None

    warmed: list[str] = []

    def timed(stage: str, one: tacit.Program) -> tuple[tacit.Binary, float]:
        """Compile, or take what an earlier start of this benchmark has compiled; CPU seconds beside it."""
        path = cache / f"evolution-alarm-{seed}-{stage}.tacit"
        if path.exists() and not trial:
            return tacit.load(path), float(path.with_suffix(".seconds").read_text())
        if not warmed:  # the first compilation of a process pays for what is done once
            tacit.compile(replace(program, budget=tacit.Budget(steps=2)))
            warmed.append(stage)
        begun = time.process_time()
        binary = tacit.compile(one, seed=seed)
        seconds = time.process_time() - begun
        path.with_suffix(".seconds").write_text(str(seconds))
        binary.save(path)
        print("alarm", seed, stage, f"{seconds:.1f} CPU s", flush=True)
        return binary, seconds

    start, of_start = timed("start", program)
    budget = replace(program.budget, generations=5 if trial else GENERATIONS)
    evolved, of_both = timed("evolved", replace(program, goals=(goal,), evolution=EVOLUTION, budget=budget))
    steps = int(program.budget.steps * of_both / of_start)
    longer, of_longer = timed("longer", replace(program, budget=tacit.Budget(steps=steps)))

    def on(binary: tacit.Binary, split: str) -> float:
        examples = program.examples.split(split)
        return measure(binary.evaluate(examples), examples.targets, examples.inputs)

    validation = {name: on(binary, "validation") for name, binary in (("start", start), ("evolved", evolved), ("longer", longer))}
    rival = longer if validation["longer"] > validation["start"] else start
    values = {"gradient descent": start, "evolution from there": evolved, "gradient descent for as long": rival}
    tests = {name: on(binary, "test") for name, binary in values.items()}
    used = {name: as_used(binary, program, column) for name, binary in values.items()}
    record = evolved.evidence["evolution"]
    row: dict[str, Any] = {f"{name}: F1": value for name, value in tests.items()}
    row |= {f"{name}, threshold of validation: F1": block["F1"] for name, block in used.items()}
    row |= {f"{name}, threshold of validation: worst false alarms": block["worst"] for name, block in used.items()}
    row |= {f"{name}, a threshold per group: F1": block["F1 each"] for name, block in used.items()}
    row |= {f"validation, {name}: F1": value for name, value in validation.items()}
    gained = tests["evolution from there"]
    row |= {
        "gained over gradient descent": gained - tests["gradient descent"],
        "gained over gradient descent for as long": gained - tests["gradient descent for as long"],
        "gained over gradient descent with a threshold of validation": used["evolution from there"]["F1"] - used["gradient descent"]["F1"],
        "accuracy, gradient descent": start.evidence["scores"]["test"]["accuracy"],
        "accuracy, evolution from there": evolved.evidence["scores"]["test"]["accuracy"],
        "CPU seconds, gradient descent": round(of_start, 2),
        "CPU seconds, both": round(of_both, 2),
        "CPU seconds, gradient descent for as long": round(of_longer, 2),
        "steps of gradient descent for as long": steps,
        "rival": "longer" if rival is longer else "start",
        "weights": record["weights"],
        "MACs": evolved.evidence["costs"]["macs"],
        "evaluations": record["evaluations"],
        "kept": record["kept"],
        "protection": record["protection"],
    }
    return row


# --- the record ----------------------------------------------------------------------------------------------------

CASES = {"pole": pole, "alarm": alarm}


def figures(rows: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """Put the rows of all seeds together: one figure per number, and the gains in units of their spread."""
    found: dict[str, Any] = {}
    for case, seeds in rows.items():
        names = dict.fromkeys(name for row in seeds.values() for name in row)
        for name in names:
            values = {seed: row[name] for seed, row in seeds.items() if isinstance(row.get(name), int | float)}
            if values:
                found[f"{case}: {name}"] = values
                if name.startswith("gained over") and len(values) > 1:
                    gains = list(values.values())
                    found[f"{case}: {name}, in spreads of the seeds"] = statistics.fmean(gains) / max(statistics.stdev(gains), 1e-9)
    return found


TARGETS = {
    "pole: mean return of 100 fresh episodes": f"min >= {SOLVED:g}",
    "alarm: gained over gradient descent": "min >= 0",
    "alarm: gained over gradient descent, in spreads of the seeds": ">= 1",
    "alarm: gained over gradient descent for as long, in spreads of the seeds": ">= 1",
    "alarm: gained over gradient descent with a threshold of validation, in spreads of the seeds": ">= 1",
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure evolution.")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"{' or '.join(CASES)} (default: both)")
    parser.add_argument("--seeds", type=int, nargs="*", default=list(SEEDS))
    parser.add_argument("--cache", type=Path, default=datasets.default_cache())
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--trial", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    kept = options.cache / "evolution-runs.json"
    rows: dict[str, dict[str, Any]] = json.loads(kept.read_text()) if kept.exists() else {}
    for case in options.cases or list(CASES):
        for seed in options.seeds:
            if str(seed) in rows.get(case, {}) and not options.again and not options.trial:
                continue
            row = CASES[case](seed, options.cache, trial=options.trial)
            print(case, seed, json.dumps(row), flush=True)
            if not options.trial:
                current = json.loads(kept.read_text()) if kept.exists() else {}  # another lane may have added a seed
                current.setdefault(case, {})[str(seed)] = row
                harness.write_json(kept, current)
                rows = current
    if options.trial:
        return
    ordered = {case: dict(sorted(rows[case].items())) for case in CASES if case in rows}
    found = figures(ordered)
    harness.record(
        "evolution",
        found,
        command=harness.command_line(),
        target={name: rule for name, rule in TARGETS.items() if name in found},
        notes=(__doc__ or "").split("\n\n")[2:4],
        runs=[{"case": case, "seed": seed, **row} for case, seeds in ordered.items() for seed, row in seeds.items()],
    )


if __name__ == "__main__":
    main()
