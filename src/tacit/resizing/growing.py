"""Grow: a larger network that begins where a binary ended, trained on with the examples as they are now.

It pays when a small network has learnt what it can and more examples have come. The larger one computes the same at first; if it isn't
better in the end on the examples that measured before, the old weights stay.
"""

from __future__ import annotations

import copy
import dataclasses
import inspect
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from os import PathLike
from typing import Any

import numpy as np
import torch
from torch import nn

from tacit.binary.binary import Binary
from tacit.evidence import run_of, suspicious_labels
from tacit.examples.examples import Examples
from tacit.goals.evidence import check_goals_fit
from tacit.goals.table import metric_of
from tacit.ground.budget import Meter
from tacit.ground.errors import BudgetError, ConfigError, TacitError, raise_all
from tacit.ground.progress import Reporter
from tacit.program import Program
from tacit.resizing.deepening import deepened
from tacit.resizing.original import Original, original_of
from tacit.resizing.widening import widened
from tacit.search.columns import columns, seed_of
from tacit.search.devices import device_for, multiplies_bfloat16
from tacit.search.interrupts import first_interrupt_asks
from tacit.search.learnable import check_examples
from tacit.search.recipe import Recipe, recipe_for
from tacit.search.running import WARM_SLACK, Clock, Outcome, Runner, Stop
from tacit.search.schedule import Progress
from tacit.search.search import Found
from tacit.search.sizing import pace
from tacit.search.trained import Trained, save_trained
from tacit.search.training import Task, Training
from tacit.search.trials import WIDE
from tacit.shipping import examine, ship
from tacit.skeletons.table import network_for, skeleton_for

#: The part of the steps during which the rate rises. Its peak is that from scratch: half of it stays nearer to what was learnt from fewer
#: examples, and ends lower. Tried: the notes in `benchmarks/results/grow.json`.
WARMUP = 0.1
#: The part of the passes from scratch that are taken without a budget.
SHARE = 0.5
DEPTH = "depth"
_MOST, _DEEPEST = 16.0, 8


@dataclass(frozen=True, eq=False)
class Grown:
    """What came of growing.

    binary: the better one. grew: whether that is the larger network. before, after: the goal's metric on the validation examples that
    measured before. costs: MACs and bytes of both. added: examples to learn from that are new.
    """

    binary: Binary
    grew: bool
    metric: str
    before: float
    after: float
    costs: tuple[Mapping[str, float], Mapping[str, float]]
    added: int

    @property
    def met(self) -> bool:
        """Tell whether the larger network is what was asked for: not worse than before."""
        return self.grew

    def to_json(self) -> dict[str, Any]:
        """Give JSON values."""
        return {
            "met": self.met,
            "digest": self.binary.digest,
            "kept": "grown" if self.grew else "original",
            "metric": self.metric,
            "validation": {"before": self.before, "after": self.after},
            "costs": {"before": dict(self.costs[0]), "after": dict(self.costs[1])},
            "added": self.added,
        }


