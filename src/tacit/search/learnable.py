"""What examples need before anything can be learned from them."""

from __future__ import annotations

import numpy as np

from tacit.ground.errors import InputError
from tacit.program import Program


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
