"""One resizing from the original to what is shipped: sizes tried, channels cut, the rest fitted, trained on, measured and kept."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from tacit.binary.binary import MAIN, Binary
from tacit.evidence import run_of, suspicious_labels
from tacit.goals.evidence import check_goals, check_goals_fit
from tacit.goals.table import metric_of
from tacit.ground.budget import Meter
from tacit.ground.errors import BudgetError, ConfigError, GoalNotMet, TacitError, raise_all
from tacit.ground.files import write_atomic
from tacit.ground.progress import Reporter
from tacit.resizing.channels import Kept, groups_of
from tacit.resizing.least_squares import rebuild, recalibrate
from tacit.resizing.original import Original
from tacit.resizing.outcome import Resized, Width
from tacit.resizing.racing import Track
from tacit.resizing.ranking import rank
from tacit.resizing.retraining import SHARE, retraining, retraining_recipe
from tacit.resizing.sizing import Sizer
from tacit.resizing.weighing import weigh
from tacit.resizing.wishes import FASTER, SMALLER, Wish
from tacit.search.columns import columns, seed_of
from tacit.search.devices import device_for
from tacit.search.folders import configuration_of, run_folder
from tacit.search.recipe import recipe_for
from tacit.search.running import WARM_SLACK, Clock, Runner, Stop
from tacit.search.schedule import Plan, Progress
from tacit.search.search import CHECKPOINT, DECISION, Found
from tacit.search.sizing import pace
from tacit.search.trained import Trained, save_trained, trained_path
from tacit.search.training import Task, Training
from tacit.shipping import ship

#: Ratios that are tried where a family or the limit of the goals is asked for.
LADDER = (1.25, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0)
FAMILY = (1.5, 2.0, 3.0, 4.0, 6.0)
#: Seconds kept for lowering, measuring and timing after a run by the clock.
_RESERVE = 10.0


class Run:
    """One resizing: the original with its groups of channels ranked, and what is made of it."""

    folder: Path | None = None
    started: float | None = None

    def __init__(
        self,
        original: Original,
        track: Track | None,
        *,
        minutes: float | None,
        steps: int | None,
        seed: int,
        device: str,
        resume: bool,
        reporter: Reporter,
    ) -> None:
        """Find and rank what can be removed. Raises: ConfigError when that is nothing."""
        self.original, self.minutes, self.steps, self.seed, self.resume = original, minutes, steps, seed, resume
        self.reporter, self.device, self.program = reporter, device_for(device), original.program
        self.goals = self.program.aims
        check_goals_fit(self.goals, self.program.signature.output)
        reporter.phase("looking at channels")
        specs = self.program.signature.input.arrays
        groups = groups_of(original.network, specs)
        if not groups:
            raise ConfigError(
                "expected channels that can be removed, found none",
                cause="each is a class or an input, or goes through what can't be followed, such as a shape written as a number",
                fix="write shapes with what the arrays have: `x.flatten(1)`, `x.shape[1]`",
            )
        self.arrays = original.some()
        output = self.program.signature.output
        rankings = rank(original.network, groups, self.arrays, output)
        rankings = weigh(original.network, groups, rankings, self.arrays, output, reporter)
        self.sizer = Sizer(original.network, self.program, groups, rankings, self.arrays, track, reporter)

    def to(self, wish: Wish, stop: Stop) -> Resized:
        """Make one size."""
        meter = Meter(None if self.minutes is None else 60.0 * self.minutes, start=self.started)
        folder = self._folder(wish)
        kept, network = self._cut(wish, folder)
        if stop.asked:
            raise KeyboardInterrupt
        place, held = self.device, self.original.held
        task = Task(self.program.signature, columns(self.original.learnt, place), columns(held, place), self.goals[0])
        recipe = retraining_recipe(recipe_for(self.program.signature, self.program.recipe, examples=len(self.original.learnt)))
        augment = bool(self.original.trained.values["augmented"])
        drawn = seed_of(self.seed, "resize") % 2**31

        def training(plan: Plan, network: nn.Module) -> Training:
            return retraining(task, network, self.original.network, recipe, Progress(plan), seed=drawn, augment=augment)

        plan, clock = self._plan(meter, lambda plan: training(plan, copy.deepcopy(network)), recipe.epochs)
        run = training(plan, network)
        before = self._validation(self.original.network)
        checkpoint = None if folder is None else folder / CHECKPOINT
        self.reporter.phase("training")
        runner = Runner(run, reporter=self.reporter, stop=stop, clock=clock, checkpoint=checkpoint, meter=meter, slack=WARM_SLACK)
        if self.resume and runner.resume():
            self.reporter.note(f"going on from step {run.progress.step}")
        elif len(held):
            runner.look()
        outcome = runner.finish()
        run.network.load_state_dict(outcome.weights)
        sign = 1.0 if metric_of(self.goals[0]).higher_is_better else -1.0
        first = next((item["validation"] for item in outcome.history if item["step"] == 0), None)
        validation = {
            "original": before,
            "cut": None if first is None else sign * first,
            "resized": sign * outcome.score if len(held) else None,
        }
        found = Found(run.network, dict(self.original.trained.values["settings"]), recipe, outcome, run, ())
        seconds = None if clock is None else meter.elapsed()
        return self._shipped(wish, kept, found, validation, seconds)

    def family(self, wish: Wish | None, stop: Stop) -> Resized:
        """Make several sizes, from the mildest on; the answer is the fastest that meets its goals, or the mildest."""
        made = []
        for one in self._ladder(wish, FAMILY):
            self.reporter.note(f"now {one}")
            try:
                made.append(self.to(one, stop))
            except BudgetError as error:
                if not made:
                    raise
                self.reporter.note(f"left out: {error.message}")
            if stop.asked:
                break
        good = [one for one in made if one.goals_met]
        return replace(good[-1] if good else made[0], family=tuple(made))

    def as_far_as_goals(self, wish: Wish | None, stop: Stop) -> Resized:
        """Make the furthest size whose goals hold on validation examples. Raises: ConfigError, GoalNotMet."""
        wanted = [goal for goal in self.goals if goal.threshold is not None]
        problems = [] if wanted else ["the program has no goal with a threshold"]
        problems += [] if len(self.original.held) else ["no validation examples are held out, so nothing can choose"]
        raise_all(problems, heading="expected goals to keep", fix="accuracy = 0.9 under [goal] in `tacit.toml`", error=ConfigError)
        rungs = self._ladder(wish, LADDER)
        best: Resized | None = None
        low, high = 0, len(rungs) - 1
        while low <= high and not (stop.asked and best is not None):
            middle = (low + high) // 2
            self.reporter.note(f"now {rungs[middle]}")
            made = self.to(rungs[middle], stop)
            if self._holds(made.binary):
                best, low = made, middle + 1
            else:
                high = middle - 1
        if best is None:
            raise GoalNotMet(
                f"expected a size whose goals hold, not even {rungs[0]} does - on {len(self.original.held)} validation examples",
                fix="more steps of training (--steps), a milder size, or a lower goal",
            )
        return best

    def _holds(self, binary: Binary) -> bool:
        """Tell whether the goals hold on validation examples."""
        goals = [replace(goal, split="validation") for goal in self.goals]
        return all(one["met"] for one in check_goals(goals, binary.evidence["scores"]))

    def _ladder(self, wish: Wish | None, ratios: Sequence[float]) -> list[Wish]:
        """Give sizes from mild to strong, the last one being what was asked for; without that, as far as is possible."""
        if wish is None:
            kind = FASTER if self.sizer.track is not None else SMALLER
            possible = self.sizer.most(Wish(kind, 1.0))
            rungs = [Wish(kind, ratio) for ratio in ratios if ratio <= 0.95 * possible]
            if not rungs:
                raise BudgetError(
                    f"expected sizes to try, the narrowest network is only {possible:.3g} times as {'fast' if kind == FASTER else 'small'}"
                )
            return rungs
        if wish.kind in (FASTER, SMALLER):
            return [*(replace(wish, value=ratio) for ratio in ratios if ratio < wish.value), wish]
        whole = self.sizer.cost_of_whole(wish)
        return [*(replace(wish, value=whole / ratio) for ratio in ratios if whole / ratio > wish.value), wish]

    def _folder(self, wish: Wish) -> Path | None:
        plan: Plan | None = None if self.steps is None else [(0, self.steps)]
        decides = configuration_of(self.program, self.seed, plan)
        decides |= {"resize": {"from": self.original.binary.digest, "minutes": self.minutes, **asdict(wish)}}
        return run_folder(self.program, self.folder, decides, resume=self.resume, reporter=self.reporter)

    def _cut(self, wish: Wish, folder: Path | None) -> tuple[Kept, nn.Module]:
        """Choose the channels and fit what is left; a run that is continued takes those that were chosen."""
        decided = None if folder is None else folder / DECISION
        if self.resume and decided is not None and decided.exists():
            kept: Kept = {int(number): np.array(channels) for number, channels in json.loads(decided.read_text())["kept"].items()}
        else:
            self.reporter.phase("trying sizes")
            sized = self.sizer.reach(wish)
            kept = self.sizer.kept(sized.widths)
            if not kept:
                raise ConfigError(f"expected a size that is not reached yet, the program is as it is {wish}", fix="a smaller one")
            if decided is not None:
                write_atomic(decided, json.dumps({"kept": {number: channels.tolist() for number, channels in kept.items()}}))
        self.reporter.phase("fitting what is left")
        network = rebuild(self.original.network, self.sizer.groups, kept, self.arrays)
        other = copy.deepcopy(network)
        recalibrate(other, self.arrays)
        scores = [self._validation(one) for one in (network, other)]
        better = scores[0] is None or scores[1] is None or not metric_of(self.goals[0]).better(scores[0], scores[1])
        return kept, other if better else network

    def _plan(self, meter: Meter, throwaway: Any, epochs: int) -> tuple[Plan, Clock | None]:
        """Give the steps to take, and the clock of a run in minutes."""
        if self.minutes is None:
            steps = self.steps if self.steps is not None else max(1, round(SHARE * int(self.original.trained.values["steps"])))
            return [(0, steps)], None
        clock = Clock(lambda: meter.left() - _RESERVE, epochs * max(1, len(self.original.learnt)))
        per_step = pace(throwaway([(0, 1000)]))
        return [(0, max(1, int(clock.left() / per_step)))], clock

    def _validation(self, network: nn.Module) -> float | None:
        """Give the first goal's metric on what is held out."""
        held, goal = self.original.held, self.goals[0]
        if not len(held):
            return None
        found = columns(held, torch.device("cpu"))
        with torch.inference_mode():
            scores = torch.cat([network.cpu().eval()(*arrays) for arrays, _ in found.batches(512)]).numpy()
        return float(metric_of(goal)(scores, found.targets.numpy(), self.program.signature.output, label=goal.label))

    def _shipped(self, wish: Wish, kept: Kept, found: Found, validation: Mapping[str, float | None], seconds: float | None) -> Resized:
        """Lower, measure and time what was trained, and keep it."""
        original, program, groups = self.original, self.program, self.sizer.groups
        self.reporter.phase("lowering and measuring")
        widths = tuple(
            Width(group.name, group.size, len(kept[number]) if number in kept else group.size) for number, group in enumerate(groups)
        )
        story: dict[str, Any] = {
            "from": original.binary.digest,
            "wish": asdict(wish),
            "groups": [asdict(width) for width in widths],
            "costs": original.binary.evidence.get("costs"),
            "method": "channels by reconstruction, least squares, batch norms measured anew unless validation preferred not, distillation",
            "metric": self.goals[0].metric,
            "validation": dict(validation),
        }

        def last() -> dict[str, Any]:
            told = run_of(program, found, seed=self.seed, device=self.device, seconds=seconds, start=None)
            return {"suspicious": suspicious_labels(found, original.learnt), "run": told | {"repeat": None, "resized": story}}

        measured = ("validation", "test") if len(original.held) else ("test",)
        binary = ship(found.network, program, learnt=original.learnt, measured=measured, last=last)
        self.reporter.phase("timing")
        sources = [self.sizer.source(one.graphs[MAIN], wish.target) for one in (original.binary, binary)]
        timing = self.sizer.timing(sources, wish)
        story["timing"] = None if timing is None else timing.to_json()
        binary = replace(binary, evidence={**binary.evidence, "run": {**binary.evidence["run"], "resized": story}})
        self._keep(binary, found)
        metric = self.goals[0].metric
        return Resized(original.binary, binary, wish, widths, timing, metric, validation, found.training.progress.step)

    def _keep(self, binary: Binary, found: Found) -> None:
        """Keep the resized network in the form in which it is trained. A full disk must not cost the binary, so it is no error."""
        program, learnt, before = self.program, self.original.learnt, self.original.trained.values
        if program.directory is None:
            return
        mine = set(learnt.ids.tolist())
        values = {
            **before,
            "ids": learnt.ids.tolist(),
            "held": self.original.held.ids.tolist(),
            "recipe": asdict(found.recipe),
            "seed": self.seed,
            "labels": program.examples.labels_digest,
            "commit": binary.evidence["labels"]["commit"],
            "augmented": bool(found.training.augmented),
            "also_seen": sorted({*before["ids"], *before.get("also_seen", ())} - mine),
            "resized_from": self.original.binary.digest,
        }
        kept = {**found.training.dynamics.averages(), "targets": torch.from_numpy(np.array(learnt.targets))}
        with suppress(TacitError, OSError):
            save_trained(program.directory, Trained(binary.digest, found.training.weights(), kept, values))
            # The newest few are kept: what others are made from must not be pushed out by them.
            os.utime(trained_path(program.directory, self.original.binary.digest))
