"""Meld: programs that were compiled apart become one, trained end to end on what they are for together."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tacit.binary.binary import MAIN, Binary
from tacit.evidence import costs_of
from tacit.goals.evidence import check_goals_fit
from tacit.goals.goal import Goal
from tacit.ground.budget import Meter
from tacit.ground.errors import BudgetError, InputError
from tacit.ground.files import write_atomic
from tacit.ground.progress import Reporter
from tacit.ir.interpreter import evaluate
from tacit.lowering.lower import Lowered
from tacit.melding.acclimatising import acclimatise
from tacit.melding.encoding import share_encoder
from tacit.melding.fitting import fit, leaves_of
from tacit.melding.goals import kept_best, own_goals, own_score, score
from tacit.melding.graphs import graphs_of, shared_bytes
from tacit.melding.network import LiftedPart, Melded, ended, pipeline
from tacit.melding.parts import Given, Part, open_parts
from tacit.program import Program
from tacit.search.columns import columns, seed_of
from tacit.search.devices import device_for
from tacit.search.folders import configuration_of, run_folder
from tacit.search.interrupts import first_interrupt_asks
from tacit.search.learnable import check_examples
from tacit.search.recipe import Recipe, recipe_for
from tacit.search.running import WARM_SLACK, Clock, Outcome, Runner, Stop
from tacit.search.schedule import Plan, Progress, print_plan
from tacit.search.search import CHECKPOINT, DECISION
from tacit.search.training import Task, Training
from tacit.shipping import Entries, ship

DEFAULT_MINUTES = 5.0
#: Weights of the parts' own goals beside the joint one that are tried, and the share of the budget that a trial of one takes.
WEIGHTS, TRIAL = (0.5, 2.0), 0.1
#: What training a whole overrides in the recipe of its input's type: its parts know nearly everything already.
RECIPE: Mapping[str, Any] = {
    "optimiser": "adamw",
    "learning_rate": 1e-3,
    "weight_decay": 1e-2,
    "batch": 64,
    "warmup": 0.1,
    "label_smoothing": 0.0,
    "precision": "float32",
    "epochs": 40,
}


@dataclass(eq=False)
class Run:
    """What stays the same while one meld is trained."""

    melded: Melded
    task: Task
    recipe: Recipe
    seed: int
    augment: bool
    start: dict[str, torch.Tensor]
    reporter: Reporter
    stop: Stop
    meter: Meter
    folder: Path | None

    def training(self, progress: Progress, weight: float) -> Training:
        """Make a run from the parts as they came. weight: of their own goals."""
        self.melded.load_state_dict(self.start)
        place = self.task.train.targets.device
        terms = own_goals(self.melded, weight, batch=self.recipe.batch, seed=self.seed, device=place)
        return Training(
            self.task, self.melded, self.recipe, progress, seed=self.seed, augment=self.augment, low_precision=False, terms=terms
        )


def meld(
    *given: Given,
    program: Program,
    through: str | None = None,
    seed: int = 0,
    device: str = "auto",
    resume: bool = False,
    own: float | None = None,
    plan: Plan | None = None,
    run_directory: Path | None = None,
    reporter: Reporter | None = None,
    started: float | None = None,
) -> Binary:
    """Join programs where their types fit and train them as one on the examples of `program`.

    given: `.tacit` files, program directories, binaries, or pairs of a binary and its program. program: the joint one: its input and
    output are those of the whole, its budget is spent. through: the metric that is trained for (default: the program's first goal).
    own: the weight of the parts' own goals beside the joint one (default: tried on validation). plan: steps to take, else
    `budget.steps`, else the clock. The other arguments are those of `compile`.

    The binary has an entry point for every part, over the same weights, and `split` gives them back. Its evidence tells what the parts
    did together before (the pipeline) and what each did alone, before and after.
    Raises: InputError for programs that don't fit and for joint examples that nothing can be learned from; LoweringError, BudgetError.
    """
    reporter = reporter or Reporter()
    reporter.phase("reading")
    parts = open_parts(given, reporter)
    goal = _goal(program, through)
    _check_joint(program)
    signatures, names = [part.signature for part in parts], [part.name for part in parts]
    wiring = fit(signatures, names, program.signature)
    wires = wiring.describe(signatures, names)
    for line in wires:
        reporter.note(line)
    train, validation = program.examples.split("train"), program.examples.split("validation")
    place = device_for(device)
    torch.manual_seed(seed_of(seed, "meld") % 2**31)
    reporter.phase("running the parts apart")
    melded = Melded(parts, wiring, program.signature)
    splits = {split: program.examples.split(split) for split in ("train", "validation", "test")}
    before = {split: pipeline(melded, examples.inputs) for split, examples in splits.items() if len(examples)}
    joint = _joint_of(melded, program, goal, before)
    shared = share_encoder(melded, train.inputs)
    if shared:
        reporter.note(f"{' and '.join(shared)} share the encoder of {shared[0]}")
    recipe = _recipe(program, len(train))
    budget = program.budget
    if plan is None and budget.steps is not None:
        plan = [(0, budget.steps)]
    minutes = DEFAULT_MINUTES if budget.minutes is None else budget.minutes
    meter = Meter(None if plan is not None else minutes * 60.0, start=started)
    configuration = {
        **configuration_of(replace(program, goals=(goal,)), seed, plan),
        "meld": [part.binary.digest for part in parts],
        "own": own,
    }
    folder = run_folder(program, run_directory, configuration, resume=resume, reporter=reporter)
    task = Task(program.signature, columns(train, place), columns(validation, place), goal)
    drawn = seed_of(seed, "run") % 2**31
    with first_interrupt_asks() as stop:
        unsure = acclimatise(melded, before, task, recipe, seed=drawn, reporter=reporter)
        start = {name: tensor.detach().clone() for name, tensor in melded.state_dict().items()}
        run = Run(melded, task, recipe, drawn, bool(recipe.augment), start, reporter, stop, meter, folder)
        done = _trained(run, own, plan, resume=resume)
        reporter.phase("lowering and measuring")
        graphs = graphs_of(melded)
        alone = {part.name: graphs[part.name] for part in parts}
        told = {"joint": joint, "wires": wires, "encoder": shared, "unsure": unsure, "own_weight": done.weight, "trials": done.trials}
        return ship(
            melded,
            replace(program, goals=program.goals or (goal,)),
            learnt=train,
            lowered=Lowered(graphs[MAIN], (), 0.0),
            entries=Entries(alone, {part.name: part.signature for part in parts}),
            last=lambda: {
                "meld": {
                    "parts": [_part_of(part, number, alone, melded) for number, part in enumerate(parts)],
                    **told,
                    "shared_bytes": shared_bytes(graphs),
                },
                "run": _run_of(done, recipe, seed, place, None if plan is not None else meter.elapsed()),
            },
        )


@dataclass(frozen=True, eq=False)
class Done:
    """A finished training: the weight of the parts' own goals, the trials that chose it, and what came out."""

    weight: float
    trials: list[dict[str, float]]
    training: Training
    outcome: Outcome


def _trained(run: Run, own: float | None, plan: Plan | None, *, resume: bool) -> Done:
    """Choose the weight of the parts' own goals, and train the whole; the weights that validation prefers are in the network after it."""
    reserve = _reserve(run.melded, run.task)
    decided = _decided(run.folder, run.meter) if resume else None
    weight, trials, steps = decided or _decide(run, own, plan, reserve)
    training = run.training(Progress(steps), weight)
    run.reporter.phase("training")
    clock = None if plan is not None else Clock(lambda: run.meter.left() - reserve, _most_steps(run.recipe, len(run.task.train)))
    checkpoint = None if run.folder is None else run.folder / CHECKPOINT
    runner = Runner(training, reporter=run.reporter, stop=run.stop, clock=clock, checkpoint=checkpoint, meter=run.meter, slack=WARM_SLACK)
    if resume and runner.resume():
        run.reporter.note(f"going on from step {training.progress.step}")
    elif len(run.task.validation):
        runner.look()  # what it starts from can be what it ends with
    outcome = runner.finish()
    if run.stop.asked and training.progress.step == 0:
        raise KeyboardInterrupt
    run.melded.load_state_dict(outcome.weights)
    return Done(weight, trials, training, outcome)


def _goal(program: Program, through: str | None) -> Goal:
    """Give the goal that is trained for. Raises: ConfigError, UnknownName for one that the output can't meet."""
    goal = Goal(through) if through is not None else program.aims[0]
    check_goals_fit((goal,), program.signature.output)
    return goal


def _check_joint(program: Program) -> None:
    """Refuse a joint program without examples. Raises: InputError."""
    if len(program.examples) == 0:
        raise InputError(
            f"expected joint examples, got none - at `{program.directory or program.name}`",
            cause="what passes between programs is learnt from examples of what goes into the first and what the last should say",
            fix="tacit new DIR --from PATH makes a program directory of such examples; name it with --in DIR",
        )
    check_examples(program)


def _recipe(program: Program, examples: int) -> Recipe:
    """Give the recipe; inputs are augmented as those of the parts are, where that is the same for all of them."""
    kinds = {leaf.type.augmentations for leaf in leaves_of(program.signature.input)}
    augment = {"augment": list(kinds.pop())} if len(kinds) == 1 else {}
    return recipe_for(program.signature, {**RECIPE, **augment, **program.recipe}, examples=examples)


def _most_steps(recipe: Recipe, examples: int) -> int:
    return max(1, examples // min(recipe.batch, examples)) * recipe.epochs


def _reserve(melded: Melded, task: Task) -> float:
    """Give the seconds to keep for lowering and measuring: a first lowering tells, and refuses early what can't be lowered."""
    begun = time.monotonic()
    graph = graphs_of(melded)[MAIN]
    lowering = time.monotonic() - begun
    some = [array[:256].cpu().numpy() for array in task.train.inputs]
    begun = time.monotonic()
    evaluate(graph, some)
    each = (time.monotonic() - begun) / max(1, len(some[0]))
    own = sum(len(part.program.examples) - int((part.program.examples.splits == "train").sum()) for part in melded.parts if part.program)
    return 1.0 + 1.5 * lowering + 1.25 * each * (2 * len(task.validation) + 2 * own)


def _decide(run: Run, own: float | None, plan: Plan | None, reserve: float) -> tuple[float, list[dict[str, float]], Plan]:
    """Choose the weight of the parts' own goals on validation, and how many steps the run takes. Raises: BudgetError."""
    meter, folder = run.meter, run.folder
    if meter.left() - reserve <= 0:
        raise BudgetError(
            f"expected more than {meter.elapsed() + reserve:.0f} s to meld these programs, got {meter.seconds or 0:.0f} s",
            cause="so long take reading, lowering and measuring alone",
            fix=f"--minutes {math.ceil((meter.elapsed() + 2 * reserve) / 6) / 10:g}",
        )
    steps = plan[0][1] if plan is not None else _affordable(run, reserve)
    trials: list[dict[str, float]] = []
    weight = own if own is not None else WEIGHTS[-1]
    watched = len(run.task.validation)
    if own is None and watched and any(part.program is not None for part in run.melded.parts):
        run.reporter.phase("weighing the parts' own goals")
        for candidate in WEIGHTS:
            training = run.training(Progress([(0, max(1, round(TRIAL * steps)))]), candidate)
            outcome = Runner(training, reporter=run.reporter, stop=run.stop, label=f"own goals x {candidate:g}").finish()
            if run.stop.asked:
                raise KeyboardInterrupt
            trials.append({"weight": candidate, "validation": outcome.score})
        best = max(trial["validation"] for trial in trials)
        slack = math.sqrt(max(best * (1 - best), 1e-4) / watched) if 0 <= best <= 1 else 0.02 * abs(best)
        weight = kept_best([trial["weight"] for trial in trials], [trial["validation"] for trial in trials], slack)
    plan = plan if plan is not None else [(0, _affordable(run, reserve))]
    if folder is not None:
        content = {"weight": weight, "trials": trials, "plan": plan, "elapsed": meter.elapsed()}
        write_atomic(folder / DECISION, json.dumps(content))
    return weight, trials, plan


def _decided(folder: Path | None, meter: Meter) -> tuple[float, list[dict[str, float]], Plan] | None:
    if folder is None or not (folder / DECISION).exists():
        return None
    content = json.loads((folder / DECISION).read_text())
    meter.charge(content["elapsed"])
    return content["weight"], content["trials"], [(step, left) for step, left in content["plan"]]


def _affordable(run: Run, reserve: float) -> int:
    """Give the steps that fit into the time left, by the pace of a few."""
    training = run.training(Progress([(0, 1000)]), WEIGHTS[-1])
    training.step()
    begun = time.monotonic()
    for _ in range(3):
        training.step()
    pace = (time.monotonic() - begun) / 3
    return max(1, min(int((run.meter.left() - reserve) / pace), _most_steps(run.recipe, len(run.task.train))))


def _part_of(part: Part, number: int, graphs: Mapping[str, Any], melded: Melded) -> dict[str, Any]:
    """Say what became of a part: where it came from, and what it scores on its own examples before and after."""
    before, after = own_score(part, part.binary.graphs[MAIN]), own_score(part, graphs[part.name])
    return {
        "name": part.name,
        "digest": part.binary.digest,
        "signature": str(part.signature),
        "lifted": isinstance(melded.networks[number], LiftedPart),
        "own": None
        if before is None or after is None
        else {"metric": before["metric"], "split": before["split"], "before": before["value"], "after": after["value"]},
        "scores": {} if after is None else {after["split"]: after["scores"]},
        "costs": costs_of(graphs[part.name]),
    }


def _joint_of(melded: Melded, program: Program, goal: Goal, before: Mapping[str, Sequence[np.ndarray]]) -> dict[str, Any]:
    """Say what the parts scored together before: the pipeline, each part on the answer of the one before."""
    found: dict[str, Any] = {"metric": goal.metric, "pipeline": {}}
    for split in ("validation", "test"):
        if split in before:
            found["pipeline"][split] = score(goal, ended(melded, before[split]), program.examples.split(split))
    return found


def _run_of(done: Done, recipe: Recipe, seed: int, place: torch.device, seconds: float | None) -> dict[str, Any]:
    """Say how the weights were found."""
    training, outcome = done.training, done.outcome
    run: dict[str, Any] = {
        "seed": seed,
        "steps": training.progress.step,
        "plan": print_plan(training.progress.plan),
        "epochs": round(training.progress.step / training.order.steps, 3),
        "batch": training.order.batch,
        "recipe": {"optimiser": recipe.optimiser, "learning_rate": recipe.learning_rate, "augmented": training.augmented},
        "device": place.type,
        "threads": torch.get_num_threads(),
        "precision": "float32",
        "interrupted": outcome.interrupted,
        "history": outcome.history,
    }
    if seconds is not None:
        run["seconds"] = round(seconds, 2)
    return run
