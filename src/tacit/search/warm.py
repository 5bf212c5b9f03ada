"""Start where an earlier run ended: after an edit of the labels most of what was learnt still holds, so few steps are needed.

The rate falls in a line from a fraction of the usual peak to zero, with fresh momentum; the same order, augmentation and network as
from scratch. Source of the caution: Ash and Adams 2020, "On Warm-Starting Neural Network Training"; what was tried on a few edited
labels: docs/howto/label-loop.md and `benchmarks/recompile.py`.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tacit.binary.loading import load
from tacit.examples.examples import Examples
from tacit.ground.errors import ConfigError, raise_all
from tacit.program import Program
from tacit.search.columns import FOCUS_SHARE, FOCUS_UNTIL
from tacit.search.recipe import Recipe
from tacit.search.trained import Trained, kept_digests, latest_trained, latest_values, load_trained
from tacit.signature.base import Signature
from tacit.signature.outputs import Class, Labels
from tacit.skeletons.choices import Choice, holds, plain
from tacit.skeletons.table import Skeleton, network_for

AUTO = "auto"
#: The part of the usual peak rate at which a warm start begins, by optimiser; tried were 0.03, 0.1, 0.3, 0.6 and 1, with and without a
#: rise at first. Plain gradient descent leaves what it had settled into at higher ones, AdamW takes edits in too slowly at lower ones.
RATES = {"sgd": 0.1}
RATE = 0.3
#: The part of the steps from scratch that a warm start takes.
SHARE = 0.1
#: It takes more where each edited example would be met less often than so many times, but not more than so many passes over all.
VISITS, EPOCHS = 5.0, 2.0
#: What a kept run says when its network has other widths than its settings give.
REMADE = ("resized_from", "grown_from")
_DIGEST = re.compile(r"[0-9a-f]{8,64}")
_SHOWN = 5


@dataclass(frozen=True, eq=False)
class Start:
    """Where a warm-started run begins.

    digest, commit: of the binary that the earlier run made, and of its labels. weights: for the network as it is now. settings: of its
    skeleton. augmented: whether the earlier run was. steps: at most so many are worth taking. full: the steps of the run from scratch
    at the root. seen: ids that the earlier runs had learnt from. edited: int64[row] of the examples to learn from that are to be met
    more often, for they are few. changed, added, removed: labels that are different now, examples that
    are new, examples that are gone. remade: what says that the widths are not those of the settings (see `REMADE`).
    """

    digest: str
    commit: str | None
    weights: Mapping[str, Tensor]
    settings: Mapping[str, Any]
    augmented: bool
    steps: int
    full: int
    seen: frozenset[str]
    edited: np.ndarray
    changed: int | None
    added: int
    removed: int
    remade: Mapping[str, str] = field(default_factory=dict)

    def describe(self) -> str:
        """Say in one line where the run starts and what is different now."""
        edits = [f"{self.changed} changed" if self.changed else "", f"{self.added} added" if self.added else ""]
        edits += [f"{self.removed} removed" if self.removed else ""]
        said = ", ".join(filter(None, edits)) or ("the same labels" if self.changed == 0 else "")
        return f"warm start from {self.digest[:12]}{f' (training labels: {said})' if said else ''}: at most {self.steps} steps"


def warm_recipe(recipe: Recipe) -> Recipe:
    """Give the recipe of a warm-started run: a lower rate that only falls."""
    return replace(recipe, learning_rate=recipe.learning_rate * RATES.get(recipe.optimiser, RATE), warmup=0.0)


def kept_run(directory: Path | None, which: str | os.PathLike[str]) -> Trained:
    """Give the run to start from: the newest of a program directory (`AUTO`), or the one that made a binary (its file or its digest).

    Raises: ConfigError when it is not kept; FormatError when it is damaged.
    """
    if directory is None:
        raise ConfigError("expected a program directory for a warm start, got a program in memory", fix="compile without `warm`")
    fix = f"tacit compile {directory}  (from scratch; it keeps its weights for the next time)"
    if str(which) == AUTO:
        found = latest_trained(directory)
        if found is None:
            raise ConfigError(f"expected an earlier run to start from, none is kept - at `{directory}`", fix=fix)
        return found
    text = os.fspath(which)
    kept = kept_digests(directory)
    if _DIGEST.fullmatch(text) and not Path(text).exists():
        matching = [digest for digest in kept if digest.startswith(text[:24])]
    else:
        wanted = load(which).digest
        matching = [digest for digest in kept if wanted.startswith(digest)]
    found = load_trained(directory, matching[0]) if len(matching) == 1 else None
    if found is None:
        cause = f"kept are {', '.join(digest[:12] for digest in kept)}" if kept else "none is kept there"
        raise ConfigError(f"expected the run that made `{text}` - at `{directory}`", cause=cause, fix=fix)
    return found


def start_of(program: Program, which: str | os.PathLike[str], skeleton: Skeleton, learnt: Examples, *, batch: int, seed: int) -> Start:
    """Find the run to go on from (see `kept_run`), check that it fits a program as it is now, and make its weights fit its classes.

    learnt: the examples to learn from; all others measure, and must not have been learnt.
    Raises: ConfigError that names every reason why the run can't be continued.
    """
    trained = kept_run(program.directory, which)
    values, signature = trained.values, program.signature
    problems = _misfits(values, program)
    seen = {*values.get("ids", ()), *values.get("also_seen", ())}
    mine = set(learnt.ids.tolist())
    leaked = [one for one in program.examples.ids.tolist() if one in seen and one not in mine]
    if leaked:
        shown = ", ".join(leaked[:_SHOWN]) + (" ..." if len(leaked) > _SHOWN else "")
        problems.append(f"{len(leaked)} examples that measure now were learnt from by that run ({shown}): its scores would not be honest")
    fix = "compile without --warm"
    raise_all(
        problems, heading=f"expected a run that fits the program to start from, got {trained.digest[:12]}", fix=fix, error=ConfigError
    )
    weights = fitted(trained, skeleton, signature, inputs=learnt.inputs, seed=seed)
    full = int(values["steps"])
    edits = _edits(trained, learnt)
    few = edits.rows if len(edits.rows) < FOCUS_SHARE * len(learnt) else np.empty(0, np.int64)
    return Start(
        trained.digest,
        values.get("commit"),
        weights,
        dict(values["settings"]),
        bool(values["augmented"]),
        _steps(full, len(edits.rows), len(learnt), batch),
        full,
        frozenset(seen),
        few,
        None if edits.changed is None else len(edits.changed),
        len(edits.added),
        edits.removed,
        {key: str(values[key]) for key in REMADE if key in values},
    )


def _steps(full: int, edited: int, count: int, batch: int) -> int:
    """Give how many steps are worth taking: a part of those from scratch, or enough to meet what was edited.

    >>> _steps(1000, 10, 4000, 64), _steps(1000, 100, 4000, 64), _steps(1000, 3000, 4000, 64)
    (100, 105, 124)
    """
    batch = min(batch, count)
    each = max(1, int(FOCUS_SHARE * batch))
    wanted = min(VISITS * edited / (FOCUS_UNTIL * each), EPOCHS * (count // batch))
    return min(max(math.ceil(SHARE * full), math.ceil(wanted), 1), max(full, count // batch))


def fitted(trained: Trained, skeleton: Skeleton, signature: Signature, *, inputs: tuple[np.ndarray, ...], seed: int) -> dict[str, Tensor]:
    """Give the kept weights for a network of this signature; rows of classes that are new are drawn afresh, others go by their names.

    Raises: ConfigError when the tensors of the two networks differ in more than their classes.
    """
    settings = trained.values["settings"]
    fresh = network_for(skeleton, signature, settings, inputs=inputs, seed=seed).state_dict()
    before, now = trained.values["signature"]["output"], signature.output.to_json()
    axes = {} if before == now else _class_axes(fresh, skeleton, signature, settings, inputs=inputs, seed=seed)
    remade = any(key in trained.values for key in REMADE)
    out: dict[str, Tensor] = {}
    problems = [f"the tensor `{name}` is not in both" for name in sorted(set(fresh) ^ set(trained.network))]
    for name in fresh.keys() & trained.network.keys():
        old, new = trained.network[name], fresh[name].detach().clone()
        if remade and old.ndim == new.ndim:
            new = _of_widths(new, old, axes.get(name))
        wanted = list(new.shape)
        if name in axes:
            wanted[axes[name]] = len(before["names"])
        if list(old.shape) != wanted:
            problems.append(f"`{name}` has the shape {list(old.shape)}, not {wanted}")
        elif name in axes:
            out[name] = _by_name(old, new, axes[name], list(before["names"]), list(now["names"]))
        else:
            out[name] = old.to(new.dtype)
    raise_all(problems, heading="expected weights of the same network", fix="compile without --warm", error=ConfigError)
    return {name: out[name] for name in fresh}


def _of_widths(new: Tensor, old: Tensor, classes: int | None) -> Tensor:
    """Give fresh weights the widths of old ones that were resized, along every axis but that of the classes."""
    for axis, size in enumerate(old.shape):
        if axis != classes and size != new.shape[axis]:
            new = new.index_select(axis, torch.arange(size) % new.shape[axis])
    return new


def _class_axes(
    fresh: Mapping[str, Tensor],
    skeleton: Skeleton,
    signature: Signature,
    settings: Mapping[str, Any],
    *,
    inputs: tuple[np.ndarray, ...],
    seed: int,
) -> dict[str, int]:
    """Find which axis of which tensor counts the classes: the one that grows in a network for one class more."""
    names = signature.output.to_json()["names"]
    more = type(signature.output).from_json({"names": [*names, "\x00one more"]})
    wider = network_for(skeleton, signature.input >> more, settings, inputs=inputs, seed=seed).state_dict()
    axes = {}
    for name, tensor in fresh.items():
        other = wider.get(name)
        if other is None or other.ndim != tensor.ndim:
            continue
        grown = [axis for axis, (a, b) in enumerate(zip(tensor.shape, other.shape, strict=True)) if a != b]
        if len(grown) == 1 and tensor.shape[grown[0]] == len(names):
            axes[name] = grown[0]
    return axes


def _by_name(old: Tensor, new: Tensor, axis: int, before: Sequence[str], now: Sequence[str]) -> Tensor:
    """Copy the rows of classes that both have into `new`."""
    both = [(before.index(name), place) for place, name in enumerate(now) if name in before]
    sources, places = (torch.tensor(part, dtype=torch.int64) for part in zip(*both, strict=True)) if both else (torch.empty(0).long(),) * 2
    return new.index_copy(axis, places, old.to(new.dtype).index_select(axis, sources))


def skeleton_name(program: Program) -> str | None:
    """Name the skeleton of a program: its row in the table, or the function or class that it is."""
    if isinstance(program.skeleton, str | None):
        return program.skeleton
    return str(getattr(program.skeleton, "__name__", type(program.skeleton).__name__))


def _misfits(values: Mapping[str, Any], program: Program) -> list[str]:
    """Name every way in which a kept run was of another program."""
    name, signature, settings = skeleton_name(program), program.signature, program.settings
    missing = [name for name in ("signature", "steps", "augmented", "settings", "ids") if name not in values]
    if missing:
        return [f"it was kept by an earlier release, without its {', '.join(missing)}"]
    problems = []
    if values.get("skeleton") != name:
        problems.append(f"its skeleton is `{values.get('skeleton')}`, now it is `{name}`")
    kept = values["settings"]
    for setting, value in settings.items():
        if setting not in kept or not holds(value, kept[setting]):
            options = value.values if isinstance(value, Choice) else (plain(value),)
            wanted = " or ".join(str(option) for option in options)
            problems.append(f"its `skeleton.{setting}` is {kept.get(setting, 'not set')}, now it is {wanted}")
    if values["signature"]["input"] != signature.input.to_json():
        problems.append(f"its input is {values['signature']['input']}, now it is {signature.input!r}")
    before, now = values["signature"]["output"], signature.output.to_json()
    if before != now and not (before["type"] == now["type"] and isinstance(signature.output, Class | Labels)):
        problems.append(f"its output is {before}, now it is {signature.output!r}")
    return problems


@dataclass(frozen=True, eq=False)
class _Edits:
    """What is different from a kept run. changed: int64[row] whose label is another one (None: not known). added: int64[row]."""

    changed: np.ndarray | None
    added: np.ndarray
    removed: int

    @property
    def rows(self) -> np.ndarray:
        """All rows that were never learnt as they are now, int64[row]."""
        changed = np.empty(0, np.int64) if self.changed is None else self.changed
        return np.sort(np.concatenate([changed, self.added]))


def _edits(trained: Trained, learnt: Examples) -> _Edits:
    """Find which labels changed, which examples are new, and how many are gone."""
    output = learnt.signature.output
    places = {name: row for row, name in enumerate(trained.values["ids"])}
    before = np.array([places.get(name, -1) for name in learnt.ids.tolist()], np.int64)
    added, both = np.flatnonzero(before < 0), np.flatnonzero(before >= 0)
    removed = len(places) - len(both)
    kept = trained.examples.get("targets")
    if kept is None:
        return _Edits(None, added, removed)
    old, new = kept.numpy()[before[both]], learnt.targets[both]
    was = trained.values["signature"]["output"]
    if was == output.to_json():
        different = (old != new).reshape(len(both), -1).any(axis=1)
    elif isinstance(output, Class):
        different = np.array([was["names"][int(a)] != output.names[int(b)] for a, b in zip(old, new, strict=True)], bool)
    else:
        return _Edits(None, added, removed)
    return _Edits(both[different], added, removed)


def suggestion(program: Program) -> str | None:
    """Give the line that tells a person of the warm start that would be possible, or None."""
    values = None if program.directory is None else latest_values(program.directory)
    if values is None or values.get("labels") == program.examples.labels_digest or _misfits(values, program):
        return None
    return "an earlier run on other labels is kept: `--warm` goes on from it with a fraction of the steps"
