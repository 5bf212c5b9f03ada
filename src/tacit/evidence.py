"""Evidence: what was measured while a program was compiled, as JSON values that travel inside the binary.

For a budget in steps it holds nothing that differs between two runs on one machine (no times, no dates), so that the same
program and seed give the same bytes.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tacit.examples.examples import SPLITS, Examples
from tacit.goals.evidence import check_goals, evaluate_scores
from tacit.goals.table import metric_of
from tacit.ground.tables import resolve
from tacit.ir.cost import cost
from tacit.ir.graph import Graph
from tacit.program import Program
from tacit.search.schedule import print_plan, steps_of
from tacit.search.search import Found
from tacit.search.suspicion import rate
from tacit.search.trials import Trial
from tacit.search.warm import Start

_SUSPICIOUS = 12
_HOOKS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")


def scores_of(graph_scores: np.ndarray, examples: Examples) -> dict[str, Any]:
    """Give the block of one split from float32[example, score], as the shipped binary computed them."""
    return evaluate_scores(examples.signature.output, graph_scores, examples.targets)


def goals_of(program: Program, scores: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Hold the program's goals against the measured scores."""
    return check_goals(program.goals, scores)


def costs_of(graph: Graph) -> dict[str, int]:
    """Give MACs, bytes and instructions of a graph."""
    whole = cost(graph)
    return {
        "macs": int(whole.macs),
        "weight_bytes": int(whole.weight_bytes),
        "arena_bytes": int(whole.arena_bytes),
        "instructions": int(whole.instructions),
    }


def labels_of(program: Program) -> dict[str, Any]:
    """Name the version of the labels: their digest, the commit that holds them, how many there are, and how many are in dispute."""
    examples = program.examples
    counts = {split: int((examples.splits == split).sum()) for split in SPLITS}
    disputes = {"disputes": examples.disputes, "left_out": examples.left_out}
    return {"digest": examples.labels_digest, "commit": commit_of(program.directory), "counts": counts, **disputes}


def commit_of(directory: Path | None) -> str | None:
    """Give the git commit of a program directory, with ``-dirty`` when labels or settings differ from it.

    None without git, and where the commit holds no labels of this directory (a folder that the repository around it ignores). The
    directory may be a folder of a larger repository: only its own labels and settings count.
    """
    if directory is None:
        return None
    try:
        commit = _git(directory, "rev-parse", "HEAD")
        if not _git(directory, "ls-tree", "--name-only", commit, "--", "labels"):
            return None
        changed = _git(directory, "status", "--porcelain", "--", "labels", "tacit.toml")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit}-dirty" if changed else commit


def _git(directory: Path, *arguments: str) -> str:
    """Ask git about a folder. What its hooks set for another repository is left out of the environment."""
    own = {name: value for name, value in os.environ.items() if name not in _HOOKS}
    words = ["git", "-C", str(directory), *arguments]
    return subprocess.run(words, capture_output=True, text=True, timeout=30, check=True, env=own).stdout.strip()


def run_of(
    program: Program, found: Found, *, seed: int, device: torch.device, seconds: float | None, start: Start | None
) -> dict[str, Any]:
    """Say how the weights were found, and the command that finds them again."""
    training = found.training
    plan = print_plan(training.progress.plan)
    interrupted = found.outcome.interrupted
    fixed = " ".join(f"--set skeleton.{name}={json.dumps(value)}" for name, value in sorted(found.settings.items()))
    fixed += "".join(f" --set train.{name}={json.dumps(value)}" for name, value in sorted(program.recipe.items()))
    evolved = "" if found.evolved is None else f" --generations {print_plan(found.evolved.plan)}"
    warm = f" --warm-from {start.digest[:24]}" if start is not None else ""
    again = f"tacit compile {program.name} --steps {plan} --seed {seed}{evolved}{warm} {fixed}".strip()
    plans = [training.progress.plan, *([] if found.evolved is None else [found.evolved.plan])]
    if any(len(one) > 1 for one in plans):  # a run by the clock, planned anew on the way
        again = f"tacit compile {program.name} --repeat {program.name}.tacit"
    run: dict[str, Any] = {
        "seed": seed,
        "steps": training.progress.step,
        "plan": plan,
        "epochs": round(training.progress.step / training.order.steps, 3),
        "batch": training.order.batch,
        "settings": dict(sorted(found.settings.items())),
        "overrides": dict(sorted(program.recipe.items())),
        "recipe": {"optimiser": found.recipe.optimiser, "learning_rate": found.recipe.learning_rate, "augmented": training.augmented},
        "device": device.type,
        "refit": len(training.task.validation) == 0 and bool((program.examples.splits == "validation").any()),
        "threads": torch.get_num_threads(),
        "precision": "bfloat16" if training.low_precision else "float32",
        "repeat": None if interrupted else again,
        "interrupted": interrupted,
        "history": found.outcome.history,
        "trials": [_trial(trial) for trial in found.trials],
    }
    if found.choosing is not None:
        run["search"] = asdict(found.choosing)
    if found.front:
        run["front"] = [_trial(trial) for trial in found.front]
    if training.shared_by > 1:
        run["shared_by"] = training.shared_by
    if start is not None:
        run["warm"] = _warm(start, found)
    if seconds is not None:
        run["seconds"] = round(seconds, 2)
    return run


def _trial(trial: Trial) -> dict[str, Any]:
    """Give the record of a trial as evidence; the times that it took are left out."""
    row = {"number": trial.number, "rung": trial.rung, "settings": trial.settings, "steps": steps_of(trial.plan)}
    row |= {"validation": trial.validation, "failure": trial.failure}
    return {**row, "costs": dict(trial.costs)} if trial.costs else row


def _warm(start: Start, found: Found) -> dict[str, Any]:
    """Say what a warm-started run went on from, and what validation said of it before and after.

    kept: ``start`` when nothing that was trained was better than the weights it started from by validation.
    """
    history, goal = found.outcome.history, found.training.task.goal
    sign = 1.0 if metric_of(goal).higher_is_better else -1.0
    first = history[0]["validation"] if history and history[0]["step"] == 0 else None
    scores = (None, None) if first is None else (sign * first, sign * found.outcome.score)
    unchanged = all(torch.equal(tensor.cpu(), start.weights[name]) for name, tensor in found.outcome.weights.items())
    return {
        "from": start.digest,
        "commit": start.commit,
        "labels": {"changed": start.changed, "added": start.added, "removed": start.removed},
        "metric": goal.metric,
        "validation": dict(zip(("before", "after"), scores, strict=True)),
        "kept": "start" if unchanged else "trained",
    }


def versions() -> dict[str, str]:
    """Name the versions that the weights depend on."""
    return {
        "tacit": resolve("tacit:__version__"),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }


def suspicious_labels(found: Found, train: Examples) -> list[dict[str, Any]]:
    """List the training labels that the run itself disagreed with most: the lowest mean margins while it learnt."""
    seen = {name: tensor.cpu().numpy() for name, tensor in found.training.dynamics.averages().items()}
    output = train.signature.output
    rating = rate(output, seen, train.targets) if output.kind == "class" and seen else None
    if rating is None:
        return []
    order = np.argsort(rating.margins, kind="stable")[:_SUSPICIOUS]
    return [
        {
            "id": str(train.ids[row]),
            "label": output.label(train.targets[row]),
            "guess": output.decode(rating.guesses[row]),
            "margin": round(float(rating.margins[row]), 3),
        }
        for row in order[rating.margins[order] < 0]
    ]
