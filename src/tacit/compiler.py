"""Compile: from examples and a goal to a binary whose scores were measured on what is shipped."""

from __future__ import annotations

import copy
import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cache
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from tacit.binary.binary import Binary
from tacit.binary.probes import record_probes
from tacit.evidence import costs_of, goals_of, labels_of, run_of, scores_of, suspicious_labels, versions
from tacit.examples.examples import Examples
from tacit.goals.evidence import check_goals_fit
from tacit.goals.goal import Goal
from tacit.ground.budget import Meter
from tacit.ground.digests import canonical_json, sha256
from tacit.ground.errors import InputError, TacitError
from tacit.ground.files import write_atomic
from tacit.ground.progress import Reporter
from tacit.ir.graph import Graph
from tacit.ir.interpreter import evaluate
from tacit.ir.verifier import verify
from tacit.lowering.lower import Lowered, lower_module
from tacit.passes.pipeline import optimise
from tacit.program import Program
from tacit.search.columns import columns, seed_of
from tacit.search.devices import device_for
from tacit.search.keeping import keep_trained
from tacit.search.recipe import Recipe, recipe_for
from tacit.search.running import Stop
from tacit.search.schedule import Plan
from tacit.search.search import CHECKPOINT, DECISION, TRIALS, Examined, Found, Search
from tacit.search.training import Task
from tacit.search.warm import Start, skeleton_name, start_of, suggestion, warm_recipe
from tacit.signature.base import ArraySpec
from tacit.skeletons.choices import Choice
from tacit.skeletons.table import check_settings, skeleton_for

DEFAULT_MINUTES = 5.0
FEW_GROUPS = 50
#: The scores of the lowered program may differ from PyTorch's by so much, relative to the greatest score.
TOLERANCE = 1e-4


def compile(
    program: Program,
    *,
    seed: int = 0,
    device: str = "auto",
    resume: bool = False,
    warm: str | PathLike[str] | None = None,
    plan: Plan | None = None,
    run_directory: Path | None = None,
    reporter: Reporter | None = None,
    started: float | None = None,
) -> Binary:
    """Find a binary for a program within its budget.

    seed: decides weights, order and augmentation. device: auto, cpu, cuda ... resume: go on with an unfinished run of the same
    program, budget and seed. warm: go on from the weights of an earlier run of the program directory, with a fraction of the steps:
    ``auto`` (the newest one), the binary that it made, or the digest of that. plan: steps to take, as a run by the clock records them
    (else `budget.steps`, else the clock).
    run_directory: where checkpoints go (default: `.tacit/runs` in the program directory; none without one).
    started: `time.monotonic()` when the person's command began, for the budget.
    Raises: InputError for examples that can't be learned from, LoweringError, BudgetError, ConfigError.
    """
    reporter = reporter or Reporter()
    budget = program.budget
    goals = program.goals or (Goal(program.signature.output.metric),)
    check_goals_fit(goals, program.signature.output)
    check_examples(program)
    skeleton = skeleton_for(program.signature, program.skeleton)
    check_settings(skeleton, program.settings)
    train, validation = program.examples.split("train"), program.examples.split("validation")
    recipe = recipe_for(program.signature, program.recipe, examples=len(train))
    place = device_for(device)
    refit = refits(program, recipe)
    # The examples that the shipped weights have seen, and those that only decided.
    learnt = program.examples.take(program.examples.splits != "test") if refit else train
    drawn = seed_of(seed, "run") % 2**31
    start = None if warm is None else start_of(program, warm, skeleton, learnt, batch=recipe.batch, seed=drawn)
    if start is not None:
        reporter.note(start.describe())
        recipe = warm_recipe(recipe)
    elif (hint := suggestion(program)) is not None:
        reporter.note(hint)
    if plan is None and budget.steps is not None:
        plan = [(0, budget.steps if start is None else min(budget.steps, start.steps))]
    minutes = DEFAULT_MINUTES if budget.minutes is None else budget.minutes
    meter = Meter(None if plan is not None else minutes * 60.0, start=started)
    folder = _run_folder(program, run_directory, seed=seed, plan=plan, start=start, resume=resume, reporter=reporter)
    reporter.phase("preparing")
    task = Task(program.signature, columns(train, place), columns(validation, place), goals[0])
    final = Task(program.signature, columns(learnt, place), columns(validation.take(np.arange(0)), place), goals[0]) if refit else None
    evaluated = len(validation) + int((program.examples.splits == "test").sum())
    with _first_interrupt_asks() as stop:
        search = Search(
            task=task,
            skeleton=skeleton,
            recipe=recipe,
            seed=drawn,
            inputs=train.inputs,
            budget=budget,
            meter=meter,
            plan=plan,
            reporter=reporter,
            stop=stop,
            folder=folder,
            final=final,
            start=start,
            examine=lambda network: _examine(network, program, train, evaluated),
        )
        found = search.run(program.settings if start is None else start.settings, resume=resume)
        if stop.asked and found.training.progress.step == 0:
            raise KeyboardInterrupt
        reporter.phase("lowering and measuring")
        seconds = None if plan is not None else meter
        if found.training.task is task:  # a trial, saved when choosing was interrupted, has not seen validation
            refit, learnt = False, train
        binary = _shipped(program, found, learnt, refit=refit, seed=seed, device=place, meter=seconds, start=start)
        keep_trained(program, binary, found, learnt, start)
        return binary


