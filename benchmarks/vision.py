"""The program for photos beside histograms of gradients and a support vector machine, from the same pictures and on the same test pictures.

    python benchmarks/vision.py [CASE ...] [--part PART ...] [--seed K] [--cache DIR]

CASE is cifar10, trashnet or sign-digits (default: all), PART one of program, predecessor, int8, constant (default: all). Every part of a
case is kept in the cache as soon as it is done, and nothing that is kept is run again; the compiled binaries are kept, too, and a compile
that was stopped goes on where it was. One thread; times are seconds of the processor, for the machine may be busy. A budget in minutes of
a busy machine holds fewer of them.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import constant_time
import datasets
import harness
import numpy as np
import torch

import tacit
from tacit.goals.evidence import evaluate_scores
from tacit.ir.graph import Graph
from tacit.ir.integer_interpreter import IntegerInterpreter
from tacit.quantisation.quantise import Quantised, attempts, quantise
from tacit.targets.c.emit import emit_c
from tacit.targets.c.library import Lane, Library, build_library
from tacit.targets.c.machine import native_isa
from tacit.targets.c.toolchain import need_compiler
from tacit.targets.target import Source
from tacit_programs.vision.predecessor import predecessor
from tacit_programs.vision.program import PROGRAM

Result = dict[str, Any]
PARITY = 200
ALLOWED = 0.3  # points that int8 may lose on validation before more effort is made


@dataclass(frozen=True)
class Case:
    """What is compiled: a budget in minutes or in steps, with how many seeds; and what is wanted of the mean accuracy."""

    seeds: int
    minutes: float | None = None
    steps: int | None = None
    target: str = ""


CASES: dict[str, Case] = {
    # By one thread: less than the half hour of two cores that is allowed.
    "cifar10": Case(1, minutes=46.0, target=">= 0.89"),
    "trashnet": Case(3, steps=1_000),
    "sign-digits": Case(3, steps=800, target=">= 0.97"),
}


class Clock(tacit.Reporter):
    """Writes down now and then how many seconds of the processor were spent, so that a run which goes on counts those before it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.told = path, 0.0
        self.before = float(path.read_text()) if path.exists() else 0.0
        self.begun = time.process_time()

    def spent(self) -> float:
        """Give the seconds of this run and of those that it goes on from."""
        return self.before + time.process_time() - self.begun

    def progress(self, fraction: float, seconds_left: float | None, message: str = "") -> None:
        if time.monotonic() - self.told > 20:
            self.told = time.monotonic()
            self.path.write_text(f"{self.spent():.1f}")
            print(f"{self.spent():7.0f} s of the processor, {fraction:.3f} done, {seconds_left or 0:.0f} s left: {message}", flush=True)


def directory_of(name: str, folder: Path) -> Path:
    """Give the program directory of a case, as the program makes it."""
    directory = folder / name
    if not directory.exists():
        PROGRAM.write(directory, name, reporter=tacit.Reporter())
    return directory


def compiled(name: str, seed: int, folder: Path) -> tuple[tacit.Binary, Result]:
    """Give the binary of a case and seed, and what it took; compile it where it is not there."""
    case, program = CASES[name], tacit.read(directory_of(name, folder))
    program = replace(program, budget=tacit.Budget(minutes=case.minutes, steps=case.steps))
    made, took, spent = (folder / f"{name}-{seed}.{end}" for end in ("tacit", "took", "clock"))
    if not made.exists():
        load, clock = harness.load_average(), Clock(spent)
        binary = tacit.compile(program, seed=seed, resume=True, run_directory=folder / f"{name}-{seed}.run", reporter=clock)
        binary.save(made)
        took.write_text(json.dumps({"processor seconds": clock.spent(), "load before": load}))
    return tacit.load(made), json.loads(took.read_text())


def program_row(name: str, seed: int, folder: Path) -> Result:
    """Compile, and give the scores and costs of what is shipped."""
    binary, took = compiled(name, seed, folder)
    evidence = binary.evidence
    standing = tacit.standing_of(binary, contestant="vision", metric="accuracy", made_in=took["processor seconds"])
    run = {key: evidence["run"].get(key) for key in ("steps", "epochs", "settings", "recipe", "threads", "precision")}
    return {**asdict(standing), **took, **run, "validation": evidence["scores"]["validation"]["accuracy"], "costs": evidence["costs"]}


