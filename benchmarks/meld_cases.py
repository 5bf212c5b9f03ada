"""The two cases of the benchmark of melding: what is perceived, what is decided, and what both are for together.

Signs: photos of hands, small and taken in little light (a third of the light, and the noise of a sensor), one in each half of a message;
the table adds the two numbers. Motion: two windows of a phone's sensors, before and now; the table says what a monitor does about the
change of activity. In both, perception is taught by few examples of its own, the table by the table, and the joint examples are
others, of which only the decision is known.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from harness import data_folder
from PIL import Image as Pillow

import tacit
from tacit.signature.base import Product

SIZE, LIGHT, NOISE = 24, 0.35, 12.0
#: The split, the noise and the pairs are the same for every seed, which is that of weights and order.
DRAWN = 0
MOTIONS = ("walking", "upstairs", "downstairs", "sitting", "standing", "laying")


@dataclass(frozen=True, eq=False)
class Case:
    """perceive, decide, joint: the programs, with budgets in steps. long: the skeleton settings of one network for all of it."""

    name: str
    perceive: tacit.Program
    decide: tacit.Program
    joint: tacit.Program


@dataclass(frozen=True)
class Steps:
    """Steps of each run."""

    perceive: int
    decide: int
    meld: int


def _program(
    name: str, signature: tacit.Signature, inputs: list[np.ndarray], targets: np.ndarray, splits: list[str], **more: Any
) -> tacit.Program:
    ids = np.array([hashlib.sha256(f"{name}{place}".encode()).hexdigest()[:24] for place in range(len(targets))])
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in [*inputs, targets])).hexdigest()
    examples = tacit.Examples(signature, ids, tuple(inputs), targets.astype(np.int64), np.array(splits), None, digest)
    return tacit.Program(name, signature, examples, **more)


def _decision(
    names: tuple[str, ...], columns: tuple[str, str], answers: tacit.Class, act: Callable[[int, int], int], folder: Path, steps: int
) -> tacit.Program:
    """Make the program of the table: every pair, as often as an epoch wants."""
    pairs = np.array([(one, other) for one in range(len(names)) for other in range(len(names))])
    times = 1 + 1000 // len(pairs)
    table = np.concatenate([pairs] * (times + 2))
    row = tacit.Row(categories=tuple((column, names) for column in columns))
    splits = ["train"] * (times * len(pairs)) + ["validation"] * len(pairs) + ["test"] * len(pairs)
    targets = np.array([act(one, other) for one, other in table])
    own = {"settings": {"width": 64}, "recipe": {"epochs": 100}, "budget": tacit.Budget(steps=steps), "directory": folder / "decide"}
    return _program("decide", row >> answers, [(table + 1).astype(np.int32)], targets, splits, **own)


# --- signs -------------------------------------------------------------------------------------------------------------


@cache
def _photos() -> tuple[np.ndarray, np.ndarray]:
    """Read the photos of hands as uint8[photo, row, column], and the numbers they show."""
    found, shown = [], []
    (archive,) = (data_folder() / "sign-digits").glob("*.zip")
    with zipfile.ZipFile(archive) as packed:
        for name in sorted(name for name in packed.namelist() if name.lower().endswith(".jpg")):
            photo = Pillow.open(io.BytesIO(packed.read(name))).convert("L").resize((SIZE, SIZE), Pillow.Resampling.BOX)
            found.append(np.asarray(photo))
            shown.append(int(name.split("/")[-2]))
    return np.stack(found), np.array(shown)


def signs(folder: Path, steps: Steps) -> Case:
    """Two noisy photos of signed digits; the answer is their sum."""
    photos, shown = _photos()
    chance = np.random.default_rng(DRAWN)
    dim = photos[..., None] * LIGHT + chance.normal(0, NOISE, (*photos.shape, 1))
    dim = np.clip(np.round(dim), 0, 255).astype(np.uint8)
    order = chance.permutation(len(photos))
    own, pool, watched, test = order[:350], order[350:1550], order[1550:1700], order[1700:]
    digits, sums = tacit.Class([str(digit) for digit in range(10)]), tacit.Class([str(total) for total in range(19)])
    picture = tacit.Image(SIZE, SIZE, 1)
    rows = np.concatenate([own, test])
    splits = ["train"] * 250 + ["validation"] * 100 + ["test"] * len(test)
    small = {"settings": {"width": 8, "depth": 1}, "budget": tacit.Budget(steps=steps.perceive), "directory": folder / "perceive"}
    perceive = _program("perceive", picture >> digits, [dim[rows]], shown[rows], splits, **small)
    decide = _decision(digits.names, ("left", "right"), sums, lambda one, other: one + other, folder, steps.decide)
    pairs = np.concatenate([chance.choice(some, (count, 2)) for some, count in ((pool, 3000), (watched, 400), (test, 1500))])
    splits = ["train"] * 3000 + ["validation"] * 400 + ["test"] * 1500
    both = Product((picture, picture), ("left", "right")) >> sums
    budget = {"budget": tacit.Budget(steps=steps.meld), "directory": folder / "joint", "recipe": {"batch": 32}}
    joint = _program("signs", both, [dim[pairs[:, 0]], dim[pairs[:, 1]]], shown[pairs].sum(axis=1), splits, **budget)
    return Case("signs", perceive, decide, joint)


# --- motion ------------------------------------------------------------------------------------------------------------


ACTS = ("start", "stop", "climb", "walk", "rest", "posture")


def act(before: int, now: int) -> int:
    """Say what a monitor does: it starts and stops tracking, counts stairs or steps, and notes a change of posture."""
    if before > 2 and now <= 2:
        return 0
    if before <= 2 and now > 2:
        return 1
    if now <= 2:
        return 2 if now in (1, 2) else 3
    return 4 if before == now else 5


def motion(folder: Path, steps: Steps) -> Case:
    """Two windows of one person's phone; the answer is what a monitor does about the change."""
    pack = np.load(data_folder() / "uci-har" / "uci_har.npz")
    x, y, person, held = pack["x"].astype(np.float32), pack["y"].astype(np.int64), pack["subject"], pack["is_test"].astype(bool)
    chance = np.random.default_rng(DRAWN)
    people = chance.permutation(np.unique(person[~held]))
    own, pool, watched = people[:3], people[3:17], people[17:]
    activity, acts = tacit.Class(MOTIONS), tacit.Class(ACTS)
    series = tacit.Series(6, 128)
    rows = [np.flatnonzero(np.isin(person, own)), np.flatnonzero(np.isin(person, watched)), np.flatnonzero(held)]
    splits = [split for split, some in zip(("train", "validation", "test"), rows, strict=True) for _ in some]
    small = {
        "settings": {"width": 8},
        "recipe": {"refit": False},
        "budget": tacit.Budget(steps=steps.perceive),
        "directory": folder / "perceive",
    }
    perceive = _program("perceive", series >> activity, [x[np.concatenate(rows)]], y[np.concatenate(rows)], splits, **small)
    decide = _decision(MOTIONS, ("before", "now"), acts, act, folder, steps.decide)
    pairs = []
    for some, count in ((pool, 3000), (watched, 400), (np.unique(person[held]), 1500)):
        for who in chance.choice(some, count):
            pairs.append(chance.choice(np.flatnonzero(person == who), 2))
    pairs = np.array(pairs)
    targets = np.array([act(int(one), int(other)) for one, other in y[pairs]])
    splits = ["train"] * 3000 + ["validation"] * 400 + ["test"] * 1500
    both = Product((series, series), ("before", "now")) >> acts
    budget = {"budget": tacit.Budget(steps=steps.meld), "directory": folder / "joint", "recipe": {"batch": 32}}
    joint = _program("motion", both, [x[pairs[:, 0]], x[pairs[:, 1]]], targets, splits, **budget)
    return Case("motion", perceive, decide, joint)