def grow(
    binary: Binary | str | PathLike[str],
    *,
    program: Program | str | PathLike[str] | None = None,
    factor: float = 2.0,
    deeper: int = 0,
    seed: int = 0,
    device: str = "auto",
    minutes: float | None = None,
    steps: int | None = None,
    reporter: Reporter | None = None,
    started: float | None = None,
) -> Grown:
    """Give a binary with `factor` times the channels and `deeper` more blocks per stage, trained on with the examples as they are now.

    binary: in memory, its file, or the program directory that it was compiled in, which keeps its run. program: default: the program
    directory that the file lies in or beside. minutes or steps: of training (default: half of the passes over the examples that the run
    from scratch took). started: `time.monotonic()` when the person's command began. Nothing is written but the run, which is kept
    beside the others.
    Raises: ConfigError naming every reason why it can't be grown; BudgetError when the larger one is over the program's limits;
    LoweringError; InputError.
    """
    reporter = reporter or Reporter()
    check_factors(factor, deeper, minutes=minutes, steps=steps)
    given = original_of(binary, program, reporter=reporter)
    program, trained, train, validation = given.program, given.trained, given.learnt, given.held
    meter = Meter(None if minutes is None else minutes * 60.0, start=started)
    check_examples(program)
    goal = program.aims[0]
    check_goals_fit((goal,), program.signature.output)
    _check(given, deeper=deeper)
    place, old = device_for(device), given.network
    reporter.phase("growing")
    larger, settings = enlarged(old, program, trained.values["settings"], factor=factor, deeper=deeper, seed=seed)
    evaluated = len(validation) + int((program.examples.splits == "test").sum())
    examined = examine(_stirred(larger), program, train, evaluated)
    _check_limits(examined.costs, program)
    recipe = growing_recipe(recipe_for(program.signature, program.recipe, examples=len(train)))
    task = Task(program.signature, columns(train, place), columns(validation, place), goal)
    known = _measured_before(trained, validation)
    drawn = seed_of(seed, "grow") % 2**31
    before = _score(run_on(task, old, recipe, Progress([]), seed=drawn, augment=False), known)
    clock, plan = None, [(0, steps if steps is not None else _usual_steps(trained, train, recipe))]
    if minutes is not None:
        clock = Clock(lambda: meter.left() - examined.reserve, recipe.epochs * max(1, len(train) // recipe.batch))
        per_step = pace(run_on(task, copy.deepcopy(larger), recipe, Progress([(0, 1000)]), seed=drawn, augment=False))
        plan = [(0, max(1, min(int(clock.left() / per_step), clock.most_steps)))]
    augment = bool(trained.values["augmented"]) and plan[0][1] * recipe.batch >= recipe.augment_from * len(train)
    run = run_on(task, larger, recipe, Progress(plan), seed=drawn, augment=augment)
    with first_interrupt_asks() as stop:
        reporter.phase("training")
        outcome = trained_on(run, reporter=reporter, stop=stop, clock=clock)
    after = _score(run, known)
    sign = 1.0 if metric_of(goal).higher_is_better else -1.0
    grew = sign * after >= sign * before and run.progress.step > 0
    costs = (dict(given.binary.evidence.get("costs") or {}), dict(examined.costs))
    added = len(set(train.ids.tolist()) - set(trained.values["ids"]))
    if not grew:
        reporter.note(f"not better than before ({goal.metric} {after:.4f}, before {before:.4f}): the old weights stay")
        return Grown(given.binary, False, goal.metric, before, after, costs, added)
    reporter.phase("lowering and measuring")
    story: dict[str, Any] = {"from": given.binary.digest, "factor": factor, "deeper": deeper, "metric": goal.metric, "added": added}
    story["validation"] = {"before": before, "after": after}
    found = Found(run.network, settings, recipe, outcome, run, ())
    seconds = None if clock is None else meter.elapsed()

    def last() -> dict[str, Any]:
        told = run_of(program, found, seed=seed, device=place, seconds=seconds, start=None)
        return {"suspicious": suspicious_labels(found, train), "run": told | {"repeat": None, "grown": story}}

    made = ship(run.network, program, learnt=train, last=last)
    _keep(program, made, found, train, trained)
    return Grown(made, True, goal.metric, before, after, (costs[0], made.evidence["costs"]), added)


def enlarged(
    network: nn.Module, program: Program, settings: Mapping[str, Any], *, factor: float, deeper: int, seed: int
) -> tuple[nn.Module, dict[str, Any]]:
    """Give a larger network that computes the same, and the settings of its skeleton. Raises: ConfigError, LoweringError."""
    specs, made, now = program.signature.input.arrays, network, dict(settings)
    if factor > 1:
        made = widened(made, specs, factor, seed=seed)
    if deeper:
        skeleton = skeleton_for(program.signature, program.skeleton)
        few = tuple(np.asarray(array[:2]) for array in program.examples.inputs)
        now[DEPTH] = int(now.get(DEPTH, _depth_of(skeleton.build) or 0)) + deeper
        template = network_for(skeleton, program.signature, now, inputs=few, seed=seed_of(seed, "deepening") % 2**31)
        made = deepened(made, template, specs)
    return made, now


def growing_recipe(recipe: Recipe) -> Recipe:
    """Give the recipe for what has grown: that of random weights, with less time for the rate to rise."""
    return dataclasses.replace(recipe, warmup=WARMUP)


def trained_on(run: Training, *, reporter: Reporter, stop: Stop, clock: Clock | None = None) -> Outcome:
    """Train to the end of the plan; the weights are then those that validation chose, the first ones among them."""
    runner = Runner(run, reporter=reporter, stop=stop, clock=clock, slack=WARM_SLACK)
    if len(run.task.validation):
        runner.look()
    outcome = runner.finish()
    run.network.load_state_dict(outcome.weights)
    return outcome


def check_factors(factor: float, deeper: int, *, minutes: float | None, steps: int | None) -> None:
    """Refuse numbers that make no larger network, or don't train it. Raises: ConfigError naming all of them."""
    problems = ["`minutes` and `steps` at once: one of them ends the training"] if minutes is not None and steps is not None else []
    if minutes is not None and not minutes > 0:
        problems.append(f"`minutes` is {minutes:g}, expected more than 0")
    if steps is not None and steps < 1:
        problems.append(f"`steps` is {steps}, expected at least 1")
    if not 1.0 <= factor <= _MOST:
        problems.append(f"`grow` is {factor:g}, expected 1 (no wider) to {_MOST:g} times the channels")
    if not 0 <= deeper <= _DEEPEST:
        problems.append(f"`deeper` is {deeper}, expected 0 to {_DEEPEST} more blocks per stage")
    if factor == 1.0 and deeper == 0:
        problems.append("`grow` is 1 and `deeper` is 0: nothing would grow")
    raise_all(problems, heading="expected how much larger it shall be", fix="--grow 2", error=ConfigError)


def _check(given: Original, *, deeper: int) -> None:
    """Refuse what can't be grown. Raises: ConfigError naming every reason."""
    problems = []
    if not len(given.held):
        problems.append("there are no validation examples that it has not learnt from, so nothing could tell whether it became better")
    skeleton = skeleton_for(given.program.signature, given.program.skeleton)
    if deeper and _depth_of(skeleton.build) is None and DEPTH not in given.trained.values["settings"]:
        problems.append(f"the skeleton `{skeleton.name}` has no `{DEPTH}`: grow without `deeper`")
    seen = {*given.trained.values["ids"], *given.trained.values.get("also_seen", ())}
    leaked = [one for one in given.held.ids.tolist() if one in seen]
    if leaked:
        problems.append(f"{len(leaked)} validation examples were learnt from by an earlier run ({', '.join(leaked[:3])} ...)")
    raise_all(problems, heading="expected a binary and a program that can grow", error=ConfigError)


def _check_limits(costs: Mapping[str, float], program: Program) -> None:
    """Refuse a larger network that is over the limits of the program's budget. Raises: BudgetError."""
    budget = program.budget
    limits = {"macs": budget.macs, "weight_bytes": budget.weight_bytes, "arena_bytes": budget.arena_bytes}
    over = [f"{costs[name]:,} {name}, at most {limit:,}" for name, limit in limits.items() if limit is not None and costs[name] > limit]
    raise_all(
        over, heading="the larger network is over the budget", fix="a smaller `--grow`, or a higher limit under [budget]", error=BudgetError
    )


def _stirred(network: nn.Module) -> nn.Module:
    """Give a copy whose weights all differ, as training will make them: copies and zeros would be folded away and cost nothing."""
    made, generator = copy.deepcopy(network), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.01 * torch.randn(parameter.shape, generator=generator))
    return made


def _depth_of(build: Any) -> int | None:
    """Give the depth that a skeleton has when none is set, None when it has no such setting."""
    parameter = inspect.signature(build).parameters.get(DEPTH)
    return int(parameter.default) if parameter is not None and isinstance(parameter.default, int) else None


def run_on(task: Task, network: nn.Module, recipe: Recipe, progress: Progress, *, seed: int, augment: bool) -> Training:
    """Make a run in the precision that pays for a network of its size."""
    wide = max(parameter.numel() for parameter in network.parameters()) >= WIDE
    low = recipe.precision == "bfloat16" or (recipe.precision is None and wide and multiplies_bfloat16(task.train.targets.device))
    return Training(task, network, recipe, progress, seed=seed, augment=augment, low_precision=low)


def _usual_steps(trained: Trained, train: Examples, recipe: Recipe) -> int:
    """Give `SHARE` of the steps that the passes of the run from scratch take now."""
    passes = int(trained.values["recipe"]["batch"]) * int(trained.values["steps"]) / max(1, len(trained.values["ids"]))
    return max(1, round(SHARE * passes * len(train) / recipe.batch))


def _measured_before(trained: Trained, validation: Examples) -> np.ndarray:
    """Give int64[row] of the validation examples that measured when the binary was made; all where that was not kept."""
    before = trained.values.get("held")
    rows = (
        np.arange(len(validation)) if before is None else np.flatnonzero(np.isin(validation.ids, np.asarray(before, validation.ids.dtype)))
    )
    return rows if len(rows) else np.arange(len(validation))


def _score(run: Training, rows: np.ndarray) -> float:
    """Give the goal's metric on some validation examples."""
    validation, goal, output = run.task.validation, run.task.goal, run.task.signature.output
    targets = validation.targets.cpu().numpy()[rows]
    return float(metric_of(goal)(run.predict(rows=torch.from_numpy(rows)), targets, output, label=goal.label))


def _keep(program: Program, binary: Binary, found: Found, learnt: Examples, trained: Trained) -> None:
    """Keep the grown network in the form in which it is trained. A full disk must not cost the binary, so it is no error."""
    if program.directory is None:
        return
    mine = set(learnt.ids.tolist())
    values = {
        **trained.values,
        "ids": learnt.ids.tolist(),
        "held": program.examples.split("validation").ids.tolist(),
        "settings": found.settings,
        "recipe": asdict(found.recipe),
        "seed": binary.evidence["run"]["seed"],
        "labels": program.examples.labels_digest,
        "commit": binary.evidence["labels"]["commit"],
        "augmented": bool(found.training.augmented),
        "steps": max(int(trained.values["steps"]), found.training.progress.step),
        "also_seen": sorted({*trained.values["ids"], *trained.values.get("also_seen", ())} - mine),
        "grown_from": trained.digest,
    }
    columns_kept = {**found.training.dynamics.averages(), "targets": torch.from_numpy(np.array(learnt.targets))}
    with suppress(TacitError, OSError):
        save_trained(program.directory, Trained(binary.digest, found.training.weights(), columns_kept, values), origin=trained.digest)