def predecessor_row(name: str, seed: int, folder: Path) -> Result:
    """Tune, fit and score the support vector machine; it draws nothing at random, so one seed is all."""
    return asdict(predecessor(tacit.read(directory_of(name, folder)).examples, reporter=tacit.Reporter()))


def int8_row(name: str, seed: int, folder: Path) -> Result:
    """Give the accuracy of the integer program in C, whether it gives the bits of the interpreter, and how much is lost."""
    binary, _ = compiled(name, seed, folder)
    examples = tacit.read(directory_of(name, folder)).examples
    train, validation, test = (examples.split(split) for split in ("train", "validation", "test"))
    graph, output = binary.graphs["main"], binary.signature.output

    def accuracy(scores: np.ndarray, targets: np.ndarray) -> float:
        return float(evaluate_scores(output, scores, targets)["accuracy"])

    before, tried = accuracy(binary.evaluate(validation), validation.targets), list[tuple[float, str, Quantised]]()
    for how, candidate in attempts(graph, tuple(array[:2000] for array in train.inputs)):
        after = accuracy(scores_in_c(candidate.graph, binary.signature, validation.inputs[0]), validation.targets)
        tried.append((100 * (before - after), how, candidate))
        if tried[-1][0] <= ALLOWED:
            break
    _, how, made = min(tried, key=lambda attempt: attempt[0])
    scores = scores_in_c(made.graph, binary.signature, test.inputs[0])
    wanted = IntegerInterpreter(made.graph)([test.inputs[0][:PARITY]])[0]
    first, second = binary.evidence["scores"]["test"]["accuracy"], accuracy(scores, test.targets)
    return {
        **{"float32": first, "int8": second, "drop, points": round(100 * (first - second), 6), "made by": how},
        "scores whose bits differ in C": int((wanted.view(np.uint32) != scores[:PARITY].view(np.uint32)).sum()),
        "kilobytes of weights": sum(buffer.bytes for buffer in made.graph.of_kind("weight")) / 1e3,
    }


def scores_in_c(graph: Graph, signature: tacit.Signature, pictures: np.ndarray) -> np.ndarray:
    """Give float32[example, score] by C for this machine."""
    source, isa = Source("vision_int8", {"main": graph}, signature, "0" * 64), native_isa()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in emit_c(source, isa).files.items():
            (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())
        compiler = need_compiler()
        build_library(folder / "built.so", name=source.name, graphs=source.graphs, sources=folder, compiler=compiler, isa=isa)
        function = Library(folder / "built.so", source.graphs).functions["main"]
        (shape,) = function.entry.outputs
        scores = np.empty((len(pictures), *shape), np.float32)
        Lane(function).run(function._several, [np.ascontiguousarray(pictures)], [scores])
    return scores


def constant_row(name: str, seed: int, folder: Path) -> Result:
    """Count the instructions of a run for unlike inputs, in float32 and int8."""
    binary, _ = compiled(name, seed, folder)
    train = tacit.read(directory_of(name, folder)).examples.split("train")
    rows = []
    for arithmetic in ("float32", "int8"):
        graph = binary.graphs["main"]
        if arithmetic == "int8":
            graph = quantise(graph, tuple(array[:1000] for array in train.inputs))
        source = Source(f"vision_{arithmetic}", {"main": graph}, binary.signature, "0" * 64)
        inputs = constant_time.unlike_inputs(source)
        counts = dict(constant_time.counts(source, inputs, heavy=True))
        rows.append({"key": f"{name} {arithmetic}", "inputs": list(inputs), "instructions": counts})
    return {"rows": rows}


PARTS: dict[str, Callable[[str, int, Path], Result]] = {
    "program": program_row,
    "predecessor": predecessor_row,
    "int8": int8_row,
    "constant": constant_row,
}


def kept(name: str, part: str, seed: int, folder: Path) -> Result:
    """Give a part of a case from the cache, or run it and keep it."""
    path = folder / f"{name}-{seed}.{part}.json"
    if not path.exists():
        path.write_text(json.dumps(PARTS[part](name, seed, folder)))
        print(f"{name}, seed {seed}, {part}: {path.read_text()[:300]}", flush=True)
    found: Result = json.loads(path.read_text())
    return found


