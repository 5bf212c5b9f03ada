"""Two small programs that were compiled apart, and what they are for together: a picture says how bright it is, a table what to do."""

import hashlib

import numpy as np

from tacit.compiler import compile as compile_program
from tacit.examples.examples import Examples
from tacit.ground.budget import Budget
from tacit.program import Program
from tacit.signature.image import Image
from tacit.signature.outputs import Class
from tacit.signature.row import Row

LEVELS = ("dark", "grey", "light")
PICTURE, LEVEL, ACT = Image(6, 6, 1), Class(LEVELS), Class("go", "stop")


def pictures(levels, seed, noise=60):
    chance = np.random.default_rng(seed)
    flat = np.array([50, 128, 200])[np.asarray(levels)][:, None, None, None] + chance.normal(0, noise, (len(levels), 6, 6, 1))
    return np.clip(flat, 0, 255).astype(np.uint8)


def program(name, signature, inputs, targets, *, directory=None, steps=40, splits=None, **options):
    count = len(targets)
    if splits is None:
        splits = np.array(["train", "train", "train", "validation", "test"] * (count // 5 + 1))[:count]
    ids = np.array([hashlib.sha256(f"{name}{place}".encode()).hexdigest()[:24] for place in range(count)])
    examples = Examples(signature, ids, tuple(inputs), np.asarray(targets, np.int64), splits, None, name)
    return Program(name, signature, examples, directory=directory, budget=Budget(steps=steps), **options)


def perception(directory=None, steps=30):
    levels = np.arange(120) % 3
    return program(
        "level", PICTURE >> LEVEL, [pictures(levels, 0)], levels, directory=directory, steps=steps, settings={"width": 8, "depth": 1}
    )


def decision(directory=None, row=None):
    row = row or Row(categories=(("first", LEVELS), ("second", LEVELS)))
    pairs = np.array([(one, other) for one in range(3) for other in range(3)] * 12)
    return program(
        "rule", row >> ACT, [(pairs + 1).astype(np.int32)], acts(pairs), directory=directory, steps=60, settings={"width": 16, "depth": 1}
    )


def acts(pairs):
    return (pairs[:, 0] > pairs[:, 1]).astype(np.int64)


def joint(directory=None, steps=20, count=200, signature=None):
    chance = np.random.default_rng(3)
    pairs = chance.integers(0, 3, (count, 2))
    inputs = [pictures(pairs[:, 0], 4), pictures(pairs[:, 1], 5)]
    return program("both", signature or (PICTURE * PICTURE) >> ACT, inputs, acts(pairs), directory=directory, steps=steps)


def compiled(program):
    return compile_program(program, seed=0)