@dataclass(frozen=True, eq=False)
class Observed:
    """What one training run said of examples.

    averages: `Training.averages` over those that were learnt from, in order. scores: float32[example, score] of those held out.
    passes: how often each was shown; a run that had little time says little.
    """

    averages: dict[str, np.ndarray]
    scores: np.ndarray
    passes: float


def observe(
    program: Program,
    *,
    held_out: np.ndarray | None = None,
    seed: int = 0,
    device: str = "auto",
    plan: Plan | None = None,
    reporter: Reporter | None = None,
) -> Observed:
    """Train once as `compile` does, whatever the splits, and give what the run said of the examples; no binary is made.

    held_out: bool[example], those to leave out and to score afterwards; for them it's as if their labels were unknown.
    The budget is the program's (`budget.steps`, else `budget.minutes`, else five minutes). Raises: InputError, BudgetError, ConfigError.
    """
    reporter = reporter or Reporter()
    budget, examples = program.budget, program.examples
    if plan is None and budget.steps is not None:
        plan = [(0, budget.steps)]
    minutes = DEFAULT_MINUTES if budget.minutes is None else budget.minutes
    left_out = np.zeros(len(examples), bool) if held_out is None else held_out
    learnt, others, place = examples.take(~left_out), examples.take(left_out), device_for(device)
    check_examples(replace(program, examples=replace(learnt, splits=np.full(len(learnt), "train"))))
    skeleton = skeleton_for(program.signature, program.skeleton)
    check_settings(skeleton, program.settings)
    goal = (program.goals or (Goal(program.signature.output.metric),))[0]
    with _first_interrupt_asks() as stop:
        search = Search(
            task=Task(program.signature, columns(learnt, place), columns(learnt.take(np.arange(0)), place), goal),
            skeleton=skeleton,
            recipe=recipe_for(program.signature, program.recipe, examples=len(learnt)),
            seed=seed_of(seed, "run") % 2**31,
            inputs=learnt.inputs,
            budget=budget,
            meter=Meter(None if plan is not None else minutes * 60.0),
            plan=plan,
            reporter=reporter,
            stop=stop,
            folder=None,
            examine=lambda _: Examined({}, 0.0),
        )
        training = search.run(program.settings, resume=False).training
        if stop.asked:
            raise KeyboardInterrupt
        averages = {name: tensor.cpu().numpy() for name, tensor in training.averages().items()}
        return Observed(averages, training.predict_new(columns(others, place)), training.progress.step / training.order.steps)