def write(folder: Path) -> None:
    """Record what is in the cache, whichever cases and parts it holds."""
    runs = []
    for path in sorted(folder.glob("*-[0-9].*.json")):
        name, _, seed = path.name.partition(".")[0].rpartition("-")
        part = path.name.split(".")[1]
        if name in CASES and part in PARTS:
            runs.append({"case": name, "part": part, "seed": int(seed), **json.loads(path.read_text())})
    figures, target = figures_of(runs)
    sizes = {run["case"]: f"{run['steps']:,} steps, {run['epochs']:.1f} passes" for run in runs if run["part"] == "program"}
    notes = [
        "CIFAR-10: 48,000 training pictures (18,000 exact, 30,000 JPEG of quality 75), 2,000 exact ones for validation, official test set",
        "sign-digits: split by student, whom the running numbers of the files tell; TrashNet: the split of its authors",
        f"trained for: {'; '.join(f'{case} {size}' for case, size in sizes.items())}; one thread, from scratch; tested at the end of a run",
        "the support vector machine is tuned on validation; seconds of the processor were taken on a machine shared with other work",
        f"int8: by C for this machine, held to the bits of the interpreter of integers on {PARITY} test pictures",
        "instructions: greatest less least over unlike inputs",
    ]
    harness.record("vision", figures, command="python benchmarks/vision.py", target=target, notes=notes, runs=runs)


def figures_of(runs: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], dict[str, str]]:
    """Give the figures, and what is wanted of them."""
    figures: dict[str, Any] = {}
    for run in runs:
        case, part, seed = run["case"], run["part"], str(run["seed"])
        if part == "program":
            costs = {"seconds of the processor": run["made_in"], "microseconds per photo": run["microseconds"]}
            for label, value in {"accuracy": run["score"], "validation accuracy": run["validation"], **costs}.items():
                figures.setdefault(f"{case}: {label}", {})[seed] = value
            figures[f"{case}: million multiply-accumulates"] = run["macs"] / 1e6
        elif part == "predecessor":
            figures[f"{case}: HOG + SVM, accuracy"] = run["score"]
            figures[f"{case}: HOG + SVM, seconds of the processor"] = run["made_in"]
            figures[f"{case}: HOG + SVM, microseconds per photo"] = run["microseconds"]
        elif part == "int8":
            figures[f"{case}: drop by int8, points"] = run["drop, points"]
            figures[f"{case}: kilobytes of weights, int8"] = run["kilobytes of weights"]
            figures[f"{case}: scores whose bits differ in C, int8"] = float(run["scores whose bits differ in C"])
        else:
            counts = [max(found) - min(found) for row in run["rows"] for found in row["instructions"].values()]
            figures[f"{case}: instructions, greatest less least"] = float(max(counts))
    target = {f"{name}: accuracy": case.target for name, case in CASES.items() if case.target}
    for name in CASES:
        ours, theirs = figures.get(f"{name}: accuracy"), figures.get(f"{name}: HOG + SVM, accuracy")
        if ours and theirs is not None:
            figures[f"{name}: points above HOG + SVM"] = {seed: 100 * (score - theirs) for seed, score in ours.items()}
        target[f"{name}: scores whose bits differ in C, int8"] = "<= 0"
        target |= {f"{name}: drop by int8, points": f"<= {ALLOWED:g}", f"{name}: instructions, greatest less least": "<= 0"}
    target["trashnet: points above HOG + SVM"] = ">= 10"
    return figures, {name: rule for name, rule in target.items() if name in figures}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--part", nargs="*", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--minutes", type=float, help="by the clock, in place of the budget of the cases")
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--cache", type=Path, default=datasets.default_cache())
    given = parser.parse_args()
    if unknown := [case for case in given.cases if case not in CASES]:
        raise SystemExit(f"expected a case, got `{unknown[0]}`\ntry: one of {', '.join(CASES)}")
    torch.set_num_threads(1)
    folder = (given.cache / "vision").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if given.minutes is not None:
        CASES.update({name: replace(case, minutes=given.minutes, steps=None) for name, case in CASES.items()})
    for name in given.cases or CASES:
        for part in given.part:
            seeds = [0] if part in ("predecessor", "int8", "constant") else range(CASES[name].seeds)
            for seed in seeds if given.seed is None else [given.seed]:
                kept(name, part, seed, folder)
                write(folder)


if __name__ == "__main__":
    main()
