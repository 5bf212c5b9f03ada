"""Where a run keeps what it needs to be continued."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tacit.goals.own import goal_json
from tacit.ground.digests import canonical_json, sha256
from tacit.ground.errors import TacitError
from tacit.ground.files import write_atomic
from tacit.ground.progress import Reporter
from tacit.program import Program
from tacit.search.evolution_running import CHECKPOINT as EVOLVED
from tacit.search.schedule import Plan
from tacit.search.search import CHECKPOINT, DECISION, TRIALS
from tacit.search.warm import skeleton_name
from tacit.skeletons.choices import plain


def run_folder(
    program: Program,
    given: Path | None,
    configuration: Mapping[str, Any],
    *,
    resume: bool,
    reporter: Reporter,
) -> Path | None:
    """Give the folder of a run, named after everything that decides it; clear it unless the run is continued.

    given: where a caller wants it; else it lies below `.tacit/runs` in the program directory, and without one there is none.
    configuration: JSON values, see `configuration_of`.
    """
    if given is None and program.directory is None:
        return None
    key = sha256(canonical_json(configuration).encode())[:12]
    folder = given if given is not None else Path(program.directory or ".") / ".tacit" / "runs" / key
    if not resume:
        clear(folder)
    elif not any((folder / name).exists() for name in (CHECKPOINT, DECISION, TRIALS)):
        reporter.note(f"nothing to resume - at `{folder}`: compiling from the start")
    try:
        write_atomic(folder / "configuration.json", json.dumps(configuration, indent=1))
    except TacitError as error:
        reporter.note(f"no checkpoints: {error.message}")
        return None
    reporter.note(f"checkpoints: {folder}")
    return folder


def configuration_of(program: Program, seed: int, plan: Plan | None) -> dict[str, Any]:
    """Give everything that decides what a compile finds, as JSON values."""
    budget = asdict(program.budget if plan is None else replace(program.budget, minutes=None, steps=None))
    return {
        "labels": program.examples.labels_digest,
        "signature": program.signature.to_json(),
        "skeleton": skeleton_name(program),
        "settings": {name: plain(value) for name, value in program.settings.items()},
        "recipe": {name: plain(value) for name, value in program.recipe.items()},
        "goals": [goal_json(goal) for goal in program.goals],
        "search": {name: plain(value) for name, value in program.search.items()},
        "evolution": program.evolution,
        "budget": budget,
        "plan": plan,
        "seed": seed,
    }


def clear(folder: Path) -> None:
    """Remove what a run keeps for continuing."""
    for name in (CHECKPOINT, DECISION, TRIALS, EVOLVED):
        (folder / name).unlink(missing_ok=True)