def refits(program: Program, recipe: Recipe) -> bool:
    """Tell whether the winner is trained on train and validation together.

    A person decides by `train.refit`. Else it is done where validation keeps whole groups (people, machines) from training and there are
    few: on UCI-HAR, three of 21 people are worth three points. Something must be left to measure: a test split.
    """
    splits, groups = program.examples.splits, program.examples.groups
    if not ((splits == "validation").any() and (splits == "test").any()):
        return False
    if recipe.refit is not None:
        return recipe.refit
    return groups is not None and len(np.unique(groups[splits != "test"])) < FEW_GROUPS


def check_examples(program: Program) -> None:
    """Refuse examples that nothing can be learned from. Raises: InputError."""
    examples, where = program.examples, program.directory or program.name
    counts = {split: int((examples.splits == split).sum()) for split in ("train", "validation", "test")}
    if counts["train"] < 2:
        raise InputError(
            f"expected at least 2 training examples, got {counts['train']} of {len(examples)} - at `{where}`",
            fix="add examples, or lower `split.test` and `split.validation` in tacit.toml",
        )
    if examples.signature.output.loss == "cross_entropy":
        present = np.unique(examples.targets[examples.splits == "train"])
        if len(present) < 2:
            names = ", ".join(f"`{examples.signature.output.label(target)}`" for target in present)
            raise InputError(
                f"expected training examples of at least 2 classes, got only {names} - at `{where}`",
                fix="add examples of another class; a program that always gives the same answer needs no learning",
            )


def _examine(network: nn.Module, program: Program, train: Examples, evaluated: int) -> Examined:
    """Lower an untrained network: it is refused before time is spent on it, and its exact costs are known."""
    _lower_anything()
    begun = time.monotonic()
    graph = _lower(network, program).graph
    lowering = time.monotonic() - begun
    some = [array[:512] for array in train.inputs]
    evaluate(graph, some)  # the first run decides how to compute each instruction; only the second tells the pace
    begun = time.monotonic()
    evaluate(graph, some)
    per_example = (time.monotonic() - begun) / max(1, len(some[0]))
    return Examined(costs_of(graph), reserve=1.0 + 1.5 * lowering + 1.25 * per_example * evaluated)


@cache
def _lower_anything() -> None:
    """Lower the smallest network once: the exporter's first use takes seconds that later ones don't."""
    lower_module(nn.Linear(1, 1), (ArraySpec("x", (1,), "float32", ("number",)),))


def _lower(network: nn.Module, program: Program) -> Lowered:
    specs = program.signature.input.arrays
    approximate = program.recipe.get("approximate")
    lowered = lower_module(copy.deepcopy(network).cpu().eval(), specs, approximate=approximate)
    graph: Graph = optimise(lowered.graph)
    return Lowered(graph, lowered.approximations, lowered.max_relative_error)


def _shipped(
    program: Program,
    found: Found,
    learnt: Examples,
    *,
    refit: bool,
    seed: int,
    device: torch.device,
    meter: Meter | None,
    start: Start | None,
) -> Binary:
    """Lower the network that was found, hold it against PyTorch, and measure it: the scores are those of the shipped binary."""
    lowered = _lower(found.network, program)
    verify(lowered.graph)
    validation = program.examples.split("validation")
    probe = validation if len(validation) else learnt
    difference = _difference(found.network, lowered.graph, probe)
    if difference > TOLERANCE and not lowered.approximations:
        raise InputError(
            f"expected the lowered program to compute what PyTorch does within {TOLERANCE}, got a relative difference of {difference:.2e}",
            fix="report this with the skeleton; nothing was written",
        )
    scores = {}
    for name in ("test",) if refit else ("validation", "test"):
        examples = program.examples.split(name)
        if len(examples):
            scores[name] = scores_of(evaluate(lowered.graph, examples.inputs)[0], examples)
    evidence: dict[str, Any] = {
        "name": program.name,
        "scores": scores,
        "goals": goals_of(program, scores),
        "costs": costs_of(lowered.graph),
        "lowering": {
            "max_relative_error": difference,
            "approximations": [asdict(approximation) for approximation in lowered.approximations],
        },
        "labels": labels_of(program),
        "suspicious": suspicious_labels(found, learnt),
        "versions": versions(),
    }
    seconds = None if meter is None else meter.elapsed()
    evidence["run"] = run_of(program, found, seed=seed, device=device, seconds=seconds, start=start)
    bare = Binary({"main": lowered.graph}, program.signature)
    evidence["probes"] = record_probes(bare, [array[:4] for array in probe.inputs])
    return Binary({"main": lowered.graph}, program.signature, evidence=json.loads(json.dumps(evidence)))


def _difference(network: nn.Module, graph: Graph, examples: Examples, *, count: int = 64) -> float:
    """Give the greatest difference between the interpreter and PyTorch in float32, relative to the greatest score."""
    arrays = [array[:count] for array in examples.inputs]
    specs = examples.signature.input.arrays
    tensors = [torch.from_numpy(np.ascontiguousarray(array)) for array in arrays]
    tensors = [tensor if spec.limit is not None else tensor.float() for tensor, spec in zip(tensors, specs, strict=True)]
    with torch.inference_mode():
        wanted = copy.deepcopy(network).cpu().eval()(*tensors).numpy()
    got = evaluate(graph, arrays)[0].reshape(wanted.shape)
    # The scores of a `Number` are in standard deviations: near 0 they are compared as they are.
    least = 1.0 if examples.signature.output.kind == "number" else 1e-12
    return float(np.abs(got - wanted).max() / max(float(np.abs(wanted).max()), least))


def _run_folder(
    program: Program,
    given: Path | None,
    *,
    seed: int,
    plan: Plan | None,
    start: Start | None,
    resume: bool,
    reporter: Reporter,
) -> Path | None:
    """Give the folder of this run, named after everything that decides it; clear it unless the run is continued."""
    configuration = _configuration(program, seed, plan)
    if start is not None:
        configuration["warm"] = start.digest
    if given is None and program.directory is None:
        return None
    key = sha256(canonical_json(configuration).encode())[:12]
    folder = given if given is not None else Path(program.directory or ".") / ".tacit" / "runs" / key
    if not resume:
        _clear(folder)
    elif not (folder / DECISION).exists() and not (folder / TRIALS).exists():
        reporter.note(f"nothing to resume - at `{folder}`: compiling from the start")
    try:
        write_atomic(folder / "configuration.json", json.dumps(configuration, indent=1))
    except TacitError as error:
        reporter.note(f"no checkpoints: {error.message}")
        return None
    reporter.note(f"checkpoints: {folder}")
    return folder


def _configuration(program: Program, seed: int, plan: Plan | None) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        return {"choice": list(value.values)} if isinstance(value, Choice) else value

    budget = asdict(program.budget if plan is None else replace(program.budget, minutes=None, steps=None))
    return {
        "labels": program.examples.labels_digest,
        "signature": program.signature.to_json(),
        "skeleton": skeleton_name(program),
        "settings": {name: plain(value) for name, value in program.settings.items()},
        "recipe": {name: plain(value) for name, value in program.recipe.items()},
        "goals": [asdict(goal) for goal in program.goals],
        "budget": budget,
        "plan": plan,
        "seed": seed,
    }


def _clear(folder: Path) -> None:
    """Remove what a run keeps for continuing."""
    for name in (CHECKPOINT, DECISION, TRIALS):
        (folder / name).unlink(missing_ok=True)


@contextmanager
def _first_interrupt_asks() -> Iterator[Stop]:
    """Turn the first Ctrl-C into a request to stop with the best so far; the second one interrupts."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.getsignal(signal.SIGINT)

    def ask(_number: int, _frame: object) -> None:
        stop.asked = True
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
